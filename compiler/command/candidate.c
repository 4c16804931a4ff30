#include "candidate.h"

#include "handles.h"
#include "status.h"

#include <stdlib.h>
#include <string.h>

const char *candidate_text(const struct strategy *s, struct arena *arena)
{
    char text[STRATEGY_TEXT_ROOM];
    strategy_print(text, s);
    return arena_strdup(arena, text);
}

/* ---- The grid ---- */

struct scored {
    struct strategy strategy;
    double seconds; /* predicted */
};

struct scores {
    const struct model_problem *problem;
    struct scored *scored;
    uint32_t count, room;
    struct arena *arena;
};

static void score(void *context, const struct strategy *strategy)
{
    struct scores *scores = context;
    struct prediction prediction;
    model_predict(&prediction, scores->problem, strategy);
    if (scores->count == scores->room) {
        const uint32_t room = scores->room ? 2 * scores->room : 1024;
        scores->scored =
            arena_grow(scores->arena, scores->scored, scores->count, room, sizeof *scores->scored);
        scores->room = room;
    }
    scores->scored[scores->count++] = (struct scored){*strategy, prediction.seconds};
}

/* Those in order first, then by time; equal ones keep the order of the grid. */
static int compare_scored(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    const bool x_in_order = strategy_is_sequential(&x->strategy),
               y_in_order = strategy_is_sequential(&y->strategy);
    if (x_in_order != y_in_order)
        return x_in_order ? -1 : 1;
    if (x->seconds != y->seconds)
        return x->seconds < y->seconds ? -1 : 1;
    return memcmp(&x->strategy, &y->strategy, sizeof x->strategy);
}

static bool differs_much(const struct strategy *a, const struct strategy *b)
{
    return a->tile_chunks != b->tile_chunks || a->chunk != b->chunk || a->cluster != b->cluster;
}

/* A half of the places is for the fastest by prediction, the other for the best of each kind
 * (chunks, steps, cluster), so that a prediction that errs in one place does not hide the rest. */
static uint32_t take(struct strategy *out, const struct scored *scored, uint32_t count,
                     uint32_t places)
{
    uint32_t taken = 0;
    for (uint32_t i = 0; i < count && taken < places / 2; i++)
        out[taken++] = scored[i].strategy;
    for (uint32_t i = taken; i < count && taken < places; i++) {
        bool is_new = true;
        for (uint32_t k = 0; k < taken && is_new; k++)
            is_new = differs_much(&scored[i].strategy, &out[k]);
        if (is_new)
            out[taken++] = scored[i].strategy;
    }
    return taken;
}

void candidate_grid(struct candidate_list *out, const struct model_problem *problem, uint32_t most,
                    struct arena *arena)
{
    struct scores scores = {.problem = problem, .arena = arena};
    uint32_t in_order = 0;
    strategy_grid(problem, score, &scores);
    if (scores.count > 0)
        qsort(scores.scored, scores.count, sizeof *scores.scored, compare_scored);
    while (in_order < scores.count && strategy_is_sequential(&scores.scored[in_order].strategy))
        in_order++;
    /* A quarter of the places is for running in order, what must not be lost against; of few places
     * up to half. */
    const uint32_t few = most < 8 ? (most + 1) / 2 : 4;
    const uint32_t kept = most / 4 > few ? most / 4 : few;
    *out = (struct candidate_list){
        .strategies = arena_array(arena, (size_t)most + kept + 1, sizeof *out->strategies)};
    out->sequential = out->count = take(out->strategies, scores.scored, in_order, kept);
    if (most > out->count)
        out->count += take(out->strategies + out->count, scores.scored + in_order,
                           scores.count - in_order, most - out->count);
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
        if (is_wanted && strategy_is_sequential(&strategy))
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
