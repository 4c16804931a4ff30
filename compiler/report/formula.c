#include "formula.h"

#include <assert.h>
#include <string.h>

/* How tightly a spelling binds; an operand of a looser one gets parentheses. */
enum binding { BIND_OR, BIND_AND, BIND_COMPARE, BIND_SUM, BIND_PRODUCT, BIND_SIGN, BIND_ATOM };

static void print(struct textbuf *out, const struct formula *f, ir_ref value, enum binding least);

static void add_latex_letters(struct textbuf *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        textbuf_printf(out, "%s%c", text[i] == '_' ? "\\" : "", text[i]);
}

void formula_latex_name(struct textbuf *out, const char *name)
{
    const size_t end = strcspn(name, "'[");
    size_t base = strcspn(name, "_0123456789'[");
    if (base == 0)
        base = end; /* a name of other signs is set as it is */
    const size_t below = base + (name[base] == '_');
    const bool is_primed = name[end] == '\'';
    const char *place = strchr(name, '[');

    textbuf_add(out, base > 1 ? "\\mathrm{" : "");
    add_latex_letters(out, name, base);
    textbuf_add(out, base > 1 ? "}" : "");
    if (below < end || place) {
        textbuf_add(out, "_{");
        if (below < end)
            add_latex_letters(out, name + below, end - below);
        textbuf_add(out, below < end && place ? ", " : "");
        if (place)
            textbuf_add_n(out, place + 1, strcspn(place + 1, "]"));
        textbuf_add(out, "}");
    }
    textbuf_add(out, is_primed ? "'" : "");
}

static void print_name(struct textbuf *out, const struct formula *f, const char *name)
{
    if (f->style == FORMULA_LATEX)
        formula_latex_name(out, name);
    else
        textbuf_add(out, name);
}

static void print_number(struct textbuf *out, const struct formula *f, double value)
{
    struct textbuf digits;
    textbuf_init(&digits, f->arena);
    textbuf_add_number(&digits, value);
    const char *exponent = strchr(digits.text, 'e');
    if (f->style == FORMULA_LATEX && exponent) {
        textbuf_add_n(out, digits.text, (size_t)(exponent - digits.text));
        exponent += exponent[1] == '+' ? 2 : 1;
        textbuf_printf(out, " \\cdot 10^{%s}", exponent);
    } else
        textbuf_add(out, digits.text);
}

static const struct ir_insn *insn_of(const struct formula *f, ir_ref value)
{
    return ir_kind(value) == IR_VALUE && !f->names[ir_index(value)] ? &f->ir->insns[ir_index(value)]
                                                                    : NULL;
}

/* The operand of a negation that has no name of its own, else IR_REF_NONE. */
static ir_ref negated(const struct formula *f, ir_ref value)
{
    const struct ir_insn *insn = insn_of(f, value);
    return insn && insn->op == IR_NEG ? insn->a : IR_REF_NONE;
}

static const char *infix_of(enum ir_op op, enum formula_style style)
{
    const bool is_latex = style == FORMULA_LATEX;
    switch (op) {
    case IR_LT:
        return " < ";
    case IR_LE:
        return is_latex ? " \\le " : " <= ";
    case IR_GT:
        return " > ";
    case IR_GE:
        return is_latex ? " \\ge " : " >= ";
    case IR_EQ:
        return is_latex ? " = " : " == ";
    case IR_NE:
        return is_latex ? " \\ne " : " != ";
    case IR_AND:
        return is_latex ? " \\land " : " and ";
    case IR_OR:
        return is_latex ? " \\lor " : " or ";
    default:
        return NULL;
    }
}

static enum binding binding_of(enum ir_op op, enum formula_style style)
{
    switch (op) {
    case IR_ADD:
    case IR_SUB:
    case IR_FMA:
        return BIND_SUM;
    case IR_MUL:
        return BIND_PRODUCT;
    case IR_DIV:
        return style == FORMULA_LATEX ? BIND_ATOM : BIND_PRODUCT;
    case IR_NEG:
        return BIND_SIGN;
    case IR_LT:
    case IR_LE:
    case IR_GT:
    case IR_GE:
    case IR_EQ:
    case IR_NE:
        return BIND_COMPARE;
    case IR_AND:
        return BIND_AND;
    case IR_OR:
        return BIND_OR;
    default:
        return BIND_ATOM;
    }
}

static void print_product(struct textbuf *out, const struct formula *f, ir_ref a, ir_ref b)
{
    print(out, f, a, BIND_PRODUCT);
    textbuf_add(out, f->style == FORMULA_LATEX ? " \\, " : "*");
    print(out, f, b, BIND_PRODUCT);
}

/* a + b, written a - x where b is -x, and b - x where a is. */
static void print_sum(struct textbuf *out, const struct formula *f, ir_ref a, ir_ref b)
{
    ir_ref minus = negated(f, b);
    if (minus == IR_REF_NONE && (minus = negated(f, a)) != IR_REF_NONE)
        a = b;
    print(out, f, a, BIND_SUM);
    textbuf_add(out, minus != IR_REF_NONE ? " - " : " + ");
    print(out, f, minus != IR_REF_NONE ? minus : b, BIND_PRODUCT);
}

/* a * b + c; c - x * b where a is -x. */
static void print_fma(struct textbuf *out, const struct formula *f, ir_ref a, ir_ref b, ir_ref c)
{
    const ir_ref minus_a = negated(f, a), minus_b = negated(f, b);
    const bool is_minus = (minus_a != IR_REF_NONE) != (minus_b != IR_REF_NONE);
    a = minus_a != IR_REF_NONE ? minus_a : a;
    b = minus_b != IR_REF_NONE ? minus_b : b;
    if (is_minus) {
        print(out, f, c, BIND_SUM);
        textbuf_add(out, " - ");
        print_product(out, f, a, b);
        return;
    }
    print_product(out, f, a, b);
    const ir_ref minus_c = negated(f, c);
    textbuf_add(out, minus_c != IR_REF_NONE ? " - " : " + ");
    print(out, f, minus_c != IR_REF_NONE ? minus_c : c, BIND_PRODUCT);
}

static void print_call(struct textbuf *out, const struct formula *f, const struct ir_insn *insn)
{
    const bool is_latex = f->style == FORMULA_LATEX;
    const ir_ref operands[] = {insn->a, insn->b, insn->c};
    const char *name = ir_op_name((enum ir_op)insn->op);
    const unsigned arity = ir_op_arity((enum ir_op)insn->op);
    assert(arity <= 3);
    if (insn->op == IR_DETACH) {
        print(out, f, insn->a, BIND_OR);
        return;
    }
    if (is_latex && insn->op == IR_SIGMOID)
        textbuf_add(out, "\\sigma");
    else if (is_latex)
        textbuf_printf(out, "\\operatorname{%s}", name);
    else
        textbuf_add(out, name);
    textbuf_add(out, is_latex ? "\\left(" : "(");
    for (unsigned i = 0; i < arity; i++) {
        textbuf_add(out, i ? ", " : "");
        print(out, f, operands[i], BIND_OR);
    }
    textbuf_add(out, is_latex ? "\\right)" : ")");
}

static void print_insn(struct textbuf *out, const struct formula *f, const struct ir_insn *insn)
{
    const enum ir_op op = (enum ir_op)insn->op;
    const char *infix = infix_of(op, f->style);
    if (infix) {
        const enum binding own = binding_of(op, f->style);
        print(out, f, insn->a, own);
        textbuf_add(out, infix);
        print(out, f, insn->b, (enum binding)(own + 1));
        return;
    }
    switch (op) {
    case IR_NEG:
        textbuf_add(out, "-");
        print(out, f, insn->a, BIND_SIGN);
        break;
    case IR_ADD:
        print_sum(out, f, insn->a, insn->b);
        break;
    case IR_SUB:
        print(out, f, insn->a, BIND_SUM);
        textbuf_add(out, " - ");
        print(out, f, insn->b, BIND_PRODUCT);
        break;
    case IR_MUL:
        print_product(out, f, insn->a, insn->b);
        break;
    case IR_FMA:
        print_fma(out, f, insn->a, insn->b, insn->c);
        break;
    case IR_DIV:
        if (f->style == FORMULA_LATEX) {
            textbuf_add(out, "\\frac{");
            print(out, f, insn->a, BIND_OR);
            textbuf_add(out, "}{");
            print(out, f, insn->b, BIND_OR);
            textbuf_add(out, "}");
        } else {
            print(out, f, insn->a, BIND_PRODUCT);
            textbuf_add(out, "/");
            print(out, f, insn->b, BIND_SIGN);
        }
        break;
    default:
        print_call(out, f, insn);
        break;
    }
}

static void print(struct textbuf *out, const struct formula *f, ir_ref value, enum binding least)
{
    const uint32_t index = ir_index(value);
    bool has_parens;
    switch (ir_kind(value)) {
    case IR_VALUE:
        if (f->names[index]) {
            print_name(out, f, f->names[index]);
            break;
        }
        has_parens = binding_of((enum ir_op)f->ir->insns[index].op, f->style) < least;
        textbuf_add(out, has_parens ? "(" : "");
        print_insn(out, f, &f->ir->insns[index]);
        textbuf_add(out, has_parens ? ")" : "");
        break;
    case IR_CONSTANT:
        has_parens = ir_constant_value(f->ir, value) < 0 && least > BIND_SUM;
        textbuf_add(out, has_parens ? "(" : "");
        print_number(out, f, ir_constant_value(f->ir, value));
        textbuf_add(out, has_parens ? ")" : "");
        break;
    case IR_STATE:
        print_name(out, f, ir_scalar_name(f->ir, IR_ROLE_STATE, index, f->arena));
        break;
    case IR_INPUT:
        print_name(out, f, ir_scalar_name(f->ir, IR_ROLE_INPUT, index, f->arena));
        break;
    case IR_PARAM:
        print_name(out, f, ir_scalar_name(f->ir, IR_ROLE_PARAM, index, f->arena));
        break;
    case IR_COTANGENT:
        textbuf_printf(out, "g%u", index);
        break;
    case IR_NONE:
        textbuf_add(out, "0");
        break;
    }
}

void formula_print(struct textbuf *out, const struct formula *formula, ir_ref value)
{
    print(out, formula, value, BIND_OR);
}

void formula_print_insn(struct textbuf *out, const struct formula *formula, uint32_t insn)
{
    print_insn(out, formula, &formula->ir->insns[insn]);
}

const char *formula_next_name(const struct ir *ir, uint32_t state, struct arena *arena)
{
    const char *name = ir_scalar_name(ir, IR_ROLE_STATE, state, arena);
    const int base = (int)strcspn(name, "[");
    return arena_printf(arena, "%.*s'%s", base, name, name + base);
}

/* Whether 'insn' can be the root of an expression: what stands at the same place of the source may
 * also be an inner part of it, where the root was fused into its user. */
static bool is_root(const struct ast_expr *expr, const struct ir_insn *insn)
{
    switch (expr->kind) {
    case AST_ADD:
        return insn->op == IR_ADD || insn->op == IR_FMA;
    case AST_SUB:
        return insn->op == IR_SUB || insn->op == IR_FMA;
    case AST_MUL:
        return insn->op == IR_MUL;
    case AST_DIV:
        return insn->op == IR_DIV;
    case AST_NEG:
        return insn->op == IR_NEG;
    case AST_CALL:
        return expr->function != AST_FN_USER &&
               (!strcmp(expr->name, ir_op_name((enum ir_op)insn->op)) ||
                (expr->function == AST_FN_SILU && insn->op == IR_MUL));
    default:
        return false;
    }
}

/* Scalar definitions give their names to the values they compute. */
static void name_definitions(struct formula *f, const struct ast *ast, const uint8_t *is_step)
{
    for (const struct ast_statement *s = ast->statements; s; s = s->next) {
        if (s->kind != AST_DEFINE)
            continue;
        for (const struct ast_decl *decl = s->decls; decl; decl = decl->next) {
            const struct span span = decl->value->span;
            if (decl->value->shape.rank > 0)
                continue;
            for (uint32_t i = f->ir->insn_count; i-- > 0;) {
                const struct ir_insn *insn = &f->ir->insns[i];
                if (!is_step[i] || insn->span.begin != span.begin || insn->span.end != span.end ||
                    !is_root(decl->value, insn))
                    continue;
                if (!f->names[i])
                    f->names[i] = decl->name;
                break;
            }
        }
    }
    for (uint32_t i = 0; i < f->ir->states; i++) {
        const ir_ref next = ir_find_out(f->ir, IR_OUT_NEXT, i, 0);
        if (ir_kind(next) == IR_VALUE && !f->names[ir_index(next)])
            f->names[ir_index(next)] = formula_next_name(f->ir, i, f->arena);
    }
}

/* Count reads from instructions that are written out; those read twice get names, and the walk
 * stops at names. Operands come first, so one sweep from the end sees all readers before the read.
 */
static void name_shared(struct formula *f, enum ir_out_kind kind)
{
    const struct ir *ir = f->ir;
    uint32_t *reads = arena_array(f->arena, ir->insn_count + 1, sizeof *reads);
    for (uint32_t i = 0; i < ir->out_count; i++)
        if (ir->outs[i].kind == kind && ir_kind(ir->outs[i].value) == IR_VALUE)
            reads[ir_index(ir->outs[i].value)]++;
    f->shared = arena_array(f->arena, ir->insn_count + 1, sizeof *f->shared);
    for (uint32_t i = ir->insn_count; i-- > 0;) {
        const struct ir_insn *insn = &ir->insns[i];
        if (!reads[i] || f->names[i])
            continue;
        if (reads[i] > 1 && insn->op != IR_NEG)
            f->shared[f->shared_count++] = i;
        const ir_ref operands[] = {insn->a, insn->b, insn->c};
        for (int k = 0; k < 3; k++)
            if (ir_kind(operands[k]) == IR_VALUE)
                reads[ir_index(operands[k])]++;
    }
    for (uint32_t i = 0; i < f->shared_count / 2; i++) {
        const uint32_t insn = f->shared[i];
        f->shared[i] = f->shared[f->shared_count - 1 - i];
        f->shared[f->shared_count - 1 - i] = insn;
    }
    for (uint32_t i = 0; i < f->shared_count; i++)
        f->names[f->shared[i]] = arena_printf(f->arena, "t%u", i + 1);
}

void formula_init(struct formula *formula, const struct ast *ast, const struct ir *ir,
                  enum ir_out_kind kind, enum formula_style style, struct arena *arena)
{
    *formula = (struct formula){.ir = ir, .arena = arena, .style = style};
    formula->names = arena_array(arena, ir->insn_count + 1, sizeof *formula->names);
    uint8_t *is_step = arena_alloc(arena, ir->insn_count + 1);
    ir_reach(ir, IR_MASK(IR_OUT_NEXT) | IR_MASK(IR_OUT_OUTPUT), is_step);
    name_definitions(formula, ast, is_step);
    name_shared(formula, kind);
}
