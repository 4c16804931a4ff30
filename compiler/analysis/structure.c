#include "structure.h"

#include "cost.h"

#include "components.h"
#include "depend.h"
#include "lasting.h"

#include <assert.h>

static state_set row_of(const struct pattern *pattern, uint32_t row)
{
    return pattern->words ? (state_set)pattern_row(pattern, row)[0] : 0;
}

static state_set set_of(const struct structure_block *block)
{
    state_set set = 0;
    for (uint32_t k = 0; k < block->count; k++)
        set |= (state_set)1 << block->state[k];
    return set;
}

/* The sweep again, with every state outside of the block as a known input: upstream states are
 * known, and downstream ones are not read. */
static bool block_is_affine(const struct structure_block *block, const struct ir *ir,
                            struct arena *arena)
{
    const state_set own = set_of(block);
    bool known[LIMIT_STATES];
    struct depend step;

    for (uint32_t i = 0; i < ir->states; i++)
        known[i] = !(own >> i & 1);
    depend_find_step(&step, ir, known, arena);
    for (uint32_t k = 0; k < block->count; k++)
        if (!pattern_row_is_empty(&step.nonlinear, block->state[k]))
            return false;
    return true;
}

/* Which states an output of the cell reads before the step. */
static state_set output_reads(const struct ir *ir, struct arena *arena)
{
    struct depend values;
    state_set reads = 0;
    depend_find(&values, ir, NULL, arena);
    for (uint32_t k = 0; k < ir->outputs; k++)
        for (uint32_t j = 0; j < ir->states; j++)
            if (depend_has(&values, ir_find_out(ir, IR_OUT_OUTPUT, k, 0), j))
                reads |= (state_set)1 << j;
    return reads;
}

void structure_find(struct structure *out, const struct ir *ir, struct arena *arena)
{
    struct depend step;
    struct components components;
    state_set read = output_reads(ir, arena);

    assert(ir->states <= LIMIT_STATES);
    *out = (struct structure){.states = ir->states, .is_affine = true};
    depend_find_step(&step, ir, NULL, arena);
    for (uint32_t i = 0; i < ir->states; i++) {
        out->depends[i] = row_of(&step.any, i);
        out->nonlinear[i] = row_of(&step.nonlinear, i);
        out->is_affine = out->is_affine && out->nonlinear[i] == 0;
        read |= out->depends[i];
    }

    components_find(&components, &step.any, arena);
    out->block_count = components.count;
    for (uint32_t c = 0; c < components.count; c++) {
        struct structure_block *block = &out->block[c];
        block->count = components.first[c + 1] - components.first[c];
        for (uint32_t k = 0; k < block->count; k++)
            block->state[k] = components.node[components.first[c] + k];
        block->is_affine = block_is_affine(block, ir, arena);
        block->is_readout = block->count == 1 && !(read >> block->state[0] & 1);
    }

    out->nonfinite_lasts = lasting_nonfinite(ir, arena);
    out->is_bare_linear = out->is_affine && cost_is_bare(ir, arena);
    pattern_close(&step.any);
    for (uint32_t i = 0; i < ir->states; i++)
        out->closed[i] = row_of(&step.any, i);
}

uint32_t structure_cycle(const struct ir *ir, uint32_t from, uint32_t *path, uint32_t room,
                         struct arena *arena)
{
    struct depend step;
    depend_find_step(&step, ir, NULL, arena);
    const uint32_t length = components_cycle(&step.any, from, false, path, room, arena);
    return length ? length : components_cycle(&step.any, from, true, path, room, arena);
}

uint32_t structure_largest_component(const struct ir *ir, uint32_t *member, struct arena *arena)
{
    struct depend step;
    struct components components;
    uint32_t largest = 0;

    depend_find_step(&step, ir, NULL, arena);
    components_find(&components, &step.any, arena);
    for (uint32_t c = 0; c < components.count; c++) {
        const uint32_t count = components.first[c + 1] - components.first[c];
        if (count > largest) {
            largest = count;
            *member = components.node[components.first[c]];
        }
    }
    return largest;
}

uint32_t structure_record_words(const struct structure *structure, const struct ir *ir,
                                uint32_t steps, bool in_halves)
{
    enum { WORDS_MOST = 96 };
    uint64_t tangents = 0;
    for (uint32_t i = 0; i < structure->states; i++)
        for (uint32_t j = 0; j < structure->states; j++)
            tangents += structure->closed[i] >> j & 1;
    tangents *= steps;
    const uint64_t words =
        (uint64_t)structure->states * steps + (in_halves ? (tangents + 1) / 2 : tangents);
    if (words > WORDS_MOST || (in_halves && structure->is_affine) || steps > cost_copies_most(ir))
        return 0;
    return (uint32_t)words;
}
