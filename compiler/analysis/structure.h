/* What the compiler finds out about the Jacobian of a step without being told. */
#ifndef PRNN_STRUCTURE_H
#define PRNN_STRUCTURE_H

#include "ir.h"
#include "limits.h"

/* Row i of a Boolean matrix over the scalar states: bit j. */
typedef uint32_t state_set;

struct structure_block {
    uint32_t count;
    uint32_t state[LIMIT_STATES]; /* in order of declaration */
    bool is_affine;               /* in its own states, those of earlier blocks taken as known */
    /* One state that no next and no output reads, not even its own: evaluated once after the solve.
     */
    bool is_readout;
};

struct structure {
    uint32_t states;
    /* The value of next i on state j, also through a condition: what the order of blocks needs. The
     * Jacobian's pattern is within it (an entry that it claims may lack an out jac.i.j). */
    state_set depends[LIMIT_STATES];
    state_set nonlinear[LIMIT_STATES]; /* ... nonlinearly */
    state_set closed[LIMIT_STATES];    /* pattern closed under products, with the diagonal */
    struct structure_block block[LIMIT_STATES]; /* strongly connected components, in solve order */
    uint32_t block_count;
    bool is_affine;       /* the whole cell: its Jacobian does not depend on the state */
    bool nonfinite_lasts; /* lasting.h */
    bool is_bare_linear;  /* affine, and of inputs and states no elementary function: cost.h */
};

/* Needs the step (next.i) only. Never fails for at most LIMIT_STATES scalar states. */
void structure_find(struct structure *out, const struct ir *ir, struct arena *arena);

/* What a forward kernel keeps in registers of the steps of a chunk, to correct its states instead
 * of running the chunk again (chunk_run.h): words of a thread, with tangents as words or as halves;
 * 0 where they are too many, or where so many copies of a large step would keep NVRTC busy. Halves
 * only give small moves well enough: an affine cell, which is solved by a single large one, has no
 * such record. */
uint32_t structure_record_words(const struct structure *structure, const struct ir *ir,
                                uint32_t steps, bool in_halves);

/* For a refusal: the shortest cycle that ties state 'from' to a component, as state indices
 * (path[0] == from, then one state per step, ends where it began). Returns its length. Works for
 * any number of states. */
uint32_t structure_cycle(const struct ir *ir, uint32_t from, uint32_t *path, uint32_t room,
                         struct arena *arena);
/* Size of the largest strongly connected component and one of its states; any number of states. */
uint32_t structure_largest_component(const struct ir *ir, uint32_t *member, struct arena *arena);

#endif
