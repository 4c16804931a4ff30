/* What a thread sees of the answer, for the certificate.
 *
 * Requires  chunk.h, tile.h
 * Provides  struct witness, witness_none(), witness_add(), witness_add_all(), witness_finite(); where a tile has several
 *           chunks exits_differ() */

/* What a thread has seen for the certificate: gap / scale is its largest mismatch; nonfinite: inf or NaN was among
 * the states. */
struct witness {
    prnn_real gap, scale;
    prnn_i64 step;
    prnn_i32 c;
    int nonfinite;
};

PRNN_FN void witness_none(struct witness *seen)
{
    seen->gap = 0;
    seen->scale = 1;
    seen->step = -1;
    seen->c = 0;
    seen->nonfinite = 0;
}

PRNN_FN void witness_add(struct witness *seen, prnn_real gap, prnn_real scale, prnn_i64 step, prnn_i32 c)
{
    if (gap * seen->scale > seen->gap * scale) {
        seen->gap = gap;
        seen->scale = scale;
        seen->step = step;
        seen->c = c;
    }
}

PRNN_FN void witness_add_all(struct witness *seen, const struct witness *pass)
{
    witness_add(seen, pass->gap, pass->scale, pass->step, pass->c);
    seen->nonfinite |= pass->nonfinite;
}

/* Whether the states of a chunk are finite, whose size is 'scale'. */
PRNN_FN void witness_finite(struct witness *pass, const struct chunk *k, const prnn_real *scale)
{
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++)
        pass->nonfinite |= chunk_is_real(k, v) && !real_is_finite(scale[v]);
}

#if PRNN_ALL_CHUNKS > 1
/* After a run from the entry e: take what the chunk before ended with, 'found'. Returns a bit for each channel of the thread
 * where they differ by more than the tolerance. 'scale' of the chunk's states. */
PRNN_FN int exits_differ(const struct chunk *k, prnn_real tolerance, prnn_real (*e)[PRNN_N], prnn_real (*found)[PRNN_N],
                         prnn_real *scale, struct witness *pass)
{
    int differs = 0;
    states_copy(found, e);
    entry_take(k, found, 0);
    witness_finite(pass, k, scale);
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        prnn_real gap;
        const int is_off = entry_differs(e[v], found[v], tolerance, &gap, &scale[v]);
        if (!chunk_is_real(k, v))
            continue;
        differs |= is_off << v;
        /* Also above the tolerance: the certificate says what is left, not that the loop believes to be done. */
        witness_add(pass, gap, scale[v], k->t0, k->c + v);
    }
    return differs;
}
#endif
