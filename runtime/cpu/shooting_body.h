/* Included twice by shooting.c: 'real' is float or double, NAMED(x) appends its suffix. */

struct NAMED(solver) {
    const struct shooting_cell *cell;
    const struct shooting_options *options;
    const struct shooting_problem *problem;
    struct shooting_report *report;
    uint32_t n, inputs;
    real *initial, *p, *x, *scratch;
    real *jacobian, *product;              /* of one step; D before it is multiplied */
    real *carry;                           /* exact state before the tile */
    real *entry, *guess, *exits, *tangent; /* of the chunks of a tile */
    real *size;                            /* largest |state| of each chunk's last run */
    real *delta, *next_delta, *state, *next;
    double *spoiled, *observed;
};

static void NAMED(read_step)(struct NAMED(solver) * s, int64_t t)
{
    for (uint32_t k = 0; k < s->inputs; k++)
        s->x[k] = (real)s->problem->x[t * s->inputs + k];
}

static bool NAMED(is_reset)(const struct NAMED(solver) * s, int64_t t)
{
    return s->problem->reset && s->problem->reset[t];
}

/* state <- f(state, x of step t); the jacobian too if 'program' is the tangent's. */
static void NAMED(one_step)(struct NAMED(solver) * s, const struct ir_program *program, int64_t t)
{
    struct LEAVES leaves = {.h = s->state, .x = s->x, .p = s->p};
    leaves.out[IR_OUT_NEXT] = s->next;
    leaves.out[IR_OUT_JACOBIAN] = s->jacobian;
    if (NAMED(is_reset)(s, t))
        memcpy(s->state, s->initial, s->n * sizeof(real));
    NAMED(read_step)(s, t);
    EVALUATE(program, &leaves, s->scratch);
    memcpy(s->state, s->next, s->n * sizeof(real));
}

/* tangent <- jacobian * tangent. */
static void NAMED(compose)(struct NAMED(solver) * s, real *tangent)
{
    const uint32_t n = s->n;
    memcpy(s->product, tangent, (size_t)n * n * sizeof(real));
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++) {
            real sum = 0;
            for (uint32_t k = 0; k < n; k++)
                sum += s->jacobian[i * n + k] * s->product[k * n + j];
            tangent[i * n + j] = sum;
        }
}

/* The larger of 'size' and the largest |state|. */
static real NAMED(grow)(real size, const real *state, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if ((real)fabs((double)state[i]) > size)
            size = (real)fabs((double)state[i]);
    return size;
}

/* From its entry, a chunk's exit; with tangents also d exit / d entry. */
static void NAMED(run_chunk)(struct NAMED(solver) * s, int64_t w, int64_t begin, int64_t end,
                             bool with_tangent)
{
    const uint32_t n = s->n;
    real *const tangent = s->tangent + w * n * n;
    memcpy(s->state, s->entry + w * n, n * sizeof(real));
    s->size[w] = 0;
    for (uint32_t i = 0; with_tangent && i < n * n; i++)
        tangent[i] = i % (n + 1) == 0;
    for (int64_t t = begin; t < end; t++) {
        if (with_tangent && NAMED(is_reset)(s, t))
            memset(tangent, 0, (size_t)n * n * sizeof(real));
        NAMED(one_step)(s, with_tangent ? s->cell->tangent : s->cell->step, t);
        s->size[w] = NAMED(grow)(s->size[w], s->state, n);
        if (with_tangent)
            NAMED(compose)(s, tangent);
    }
    memcpy(s->exits + w * n, s->state, n * sizeof(real));
}

static void NAMED(run_chunks)(struct NAMED(solver) * s, int64_t chunks, int64_t t0, int64_t t1,
                              bool with_tangent)
{
    for (int64_t w = 0; w < chunks; w++) {
        const int64_t begin = t0 + w * s->options->chunk, end = begin + s->options->chunk;
        NAMED(run_chunk)(s, w, begin, end < t1 ? end : t1, with_tangent);
    }
}

/* First guess of the entry at step t: one step from the initial state, or what the cell says. */
static void NAMED(guess_entry)(struct NAMED(solver) * s, real *entry, int64_t t)
{
    memcpy(s->state, s->initial, s->n * sizeof(real));
    NAMED(one_step)(s, s->cell->step, t - 1);
    memcpy(entry, s->state, s->n * sizeof(real));
    if (!s->cell->guess)
        return;
    struct LEAVES leaves = {.h = s->initial, .x = s->x, .p = s->p};
    leaves.out[IR_OUT_GUESS] = s->next;
    EVALUATE(s->cell->guess, &leaves, s->scratch);
    for (uint32_t i = 0; i < s->n; i++)
        if (ir_find_out(s->cell->ir, IR_OUT_GUESS, i, 0) != IR_REF_NONE)
            entry[i] = s->next[i];
}

static double NAMED(relative)(real found, real wanted, real size)
{
    const double gap = fabs((double)found - (double)wanted) / (double)size;
    const bool is_same = found == wanted || (found != found && wanted != wanted);
    return is_same ? 0 : gap == gap && isfinite(size) ? gap : INFINITY;
}

/* Largest |exit - next entry|, relative to the largest state of the chunk and that entry, and the
 * chunk whose exit it is. */
static double NAMED(mismatch)(const struct NAMED(solver) * s, int64_t chunks, int64_t *where)
{
    double worst = 0;
    for (int64_t w = 0; w + 1 < chunks; w++) {
        const real *const next = s->entry + (w + 1) * s->n;
        const real size = NAMED(grow)(s->size[w], next, s->n);
        for (uint32_t i = 0; i < s->n; i++) {
            const double gap = NAMED(relative)(s->exits[w * s->n + i], next[i], size);
            if (gap > worst) {
                worst = gap;
                *where = w;
            }
        }
    }
    return worst;
}

static bool NAMED(all_zero)(const real *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!(v[i] == 0))
            return false;
    return true;
}

static bool NAMED(all_finite)(const real *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!isfinite(v[i]))
            return false;
    return true;
}

/* One Newton step on the entries: delta of the next = (exit - next entry) + D delta. Behind an
 * entry that does not move the exit is taken itself, so that exact entries stay exact bit for bit.
 */
static void NAMED(correct)(struct NAMED(solver) * s, int64_t tile, int64_t chunks)
{
    const uint32_t n = s->n;
    memset(s->delta, 0, n * sizeof(real));
    for (int64_t w = 0; w + 1 < chunks; w++) {
        real *const entry = s->entry + (w + 1) * n;
        const real *const out = s->exits + w * n;
        const real *tangent = s->tangent + w * n * n;
        if (s->options->spoil) {
            for (uint32_t i = 0; i < n * n; i++)
                s->spoiled[i] = (double)tangent[i];
            s->options->spoil(s->options->context, tile, w, s->spoiled);
            for (uint32_t i = 0; i < n * n; i++)
                s->product[i] = (real)s->spoiled[i];
            tangent = s->product;
        }
        const bool is_exact = NAMED(all_zero)(s->delta, n);
        for (uint32_t i = 0; i < n; i++) {
            real sum = out[i] - entry[i];
            for (uint32_t j = 0; j < n && !is_exact; j++)
                sum += tangent[i * n + j] * s->delta[j];
            s->next_delta[i] = is_exact ? out[i] : entry[i] + sum;
        }
        /* A correction that leads nowhere: start this chunk again from its guess. */
        if (!is_exact && !NAMED(all_finite)(s->next_delta, n))
            memcpy(s->next_delta, s->guess + (w + 1) * n, n * sizeof(real));
        for (uint32_t i = 0; i < n; i++) {
            const bool is_same = s->next_delta[i] == entry[i] ||
                                 (s->next_delta[i] != s->next_delta[i] && entry[i] != entry[i]);
            s->delta[i] = is_same ? 0 : s->next_delta[i] - entry[i];
            entry[i] = s->next_delta[i];
        }
    }
}

static void NAMED(observe)(const struct NAMED(solver) * s, int64_t tile, uint32_t correction,
                           int64_t chunks)
{
    if (!s->options->observe)
        return;
    for (int64_t i = 0; i < chunks * s->n; i++)
        s->observed[i] = (double)s->entry[i];
    s->options->observe(s->options->context, tile, correction, s->observed, chunks);
}

/* One tile of 'chunks' chunks; carry becomes the state behind it. */
static void NAMED(solve_tile)(struct NAMED(solver) * s, int64_t tile, int64_t t0, int64_t t1)
{
    const int64_t size = s->options->chunk;
    const int64_t chunks = (t1 - t0 + size - 1) / size;
    const double few = EPSILON * 8;
    const double limit = s->options->tolerance > few ? s->options->tolerance : few;
    uint32_t corrections = 0, sweeps = 0;
    int64_t where = -1;

    memcpy(s->entry, s->carry, s->n * sizeof(real));
    for (int64_t w = 1; w < chunks; w++)
        NAMED(guess_entry)(s, s->entry + w * s->n, t0 + w * size);
    memcpy(s->guess, s->entry, (size_t)chunks * s->n * sizeof(real));
    NAMED(observe)(s, tile, 0, chunks);
    while (chunks > 1 && corrections < chunks) {
        NAMED(run_chunks)(s, chunks, t0, t1, true);
        if (NAMED(mismatch)(s, chunks, &where) <= limit)
            break;
        NAMED(correct)(s, tile, chunks);
        NAMED(observe)(s, tile, ++corrections, chunks);
    }
    /* For tolerance 0, sweeps without tangents until nothing changes: the sequential bits. */
    for (int64_t round = 0; chunks > 1 && s->options->tolerance <= 0 && round <= chunks; round++) {
        NAMED(run_chunks)(s, chunks, t0, t1, false);
        if (NAMED(mismatch)(s, chunks, &where) <= 0)
            break;
        memcpy(s->entry + s->n, s->exits, (size_t)(chunks - 1) * s->n * sizeof(real));
        sweeps++;
    }
    /* The final run writes the states. */
    for (int64_t w = 0; w < chunks; w++) {
        memcpy(s->state, s->entry + w * s->n, s->n * sizeof(real));
        s->size[w] = 0;
        for (int64_t t = t0 + w * size; t < t1 && t < t0 + (w + 1) * size; t++) {
            NAMED(one_step)(s, s->cell->step, t);
            s->size[w] = NAMED(grow)(s->size[w], s->state, s->n);
            for (uint32_t i = 0; i < s->n; i++) {
                s->problem->h[t * s->n + i] = (double)s->state[i];
                s->report->nonfinite = s->report->nonfinite || !isfinite(s->state[i]);
            }
        }
        memcpy(s->exits + w * s->n, s->state, s->n * sizeof(real));
    }
    where = -1;
    const double mismatch = NAMED(mismatch)(s, chunks, &where);
    if (mismatch > s->report->mismatch) {
        s->report->mismatch = mismatch;
        s->report->step = t0 + (where + 1) * size;
    }
    memcpy(s->carry, s->state, s->n * sizeof(real));
    if (corrections > s->report->max_corrections)
        s->report->max_corrections = corrections;
    if (sweeps > s->report->max_sweeps)
        s->report->max_sweeps = sweeps;
    s->report->sum_corrections += corrections;
    s->report->tiles++;
}

static bool NAMED(solve)(const struct shooting_cell *cell, const struct shooting_options *options,
                         const struct shooting_problem *problem, struct shooting_report *report)
{
    const struct ir *ir = cell->ir;
    const size_t n = ir->states, chunks = (size_t)options->tile_chunks;
    const size_t scratch = program_scratch(cell);
    struct NAMED(solver) s = {.cell = cell,
                              .options = options,
                              .problem = problem,
                              .report = report,
                              .n = ir->states,
                              .inputs = ir->inputs};
    real **const place[] = {&s.initial,  &s.p,          &s.x,       &s.scratch,
                            &s.jacobian, &s.product,    &s.carry,   &s.entry,
                            &s.guess,    &s.exits,      &s.tangent, &s.delta,
                            &s.state,    &s.next_delta, &s.next,    &s.size};
    const size_t count[] = {n, ir->params, ir->inputs, scratch,    n * n,          n * n,
                            n, chunks * n, chunks * n, chunks * n, chunks * n * n, n,
                            n, n,          n,          chunks};
    size_t total = 1;
    for (size_t i = 0; i < sizeof count / sizeof *count; i++)
        total += count[i];
    real *const memory = calloc(total, sizeof(real));
    s.spoiled = calloc(n * n + chunks * n, sizeof(double));
    if (!memory || !s.spoiled) {
        free(memory);
        free(s.spoiled);
        return false;
    }
    s.observed = s.spoiled + n * n;
    real *at = memory;
    for (size_t i = 0; i < sizeof count / sizeof *count; i++) {
        *place[i] = at;
        at += count[i];
    }
    for (uint32_t i = 0; i < ir->states; i++) {
        uint32_t element;
        s.initial[i] = problem->h0 ? (real)problem->h0[i]
                                   : (real)ir_decl_of(ir, IR_ROLE_STATE, i, &element)->initial;
    }
    for (uint32_t k = 0; k < ir->params; k++)
        s.p[k] = (real)problem->p[k];
    memcpy(s.carry, s.initial, n * sizeof(real));
    const int64_t tile = options->tile_chunks * options->chunk;
    for (int64_t t = 0; t < problem->seq_len; t += tile) {
        const int64_t end = t + tile < problem->seq_len ? t + tile : problem->seq_len;
        NAMED(solve_tile)(&s, t / tile, t, end);
    }
    free(memory);
    free(s.spoiled);
    return true;
}
