#include "rename_cell.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Words with a meaning of their own. A cell may use those of attributes as names; they stay then,
 * because telling the two apart would take a parser. */
static bool is_kept(const char *word, size_t length)
{
    static const char *const words[] = {"cell",  "fn",       "state",  "input",   "param",
                                        "const", "output",   "guess",  "in",      "init",
                                        "and",   "nograd",   "or",     "not",     "zeros",
                                        "ones",  "constant", "normal", "uniform", "shared"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == length && !memcmp(words[i], word, length))
            return true;
    return false;
}

struct renamer {
    const char *text;
    size_t at, length;
    char *out;
    size_t used, room;
    char (*old)[64]; /* in order of appearance: the index is the other name */
    size_t old_count, old_room;
};

static void *grow(void *block, size_t size)
{
    void *larger = realloc(block, size);
    if (!larger)
        abort();
    return larger;
}

static void put(struct renamer *r, const char *bytes, size_t length)
{
    if (r->used + length + 1 > r->room)
        r->out = grow(r->out, r->room = 2 * (r->used + length + 1));
    memcpy(r->out + r->used, bytes, length);
    r->used += length;
}

static void put_other_name(struct renamer *r, const char *word, size_t length)
{
    char name[64];
    size_t i = 0;
    while (i < r->old_count && (strlen(r->old[i]) != length || memcmp(r->old[i], word, length)))
        i++;
    if (i == r->old_count) {
        if (r->old_count == r->old_room)
            r->old = grow(r->old, (r->old_room = 2 * r->old_room + 16) * sizeof *r->old);
        memcpy(r->old[i], word, length);
        r->old[i][length] = '\0';
        r->old_count++;
    }
    const int count = snprintf(name, sizeof name, "Q%zu_", i);
    put(r, name, (size_t)count);
}

/* Whether what follows is '(', blanks and comments aside. */
static bool is_called(const struct renamer *r, size_t at)
{
    for (; at < r->length; at++) {
        if (r->text[at] == '#')
            at += strcspn(r->text + at, "\n");
        else if (!isspace((unsigned char)r->text[at]))
            return r->text[at] == '(';
    }
    return false;
}

char *rename_cell(const struct unit *unit, size_t *length)
{
    struct renamer r = {
        .text = unit->source->text, .at = unit->source->start, .length = unit->source->length};
    while (r.at < r.length) {
        const char *begin = r.text + r.at;
        const unsigned char c = (unsigned char)*begin;
        size_t count = 1;
        if (c == '#') {
            count = strcspn(begin, "\n");
        } else if (isdigit(c) || (c == '.' && isdigit((unsigned char)begin[1]))) {
            while (isalnum((unsigned char)begin[count]) || begin[count] == '_' ||
                   begin[count] == '.' ||
                   ((begin[count] == '+' || begin[count] == '-') &&
                    tolower((unsigned char)begin[count - 1]) == 'e'))
                count++;
        } else if (isalpha(c) || c == '_') {
            while (isalnum((unsigned char)begin[count]) || begin[count] == '_')
                count++;
            char word[64];
            snprintf(word, sizeof word, "%.*s", (int)count, begin);
            const bool is_built_in =
                is_called(&r, r.at + count) && !scope_find(&unit->sema->functions, word);
            if (!is_kept(begin, count) && !is_built_in) {
                put_other_name(&r, begin, count);
                r.at += count;
                continue;
            }
        }
        put(&r, begin, count);
        r.at += count;
    }
    put(&r, "", 1);
    r.used--;
    free(r.old);
    *length = r.used;
    return r.out;
}
