/* What stands behind the opaque handles of the public header. */
#ifndef PRNN_HANDLES_H
#define PRNN_HANDLES_H

#include "backend.h"
#include "cpu_backend.h"
#include "pipeline.h"

#include <stdatomic.h>

struct cuda_device;
struct cuda_plan;
struct cpu_scan;

struct prnn_context {
    char device[16];
    char *description;
    struct cache *cache;      /* NULL: off */
    struct cuda_device *cuda; /* NULL: the CPU */
};

/* A cell and what every plan asks of it. Counted: plans keep their cell. */
struct prnn_cell {
    atomic_int owners;
    prnn_context *ctx;
    struct unit *unit;
    struct prnn_counts counts; /* outputs: expressions only */
    bool *input_is_shared, *input_has_gradient, *param_is_shared, *param_has_gradient;
    int32_t *output_expression; /* of each scalar output: its place among the expressions, or -1 */
    int32_t *output_state;      /* ... the state that it plainly is, or -1 */
    double initial[LIMIT_STATES];
    uint32_t output_states; /* bit i: state i is an output */
};

/* A name that memory is bound to. */
enum slot_kind {
    SLOT_INPUT,
    SLOT_PARAM,
    SLOT_OUTPUT, /* at least one element is an expression, or the states are in another order */
    SLOT_STATE,
    SLOT_H0,
    SLOT_HT,
    SLOT_RESET,
    SLOT_CU_SEQLENS
};

struct slot {
    enum slot_kind kind;
    const char *name;      /* without "h0:", "hT:" */
    const char *alias;     /* of a state: an output that is the same tensor, under another name */
    uint32_t first, count; /* scalars of its role */
    bool is_shared;
    bool has_gradient;
};

struct prnn_plan {
    prnn_context *ctx;
    prnn_cell *cell; /* NULL: a plan for prnn_scan() */
    struct backend_shape shape;
    prnn_write write;
    struct slot slots[PRNN_MAX_ARGS];
    uint32_t slot_count;
    char *description;
    struct cpu_plan *cpu;
    struct interpreter interpreter;
    struct arena *programs; /* of the interpreter */
    struct cuda_plan *cuda;
    struct strategy strategy[2]; /* of a device: forward, backward */
    struct cpu_scan *scan;
    uint32_t scan_block;
    bool scan_transposes;
    size_t workspace;
};

void cell_retain(prnn_cell *cell);

/* slots.c */
/* Fill in the table of names; PRNN_E_LIMIT when there are more than PRNN_MAX_ARGS. */
prnn_status slots_find(prnn_plan *plan);
/* "h0:h" and so on, for messages; in 'room'. */
const char *slot_name(const struct slot *slot, char *room, size_t size);

/* How a launch looks at the bound tensors. */
enum launch_view { VIEW_FORWARD, VIEW_BACKWARD, VIEW_STEP };
/* Check the bindings and make the launch argument. */
prnn_status launch_make(const prnn_plan *plan, enum launch_view view, const prnn_tensor *args,
                        const prnn_tensor *grads, struct launch *out);

/* plan.c */
void shape_options(const prnn_plan *plan, struct assemble_options *out);
/* Why there is no kernel: a limit for the caller to keep, or a fault of ours. 'unit' NULL: a scan. */
prnn_status refusal_status(const struct pipeline_text *text, const struct unit *unit);

/* Another plan of the same problem without kernels, which prnn_plan_free() takes. */
prnn_status plan_copy_shape(prnn_plan **out, const prnn_plan *like);
prnn_status plan_create_cpu(prnn_plan *plan);
/* The end of making a plan: the caller has it, or it is freed. 'st' of what came before. */
prnn_status plan_made(prnn_plan **out, prnn_plan *plan, prnn_status st);

/* Strategies of the forward and the backward kernel that somebody has asked for. */
struct wish {
    struct strategy strategy[2];
    bool is_pair; /* else the second is the first, and is made to fit */
    struct timing {
        double seconds;          /* 0: not measured */
        double before, in_order; /* with the strategy before; the fastest in order; 0: not known */
    } timing[2];
};
/* "A", or "A / B" for forward and backward. */
prnn_status wish_read(struct wish *out, const char *text);

/* plan_cuda.c */
/* 'wish' NULL: none. Then 'is_tuned' says whether what was measured and stored is looked at. */
prnn_status plan_create_cuda(prnn_plan *plan, const struct wish *wish, bool is_tuned);
/* With the forward kernel alone, or the backward one, under this strategy. */
prnn_status plan_create_cuda_kernel(prnn_plan *plan, bool is_backward,
                                    const struct strategy *strategy);
prnn_status plan_create_scan_cuda(prnn_plan *plan, const prnn_scan_problem *problem);
/* "W8 S16 L32 V1 R2 C1", and G where it is not 0. */
enum { STRATEGY_TEXT_ROOM = 80 };
void strategy_print(char text[STRATEGY_TEXT_ROOM], const struct strategy *s);
/* ... into a strategy. */
prnn_status strategy_read(struct strategy *out, const char *text);
/* A forced strategy within what a kernel can hold. */
void strategy_limit(struct strategy *strategy, enum assemble_kernel kernel);
/* The compiler's words for the public header's. */
enum assemble_storage assemble_storage_of(prnn_storage storage);
enum assemble_mode assemble_mode_of(prnn_math math);
/* Format into a new string; NULL when memory has ended. */
char *text_make(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
