/* pararnnc run: solve on random tensors and compare with the interpreter. */
#include "measure.h"
#include "trial.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum {
    OPTION_JSON = 1,
    OPTION_DEVICE,
    OPTION_BATCH,
    OPTION_SEQ_LEN,
    OPTION_CHANNELS,
    OPTION_SEED,
    OPTION_DTYPE,
    OPTION_MATH,
    OPTION_THREADS,
    OPTION_STRATEGY,
    OPTION_TUNE,
    OPTION_MOVED
};

static const struct option options[] = {
    {OPTION_DEVICE, 0, "device", "NAME", NULL, false,
     "cpu, cuda:0, cuda:1, ... or auto; default auto"},
    {OPTION_BATCH, 0, "batch", "B", NULL, false, "sequences; default 4"},
    {OPTION_SEQ_LEN, 0, "seq-len", "T", NULL, false, "steps of a sequence; default 512"},
    {OPTION_CHANNELS, 0, "channels", "N", NULL, false, "channels; default 64"},
    {OPTION_DTYPE, 0, "dtype", "TYPE", "f32|f64|bf16|f16", false,
     "element type of sequence tensors; default f32"},
    {OPTION_MATH, 0, "math", "MODE", "accurate|fast|strict", false,
     "elementary functions; default accurate"},
    {OPTION_SEED, 0, "seed", "SEED", NULL, false, "of the random numbers; default 1"},
    {OPTION_THREADS, 0, "threads", "COUNT", NULL, false, "of the CPU; default all"},
    {OPTION_STRATEGY, 0, "strategy", "TEXT", NULL, false,
     "shape of the kernels of a GPU, e.g. 'W8 S16 L32 V1 R2 C1'; default: the library chooses"},
    {OPTION_TUNE, 0, "tune", NULL, NULL, false,
     "of a GPU: first measure which strategies are fastest for these tensors"},
    {OPTION_MOVED, 0, "moved", NULL, NULL, false,
     "also the errors from the answer to data that are moved by one unit in the last place"},
    {OPTION_JSON, 0, "json", NULL, NULL, false, "print one JSON object"},
    COMMAND_CELL_OPTIONS,
    {0, 0, NULL, NULL, NULL, false, NULL},
};

/* What was done, to be printed. */
struct outcome {
    struct trial trial;
    struct trial_verdict verdict;
    struct trial_verdict moved; /* 'backward' NULL: not asked for */
    prnn_certificate certificate;
    double forward_seconds, backward_seconds;
};

static int read_options(struct invocation *inv, struct trial_options *out)
{
    const struct arguments *a = &inv->arguments;
    static const char *const dtypes[] = {"f32", "f64", "bf16", "f16"};
    static const char *const maths[] = {"accurate", "fast", "strict"};
    *out = (struct trial_options){.device = arguments_value(a, OPTION_DEVICE, "auto"),
                                  .problem = PRNN_PROBLEM_INIT};
    int64_t seed, threads;
    int code = command_integer(inv, OPTION_BATCH, "batch", 0, 1 << 20, 4, &out->problem.batch);
    if (!code)
        code = command_integer(inv, OPTION_SEQ_LEN, "seq-len", 0, (int64_t)1 << 31, 512,
                               &out->problem.seq_len);
    if (!code)
        code = command_integer(inv, OPTION_CHANNELS, "channels", 0, 1 << 24, 64,
                               &out->problem.channels);
    if (!code)
        code = command_integer(inv, OPTION_SEED, "seed", 0, INT64_MAX / 16, 1, &seed);
    if (!code)
        code = command_integer(inv, OPTION_THREADS, "threads", 1, 4096, 0, &threads);
    if (code)
        return code;
    out->seed = (uint64_t)seed;
    out->problem.threads = (int32_t)threads;
    out->problem.backward = true;
    out->problem.strategy = arguments_value(a, OPTION_STRATEGY, NULL);
    out->is_tuned = arguments_has(a, OPTION_TUNE);
    for (int i = 0; i < 4; i++)
        if (!strcmp(arguments_value(a, OPTION_DTYPE, "f32"), dtypes[i]))
            out->problem.storage = (prnn_storage)i;
    for (int i = 0; i < 3; i++)
        if (!strcmp(arguments_value(a, OPTION_MATH, "accurate"), maths[i]))
            out->problem.math = (prnn_math)i;
    return EXIT_CODE_OK;
}

static int solve(struct outcome *out)
{
    struct trial *trial = &out->trial;
    double start = measure_now();
    int code = trial_forward(trial, 1);
    out->forward_seconds = measure_now() - start;
    out->certificate = (prnn_certificate)PRNN_CERTIFICATE_INIT;
    if (!code)
        code = command_status(
            prnn_plan_certificate(trial->plan, trial->workspace, &out->certificate, NULL),
            "certificate");
    start = measure_now();
    if (!code)
        code = trial_backward(trial, 1);
    out->backward_seconds = measure_now() - start;
    if (!code)
        code = trial_fetch(trial);
    if (!code)
        trial_judge(trial, &out->verdict);
    /* A device shoots by itself and has certified that. */
    if (!code && trial->is_host)
        code = trial_shoot(trial, out->certificate.tolerance, &out->verdict);
    if (!code && trial->is_host) {
        out->certificate.max_corrections = out->verdict.shooting.max_corrections;
        out->certificate.mean_corrections = out->verdict.shooting.mean_corrections;
        out->certificate.mismatch = out->verdict.shooting.mismatch;
    }
    /* Last: the data are not the same afterwards. */
    if (!code && arguments_has(&trial->inv->arguments, OPTION_MOVED)) {
        trial_move(trial);
        trial_judge(trial, &out->moved);
    }
    return code;
}

/* An object with a member for each gradient that was written. */
static void add_json_errors(struct textbuf *out, const struct trial *trial,
                            const struct trial_verdict *verdict)
{
    uint32_t shown = 0;
    textbuf_add(out, "{");
    for (uint32_t i = 0; i < trial->tensor_count; i++) {
        if (!trial->tensors[i].gradient || trial->tensors[i].has_incoming)
            continue;
        textbuf_add(out, shown++ ? ", " : "");
        textbuf_add_json_string(out, trial->tensors[i].binding);
        textbuf_add(out, ": ");
        textbuf_add_json_number(out, trial_relative(&verdict->backward[i]));
    }
    textbuf_add(out, "}");
}

static void print_json(struct textbuf *out, const struct outcome *o)
{
    const struct trial *trial = &o->trial;
    const prnn_problem *problem = &trial->options.problem;
    textbuf_add(out, "{\n  \"cell\": ");
    textbuf_add_json_string(out, trial->unit->ir->name);
    textbuf_add(out, ",\n  \"device\": ");
    textbuf_add_json_string(out, prnn_context_device(trial->ctx));
    textbuf_printf(out,
                   ",\n  \"interpreted\": %s,\n  \"batch\": %" PRId64 ",\n  \"seq_len\": %" PRId64
                   ",\n  \"channels\": %" PRId64 ",\n  \"dtype\": \"%s\",\n  \"seed\": %" PRIu64
                   ",\n  \"compared_channels\": %" PRId64 ",\n  \"plan\": ",
                   trial->is_fallback ? "true" : "false", problem->batch, problem->seq_len,
                   problem->channels, arguments_value(&trial->inv->arguments, OPTION_DTYPE, "f32"),
                   trial->options.seed, o->verdict.channels);
    textbuf_add_json_string(out, prnn_plan_describe(trial->plan));
    textbuf_add(out, ",\n  \"forward\": {\"relative_error\": ");
    textbuf_add_json_number(out, trial_relative(&o->verdict.forward));
    textbuf_printf(
        out, ", \"max_corrections\": %u, \"mean_corrections\": ", o->certificate.max_corrections);
    textbuf_add_json_number(out, o->certificate.mean_corrections);
    textbuf_add(out, ", \"mismatch\": ");
    textbuf_add_json_number(out, o->certificate.mismatch);
    if (trial->is_host) {
        textbuf_printf(out,
                       ", \"shooting\": {\"tile_chunks\": %" PRId64 ", \"chunk\": %" PRId64
                       ", \"channels\": %" PRId64 ", \"tolerance\": ",
                       o->verdict.shooting.tile_chunks, o->verdict.shooting.chunk,
                       o->verdict.shooting.channels);
        textbuf_add_json_number(out, o->verdict.shooting.tolerance);
        textbuf_add(out, ", \"relative_error\": ");
        textbuf_add_json_number(out, trial_relative(&o->verdict.shooting.error));
        textbuf_add(out, "}");
    }
    textbuf_printf(out, ", \"nonfinite\": %s},\n  \"backward\": {\"relative_error\": ",
                   o->certificate.nonfinite ? "true" : "false");
    add_json_errors(out, trial, &o->verdict);
    if (o->moved.backward) {
        textbuf_add(out, "},\n  \"moved\": {\"forward\": ");
        textbuf_add_json_number(out, trial_relative(&o->moved.forward));
        textbuf_add(out, ", \"backward\": ");
        add_json_errors(out, trial, &o->moved);
    }
    textbuf_add(out, "},\n  \"time_ms\": {\"forward\": ");
    textbuf_add_json_number(out, 1e3 * o->forward_seconds);
    textbuf_add(out, ", \"backward\": ");
    textbuf_add_json_number(out, 1e3 * o->backward_seconds);
    textbuf_add(out, "}\n}\n");
}

static void add_line(struct textbuf *out, const char *name, double value, const char *unit)
{
    textbuf_printf(out, "  %-24s", name);
    textbuf_add_short(out, value, 3);
    textbuf_printf(out, "%s\n", unit);
}

/* A sum over all channels cannot be compared where only some of them were solved again. */
static void add_error(struct textbuf *out, const char *of, const struct trial_error *error)
{
    const char *name = *of ? arena_printf(out->arena, "relative error %s", of) : "relative error";
    if (error->count > 0)
        add_line(out, name, trial_relative(error), "");
    else
        textbuf_printf(out, "  %-24snot compared\n", name);
}

static void print_text(struct textbuf *out, const struct outcome *o)
{
    const struct trial *trial = &o->trial;
    const prnn_problem *problem = &trial->options.problem;
    textbuf_printf(out,
                   "cell %s on %s%s, batch %" PRId64 ", seq_len %" PRId64 ", channels %" PRId64
                   "\n%s\nforward\n",
                   trial->unit->ir->name, prnn_context_device(trial->ctx),
                   trial->is_fallback ? " (interpreted)" : "", problem->batch, problem->seq_len,
                   problem->channels, prnn_plan_describe(trial->plan));
    add_line(out, "time", 1e3 * o->forward_seconds, " ms");
    add_error(out, "", &o->verdict.forward);
    add_line(out, "corrections at most", o->certificate.max_corrections, "");
    add_line(out, "mismatch", o->certificate.mismatch, "");
    textbuf_add(out, "\nbackward\n");
    add_line(out, "time", 1e3 * o->backward_seconds, " ms");
    for (uint32_t i = 0; i < trial->tensor_count; i++)
        if (trial->tensors[i].gradient && !trial->tensors[i].has_incoming)
            add_error(out, trial->tensors[i].binding, &o->verdict.backward[i]);
    if (o->moved.backward) {
        textbuf_add(out, "\nfrom the answer to data moved by one unit in the last place\n");
        add_error(out, "", &o->moved.forward);
        for (uint32_t i = 0; i < trial->tensor_count; i++)
            if (trial->tensors[i].gradient && !trial->tensors[i].has_incoming)
                add_error(out, trial->tensors[i].binding, &o->moved.backward[i]);
    }
    if (o->verdict.channels < problem->channels)
        textbuf_printf(out, "\ncompared in %" PRId64 " of %" PRId64 " channels\n",
                       o->verdict.channels, problem->channels);
    if (trial->is_host)
        textbuf_printf(out,
                       "\ncorrections and mismatch: what shooting over %" PRId64
                       " chunks of %" PRId64 " steps needs, in %" PRId64 " channels\n",
                       o->verdict.shooting.tile_chunks, o->verdict.shooting.chunk,
                       o->verdict.shooting.channels);
    if (o->certificate.nonfinite)
        textbuf_add(out, "\nsome states are infinite or NaN\n");
}

static int run(struct invocation *inv)
{
    struct pipeline_options load_options = PIPELINE_OPTIONS_INIT;
    struct trial_options trial_options;
    int code = command_cell_options(inv, &load_options);
    if (!code)
        code = read_options(inv, &trial_options);
    if (code)
        return code;
    const char *path = inv->arguments.operands[0];
    struct unit *unit;
    if ((code = command_load(inv, &unit, path, &load_options)) != 0)
        return code;
    struct outcome outcome = {0};
    output_progress("compiling %s", path);
    code = trial_create(&outcome.trial, inv, unit, path, &trial_options);
    if (!code)
        code = solve(&outcome);
    if (!code && arguments_has(&inv->arguments, OPTION_JSON))
        print_json(&inv->out, &outcome);
    else if (!code)
        print_text(&inv->out, &outcome);
    trial_free(&outcome.trial);
    unit_free(unit);
    return code;
}

const struct command command_run = {
    .name = "run",
    .operands = "FILE",
    .fewest = 1,
    .most = 1,
    .summary = "solve a cell on random tensors and check the answer",
    .text = "Solve the recurrence forward and backward on random tensors, compare states, outputs "
            "and every gradient with the interpreter in double, and print the errors, what the "
            "certificate says, and times.\n\n"
            "Inputs are N(0, 1), parameters as their 'init' declares (else N(0, 0.5)), initial "
            "states around their defaults, all within declared ranges and rounded to the type "
            "they are stored in before both sides see them. Errors are relative, in the "
            "Euclidean norm.\n\n"
            "An error that --moved shows to be as large for inputs, parameters and initial states "
            "that differ by one unit in the last place comes from how much the answer depends on "
            "them, and not from the arithmetic.",
    .options = options,
    .examples =
        "pararnnc run cells/paragru.cell\n"
        "pararnnc run cells/paragru.cell --device cpu --batch 3 --seq-len 257 --channels 33 "
        "--seed 1 --json",
    .run = run,
};
