#include "report.h"

#include "formula.h"

/* The tree as LaTeX. Parentheses follow the binding of the signs, not those of the source, because
 * fractions and powers need none. */
enum binding {
    BIND_OR,
    BIND_AND,
    BIND_NOT,
    BIND_COMPARE,
    BIND_SUM,
    BIND_PRODUCT,
    BIND_SIGN,
    BIND_POWER,
    BIND_ATOM
};

static enum binding binding_of(enum ast_kind kind)
{
    switch (kind) {
    case AST_OR:
        return BIND_OR;
    case AST_AND:
        return BIND_AND;
    case AST_NOT:
        return BIND_NOT;
    case AST_ADD:
    case AST_SUB:
        return BIND_SUM;
    case AST_MUL:
    case AST_MATMUL:
        return BIND_PRODUCT;
    case AST_NEG:
        return BIND_SIGN;
    case AST_POW:
        return BIND_POWER;
    default:
        return ast_is_comparison(kind) ? BIND_COMPARE : BIND_ATOM;
    }
}

static const char *sign_of(enum ast_kind kind)
{
    switch (kind) {
    case AST_ADD:
        return " + ";
    case AST_SUB:
        return " - ";
    case AST_MUL:
        return " \\, ";
    case AST_MATMUL:
        return " \\cdot ";
    case AST_LT:
        return " < ";
    case AST_LE:
        return " \\le ";
    case AST_GT:
        return " > ";
    case AST_GE:
        return " \\ge ";
    case AST_EQ:
        return " = ";
    case AST_NE:
        return " \\ne ";
    case AST_AND:
        return " \\land ";
    case AST_OR:
        return " \\lor ";
    default:
        return NULL;
    }
}

static void add_expr(struct textbuf *out, const struct ast_expr *expr, enum binding least);

static void add_arguments(struct textbuf *out, const struct ast_expr *expr, uint32_t first)
{
    for (uint32_t i = first; i < expr->arg_count; i++) {
        textbuf_add(out, i > first ? ", " : "");
        add_expr(out, expr->args[i], BIND_OR);
    }
}

static void add_call(struct textbuf *out, const struct ast_expr *expr)
{
    if (expr->function == AST_FN_SQRT) {
        textbuf_add(out, "\\sqrt{");
        add_arguments(out, expr, 0);
        textbuf_add(out, "}");
        return;
    }
    if (expr->function == AST_FN_SIGMOID)
        textbuf_add(out, "\\sigma");
    else {
        textbuf_add(out, "\\operatorname{");
        for (const char *at = expr->name; *at; at++)
            textbuf_printf(out, "%s%c", *at == '_' ? "\\" : "", *at);
        textbuf_add(out, "}");
    }
    textbuf_add(out, "\\left(");
    add_arguments(out, expr, 0);
    textbuf_add(out, "\\right)");
}

static void add_inner(struct textbuf *out, const struct ast_expr *expr)
{
    const enum binding own = binding_of(expr->kind);
    const char *sign = sign_of(expr->kind);
    if (sign) {
        add_expr(out, expr->args[0], own);
        textbuf_add(out, sign);
        add_expr(out, expr->args[1],
                 expr->kind == AST_MUL || expr->kind == AST_ADD ? own : (enum binding)(own + 1));
        return;
    }
    switch (expr->kind) {
    case AST_NUMBER:
        textbuf_add_number(out, expr->number);
        break;
    case AST_NAME:
        formula_latex_name(out, expr->name);
        break;
    case AST_NEXT:
        formula_latex_name(out, expr->name);
        textbuf_add(out, "'");
        break;
    case AST_NEG:
        textbuf_add(out, "-");
        add_expr(out, expr->args[0], own);
        break;
    case AST_NOT:
        textbuf_add(out, "\\lnot ");
        add_expr(out, expr->args[0], own);
        break;
    case AST_DIV:
        textbuf_add(out, "\\frac{");
        add_expr(out, expr->args[0], BIND_OR);
        textbuf_add(out, "}{");
        add_expr(out, expr->args[1], BIND_OR);
        textbuf_add(out, "}");
        break;
    case AST_POW:
        textbuf_add(out, "{");
        add_expr(out, expr->args[0], BIND_ATOM);
        textbuf_add(out, "}^{");
        add_expr(out, expr->args[1], BIND_OR);
        textbuf_add(out, "}");
        break;
    case AST_INDEX:
        textbuf_add(out, "{");
        add_expr(out, expr->args[0], BIND_ATOM);
        textbuf_add(out, "}_{");
        add_arguments(out, expr, 1);
        textbuf_add(out, "}");
        break;
    default:
        add_call(out, expr);
        break;
    }
}

static void add_expr(struct textbuf *out, const struct ast_expr *expr, enum binding least)
{
    const bool has_parens = binding_of(expr->kind) < least;
    textbuf_add(out, has_parens ? "\\left(" : "");
    add_inner(out, expr);
    textbuf_add(out, has_parens ? "\\right)" : "");
}

static void add_equations(struct textbuf *out, const struct report_subject *s)
{
    const char *separator = "";
    textbuf_add(out, "\\begin{align*}\n");
    for (const struct ast_statement *st = s->ast->statements; st; st = st->next)
        for (const struct ast_decl *decl = st->decls; decl; decl = decl->next) {
            if (st->kind != AST_DEFINE && st->kind != AST_UPDATE &&
                !(st->kind == AST_OUTPUT && !decl->is_reference))
                continue;
            textbuf_printf(out, "%s  ", separator);
            formula_latex_name(out, decl->name);
            textbuf_add(out, st->kind == AST_UPDATE ? "' &= " : " &= ");
            add_expr(out, decl->value, BIND_OR);
            separator = " \\\\\n";
        }
    textbuf_add(out, "\n\\end{align*}\n");
}

static void add_jacobian(struct textbuf *out, const struct report_subject *s)
{
    struct formula f;
    formula_init(&f, s->ast, s->ir, IR_OUT_JACOBIAN, FORMULA_LATEX, out->arena);
    const char *separator = "";
    struct textbuf lines;
    textbuf_init(&lines, out->arena);
    for (uint32_t i = 0; i < s->ir->states; i++)
        for (uint32_t j = 0; j < s->ir->states; j++) {
            const ir_ref value = ir_find_out(s->ir, IR_OUT_JACOBIAN, i, j);
            if (value == IR_REF_NONE)
                continue;
            textbuf_printf(&lines, "%s  \\frac{\\partial ", separator);
            formula_latex_name(&lines, formula_next_name(s->ir, i, out->arena));
            textbuf_add(&lines, "}{\\partial ");
            formula_latex_name(&lines, ir_scalar_name(s->ir, IR_ROLE_STATE, j, out->arena));
            textbuf_add(&lines, "} &= ");
            formula_print(&lines, &f, value);
            separator = " \\\\\n";
        }
    for (uint32_t i = 0; i < f.shared_count; i++) {
        textbuf_printf(&lines, "%s  t_{%u} &= ", separator, i + 1);
        formula_print_insn(&lines, &f, f.shared[i]);
        separator = " \\\\\n";
    }
    if (lines.length == 0)
        return;
    textbuf_add(out, "\\begin{align*}\n");
    textbuf_add_n(out, lines.text, lines.length);
    textbuf_add(out, "\n\\end{align*}\n");
}

void report_latex(struct textbuf *out, const struct report_subject *subject)
{
    textbuf_printf(out, "%% cell %s\n", subject->ir->name);
    add_equations(out, subject);
    add_jacobian(out, subject);
}
