/* pararnnc tune: measure strategies on this device, and remember the best. */
#include "candidate.h"
#include "compile_ahead.h"
#include "device_bench.h"
#include "handles.h"
#include "measure.h"
#include "measure_device.h"
#include "profile.h"
#include "tune_report.h"
#include "tuned.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    OPTION_DEVICE = 1,
    OPTION_SHAPES,
    OPTION_DTYPE,
    OPTION_MATH,
    OPTION_DIRECTION,
    OPTION_CANDIDATES,
    OPTION_MOST,
    OPTION_TIME_LIMIT,
    OPTION_THREADS,
    OPTION_SAVE,
    OPTION_JSON,
    OPTION_DRY_RUN,
    OPTION_FORGET
};

static const struct option options[] = {
    {OPTION_DEVICE, 0, "device", "NAME", NULL, false, "cuda:0, cuda:1, ...; default cuda:0"},
    {OPTION_SHAPES, 0, "shapes", "B,T,N[;...]", NULL, false,
     "batch, steps and channels of each shape; default 8,2048,1024"},
    {OPTION_DTYPE, 0, "dtype", "TYPE[,...]", NULL, false,
     "element types of sequence tensors: f32, f64, bf16, f16; default f32"},
    {OPTION_MATH, 0, "math", "MODE", "accurate|fast|strict", false,
     "elementary functions; default accurate"},
    {OPTION_DIRECTION, 0, "direction", "WORD", "forward|backward|both", false, "default both"},
    {OPTION_CANDIDATES, 0, "candidates", "FILE", NULL, false,
     "measure these strategies, one a line, perhaps with 'forward' or 'backward' before it"},
    {OPTION_MOST, 0, "most", "COUNT", NULL, false,
     "strategies measured for a kernel and shape; default 96"},
    {OPTION_TIME_LIMIT, 0, "time-limit", "SECONDS", NULL, false,
     "for a kernel and shape, without waiting for compilers; default 60"},
    {OPTION_THREADS, 0, "threads", "COUNT", NULL, false,
     "that compile ahead; default one less than there are processors"},
    {OPTION_SAVE, 0, "save", "OUT", NULL, false,
     "write comma-separated values, each line as soon as it is measured"},
    {OPTION_JSON, 0, "json", NULL, NULL, false, "print one JSON array"},
    {OPTION_DRY_RUN, 'n', "dry-run", NULL, NULL, false, "store nothing"},
    {OPTION_FORGET, 0, "forget", NULL, NULL, false, "remove what was stored before"},
    COMMAND_CELL_OPTIONS,
    {0, 0, NULL, NULL, NULL, false, NULL},
};

/* One kernel on one shape, and its candidates as jobs for the compilers. */
struct task {
    const struct unit *unit;
    const struct profile *profile;
    const char *path;
    prnn_storage storage;
    bool is_backward;
    struct shape shape;
    struct candidate_list list;
    size_t *jobs; /* of each candidate */
};

struct tune {
    struct invocation *inv;
    prnn_context *ctx;
    struct cache *cache; /* the context's, or one for this run */
    char scratch[4096];  /* the directory of the latter; "": none */
    const char *math_word;
    prnn_math math;
    struct shape_list shapes;
    prnn_storage dtypes[4];
    uint32_t dtype_count, most;
    bool is_direction_wanted[2]; /* forward, backward */
    const char *candidates;      /* the text of a file; NULL: the grid */
    double time_limit, bandwidth;
    FILE *csv;
    bool is_dry;
    struct task *tasks;
    uint32_t task_count;
    struct compile_job *jobs;
    size_t job_count, job_room;
    struct compile_ahead *ahead;
    struct tune_result *results;
    uint32_t result_count;
    bool is_any_wrong;
};

/* ---- Tasks and jobs ---- */

static size_t job_for(struct tune *tune, const struct unit *unit,
                      const struct assemble_options *wanted)
{
    for (size_t i = 0; i < tune->job_count; i++) {
        const struct assemble_options *have = &tune->jobs[i].options;
        if (tune->jobs[i].unit == unit && have->kernel == wanted->kernel &&
            have->storage == wanted->storage &&
            !memcmp(&have->strategy, &wanted->strategy, sizeof wanted->strategy))
            return i;
    }
    if (tune->job_count == tune->job_room) {
        const size_t room = tune->job_room ? 2 * tune->job_room : 256;
        tune->jobs =
            arena_grow(tune->inv->arena, tune->jobs, tune->job_count, room, sizeof *tune->jobs);
        tune->job_room = room;
    }
    tune->jobs[tune->job_count] = (struct compile_job){.unit = unit, .options = *wanted};
    return tune->job_count++;
}

static struct assemble_options options_of(const struct tune *tune, const struct task *task)
{
    /* As a trial makes its plan: all states are written, and get gradients. */
    const uint32_t all = (1u << task->unit->ir->states) - 1;
    return (struct assemble_options){.kernel =
                                         task->is_backward ? ASSEMBLE_BACKWARD : ASSEMBLE_FORWARD,
                                     .target = ASSEMBLE_CUDA,
                                     .storage = assemble_storage_of(task->storage),
                                     .mode = assemble_mode_of(tune->math),
                                     .state_written = all,
                                     .state_gradient = all};
}

static int add_task(struct tune *tune, const struct task *wanted)
{
    struct arena *arena = tune->inv->arena;
    struct task *task = &tune->tasks[tune->task_count++];
    *task = *wanted;
    struct assemble_options kernel = options_of(tune, task);
    if (tune->candidates) {
        const char *fault = candidate_read(&task->list, tune->candidates, task->is_backward, arena);
        if (fault)
            return command_usage(tune->inv, "candidates, %s", fault);
    } else {
        const struct backend_shape shape = {.batch = task->shape.batch,
                                            .seq_len = task->shape.seq_len,
                                            .channels = task->shape.channels};
        const struct model_problem problem = profile_problem_on(
            tune->ctx->cuda, tune->ctx->cache, task->profile, task->unit, &shape, &kernel);
        candidate_grid(&task->list, &problem, tune->most, arena);
    }
    task->jobs = arena_array(arena, task->list.count + 1, sizeof *task->jobs);
    for (uint32_t i = 0; i < task->list.count; i++) {
        kernel.strategy = task->list.strategies[i];
        task->jobs[i] = job_for(tune, task->unit, &kernel);
    }
    return EXIT_CODE_OK;
}

/* ---- Measuring ---- */

/* The plan that a trial is made with: in order, and what the others are compared with. */
static const char reference_strategy[] = "W1 S8 L32 V1 R3 C1";

struct attempt {
    struct tune *tune;
    const struct task *task;
    int code;
};

static void write_csv(struct tune *tune, const struct tune_row *row, struct arena *arena)
{
    struct textbuf line;
    if (!tune->csv)
        return;
    textbuf_init(&line, arena);
    tune_csv_row(&line, row);
    fwrite(line.text, 1, line.length, tune->csv);
    fflush(tune->csv);
}

static bool is_better(const struct tune_row *row, const struct tune_row *than)
{
    return row->figure.verdict == DEVICE_FINE &&
           (!than->strategy || row->figure.seconds < than->figure.seconds);
}

static void remember(struct tune *tune, const struct task *task, struct tune_result *result)
{
    const struct cuda_properties *device = cuda_device_properties(tune->ctx->cuda);
    struct tuned_entry entry = {0};
    struct assemble_options kernel = options_of(tune, task);
    struct pipeline_text text;
    const struct tune_row *best = &result->best;
    if (!best->strategy || tune->is_dry || strategy_read(&kernel.strategy, best->strategy) < 0 ||
        pipeline_assemble(&text, task->unit, &kernel) != PIPELINE_OK)
        return;
    const struct backend_shape shape = {.batch = task->shape.batch,
                                        .seq_len = task->shape.seq_len,
                                        .channels = task->shape.channels};
    entry.key = tuned_key(device, &kernel, text.assembled.half_hash);
    pipeline_text_free(&text);
    tuned_class(&shape, &entry.width_class, &entry.length_class);
    snprintf(entry.strategy, sizeof entry.strategy, "%s", best->strategy);
    snprintf(entry.words, sizeof entry.words, "%.64s, %.40s %s %s %s", device->name, best->cell,
             best->dtype, best->math, best->direction);
    entry.nanoseconds = (int64_t)(1e9 * best->figure.seconds + 0.5);
    if (result->sequential.strategy)
        entry.sequential = (int64_t)(1e9 * result->sequential.figure.seconds + 0.5);
    result->is_stored = tuned_store(tune->ctx->cache, &entry);
}

static int measure_candidates(struct tune *tune, const struct task *task,
                              struct device_bench *bench, struct tune_result *result,
                              struct arena *arena)
{
    struct tune_row row = {
        .cell = task->unit->ir->name,
        .device = prnn_context_device(tune->ctx),
        .dtype = dtype_word(task->storage),
        .math = tune->math_word,
        .direction = task->is_backward ? "backward" : "forward",
        .shape = task->shape,
        .floor = tune->bandwidth > 0 ? device_bench_bytes(bench) / tune->bandwidth : NAN};
    result->best = result->sequential = row;
    double spent = 0;
    for (uint32_t i = 0; i < task->list.count; i++) {
        struct compile_job *job = &tune->jobs[task->jobs[i]];
        const struct strategy *strategy = &task->list.strategies[i];
        if (spent > tune->time_limit) {
            result->left = task->list.count - i;
            break;
        }
        row.strategy = candidate_text(strategy, tune->inv->arena);
        output_progress("%s %s %s %" PRId64 "x%" PRId64 "x%" PRId64
                        ": %u of %u, %s (%zu of %zu compiled)",
                        row.cell, row.dtype, row.direction, row.shape.batch, row.shape.seq_len,
                        row.shape.channels, i + 1, task->list.count, row.strategy,
                        compile_ahead_done(tune->ahead), tune->job_count);
        compile_ahead_wait(tune->ahead, job);
        const double begin = measure_now();
        int code = EXIT_CODE_OK;
        if (job->refusal) {
            row.figure = (struct device_figure){.verdict = DEVICE_REFUSED};
            snprintf(row.figure.words, sizeof row.figure.words, "%s", job->refusal);
        } else {
            /* The sequential ones are all timed: they are what the others are held against. */
            const double limit = result->best.strategy && i >= task->list.sequential
                                     ? 3 * result->best.figure.seconds
                                     : INFINITY;
            code = device_bench_measure(bench, strategy, limit, &row.figure);
        }
        spent += measure_now() - begin;
        if (code)
            return code;
        write_csv(tune, &row, arena);
        result->measured++;
        result->refused += row.figure.verdict == DEVICE_REFUSED;
        if (row.figure.verdict == DEVICE_WRONG) {
            result->wrong++;
            tune->is_any_wrong = true;
            output_complain("WRONG ANSWER: %s %s %s %" PRId64 "x%" PRId64 "x%" PRId64 " %s: %s",
                            row.cell, row.dtype, row.direction, row.shape.batch, row.shape.seq_len,
                            row.shape.channels, row.strategy, row.figure.words);
        }
        if (is_better(&row, &result->best))
            result->best = row;
        if (strategy->tile_chunks == 1 && strategy->cluster == 1 &&
            is_better(&row, &result->sequential))
            result->sequential = row;
    }
    return EXIT_CODE_OK;
}

static void attempt_task(struct arena *arena, void *context)
{
    struct attempt *attempt = context;
    struct tune *tune = attempt->tune;
    const struct task *task = attempt->task;
    struct invocation inner = *tune->inv;
    struct trial trial;
    struct device_bench *bench = NULL;
    struct trial_options trial_options = {.device = prnn_context_device(tune->ctx),
                                          .problem = PRNN_PROBLEM_INIT,
                                          .seed = 1,
                                          .is_timed_only = true};
    trial_options.problem.batch = task->shape.batch;
    trial_options.problem.seq_len = task->shape.seq_len;
    trial_options.problem.channels = task->shape.channels;
    trial_options.problem.storage = task->storage;
    trial_options.problem.math = tune->math;
    trial_options.problem.backward = task->is_backward;
    trial_options.problem.strategy = reference_strategy;
    inner.arena = arena;
    output_progress("%s: preparing", task->path);
    attempt->code = trial_create(&trial, &inner, task->unit, task->path, &trial_options);
    if (!attempt->code) {
        const struct device_bench_options bench_options = {.is_backward = task->is_backward,
                                                           .cache = tune->cache,
                                                           .growth = trial_growth(&trial),
                                                           .seconds = 0.02,
                                                           .batches = 7};
        attempt->code = device_bench_create(&bench, &trial, &bench_options);
    }
    if (!attempt->code) {
        struct tune_result *result = &tune->results[tune->result_count++];
        struct textbuf line;
        attempt->code = measure_candidates(tune, task, bench, result, arena);
        if (attempt->code != EXIT_CODE_ENVIRONMENT)
            remember(tune, task, result);
        textbuf_init(&line, arena);
        tune_line(&line, result);
        if (result->measured > 0)
            output_messages(line.text, line.length);
        else
            tune->result_count--;
    }
    device_bench_free(bench);
    trial_free(&trial);
}

static int run_tasks(struct tune *tune, int threads)
{
    int worst = EXIT_CODE_OK;
    tune->ahead =
        compile_ahead_start(tune->jobs, tune->job_count, tune->ctx->cuda, tune->cache, threads);
    if (!tune->ahead) {
        output_complain("tune: no threads for the compilers");
        return EXIT_CODE_LIMIT;
    }
    for (uint32_t i = 0; i < tune->task_count; i++) {
        struct attempt attempt = {tune, &tune->tasks[i], EXIT_CODE_OK};
        if (pipeline_guard(NULL, attempt_task, &attempt) != PIPELINE_OK) {
            output_complain("'%s': memory has ended", attempt.task->path);
            attempt.code = EXIT_CODE_LIMIT;
        }
        worst = attempt.code > worst ? attempt.code : worst;
        /* A device that has failed does not come back; memory that was too small is the shape's. */
        if (attempt.code == EXIT_CODE_ENVIRONMENT)
            break;
    }
    compile_ahead_stop(tune->ahead);
    return worst;
}

/* ---- The command ---- */

static int read_file(struct invocation *inv, const char *path, const char **out)
{
    struct textbuf text;
    char piece[4096];
    size_t got;
    FILE *file = fopen(path, "rb");
    if (!file) {
        output_complain("cannot read '%s': %s", path, strerror(errno));
        return EXIT_CODE_IO;
    }
    textbuf_init(&text, inv->arena);
    while ((got = fread(piece, 1, sizeof piece, file)) > 0)
        textbuf_add_n(&text, piece, got);
    const bool is_read = !ferror(file);
    fclose(file);
    if (!is_read) {
        output_complain("cannot read '%s'", path);
        return EXIT_CODE_IO;
    }
    *out = text.text;
    return EXIT_CODE_OK;
}

static int read_options(struct tune *tune, int *threads)
{
    static const char *const maths[] = {"accurate", "fast", "strict"};
    struct invocation *inv = tune->inv;
    const struct arguments *arguments = &inv->arguments;
    int64_t most, limit, count;
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    int code = command_integer(inv, OPTION_MOST, "most", 1, 100000, 96, &most);
    if (!code)
        code = command_integer(inv, OPTION_TIME_LIMIT, "time-limit", 0, 86400, 60, &limit);
    if (!code)
        code = command_integer(inv, OPTION_THREADS, "threads", 1, 64,
                               processors > 2 ? processors - 1 : 1, &count);
    if (code)
        return code;
    const char *shapes = arguments_value(arguments, OPTION_SHAPES, "8,2048,1024"), *wrong;
    if (!shape_list_read(&tune->shapes, shapes, &wrong, inv->arena))
        return command_usage(inv, "'%s' is not B,T,N, three positive integers", wrong);
    const char *dtypes = arguments_value(arguments, OPTION_DTYPE, "f32");
    tune->dtype_count = dtype_list_read(tune->dtypes, dtypes);
    if (!tune->dtype_count)
        return command_usage(inv, "'%s' is not a list of different ones of f32, f64, bf16, f16",
                             dtypes);
    tune->math_word = arguments_value(arguments, OPTION_MATH, "accurate");
    for (int i = 0; i < 3; i++)
        if (!strcmp(tune->math_word, maths[i]))
            tune->math = (prnn_math)i;
    const char *direction = arguments_value(arguments, OPTION_DIRECTION, "both");
    tune->is_direction_wanted[0] = strcmp(direction, "backward") != 0;
    tune->is_direction_wanted[1] = strcmp(direction, "forward") != 0;
    tune->most = (uint32_t)most;
    tune->time_limit = (double)limit;
    tune->is_dry = arguments_has(arguments, OPTION_DRY_RUN);
    *threads = (int)count;
    const char *path = arguments_value(arguments, OPTION_CANDIDATES, NULL);
    return path ? read_file(inv, path, &tune->candidates) : EXIT_CODE_OK;
}

/* The device, and a cache for the kernels: what is compiled ahead is found there. */
static int open_device(struct tune *tune)
{
    const char *name = arguments_value(&tune->inv->arguments, OPTION_DEVICE, "cuda:0");
    const int code = command_status(prnn_context_create(&tune->ctx, name), name);
    if (code)
        return code;
    if (!tune->ctx->cuda)
        return command_usage(tune->inv, "'%s' is no CUDA device: a CPU has nothing to tune", name);
    tune->cache = tune->ctx->cache;
    if (!cache_reason(tune->cache))
        return EXIT_CODE_OK;
    output_complain("tune: nothing can be stored, the cache is off: %s", cache_reason(tune->cache));
    if (cache_scratch(NULL, tune->scratch, sizeof tune->scratch))
        tune->cache = cache_open(&(struct cache_options){.path = tune->scratch});
    return EXIT_CODE_OK;
}

static int open_csv(struct tune *tune)
{
    const char *path = arguments_value(&tune->inv->arguments, OPTION_SAVE, NULL);
    struct textbuf head;
    if (!path)
        return EXIT_CODE_OK;
    tune->csv = fopen(path, "w");
    if (!tune->csv) {
        output_complain("cannot write '%s': %s", path, strerror(errno));
        return EXIT_CODE_IO;
    }
    textbuf_init(&head, tune->inv->arena);
    tune_csv_head(&head);
    fwrite(head.text, 1, head.length, tune->csv);
    fflush(tune->csv);
    return EXIT_CODE_OK;
}

static int close_csv(struct tune *tune)
{
    if (!tune->csv)
        return EXIT_CODE_OK;
    const bool is_broken = ferror(tune->csv) != 0;
    if (fclose(tune->csv) == 0 && !is_broken)
        return EXIT_CODE_OK;
    output_complain("cannot write '%s'", arguments_value(&tune->inv->arguments, OPTION_SAVE, ""));
    return EXIT_CODE_IO;
}

/* What is to be measured of one cell in one type. */
static int make_tasks_of(struct tune *tune, const struct unit *unit, const char *path,
                         prnn_storage storage)
{
    struct profile *profile = arena_array(tune->inv->arena, 1, sizeof *profile);
    output_progress("%s: trying how soon it settles", path);
    int code =
        command_status(profile_find(profile, unit, assemble_rounding(assemble_storage_of(storage)),
                                    tune->ctx->cache),
                       path);
    for (uint32_t s = 0; s < tune->shapes.count; s++)
        for (int is_backward = 0; is_backward < 2 && !code; is_backward++) {
            const struct task task = {.unit = unit,
                                      .profile = profile,
                                      .path = path,
                                      .storage = storage,
                                      .is_backward = is_backward,
                                      .shape = tune->shapes.shapes[s]};
            if (tune->is_direction_wanted[is_backward])
                code = add_task(tune, &task);
        }
    return code;
}

static int make_tasks(struct tune *tune, struct unit *const *units)
{
    const struct arguments *arguments = &tune->inv->arguments;
    const size_t most =
        (size_t)arguments->operand_count * tune->dtype_count * tune->shapes.count * 2;
    int code = EXIT_CODE_OK;
    tune->tasks = arena_array(tune->inv->arena, most + 1, sizeof *tune->tasks);
    tune->results = arena_array(tune->inv->arena, most + 1, sizeof *tune->results);
    for (uint32_t f = 0; f < arguments->operand_count; f++)
        for (uint32_t d = 0; d < tune->dtype_count && !code; d++)
            code = make_tasks_of(tune, units[f], arguments->operands[f], tune->dtypes[d]);
    return code;
}

static void report(struct tune *tune)
{
    struct textbuf *out = &tune->inv->out;
    if (arguments_has(&tune->inv->arguments, OPTION_JSON))
        tune_json(out, tune->results, tune->result_count);
    else if (tune->result_count > 0)
        tune_table(out, tune->results, tune->result_count);
}

static int run(struct invocation *inv)
{
    struct pipeline_options load_options = PIPELINE_OPTIONS_INIT;
    struct tune tune = {.inv = inv};
    const uint32_t files = inv->arguments.operand_count;
    struct unit **units = arena_array(inv->arena, files + 1, sizeof *units);
    int threads = 1;
    int code = command_cell_options(inv, &load_options);
    if (!code)
        code = read_options(&tune, &threads);
    for (uint32_t f = 0; f < files && !code; f++)
        code = command_load(inv, &units[f], inv->arguments.operands[f], &load_options);
    if (!code)
        code = open_device(&tune);
    if (!code && arguments_has(&inv->arguments, OPTION_FORGET))
        tuned_forget(tune.ctx->cache);
    if (!code)
        code = open_csv(&tune);
    if (!code)
        code = make_tasks(&tune, units);
    if (!code) {
        output_progress("measuring the bandwidth of a copy");
        tune.bandwidth = measure_device_bandwidth(tune.ctx->cuda);
        code = run_tasks(&tune, threads);
        report(&tune);
    }
    const int csv_code = close_csv(&tune);
    code = code ? code : csv_code;
    if (!code && tune.is_any_wrong)
        code = EXIT_CODE_INTERNAL;
    for (uint32_t f = 0; f < files; f++)
        unit_free(units[f]);
    if (tune.scratch[0]) {
        cache_close(tune.cache);
        cache_scratch_remove(tune.scratch);
    }
    prnn_context_free(tune.ctx);
    return code;
}

const struct command command_tune = {
    .name = "tune",
    .operands = "FILE...",
    .fewest = 1,
    .most = UINT32_MAX,
    .summary = "measure strategies on a GPU and remember the best",
    .text =
        "Measure strategies of the kernels of cells on a CUDA device, and store the fastest for "
        "the device, cell, element type, math mode, direction and class of shapes (batch times "
        "channels, and steps, rounded to powers of two). Plans made later take it, unless a "
        "strategy is given, the strategy is 'model', or PARARNNC_TUNED is 'ignore'.\n\n"
        "Every strategy is checked against the sequential kernel before it is timed: with "
        "tolerance 0 all bits of the forward pass, and within the roundings of the arithmetic "
        "what it gives otherwise. One with another answer is reported, never stored, and makes "
        "the exit code 70. A time is the median of batches of launches in a row, by events of "
        "the device, over inputs that the second-level cache does not hold. Kernels are "
        "compiled ahead on other threads. What was found is stored shape by shape, so that an "
        "interrupted run is not lost.",
    .options = options,
    .examples =
        "pararnnc tune cells/paragru.cell --shapes '8,2048,1024;1,65536,256' --save tune.csv\n"
        "pararnnc tune cells/*.cell --dtype f32,bf16 --direction forward --time-limit 20",
    .run = run,
};
