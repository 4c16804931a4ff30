/* Cells as IR text, for the tests of analysis and differentiation. */
#ifndef PRNN_SAMPLE_CELLS_H
#define PRNN_SAMPLE_CELLS_H

#include "arena.h"
#include "ir.h"
#include "ir_text.h"

#include <check.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

struct sample_cell {
    const char *name, *text;
};

static const struct sample_cell sample_cells[] = {
    {"gru", "ir 1 cell \"gru\"\n"
            "state h\n"
            "input uz\ninput ur\ninput uc\n"
            "param az in -1 1\nparam ar in -1 1\nparam ac in -1 1\n"
            "output h\n"
            "%0 = mul p0, h0\n%1 = add %0, x0\n%2 = sigmoid %1\n"
            "%3 = mul p1, h0\n%4 = add %3, x1\n%5 = sigmoid %4\n"
            "%6 = mul %5, h0\n%7 = mul p2, %6\n%8 = add %7, x2\n%9 = tanh %8\n"
            "%10 = sub 1, %2\n%11 = mul %10, h0\n%12 = mul %2, %9\n%13 = add %11, %12\n"
            "out next.0 = %13\nout out.0 = %13\n"},
    {"lstm", "ir 1 cell \"lstm\"\n"
             "state c\nstate h\n"
             "input uf\ninput uz\ninput uo\n"
             "param af\nparam az\nparam ao\nparam pf\nparam po\n"
             "output h\n"
             "%0 = mul p0, h1\n%1 = mul p3, h0\n%2 = add %0, %1\n%3 = add %2, x0\n"
             "%4 = sigmoid %3\n"
             "%5 = mul p1, h1\n%6 = add %5, x1\n%7 = tanh %6\n"
             "%8 = mul %4, h0\n%9 = sub 1, %4\n%10 = mul %9, %7\n%11 = add %8, %10\n"
             "%12 = mul p2, h1\n%13 = mul p4, %11\n%14 = add %12, %13\n%15 = add %14, x2\n"
             "%16 = sigmoid %15\n%17 = tanh %11\n%18 = mul %16, %17\n"
             "out next.0 = %11\nout next.1 = %18\nout out.0 = %18\n"},
    /* States c, n, m, h; the gates read no state, so h is read by nothing. */
    {"slstm, r = 0", "ir 1 cell \"slstm\"\n"
                     "state c\nstate n 1\nstate m\nstate h\n"
                     "input ui\ninput uf\ninput uz\ninput uo\n"
                     "output h\n"
                     "%0 = add x1, h2\n%1 = max %0, x0\n"
                     "%2 = sub x0, %1\n%3 = exp %2\n%4 = sub %0, %1\n%5 = exp %4\n"
                     "%6 = tanh x2\n%7 = mul %5, h0\n%8 = mul %3, %6\n%9 = add %7, %8\n"
                     "%10 = mul %5, h1\n%11 = add %10, %3\n"
                     "%12 = sigmoid x3\n%13 = mul %12, %9\n%14 = div %13, %11\n"
                     "out next.0 = %9\nout next.1 = %11\nout next.2 = %1\nout next.3 = %14\n"
                     "out out.0 = %14\n"},
    {"slstm", "ir 1 cell \"slstm\"\n"
              "state c\nstate n 1\nstate m\nstate h\n"
              "input ui\ninput uf\ninput uz\ninput uo\n"
              "param ri\nparam rf\nparam rz\nparam ro\n"
              "output h\n"
              "%0 = mul p0, h3\n%1 = add x0, %0\n%2 = mul p1, h3\n%3 = add x1, %2\n"
              "%4 = add %3, h2\n%5 = max %4, %1\n"
              "%6 = sub %1, %5\n%7 = exp %6\n%8 = sub %4, %5\n%9 = exp %8\n"
              "%10 = mul p2, h3\n%11 = add x2, %10\n%12 = tanh %11\n"
              "%13 = mul %9, h0\n%14 = mul %7, %12\n%15 = add %13, %14\n"
              "%16 = mul %9, h1\n%17 = add %16, %7\n"
              "%18 = mul p3, h3\n%19 = add x3, %18\n%20 = sigmoid %19\n"
              "%21 = mul %20, %15\n%22 = abs %17\n%23 = add %22, 0.5\n%24 = div %21, %23\n"
              "out next.0 = %15\nout next.1 = %17\nout next.2 = %5\nout next.3 = %24\n"
              "out out.0 = %24\n"},
    /* h' = (1 - z)*h + z*u with a gate of the input: a minGRU. */
    {"affine", "ir 1 cell \"mingru\"\n"
               "state h\ninput v\ninput u\n"
               "%0 = sigmoid x0\n%1 = sub 1, %0\n%2 = mul %1, h0\n%3 = mul %0, x1\n"
               "%4 = add %2, %3\nout next.0 = %4\n"},
    {"rotation", "ir 1 cell \"rotation\"\n"
                 "state a\nstate b\ninput u\nparam s\n"
                 "%0 = cos p0\n%1 = sin p0\n"
                 "%2 = mul %0, h0\n%3 = mul %1, h1\n%4 = sub %2, %3\n%5 = add %4, x0\n"
                 "%6 = mul %1, h0\n%7 = mul %0, h1\n%8 = add %6, %7\n"
                 "out next.0 = %5\nout next.1 = %8\n"},
    /* a' = tanh(a + u), b' = a*b: linear in b once a is known, not as a whole. */
    {"one-way", "ir 1 cell \"oneway\"\n"
                "state b\nstate a\ninput u\n"
                "%0 = add h1, x0\n%1 = tanh %0\n%2 = mul h1, h0\n"
                "out next.0 = %2\nout next.1 = %1\n"},
    {"independent", "ir 1 cell \"independent\"\n"
                    "state a\nstate b\nstate c\ninput u\n"
                    "%0 = add h0, x0\n%1 = tanh %0\n%2 = sigmoid h1\n%3 = mul 0.5, h2\n"
                    "out next.0 = %1\nout next.1 = %2\nout next.2 = %3\n"},
    /* Three states, each reads itself and those before it. */
    {"triangular", "ir 1 cell \"triangular\"\n"
                   "state a\nstate b\nstate c\ninput u\nparam w\n"
                   "%0 = add h0, x0\n%1 = tanh %0\n"
                   "%2 = mul p0, h1\n%3 = add %2, %1\n%4 = tanh %3\n"
                   "%5 = mul p0, h2\n%6 = add %5, %4\n%7 = sigmoid %6\n"
                   "out next.0 = %1\nout next.1 = %4\nout next.2 = %7\n"},
    /* A ring of four: a' reads d, b' reads a, c' reads b, d' reads c. */
    {"ring", "ir 1 cell \"ring\"\n"
             "state a\nstate b\nstate c\nstate d\ninput u\n"
             "%0 = add h3, x0\n%1 = tanh %0\n%2 = tanh h0\n%3 = tanh h1\n%4 = tanh h2\n"
             "out next.0 = %1\nout next.1 = %2\nout next.2 = %3\nout next.3 = %4\n"},
    /* Kinks and choices: clamp, relu, abs, min, max, where, sqrt of what may not be taken. */
    {"kinks", "ir 1 cell \"kinks\"\n"
              "state a\nstate b\ninput u\ninput v\nparam w\n"
              "output y\n"
              "%0 = mul p0, h0\n%1 = add %0, x0\n%2 = max %1, 0\n%3 = min %2, 1\n"
              "%4 = gt h1, x1\n%5 = abs h1\n%6 = sqrt %5\n%7 = mul %6, h0\n%8 = neg h1\n"
              "%9 = where %4, %7, %8\n%10 = sub %9, %3\n%11 = tanh %10\n"
              "%12 = min h0, h1\n%13 = max %12, x0\n%14 = lt h0, 0\n%15 = and %4, %14\n"
              "%16 = where %15, %13, %11\n%17 = mul %16, %5\n%18 = sin %17\n"
              "%19 = sign h0\n%20 = mul %19, %18\n%21 = fma %20, h1, %11\n"
              "out next.0 = %11\nout next.1 = %21\nout out.0 = %20\n"},
    /* Every kind of function, in domains that hold everywhere. */
    {"functions", "ir 1 cell \"functions\"\n"
                  "state a\nstate b\ninput u\ninput v nograd\nparam w\nparam s shared\n"
                  "output y\n"
                  "%0 = mul h0, h0\n%1 = add %0, 1\n%2 = log %1\n%3 = rsqrt %1\n"
                  "%4 = softplus h1\n%5 = add %4, 0.25\n%6 = pow %5, p0\n%7 = log1p %4\n"
                  "%8 = erf h0\n%9 = sin x0\n%10 = cos h1\n%11 = expm1 %8\n%12 = exp %10\n"
                  "%13 = div %2, %5\n%14 = sub %13, %7\n%15 = mul %14, p1\n%16 = sub %15, x1\n"
                  "%17 = mul %11, %9\n%18 = sub %16, %17\n%19 = tanh %18\n"
                  "%20 = mul %12, %3\n%21 = neg %20\n%22 = sub %21, %6\n%23 = sigmoid %22\n"
                  "%24 = pow %1, 3\n%25 = sqrt %24\n%26 = div %19, %25\n"
                  "out next.0 = %19\nout next.1 = %23\nout out.0 = %26\n"},
};

enum { SAMPLE_CELL_COUNT = sizeof sample_cells / sizeof sample_cells[0] };

static inline struct ir *sample_read(struct arena *arena, const char *text)
{
    uint32_t line = 0;
    const char *message = NULL;
    struct ir *ir = ir_read(arena, text, &line, &message);
    ck_assert_msg(ir != NULL, "line %u: %s", (unsigned)line, message);
    message = ir_verify(ir, false, arena);
    ck_assert_msg(message == NULL, "%s", message);
    return ir;
}

static inline struct ir *sample_cell(struct arena *arena, const char *name)
{
    for (int i = 0; i < SAMPLE_CELL_COUNT; i++)
        if (strcmp(sample_cells[i].name, name) == 0)
            return sample_read(arena, sample_cells[i].text);
    ck_abort_msg("no sample cell '%s'", name);
    return NULL;
}

/* The arena of one test; a test that runs out of memory fails. */
static jmp_buf sample_escape;

static inline struct arena *sample_arena(void)
{
    struct arena *arena = arena_create(&sample_escape);
    ck_assert_msg(arena != NULL, "no memory");
    return arena;
}

/* A small generator (Marsaglia, J. Stat. Soft. 8(14), 2003): the same points on every machine. */
static inline double sample_random(uint64_t *state, double lo, double hi)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return lo + (hi - lo) * ((double)(*state >> 11) * 0x1p-53);
}

/* Runs one test case; the exit status of the program. */
static inline int sample_run(const char *name, TCase *tcase)
{
    Suite *suite = suite_create(name);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
