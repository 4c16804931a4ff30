#include "shooting.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void shooting_cell_create(struct shooting_cell *out, const struct ir *ir, struct arena *arena)
{
    const uint32_t next = IR_MASK(IR_OUT_NEXT), guess = IR_MASK(IR_OUT_GUESS);
    bool has_guess = false;
    for (uint32_t i = 0; i < ir->states; i++)
        has_guess = has_guess || ir_find_out(ir, IR_OUT_GUESS, i, 0) != IR_REF_NONE;
    out->ir = ir;
    out->step = ir_program_create(ir, next, arena);
    out->tangent = ir_program_create(ir, next | IR_MASK(IR_OUT_JACOBIAN), arena);
    out->guess = has_guess ? ir_program_create(ir, guess, arena) : NULL;
}

static size_t program_scratch(const struct shooting_cell *cell)
{
    size_t most = ir_program_scratch(cell->step);
    if (ir_program_scratch(cell->tangent) > most)
        most = ir_program_scratch(cell->tangent);
    if (cell->guess && ir_program_scratch(cell->guess) > most)
        most = ir_program_scratch(cell->guess);
    return most;
}

#define real float
#define NAMED(name) name##_f32
#define LEAVES ir_leaves_f32
#define EVALUATE ir_eval_f32
#define EPSILON FLT_EPSILON
#include "shooting_body.h"
#undef real
#undef NAMED
#undef LEAVES
#undef EVALUATE
#undef EPSILON

#define real double
#define NAMED(name) name##_f64
#define LEAVES ir_leaves_f64
#define EVALUATE ir_eval_f64
#define EPSILON DBL_EPSILON
#include "shooting_body.h"
#undef real
#undef NAMED
#undef LEAVES
#undef EVALUATE
#undef EPSILON

bool shooting_solve(const struct shooting_cell *cell, const struct shooting_options *options,
                    const struct shooting_problem *problem, struct shooting_report *report)
{
    *report = (struct shooting_report){.step = -1};
    return options->in_float ? solve_f32(cell, options, problem, report)
                             : solve_f64(cell, options, problem, report);
}
