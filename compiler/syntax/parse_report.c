#include "parse_report.h"

#include <string.h>

#include "limits.h"

void report_too_deep(struct parser *cx, struct span span)
{
    if (!cx->is_stopped)
        diag_add(cx->diag, DIAG_ID_TOO_DEEP, span, arena_printf(cx->arena, "%d", LIMIT_NESTING));
    cx->is_stopped = true;
}

bool report_limits(struct parser *cx, struct span span)
{
    cx->before = cx->last;
    cx->last = span;
    cx->line_has_token = true;
    if (cx->bracket_depth > LIMIT_NESTING) {
        report_too_deep(cx, span);
    } else if (++cx->token_count > LIMIT_TOKENS) {
        diag_add(cx->diag, DIAG_ID_TOO_MANY_TOKENS, span,
                 arena_printf(cx->arena, "%d", LIMIT_TOKENS));
        cx->is_stopped = true;
    } else if (cx->diag->is_full) {
        cx->is_stopped = true;
    }
    return !cx->is_stopped;
}

bool report_is_assignment(const struct parser *cx, struct span span)
{
    const char *text = cx->source->text;
    const char *at = text + span.begin;
    while (at > text && strchr(" \t\f\v", at[-1]))
        at--;
    if (at == text || at[-1] != '\n')
        return false;
    at = text + span.end + strspn(text + span.end, " \t");
    if (*at == '\'')
        at += 1 + strspn(at + 1, " \t");
    return *at == '=' && at[1] != '=';
}

/* A piece of the source for a message, cut when it is long. */
static const char *excerpt(struct parser *cx, struct span span)
{
    const uint32_t length = span.end - span.begin;
    return arena_printf(cx->arena, "'%.*s%s'", length > 40 ? 40 : (int)length,
                        cx->source->text + span.begin, length > 40 ? "..." : "");
}

static bool expects(const char *const *expected, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(expected[i], name) == 0)
            return true;
    return false;
}

static void add_expected(struct textbuf *out, const char *name)
{
    static const char *const PLAIN[] = {"name", "number", "end of file"};
    for (uint32_t i = 0; i < sizeof PLAIN / sizeof *PLAIN; i++) {
        if (strcmp(PLAIN[i], name) == 0) {
            textbuf_add(out, i < 2 ? "a " : "");
            textbuf_add(out, name);
            return;
        }
    }
    textbuf_printf(out, "'%s'", name);
}

static const char *join(struct parser *cx, const char *const *names, uint32_t count)
{
    struct textbuf out;
    textbuf_init(&out, cx->arena);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            textbuf_add(&out, i + 1 == count ? " or " : ", ");
        add_expected(&out, names[i]);
    }
    return out.text;
}

/* The tokens that may end what was begun; behind an operand every operator is possible as well, and
 * naming them all says nothing. */
static uint32_t keep_closers(const char *const *expected, uint32_t count, const char **closers)
{
    static const char *const CLOSERS[] = {";", ",", ")", "]"};
    uint32_t closer_count = 0;
    for (uint32_t i = 0; i < sizeof CLOSERS / sizeof *CLOSERS; i++)
        if (expects(expected, count, CLOSERS[i]))
            closers[closer_count++] = CLOSERS[i];
    return closer_count;
}

/* The closer whose absence explains the fault: the statement, the line or the file went on. */
static const char *missing_closer(struct parser *cx, struct span span, const char *found,
                                  const char *const *closers, uint32_t count)
{
    static const char *const STARTERS[] = {"state", "input",  "param", "const", "fn",
                                           "guess", "output", "}",     "cell",  "end of file"};
    const bool is_new_line =
        source_place(cx->source, cx->before.end).line != source_place(cx->source, span.begin).line;
    const bool went_on =
        is_new_line || expects(STARTERS, sizeof STARTERS / sizeof *STARTERS, found);
    for (uint32_t i = 0; i < count; i++)
        if ((strcmp(closers[i], ";") == 0 && went_on) ||
            (strchr(")]", closers[i][0]) && (went_on || strcmp(found, ";") == 0)))
            return closers[i];
    return NULL;
}

void report_syntax(struct parser *cx, struct span span, const char *found,
                   const char *const *expected, uint32_t count)
{
    const char *closers[4];
    struct arena *arena = cx->arena;
    if (cx->is_stopped)
        return;
    const bool is_end = strcmp(found, "end of file") == 0;
    const char *what = is_end ? "end of file" : excerpt(cx, span);

    if (expects(expected, count, "fn") && !cx->ast->name_span.end) {
        if (is_end)
            diag_add(cx->diag, DIAG_ID_NO_CELL, span);
        else
            diag_add(cx->diag, DIAG_ID_SYNTAX, span, what, "'cell' or 'fn'");
        cx->is_stopped = true; /* outside of a cell there is nothing to resume at */
        return;
    }
    if (count == 1 && strcmp(expected[0], "end of file") == 0) {
        if (strcmp(found, "cell") == 0) {
            struct diag_message *message = diag_add(cx->diag, DIAG_ID_SEVERAL_CELLS, span);
            diag_note(cx->diag, message, cx->ast->name_span, "the first cell is here");
        } else {
            struct diag_message *message =
                diag_add(cx->diag, DIAG_ID_SYNTAX, span, what, "end of file");
            if (strcmp(found, "fn") == 0)
                diag_note(cx->diag, message, cx->ast->name_span, "functions stand before the cell");
        }
        cx->is_stopped = true;
        return;
    }
    if (expects(expected, count, "number") && expects(expected, count, "(")) {
        diag_add(cx->diag, DIAG_ID_SYNTAX, span, what, "an expression");
        return;
    }
    if (expects(expected, count, "state")) {
        if (is_end) {
            const struct span after = {cx->before.end, cx->before.end};
            struct diag_message *message =
                diag_add(cx->diag, DIAG_ID_SYNTAX_MISSING, after, "'}'", excerpt(cx, cx->before));
            diag_fix(message, after, "}");
            diag_note(cx->diag, message, cx->ast->name_span, "of this cell");
        } else {
            diag_add(cx->diag, DIAG_ID_SYNTAX, span, what, "a statement or '}'");
        }
        return;
    }
    const uint32_t closer_count = keep_closers(expected, count, closers);
    const char *missing = missing_closer(cx, span, found, closers, closer_count);
    if (missing) {
        const struct span after = {cx->before.end, cx->before.end};
        struct diag_message *message =
            diag_add(cx->diag, DIAG_ID_SYNTAX_MISSING, after, arena_printf(arena, "'%s'", missing),
                     excerpt(cx, cx->before));
        diag_fix(message, after, missing);
    } else if (closer_count > 0) {
        struct diag_message *message =
            diag_add(cx->diag, DIAG_ID_SYNTAX, span, what, join(cx, closers, closer_count));
        if (strcmp(found, ",") == 0 && expects(expected, count, "nograd"))
            diag_note(cx->diag, message, cx->before,
                      "'in', 'init' and the like hold for all names before them; other names want "
                      "a declaration of their own");
        else if (strlen(found) == 1 && strchr("+-*/(=", found[0]) &&
                 expects(closers, closer_count, ",") && !expects(expected, count, "nograd"))
            diag_note(cx->diag, message, cx->before,
                      "an output has a name; of an expression it stands before, as in 'output y = "
                      "h + u;'");
    } else if (count > 0 && count <= 5) {
        diag_add(cx->diag, DIAG_ID_SYNTAX, span, what, join(cx, expected, count));
    } else {
        diag_add(cx->diag, DIAG_ID_SYNTAX_UNEXPECTED, span, what);
    }
}
