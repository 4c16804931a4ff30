/* The canonical text of a file.
 *
 * Statements become lines first: the code, what stands behind it, and where its '=' is. Then runs
 * of neighbouring lines are aligned and written. A comment is never moved across a statement: alone
 * on its line it stays above what follows, behind something it stays behind it. Blank lines are
 * kept, one of several. */
#include "ast.h"

#include <string.h>

struct line {
    const char *code;    /* NULL: a comment alone, or a blank line */
    const char *comment; /* NULL: none */
    size_t equals;       /* column of the '=' to be aligned; 0: none */
    uint32_t indent;
    bool is_blank;
};

struct printer {
    const struct ast *ast;
    struct arena *arena;
    struct line *lines;
    uint32_t line_count, line_room;
    uint32_t comment; /* the next one to be printed */
    uint32_t offset;  /* of the source: everything before it has been printed */
};

/* ---- Expressions ---- */

enum {
    LOOSEST = 0,
    OR_LEVEL,
    AND_LEVEL,
    NOT_LEVEL,
    COMPARE_LEVEL,
    SUM_LEVEL,
    TERM_LEVEL,
    UNARY_LEVEL,
    POWER_LEVEL,
    POSTFIX_LEVEL
};

static int level_of(const struct ast_expr *expr)
{
    switch (expr->kind) {
    case AST_OR:
        return OR_LEVEL;
    case AST_AND:
        return AND_LEVEL;
    case AST_NOT:
        return NOT_LEVEL;
    case AST_LT:
    case AST_LE:
    case AST_GT:
    case AST_GE:
    case AST_EQ:
    case AST_NE:
        return COMPARE_LEVEL;
    case AST_ADD:
    case AST_SUB:
        return SUM_LEVEL;
    case AST_MUL:
    case AST_DIV:
    case AST_MATMUL:
        return TERM_LEVEL;
    case AST_NEG:
        return UNARY_LEVEL;
    case AST_POW:
        return POWER_LEVEL;
    default:
        return POSTFIX_LEVEL;
    }
}

static void print_list(struct ast_expr *const *items, uint32_t count, struct textbuf *out)
{
    for (uint32_t i = 0; i < count; i++) {
        textbuf_add(out, i > 0 ? ", " : "");
        ast_print_expr(items[i], out);
    }
}

/* An operand, in parentheses where it binds looser than 'level'. */
static void print_operand(const struct ast_expr *expr, int level, struct textbuf *out)
{
    const bool needs_parens = !expr->has_parens && level_of(expr) < level;
    textbuf_add(out, needs_parens ? "(" : "");
    ast_print_expr(expr, out);
    textbuf_add(out, needs_parens ? ")" : "");
}

static void print_binary(const struct ast_expr *expr, struct textbuf *out)
{
    const int level = level_of(expr);
    const char *operator= ast_operator_text(expr->kind);
    const bool is_tight = expr->kind == AST_MUL || expr->kind == AST_DIV || expr->kind == AST_POW;
    const bool is_comparison = level == COMPARE_LEVEL;
    int left = level, right = level + 1;
    if (expr->kind == AST_POW) { /* groups from the right; its exponent may have a sign */
        left = POSTFIX_LEVEL;
        right = UNARY_LEVEL;
    } else if (is_comparison) {
        left = level + 1;
    }
    print_operand(expr->args[0], left, out);
    textbuf_printf(out, is_tight ? "%s" : " %s ", operator);
    print_operand(expr->args[1], right, out);
}

static void print_number(const struct ast_expr *expr, struct textbuf *out)
{
    if (expr->text)
        textbuf_add(out, expr->text);
    else
        textbuf_add_number(out, expr->number);
}

void ast_print_expr(const struct ast_expr *expr, struct textbuf *out)
{
    textbuf_add(out, expr->has_parens ? "(" : "");
    switch (expr->kind) {
    case AST_NUMBER:
        print_number(expr, out);
        break;
    case AST_NAME:
        textbuf_add(out, expr->name);
        break;
    case AST_NEXT:
        textbuf_printf(out, "%s'", expr->name);
        break;
    case AST_NEG:
        textbuf_add(out, "-");
        print_operand(expr->args[0], UNARY_LEVEL, out);
        break;
    case AST_NOT:
        textbuf_add(out, "not ");
        print_operand(expr->args[0], NOT_LEVEL, out);
        break;
    case AST_CALL:
        textbuf_printf(out, "%s(", expr->name);
        print_list(expr->args, expr->arg_count, out);
        textbuf_add(out, ")");
        break;
    case AST_INDEX:
        print_operand(expr->args[0], POSTFIX_LEVEL, out);
        textbuf_add(out, "[");
        print_list(expr->args + 1, expr->arg_count - 1, out);
        textbuf_add(out, "]");
        break;
    default:
        print_binary(expr, out);
        break;
    }
    textbuf_add(out, expr->has_parens ? ")" : "");
}

/* ---- Lines ---- */

static struct line *add_line(struct printer *p, uint32_t indent, const char *code)
{
    if (p->line_count == p->line_room) {
        const uint32_t room = p->line_room ? p->line_room * 2 : 64;
        p->lines = arena_grow(p->arena, p->lines, p->line_count, room, sizeof *p->lines);
        p->line_room = room;
    }
    struct line *line = &p->lines[p->line_count++];
    *line = (struct line){.code = code, .indent = indent};
    return line;
}

static const char *comment_text(const struct printer *p, const struct ast_comment *comment)
{
    return arena_strndup(p->arena, p->ast->source->text + comment->span.begin,
                         comment->span.end - comment->span.begin);
}

/* One blank line where the source has some between what was printed and 'begin'. */
static void keep_blank(struct printer *p, uint32_t begin)
{
    const char *text = p->ast->source->text;
    uint32_t ends = 0;
    for (uint32_t i = p->offset; i < begin; i++)
        ends += text[i] == '\n';
    const struct line *last = p->line_count ? &p->lines[p->line_count - 1] : NULL;
    const bool is_first =
        !last || (last->code && strcmp(last->code + strlen(last->code) - 1, "{") == 0);
    if (ends > 1 && !is_first && !last->is_blank)
        add_line(p, 0, NULL)->is_blank = true;
}

static const struct ast_comment *next_comment(const struct printer *p, uint32_t before)
{
    if (p->comment == p->ast->comment_count)
        return NULL;
    const struct ast_comment *comment = &p->ast->comments[p->comment];
    return comment->span.begin < before ? comment : NULL;
}

/* Comments alone on their lines, and any left over, up to 'before'. */
static void print_comments(struct printer *p, uint32_t indent, uint32_t before)
{
    for (const struct ast_comment *c; (c = next_comment(p, before)); p->comment++) {
        keep_blank(p, c->span.begin);
        add_line(p, indent, NULL)->comment = comment_text(p, c);
        p->offset = c->span.end;
    }
}

/* The comment behind code that ends at 'end', if nothing but blanks and a comma stands between. */
static void take_comment_behind(struct printer *p, struct line *line, uint32_t end)
{
    const struct ast_comment *c = next_comment(p, UINT32_MAX);
    if (end > p->offset)
        p->offset = end;
    if (!c || c->is_alone)
        return;
    for (uint32_t i = end; i < c->span.begin; i++)
        if (!strchr(" \t\r,", p->ast->source->text[i]))
            return;
    line->comment = comment_text(p, c);
    p->offset = c->span.end;
    p->comment++;
}

static bool has_comment_inside(const struct printer *p, struct span span)
{
    return next_comment(p, span.end) != NULL;
}

/* ---- Statements ---- */

static const char *const WORDS[AST_STATEMENT_COUNT] = {
    [AST_STATE] = "state ",   [AST_INPUT] = "input ", [AST_PARAM] = "param ",
    [AST_CONST] = "const ",   [AST_DEFINE] = "",      [AST_UPDATE] = "",
    [AST_OUTPUT] = "output ", [AST_GUESS] = "guess ",
};

static void print_decl(const struct ast_decl *decl, struct textbuf *out)
{
    if (decl->is_reference) {
        ast_print_expr(decl->value, out);
        return;
    }
    textbuf_printf(out, "%s%s", decl->name, decl->kind == AST_UPDATE ? "'" : "");
    if (decl->size_count > 0) {
        textbuf_add(out, "[");
        print_list(decl->sizes, decl->size_count, out);
        textbuf_add(out, "]");
    }
    if (decl->value) {
        textbuf_add(out, " = ");
        ast_print_expr(decl->value, out);
    }
}

static void print_attributes(const struct ast_attributes *attributes, struct textbuf *out)
{
    if (attributes->storage)
        textbuf_printf(out, " : %s", attributes->storage);
    if (attributes->lo) {
        textbuf_add(out, " in [");
        ast_print_expr(attributes->lo, out);
        textbuf_add(out, ", ");
        ast_print_expr(attributes->hi, out);
        textbuf_add(out, "]");
    }
    if (attributes->init) {
        textbuf_printf(out, " init %s", attributes->init);
        if (attributes->init_arg_count > 0) {
            textbuf_add(out, "(");
            print_list(attributes->init_args, attributes->init_arg_count, out);
            textbuf_add(out, ")");
        }
    }
    if (attributes->nograd_span.end)
        textbuf_add(out, " nograd");
}

static void print_one_line(struct printer *p, const struct ast_statement *s)
{
    struct textbuf out;
    textbuf_init(&out, p->arena);
    textbuf_add(&out, WORDS[s->kind]);
    for (const struct ast_decl *decl = s->decls; decl; decl = decl->next) {
        print_decl(decl, &out);
        textbuf_add(&out, decl->next ? ", " : "");
    }
    print_attributes(s->attributes, &out);
    textbuf_add(&out, ";");
    struct line *line = add_line(p, 4, out.text);
    if (s->kind == AST_DEFINE || s->kind == AST_UPDATE)
        line->equals = strlen(s->decls->name) + (s->kind == AST_UPDATE) + 1;
    take_comment_behind(p, line, s->span.end);
}

/* A name on each line, so that every comment stays with its own. */
static void print_many_lines(struct printer *p, const struct ast_statement *s)
{
    const uint32_t hang = 4 + (uint32_t)strlen(WORDS[s->kind]);
    for (const struct ast_decl *decl = s->decls; decl; decl = decl->next) {
        struct textbuf out;
        textbuf_init(&out, p->arena);
        if (decl == s->decls)
            textbuf_add(&out, WORDS[s->kind]);
        else
            print_comments(p, hang, decl->span.begin);
        print_decl(decl, &out);
        if (!decl->next)
            print_attributes(s->attributes, &out);
        textbuf_add(&out, decl->next ? "," : ";");
        struct line *line = add_line(p, decl == s->decls ? 4 : hang, out.text);
        take_comment_behind(p, line, decl->next ? decl->span.end : s->span.end);
    }
}

static void print_statement(struct printer *p, const struct ast_statement *s)
{
    print_comments(p, 4, s->span.begin);
    keep_blank(p, s->span.begin);
    p->offset = s->span.begin;
    if (s->decls->next && has_comment_inside(p, s->span)) {
        print_many_lines(p, s);
        return;
    }
    /* Comments in the middle of an expression move above it. */
    print_comments(p, 4, s->span.end);
    print_one_line(p, s);
}

static void print_fn(struct printer *p, const struct ast_fn *fn)
{
    struct textbuf out;
    print_comments(p, 0, fn->span.begin);
    keep_blank(p, fn->span.begin);
    print_comments(p, 0, fn->span.end);
    textbuf_init(&out, p->arena);
    textbuf_printf(&out, "fn %s(", fn->name);
    for (uint32_t i = 0; i < fn->param_count; i++)
        textbuf_printf(&out, i > 0 ? ", %s" : "%s", fn->params[i]);
    textbuf_add(&out, ") = ");
    ast_print_expr(fn->body, &out);
    textbuf_add(&out, ";");
    take_comment_behind(p, add_line(p, 0, out.text), fn->span.end);
}

/* ---- The whole ---- */

static size_t code_width(const struct line *line)
{
    return line->indent + strlen(line->code);
}

/* Pad before '=' so that a run of definitions has them in one column. */
static void align_equals(struct printer *p, uint32_t begin, uint32_t end)
{
    size_t widest = 0;
    for (uint32_t i = begin; i < end; i++)
        if (p->lines[i].equals > widest)
            widest = p->lines[i].equals;
    for (uint32_t i = begin; i < end; i++) {
        struct line *line = &p->lines[i];
        const size_t pad = widest - line->equals;
        line->code = arena_printf(p->arena, "%.*s%*s%s", (int)line->equals, line->code, (int)pad,
                                  "", line->code + line->equals);
    }
}

static void align(struct printer *p)
{
    for (uint32_t i = 0, end; i < p->line_count; i = end) {
        for (end = i; end < p->line_count && p->lines[end].equals > 0; end++)
            ;
        if (end > i)
            align_equals(p, i, end);
        else
            end++;
    }
}

/* Whether comments of these lines share a column: nothing but code between, inside or outside of
 * the cell both. */
static bool is_in_run(const struct printer *p, uint32_t first, uint32_t i)
{
    return i < p->line_count && p->lines[i].code &&
           (p->lines[i].indent > 0) == (p->lines[first].indent > 0);
}

static void write_lines(const struct printer *p, struct textbuf *out)
{
    size_t column = 0;
    uint32_t run_end = 0;
    for (uint32_t i = 0; i < p->line_count; i++) {
        const struct line *line = &p->lines[i];
        /* Comments behind neighbouring lines start in one column. */
        if (i >= run_end) {
            column = 0;
            for (run_end = i; is_in_run(p, i, run_end); run_end++)
                if (p->lines[run_end].comment && code_width(&p->lines[run_end]) > column)
                    column = code_width(&p->lines[run_end]);
            run_end = run_end > i ? run_end : i + 1;
        }
        if (!line->is_blank)
            textbuf_printf(out, "%*s%s", (int)line->indent, "", line->code ? line->code : "");
        if (line->comment && line->code)
            textbuf_printf(out, "%*s", (int)(column - code_width(line)) + 1, "");
        textbuf_add(out, line->comment ? line->comment : "");
        textbuf_add(out, "\n");
    }
}

void ast_print(const struct ast *ast, struct textbuf *out)
{
    struct printer p = {.ast = ast, .arena = out->arena, .offset = ast->source->start};
    for (const struct ast_fn *fn = ast->fns; fn; fn = fn->next)
        print_fn(&p, fn);
    print_comments(&p, 0, ast->cell_span.begin);
    keep_blank(&p, ast->cell_span.begin);
    print_comments(&p, 0, ast->open_span.begin);
    struct line *head = add_line(&p, 0, arena_printf(p.arena, "cell %s {", ast->name));
    take_comment_behind(&p, head, ast->open_span.end);
    for (const struct ast_statement *s = ast->statements; s; s = s->next)
        print_statement(&p, s);
    print_comments(&p, 4, ast->cell_span.end);
    struct line *tail = add_line(&p, 0, "}");
    take_comment_behind(&p, tail, ast->cell_span.end);
    print_comments(&p, 0, UINT32_MAX);
    align(&p);
    write_lines(&p, out);
}
