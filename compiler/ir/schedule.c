/* Depth first from the outs, of an instruction's operands the one that needs more registers first
 * (Sethi and Ullman, "The generation of optimal code for arithmetic expressions", 1970). On trees
 * that is optimal; shared values make it a heuristic, so the result is measured against the order
 * that was there. The compilers below us schedule again, within a window. */
#include "clean.h"

#include "ir_build.h"

/* The functions that are emitted; the order serves all of them. */
static const uint32_t functions[] = {
    IR_MASK(IR_OUT_NEXT) | IR_MASK(IR_OUT_OUTPUT),
    IR_MASK(IR_OUT_NEXT) | IR_MASK(IR_OUT_JACOBIAN),
    IR_MASK(IR_OUT_ADJACOBIAN) | IR_MASK(IR_OUT_SOURCE),
    IR_MASK(IR_OUT_ADJ_STATE) | IR_MASK(IR_OUT_ADJ_INPUT) | IR_MASK(IR_OUT_ADJ_PARAM),
};

/* The most live values when the instructions run in 'order', those that 'mask' does not reach left
 * out. */
static uint32_t max_live(const struct ir *ir, const uint32_t *order, uint32_t count, uint32_t mask,
                         struct arena *arena)
{
    uint8_t *wanted = arena_array(arena, ir->insn_count, sizeof *wanted);
    uint32_t *uses = arena_array(arena, ir->insn_count, sizeof *uses);
    ir_reach(ir, mask, wanted);
    for (uint32_t i = 0; i < ir->insn_count; i++) {
        for (unsigned k = 0; wanted[i] && k < 3; k++) {
            const ir_ref ref = ir_operand(&ir->insns[i], k);
            if (ir_kind(ref) == IR_VALUE)
                uses[ir_index(ref)]++;
        }
    }
    for (uint32_t i = 0; i < ir->out_count; i++) {
        if (mask & IR_MASK(ir->outs[i].kind) && ir_kind(ir->outs[i].value) == IR_VALUE)
            uses[ir_index(ir->outs[i].value)]++; /* never taken back: live to the end */
    }

    uint32_t live = 0, most = 0;
    for (uint32_t n = 0; n < count; n++) {
        if (!wanted[order[n]])
            continue;
        for (unsigned k = 0; k < 3; k++) {
            const ir_ref ref = ir_operand(&ir->insns[order[n]], k);
            if (ir_kind(ref) == IR_VALUE && --uses[ir_index(ref)] == 0)
                live--; /* the result may take the place of an operand that ends here */
        }
        live++;
        most = live > most ? live : most;
    }
    return most;
}

uint32_t ir_max_live(const struct ir *ir, uint32_t mask, struct arena *arena)
{
    uint32_t *order = arena_array(arena, ir->insn_count, sizeof *order);
    for (uint32_t i = 0; i < ir->insn_count; i++)
        order[i] = i;
    return max_live(ir, order, ir->insn_count, mask, arena);
}

static uint32_t cost(const struct ir *ir, const uint32_t *order, uint32_t count)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        sum += max_live(ir, order, count, functions[i], ir->arena);
    return sum;
}

/* The operands that are instructions, the one with the greatest need first; among equals as
 * written. Returns how many. */
static unsigned sorted_operands(const struct ir_insn *insn, const uint32_t *need, uint32_t out[3])
{
    unsigned count = 0;
    for (unsigned k = 0; k < 3; k++) {
        const ir_ref ref = ir_operand(insn, k);
        if (ir_kind(ref) != IR_VALUE)
            continue;
        unsigned place = count++;
        for (; place > 0 && need[out[place - 1]] < need[ir_index(ref)]; place--)
            out[place] = out[place - 1];
        out[place] = ir_index(ref);
    }
    return count;
}

/* Registers to compute each value as if it were a tree: while the k-th operand is computed, k
 * results before it are held. */
static uint32_t *find_needs(const struct ir *ir)
{
    uint32_t *need = arena_array(ir->arena, ir->insn_count, sizeof *need);
    for (uint32_t i = 0; i < ir->insn_count; i++) {
        uint32_t operand[3];
        const unsigned count = sorted_operands(&ir->insns[i], need, operand);
        need[i] = 1;
        for (unsigned k = 0; k < count; k++)
            need[i] = need[operand[k]] + k > need[i] ? need[operand[k]] + k : need[i];
    }
    return need;
}

struct walk {
    const struct ir *ir;
    const uint32_t *need;
    uint8_t *is_placed;
    uint32_t *stack, *order; /* a stack of our own: a chain may be as long as the cell */
    uint32_t count;
};

static void walk_from(struct walk *walk, uint32_t root)
{
    uint32_t depth = 0;
    if (!walk->is_placed[root])
        walk->stack[depth++] = root;
    while (depth > 0) {
        const uint32_t top = walk->stack[depth - 1];
        uint32_t operand[3];
        const unsigned count = sorted_operands(&walk->ir->insns[top], walk->need, operand);
        unsigned k = 0;
        while (k < count && walk->is_placed[operand[k]])
            k++;
        if (k < count) {
            walk->stack[depth++] = operand[k];
            continue;
        }
        walk->is_placed[top] = 1;
        walk->order[walk->count++] = top;
        depth--;
    }
}

/* As written: what is computed first stands first. */
void ir_number(struct ir *ir)
{
    struct walk walk = {
        .ir = ir,
        .need = arena_array(ir->arena, ir->insn_count, sizeof *walk.need),
        .is_placed = arena_array(ir->arena, ir->insn_count, sizeof *walk.is_placed),
        .stack = arena_array(ir->arena, ir->insn_count, sizeof *walk.stack),
        .order = arena_array(ir->arena, ir->insn_count, sizeof *walk.order),
    };
    for (uint32_t i = 0; i < ir->out_count; i++) {
        if (ir_kind(ir->outs[i].value) == IR_VALUE)
            walk_from(&walk, ir_index(ir->outs[i].value));
    }
    uint32_t *place = arena_array(ir->arena, ir->insn_count, sizeof *place);
    for (uint32_t i = 0; i < walk.count; i++)
        place[walk.order[i]] = i;
    for (uint32_t i = 0; i < ir->insn_count; i++) {
        struct ir_insn *insn = &ir->insns[i];
        if (ir_is_commutative((enum ir_op)insn->op) && ir_kind(insn->a) == IR_VALUE &&
            ir_kind(insn->b) == IR_VALUE && place[ir_index(insn->b)] < place[ir_index(insn->a)]) {
            const ir_ref first = insn->b;
            insn->b = insn->a;
            insn->a = first;
        }
    }
    ir_reorder(ir, walk.order, walk.count);
    ir->is_as_written = false;
}

void ir_schedule(struct ir *ir)
{
    ir_remove_dead(ir);
    struct walk walk = {
        .ir = ir,
        .need = find_needs(ir),
        .is_placed = arena_array(ir->arena, ir->insn_count, sizeof *walk.is_placed),
        .stack = arena_array(ir->arena, ir->insn_count, sizeof *walk.stack),
        .order = arena_array(ir->arena, ir->insn_count, sizeof *walk.order),
    };
    for (uint32_t i = 0; i < ir->out_count; i++) {
        if (ir_kind(ir->outs[i].value) == IR_VALUE)
            walk_from(&walk, ir_index(ir->outs[i].value));
    }
    uint32_t *present = arena_array(ir->arena, ir->insn_count, sizeof *present);
    for (uint32_t i = 0; i < ir->insn_count; i++)
        present[i] = i;
    if (cost(ir, walk.order, walk.count) < cost(ir, present, ir->insn_count))
        ir_reorder(ir, walk.order, walk.count);
}
