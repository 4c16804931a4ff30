#include "candidate.h"

#include "handles.h"
#include "status.h"

#include <math.h>
#include <string.h>

enum { THREADS_FEWEST = 64, THREADS_MOST = 1024, CLUSTER_MOST = 16, SM_THREADS = 2048 };

const char *candidate_text(const struct strategy *s, struct arena *arena)
{
    return arena_printf(arena, "W%u S%u L%u V%u R%u C%u", s->tile_chunks, s->chunk, s->lanes, s->vc,
                        s->stages, s->cluster);
}

static bool is_same(const struct strategy *a, const struct strategy *b)
{
    return a->lanes == b->lanes && a->vc == b->vc && a->tile_chunks == b->tile_chunks &&
           a->chunk == b->chunk && a->stages == b->stages && a->cluster == b->cluster;
}

static bool is_sequential(const struct strategy *s)
{
    return s->tile_chunks == 1 && s->cluster == 1;
}

/* ---- The grid ---- */

struct scored {
    struct strategy strategy;
    double score; /* smaller is likelier */
};

struct grid {
    const struct candidate_problem *problem;
    struct scored *scored;
    uint32_t count, room;
    struct arena *arena;
};

/* Threads that the device has in flight at most; a kernel of many registers reaches less. */
static double capacity(const struct cuda_properties *device)
{
    const double threads = device->threads_sm > 0 ? device->threads_sm : SM_THREADS;
    return threads * device->multiprocessors;
}

/* How far a strategy is from what has been good: the device half full of threads, thread blocks of
 * some hundred, chunks of 16, two stages where there are several chunks. */
static double score_of(const struct grid *grid, const struct strategy *s)
{
    const struct candidate_problem *p = grid->problem;
    const double width = (double)p->batch * (double)p->channels;
    const double threads = ceil(width / s->vc) * s->tile_chunks * s->cluster;
    const bool is_alone = is_sequential(s);
    double score = is_alone ? 0 : fabs(log2(threads / (0.4 * capacity(p->device))));
    score += 0.3 * fabs(log2(s->lanes * s->tile_chunks / (is_alone ? 64.0 : 256.0)));
    score += 0.5 * fabs(log2(s->chunk / (p->options.kernel == ASSEMBLE_BACKWARD ? 8.0 : 16.0)));
    score += 0.4 * (s->vc == 2) + 0.2 * fabs(s->stages - (is_alone ? 4.0 : 2.0));
    if (s->lanes * s->vc * (p->options.storage == ASSEMBLE_F64 ? 8u : 4u) < 32)
        score += 1; /* sectors of 32 bytes are not used in full */
    return score;
}

static void offer(struct grid *grid, const struct strategy *s)
{
    const struct candidate_problem *p = grid->problem;
    struct assemble_options options = p->options;
    options.strategy = *s;
    const uint32_t threads = s->lanes * s->tile_chunks;
    const uint32_t shared_most =
        p->device->shared_optin > 0 ? (uint32_t)p->device->shared_optin : 0;
    if (threads % 32 || threads > THREADS_MOST || (threads < THREADS_FEWEST && !is_sequential(s)))
        return;
    if (s->lanes * s->vc *
        (p->options.storage == ASSEMBLE_F64   ? 8u
         : p->options.storage == ASSEMBLE_F32 ? 4u
                                              : 2u) %
        16)
        return;
    if (s->cluster > 1 && (s->tile_chunks < 2 || !p->device->has_clusters))
        return;
    if ((int64_t)s->tile_chunks * s->chunk * s->cluster > 2 * p->seq_len && !is_sequential(s))
        return;
    if (s->lanes * s->vc > 2 * p->channels && s->lanes * s->vc > 32)
        return;
    if (assemble_shared_bytes(p->unit->ir, &options) > shared_most)
        return;
    for (uint32_t i = 0; i < grid->count; i++)
        if (is_same(&grid->scored[i].strategy, s))
            return;
    if (grid->count == grid->room) {
        const uint32_t room = grid->room ? 2 * grid->room : 256;
        grid->scored =
            arena_grow(grid->arena, grid->scored, grid->count, room, sizeof *grid->scored);
        grid->room = room;
    }
    grid->scored[grid->count++] = (struct scored){*s, score_of(grid, s)};
}

static void sort_by_score(struct scored *scored, uint32_t count)
{
    /* By insertion: some hundred, and equal ones keep their order, so that the list is the same on
     * every machine. */
    for (uint32_t i = 1; i < count; i++)
        for (uint32_t j = i; j > 0 && scored[j].score < scored[j - 1].score; j--) {
            const struct scored swap = scored[j];
            scored[j] = scored[j - 1];
            scored[j - 1] = swap;
        }
}

static void offer_sequential(struct grid *grid)
{
    static const uint32_t chunks[] = {8, 16, 4, 32}, stages[] = {4, 6, 3, 2},
                          lanes[] = {32, 64, 128};
    for (size_t l = 0; l < 3; l++)
        for (size_t s = 0; s < 4; s++)
            for (size_t r = 0; r < 4; r++)
                for (uint32_t vc = 1; vc <= 2; vc++)
                    offer(grid, &(struct strategy){.tile_chunks = 1,
                                                   .chunk = chunks[s],
                                                   .lanes = lanes[l],
                                                   .vc = vc,
                                                   .stages = stages[r],
                                                   .cluster = 1});
}

static void offer_parallel(struct grid *grid)
{
    const struct candidate_problem *p = grid->problem;
    const bool is_backward = p->options.kernel == ASSEMBLE_BACKWARD;
    const double width = (double)p->batch * (double)p->channels;
    const uint32_t chunk_most = !is_backward              ? 64
                                : p->unit->ir->states > 2 ? 4
                                : p->unit->ir->states > 1 ? 8
                                                          : 16;
    for (uint32_t w = 2; w <= 128; w *= 2)
        for (uint32_t c = 1; c <= CLUSTER_MOST; c *= 2) {
            const double fill = width * w * c / capacity(p->device);
            /* A device that is nearly empty wants more chunks, where the sequence has them. */
            const bool has_more = (int64_t)w * c * 16 <= p->seq_len && (w < 32 || c < 8);
            if (fill > 4 || (fill < 0.06 && has_more) || (c > 1 && width > 16384))
                continue;
            for (uint32_t s = is_backward ? 2 : 4; s <= chunk_most; s *= 2)
                for (uint32_t l = 4; l <= 64; l *= 2)
                    for (uint32_t vc = 1; vc <= 2; vc++)
                        for (uint32_t r = 2; r <= 4; r++)
                            offer(grid, &(struct strategy){.tile_chunks = w,
                                                           .chunk = s,
                                                           .lanes = l,
                                                           .vc = vc,
                                                           .stages = r,
                                                           .cluster = c});
        }
}

/* What the library takes without being tuned. */
static void offer_chosen(struct grid *grid)
{
    const struct candidate_problem *p = grid->problem;
    struct strategy chosen;
    const struct backend_shape shape = {.batch = p->batch,
                                        .seq_len = p->seq_len,
                                        .channels = p->channels,
                                        .counts = {.states = p->unit->ir->states}};
    strategy_choose(&chosen, &shape, p->options.kernel);
    offer(grid, &chosen);
}

void candidate_grid(struct candidate_list *out, const struct candidate_problem *problem,
                    struct arena *arena)
{
    struct grid grid = {.problem = problem, .arena = arena};
    offer_sequential(&grid);
    /* A quarter of the places is for running in order: what must not be lost against. */
    uint32_t kept = problem->most / 4 > 4 ? problem->most / 4 : 4;
    sort_by_score(grid.scored, grid.count);
    kept = kept < grid.count ? kept : grid.count;
    grid.count = kept;
    offer_chosen(&grid);
    const uint32_t fixed = grid.count;
    offer_parallel(&grid);
    sort_by_score(grid.scored + fixed, grid.count - fixed);
    if (grid.count > problem->most && problem->most >= fixed)
        grid.count = problem->most;
    *out = (struct candidate_list){.strategies =
                                       arena_array(arena, grid.count + 1, sizeof *out->strategies),
                                   .count = grid.count,
                                   .sequential = kept};
    for (uint32_t i = 0; i < grid.count; i++)
        out->strategies[i] = grid.scored[i].strategy;
}

/* ---- A list from a file ---- */

const char *candidate_read(struct candidate_list *out, const char *text, bool is_backward,
                           struct arena *arena)
{
    struct strategy *in_order, *others;
    uint32_t lines = 1, in_order_count = 0, other_count = 0, number = 0;
    for (const char *at = text; *at; at++)
        lines += *at == '\n';
    in_order = arena_array(arena, lines, sizeof *in_order);
    others = arena_array(arena, lines, sizeof *others);
    while (*text) {
        const size_t whole = strcspn(text, "\n");
        size_t length = strcspn(text, "#\n");
        const char *line = text;
        struct strategy strategy;
        bool is_wanted = true;
        number++;
        text += whole + (text[whole] == '\n');
        while (length > 0 && (*line == ' ' || *line == '\t'))
            line++, length--;
        for (int direction = 0; direction < 2; direction++) {
            const char *const word = direction ? "backward" : "forward";
            const size_t size = strlen(word);
            if (length > size && !strncmp(line, word, size) && line[size] == ' ') {
                is_wanted = (bool)direction == is_backward;
                line += size + 1;
                length -= size + 1;
            }
        }
        while (length > 0 && (line[length - 1] == ' ' || line[length - 1] == '\r'))
            length--;
        if (!length)
            continue;
        if (strategy_read(&strategy, arena_strndup(arena, line, length)) < 0)
            return arena_printf(arena, "line %u: %s", number, status_text());
        if (is_wanted && is_sequential(&strategy))
            in_order[in_order_count++] = strategy;
        else if (is_wanted)
            others[other_count++] = strategy;
    }
    *out = (struct candidate_list){.strategies =
                                       arena_array(arena, lines + 1, sizeof *out->strategies),
                                   .count = in_order_count + other_count,
                                   .sequential = in_order_count};
    memcpy(out->strategies, in_order, in_order_count * sizeof *in_order);
    memcpy(out->strategies + in_order_count, others, other_count * sizeof *others);
    return NULL;
}
