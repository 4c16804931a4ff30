/* Included twice by cpu_scan.c: 'real' is float or double, NAMED(x) appends its suffix. */

static void NAMED(row_in)(prnn_storage storage, const void *base, int64_t at, int width, real *out)
{
    if (storage == REAL_STORAGE)
        memcpy(out, (const real *)base + at, (size_t)width * sizeof *out);
    else
        for (int c = 0; c < width; c++)
            out[c] = (real)element_load(storage, base, at + c);
}

static void NAMED(row_out)(prnn_storage storage, void *base, int64_t at, int width, const real *row)
{
    if (storage == REAL_STORAGE)
        memcpy((real *)base + at, row, (size_t)width * sizeof *row);
    else
        for (int c = 0; c < width; c++)
            element_store(storage, base, at + c, (double)row[c]);
}

/* 'width' channels from c0 on, of one sequence. */
static void NAMED(scan_group)(const struct cpu_scan *scan, const struct launch *launch, int64_t b,
                              int64_t c0, int width)
{
    const struct launch_places *at = &scan->shape.places;
    const prnn_storage storage = scan->shape.storage;
    const uint32_t n = scan->block, jacobians = scan->is_diagonal ? n : n * n;
    real h[SCAN_BLOCK_MAX][GROUP], next[SCAN_BLOCK_MAX][GROUP], j[GROUP];
    for (uint32_t i = 0; i < n; i++) {
        const struct prnn_arg *h0 = &launch->args[at->h0 + i];
        for (int c = 0; c < width; c++)
            h[i][c] = h0->base ? ((const real *)h0->base)[b * h0->stride_b + c0 + c] : 0;
    }
    for (int64_t t = 0; t < launch->head.seq_len; t++) {
        for (uint32_t i = 0; i < n; i++) {
            const struct prnn_arg *r = &launch->args[at->x + jacobians + i];
            NAMED(row_in)(storage, r->base, b * r->stride_b + t * r->stride_t + c0, width, next[i]);
            for (uint32_t k = scan->is_diagonal ? i : 0; k < (scan->is_diagonal ? i + 1 : n); k++) {
                const struct prnn_arg *arg =
                    &launch->args[at->x + (scan->is_diagonal ? i : i * n + k)];
                NAMED(row_in)
                (storage, arg->base, b * arg->stride_b + t * arg->stride_t + c0, width, j);
                for (int c = 0; c < width; c++)
                    next[i][c] += j[c] * h[k][c];
            }
        }
        for (uint32_t i = 0; i < n; i++) {
            const struct prnn_arg *out = &launch->args[at->h + i];
            memcpy(h[i], next[i], (size_t)width * sizeof(real));
            NAMED(row_out)
            (storage, out->base, b * out->stride_b + t * out->stride_t + c0, width, h[i]);
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct prnn_arg *last = &launch->args[at->ht + i];
        if (last->base)
            memcpy((real *)last->base + b * last->stride_b + c0, h[i],
                   (size_t)width * sizeof(real));
    }
}
