#include "clean.h"

#include "ir_build.h"

void ir_remove_dead(struct ir *ir)
{
    uint8_t *live = arena_array(ir->arena, ir->insn_count, sizeof *live);
    uint32_t *order = arena_array(ir->arena, ir->insn_count, sizeof *order);
    const uint32_t live_count = ir_reach(ir, UINT32_MAX, live);
    if (live_count == ir->insn_count)
        return;
    uint32_t count = 0;
    for (uint32_t i = 0; i < ir->insn_count; i++) {
        if (live[i])
            order[count++] = i;
    }
    ir_reorder(ir, order, count);
}
