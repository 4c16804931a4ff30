/* What the threads of a tile tell each other: entries of chunks, whether they agree, how the next tile begins.
 *
 * Requires  chunk.h; PRNN_S_ENTRY, PRNN_S_FLAG
 * Provides  PRNN_ALL_CHUNKS; where a tile has several chunks entry_put(), entry_get(), entry_hand_over(),
 *           entry_hand_over_in_block(), entry_take(), entry_differs(), chunk_is_first(), all_or(), all_barrier(), pace_next()
 * Layout    s_entry [PRNN_TILE_CHUNKS][PRNN_STATES][channels]: entries of the chunks; s_flag [PRNN_CLUSTER]
 * Launch    all threads, in block-uniform flow where there are barriers */
#define PRNN_ALL_CHUNKS (PRNN_TILE_CHUNKS * PRNN_CLUSTER)

#if PRNN_ALL_CHUNKS > 1
#define AT_ENTRY(w, i, c) (((w) * PRNN_N + (i)) * PRNN_BLOCK_CHANNELS + (c))
#define SHARED_ENTRY                                                                               \
    PRNN_SHARED(prnn_real, s_entry, PRNN_S_ENTRY, PRNN_TILE_CHUNKS *PRNN_N *PRNN_BLOCK_CHANNELS)

/* Entry w of this block, for the thread's channels. */
PRNN_FN void entry_put(const struct chunk *k, prnn_i32 w, prnn_real (*e)[PRNN_N])
{
    SHARED_ENTRY;
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            PRNN_SST(s_entry, AT_ENTRY(w, i, k->c + v), e[v][i]);
    }
}

PRNN_FN void entry_get(const struct chunk *k, prnn_i32 w, prnn_real (*e)[PRNN_N])
{
    SHARED_ENTRY;
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            e[v][i] = PRNN_SLD(s_entry, AT_ENTRY(w, i, k->c + v));
    }
}

/* Hand 'next' to the chunk behind: in this block, or the first of the next. Behind the last chunk of all it becomes
 * the entry of the next tile. */
PRNN_FN void entry_hand_over(const struct chunk *k, prnn_real (*next)[PRNN_N])
{
    SHARED_ENTRY;
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            const prnn_i32 w = k->w < PRNN_TILE_CHUNKS - 1 ? k->w + 1 : 0;
#if PRNN_CLUSTER > 1
            if (w == 0)
                PRNN_RST(s_entry, (k->rank + 1) % PRNN_CLUSTER, AT_ENTRY(w, i, k->c + v), next[v][i]);
            else
#endif
                PRNN_SST(s_entry, AT_ENTRY(w, i, k->c + v), next[v][i]);
        }
    }
}

/* The same within the thread block: the last chunk hands nothing over. */
PRNN_FN void entry_hand_over_in_block(const struct chunk *k, prnn_real (*next)[PRNN_N])
{
    if (k->w < PRNN_TILE_CHUNKS - 1)
        entry_hand_over(k, next);
}

PRNN_FN int chunk_is_first(const struct chunk *k)
{
    return k->w == 0 && k->rank == 0;
}

/* Take what has been handed over. The first chunk of all has the entry of the tile, which only a new tile changes;
 * the others' change with what is handed over. */
PRNN_FN void entry_take(const struct chunk *k, prnn_real (*e)[PRNN_N], int is_new_tile)
{
    if (chunk_is_first(k) == is_new_tile)
        entry_get(k, k->w, e);
}

/* True in all threads, of all blocks, if it is in one; a barrier for all of them. */
PRNN_FN int all_or(const struct chunk *k, int p)
{
#if PRNN_CLUSTER > 1
    PRNN_SHARED(prnn_i32, s_flag, PRNN_S_FLAG, PRNN_CLUSTER);
    const int mine = PRNN_BARRIER_OR(p);
    if (PRNN_TID < PRNN_CLUSTER)
        PRNN_RST(s_flag, PRNN_TID, k->rank, mine);
    PRNN_CLUSTER_BARRIER(); /* all blocks: flags, and entries handed over, have arrived */
    int any = 0;
    PRNN_UNROLL
    for (int r = 0; r < PRNN_CLUSTER; r++)
        any |= PRNN_SLD(s_flag, r);
    return any;
#else
    (void)k;
    return PRNN_BARRIER_OR(p);
#endif
}

/* A barrier for all threads of all blocks. */
PRNN_FN void all_barrier(void)
{
#if PRNN_CLUSTER > 1
    PRNN_CLUSTER_BARRIER(); /* all blocks */
#else
    PRNN_BARRIER(); /* all threads */
#endif
}

/* How far an entry is from what the chunk before ended with, 'gap', and the scale of that, which is at least what it is
 * on entry. Returns whether it is more than the tolerance, or at tolerance 0 anything. */
PRNN_FN int entry_differs(const prnn_real *e, const prnn_real *found, prnn_real tolerance, prnn_real *gap,
                          prnn_real *scale)
{
    int is_same = 1;
    *gap = 0;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        *gap = larger_size(*gap, residual(found[i], e[i]));
        is_same &= real_is_same(found[i], e[i]);
        *scale = real_larger(*scale, real_abs(e[i]));
    }
    return !is_same && !(tolerance > 0 && *gap <= tolerance * *scale && real_is_finite(*scale));
}

/* How the next tile begins, in kernels that begin in two ways. From 0: warm; what has failed weighs 5, what succeeded
 * -1, so that it is given up where more than one of 6 fails. Below 0: so many tiles roughly. */
enum { PACE_BEGIN = 8, PACE_MOST = 12, PACE_FAILED = 5, PACE_ROUGH = -64 };

PRNN_FN prnn_i32 pace_next(prnn_i32 pace, int has_failed)
{
    if (pace < 0)
        return pace < -1 ? pace + 1 : PACE_BEGIN;
    pace = has_failed ? pace + PACE_FAILED : pace > 0 ? pace - 1 : 0;
    return pace > PACE_MOST ? PACE_ROUGH : pace;
}
#endif
