/* The tree as text for people: --dump-after=parse, and with shapes after the type check. */
#include "ast.h"

#include <string.h>

static void indent(struct textbuf *out, uint32_t depth)
{
    for (uint32_t i = 0; i < depth; i++)
        textbuf_add(out, "  ");
}

static void dump_expr(const struct ast *ast, const struct ast_expr *expr, uint32_t depth,
                      struct textbuf *out)
{
    const struct source_place place = source_place(ast->source, expr->span.begin);
    indent(out, depth);
    switch (expr->kind) {
    case AST_NUMBER:
        textbuf_add_number(out, expr->number);
        break;
    case AST_NAME:
        textbuf_add(out, expr->name);
        break;
    case AST_NEXT:
        textbuf_printf(out, "%s'", expr->name);
        break;
    case AST_CALL:
        textbuf_printf(out, "call %s", expr->name);
        break;
    case AST_INDEX:
        textbuf_add(out, "index");
        break;
    case AST_NEG:
        textbuf_add(out, "neg");
        break;
    default:
        textbuf_add(out, ast_operator_text(expr->kind));
        break;
    }
    /* Before the type check there are no rows. */
    if (expr->shape.rank > 0)
        textbuf_printf(out, " : %s", ast_shape_text(expr->shape, out->arena));
    if (expr->is_condition)
        textbuf_add(out, " : condition");
    textbuf_printf(out, "  ; %u:%u\n", place.line, place.column);
    for (uint32_t i = 0; i < expr->arg_count; i++)
        dump_expr(ast, expr->args[i], depth + 1, out);
}

static void dump_attributes(const struct ast *ast, const struct ast_attributes *attributes,
                            struct textbuf *out)
{
    if (attributes->storage)
        textbuf_printf(out, "    : %s\n", attributes->storage);
    if (attributes->lo) {
        textbuf_add(out, "    in\n");
        dump_expr(ast, attributes->lo, 3, out);
        dump_expr(ast, attributes->hi, 3, out);
    }
    if (attributes->init) {
        textbuf_printf(out, "    init %s\n", attributes->init);
        for (uint32_t i = 0; i < attributes->init_arg_count; i++)
            dump_expr(ast, attributes->init_args[i], 3, out);
    }
    if (attributes->nograd_span.end)
        textbuf_add(out, "    nograd\n");
}

static void dump_doc(const char *doc, uint32_t depth, struct textbuf *out)
{
    while (doc) {
        const char *end = strchr(doc, '\n');
        indent(out, depth);
        textbuf_add(out, "## ");
        textbuf_add_n(out, doc, end ? (size_t)(end - doc) : strlen(doc));
        textbuf_add(out, "\n");
        doc = end ? end + 1 : NULL;
    }
}

void ast_dump(const struct ast *ast, struct textbuf *out)
{
    static const char *const WORDS[AST_STATEMENT_COUNT] = {
        [AST_STATE] = "state",   [AST_INPUT] = "input",   [AST_PARAM] = "param",
        [AST_CONST] = "const",   [AST_DEFINE] = "define", [AST_UPDATE] = "update",
        [AST_OUTPUT] = "output", [AST_GUESS] = "guess",
    };
    for (const struct ast_fn *fn = ast->fns; fn; fn = fn->next) {
        textbuf_printf(out, "fn %s", fn->name);
        for (uint32_t i = 0; i < fn->param_count; i++)
            textbuf_printf(out, " %s", fn->params[i]);
        textbuf_add(out, "\n");
        dump_doc(fn->doc, 1, out);
        dump_expr(ast, fn->body, 1, out);
    }
    textbuf_printf(out, "cell %s\n", ast->name);
    dump_doc(ast->doc, 1, out);
    for (const struct ast_statement *s = ast->statements; s; s = s->next) {
        for (const struct ast_decl *decl = s->decls; decl; decl = decl->next) {
            textbuf_printf(out, "  %s %s%s\n", WORDS[decl->kind], decl->name,
                           decl->kind == AST_UPDATE ? "'" : "");
            dump_doc(decl->doc, 2, out);
            for (uint32_t i = 0; i < decl->size_count; i++)
                dump_expr(ast, decl->sizes[i], 2, out);
            if (decl->value)
                dump_expr(ast, decl->value, 2, out);
        }
        dump_attributes(ast, s->attributes, out);
    }
}
