/* Requires  place.h
 * Provides  the kernel PRNN_ENTRY: how far PRNN_ARG_X + 0 is from PRNN_ARG_X + 1, arrays of head.seq_len
 *           elements, without bringing them to the host
 * Layout    PRNN_ARG_H: [thread blocks][COMPARE_FIELDS] reals, a row a block: sum of squared differences, sum of
 *           squares of the second array, largest difference, elements whose bits differ, those of them where
 *           one side is infinite or NaN, elements looked at. s_part [PRNN_THREADS] reals
 * Launch    head.channels thread blocks of PRNN_THREADS threads, a power of two */
#define COMPARE_FIELDS 6

/* The sum, or the largest, of one value of every thread; seen by thread 0. */
PRNN_FN prnn_real compare_fold(prnn_real v, int is_largest)
{
    PRNN_SHARED(prnn_real, s_part, PRNN_S_MAP, PRNN_THREADS);
    PRNN_BARRIER(); /* all threads: the fold before is read */
    PRNN_SST(s_part, PRNN_TID, v);
    PRNN_BARRIER(); /* all threads: every part is written */
    PRNN_NO_UNROLL
    for (prnn_i32 half = PRNN_THREADS / 2; half > 0; half /= 2) {
        if (PRNN_TID < half) {
            const prnn_real mine = PRNN_SLD(s_part, PRNN_TID), other = PRNN_SLD(s_part, PRNN_TID + half);
            PRNN_SST(s_part, PRNN_TID, is_largest ? real_larger(mine, other) : mine + other);
        }
        PRNN_BARRIER(); /* all threads: the upper half is folded into the lower */
    }
    return PRNN_SLD(s_part, 0);
}

PRNN_KERNEL(PRNN_ENTRY, PRNN_THREADS)
{
    const struct prnn_launch *launch = PRNN_LAUNCH;
    const prnn_elem *found = (const prnn_elem *)launch->arg[PRNN_ARG_X].base;
    const prnn_elem *wanted = (const prnn_elem *)launch->arg[PRNN_ARG_X + 1].base;
    const prnn_i64 stride = launch->head.channels * PRNN_THREADS;
    prnn_real difference = 0, size = 0, largest = 0, unequal = 0, strange = 0, seen = 0;
    PRNN_NO_UNROLL
    for (prnn_i64 i = (prnn_i64)PRNN_BID * PRNN_THREADS + PRNN_TID; i < launch->head.seq_len; i += stride) {
        const prnn_real a = (prnn_real)PRNN_TO_REAL(PRNN_GLD(found + i));
        const prnn_real b = (prnn_real)PRNN_TO_REAL(PRNN_GLD(wanted + i));
        seen += 1;
        if (real_is_finite(b))
            size = PRNN_FMA(b, b, size);
        if (real_is_same(a, b))
            continue;
        unequal += 1;
        if (real_is_finite(a) && real_is_finite(b)) {
            const prnn_real gap = real_abs(a - b);
            difference = PRNN_FMA(gap, gap, difference);
            largest = real_larger(largest, gap);
        } else {
            strange += 1;
        }
    }
    const prnn_real row[COMPARE_FIELDS] = {
        compare_fold(difference, 0), compare_fold(size, 0),    compare_fold(largest, 1),
        compare_fold(unequal, 0),    compare_fold(strange, 0), compare_fold(seen, 0)};
    prnn_real *out = (prnn_real *)launch->arg[PRNN_ARG_H].base + (prnn_i64)PRNN_BID * COMPARE_FIELDS;
    if (PRNN_TID == 0) {
        PRNN_UNROLL
        for (int i = 0; i < COMPARE_FIELDS; i++)
            PRNN_GST(out + i, row[i]);
    }
}
