/* Steps of one state h0 and one input x0 at points where a branch that is not taken has an infinite
 * partial, or where there is a tie. d(next)/d(h0) is known; tangent and adjoint must both give it.
 */
#ifndef PRNN_SAMPLE_GATES_H
#define PRNN_SAMPLE_GATES_H

#include <math.h>

struct sample_gate {
    const char *name, *body; /* the last value is the new state */
    double h, x, expected;
};

static const struct sample_gate sample_gates[] = {
    {"sqrt in the branch not taken", "%0 = gt h0, 0\n%1 = sqrt h0\n%2 = where %0, %1, h0\n", 0, 0,
     1},
    {"sqrt of a choice", "%0 = gt h0, 0\n%1 = where %0, h0, 0\n%2 = sqrt %1\n", 0, 0, 0},
    {"sqrt of a choice, taken", "%0 = gt h0, 0\n%1 = where %0, h0, 0\n%2 = sqrt %1\n", 4, 0, 0.25},
    {"sqrt of a sum of two choices",
     "%0 = gt h0, 1\n%1 = gt h0, 2\n%2 = where %0, h0, 0\n%3 = where %1, h0, 0\n%4 = add %2, %3\n"
     "%5 = sqrt %4\n",
     0.5, 0, 0},
    {"sqrt of a sum of two choices, one taken",
     "%0 = gt h0, 1\n%1 = gt h0, 2\n%2 = where %0, h0, 0\n%3 = where %1, h0, 0\n%4 = add %2, %3\n"
     "%5 = sqrt %4\n",
     1.5625, 0, 0.4},
    {"sqrt of a difference of two choices by one condition",
     "%0 = gt h0, 1\n%1 = where %0, h0, 0\n%2 = mul 3, h0\n%3 = where %0, %2, 0\n%4 = sub %3, %1\n"
     "%5 = sqrt %4\n",
     0, 0, 0},
    {"one sqrt behind two conditions",
     "%0 = gt h0, 1\n%1 = gt h0, 2\n%2 = sqrt h0\n%3 = where %0, %2, 0\n%4 = mul %2, x0\n"
     "%5 = where %1, %4, 0\n%6 = add %3, %5\n",
     0, 3, 0},
    {"one log behind two conditions, one taken",
     "%0 = gt h0, 0.25\n%1 = gt h0, 2\n%2 = log h0\n%3 = where %0, %2, 0\n%4 = mul %2, x0\n"
     "%5 = where %1, %4, 0\n%6 = sub %3, %5\n",
     0.5, 3, 2},
    {"nested choices, the outer one not taken",
     "%0 = gt h0, 1\n%1 = lt h0, 5\n%2 = sqrt h0\n%3 = where %1, %2, 0\n%4 = where %0, %3, 0\n"
     "%5 = mul %4, x0\n",
     0, 2, 0},
    {"nested choices, the inner one not taken",
     "%0 = gt h0, 1\n%1 = lt h0, 5\n%2 = sqrt h0\n%3 = where %0, %2, 0\n%4 = where %1, %3, h0\n"
     "%5 = mul %4, x0\n",
     0, 2, 0},
    {"sqrt of a choice within a choice",
     "%0 = gt h0, 1\n%1 = lt x0, 5\n%2 = where %0, h0, 0\n%3 = where %1, %2, x0\n%4 = sqrt %3\n", 0,
     2, 0},
    {"negated choice under a root",
     "%0 = lt h0, 0\n%1 = neg h0\n%2 = where %0, %1, 0\n%3 = sqrt %2\n%4 = neg %3\n", 1, 0, 0},
    {"negated choice under a root, taken",
     "%0 = lt h0, 0\n%1 = neg h0\n%2 = where %0, %1, 0\n%3 = sqrt %2\n%4 = neg %3\n", -4, 0, 0.25},
    {"quotient by a maximum", "%0 = max h0, 0\n%1 = div 1, %0\n", -1, 0, 0},
    {"root of a maximum", "%0 = max h0, 0\n%1 = sqrt %0\n", -1, 0, 0},
    {"either branch", "%0 = lt h0, 1\n%1 = mul h0, h0\n%2 = mul 3, h0\n%3 = where %0, %1, %2\n",
     0.5, 0, 1},
    {"or branch", "%0 = lt h0, 1\n%1 = mul h0, h0\n%2 = mul 3, h0\n%3 = where %0, %1, %2\n", 2, 0,
     3},
    {"branches of different sign",
     "%0 = lt h0, 1\n%1 = sub x0, h0\n%2 = mul 3, h0\n%3 = where %0, %1, %2\n", 0.5, 0, -1},
    {"both branches negative",
     "%0 = lt h0, 1\n%1 = sub x0, h0\n%2 = mul 3, h0\n%3 = neg %2\n%4 = where %0, %1, %3\n", 2, 0,
     -3},
    {"exponent that is the state, base zero", "%0 = pow x0, h0\n", 2, 0, 0},
    {"base zero", "%0 = pow h0, 2\n", 0, 0, 0},
    {"negative base", "%0 = pow h0, 3\n", -2, 0, 12},
    {"tie of max, first", "%0 = max h0, x0\n", 2, 2, 1},
    {"tie of max, second", "%0 = max x0, h0\n", 2, 2, 0},
    {"tie of min, first", "%0 = min h0, x0\n", 2, 2, 1},
    {"tie of min, second", "%0 = min x0, h0\n", 2, 2, 0},
    {"lower end of clamp", "%0 = max h0, -1\n%1 = min %0, 1\n", -1, 0, 1},
    {"upper end of clamp", "%0 = max h0, -1\n%1 = min %0, 1\n", 1, 0, 1},
    {"outside of clamp", "%0 = max h0, -1\n%1 = min %0, 1\n", 1.5, 0, 0},
    {"abs at zero", "%0 = abs h0\n", 0, 0, 0},
    {"infinite partial that is taken", "%0 = sqrt h0\n", 0, 0, INFINITY},
};

enum { SAMPLE_GATE_COUNT = sizeof sample_gates / sizeof sample_gates[0] };

/* The number of instructions in 'body'. */
static inline unsigned sample_gate_length(const struct sample_gate *gate)
{
    unsigned length = 0;
    for (const char *c = gate->body; *c; c++)
        length += *c == '\n';
    return length;
}

#endif
