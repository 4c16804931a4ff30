#include "diag.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "limits.h"
#include "source.h"

static const struct row {
    enum diag_severity severity;
    enum diag_class fault;
    const char *slug, *text;
} ROWS[] = {
#define DIAG(ID, severity, fault, slug, text) {DIAG_##severity, DIAG_##fault, slug, text},
#include "diag.def"
#undef DIAG
};

const char *diag_slug(enum diag_id id)
{
    return ROWS[id].slug;
}

enum diag_severity diag_default_severity(enum diag_id id)
{
    return ROWS[id].severity;
}

const char *diag_severity_name(enum diag_severity severity)
{
    return severity == DIAG_ERROR ? "error" : "warning";
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

bool diag_settings_apply(struct diag_settings *settings, const char *option)
{
    enum diag_level level = DIAG_LEVEL_WARNING;
    const char *slug = option;
    if (strcmp(option, "error") == 0 || strcmp(option, "no-error") == 0) {
        settings->all_are_errors = option[0] == 'e';
        return true;
    }
    if (starts_with(option, "error=")) {
        level = DIAG_LEVEL_ERROR;
        slug = option + strlen("error=");
    } else if (starts_with(option, "no-error=")) {
        slug = option + strlen("no-error=");
    } else if (starts_with(option, "no-")) {
        level = DIAG_LEVEL_OFF;
        slug = option + strlen("no-");
    }
    bool is_known = false;
    for (int id = 0; id < DIAG_ID_COUNT; id++) {
        if (ROWS[id].severity == DIAG_WARNING && strcmp(ROWS[id].slug, slug) == 0) {
            settings->levels[id] = (uint8_t)level;
            is_known = true;
        }
    }
    return is_known;
}

struct diag *diag_create(struct arena *arena, const struct diag_settings *settings)
{
    struct diag *diag = arena_alloc(arena, sizeof *diag);
    diag->arena = arena;
    if (settings)
        diag->settings = *settings;
    diag->dropped = arena_alloc(arena, sizeof *diag->dropped);
    return diag;
}

/* The text of a row with $1..$4 replaced by the arguments. */
static const char *fill(struct arena *arena, const char *text, va_list args)
{
    const char *values[5] = {NULL};
    int count = 0;
    for (const char *at = strchr(text, '$'); at; at = strchr(at + 1, '$'))
        if (at[1] - '0' > count)
            count = at[1] - '0';
    assert(count < 5);
    for (int i = 1; i <= count; i++)
        values[i] = va_arg(args, const char *);
    struct textbuf buf;
    textbuf_init(&buf, arena);
    for (const char *at = text; *at; at++) {
        if (*at == '$')
            textbuf_add(&buf, values[*++at - '0']);
        else
            textbuf_add_n(&buf, at, 1);
    }
    return buf.text;
}

static enum diag_level level_of(const struct diag *diag, enum diag_id id)
{
    if (ROWS[id].severity == DIAG_ERROR)
        return DIAG_LEVEL_ERROR;
    const enum diag_level level = diag->settings.levels[id];
    if (level == DIAG_LEVEL_DEFAULT)
        return diag->settings.all_are_errors ? DIAG_LEVEL_ERROR : DIAG_LEVEL_WARNING;
    return level;
}

static struct diag_message *append(struct diag *diag, enum diag_id id, enum diag_severity severity)
{
    struct diag_message *message = arena_alloc(diag->arena, sizeof *message);
    *message = (struct diag_message){
        .id = id, .severity = severity, .fault = ROWS[id].fault, .slug = ROWS[id].slug};
    if (diag->last)
        diag->last->next = message;
    else
        diag->messages = message;
    diag->last = message;
    return message;
}

static struct diag_message *add(struct diag *diag, enum diag_id id, va_list args)
{
    const enum diag_level level = level_of(diag, id);
    if (level == DIAG_LEVEL_OFF)
        return diag->dropped;
    if (level == DIAG_LEVEL_ERROR) {
        diag->error_count++;
        if (diag->is_full)
            return diag->dropped;
        if (diag->error_count > LIMIT_ERRORS) {
            diag->is_full = true;
            append(diag, DIAG_ID_TOO_MANY_ERRORS, DIAG_ERROR)->text =
                ROWS[DIAG_ID_TOO_MANY_ERRORS].text;
            return diag->dropped;
        }
    } else {
        diag->warning_count++;
    }
    struct diag_message *message =
        append(diag, id, level == DIAG_LEVEL_ERROR ? DIAG_ERROR : DIAG_WARNING);
    message->text = fill(diag->arena, ROWS[id].text, args);
    return message;
}

struct diag_message *diag_add(struct diag *diag, enum diag_id id, struct span span, ...)
{
    va_list args;
    va_start(args, span);
    struct diag_message *message = add(diag, id, args);
    va_end(args);
    message->has_span = true;
    message->span = span;
    return message;
}

struct diag_message *diag_add_bare(struct diag *diag, enum diag_id id, ...)
{
    va_list args;
    va_start(args, id);
    struct diag_message *message = add(diag, id, args);
    va_end(args);
    return message;
}

static void add_note(struct diag *diag, struct diag_message *message, const struct span *span,
                     const char *text)
{
    if (message == diag->dropped)
        return;
    struct diag_note *note = arena_alloc(diag->arena, sizeof *note);
    note->text = text;
    note->has_span = span != NULL;
    if (span)
        note->span = *span;
    struct diag_note **end = &message->notes;
    while (*end)
        end = &(*end)->next;
    *end = note;
}

static const char *format_text(struct arena *arena, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    const int length = vsnprintf(NULL, 0, format, args);
    char *text = arena_alloc(arena, length < 0 ? 1 : (size_t)length + 1);
    vsnprintf(text, length < 0 ? 1 : (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

void diag_note(struct diag *diag, struct diag_message *message, struct span span,
               const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_note(diag, message, &span, format_text(diag->arena, format, args));
    va_end(args);
}

void diag_note_bare(struct diag *diag, struct diag_message *message, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_note(diag, message, NULL, format_text(diag->arena, format, args));
    va_end(args);
}

void diag_fix(struct diag_message *message, struct span span, const char *replacement)
{
    message->fix = replacement;
    message->fix_span = span;
}

enum diag_class diag_worst(const struct diag *diag)
{
    enum diag_class worst = DIAG_CELL;
    for (const struct diag_message *message = diag->messages; message; message = message->next) {
        if (message->severity != DIAG_ERROR)
            continue;
        if (message->fault == DIAG_IO)
            return DIAG_IO;
        if (message->fault == DIAG_LIMIT)
            worst = DIAG_LIMIT;
    }
    return worst;
}

enum { NEAREST_MAX = 64 };

/* Edits from one text to the other: insert, delete, replace, swap of neighbours (Damerau 1964). */
static uint32_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    uint32_t rows[3][NEAREST_MAX + 1];
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = (uint32_t)j;
    for (size_t i = 1; i <= a_length; i++) {
        uint32_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        row[0] = (uint32_t)i;
        for (size_t j = 1; j <= b_length; j++) {
            uint32_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[a_length % 3][b_length];
}

const char *diag_nearest(const char *wrong, const char *const *names, uint32_t count)
{
    const size_t length = strlen(wrong);
    /* A third of the letters may be wrong; a single letter is no hint. */
    uint32_t best = (uint32_t)(length + 2) / 3 + 1;
    const char *nearest = NULL;
    if (length < 2 || length > NEAREST_MAX)
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        const size_t other = strlen(names[i]);
        if (other > NEAREST_MAX || other + best < length || length + best < other)
            continue;
        const uint32_t distance = edit_distance(wrong, length, names[i], other);
        if (distance < best) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}
