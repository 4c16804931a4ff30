/* How many corrections the forward solve takes, found by trying it: a few channels on random inputs
 * and parameters, by interpretation in float, with the rules of kernels-gen/forward.h. A bound of
 * the Jacobian that holds for all inputs says little about those that occur; this says what is
 * usual. */
#ifndef PRNN_SETTLE_H
#define PRNN_SETTLE_H

#include "ir.h"
#include "structure.h"

/* By the storage type, which says what may be left. */
enum settle_rounding { SETTLE_32, SETTLE_16, SETTLE_ROUNDINGS };
enum { SETTLE_CHUNKS = 5, SETTLE_TILES = 4 };

/* What a tile takes. */
struct settle_count {
    float rough; /* 1: a rough correction first; 0: the steps before an entry are guess enough */
    float corrections; /* in full accuracy; one for every chunk where it does not settle in some */
    float finals;      /* runs without tangents; 0: the last correction keeps its steps */
};

/* What an exit may differ from the next entry, against the size of the state, unless a plan says
 * otherwise. */
static inline float settle_tolerance(enum settle_rounding rounding)
{
    return rounding == SETTLE_16 ? 0x1p-11f : 8 * 1.1920929e-07f;
}

/* Guesses are tried from 8, 16, ... 160 steps. */
enum { SETTLE_GUESS_EVERY = 8, SETTLE_GUESSES = 20 };

struct settle {
    /* Steps from which an entry of a kernel without a ring is to be guessed, a multiple of
     * SETTLE_GUESS_EVERY; settle_trusted_steps() or more. */
    uint32_t guess;
    /* Share of the entries, each of another channel, of which (i + 1) * SETTLE_GUESS_EVERY steps
     * before do not say all. */
    float missed[SETTLE_GUESSES];
    /* ... of which settle_warm_steps() say less than a last correction may move; [is_recorded]. */
    float far[2];
    /* For chunks of 4, 8, 16, 32, 64 steps (rows) and 4, 16, 64, 256 of them (columns). */
    struct settle_count of[SETTLE_CHUNKS][SETTLE_TILES];
};

/* ... the share for guesses from so many steps. */
static inline float settle_missed(const struct settle *settle, uint32_t steps)
{
    const uint32_t length = steps / SETTLE_GUESS_EVERY;
    if (length == 0)
        return 1;
    return settle->missed[length < SETTLE_GUESSES ? length - 1 : SETTLE_GUESSES - 1];
}

/* Where so few entries are missed a kernel may begin with guesses: a tile that misses one is run
 * once more. */
#define SETTLE_FEW 0.02f

/* ... and where it is next to none, most tiles need nothing else. */
static inline bool settle_is_trusted(const struct settle *settle)
{
    return settle_missed(settle, settle->guess) < 0.0005f;
}

/* Steps before an entry from which a kernel guesses it: 24 steps of a gated cell leave 1e-3 of what
 * was before, 16 leave 1e-2 (docs/decisions/0009-warm-guess.md), which is what one more correction
 * may have to move.
 */
static inline uint32_t settle_warm_steps(enum settle_rounding rounding, bool is_recorded)
{
    return rounding == SETTLE_16 && is_recorded ? 16 : 24;
}

/* Steps before an entry that a kernel without a ring runs, the last 'exact' of them without
 * approximations. 40 steps of a gated cell leave more than is allowed of what was before in one
 * entry of 40,000, 48 in none of 366,000; for 16 bits 24 and 28 (docs/decisions/0011-no-ring.md).
 * 'wanted': of a cell that takes longer to forget; 0: these. What an approximation leaves is about
 * what is allowed in 16 bits, so there a quarter of them is enough for it to fade. */
struct settle_steps {
    uint32_t all, exact;
};
static inline struct settle_steps settle_trusted_steps(enum settle_rounding rounding,
                                                       uint32_t wanted)
{
    const uint32_t all = wanted ? wanted : rounding == SETTLE_16 ? 32 : 48;
    const uint32_t exact = rounding == SETTLE_16 ? all / 4 : 2 * all / 3;
    return (struct settle_steps){all, (exact + 7) / 8 * 8};
}

/* A trial is made of parts, which take some milliseconds to some tens each. They may be run in any
 * order, several at once, and allocate nothing; what they find does not depend on it. */
enum { SETTLE_GUESS_PARTS = 4, SETTLE_PARTS = SETTLE_CHUNKS + SETTLE_GUESS_PARTS };
struct settle_trial;

/* 'ir' complete: next, jac, guess. Borrows 'ir' and 'structure'; never NULL (see arena.h). */
struct settle_trial *settle_begin(const struct ir *ir, const struct structure *structure,
                                  enum settle_rounding rounding, struct arena *arena);

/* Run one part; each writes its own share of 'out' or of the trial. */
void settle_run(struct settle *out, struct settle_trial *trial, int part);

/* Complete 'out' when all have been run. */
void settle_end(struct settle *out, const struct settle_trial *trial);

/* Between the table's places; a single chunk needs no correction and one final run. */
struct settle_count settle_at(const struct settle *settle, double chunk, double chunks);

#endif
