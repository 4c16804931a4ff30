#include "messages.h"

#include "status.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* One block: the array, then all strings. */
struct messages {
    size_t count;
    const char *text;
    prnn_diagnostic list[];
};

static pthread_key_t key;
static bool has_key;

static void make_key(void)
{
    has_key = pthread_key_create(&key, free) == 0;
}

/* A library that is loaded and unloaded again and again would use up the keys of the process. */
__attribute__((destructor)) static void delete_key(void)
{
    if (has_key) {
        free(pthread_getspecific(key));
        pthread_key_delete(key);
        has_key = false;
    }
}

static struct messages *current(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_key);
    return has_key ? pthread_getspecific(key) : NULL;
}

static size_t room_of(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static const char *keep(char **at, const char *text)
{
    if (!text)
        return NULL;
    char *copy = *at;
    memcpy(copy, text, strlen(text) + 1);
    *at += strlen(text) + 1;
    return copy;
}

static void fill(prnn_diagnostic *out, const struct unit *unit, const struct diag_message *message,
                 char **at)
{
    *out = (prnn_diagnostic)PRNN_DIAGNOSTIC_INIT;
    out->is_error = message->severity == DIAG_ERROR;
    out->slug = keep(at, message->slug);
    out->text = keep(at, message->text);
    out->file = keep(at, unit->diag->name);
    out->fix = keep(at, message->fix);
    if (message->has_span && unit->source) {
        const struct source_place place = source_place(unit->source, message->span.begin);
        out->line = place.line;
        out->column = place.column;
        out->begin = message->fix ? message->fix_span.begin : message->span.begin;
        out->end = message->fix ? message->fix_span.end : message->span.end;
    }
}

bool messages_keep(const struct unit *unit)
{
    free(current());
    if (!has_key || pthread_setspecific(key, NULL))
        return false;
    if (!unit || !unit->diag)
        return true;
    size_t count = 0, room = room_of(unit->messages);
    for (const struct diag_message *m = unit->diag->messages; m; m = m->next, count++)
        room += room_of(m->slug) + room_of(m->text) + room_of(m->fix) + room_of(unit->diag->name);
    struct messages *messages = malloc(sizeof *messages + count * sizeof *messages->list + room);
    if (!messages)
        return false;
    char *at = (char *)&messages->list[count];
    messages->count = 0;
    messages->text = keep(&at, unit->messages);
    for (const struct diag_message *m = unit->diag->messages; m; m = m->next)
        fill(&messages->list[messages->count++], unit, m, &at);
    if (pthread_setspecific(key, messages)) {
        free(messages);
        return false;
    }
    return true;
}

const char *prnn_last_diagnostics(void)
{
    const struct messages *messages = current();
    return messages && messages->text ? messages->text : "";
}

size_t prnn_diagnostic_count(void)
{
    const struct messages *messages = current();
    return messages ? messages->count : 0;
}

prnn_status prnn_diagnostic_get(size_t index, prnn_diagnostic *out)
{
    const struct messages *messages = current();
    if (!out || out->struct_size != sizeof *out)
        return status_set(PRNN_E_INVALID, "'out' has struct_size %zu, needed is %zu",
                          out ? out->struct_size : 0, sizeof *out);
    if (!messages || index >= messages->count)
        return status_set(PRNN_E_INVALID, "diagnostic %zu is asked for, there are %zu", index,
                          messages ? messages->count : (size_t)0);
    *out = messages->list[index];
    return PRNN_OK;
}
