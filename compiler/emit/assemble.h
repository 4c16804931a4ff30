/* All parts of a kernel text, in order: constants, contract, prelude, mathematics, emitted half,
 * skeletons. */
#ifndef PRNN_ASSEMBLE_H
#define PRNN_ASSEMBLE_H

#include "emit.h"
#include "settle.h"

enum assemble_kernel {
    ASSEMBLE_CPU,      /* one text: forward, backward and the table of entries */
    ASSEMBLE_FORWARD,  /* CUDA: prnn_forward */
    ASSEMBLE_BACKWARD, /* CUDA: prnn_backward, prnn_reduce */
    ASSEMBLE_DECODE,   /* CUDA: prnn_step */
    ASSEMBLE_SCAN,     /* CUDA: prnn_scan; no cell */
    ASSEMBLE_COMPARE,  /* CUDA: prnn_compare, two arrays of the storage type; no cell */
    ASSEMBLE_KERNEL_COUNT
};

enum assemble_target { ASSEMBLE_CUDA, ASSEMBLE_HOST, ASSEMBLE_SHIM };
enum assemble_storage { ASSEMBLE_F32, ASSEMBLE_F64, ASSEMBLE_BF16, ASSEMBLE_F16 };
/* Bytes of an element of a sequence tensor. */
static inline uint32_t assemble_element_bytes(enum assemble_storage storage)
{
    return storage == ASSEMBLE_F64 ? 8 : storage == ASSEMBLE_F32 ? 4 : 2;
}

/* What may be left of a solve for its type; also for f64, whose kernels have no table of their own.
 */
static inline enum settle_rounding assemble_rounding(enum assemble_storage storage)
{
    return assemble_element_bytes(storage) < 4 ? SETTLE_16 : SETTLE_32;
}

enum assemble_mode { ASSEMBLE_ACCURATE, ASSEMBLE_FAST, ASSEMBLE_STRICT };

/* The shape of a kernel; see docs/kernels.md. All 0 for the CPU. */
struct strategy {
    uint32_t lanes;       /* threads across channels: 4, 8, 16, 32, ... */
    uint32_t vc;          /* channels of a thread: 1 or 2 */
    uint32_t tile_chunks; /* W */
    uint32_t chunk;       /* S */
    uint32_t stages;      /* of the ring, at least 2; 0: none, forward only */
    uint32_t cluster;     /* thread blocks that share a tile */
    uint32_t guess; /* steps from which an entry is guessed, without a ring and in long chunks of
                       the backward pass; 0: as many as settle_trusted_steps() says */
};

struct assemble_options {
    enum assemble_kernel kernel;
    enum assemble_target target;
    enum assemble_storage storage;
    enum assemble_mode mode;
    struct strategy strategy;
    uint32_t state_written, state_gradient; /* bit i: PRNN_STATE_WRITTEN, PRNN_STATE_GRADIENT */
    bool has_resets;
    bool is_packed;      /* the launch may hold packed sequences; of a CPU text always */
    uint32_t scan_block; /* ASSEMBLE_SCAN: states of the given Jacobians, 1 to 4 */
    bool scan_is_diagonal;
};

/* Who is to change something where there is no text. */
enum assemble_fault {
    ASSEMBLE_FINE,
    ASSEMBLE_STRATEGY, /* the options have no meaning, or need too much shared memory */
    ASSEMBLE_CELL,     /* the cell is too large for a kernel */
    ASSEMBLE_TEXT,     /* ours: the emitted half has what it must not have */
};

struct assembled {
    enum assemble_fault fault;
    const char *text; /* in the arena of 'out' */
    size_t length;
    const char *entry;        /* name of the kernel, carries a hash of the cell and the constants */
    const char *reduce_entry; /* of ASSEMBLE_BACKWARD: the second kernel, see reduce_partials.h;
                                 else NULL */
    uint32_t threads;         /* of a thread block */
    uint32_t shared_bytes;    /* dynamic shared memory */
    uint32_t block_channels;  /* channels of one thread block: lanes * vc */
    uint32_t segment_channels; /* ... whose shared inputs have one sum of gradients */
    uint64_t half_hash;        /* FNV-1a of the emitted half */
};

/* NULL, or why there is no text; out->fault says whose fault that is. 'ir' is NULL for
 * ASSEMBLE_SCAN and ASSEMBLE_COMPARE. */
const char *assemble(struct assembled *out, const struct ir *ir, const struct structure *structure,
                     const struct assemble_options *options, struct arena *arena);

/* Whether these are of a backward pass in long chunks, whose rows pass through the ring in slices
 * of so many steps. */
enum { ASSEMBLE_SLICE = 8 };
bool assemble_is_long(const struct assemble_options *options);

/* Whether these are of a forward kernel that solves a tile from guesses: without a ring. */
bool assemble_is_guessing(const struct assemble_options *options);

/* Shared memory of a strategy without making the text: the cost model asks this often. */
uint32_t assemble_shared_bytes(const struct ir *ir, const struct assemble_options *options);

/* How a kernel treats a tile. */
struct assemble_tile {
    uint32_t
        recorded; /* words of a thread that keep the steps of a chunk; 0: it runs the chunk again */
    bool in_halves;      /* ... tangents as halves, because that lets in more thread blocks */
    uint32_t warm_steps; /* steps before an entry that its guess is taken from, backward those
                            behind it; 0: no rough guess */
    uint32_t warm_exact; /* ... of which so many do not approximate; then it may be all that is
                            needed. 0: all do */
    bool
        is_warm_ahead; /* ... while the tile before is solved, for which its inputs must be there */
    uint32_t ahead;    /* steps whose rows are on their way to registers, without a ring */
    uint32_t registers; /* that a thread needs, about */
};
struct assemble_tile assemble_tile(const struct ir *ir, const struct structure *structure,
                                   const struct assemble_options *options);

#endif
