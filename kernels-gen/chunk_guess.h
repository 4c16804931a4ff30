/* The entry of a chunk from the steps before it alone, as if nothing had been before them; and whether that will do, which
 * shows early: a second state begins anew one step later and is run beside the first, and the cell forgets as fast as the two
 * meet.
 *
 * Requires  chunk_run.h
 * Provides  chunk_guess()
 * Launch    as chunk_run.h */

/* What may be left of a difference, of the tolerance, by what the first steps show: cells forget unevenly. */
#define PRNN_GUESS_MARGIN ((prnn_real)0.1)
/* Guesses that seem to take up to so many times their steps are made all the same: some entries of random numbers do, and
 * most of them are right. */
#define PRNN_GUESS_SLACK(steps) ((steps) + (steps) / 2)

/* About log2 of the quotient of two positive floats, in units of 2^-13, from their bits: the same on every machine. */
PRNN_FN prnn_i32 log2_of_quotient(prnn_real a, prnn_real b)
{
    return ((prnn_i32)PRNN_BITS32(a) - (prnn_i32)PRNN_BITS32(b)) >> 10;
}

/* Whether so many steps leave 'wanted' of a difference of which n steps leave left / first, or less. */
PRNN_FN int is_forgotten(prnn_real first, prnn_real left, prnn_i32 n, prnn_i32 steps, prnn_real wanted)
{
    return left == 0 || log2_of_quotient(first, left) >= n * log2_of_quotient(1, wanted) / steps;
}

/* Run those of the PRNN_WARM_STEPS before the chunk that approximate, all but the last PRNN_WARM_EXACT, from h on, which is the
 * initial state. The reader is where they begin. Returns whether a guess will do. */
PRNN_FN int chunk_guess(const struct chunk *k, prnn_real tolerance, struct reader *reader, prnn_real (*h)[PRNN_N])
{
    enum { STEPS = PRNN_WARM_STEPS - PRNN_WARM_EXACT };
    const prnn_i32 end = chunk_fast_steps(k);
    prnn_real anew[PRNN_VC][PRNN_N], first[PRNN_VC];
    int is_enough = 1;
    states_copy(anew, h);
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++)
        first[v] = 0;
    PRNN_NO_UNROLL
    for (prnn_i32 s = -PRNN_WARM_STEPS; s < -PRNN_WARM_EXACT; s += PRNN_UNROLL_STEPS) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_UNROLL_STEPS; i++) {
            struct step_inputs in;
            reader_take(reader, k, s + i, i, &in);
            warm_step(k, &in, h);
            if (i > 0 || s > -PRNN_WARM_STEPS) {
                warm_step(k, &in, anew);
            } else {
                PRNN_UNROLL
                for (int v = 0; v < PRNN_VC; v++)
                    first[v] = states_gap(h[v], anew[v]);
            }
            reader_free(reader, k, s, end, PRNN_UNROLL_STEPS, i, 0);
        }
    }
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++)
        is_enough &= !chunk_is_real(k, v) ||
                     is_forgotten(first[v], states_gap(h[v], anew[v]), STEPS, PRNN_GUESS_SLACK(PRNN_WARM_STEPS),
                                  PRNN_GUESS_MARGIN * tolerance);
    return is_enough;
}
