#include "work.h"

/* One operation in one kind of mathematics. Latencies: 4 clocks of an arithmetic instruction, 17 of
 * one of the special-function unit (measured on an H200); the rest counted from
 * kernels-gen/math_*.h, which the compiler turns into that many instructions. */
struct price {
    double issue, special, latency;
};

static const struct price arithmetic = {1, 0, 4},
                          division[WORK_MATH_COUNT] = {{8, 1, 37}, {2, 1, 21}, {20, 0, 80}};

static struct price price_of(enum ir_op op, enum work_math math)
{
    static const struct {
        enum ir_op op;
        struct price price[WORK_MATH_COUNT];
    } functions[] = {
        {IR_SIGMOID, {{4, 2, 44}, {3, 1, 25}, {36, 0, 110}}},
        {IR_TANH, {{13, 2, 54}, {1, 1, 17}, {40, 0, 120}}},
        {IR_EXP, {{8, 1, 33}, {2, 1, 21}, {20, 0, 70}}},
        {IR_LOG, {{24, 0, 80}, {2, 1, 21}, {24, 0, 80}}},
        {IR_LOG1P, {{30, 0, 100}, {6, 1, 33}, {30, 0, 100}}},
        {IR_EXPM1, {{30, 0, 100}, {6, 1, 33}, {30, 0, 100}}},
        {IR_SOFTPLUS, {{42, 1, 140}, {10, 2, 60}, {55, 0, 180}}},
        {IR_SQRT, {{12, 1, 56}, {6, 1, 33}, {10, 1, 50}}},
        {IR_RSQRT, {{1, 1, 17}, {1, 1, 17}, {24, 1, 90}}},
        {IR_SIN, {{40, 0, 120}, {40, 0, 120}, {40, 0, 120}}},
        {IR_COS, {{40, 0, 120}, {40, 0, 120}, {40, 0, 120}}},
        {IR_ERF, {{40, 0, 120}, {40, 0, 120}, {40, 0, 120}}},
        {IR_POW, {{80, 0, 220}, {80, 0, 220}, {80, 0, 220}}},
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (functions[i].op == op)
            return functions[i].price[math];
    switch (ir_op_cost(op)) {
    case COST_FREE:
        return (struct price){0, 0, 0};
    case COST_DIV:
        return division[math];
    default:
        return arithmetic;
    }
}

struct function {
    uint32_t mask;
    enum ir_kind source;     /* where the chain begins */
    enum ir_out_kind target; /* where it ends */
    bool has_chain;
};

static const struct function functions[WORK_FUNCTION_COUNT] = {
    [WORK_STEP] = {IR_MASK(IR_OUT_NEXT), IR_STATE, IR_OUT_NEXT, true},
    [WORK_OUTPUTS] = {IR_MASK(IR_OUT_NEXT) | IR_MASK(IR_OUT_OUTPUT), IR_STATE, IR_OUT_NEXT, true},
    [WORK_JACOBIAN] = {IR_MASK(IR_OUT_NEXT) | IR_MASK(IR_OUT_JACOBIAN), IR_STATE, IR_OUT_NEXT,
                       true},
    /* With the source also where kernels leave it out (cost_backmap_mask()): the constants of
     * runtime/api/strategy_model.c were fitted so. */
    [WORK_BACKMAP] = {IR_MASK(IR_OUT_ADJACOBIAN) | IR_MASK(IR_OUT_SOURCE), IR_STATE, IR_OUT_NEXT,
                      false},
    [WORK_ADJOINT] = {IR_MASK(IR_OUT_ADJ_STATE) | IR_MASK(IR_OUT_ADJ_INPUT) |
                          IR_MASK(IR_OUT_ADJ_PARAM),
                      IR_COTANGENT, IR_OUT_ADJ_STATE, true},
};

/* Whether a value that a function reads differs from step to step; parameters and constants do not,
 * and what is made of them alone is computed once. */
static bool is_of_step(enum ir_kind kind)
{
    return kind != IR_PARAM && kind != IR_CONSTANT && kind != IR_NONE;
}

/* Clocks to a value from the source, or from whatever is read at a step where 'is_any'; negative:
 * it does not depend on that. */
static double depth_of(const double *depth, const struct ir *ir, const struct function *function,
                       bool is_any, ir_ref ref)
{
    const enum ir_kind kind = ir_kind(ref);
    if (kind == IR_VALUE)
        return depth[ir_index(ref)];
    if (is_any)
        return is_of_step(kind) ? 0 : -1;
    /* Cotangents of outputs do not come from the step behind. */
    return kind == function->source && ir_index(ref) < ir->states ? 0 : -1;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* The depth of every live value, and of the deepest target. */
static double depths_find(double *depth, const struct ir *ir, const struct function *function,
                          bool is_any, enum work_math math, const uint8_t *live)
{
    double most = 0;
    for (uint32_t i = 0; i < ir->insn_count; i++) {
        const struct ir_insn *insn = &ir->insns[i];
        if (!live[i])
            continue;
        const double before = larger(larger(depth_of(depth, ir, function, is_any, insn->a),
                                            depth_of(depth, ir, function, is_any, insn->b)),
                                     depth_of(depth, ir, function, is_any, insn->c));
        depth[i] = before < 0 ? -1 : before + price_of((enum ir_op)insn->op, math).latency;
    }
    for (uint32_t k = 0; k < ir->out_count; k++)
        if (ir->outs[k].kind == function->target)
            most = larger(most, depth_of(depth, ir, function, is_any, ir->outs[k].value));
    return most;
}

static void find_one(struct work *out, const struct ir *ir, const struct function *function,
                     enum work_math math, const uint8_t *live, double *depth)
{
    *out = (struct work){0};
    out->depth = depths_find(depth, ir, function, true, math, live);
    for (uint32_t i = 0; i < ir->insn_count; i++) {
        if (!live[i] || depth[i] < 0)
            continue;
        const struct price price = price_of((enum ir_op)ir->insns[i].op, math);
        out->issue += price.issue;
        out->special += price.special;
    }
    if (function->has_chain)
        out->chain = depths_find(depth, ir, function, false, math, live);
    else
        out->depth = 0;
}

void work_find(struct work_table *out, const struct ir *ir, struct arena *arena)
{
    uint8_t *live = arena_alloc(arena, ir->insn_count + 1);
    double *depth = arena_array(arena, ir->insn_count + 1, sizeof *depth);
    for (int f = 0; f < WORK_FUNCTION_COUNT; f++) {
        ir_reach(ir, functions[f].mask, live);
        for (int m = 0; m < WORK_MATH_COUNT; m++)
            find_one(&out->of[f][m], ir, &functions[f], (enum work_math)m, live, depth);
    }
}
