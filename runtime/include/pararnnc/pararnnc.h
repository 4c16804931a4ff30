/**
 * pararnnc: solve nonlinear recurrences h_t = f(h_{t-1}, x_t, p), written as .cell files, for all
 * steps of many sequences; forward, backward, and one step at a time.
 *
 *     prnn_context *ctx;  prnn_context_create(&ctx, "auto");
 *     prnn_cell    *cell; prnn_cell_load(&cell, ctx, "cells/paragru.cell", NULL);
 *
 *     prnn_problem problem = PRNN_PROBLEM_INIT;
 *     problem.batch = 8; problem.seq_len = 2048; problem.channels = 1024; problem.backward = true;
 *     prnn_plan *plan;    prnn_plan_create(&plan, cell, &problem);
 *
 *     prnn_tensor args[PRNN_MAX_ARGS] = PRNN_ARGS_INIT;
 *     prnn_plan_bind(plan, args, "u_z", u_z, PRNN_DENSE, PRNN_DENSE);
 *     ...
 *     prnn_forward(plan, args, workspace, stream);
 *
 * Status: 0 is fine, negative: nothing usable was done, positive: usable with a reservation. The
 * words are in prnn_last_error(), per thread. Nothing here prints, exits or installs handlers.
 *
 * Threads: contexts, cells and plans do not change after creation and may be used by many threads;
 * each call in flight needs a workspace of its own. A context outlives its cells, a cell may be
 * freed before its plans.
 *
 * Element types. Sequence tensors (inputs, outputs, trajectories of states and their gradients)
 * have the storage type of the plan. Everything else (parameters, h0, hT and their gradients) has
 * the arithmetic type: double for PRNN_F64 storage, else float.
 */
#ifndef PARARNNC_H
#define PARARNNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PRNN_VERSION_MAJOR 0
#define PRNN_VERSION_MINOR 1
#define PRNN_VERSION_PATCH 0

#if defined(__GNUC__)
#define PRNN_API __attribute__((visibility("default")))
#else
#define PRNN_API
#endif

/* ------------------------------------------------------------------------------------- status */

typedef enum prnn_status {
    PRNN_OK = 0,
    PRNN_NONFINITE = 1,      /* inf or NaN in the result, as in the sequential recurrence */
    PRNN_FALLBACK = 2,       /* no device, or no compiler: slower, same answers */
    PRNN_E_CELL = -1,        /* errors in the cell: prnn_last_diagnostics() */
    PRNN_E_INVALID = -2,     /* a wrong argument, binding or handle */
    PRNN_E_IO = -3,          /* a file cannot be read or written */
    PRNN_E_LIMIT = -4,       /* a limit of this library */
    PRNN_E_NOMEM = -5,       /* host or device memory has ended */
    PRNN_E_UNSUPPORTED = -6, /* this device or build cannot do it */
    PRNN_E_BACKEND = -7, /* driver, NVRTC or cc failed: its own words are in prnn_last_error() */
    PRNN_E_STICKY = -8,  /* the device context is lost; every later call says so */
    PRNN_E_INTERNAL = -9 /* a fault of this library: please report it */
} prnn_status;

/** "PRNN_E_INVALID" and so on; never NULL. */
PRNN_API const char *prnn_status_name(prnn_status status);

/**
 * What the last call of this thread that did not return PRNN_OK had to say: what, which argument,
 * found and needed. Valid until the next such call of this thread; never NULL.
 */
PRNN_API const char *prnn_last_error(void);

/** "0.1.0" */
PRNN_API const char *prnn_version(void);

/* ------------------------------------------------------------------------------------ context */

typedef struct prnn_context prnn_context;

/**
 * @param device  "cpu", "cuda:0", "cuda:1", ..., or "auto": the first CUDA device that works, else
 *                the CPU
 * @return PRNN_OK; PRNN_FALLBACK ("auto" took the CPU); PRNN_E_INVALID (no such device name);
 * PRNN_E_BACKEND (no driver, no such device; says what is missing)
 */
PRNN_API prnn_status prnn_context_create(prnn_context **out, const char *device);
PRNN_API void prnn_context_free(prnn_context *ctx); /* NULL is fine */

/** "cpu", "cuda:0" */
PRNN_API const char *prnn_context_device(const prnn_context *ctx);
/** The device in words, e.g. "NVIDIA H200, sm_90, 132 multiprocessors"; owned by the context. */
PRNN_API const char *prnn_context_describe(const prnn_context *ctx);

/**
 * Memory that plans of this context can read and write, for programs that run on any device. On the
 * CPU it is ordinary memory, 256-byte aligned. Contents are undefined.
 *
 * @return PRNN_OK (for size 0 with *out NULL); PRNN_E_NOMEM; PRNN_E_STICKY
 */
PRNN_API prnn_status prnn_memory_alloc(prnn_context *ctx, void **out, size_t size);
PRNN_API void prnn_memory_free(prnn_context *ctx, void *memory); /* NULL is fine */
/** Copy from and to ordinary memory. They wait for the stream, and for the copy. */
PRNN_API prnn_status prnn_memory_upload(prnn_context *ctx, void *memory, const void *host,
                                        size_t size, void *stream);
PRNN_API prnn_status prnn_memory_download(prnn_context *ctx, void *host, const void *memory,
                                          size_t size, void *stream);
/** Wait for all work on a stream. Returns at once on the CPU. */
PRNN_API prnn_status prnn_stream_wait(prnn_context *ctx, void *stream);

/* --------------------------------------------------------------------------------------- cells */

typedef struct prnn_cell prnn_cell;

typedef struct prnn_cell_options {
    size_t struct_size;
    const char *const *defines; /* "name=value" for the cell's constants */
    size_t define_count;
    const char *const *warnings; /* "unused", "no-unused", "error=unused", "error" */
    size_t warning_count;
} prnn_cell_options;
#define PRNN_CELL_OPTIONS_INIT                                                                     \
    {                                                                                              \
        sizeof(prnn_cell_options), NULL, 0, NULL, 0                                                \
    }

/**
 * Compile a .cell file (or open a .prnn bundle) up to its derivatives: all that does not depend on
 * shapes. Reads that file and nothing else.
 *
 * @param[out] out      the cell, to be freed with prnn_cell_free(); NULL on failure
 * @param      options  NULL: PRNN_CELL_OPTIONS_INIT
 * @return PRNN_OK; PRNN_E_CELL (prnn_last_diagnostics() has every message); PRNN_E_IO;
 * PRNN_E_LIMIT; PRNN_E_NOMEM; PRNN_E_INVALID
 */
PRNN_API prnn_status prnn_cell_load(prnn_cell **out, prnn_context *ctx, const char *path,
                                    const prnn_cell_options *options);
/** The same from memory; 'name' stands for the path in messages, NULL: "<text>". */
PRNN_API prnn_status prnn_cell_load_text(prnn_cell **out, prnn_context *ctx, const char *name,
                                         const char *text, size_t length,
                                         const prnn_cell_options *options);
PRNN_API void prnn_cell_free(prnn_cell *cell); /* NULL is fine; plans stay usable */

/** Messages of this thread's last prnn_cell_load(), errors and warnings, as a compiler prints them.
 * Valid until this thread's next prnn_cell_load(); never NULL. */
PRNN_API const char *prnn_last_diagnostics(void);

typedef struct prnn_diagnostic {
    size_t struct_size;
    bool is_error;    /* else a warning */
    const char *slug; /* stable name: "unknown-name" */
    const char *text;
    const char *file;
    uint32_t line, column; /* from 1; 0: concerns the file as a whole */
    uint32_t begin, end;   /* the same place in bytes from 0 */
    const char *fix;       /* to be written in place of [begin, end), or NULL */
} prnn_diagnostic;
#define PRNN_DIAGNOSTIC_INIT                                                                       \
    {                                                                                              \
        sizeof(prnn_diagnostic), false, NULL, NULL, NULL, 0, 0, 0, 0, NULL                         \
    }

/** The same messages as data. */
PRNN_API size_t prnn_diagnostic_count(void);
PRNN_API prnn_status prnn_diagnostic_get(size_t index, prnn_diagnostic *out);

typedef enum prnn_role { PRNN_STATE, PRNN_INPUT, PRNN_PARAM, PRNN_OUTPUT } prnn_role;

typedef struct prnn_cell_info {
    size_t struct_size;
    const char *name;
    const char *doc;                                                      /* or NULL */
    uint32_t states, inputs, params, outputs;                             /* declared names */
    uint32_t state_scalars, input_scalars, param_scalars, output_scalars; /* per channel */
    uint32_t block_count, largest_block; /* of states solved together */
    bool is_affine;                      /* the Jacobian does not depend on the state */
    bool is_contraction;                 /* proven: jacobian_bound < 1 */
    double jacobian_bound;               /* of |dh'/dh| in the maximum norm; infinity: none */
} prnn_cell_info;
#define PRNN_CELL_INFO_INIT                                                                        \
    {                                                                                              \
        sizeof(prnn_cell_info), NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, false, false, 0.0        \
    }
PRNN_API prnn_status prnn_cell_describe(const prnn_cell *cell, prnn_cell_info *out);

/** One declared name. Strings are owned by the cell. */
typedef struct prnn_value_info {
    size_t struct_size;
    const char *name;
    const char *doc; /* or NULL */
    prnn_role role;
    uint32_t rank, rows, cols; /* shape within a channel: rank 0 scalar, 1 [rows], 2 [rows, cols] */
    uint32_t count;            /* elements: rows * cols */
    bool is_shared;            /* one value for all channels */
    bool has_gradient;
    bool has_range;
    double lo, hi;  /* the range */
    double initial; /* of a state: its value where no h0 is bound */
} prnn_value_info;
#define PRNN_VALUE_INFO_INIT                                                                       \
    {                                                                                              \
        sizeof(prnn_value_info), NULL, NULL, PRNN_STATE, 0, 0, 0, 0, false, false, false, 0.0,     \
            0.0, 0.0                                                                               \
    }
/** Names of a role in the order of declaration; PRNN_E_INVALID past the last. */
PRNN_API prnn_status prnn_cell_value(const prnn_cell *cell, prnn_role role, uint32_t index,
                                     prnn_value_info *out);
/** By name; where a state and an output have the same name, the state. */
PRNN_API prnn_status prnn_cell_find(const prnn_cell *cell, const char *name, prnn_value_info *out);

/* --------------------------------------------------------------------------------------- plans */

typedef struct prnn_plan prnn_plan;

typedef enum prnn_storage { PRNN_F32, PRNN_F64, PRNN_BF16, PRNN_F16 } prnn_storage;

typedef enum prnn_math {
    PRNN_ACCURATE, /* a few roundings of the sequential recurrence */
    PRNN_FAST,     /* hardware approximations where storage is 16 bits wide */
    PRNN_STRICT    /* the same bits on every CPU and GPU */
} prnn_math;

/** What prnn_forward() writes over time; hT is written in any case where it is bound. */
typedef enum prnn_write {
    PRNN_WRITE_AUTO,    /* PRNN_WRITE_OUTPUTS */
    PRNN_WRITE_OUTPUTS, /* the cell's outputs; with 'backward' also all states, which it needs */
    PRNN_WRITE_STATES,  /* outputs and all states; gradients may come in for all states */
    PRNN_WRITE_LAST     /* nothing but hT; not with 'backward' */
} prnn_write;

typedef struct prnn_problem {
    size_t struct_size;
    int64_t batch;    /* sequences; any of the three may be 0 */
    int64_t seq_len;  /* steps; of packed sequences the total */
    int64_t channels; /* independent recurrences of one sequence */
    prnn_storage storage;
    prnn_math math;
    prnn_write write;
    bool backward; /* prnn_backward() will be called */
    bool resets;   /* "reset" will be bound: the state before a flagged step is the initial state */
    bool packed;   /* "cu_seqlens" will be bound: sequences of different length in one row */
    bool reverse;  /* time runs from the last step to the first */
    int32_t threads;  /* of a CPU plan; 0: OMP_NUM_THREADS, else the processors it may use */
    double tolerance; /* of the mismatch, relative, and of what a backward pass guesses; negative: a
                         few roundings of the arithmetic, of 16-bit storage a quarter of a rounding;
                         0: the bits of the sequential recurrence, and backward no guess */
    const char *strategy; /* as prnn_plan_describe() shows it, e.g. "W8 S16 L32 V1 R2 C1", or two of
                             them, forward and backward: "A / B"; NULL: what 'pararnnc tune' has
                             found to be the fastest, else as "model", the library's own choice */
} prnn_problem;
#define PRNN_PROBLEM_INIT                                                                          \
    {                                                                                              \
        sizeof(prnn_problem), 0, 0, 0, PRNN_F32, PRNN_ACCURATE, PRNN_WRITE_AUTO, false, false,     \
            false, false, 0, -1.0, NULL                                                            \
    }

/**
 * Choose a strategy, compile (or find in the disk cache) and load. The only slow call: everything
 * after it allocates nothing and loads nothing.
 *
 * @return PRNN_OK; PRNN_FALLBACK (no C compiler: the interpreter, slower, same answers);
 * PRNN_E_INVALID; PRNN_E_LIMIT; PRNN_E_NOMEM; PRNN_E_UNSUPPORTED; PRNN_E_BACKEND
 */
PRNN_API prnn_status prnn_plan_create(prnn_plan **out, const prnn_cell *cell,
                                      const prnn_problem *problem);
PRNN_API void prnn_plan_free(prnn_plan *plan); /* NULL is fine; waits for nothing */

/** Strategy, kernels and where they came from, one "name: value" a line; owned by the plan. */
PRNN_API const char *prnn_plan_describe(const prnn_plan *plan);

/**
 * One bound name. Element (b, t, e, channel) stands at
 * data[b*stride_b + t*stride_t + e*stride_e + channel], in elements; 'e' counts the elements of a
 * vector or matrix, row by row.
 */
typedef struct prnn_tensor {
    void *data; /* NULL: not bound */
    int64_t stride_b, stride_t, stride_e;
} prnn_tensor;

enum { PRNN_MAX_ARGS = 256 };
#define PRNN_ARGS_INIT                                                                             \
    {                                                                                              \
        {                                                                                          \
            NULL, 0, 0, 0                                                                          \
        }                                                                                          \
    }

/** For a stride: as in a dense tensor of the shape that stands at prnn_plan_bind(). */
#define PRNN_DENSE INT64_MIN

/**
 * Bind memory to a name. Names and dense shapes (B batch, T seq_len, N channels; [e] for vectors):
 *
 *   an input              [B, T, e, N], shared: [B, T, e]         storage type
 *   an output, a state    [B, T, e, N]: its trajectory            storage type
 *   a parameter           [e, N], shared: [e]; strides unused     arithmetic type
 *   "h0:STATE"            [B, e, N], state before the first step  arithmetic type; may be unbound
 *   "hT:STATE"            [B, e, N], state after the last step    arithmetic type; may be unbound
 *   "reset"               [B, T], not 0: reset                    unsigned char
 *   "cu_seqlens"          [B + 1], starts of the sequences, then the total length; int64_t
 *
 * Packed sequences have no B axis in sequence tensors: stride_b is not used. An output that is
 * plainly a state (output h';) is one tensor with that state's trajectory.
 *
 * In the array of gradients the same names stand for the gradients of those things: prnn_backward()
 * reads those of outputs, trajectories and "hT:STATE" (unbound: zero) and writes those of inputs,
 * parameters and "h0:STATE" (unbound: not wanted).
 *
 * Neighbouring channels are neighbours in memory: packed gates [B, T, 3, N] are three bindings with
 * stride_t 3*N. A vector input with stride_e N is [B, T, e, N]; prnn_plan_bind_strided() sets
 * others.
 *
 * @param args  PRNN_MAX_ARGS places, from PRNN_ARGS_INIT; 'data' NULL takes a binding back
 * @return PRNN_OK; PRNN_E_INVALID (no such name). The strides are looked at when they are used
 */
PRNN_API prnn_status prnn_plan_bind(const prnn_plan *plan, prnn_tensor *args, const char *name,
                                    const void *data, int64_t stride_b, int64_t stride_t);
PRNN_API prnn_status prnn_plan_bind_strided(const prnn_plan *plan, prnn_tensor *args,
                                            const char *name, const void *data, int64_t stride_b,
                                            int64_t stride_t, int64_t stride_e);

/**
 * A plan like 'plan', with the strategies that are fastest on these tensors. Which those are depends
 * on how long the cell remembers, and so on parameters and inputs: the library's own choice is for
 * random ones, and a trained cell may want another, forward up to twice as fast.
 *
 * Compiles some twenty kernels a direction (several at once; with a disk cache once and for all) and
 * times them on 'stream', which it waits for. Everything that prnn_forward() writes is written, in
 * the end by the new plan, with 'grads' also what prnn_backward() does. Workspaces of its own it
 * allocates on the device, and frees.
 *
 * Bindings of one plan are bindings of the other, but the workspace may have another size. 'plan'
 * does not change, and is not needed any more. On the CPU there is nothing to choose, and nothing is
 * run.
 *
 * @param[in] grads  NULL: the backward pass keeps its strategy
 *
 * @return PRNN_OK; PRNN_FALLBACK; PRNN_E_INVALID (also a binding, as prnn_forward(), and "hT:STATE"
 * in the memory of "h0:STATE"); PRNN_E_LIMIT; PRNN_E_NOMEM; PRNN_E_BACKEND (a stream that is being
 * captured, too); PRNN_E_STICKY
 */
PRNN_API prnn_status prnn_plan_tune(prnn_plan **out, const prnn_plan *plan, const prnn_tensor *args,
                                    const prnn_tensor *grads, void *stream);

/** Bytes of the workspace, in memory of the plan's device; 0: none needed, NULL is fine. */
PRNN_API size_t prnn_plan_workspace_size(const prnn_plan *plan);
PRNN_API size_t prnn_plan_workspace_alignment(const prnn_plan *plan);

/**
 * Solve the recurrence for every step of every sequence.
 *
 * On a device it only enqueues: allocates nothing, waits for nothing, may be captured in a graph.
 * On the CPU it returns when the work is done.
 *
 * @param     plan       from prnn_plan_create()
 * @param[in] args       bound with prnn_plan_bind(); every input, parameter and tensor to be
 * written
 * @param     workspace  prnn_plan_workspace_size() bytes, borrowed until the work is done
 * @param     stream     a CUstream, or NULL: the default stream; NULL on the CPU
 *
 * @return PRNN_OK; PRNN_NONFINITE (CPU only; a device says it in the certificate); PRNN_E_INVALID
 * (a binding is missing or overlaps an output); PRNN_E_BACKEND; PRNN_E_STICKY
 */
PRNN_API prnn_status prnn_forward(const prnn_plan *plan, const prnn_tensor *args, void *workspace,
                                  void *stream);

/**
 * Gradients of inputs, parameters and initial states, from the gradients of outputs and final
 * states.
 *
 * Reads the inputs, parameters, h0 and the trajectories of all states that prnn_forward() has
 * written. Sums are made in a fixed order: two runs give the same bits.
 *
 * @param[in] args   as for prnn_forward()
 * @param[in] grads  the same names; see prnn_plan_bind(). Gradients are written, not added to
 */
PRNN_API prnn_status prnn_backward(const prnn_plan *plan, const prnn_tensor *args,
                                   const prnn_tensor *grads, void *workspace, void *stream);

/**
 * One step, for decoding: inputs and outputs are [B, e, N] (stride_t is not used), "h0:STATE" is
 * the state before the step (unbound: the cell's initial state) and "hT:STATE" the state after it;
 * both may be the same memory. Takes no lock, allocates nothing.
 */
PRNN_API prnn_status prnn_step(const prnn_plan *plan, const prnn_tensor *args, void *workspace,
                               void *stream);

/** How the last prnn_forward() that used 'workspace' came to its answer. */
typedef struct prnn_certificate {
    size_t struct_size;
    double mismatch;  /* largest residual where chunks meet, relative to the states: |exit of a chunk
                         - entry of the next|, or |step from an entry - state written after it|
                         (docs/method.md); 0: exact */
    double tolerance; /* that the plan keeps it below */
    int64_t batch, step, channel; /* where the largest is; -1: nowhere */
    uint32_t max_corrections;     /* of one tile; 0: solved in order, or the first guess was it. Of
                                     kernels without a ring: how often some chunks were run again */
    double mean_corrections;      /* per tile */
    uint64_t tiles;
    bool nonfinite; /* inf or NaN among the states */
} prnn_certificate;
#define PRNN_CERTIFICATE_INIT                                                                      \
    {                                                                                              \
        sizeof(prnn_certificate), 0.0, 0.0, -1, -1, -1, 0, 0.0, 0, false                           \
    }

/**
 * The only call besides the copies that waits: for the stream.
 *
 * @return PRNN_OK; PRNN_NONFINITE; PRNN_E_INVALID; PRNN_E_BACKEND; PRNN_E_STICKY
 */
PRNN_API prnn_status prnn_plan_certificate(const prnn_plan *plan, const void *workspace,
                                           prnn_certificate *out, void *stream);

/* ---------------------------------------------------------------------------------------- scan */

/** h_t = J_t h_{t-1} + r_t for given Jacobians, diagonal or block by block. */
typedef struct prnn_scan_problem {
    size_t struct_size;
    int64_t batch, seq_len, channels;
    uint32_t block;   /* states of a channel: n, 1 to 4 */
    bool is_diagonal; /* J is [B, T, n, N], else [B, T, n*n, N], row by row */
    bool transpose;   /* use the transpose of each J: the adjoint's recurrence */
    bool reverse;     /* h_t = J_t h_{t+1} + r_t, from the last step to the first */
    prnn_storage storage;
    int32_t threads;
    const char *strategy;
} prnn_scan_problem;
#define PRNN_SCAN_PROBLEM_INIT                                                                     \
    {                                                                                              \
        sizeof(prnn_scan_problem), 0, 0, 0, 1, true, false, false, PRNN_F32, 0, NULL               \
    }

/**
 * A plan for prnn_scan(). Its names: "J", "r" (inputs), "h" (output, [B, T, n, N]), "h0:h", "hT:h".
 */
PRNN_API prnn_status prnn_scan_plan_create(prnn_plan **out, prnn_context *ctx,
                                           const prnn_scan_problem *problem);
/** Enqueues only, as prnn_forward(). */
PRNN_API prnn_status prnn_scan(const prnn_plan *plan, const prnn_tensor *args, void *workspace,
                               void *stream);

/* ---------------------------------------------------------------------------------- parameters */

/**
 * Fill a parameter (or an initial state) in host memory as its 'init' declares, clipped to its
 * range. Without 'init': normal(0, 0.1) for parameters, the initial value for states. The same seed
 * and name give the same values on every machine.
 *
 * @param storage   PRNN_F32 or PRNN_F64: type of 'out'
 * @param stride_e  distance of vector elements, or PRNN_DENSE: channels (1 if shared)
 * @return PRNN_OK; PRNN_E_INVALID (no parameter or state of that name; another type)
 */
PRNN_API prnn_status prnn_params_init(const prnn_cell *cell, const char *name, uint64_t seed,
                                      int64_t channels, prnn_storage storage, void *out,
                                      int64_t stride_e);
/** Bring the values of a parameter back into its declared range; nothing where it has none. NaN
 * stays. */
PRNN_API prnn_status prnn_params_clip(const prnn_cell *cell, const char *name, int64_t channels,
                                      prnn_storage storage, void *values, int64_t stride_e);

#ifdef __cplusplus
}
#endif

#endif
