/* One cell, one kernel text and one set of tensors, executed on the fiber shim and judged by the
 * interpreter of the IR, run in order in double. */
#ifndef PRNN_KERNEL_CASE_H
#define PRNN_KERNEL_CASE_H

#include "abi.h"
#include "pipeline.h"
#include "shim.h"
#include "text_library.h"

/* As kernels-gen/tile_guess.h: a tile that is solved from guesses takes so many passes by Newton's
 * method; behind them each makes one more of its chunks right. */
enum { KERNEL_NEWTON_PASSES = 24 };
static inline uint32_t kernel_passes_most(const struct strategy *strategy)
{
    return KERNEL_NEWTON_PASSES + strategy->tile_chunks * strategy->cluster - 1;
}

/* The groups of scalars of a launch, in the order of abi.h. */
enum kernel_group {
    GROUP_X,
    GROUP_H,
    GROUP_Y,
    GROUP_P,
    GROUP_H0,
    GROUP_HT,
    GROUP_GH,
    GROUP_GY,
    GROUP_GHT,
    GROUP_DX,
    GROUP_DP,
    GROUP_DH0,
    GROUP_COUNT
};

enum { KERNEL_TENSORS = 256, KERNEL_BATCH = 8 };

/* A text; compiled for the shim and loaded, or left to a device. */
struct kernel_plan {
    struct unit *unit; /* NULL for the scan */
    struct assemble_options options;
    struct pipeline_text text;
    struct text_library *library; /* these three of the shim only */
    shim_kernel *kernel, *reduce;
};

/* Sizes and manner of a run. */
struct kernel_shape {
    int64_t batch, steps, channels;
    bool is_aligned;  /* channels fill 16 bytes */
    bool is_far;      /* the launch says that steps may be 2 GiB apart */
    bool has_h0;      /* else the cell's own initial state */
    bool has_resets;  /* as the plan's options say */
    bool is_packed;   /* sequences of different lengths, one of them empty where there are 3 */
    bool is_reversed; /* packed: by the flag; else by negative strides */
    double tolerance;
    double gain; /* of parameters without a declared range; 0: 0.5 */
    uint64_t seed;
};

struct kernel_tensor {
    void *block, *data; /* what was allocated; the first element */
    double *want, *bound;
    size_t count, element;
    enum assemble_storage format;
    int64_t stride_b, stride_t;
    bool is_present, is_written;
};

/* Everything that a launch touches. */
struct kernel_data {
    const struct kernel_plan *plan;
    struct kernel_shape shape;
    uint32_t counts[GROUP_COUNT], start[GROUP_COUNT + 1];
    struct kernel_tensor tensor[KERNEL_TENSORS];
    int64_t rows, begin[KERNEL_BATCH + 1], length[KERNEL_BATCH];
    long long cu_seqlens[KERNEL_BATCH + 1];
    unsigned char *reset; /* [rows] */
    void *workspace;
    size_t workspace_bytes;
    struct prnn_block_report *report;
    int grid;
    double largest_ratio; /* of error and bound, by kernel_data_check() */
};

/* All of these stop the test when something fails. */
/* The text alone, for the target that the options name. */
void kernel_plan_assemble(struct kernel_plan *plan, const char *cell,
                          const struct assemble_options *options);
/* ... for the shim, compiled as text_library_load() does it, and loaded. */
void kernel_plan_load(struct kernel_plan *plan, const char *cell,
                      const struct assemble_options *options, const char *const *compiler);
/* With changes of the text: 'from' must stand in it, at every place where it stands 'to' is put.
 * The list ends with NULL. */
struct kernel_edit {
    const char *from, *to;
};
void kernel_plan_load_edited(struct kernel_plan *plan, const char *cell,
                             const struct assemble_options *options,
                             const struct kernel_edit *edits);
void kernel_plan_free(struct kernel_plan *plan);

/* Random inputs, the oracle's answers, outputs poisoned with NaN. */
void kernel_data_create(struct kernel_data *data, const struct kernel_plan *plan,
                        const struct kernel_shape *shape);
void kernel_data_free(struct kernel_data *data);
/* The tensors of a backward launch are all groups, else those before GROUP_GH. */
bool kernel_group_is_used(const struct kernel_plan *plan, enum kernel_group group);
bool kernel_group_is_sequence(enum kernel_group group);
/* Shared inputs with a gradient: each has sums of its own in the workspace. */
uint32_t kernel_shared_gradients(const struct kernel_plan *plan);
struct kernel_tensor *kernel_tensor_of(struct kernel_data *data, enum kernel_group group,
                                       uint32_t index);
/* Row of step t of sequence b among the rows of a tensor. */
int64_t kernel_row(const struct kernel_data *data, int64_t b, int64_t t);
double kernel_get(const struct kernel_tensor *tensor, size_t i);
void kernel_set(struct kernel_tensor *tensor, size_t i, double v);

/* Run, and fail on any fault of the shim. */
void kernel_data_run(struct kernel_data *data, enum shim_order order);
/* Every written element against the oracle, and its bound. */
void kernel_data_check(struct kernel_data *data);
/* Every written element of one group has the same bits; one NaN is as good as another. */
void kernel_data_check_same(struct kernel_data *a, struct kernel_data *b);
/* A hash of all written bits. */
uint64_t kernel_data_hash(struct kernel_data *data);
/* Put NaN into all that is written. */
void kernel_data_poison(struct kernel_data *data);

extern const char kernel_cell_gru[], kernel_cell_lstm[], kernel_cell_affine[], kernel_cell_output[],
    kernel_cell_shared[], kernel_cell_detach[], kernel_cell_chaotic[], kernel_cell_dense[],
    kernel_cell_chain[], kernel_cell_affine_chain[];

struct kernel_strategy {
    const char *name;
    struct strategy strategy;
};
enum { KERNEL_STRATEGIES = 8 };
extern const struct kernel_strategy kernel_strategies[KERNEL_STRATEGIES];

/* Make the strategy of the options one that its kernel and storage can have: as many lanes as fill
 * 16 bytes, and of the backward pass, which does not do without, a ring. */
void kernel_strategy_fit(struct assemble_options *options);

#endif
