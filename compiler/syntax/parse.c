#include "parse.h"

#include <string.h>

#include "limits.h"
#include "number.h"
#include "parse_internal.h"
#include "parse_report.h"
#include "parse_tab.h"

/* Of the generated scanner. */
int cell_yylex_init_extra(struct parser *cx, void **scanner);
void *cell_yy_scan_buffer(char *base, size_t size, void *scanner);
int cell_yylex_destroy(void *scanner);

/* ---- Scanner ---- */

void scan_add_comment(struct parser *cx, struct span span, bool is_doc)
{
    if (cx->comment_count == cx->comment_room) {
        const uint32_t room = cx->comment_room ? cx->comment_room * 2 : 16;
        cx->comments =
            arena_grow(cx->arena, cx->comments, cx->comment_count, room, sizeof *cx->comments);
        cx->comment_room = room;
    }
    while (span.end > span.begin && strchr(" \t\r", cx->source->text[span.end - 1]))
        span.end--;
    cx->comments[cx->comment_count++] =
        (struct ast_comment){.span = span, .is_doc = is_doc, .is_alone = !cx->line_has_token};
}

/* For messages: long literals are cut. */
static const char *shorten(struct parser *cx, const char *text, size_t length)
{
    if (length <= 40)
        return arena_strndup(cx->arena, text, length);
    return arena_printf(cx->arena, "%.30s...", text);
}

struct ast_expr *scan_number(struct parser *cx, const char *text, size_t length, struct span span)
{
    double value;
    switch (number_parse(text, length, &value)) {
    case NUMBER_OK:
        break;
    case NUMBER_MALFORMED:
        diag_add(cx->diag, DIAG_ID_BAD_NUMBER, span, shorten(cx, text, length));
        value = 1;
        break;
    case NUMBER_OVERFLOW:
        diag_add(cx->diag, DIAG_ID_NUMBER_OVERFLOW, span, shorten(cx, text, length));
        value = 1;
        break;
    case NUMBER_UNDERFLOW:
        diag_add(cx->diag, DIAG_ID_UNDERFLOW, span, shorten(cx, text, length));
        break;
    }
    return ast_number(cx->arena, value, arena_strndup(cx->arena, text, length), span);
}

const char *scan_name(struct parser *cx, const char *text, size_t length, struct span span)
{
    if (length > LIMIT_NAME_BYTES) {
        diag_add(cx->diag, DIAG_ID_NAME_TOO_LONG, span, arena_printf(cx->arena, "%zu", length),
                 arena_printf(cx->arena, "%d", LIMIT_NAME_BYTES));
        length = LIMIT_NAME_BYTES;
    }
    return intern_name(&cx->names, text, length);
}

bool scan_bad_character(struct parser *cx, const char *text, size_t length, struct span span,
                        const char *fix)
{
    const bool is_next = cx->bad_end == span.begin && span.begin > 0;
    cx->bad_end = span.end;
    if (is_next)
        return false;
    uint32_t code = 0;
    source_utf8_length(text, length, &code);
    if (code >= 0x80) {
        diag_add(cx->diag, DIAG_ID_BAD_CHARACTER_ASCII, span,
                 arena_printf(cx->arena, "U+%04X", code),
                 arena_printf(cx->arena, "%u", span.begin));
    } else if (code < 0x20 || code == 0x7f) {
        diag_add(cx->diag, DIAG_ID_BAD_CHARACTER, span, arena_printf(cx->arena, "0x%02x", code));
    } else {
        struct diag_message *message =
            diag_add(cx->diag, DIAG_ID_BAD_CHARACTER, span,
                     arena_printf(cx->arena, "'%.*s'", (int)length, text));
        if (fix)
            diag_fix(message, span, fix);
    }
    return true;
}

/* ---- Nodes ---- */

static struct ast_expr *checked(struct parser *cx, struct ast_expr *expr)
{
    if (expr->height > LIMIT_NESTING)
        report_too_deep(cx, expr->span);
    return expr;
}

struct ast_expr *make_name(struct parser *cx, enum ast_kind kind, const char *name,
                           struct span span)
{
    return ast_name(cx->arena, kind, name, span);
}

struct ast_expr *make_unary(struct parser *cx, enum ast_kind kind, struct ast_expr *operand,
                            struct span span)
{
    return checked(cx, ast_unary(cx->arena, kind, operand, span));
}

struct ast_expr *make_binary(struct parser *cx, enum ast_kind kind, struct ast_expr *left,
                             struct ast_expr *right, struct span span)
{
    if (ast_is_comparison(kind) && ast_is_comparison(left->kind) && !left->has_parens &&
        !cx->is_stopped) {
        struct diag_message *message = diag_add(cx->diag, DIAG_ID_CHAINED_COMPARISON, span);
        diag_note_bare(cx->diag, message, "write 'a < b and b < c'");
    }
    return checked(cx, ast_binary(cx->arena, kind, left, right, span));
}

struct ast_expr *make_call(struct parser *cx, const char *name, struct span name_span,
                           struct expr_list args, struct span span)
{
    struct ast_expr *call = ast_many(cx->arena, AST_CALL, args.items, args.count, span);
    call->name = name;
    call->name_span = name_span;
    return checked(cx, call);
}

struct ast_expr *make_index(struct parser *cx, struct ast_expr *operand, struct expr_list places,
                            struct span span)
{
    struct ast_expr **args = arena_array(cx->arena, (size_t)places.count + 1, sizeof *args);
    args[0] = operand;
    memcpy(args + 1, places.items, places.count * sizeof *args);
    return checked(cx, ast_many(cx->arena, AST_INDEX, args, places.count + 1, span));
}

struct expr_list expr_list_add(struct parser *cx, struct expr_list list, struct ast_expr *expr)
{
    if (list.count == list.room) {
        const uint32_t room = list.room ? list.room * 2 : 4;
        list.items = arena_grow(cx->arena, list.items, list.count, room, sizeof(struct ast_expr *));
        list.room = room;
    }
    list.items[list.count++] = expr;
    return list;
}

struct name_list name_list_add(struct parser *cx, struct name_list list, const char *name,
                               struct span span)
{
    if (list.count == list.room) {
        const uint32_t room = list.room ? list.room * 2 : 4;
        list.names = arena_grow(cx->arena, list.names, list.count, room, sizeof *list.names);
        list.spans = arena_grow(cx->arena, list.spans, list.count, room, sizeof *list.spans);
        list.room = room;
    }
    list.names[list.count] = name;
    list.spans[list.count++] = span;
    return list;
}

struct ast_decl *make_decl(struct parser *cx, const char *name, struct span name_span,
                           struct expr_list sizes, struct ast_expr *value, struct span span)
{
    struct ast_decl *decl = arena_alloc(cx->arena, sizeof *decl);
    decl->name = name;
    decl->name_span = name_span;
    decl->span = span;
    decl->value = value;
    decl->size_count = sizes.count;
    for (uint32_t i = 0; i < sizes.count && i < 2; i++)
        decl->sizes[i] = sizes.items[i];
    if (sizes.count > 2 && !cx->is_stopped) {
        const char *count = arena_printf(cx->arena, "%u sizes", sizes.count);
        diag_add(cx->diag, DIAG_ID_INDEX_COUNT, span, arena_printf(cx->arena, "'%s'", name),
                 "a declared name", "one or two sizes", count);
        decl->size_count = 2;
    }
    return decl;
}

struct decl_list decl_list_add(struct decl_list list, struct ast_decl *decl)
{
    list.last->next = decl;
    list.last = decl;
    return list;
}

void add_statement(struct parser *cx, enum ast_statement_kind kind, struct decl_list decls,
                   struct ast_attributes *attributes, struct span span)
{
    struct ast_statement *statement = arena_alloc(cx->arena, sizeof *statement);
    statement->kind = kind;
    statement->span = span;
    statement->decls = decls.first;
    statement->attributes = attributes ? attributes : make_attributes(cx);
    for (struct ast_decl *decl = decls.first; decl; decl = decl->next) {
        decl->kind = kind;
        decl->statement = statement;
    }
    if (cx->last_statement)
        cx->last_statement->next = statement;
    else
        cx->ast->statements = statement;
    cx->last_statement = statement;
}

void add_fn(struct parser *cx, const char *name, struct span name_span, struct name_list params,
            struct ast_expr *body, struct span span)
{
    struct ast_fn *fn = arena_alloc(cx->arena, sizeof *fn);
    *fn = (struct ast_fn){.name = name,
                          .name_span = name_span,
                          .span = span,
                          .params = params.names,
                          .param_spans = params.spans,
                          .param_count = params.count,
                          .body = body};
    if (cx->last_fn)
        cx->last_fn->next = fn;
    else
        cx->ast->fns = fn;
    cx->last_fn = fn;
}

struct ast_attributes *make_attributes(struct parser *cx)
{
    return arena_alloc(cx->arena, sizeof(struct ast_attributes));
}

/* Set the place of an attribute, and remember if it had one already. */
static void place_attribute(struct ast_attributes *attributes, struct span *place, struct span span)
{
    if (place->end)
        attributes->repeated_span = span;
    *place = span;
}

void attribute_storage(struct ast_attributes *attributes, const char *word, struct span span)
{
    place_attribute(attributes, &attributes->shared_span, span);
    attributes->storage = word;
}

void attribute_range(struct ast_attributes *attributes, struct ast_expr *lo, struct ast_expr *hi,
                     struct span span)
{
    place_attribute(attributes, &attributes->range_span, span);
    attributes->lo = lo;
    attributes->hi = hi;
}

void attribute_init(struct ast_attributes *attributes, const char *word, struct expr_list args,
                    bool has_parens, struct span span)
{
    place_attribute(attributes, &attributes->init_span, span);
    attributes->init = word;
    attributes->init_args = args.items;
    attributes->init_arg_count = args.count;
    attributes->init_has_parens = has_parens;
}

void attribute_nograd(struct ast_attributes *attributes, struct span span)
{
    place_attribute(attributes, &attributes->nograd_span, span);
}

/* ---- Documentation comments ---- */

static uint32_t line_of(const struct ast *ast, uint32_t offset)
{
    return source_place(ast->source, offset).line;
}

/* The ## comment on a line: alone there, or behind something. */
static const struct ast_comment *find_doc(const struct ast *ast, uint32_t line, bool is_alone)
{
    const struct span place = source_line(ast->source, line);
    uint32_t low = 0, high = ast->comment_count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (ast->comments[middle].span.begin < place.begin)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == ast->comment_count)
        return NULL;
    const struct ast_comment *comment = &ast->comments[low];
    const bool fits =
        comment->is_doc && comment->is_alone == is_alone && comment->span.begin < place.end;
    return fits ? comment : NULL;
}

static void add_doc_line(struct textbuf *out, const struct ast *ast,
                         const struct ast_comment *comment)
{
    struct span text = {comment->span.begin + 2, comment->span.end};
    while (text.begin < text.end && strchr(" \t#", ast->source->text[text.begin]))
        text.begin++;
    if (out->length)
        textbuf_add(out, "\n");
    textbuf_add_n(out, ast->source->text + text.begin, text.end - text.begin);
}

/* What is written above line 'first', then behind line 'last'; or NULL. */
static const char *read_doc(struct arena *arena, const struct ast *ast, uint32_t first,
                            uint32_t last)
{
    struct textbuf out;
    uint32_t top = first;
    while (top > 1 && find_doc(ast, top - 1, true))
        top--;
    const struct ast_comment *behind = find_doc(ast, last, false);
    if (top == first && !behind)
        return NULL;
    textbuf_init(&out, arena);
    for (uint32_t line = top; line < first; line++)
        add_doc_line(&out, ast, find_doc(ast, line, true));
    if (behind)
        add_doc_line(&out, ast, behind);
    return out.text;
}

static void attach_docs(struct arena *arena, struct ast *ast)
{
    if (ast->comment_count == 0)
        return;
    ast->doc = read_doc(arena, ast, line_of(ast, ast->cell_span.begin),
                        line_of(ast, ast->open_span.begin));
    for (struct ast_fn *fn = ast->fns; fn; fn = fn->next)
        fn->doc = read_doc(arena, ast, line_of(ast, fn->span.begin), line_of(ast, fn->span.end));
    for (struct ast_statement *s = ast->statements; s; s = s->next) {
        const uint32_t first = line_of(ast, s->span.begin), last = line_of(ast, s->span.end);
        const char *whole = read_doc(arena, ast, first, last);
        for (struct ast_decl *decl = s->decls; decl; decl = decl->next) {
            const uint32_t line = line_of(ast, decl->name_span.begin);
            decl->doc = first == last ? whole : read_doc(arena, ast, line, line);
            if (!decl->doc)
                decl->doc = whole;
        }
    }
}

/* ---- Entries ---- */

static void start(struct parser *cx, struct arena *arena, struct diag *diag,
                  const struct source *source)
{
    *cx = (struct parser){.arena = arena, .diag = diag, .source = source};
    intern_init(&cx->names, arena);
    cx->ast = arena_alloc(arena, sizeof *cx->ast);
    cx->ast->source = source;
    cx->offset = source->start;

    /* The scanner writes a NUL behind each token and takes it away again: it gets its own copy. */
    const size_t length = source->length - source->start;
    char *text = arena_alloc(arena, length + 2);
    memcpy(text, source->text + source->start, length);
    cell_yylex_init_extra(cx, &cx->scanner);
    cell_yy_scan_buffer(text, length + 2, cx->scanner);
}

struct ast *parse(struct arena *arena, struct diag *diag, const struct source *source)
{
    struct parser *cx = arena_alloc(arena, sizeof *cx);
    const uint32_t errors = diag->error_count;
    start(cx, arena, diag, source);
    const int status = cell_parse(cx);
    cell_yylex_destroy(cx->scanner);
    cx->ast->comments = cx->comments;
    cx->ast->comment_count = cx->comment_count;
    if (status != 0 || diag->error_count > errors)
        return NULL;
    attach_docs(arena, cx->ast);
    return cx->ast;
}

void parse_dump_tokens(struct arena *arena, struct diag *diag, const struct source *source,
                       struct textbuf *out)
{
    struct parser *cx = arena_alloc(arena, sizeof *cx);
    CELL_STYPE value;
    struct span place = {0, 0};
    start(cx, arena, diag, source);
    while (cell_yylex(&value, &place, cx->scanner) != TOK_EOF && report_limits(cx, place)) {
        const struct source_place at = source_place(source, place.begin);
        textbuf_printf(out, "%u:%u ", at.line, at.column);
        diag_escape(out, source->text + place.begin, place.end - place.begin);
        textbuf_add(out, "\n");
    }
    cell_yylex_destroy(cx->scanner);
}
