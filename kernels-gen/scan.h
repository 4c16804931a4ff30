/* The scan over the chunks of a tile: from the affine map of each chunk, the value before it.
 *
 * Three levels: shuffles over the chunks of a warp, a loop over the warps of the thread block, a loop over the
 * blocks of the cluster.
 *
 * Requires  affine.h, place.h; PRNN_S_MAP, PRNN_S_PUBLIC. PRNN_LANES is a power of two
 * Provides  map_of_lane_before(), scan_before()
 * Layout    s_map [groups][PRNN_MAP][channels] of the thread block, a group being the chunks of a warp, or one
 *           chunk where that fills a warp; s_public [PRNN_PARITIES][PRNN_CLUSTER][PRNN_MAP][channels]
 * Launch    a thread owns the chunk at position w of its block, counted in the direction of the scan;
 *           all threads, in block-uniform flow */
#define PRNN_GROUP (PRNN_LANES < 32 ? 32 / PRNN_LANES : 1) /* chunks of a group */
#define PRNN_GROUPS (PRNN_TILE_CHUNKS / PRNN_GROUP)
/* Copies of the loop over groups: of few, and where scans are rare, one says all. */
#define PRNN_GROUPS_AT_ONCE (PRNN_GROUPS > 4 && PRNN_STAGES ? 4 : 1)
#define PRNN_MAP (PRNN_STATES + PRNN_MATRIX) /* reals of a map */
/* Without a ring all blocks wait for each other between two scans anyway. */
#define PRNN_PARITIES (PRNN_STAGES ? 2 : 1)
#define AT_MAP(g, field, c) (((g) * PRNN_MAP + (field)) * PRNN_BLOCK_CHANNELS + (c))

/* The map of group g. */
PRNN_FN void group_map_load(struct affine *m, prnn_i32 g, prnn_i32 c)
{
    PRNN_SHARED(prnn_real, s_map, PRNN_S_MAP, PRNN_GROUPS *PRNN_MAP *PRNN_BLOCK_CHANNELS);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_STATES; i++)
        m->q[i] = PRNN_SLD(s_map, AT_MAP(g, i, c));
    PRNN_UNROLL
    for (int ij = 0; ij < PRNN_MATRIX; ij++)
        m->d[ij] = affine_closed(ij / PRNN_STATES, ij % PRNN_STATES)
                       ? PRNN_SLD(s_map, AT_MAP(g, PRNN_STATES + ij, c))
                       : (prnn_real)0;
}

PRNN_FN void group_map_store(const struct affine *m, prnn_i32 g, prnn_i32 c)
{
    PRNN_SHARED(prnn_real, s_map, PRNN_S_MAP, PRNN_GROUPS *PRNN_MAP *PRNN_BLOCK_CHANNELS);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_STATES; i++)
        PRNN_SST(s_map, AT_MAP(g, i, c), m->q[i]);
    PRNN_UNROLL
    for (int ij = 0; ij < PRNN_MATRIX; ij++)
        if (affine_closed(ij / PRNN_STATES, ij % PRNN_STATES))
            PRNN_SST(s_map, AT_MAP(g, PRNN_STATES + ij, c), m->d[ij]);
}

/* The map of the thread 'distance' before this one; full warps. */
PRNN_FN void map_of_lane_before(struct affine *out, const struct affine *m, int distance)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_STATES; i++)
        out->q[i] = PRNN_SHFL_UP(m->q[i], distance);
    PRNN_UNROLL
    for (int ij = 0; ij < PRNN_MATRIX; ij++)
        if (affine_closed(ij / PRNN_STATES, ij % PRNN_STATES))
            out->d[ij] = PRNN_SHFL_UP(m->d[ij], distance);
        else
            out->d[ij] = 0;
}

#if PRNN_CLUSTER > 1
#define SHARED_PUBLIC                                                                              \
    PRNN_SHARED(prnn_real, s_public, PRNN_S_PUBLIC, PRNN_PARITIES *PRNN_CLUSTER *PRNN_MAP *PRNN_BLOCK_CHANNELS)
#define AT_PUBLIC(parity, rank, field, c) AT_MAP((parity) * PRNN_CLUSTER + (rank), field, c)

/* The map of the whole block, for all blocks of the cluster. */
PRNN_FN void block_map_publish(const struct affine *m, prnn_i32 parity, prnn_i32 rank, prnn_i32 c)
{
    SHARED_PUBLIC;
    PRNN_UNROLL
    for (int to = 0; to < PRNN_CLUSTER; to++) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_STATES; i++)
            PRNN_RST(s_public, to, AT_PUBLIC(parity, rank, i, c), m->q[i]);
        PRNN_UNROLL
        for (int ij = 0; ij < PRNN_MATRIX; ij++)
            if (affine_closed(ij / PRNN_STATES, ij % PRNN_STATES))
                PRNN_RST(s_public, to, AT_PUBLIC(parity, rank, PRNN_STATES + ij, c), m->d[ij]);
    }
}

PRNN_FN void block_map_load(struct affine *m, prnn_i32 parity, prnn_i32 rank, prnn_i32 c)
{
    SHARED_PUBLIC;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_STATES; i++)
        m->q[i] = PRNN_SLD(s_public, AT_PUBLIC(parity, rank, i, c));
    PRNN_UNROLL
    for (int ij = 0; ij < PRNN_MATRIX; ij++)
        m->d[ij] = affine_closed(ij / PRNN_STATES, ij % PRNN_STATES)
                       ? PRNN_SLD(s_public, AT_PUBLIC(parity, rank, PRNN_STATES + ij, c))
                       : (prnn_real)0;
}
#endif

/* 'own': the maps of this thread's chunk. 'tile': on entry the value before the tile; on return, in a cluster, the
 * value behind it. value: what comes before the chunk. Before it is called again there must be a barrier of
 * the block; in a cluster one of the cluster too, or, where PRNN_PARITIES is 2, 'parity' alternates between 0 and 1. */
PRNN_FN void scan_before(prnn_i32 w, prnn_i32 rank, prnn_i32 parity, prnn_i32 c, const struct affine *own,
                         prnn_real (*tile)[PRNN_STATES], prnn_real (*value)[PRNN_STATES])
{
    const prnn_i32 group = w / PRNN_GROUP;
    struct affine upto[PRNN_VC]; /* of the group, up to and with this chunk */
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        upto[v] = own[v];
#if PRNN_LANES < 32
        PRNN_UNROLL
        for (int distance = PRNN_LANES; distance < 32; distance *= 2) {
            struct affine before;
            map_of_lane_before(&before, &upto[v], distance);
            if (PRNN_TID % 32 >= distance) {
                affine_follow(&before, &upto[v]);
                upto[v] = before;
            }
        }
#endif
        if (w % PRNN_GROUP == PRNN_GROUP - 1)
            group_map_store(&upto[v], group, c + v);
    }
    PRNN_BARRIER(); /* all threads: maps of the groups are written */
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
#if PRNN_CLUSTER > 1
        struct affine before;
        affine_identity(before.d);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_STATES; i++)
            before.q[i] = 0;
        PRNN_NO_UNROLL
        for (prnn_i32 j = 0; j < group; j++) {
            struct affine m;
            group_map_load(&m, j, c + v);
            affine_follow(&before, &m);
        }
        if (w == PRNN_TILE_CHUNKS - 1) {
            struct affine all = before;
            affine_follow(&all, &upto[v]);
            block_map_publish(&all, parity, rank, c + v);
        }
#if PRNN_LANES < 32
        struct affine lane;
        map_of_lane_before(&lane, &upto[v], PRNN_LANES);
        if (w % PRNN_GROUP > 0)
            affine_follow(&before, &lane);
#endif
        upto[v] = before; /* from here on: of the block, up to the chunk before */
    }
    PRNN_CLUSTER_BARRIER(); /* all blocks: every block's map has arrived */
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_STATES; i++)
            value[v][i] = tile[v][i];
        PRNN_NO_UNROLL
        for (prnn_i32 r = 0; r < PRNN_CLUSTER; r++) {
            struct affine m;
            if (r == rank) {
                PRNN_UNROLL
                for (int i = 0; i < PRNN_STATES; i++)
                    value[v][i] = tile[v][i];
            }
            block_map_load(&m, parity, r, c + v);
            affine_apply(&m, tile[v]);
        }
        affine_apply(&upto[v], value[v]);
    }
#else
        PRNN_UNROLL
        for (int i = 0; i < PRNN_STATES; i++)
            value[v][i] = tile[v][i];
        PRNN_UNROLL_BY(PRNN_GROUPS_AT_ONCE)
        for (prnn_i32 j = 0; j < group; j++) {
            struct affine m;
            group_map_load(&m, j, c + v);
            affine_apply(&m, value[v]);
        }
#if PRNN_LANES < 32
        struct affine lane;
        map_of_lane_before(&lane, &upto[v], PRNN_LANES);
        if (w % PRNN_GROUP > 0)
            affine_apply(&lane, value[v]);
#endif
    }
    (void)rank;
    (void)parity;
#endif
}
