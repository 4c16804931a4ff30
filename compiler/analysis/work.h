/* What a thread of a GPU does in one evaluation of a function of the cell, in the units that bound
 * it: instructions, results of the special-function unit, and clocks of the longest dependent
 * chain. */
#ifndef PRNN_WORK_H
#define PRNN_WORK_H

#include "ir.h"

/* Whose elementary functions. */
enum work_math {
    WORK_ACCURATE,    /* float: hardware approximations, corrected */
    WORK_APPROXIMATE, /* float: hardware approximations */
    WORK_SOFTWARE,    /* mode strict, and double: polynomials */
    WORK_MATH_COUNT
};

enum work_function {
    WORK_STEP,     /* next states */
    WORK_OUTPUTS,  /* ... and outputs */
    WORK_JACOBIAN, /* next states and the Jacobian */
    WORK_BACKMAP,  /* transposed Jacobian and source of the reverse scan */
    WORK_ADJOINT,  /* all gradients of one step */
    WORK_FUNCTION_COUNT
};

/* Of what depends on a step: the rest is computed once. */
struct work {
    double issue;   /* instructions */
    double special; /* results of the special-function unit, 16 a clock and multiprocessor */
    /* Clocks from the states before the step to those after it; of WORK_ADJOINT from the cotangents
     * of the states after it to those before it. Of WORK_BACKMAP 0: it depends on neither. */
    double chain;
    double depth; /* ... from all that the step reads */
};

struct work_table {
    struct work of[WORK_FUNCTION_COUNT][WORK_MATH_COUNT];
};

/* Needs the outs of every function. */
void work_find(struct work_table *out, const struct ir *ir, struct arena *arena);

#endif
