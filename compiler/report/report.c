#include "report.h"

#include "contraction.h"
#include "diag.h"
#include "formula.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const char *const role_titles[] = {
    [IR_ROLE_STATE] = "states",
    [IR_ROLE_INPUT] = "inputs",
    [IR_ROLE_PARAM] = "params",
    [IR_ROLE_OUTPUT] = "outputs",
};

static const char *state_name(const struct report_subject *s, uint32_t i, struct arena *arena)
{
    return ir_scalar_name(s->ir, IR_ROLE_STATE, i, arena);
}

/* Text. */

static void add_decl(struct textbuf *out, const struct ir_decl *decl)
{
    struct textbuf head;
    textbuf_init(&head, out->arena);
    textbuf_printf(&head, "  %s", decl->name);
    if (decl->rank == 1)
        textbuf_printf(&head, "[%u]", decl->rows);
    else if (decl->rank == 2)
        textbuf_printf(&head, "[%u, %u]", decl->rows, decl->cols);
    if (decl->role == IR_ROLE_STATE && decl->initial != 0) {
        textbuf_add(&head, " = ");
        textbuf_add_number(&head, decl->initial);
    }
    if (decl->is_shared)
        textbuf_add(&head, " : shared");
    if (decl->has_range) {
        textbuf_add(&head, " in [");
        textbuf_add_number(&head, decl->lo);
        textbuf_add(&head, ", ");
        textbuf_add_number(&head, decl->hi);
        textbuf_add(&head, "]");
    }
    if (decl->no_gradient)
        textbuf_add(&head, " nograd");
    if (!decl->doc) {
        textbuf_printf(out, "%s\n", head.text);
        return;
    }
    textbuf_printf(out, "%-26s  ", head.text);
    diag_escape_controls(out, decl->doc, strcspn(decl->doc, "\n"));
    textbuf_add(out, "\n");
}

static void add_declarations(struct textbuf *out, const struct report_subject *s)
{
    int role = -1;
    for (uint32_t i = 0; i < s->ir->decl_count; i++) {
        const struct ir_decl *decl = &s->ir->decls[i];
        if ((int)decl->role != role)
            textbuf_printf(out, "\n%s\n", role_titles[decl->role]);
        role = (int)decl->role;
        add_decl(out, decl);
    }
}

static void add_equations(struct textbuf *out, const struct report_subject *s)
{
    textbuf_add(out, "\nequations\n");
    for (const struct ast_statement *st = s->ast->statements; st; st = st->next)
        for (const struct ast_decl *decl = st->decls; decl; decl = decl->next) {
            const bool is_equation = st->kind == AST_DEFINE || st->kind == AST_UPDATE ||
                                     st->kind == AST_GUESS ||
                                     (st->kind == AST_OUTPUT && !decl->is_reference);
            if (!is_equation)
                continue;
            textbuf_printf(out, "  %s%s%s = ", st->kind == AST_GUESS ? "guess " : "", decl->name,
                           st->kind == AST_UPDATE ? "'" : "");
            ast_print_expr(decl->value, out);
            textbuf_add(out, "\n");
        }
}

static void add_jacobian(struct textbuf *out, const struct report_subject *s)
{
    struct formula f;
    formula_init(&f, s->ast, s->ir, IR_OUT_JACOBIAN, FORMULA_PLAIN, out->arena);
    textbuf_add(out, "\njacobian\n");
    bool is_empty = true;
    for (uint32_t i = 0; i < s->ir->states; i++)
        for (uint32_t j = 0; j < s->ir->states; j++) {
            const ir_ref value = ir_find_out(s->ir, IR_OUT_JACOBIAN, i, j);
            if (value == IR_REF_NONE)
                continue;
            is_empty = false;
            textbuf_printf(out, "  d%s/d%s = ", formula_next_name(s->ir, i, out->arena),
                           state_name(s, j, out->arena));
            formula_print(out, &f, value);
            textbuf_add(out, "\n");
        }
    if (is_empty)
        textbuf_add(out, "  zero: no state is read back\n");
    for (uint32_t i = 0; i < f.shared_count; i++) {
        textbuf_printf(out, "  %s t%u = ", i ? "    " : "with", i + 1);
        formula_print_insn(out, &f, f.shared[i]);
        textbuf_add(out, "\n");
    }
}

static void add_pattern(struct textbuf *out, const struct report_subject *s)
{
    textbuf_add(out, "\npattern (x nonlinear, a affine, + filled in by products)\n");
    for (uint32_t i = 0; i < s->ir->states; i++) {
        textbuf_printf(out, "  %-10s", state_name(s, i, out->arena));
        for (uint32_t j = 0; j < s->ir->states; j++)
            textbuf_add(out, s->structure->nonlinear[i] >> j & 1 ? " x"
                             : s->structure->depends[i] >> j & 1 ? " a"
                             : s->structure->closed[i] >> j & 1  ? " +"
                                                                 : " .");
        textbuf_add(out, "\n");
    }
}

static void add_blocks(struct textbuf *out, const struct report_subject *s)
{
    textbuf_add(out, "\nblocks, in the order in which they are solved\n");
    for (uint32_t b = 0; b < s->structure->block_count; b++) {
        const struct structure_block *block = &s->structure->block[b];
        textbuf_printf(out, "  %u. ", b + 1);
        for (uint32_t i = 0; i < block->count; i++)
            textbuf_printf(out, "%s%s", i ? ", " : "", state_name(s, block->state[i], out->arena));
        textbuf_add(out, block->is_readout  ? ": read out after the solve\n"
                         : block->is_affine ? ": affine, one scan and no correction\n"
                                            : ": nonlinear\n");
    }
}

/* The name of a value at the worst place, as the cell writes it. */
static const char *place_name(const struct report_subject *s, const struct formula *formula,
                              ir_ref ref, struct arena *arena)
{
    struct textbuf name;
    switch (ir_kind(ref)) {
    case IR_STATE:
        return ir_scalar_name(s->ir, IR_ROLE_STATE, ir_index(ref), arena);
    case IR_INPUT:
        return ir_scalar_name(s->ir, IR_ROLE_INPUT, ir_index(ref), arena);
    case IR_PARAM:
        return ir_scalar_name(s->ir, IR_ROLE_PARAM, ir_index(ref), arena);
    default:
        textbuf_init(&name, arena);
        formula_print(&name, formula, ref);
        return name.text;
    }
}

/* What is known beyond the bound where that is above 1: a place that comes near it, and how far the
 * parameters must stay within their ranges for 1. */
struct expansion {
    struct contraction worst;
    struct formula formula;
    double scale; /* 0: none was proven */
};

static bool find_expansion(struct expansion *out, const struct report_subject *s,
                           struct arena *arena)
{
    if (s->ranges->jacobian_bound <= CONTRACTION_ONE)
        return false;
    contraction_find(&out->worst, s->ir, s->ranges->state, arena);
    out->scale = contraction_scale(s->ir, s->ranges->state, arena);
    formula_init(&out->formula, s->ast, s->ir, IR_OUT_JACOBIAN, FORMULA_PLAIN, arena);
    return true;
}

static void add_contraction(struct textbuf *out, const struct report_subject *s)
{
    struct expansion expansion;
    textbuf_add(out, "  contraction ");
    if (!find_expansion(&expansion, s, out->arena)) {
        textbuf_add(out, s->ranges->is_contraction ? "proven: |dh'/dh| at most "
                                                   : "no, nor expansion: |dh'/dh| at most ");
        textbuf_add_short(out, s->ranges->jacobian_bound, 4);
        textbuf_add(out, "\n");
        return;
    }
    textbuf_add(out, "not proven: ");
    if (isfinite(s->ranges->jacobian_bound)) {
        textbuf_add(out, "bound of |dh'/dh| is ");
        textbuf_add_short(out, s->ranges->jacobian_bound, 4);
    } else {
        textbuf_add(out, "|dh'/dh| has no bound");
    }
    textbuf_printf(out, ", in row %s\n",
                   formula_next_name(s->ir, s->ranges->worst_row, out->arena));
    if (expansion.worst.found > CONTRACTION_ONE) {
        textbuf_add(out, "             it is ");
        textbuf_add_short(out, expansion.worst.found, 4);
        for (uint32_t i = 0; i < expansion.worst.place_count; i++) {
            const struct contraction_place *place = &expansion.worst.place[i];
            textbuf_printf(out, "%s%s = ", i ? ", " : " at ",
                           place_name(s, &expansion.formula, place->ref, out->arena));
            textbuf_add_short(out, place->value, 3);
        }
        textbuf_add(out, "\n");
    }
    if (expansion.scale > 0) {
        textbuf_add(out, "             at most 1 with parameters within ");
        textbuf_add_short(out, expansion.scale, 6);
        textbuf_add(out, " of their ranges\n");
    }
}

static void add_ranges(struct textbuf *out, const struct report_subject *s)
{
    textbuf_add(out, "\nranges\n");
    for (uint32_t i = 0; i < s->ir->states; i++) {
        const struct range *range = &s->ranges->state[i];
        textbuf_printf(out, "  %-10s", state_name(s, i, out->arena));
        if (isinf(range->lo) && isinf(range->hi))
            textbuf_add(out, " not bounded");
        else {
            textbuf_add(out, " [");
            textbuf_add_short(out, range->lo, 6);
            textbuf_add(out, ", ");
            textbuf_add_short(out, range->hi, 6);
            textbuf_add(out, "]");
        }
        textbuf_add(out, range->may_be_nan ? ", may be NaN\n" : "\n");
    }
    add_contraction(out, s);
    textbuf_printf(out, "  16-bit     %s\n",
                   s->ranges->may_overflow_bf16  ? "f16 and bf16 not proven to hold every state"
                   : s->ranges->may_overflow_f16 ? "f16 not proven to hold every state; bf16 is"
                                                 : "every state and output fits f16 and bf16");
}

static void add_cost(struct textbuf *out, const struct report_subject *s)
{
    textbuf_add(out, "\ncost per element           forward  backward\n");
    const struct {
        const char *name;
        uint32_t forward, backward;
    } rows[] = {
        {"evaluations in parallel", s->forward->evaluations, s->backward->evaluations},
        {"transcendentals in one", s->forward->transcendentals, s->backward->transcendentals},
        {"divisions in one", s->forward->divisions, s->backward->divisions},
        {"flops of one", s->forward->flops, s->backward->flops},
        {"values read", s->forward->values_read, s->backward->values_read},
        {"values written", s->forward->values_written, s->backward->values_written},
        {"bytes moved in f32", 4 * (s->forward->values_read + s->forward->values_written),
         4 * (s->backward->values_read + s->backward->values_written)},
        {"bytes moved in 16 bits", 2 * (s->forward->values_read + s->forward->values_written),
         2 * (s->backward->values_read + s->backward->values_written)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        textbuf_printf(out, "  %-24s %7" PRIu32 "  %8" PRIu32 "\n", rows[i].name, rows[i].forward,
                       rows[i].backward);
}

void report_text(struct textbuf *out, const struct report_subject *subject)
{
    textbuf_printf(
        out, "cell %s%s\n", subject->ir->name,
        subject->structure->is_affine ? ", affine: its Jacobian does not depend on the state" : "");
    if (subject->ir->doc) {
        diag_escape_controls(out, subject->ir->doc, strlen(subject->ir->doc));
        textbuf_add(out, "\n");
    }
    add_declarations(out, subject);
    add_equations(out, subject);
    add_jacobian(out, subject);
    add_pattern(out, subject);
    add_blocks(out, subject);
    add_ranges(out, subject);
    add_cost(out, subject);
}

/* JSON. */

static void add_scalar_names(struct textbuf *out, const struct report_subject *s, enum ir_role role,
                             uint32_t count)
{
    textbuf_printf(out, "  \"%s\": [", role_titles[role]);
    for (uint32_t i = 0; i < count; i++) {
        textbuf_add(out, i ? ", " : "");
        textbuf_add_json_string(out, ir_scalar_name(s->ir, role, i, out->arena));
    }
    textbuf_add(out, "],\n");
}

static void add_json_decl(struct textbuf *out, const struct ir_decl *decl)
{
    static const char *const kinds[] = {"state", "input", "param", "output"};
    textbuf_add(out, "    {\"name\": ");
    textbuf_add_json_string(out, decl->name);
    textbuf_printf(out, ", \"role\": \"%s\", \"shape\": [", kinds[decl->role]);
    if (decl->rank > 0)
        textbuf_printf(out, "%u", decl->rows);
    if (decl->rank > 1)
        textbuf_printf(out, ", %u", decl->cols);
    textbuf_printf(out, "], \"shared\": %s, \"gradient\": %s, \"range\": ",
                   decl->is_shared ? "true" : "false", decl->no_gradient ? "false" : "true");
    if (decl->has_range) {
        textbuf_add(out, "[");
        textbuf_add_json_number(out, decl->lo);
        textbuf_add(out, ", ");
        textbuf_add_json_number(out, decl->hi);
        textbuf_add(out, "]");
    } else
        textbuf_add(out, "null");
    if (decl->role == IR_ROLE_STATE) {
        textbuf_add(out, ", \"initial\": ");
        textbuf_add_json_number(out, decl->initial);
    }
    textbuf_add(out, ", \"doc\": ");
    if (decl->doc)
        textbuf_add_json_string(out, decl->doc);
    else
        textbuf_add(out, "null");
    textbuf_add(out, "}");
}

static void add_json_cost(struct textbuf *out, const char *name, const struct cost *cost)
{
    textbuf_printf(out,
                   "    \"%s\": {\"evaluations\": %u, \"transcendentals\": %u, \"divisions\": %u, "
                   "\"flops\": %u, \"values_read\": %u, \"values_written\": %u}",
                   name, cost->evaluations, cost->transcendentals, cost->divisions, cost->flops,
                   cost->values_read, cost->values_written);
}

static void add_json_contraction(struct textbuf *out, const struct report_subject *s)
{
    struct expansion expansion;
    textbuf_printf(out, "  \"contraction\": {\"proven\": %s, \"bound\": ",
                   s->ranges->is_contraction ? "true" : "false");
    textbuf_add_json_number(out, s->ranges->jacobian_bound);
    if (find_expansion(&expansion, s, out->arena)) {
        textbuf_add(out, ", \"reached\": ");
        textbuf_add_json_number(out, expansion.worst.found);
        textbuf_add(out, ", \"at\": {");
        for (uint32_t i = 0; i < expansion.worst.place_count; i++) {
            const struct contraction_place *place = &expansion.worst.place[i];
            textbuf_add(out, i ? ", " : "");
            textbuf_add_json_string(out, place_name(s, &expansion.formula, place->ref, out->arena));
            textbuf_add(out, ": ");
            textbuf_add_json_number(out, place->value);
        }
        textbuf_add(out, "}, \"scale\": ");
        textbuf_add_json_number(out, expansion.scale);
    }
    textbuf_add(out, "},\n");
}

void report_json(struct textbuf *out, const struct report_subject *subject)
{
    const struct report_subject *s = subject;
    textbuf_add(out, "{\n  \"cell\": ");
    textbuf_add_json_string(out, s->ir->name);
    textbuf_add(out, ",\n  \"doc\": ");
    if (s->ir->doc)
        textbuf_add_json_string(out, s->ir->doc);
    else
        textbuf_add(out, "null");
    textbuf_add(out, ",\n");
    add_scalar_names(out, s, IR_ROLE_STATE, s->ir->states);
    add_scalar_names(out, s, IR_ROLE_INPUT, s->ir->inputs);
    add_scalar_names(out, s, IR_ROLE_PARAM, s->ir->params);
    add_scalar_names(out, s, IR_ROLE_OUTPUT, s->ir->outputs);
    textbuf_add(out, "  \"declarations\": [\n");
    for (uint32_t i = 0; i < s->ir->decl_count; i++) {
        add_json_decl(out, &s->ir->decls[i]);
        textbuf_add(out, i + 1 < s->ir->decl_count ? ",\n" : "\n");
    }
    textbuf_printf(out, "  ],\n  \"affine\": %s,\n  \"blocks\": [",
                   s->structure->is_affine ? "true" : "false");
    for (uint32_t b = 0; b < s->structure->block_count; b++) {
        const struct structure_block *block = &s->structure->block[b];
        textbuf_add(out, b ? ", [" : "[");
        for (uint32_t i = 0; i < block->count; i++) {
            textbuf_add(out, i ? ", " : "");
            textbuf_add_json_string(out, state_name(s, block->state[i], out->arena));
        }
        textbuf_add(out, "]");
    }
    textbuf_add(out, "],\n  \"jacobian\": [");
    for (uint32_t i = 0; i < s->ir->states; i++) {
        textbuf_add(out, i ? ", [" : "[");
        for (uint32_t j = 0; j < s->ir->states; j++)
            textbuf_printf(out, "%s%d", j ? ", " : "",
                           ir_find_out(s->ir, IR_OUT_JACOBIAN, i, j) != IR_REF_NONE);
        textbuf_add(out, "]");
    }
    textbuf_add(out, "],\n");
    add_json_contraction(out, s);
    textbuf_add(out, "  \"ranges\": {");
    for (uint32_t i = 0; i < s->ir->states; i++) {
        textbuf_add(out, i ? ", " : "");
        textbuf_add_json_string(out, state_name(s, i, out->arena));
        textbuf_add(out, ": [");
        textbuf_add_json_number(out, s->ranges->state[i].lo);
        textbuf_add(out, ", ");
        textbuf_add_json_number(out, s->ranges->state[i].hi);
        textbuf_add(out, "]");
    }
    textbuf_add(out, "},\n  \"cost\": {\n");
    add_json_cost(out, "forward", s->forward);
    textbuf_add(out, ",\n");
    add_json_cost(out, "backward", s->backward);
    textbuf_add(out, "\n  }\n}\n");
}
