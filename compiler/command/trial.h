/* One cell on random tensors: what 'run' checks and 'bench' times. Uses the library as any program
 * would, and the interpreter in double as the judge. */
#ifndef PRNN_TRIAL_H
#define PRNN_TRIAL_H

#include "command.h"

struct trial_options {
    const char *device;
    prnn_problem problem; /* batch, seq_len, channels, storage, math, threads, strategy */
    uint64_t seed;
    bool is_tuned;      /* the plan is the fastest for these tensors */
    bool is_timed_only; /* long tensors repeat their first values: filled fast, good for times */
};

/* Memory of one name: [batch, seq_len, count, channels] of the storage type, or, without time or
 * batch, of the arithmetic type. */
struct trial_tensor {
    const char *binding; /* "u_z", "h0:h" */
    const struct ir_decl *decl;
    prnn_storage storage; /* of its elements: that of the plan, or of the arithmetic */
    bool has_batch, has_time;
    int64_t width;                    /* channels, or 1 if shared */
    int64_t length;                   /* elements */
    void *host;                       /* the values; results after trial_fetch() */
    void *device;                     /* the plan's; may be the same memory */
    void *gradient, *device_gradient; /* NULL: none */
    bool has_incoming;                /* its gradient is read, else it is written */
};

struct trial {
    struct invocation *inv;
    const struct unit *unit;
    struct trial_options options;
    prnn_context *ctx;
    prnn_cell *cell;
    prnn_plan *plan;
    struct trial_tensor *tensors;
    uint32_t tensor_count;
    prnn_tensor args[PRNN_MAX_ARGS], grads[PRNN_MAX_ARGS];
    void *workspace;
    bool is_fallback; /* no compiler: interpreted */
    bool is_host;     /* the plan works on the host's own memory */
};

/* The cell of a unit, with the constants that the unit was given. */
prnn_status trial_load_cell(prnn_cell **out, struct invocation *inv, prnn_context *ctx,
                            const struct unit *unit, const char *path);

/* Everything is made and bound. An exit code; the trial is to be freed in any case. */
int trial_create(struct trial *trial, struct invocation *inv, const struct unit *unit,
                 const char *path, const struct trial_options *options);
void trial_free(struct trial *trial);

/* Run 'times' times in a row, then wait. */
int trial_forward(struct trial *trial, int times);
int trial_backward(struct trial *trial, int times);
/* Bring results to the host. */
int trial_fetch(struct trial *trial);

/* Values (or gradients) on the host of all scalars of a role at one place into a dense vector; of
 * tensors with or without time whose binding begins with 'prefix'. */
void trial_gather(const struct trial *trial, enum ir_role role, bool has_time, const char *prefix,
                  bool is_gradient, int64_t b, int64_t t, int64_t channel, double *out);

/* How much an error of one step may grow, from a few channels by the interpreter: the largest
 * a[t] = |J[t]| a[t-1] + 1, forward and backward, J in the maximum norm of rows and of columns.
 * Infinity where it leaves all bounds. Uses the inputs only, so it may be asked before any run. */
double trial_growth(const struct trial *trial);

/* Differences from the interpreter, relative in the Euclidean norm. */
struct trial_error {
    double difference, size; /* sums of squares */
    int64_t count;           /* of values that were compared */
};
/* NaN where nothing was compared. */
double trial_relative(const struct trial_error *error);

struct trial_verdict {
    struct trial_error forward;   /* over all states and outputs */
    struct trial_error *backward; /* for each tensor with a gradient that is written */
    int64_t channels;             /* that were compared, the first ones */
    /* How the shooting solver would get there, tile by tile, in the arithmetic of the plan: the
     * plain reference of runtime/cpu, since a CPU plan solves in order. */
    struct trial_shooting {
        int64_t tile_chunks, chunk, channels; /* channels: that were solved, the first ones */
        struct trial_error error;             /* over all states */
        double tolerance, mismatch;
        uint32_t max_corrections;
        double mean_corrections;
    } shooting;
};

/* Solve in order in double and compare: channels up to a bounded amount of work. Gradients that are
 * sums over channels are compared only if all channels are. */
void trial_judge(struct trial *trial, struct trial_verdict *out);

/* Move inputs, parameters and initial states on the host to the next number up or down, or leave
 * them, at random; within their ranges. Results stay: what the judge says then is how far they are
 * from the answer to other data. */
void trial_move(struct trial *trial);

/* Solve by shooting and fill in out->shooting; after trial_judge(). 'tolerance' is that of the
 * plan. An exit code. */
int trial_shoot(struct trial *trial, double tolerance, struct trial_verdict *out);

#endif
