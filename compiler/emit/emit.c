#include "emit.h"

#include "cost.h"
#include "limits.h"

#include <string.h>

/* A function of the emitted half: the outs it computes and where each kind of them goes. */
struct function {
    const char *name;
    const char *signature;
    uint32_t mask;
    bool is_fast;     /* calls prnn_tanh_fast() for prnn_tanh() */
    bool keeps_saved; /* writes saved[] */
    bool reads_saved; /* takes them instead of computing them */
};

struct emitter {
    struct textbuf *out;
    const struct ir *ir;
    bool is_f64;
    uint8_t *live;
    int32_t *saved; /* index in saved[], or -1, per instruction */
    uint32_t saved_count;
    uint8_t *uses; /* of take_products() */
};

int emit_output_state(const struct ir *ir, uint32_t k, uint32_t *expression)
{
    const int state = ir_output_state(ir, k);
    *expression = 0;
    for (uint32_t before = 0; state < 0 && before < k; before++)
        *expression += ir_output_state(ir, before) < 0;
    return state;
}

static void add_constant(struct emitter *e, double value)
{
    if (e->is_f64) {
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        textbuf_printf(e->out, "PRNN_F64(0x%016llxull)", (unsigned long long)bits);
    } else {
        const float narrow = (float)value;
        uint32_t bits;
        memcpy(&bits, &narrow, sizeof bits);
        textbuf_printf(e->out, "PRNN_F32(0x%08xu)", bits);
    }
    textbuf_add(e->out, " /* ");
    textbuf_add_number(e->out, value);
    textbuf_add(e->out, " */");
}

static void add_operand(struct emitter *e, ir_ref ref)
{
    const uint32_t index = ir_index(ref);
    uint32_t expression;
    switch (ir_kind(ref)) {
    case IR_VALUE:
        textbuf_printf(e->out, "v%u", index);
        break;
    case IR_CONSTANT:
        add_constant(e, ir_constant_value(e->ir, ref));
        break;
    case IR_STATE:
        textbuf_printf(e->out, "h[%u]", index);
        break;
    case IR_INPUT:
        textbuf_printf(e->out, "x[%u]", index);
        break;
    case IR_PARAM:
        textbuf_printf(e->out, "p[%u]", index);
        break;
    case IR_COTANGENT:
        if (index < e->ir->states)
            textbuf_printf(e->out, "cot[%u]", index);
        else if (emit_output_state(e->ir, index - e->ir->states, &expression) < 0)
            textbuf_printf(e->out, "gy[%u]", expression);
        else
            add_constant(e, 0); /* its gradient arrives with that of the state */
        break;
    case IR_NONE:
        add_constant(e, 0);
        break;
    }
}

/* "prnn_tanh($a)" with the operands put in; in fast functions "prnn_tanh_fast(...)". */
static void add_operation(struct emitter *e, const struct ir_insn *insn, bool is_fast)
{
    const char *text = ir_op_text((enum ir_op)insn->op);
    const ir_ref operand[] = {insn->a, insn->b, insn->c};
    const bool is_call = !strncmp(text, "prnn_", 5);
    for (; *text; text++) {
        if (*text == '$') {
            add_operand(e, operand[*++text - 'a']);
            continue;
        }
        if (*text == '(' && is_call && is_fast)
            textbuf_add(e->out, "_fast");
        textbuf_add_n(e->out, text, 1);
    }
}

/* What the outs of 'mask' reach; with 'cut', saved values are leaves. */
static void mark_live(struct emitter *e, uint32_t mask, bool cut)
{
    const struct ir *ir = e->ir;
    memset(e->live, 0, ir->insn_count);
    for (uint32_t i = 0; i < ir->out_count; i++)
        if (mask & IR_MASK(ir->outs[i].kind) && ir_kind(ir->outs[i].value) == IR_VALUE)
            e->live[ir_index(ir->outs[i].value)] = 1;
    for (uint32_t i = ir->insn_count; i-- > 0;) {
        if (!e->live[i] || (cut && e->saved[i] >= 0))
            continue;
        const ir_ref operand[] = {ir->insns[i].a, ir->insns[i].b, ir->insns[i].c};
        for (int k = 0; k < 3; k++)
            if (ir_kind(operand[k]) == IR_VALUE)
                e->live[ir_index(operand[k])] = 1;
    }
}

static const uint32_t adjoint_mask =
    IR_MASK(IR_OUT_ADJ_STATE) | IR_MASK(IR_OUT_ADJ_INPUT) | IR_MASK(IR_OUT_ADJ_PARAM);

/* Values that the backward pass keeps from its first sweep over a chunk to its second: the dear
 * ones that both need. */
static void find_saved(struct emitter *e, struct arena *arena)
{
    const struct ir *ir = e->ir;
    uint8_t *in_backmap = arena_alloc(arena, ir->insn_count);
    mark_live(e, cost_backmap_mask(ir), false);
    memcpy(in_backmap, e->live, ir->insn_count);
    mark_live(e, adjoint_mask, false);
    for (uint32_t i = 0; i < ir->insn_count; i++) {
        const enum ir_cost cost = ir_op_cost((enum ir_op)ir->insns[i].op);
        const bool is_dear = cost == COST_SFU || cost == COST_CALL || cost == COST_DIV;
        e->saved[i] = is_dear && e->live[i] && in_backmap[i] && ir->insns[i].type == IR_REAL
                          ? (int32_t)e->saved_count++
                          : -1;
    }
}

/* Where an out goes; false: it is not stored in this form (an output that is a state). */
static bool add_target(struct emitter *e, const struct ir_out *out)
{
    const uint32_t n = e->ir->states;
    uint32_t expression;
    switch ((enum ir_out_kind)out->kind) {
    case IR_OUT_NEXT:
        textbuf_printf(e->out, "    next[%u]", out->i);
        return true;
    case IR_OUT_OUTPUT:
        if (emit_output_state(e->ir, out->i, &expression) >= 0)
            return false;
        textbuf_printf(e->out, "    y[%u]", expression);
        return true;
    case IR_OUT_GUESS:
        textbuf_printf(e->out, "    e[%u]", out->i);
        return true;
    case IR_OUT_JACOBIAN:
        textbuf_printf(e->out, "    jac[%u]", out->i * n + out->j);
        return true;
    case IR_OUT_ADJACOBIAN:
        textbuf_printf(e->out, "    adjac[%u]", out->i * n + out->j);
        return true;
    case IR_OUT_SOURCE:
        textbuf_printf(e->out, "    src[%u]", out->i);
        return true;
    case IR_OUT_ADJ_STATE:
        textbuf_printf(e->out, "    adj_h[%u]", out->i);
        return true;
    case IR_OUT_ADJ_INPUT:
        textbuf_printf(e->out, "    adj_x[%u]", out->i);
        return true;
    case IR_OUT_ADJ_PARAM:
        textbuf_printf(e->out, "    adj_p[%u]", out->i);
        return true;
    case IR_OUT_KIND_COUNT:
        break;
    }
    return false;
}

/* Of an output that is a state: always 0. */
static bool is_zero_cotangent(const struct ir *ir, ir_ref ref)
{
    return ir_kind(ref) == IR_COTANGENT && ir_index(ref) >= ir->states &&
           ir_output_state(ir, ir_index(ref) - ir->states) >= 0;
}

static bool is_element(ir_ref ref)
{
    const enum ir_kind kind = ir_kind(ref);
    return kind == IR_STATE || kind == IR_INPUT || kind == IR_PARAM || kind == IR_COTANGENT;
}

/* "    const prnn_real vI = ...;". A choice of an element of an array reads both values first: C
 * would read the one that is chosen, clang makes that an address that is chosen if the other value
 * has an address, too, the array then stays in memory, and in a simd loop all lanes share it (clang
 * 14 to 16). */
static void add_value(struct emitter *e, uint32_t i, bool is_fast)
{
    struct ir_insn insn = e->ir->insns[i];
    const bool is_condition = insn.type == IR_CONDITION;
    if (insn.op == IR_WHERE && !is_condition && (is_element(insn.b) || is_element(insn.c))) {
        textbuf_printf(e->out, "    const prnn_real v%ub = ", i);
        add_operand(e, insn.b);
        textbuf_printf(e->out, ", v%uc = ", i);
        add_operand(e, insn.c);
        textbuf_printf(e->out, ";\n    const prnn_real v%u = ", i);
        add_operand(e, insn.a);
        textbuf_printf(e->out, " ? v%ub : v%uc;\n", i, i);
        return;
    }
    textbuf_printf(e->out, "    const %s v%u = ", is_condition ? "prnn_i32" : "prnn_real", i);
    if (insn.op == IR_ADD && is_zero_cotangent(e->ir, insn.b))
        add_operand(e, insn.a);
    else
        add_operation(e, &insn, is_fast);
    textbuf_add(e->out, ";\n");
}

enum { USES_MANY = 2 };

static void use(struct emitter *e, ir_ref value, int more)
{
    uint8_t *uses = &e->uses[ir_index(value)];
    *uses = (uint8_t)(*uses + more < USES_MANY ? *uses + more : USES_MANY);
}

/* Products that are parameter gradients and nothing else: they become part of the sum. */
static void take_products(struct emitter *e, uint32_t mask)
{
    const struct ir *ir = e->ir;
    memset(e->uses, 0, ir->insn_count);
    for (uint32_t i = 0; i < ir->out_count; i++)
        if (mask & IR_MASK(ir->outs[i].kind) && ir_kind(ir->outs[i].value) == IR_VALUE)
            use(e, ir->outs[i].value, ir->outs[i].kind == IR_OUT_ADJ_PARAM ? 1 : USES_MANY);
    for (uint32_t i = 0; i < ir->insn_count; i++) {
        const ir_ref operand[] = {ir->insns[i].a, ir->insns[i].b, ir->insns[i].c};
        for (int k = 0; k < 3 && e->live[i]; k++)
            if (ir_kind(operand[k]) == IR_VALUE)
                use(e, operand[k], USES_MANY);
    }
}

static bool is_taken_product(const struct emitter *e, uint32_t i)
{
    return e->ir->insns[i].op == IR_MUL && e->uses[i] == 1 && e->saved[i] < 0;
}

/* "    adj_p[k] = ...;": added to what is there. */
static void add_param_sum(struct emitter *e, const struct ir_out *out)
{
    const uint32_t i = ir_index(out->value);
    if (ir_kind(out->value) == IR_VALUE && is_taken_product(e, i)) {
        textbuf_add(e->out, " = PRNN_FMA(");
        add_operand(e, e->ir->insns[i].a);
        textbuf_add(e->out, ", ");
        add_operand(e, e->ir->insns[i].b);
        textbuf_printf(e->out, ", adj_p[%u]);\n", out->i);
        return;
    }
    textbuf_printf(e->out, " = adj_p[%u] + ", out->i);
    add_operand(e, out->value);
    textbuf_add(e->out, ";\n");
}

static void add_function(struct emitter *e, const struct function *f)
{
    const struct ir *ir = e->ir;
    mark_live(e, f->mask, f->reads_saved);
    take_products(e, f->mask);
    textbuf_printf(e->out, "PRNN_FN void %s(%s)\n{\n", f->name, f->signature);
    for (uint32_t i = 0; i < ir->insn_count; i++) {
        if (!e->live[i] || is_taken_product(e, i))
            continue;
        if (f->reads_saved && e->saved[i] >= 0)
            textbuf_printf(e->out, "    const prnn_real v%u = saved[%d];\n", i, e->saved[i]);
        else
            add_value(e, i, f->is_fast);
        if (f->keeps_saved && e->saved[i] >= 0)
            textbuf_printf(e->out, "    saved[%d] = v%u;\n", e->saved[i], i);
    }
    for (uint32_t i = 0; i < ir->out_count; i++)
        if (f->mask & IR_MASK(ir->outs[i].kind) && add_target(e, &ir->outs[i])) {
            if (ir->outs[i].kind == IR_OUT_ADJ_PARAM) {
                add_param_sum(e, &ir->outs[i]);
                continue;
            }
            textbuf_add(e->out, " = ");
            add_operand(e, ir->outs[i].value);
            textbuf_add(e->out, ";\n");
        }
    textbuf_add(e->out, "}\n\n");
}

/* The first guess of a chunk's entry: what the cell declares, else one step from the initial state.
 */
static void add_guess(struct emitter *e)
{
    const struct ir *ir = e->ir;
    mark_live(e, IR_MASK(IR_OUT_GUESS), false);
    uint8_t *live = arena_alloc(e->out->arena, ir->insn_count + 1);
    memcpy(live, e->live, ir->insn_count);
    bool needs_step = false;
    for (uint32_t i = 0; i < ir->states; i++)
        needs_step |= ir_find_out(ir, IR_OUT_GUESS, i, 0) == IR_REF_NONE;
    if (needs_step) {
        mark_live(e, IR_MASK(IR_OUT_NEXT), false);
        for (uint32_t i = 0; i < ir->insn_count; i++)
            live[i] |= e->live[i];
    }
    textbuf_add(e->out, "PRNN_FN void cell_guess(const prnn_real *h, const prnn_real *x, "
                        "const prnn_real *p, prnn_real *e)\n{\n");
    for (uint32_t i = 0; i < ir->insn_count; i++) {
        if (!live[i])
            continue;
        add_value(e, i, true);
    }
    for (uint32_t i = 0; i < ir->states; i++) {
        ir_ref value = ir_find_out(ir, IR_OUT_GUESS, i, 0);
        if (value == IR_REF_NONE)
            value = ir_find_out(ir, IR_OUT_NEXT, i, 0);
        textbuf_printf(e->out, "    e[%u] = ", i);
        add_operand(e, value);
        textbuf_add(e->out, ";\n");
    }
    textbuf_add(e->out, "}\n\n");
}

/* The dear functions of a step, each on its own multiple of v: what a benchmark of the CPU compares
 * with. */
static void add_functions(struct emitter *e)
{
    const struct ir *ir = e->ir;
    mark_live(e, IR_MASK(IR_OUT_NEXT) | IR_MASK(IR_OUT_OUTPUT), false);
    textbuf_add(e->out, "PRNN_FN prnn_real cell_functions(prnn_real v)\n{\n"
                        "    prnn_real sum = v;\n");
    unsigned count = 0;
    for (uint32_t i = 0; i < ir->insn_count; i++) {
        const enum ir_cost cost = ir_op_cost((enum ir_op)ir->insns[i].op);
        const char *text = ir_op_text((enum ir_op)ir->insns[i].op);
        if (!e->live[i] || (cost != COST_SFU && cost != COST_CALL) || strncmp(text, "prnn_", 5))
            continue;
        textbuf_add(e->out, "    sum += ");
        for (; *text; text++) {
            if (*text != '$') {
                textbuf_add_n(e->out, text, 1);
                continue;
            }
            text++;
            textbuf_add(e->out, "v * ");
            add_constant(e, 1 + 0.0625 * ++count);
        }
        textbuf_add(e->out, ";\n");
    }
    textbuf_add(e->out, "    return sum;\n}\n\n");
}

/* Constant functions that skeletons test in unrolled loops. */

static void add_matrix(struct emitter *e, const char *name, const state_set *row)
{
    textbuf_printf(e->out, "PRNN_CONST_FN int %s(int i, int j)\n{\n    return (int)((", name);
    for (uint32_t i = 0; i < e->ir->states; i++)
        textbuf_printf(e->out, "i == %u ? 0x%xu : ", i, row[i]);
    textbuf_add(e->out, "0u) >> j & 1u);\n}\n\n");
}

/* The entries that cell_jacobian() writes: not all of structure->depends, for what depends through
 * a condition or a sign alone has no derivative. */
static void find_derivatives(const struct ir *ir, state_set *row)
{
    for (uint32_t i = 0; i < ir->states; i++) {
        row[i] = 0;
        for (uint32_t j = 0; j < ir->states; j++)
            if (ir_find_out(ir, IR_OUT_JACOBIAN, i, j) != IR_REF_NONE)
                row[i] |= 1u << j;
    }
}

enum flag { FLAG_SHARED, FLAG_GRADIENT };

static void add_flags(struct emitter *e, const char *name, enum ir_role role, uint32_t count,
                      enum flag flag)
{
    textbuf_printf(e->out, "PRNN_CONST_FN int %s(int k)\n{\n    return ", name);
    uint32_t marked = 0;
    for (uint32_t k = 0; k < count; k++) {
        uint32_t element;
        const struct ir_decl *decl = ir_decl_of(e->ir, role, k, &element);
        const bool is_set = flag == FLAG_SHARED ? decl->is_shared : decl->no_gradient;
        if (is_set)
            textbuf_printf(e->out, "%sk == %u",
                           marked++              ? " || "
                           : flag == FLAG_SHARED ? ""
                                                 : "!(",
                           k);
    }
    if (!marked)
        textbuf_add(e->out, flag == FLAG_SHARED ? "0 * k" : "1 + 0 * k");
    else if (flag == FLAG_GRADIENT)
        textbuf_add(e->out, ")");
    textbuf_add(e->out, ";\n}\n\n");
}

static void add_initial(struct emitter *e)
{
    textbuf_add(e->out, "PRNN_CONST_FN prnn_real cell_initial(int i)\n{\n    return ");
    for (uint32_t i = 0; i < e->ir->states; i++) {
        uint32_t element;
        const struct ir_decl *decl = ir_decl_of(e->ir, IR_ROLE_STATE, i, &element);
        if (decl->initial == 0)
            continue;
        textbuf_printf(e->out, "i == %u ? ", i);
        add_constant(e, decl->initial);
        textbuf_add(e->out, " : ");
    }
    textbuf_add(e->out, "(prnn_real)(0 * i);\n}\n\n");
}

#define STEP_ARGS "const prnn_real *h, const prnn_real *x, const prnn_real *p"

uint32_t emit_half(struct textbuf *out, const struct ir *ir, const struct structure *structure,
                   const struct emit_options *options)
{
    struct emitter e = {out, ir, options->is_f64, NULL, NULL, 0, NULL};
    e.live = arena_alloc(out->arena, ir->insn_count + 1);
    e.uses = arena_alloc(out->arena, ir->insn_count + 1);
    e.saved = arena_array(out->arena, ir->insn_count + 1, sizeof *e.saved);
    for (uint32_t i = 0; i < ir->insn_count; i++)
        e.saved[i] = -1;

    const uint32_t next = IR_MASK(IR_OUT_NEXT);
    const uint32_t jacobian = next | IR_MASK(IR_OUT_JACOBIAN);
    const struct function forward[] = {
        {"cell_step", STEP_ARGS ", prnn_real *next", next, false, false, false},
        {"cell_step_fast", STEP_ARGS ", prnn_real *next", next, true, false, false},
        {"cell_step_outputs", STEP_ARGS ", prnn_real *next, prnn_real *y",
         next | IR_MASK(IR_OUT_OUTPUT), false, false, false},
        {"cell_jacobian", STEP_ARGS ", prnn_real *next, prnn_real *jac", jacobian, false, false,
         false},
        {"cell_jacobian_fast", STEP_ARGS ", prnn_real *next, prnn_real *jac", jacobian, true, false,
         false},
    };
    const struct function backward[] = {
        {"cell_backmap",
         STEP_ARGS ", const prnn_real *gy, prnn_real *adjac, prnn_real *src, prnn_real *saved",
         cost_backmap_mask(ir), false, true, false},
        {"cell_adjoint_saved",
         STEP_ARGS ", const prnn_real *cot, const prnn_real *gy, const prnn_real *saved, "
                   "prnn_real *adj_h, prnn_real *adj_x, prnn_real *adj_p",
         adjoint_mask, false, false, true},
        {"cell_adjoint",
         STEP_ARGS ", const prnn_real *cot, const prnn_real *gy, prnn_real *adj_h, "
                   "prnn_real *adj_x, prnn_real *adj_p",
         adjoint_mask, false, false, false},
    };
    add_initial(&e);
    state_set derivatives[LIMIT_STATES];
    find_derivatives(ir, derivatives);
    add_matrix(&e, "cell_jac_nonzero", derivatives);
    add_matrix(&e, "cell_closed", structure->closed);
    add_flags(&e, "cell_input_is_shared", IR_ROLE_INPUT, ir->inputs, FLAG_SHARED);
    add_flags(&e, "cell_param_is_shared", IR_ROLE_PARAM, ir->params, FLAG_SHARED);
    add_flags(&e, "cell_input_has_gradient", IR_ROLE_INPUT, ir->inputs, FLAG_GRADIENT);
    add_flags(&e, "cell_param_has_gradient", IR_ROLE_PARAM, ir->params, FLAG_GRADIENT);
    for (size_t i = 0; i < sizeof forward / sizeof *forward; i++)
        add_function(&e, &forward[i]);
    add_guess(&e);
    add_functions(&e);
    if (options->is_backward) {
        find_saved(&e, out->arena);
        for (size_t i = 0; i < sizeof backward / sizeof *backward; i++)
            add_function(&e, &backward[i]);
    }
    return e.saved_count;
}
