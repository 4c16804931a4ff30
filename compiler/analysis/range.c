#include "range.h"

#include "contraction.h"
#include "interval.h"

#include <math.h>

/* Leaves are finite numbers in their declared bounds, or anywhere. 'may_be_nan' marks a value that
 * may be NaN, or an infinity that later gives one, with such leaves: the domain of a function is
 * left, or a divisor may be 0. Overflow of the arithmetic is not marked, its bound is infinite. */
struct sweep {
    const struct ir *ir;
    struct range *value;       /* per instruction */
    const struct range *state; /* per state */
};

static struct range declared(const struct ir *ir, enum ir_role role, uint32_t index)
{
    uint32_t element;
    const struct ir_decl *decl = ir_decl_of(ir, role, index, &element);
    if (!decl || !decl->has_range)
        return range_everything();
    return (struct range){.lo = decl->lo, .hi = decl->hi};
}

static struct range range_of(const struct sweep *sweep, ir_ref ref)
{
    switch (ir_kind(ref)) {
    case IR_VALUE:
        return sweep->value[ir_index(ref)];
    case IR_CONSTANT:
        return range_point(ir_constant_value(sweep->ir, ref));
    case IR_STATE:
        return sweep->state[ir_index(ref)];
    case IR_INPUT:
        return declared(sweep->ir, IR_ROLE_INPUT, ir_index(ref));
    case IR_PARAM:
        return declared(sweep->ir, IR_ROLE_PARAM, ir_index(ref));
    case IR_COTANGENT:
    case IR_NONE:
        break;
    }
    return range_everything();
}

static const struct ir_insn *insn_of(const struct ir *ir, ir_ref ref, enum ir_op op)
{
    if (ir_kind(ref) != IR_VALUE || ir->insns[ir_index(ref)].op != op)
        return NULL;
    return &ir->insns[ir_index(ref)];
}

/* ref == 1 - z */
static bool is_one_minus(const struct ir *ir, ir_ref ref, ir_ref z)
{
    const struct ir_insn *difference = insn_of(ir, ref, IR_SUB);
    return difference && ir_is_constant(ir, difference->a, 1.0) && difference->b == z;
}

/* A sum of two products, in one of the shapes that the contraction pass or the user gives it. */
static bool split_products(const struct ir *ir, const struct ir_insn *insn, ir_ref factor[4])
{
    const struct ir_insn *left = NULL, *right = NULL;
    if (insn->op == IR_ADD) {
        left = insn_of(ir, insn->a, IR_MUL);
        right = insn_of(ir, insn->b, IR_MUL);
    } else if (insn->op == IR_FMA) {
        left = insn;
        right = insn_of(ir, insn->c, IR_MUL);
    }
    if (!left || !right)
        return false;
    factor[0] = left->a;
    factor[1] = left->b;
    factor[2] = right->a;
    factor[3] = right->b;
    return true;
}

/* base + z*(other - base): its three values. */
static bool split_step(const struct ir *ir, ir_ref base, ir_ref x, ir_ref y, ir_ref *z,
                       ir_ref *other)
{
    for (int swap = 0; swap < 2; swap++) {
        const struct ir_insn *difference = insn_of(ir, swap ? x : y, IR_SUB);
        if (difference && difference->b == base) {
            *z = swap ? y : x;
            *other = difference->a;
            return true;
        }
    }
    return false;
}

/* (1 - z)*a + z*b, or a + z*(b - a), in any order of operands. With z in [0, 1] it stays between a
 * and b, which intervals of the parts alone do not show: it is what keeps gated states bounded. */
static bool find_mixture(const struct ir *ir, const struct ir_insn *insn, ir_ref *z, ir_ref *a,
                         ir_ref *b)
{
    ir_ref factor[4];
    if (split_products(ir, insn, factor))
        for (int left = 0; left < 2; left++)
            for (int right = 2; right < 4; right++) {
                const ir_ref u = factor[left], v = factor[right];
                if (!is_one_minus(ir, u, v) && !is_one_minus(ir, v, u))
                    continue;
                *z = is_one_minus(ir, u, v) ? v : u;
                *a = factor[1 - left];
                *b = factor[5 - right];
                return true;
            }

    const struct ir_insn *product = NULL;
    if (insn->op == IR_FMA) {
        *a = insn->c;
        return split_step(ir, *a, insn->a, insn->b, z, b);
    }
    if (insn->op != IR_ADD)
        return false;
    for (int swap = 0; swap < 2; swap++) {
        *a = swap ? insn->b : insn->a;
        product = insn_of(ir, swap ? insn->a : insn->b, IR_MUL);
        if (product && split_step(ir, *a, product->a, product->b, z, b))
            return true;
    }
    return false;
}

static struct range intersection(struct range a, struct range b)
{
    return (struct range){fmax(a.lo, b.lo), fmin(a.hi, b.hi), a.may_be_nan && b.may_be_nan};
}

static struct range product_of(const struct sweep *sweep, ir_ref a, ir_ref b)
{
    const struct ir *ir = sweep->ir;
    const struct range x = range_of(sweep, a), y = range_of(sweep, b);
    const struct range none = range_everything();
    if (a == b)
        return range_square(x);
    if (is_one_minus(ir, b, a))
        return range_logistic(x);
    if (is_one_minus(ir, a, b))
        return range_logistic(y);
    return range_apply(IR_MUL, x, y, none);
}

static struct range evaluate(const struct sweep *sweep, const struct ir_insn *insn)
{
    const struct range a = range_of(sweep, insn->a);
    const struct range b = range_of(sweep, insn->b);
    const struct range c = range_of(sweep, insn->c);
    struct range out;
    ir_ref z, from, to;

    if (insn->op == IR_MUL)
        return product_of(sweep, insn->a, insn->b);
    if (insn->op == IR_SUB && insn->a == insn->b && !a.may_be_nan)
        return range_point(0);
    if (insn->op == IR_FMA)
        out = range_apply(IR_ADD, product_of(sweep, insn->a, insn->b), c, c);
    else
        out = range_apply((enum ir_op)insn->op, a, b, c);
    if (find_mixture(sweep->ir, insn, &z, &from, &to) && range_is_within(range_of(sweep, z), 0, 1))
        out = intersection(out, range_union(range_of(sweep, from), range_of(sweep, to)));
    return out;
}

static void evaluate_all(const struct sweep *sweep, const uint8_t *live)
{
    for (uint32_t i = 0; i < sweep->ir->insn_count; i++)
        if (!live || live[i])
            sweep->value[i] = evaluate(sweep, &sweep->ir->insns[i]);
}

/* The next bound that a growing one is tried at: +-1, 2, 4 .. 2^20, small powers before, then none.
 */
static double widened(double bound, bool is_upper)
{
    const double size = fabs(bound);
    const bool grows = (bound > 0) == is_upper && bound != 0;
    if (grows) {
        double step = 0x1p-10;
        while (step < size && step <= 0x1p20)
            step *= 2;
        return step > 0x1p20 ? (is_upper ? INFINITY : -INFINITY) : copysign(step, bound);
    }
    return 0; /* a negative upper bound, or a positive lower one, rises to 0 first */
}

/* Plain steps show most gated cells to be bounded at once. Then bounds that still grow jump from
 * one power of two to the next, so that 0.9*h + u finds 16; then they are let go. */
enum { PLAIN_STEPS = 6, WIDENING_STEPS = 60, NARROWING_STEPS = 40 };

static struct range start_of(const struct ir *ir, uint32_t state)
{
    uint32_t element;
    const struct ir_decl *decl = ir_decl_of(ir, IR_ROLE_STATE, state, &element);
    return range_point(decl ? decl->initial : 0.0);
}

static bool grow(const struct sweep *sweep, struct range *state, uint32_t round)
{
    const struct ir *ir = sweep->ir;
    struct range before[LIMIT_STATES];
    bool is_changed = false;

    for (uint32_t i = 0; i < ir->states; i++)
        before[i] = range_of(sweep, ir_find_out(ir, IR_OUT_NEXT, i, 0));
    for (uint32_t i = 0; i < ir->states; i++) {
        const struct range next = range_union(state[i], before[i]);
        struct range grown = next;
        if (round >= PLAIN_STEPS && next.lo < state[i].lo)
            grown.lo = round < WIDENING_STEPS ? widened(next.lo, false) : -INFINITY;
        if (round >= PLAIN_STEPS && next.hi > state[i].hi)
            grown.hi = round < WIDENING_STEPS ? widened(next.hi, true) : INFINITY;
        is_changed = is_changed || grown.lo != state[i].lo || grown.hi != state[i].hi ||
                     grown.may_be_nan != state[i].may_be_nan;
        state[i] = grown;
    }
    return is_changed;
}

/* An invariant set stays one when it is replaced by its image and the start. */
static void narrow(const struct sweep *sweep, struct range *state)
{
    const struct ir *ir = sweep->ir;
    struct range image[LIMIT_STATES];
    for (uint32_t i = 0; i < ir->states; i++)
        image[i] =
            range_union(start_of(ir, i), range_of(sweep, ir_find_out(ir, IR_OUT_NEXT, i, 0)));
    for (uint32_t i = 0; i < ir->states; i++)
        state[i] = (struct range){fmax(state[i].lo, image[i].lo), fmin(state[i].hi, image[i].hi),
                                  state[i].may_be_nan && image[i].may_be_nan};
}

static void find_states(const struct sweep *sweep, struct range *state, struct arena *arena)
{
    const struct ir *ir = sweep->ir;
    uint8_t *live = arena_alloc(arena, ir->insn_count);
    bool is_widened = false;

    ir_reach(ir, IR_MASK(IR_OUT_NEXT), live);
    for (uint32_t i = 0; i < ir->states; i++)
        state[i] = start_of(ir, i);
    for (uint32_t round = 0;; round++) {
        evaluate_all(sweep, live);
        if (!grow(sweep, state, round))
            break;
        is_widened = round >= PLAIN_STEPS;
    }
    for (uint32_t round = 0; is_widened && round < NARROWING_STEPS; round++) {
        narrow(sweep, state);
        evaluate_all(sweep, live);
    }
}

static double add_up(double sum, double term)
{
    return term == 0 ? sum : nextafter(sum + term, INFINITY);
}

/* Entry by entry, then all together: what bounds of the entries alone do not show, a search over the
 * values that they share may. */
static void find_jacobian(struct range_report *out, const struct sweep *sweep,
                          const struct structure *structure, struct arena *arena)
{
    struct contraction contraction;
    const struct ir *ir = sweep->ir;
    for (uint32_t i = 0; i < ir->states; i++) {
        double sum = 0;
        uint32_t terms = 0;
        for (uint32_t j = 0; j < ir->states; j++) {
            const ir_ref entry = ir_find_out(ir, IR_OUT_JACOBIAN, i, j);
            if (entry == IR_REF_NONE || !(structure->depends[i] >> j & 1))
                continue;
            out->jacobian[i][j] = range_of(sweep, entry);
            const double size = range_magnitude(out->jacobian[i][j]);
            sum = terms++ ? add_up(sum, size) : size;
        }
        if (i == 0 || sum > out->jacobian_bound) {
            out->jacobian_bound = sum;
            out->worst_row = i;
        }
    }
    if (ir->states > 0 && out->jacobian_bound > 0) {
        contraction_find(&contraction, ir, out->state, arena);
        if (contraction.bound < out->jacobian_bound) {
            out->jacobian_bound = contraction.bound;
            out->worst_row = contraction.row;
        }
    }
    out->is_contraction = out->jacobian_bound < 1;
}

static void find_overflow(struct range_report *out, const struct sweep *sweep)
{
    static const double largest_f16 = 65504.0, largest_bf16 = 0x1.fep127;
    const struct ir *ir = sweep->ir;
    for (uint32_t k = 0; k < ir->states + ir->outputs; k++) {
        const struct range range =
            k < ir->states ? out->state[k]
                           : range_of(sweep, ir_find_out(ir, IR_OUT_OUTPUT, k - ir->states, 0));
        const double size = fmax(fabs(range.lo), fabs(range.hi));
        if (size > largest_f16 && !out->may_overflow_f16) {
            out->may_overflow_f16 = true;
            out->overflow_state = k;
        }
        out->may_overflow_bf16 = out->may_overflow_bf16 || size > largest_bf16;
    }
}

void range_find(struct range_report *out, const struct ir *ir, const struct structure *structure,
                struct arena *arena)
{
    *out = (struct range_report){
        .value = arena_array(arena, ir->insn_count, sizeof *out->value),
    };
    const struct sweep sweep = {.ir = ir, .value = out->value, .state = out->state};
    find_states(&sweep, out->state, arena);
    evaluate_all(&sweep, NULL);
    find_jacobian(out, &sweep, structure, arena);
    find_overflow(out, &sweep);
}
