#include "strategy_candidates.h"

#include "profile.h"
#include "strategy_grid.h"

#include <string.h>

/* Kinds of strategies that solve in parallel: short chunks by their length, of up to 32 channels,
 * of more, in clusters; what guesses by the channels of a thread, in clusters or not. */
enum { SHORT_LENGTHS = 8, SHORT_KINDS = 3 * SHORT_LENGTHS, KINDS = SHORT_KINDS + 4 };
/* So many of each sort are taken. */
enum { SHORT_TAKEN = 8, GUESSING_TAKEN = 2 };

struct kind {
    struct strategy strategy;
    double seconds; /* predicted; 0: there is none of this kind */
};

struct kinds {
    const struct model_problem *problem;
    struct kind all[KINDS];
};

static uint32_t kind_of(const struct strategy *s, const struct model_problem *problem)
{
    static const uint32_t lengths[SHORT_LENGTHS] = {2, 4, 8, 16, 24, 32, 48, 64};
    uint32_t at = 0;
    if (strategy_guesses(s, problem))
        return SHORT_KINDS + 2 * (s->vc - 1) + (s->cluster > 1);
    while (at < SHORT_LENGTHS - 1 && s->chunk > lengths[at])
        at++;
    return 3 * at + (s->cluster > 1 ? 2 : s->lanes * s->vc > 32);
}

static void look(void *context, const struct strategy *strategy)
{
    struct kinds *kinds = context;
    struct prediction prediction;
    if (!strategy_is_known(strategy, kinds->problem))
        return;
    struct kind *kind = &kinds->all[kind_of(strategy, kinds->problem)];
    model_predict(&prediction, kinds->problem, strategy);
    if (!(kind->seconds > 0) || prediction.seconds < kind->seconds)
        *kind = (struct kind){*strategy, prediction.seconds};
}

/* The fastest from 'first' to 'end' that was not taken yet; NULL: there is none. */
static struct kind *fastest(struct kind *first, const struct kind *end)
{
    struct kind *best = NULL;
    for (; first < end; first++)
        if (first->seconds > 0 && (!best || first->seconds < best->seconds))
            best = first;
    return best;
}

struct list {
    struct strategy *out;
    uint32_t count;
};

static void add(struct list *list, struct strategy strategy)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (!memcmp(&list->out[i], &strategy, sizeof strategy))
            return;
    if (list->count < STRATEGY_CANDIDATES_MOST)
        list->out[list->count++] = strategy;
}

/* A guess is not from more steps than the chunk before has; in double there is none. */
static void add_guesses(struct list *list, struct strategy strategy, enum assemble_storage storage)
{
    static const uint32_t steps[2][3] = {{0, 96, 160}, {0, 64, 96}};
    const bool is_narrow = assemble_element_bytes(storage) < 4;
    add(list, strategy);
    for (int i = 0; i < 3 && storage != ASSEMBLE_F64; i++) {
        strategy.guess = steps[is_narrow][i];
        if (strategy.guess <= strategy.chunk)
            add(list, strategy);
    }
}

uint32_t strategy_candidates(struct strategy out[STRATEGY_CANDIDATES_MOST],
                             const struct model_problem *problem)
{
    const uint32_t vc_most = problem->channels % 2 ? 1 : 2;
    struct kinds kinds = {.problem = problem};
    struct list list = {out, 0};
    struct prediction prediction;
    struct strategy strategy;
    struct kind *kind;
    strategy_choose(&strategy, &prediction, problem);
    add(&list, strategy);
    strategy_in_order(&strategy, problem);
    add(&list, strategy);
    /* What was fastest in order of one cell or other. */
    add(&list, (struct strategy){
                   .tile_chunks = 1, .chunk = 16, .lanes = 64, .vc = 1, .stages = 3, .cluster = 1});
    add(&list,
        (struct strategy){
            .tile_chunks = 1, .chunk = 8, .lanes = 64, .vc = vc_most, .stages = 4, .cluster = 1});
    strategy_grid(problem, look, &kinds);
    struct kind *const guessing = kinds.all + SHORT_KINDS;
    for (int i = 0; i < SHORT_TAKEN && (kind = fastest(kinds.all, guessing)); i++) {
        add(&list, kind->strategy);
        kind->seconds = 0;
    }
    for (int i = 0; i < GUESSING_TAKEN && (kind = fastest(guessing, kinds.all + KINDS)); i++) {
        add_guesses(&list, kind->strategy, problem->options.storage);
        kind->seconds = 0;
    }
    return list.count;
}
