/* pararnnc bench: times, beside what no program could beat. */
#include "bench_compile.h"
#include "bench_crossover.h"
#include "bench_device.h"
#include "bench_rows.h"
#include "handles.h"
#include "measure.h"
#include "measure_device.h"
#include "trial.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    OPTION_JSON = 1,
    OPTION_CSV,
    OPTION_SAVE,
    OPTION_SVG,
    OPTION_DEVICE,
    OPTION_SHAPE,
    OPTION_DTYPE,
    OPTION_MATH,
    OPTION_DIRECTION,
    OPTION_THREADS,
    OPTION_SECONDS,
    OPTION_STRATEGY,
    OPTION_CROSSOVER,
    OPTION_ELEMENTS,
    OPTION_TIME_LIMIT,
    OPTION_COMPILE_TIMES
};

static const struct option options[] = {
    {OPTION_DEVICE, 0, "device", "NAME", NULL, false,
     "cpu, cuda:0, cuda:1, ... or auto; default auto"},
    {OPTION_SHAPE, 0, "shape", "BxTxN", NULL, true,
     "batch, steps and channels; may be given several times; default 8x2048x1024"},
    {OPTION_DTYPE, 0, "dtype", "TYPE", "f32|f64|bf16|f16", true,
     "element type of sequence tensors; may be given several times; default f32"},
    {OPTION_MATH, 0, "math", "MODE", "accurate|fast|strict", false,
     "elementary functions; default accurate"},
    {OPTION_DIRECTION, 0, "direction", "WORD", "forward|backward|both", false,
     "default both; of --crossover forward"},
    {OPTION_THREADS, 0, "threads", "COUNT", NULL, false, "of the CPU; default all"},
    {OPTION_STRATEGY, 0, "strategy", "TEXT", NULL, true,
     "shape of the kernels of a GPU; may be given several times; default: the library chooses"},
    {OPTION_SECONDS, 0, "seconds", "COUNT", NULL, false,
     "how long each measurement is repeated; default 2, on a GPU some hundredths"},
    {OPTION_CROSSOVER, 0, "crossover", NULL, NULL, false,
     "the chosen strategy against running in order, over batch times channels from 64 to 65536 and "
     "64 to "
     "1048576 steps; one cell and type, on a GPU"},
    {OPTION_ELEMENTS, 0, "elements", "COUNT", NULL, false,
     "of --crossover: leave out larger shapes; default 67108864"},
    {OPTION_TIME_LIMIT, 0, "time-limit", "SECONDS", NULL, false,
     "of --crossover: begin no shape behind it; default 300"},
    {OPTION_COMPILE_TIMES, 0, "compile-times", NULL, NULL, false,
     "how long making a plan takes, with an empty cache and with a full one"},
    {OPTION_JSON, 0, "json", NULL, NULL, false, "print one JSON array"},
    {OPTION_CSV, 0, "csv", NULL, NULL, false, "print comma-separated values"},
    {OPTION_SAVE, 0, "save", "OUT", NULL, false,
     "write comma-separated values, each line as soon as it is measured"},
    {OPTION_SVG, 0, "svg", "OUT", NULL, false,
     "write a plot: times over what cannot be beaten, or the map of --crossover"},
    COMMAND_CELL_OPTIONS,
    {0, 0, NULL, NULL, NULL, false, NULL},
};

struct bench {
    struct invocation *inv;
    struct trial_options trial_options;
    const char *math;
    bool is_direction_wanted[2]; /* forward, backward */
    double seconds;              /* of a measurement; 0: as short as is sensible */
    int threads;                 /* of the CPU */
    struct bench_rows rows;
    uint32_t saved; /* rows in the file of --save */
    FILE *save;
    struct compile_times *compile_times;
    uint32_t compile_count;
};

/* ---- What cannot be beaten ---- */

struct evaluation {
    pthread_t thread;
    const struct cpu_plan *plan;
    int64_t count;
};

static void *evaluate_share(void *context)
{
    const struct evaluation *share = context;
    cpu_plan_evaluate(share->plan, share->count);
    return NULL;
}

struct evaluations {
    struct evaluation *shares;
    int count;
};

static int evaluate_all(void *context)
{
    const struct evaluations *all = context;
    int started = 0;
    while (started < all->count && !pthread_create(&all->shares[started].thread, NULL,
                                                   evaluate_share, &all->shares[started]))
        started++;
    for (int i = started; i < all->count; i++)
        evaluate_share(&all->shares[i]);
    for (int i = 0; i < started; i++)
        pthread_join(all->shares[i].thread, NULL);
    return 0;
}

/* Seconds of evaluating the functions of one step 'elements' times, on all threads and without
 * memory traffic: of a sample, scaled; at most some millions, and enough that starting threads does
 * not count. */
static double measure_evaluate(struct bench *bench, const struct trial *trial, double elements)
{
    if (!trial->plan->cpu || !cpu_plan_evaluate(trial->plan->cpu, 1))
        return NAN;
    const double sample = fmin(fmax(elements, 1 << 20), 1 << 22);
    struct evaluations all = {
        arena_array(bench->inv->arena, (size_t)bench->threads, sizeof *all.shares), bench->threads};
    for (int i = 0; i < bench->threads; i++)
        all.shares[i] = (struct evaluation){.plan = trial->plan->cpu,
                                            .count = (int64_t)(sample / bench->threads) + 1};
    int failure;
    return measure_median(evaluate_all, &all, 5, bench->seconds / 4, &failure) * elements / sample;
}

/* Bytes of the sequence tensors that a direction must read or write at least once. */
static double bytes_moved(const struct trial *trial, bool is_backward)
{
    double bytes = 0;
    for (uint32_t i = 0; i < trial->tensor_count; i++) {
        const struct trial_tensor *tensor = &trial->tensors[i];
        const double size = (double)tensor->length * (double)storage_bytes(tensor->storage);
        if (!tensor->has_time)
            continue;
        /* The backward pass does not read outputs, only their gradients. */
        if (!is_backward || tensor->decl->role != IR_ROLE_OUTPUT)
            bytes += size;
        if (is_backward && tensor->gradient)
            bytes += size;
    }
    return bytes;
}

/* ---- Measurements ---- */

/* What is measured goes to the file of --save at once: a run that is cut short leaves it. */
static void save_rows(void *context)
{
    struct bench *bench = context;
    for (; bench->save && bench->saved < bench->rows.count; bench->saved++) {
        struct textbuf line;
        textbuf_init(&line, bench->inv->arena);
        if (bench->saved == 0)
            bench_rows_csv_head(&line);
        bench_rows_csv_row(&line, &bench->rows.rows[bench->saved]);
        fwrite(line.text, 1, line.length, bench->save);
        fflush(bench->save);
    }
}

static int work_forward(void *context)
{
    return trial_forward(context, 1);
}

static int work_backward(void *context)
{
    return trial_backward(context, 1);
}

static int measure_trial(struct bench *bench, struct trial *trial)
{
    const prnn_problem *problem = &trial->options.problem;
    const double elements =
        (double)problem->batch * (double)problem->seq_len * (double)problem->channels;
    const double evaluate = measure_evaluate(bench, trial, elements);
    for (int is_backward = 0; is_backward < 2; is_backward++) {
        int failure;
        if (!bench->is_direction_wanted[is_backward])
            continue;
        output_progress("%s %s %" PRId64 "x%" PRId64 "x%" PRId64 " %s", trial->unit->ir->name,
                        dtype_word(problem->storage), problem->batch, problem->seq_len,
                        problem->channels, is_backward ? "backward" : "forward");
        const double seconds = measure_median(is_backward ? work_backward : work_forward, trial, 3,
                                              bench->seconds, &failure);
        if (failure)
            return failure;
        struct bench_row *row = bench_rows_add(&bench->rows);
        row->cell = arena_strdup(bench->inv->arena, trial->unit->ir->name);
        row->device = arena_strdup(bench->inv->arena, prnn_context_device(trial->ctx));
        row->dtype = dtype_word(problem->storage);
        row->math = bench->math;
        row->direction = is_backward ? "backward" : "forward";
        row->shape = (struct shape){problem->batch, problem->seq_len, problem->channels};
        row->seconds = seconds;
        row->elements = elements;
        row->bytes = bytes_moved(trial, is_backward);
        row->evaluate = evaluate;
        if (bench->rows.bandwidth > 0)
            row->copy = row->bytes / bench->rows.bandwidth;
    }
    save_rows(bench);
    return EXIT_CODE_OK;
}

/* One shape and element type on the CPU: its memory is freed before the next one's is taken. */
struct measurement {
    struct bench *bench;
    const struct unit *unit;
    const char *path;
    int code;
};

static void measure_one(struct arena *arena, void *context)
{
    struct measurement *m = context;
    struct bench *bench = m->bench;
    struct invocation inner = *bench->inv;
    inner.arena = arena;
    struct trial trial;
    m->code = trial_create(&trial, &inner, m->unit, m->path, &bench->trial_options);
    if (!m->code)
        m->code = measure_trial(bench, &trial);
    trial_free(&trial);
}

static struct bench_device device_of(const struct bench *bench, const struct unit *unit,
                                     const char *path)
{
    return (struct bench_device){
        .inv = bench->inv,
        .unit = unit,
        .path = path,
        .math = bench->math,
        .options = bench->trial_options,
        .is_direction_wanted = {bench->is_direction_wanted[0], bench->is_direction_wanted[1]},
        .has_per_step = true,
        .seconds = bench->seconds,
        .bandwidth = bench->rows.bandwidth};
}

static int measure_shape(struct bench *bench, const struct unit *unit, const char *path)
{
    const prnn_problem *problem = &bench->trial_options.problem;
    if (bench->rows.is_device) {
        const struct bench_device device = device_of(bench, unit, path);
        const struct shape shape = {problem->batch, problem->seq_len, problem->channels};
        const int code = bench_device_shape(&device, &shape, &bench->rows);
        save_rows(bench);
        return code;
    }
    struct measurement m = {bench, unit, path, EXIT_CODE_OK};
    if (pipeline_guard(NULL, measure_one, &m) != PIPELINE_OK) {
        output_complain("'%s': memory has ended", path);
        return EXIT_CODE_LIMIT;
    }
    return m.code;
}

static int measure_crossover(struct bench *bench, const struct unit *unit, const char *path)
{
    struct bench_device device = device_of(bench, unit, path);
    struct crossover_limits limits;
    int64_t elements, seconds;
    int code = command_integer(bench->inv, OPTION_ELEMENTS, "elements", 1, (int64_t)1 << 40,
                               1 << 26, &elements);
    if (!code)
        code =
            command_integer(bench->inv, OPTION_TIME_LIMIT, "time-limit", 0, 86400, 300, &seconds);
    if (code)
        return code;
    limits = (struct crossover_limits){(double)elements, (double)seconds};
    device.has_per_step = false;
    return bench_crossover(&device, &limits, &bench->rows, save_rows, bench);
}

static int measure_compile(struct bench *bench, const struct unit *unit, const char *path)
{
    bench->compile_times = arena_grow(bench->inv->arena, bench->compile_times, bench->compile_count,
                                      bench->compile_count + 1, sizeof *bench->compile_times);
    struct compile_times *times = &bench->compile_times[bench->compile_count];
    output_progress("%s %s: compiling", unit->ir->name,
                    dtype_word(bench->trial_options.problem.storage));
    const int code = bench_compile(times, bench->inv, unit, path, &bench->trial_options);
    bench->compile_count += code == EXIT_CODE_OK;
    return code;
}

/* ---- The command ---- */

/* The values of a repeatable option, or one default. */
static uint32_t collect(const struct invocation *inv, int id, const char *missing, const char **out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < inv->arguments.option_count; i++)
        if (inv->arguments.options[i].id == id)
            out[count++] = inv->arguments.options[i].value;
    if (count == 0)
        out[count++] = missing;
    return count;
}

static int sweep(struct bench *bench, const struct unit *unit, const char *path)
{
    struct invocation *inv = bench->inv;
    prnn_problem *problem = &bench->trial_options.problem;
    const struct arguments *arguments = &inv->arguments;
    const char **shapes, **dtypes, **strategies;
    shapes = arena_array(inv->arena, arguments->option_count + 1, sizeof *shapes);
    dtypes = arena_array(inv->arena, arguments->option_count + 1, sizeof *dtypes);
    strategies = arena_array(inv->arena, arguments->option_count + 1, sizeof *strategies);
    const uint32_t shape_count = collect(inv, OPTION_SHAPE, "8x2048x1024", shapes);
    const uint32_t dtype_count = collect(inv, OPTION_DTYPE, "f32", dtypes);
    const uint32_t strategy_count = collect(inv, OPTION_STRATEGY, NULL, strategies);
    const bool is_crossover = arguments_has(arguments, OPTION_CROSSOVER);
    const bool is_compile = arguments_has(arguments, OPTION_COMPILE_TIMES);
    struct shape shape;
    for (uint32_t s = 0; s < shape_count; s++)
        if (!shape_read(&shape, shapes[s], strlen(shapes[s])))
            return command_usage(inv, "'%s' is not BxTxN, three positive integers", shapes[s]);
    if (is_crossover && (dtype_count > 1 || strategy_count > 1 || arguments->operand_count > 1))
        return command_usage(inv, "'--crossover' takes one cell, one type and one strategy");
    for (uint32_t d = 0; d < dtype_count; d++)
        for (uint32_t s = 0; s < (is_crossover ? 1 : shape_count); s++)
            for (uint32_t k = 0; k < strategy_count; k++) {
                dtype_read(&problem->storage, dtypes[d], strlen(dtypes[d]));
                shape_read(&shape, shapes[s], strlen(shapes[s]));
                problem->batch = shape.batch;
                problem->seq_len = shape.seq_len;
                problem->channels = shape.channels;
                problem->strategy = strategies[k];
                const int code = is_crossover ? measure_crossover(bench, unit, path)
                                 : is_compile ? measure_compile(bench, unit, path)
                                              : measure_shape(bench, unit, path);
                if (code)
                    return code;
            }
    return EXIT_CODE_OK;
}

static int read_options(struct bench *bench)
{
    struct invocation *inv = bench->inv;
    const struct arguments *arguments = &inv->arguments;
    static const char *const maths[] = {"accurate", "fast", "strict"};
    const bool is_crossover = arguments_has(arguments, OPTION_CROSSOVER);
    int64_t threads, seconds;
    int code = command_integer(inv, OPTION_THREADS, "threads", 1, 4096, 0, &threads);
    if (!code)
        code = command_integer(inv, OPTION_SECONDS, "seconds", 0, 3600, -1, &seconds);
    if (code)
        return code;
    if (arguments_has(arguments, OPTION_CSV) && arguments_has(arguments, OPTION_JSON))
        return command_usage(inv, "'--csv' and '--json' exclude each other");
    if (is_crossover && arguments_has(arguments, OPTION_COMPILE_TIMES))
        return command_usage(inv, "'--crossover' and '--compile-times' exclude each other");
    bench->trial_options =
        (struct trial_options){.device = arguments_value(arguments, OPTION_DEVICE, "auto"),
                               .problem = PRNN_PROBLEM_INIT,
                               .seed = 1,
                               .is_timed_only = true};
    bench->trial_options.problem.threads = (int32_t)threads;
    bench->math = arguments_value(arguments, OPTION_MATH, "accurate");
    for (int i = 0; i < 3; i++)
        if (!strcmp(bench->math, maths[i]))
            bench->trial_options.problem.math = (prnn_math)i;
    const char *direction =
        arguments_value(arguments, OPTION_DIRECTION, is_crossover ? "forward" : "both");
    bench->is_direction_wanted[0] = strcmp(direction, "backward") != 0;
    bench->is_direction_wanted[1] = strcmp(direction, "forward") != 0;
    if (is_crossover && bench->is_direction_wanted[0] && bench->is_direction_wanted[1])
        return command_usage(inv, "'--crossover' takes one direction");
    bench->trial_options.problem.backward = bench->is_direction_wanted[1];
    bench->seconds = (double)seconds;
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    bench->threads = threads > 0 ? (int)threads : processors > 0 ? (int)processors : 1;
    return EXIT_CODE_OK;
}

/* What kind of device it is, and how fast it copies. */
static int look_at_device(struct bench *bench)
{
    prnn_context *ctx;
    const char *name = bench->trial_options.device;
    int code = command_status(prnn_context_create(&ctx, name), name);
    if (code)
        return code;
    bench->rows.is_device = ctx->cuda != NULL;
    if (bench->seconds < 0)
        bench->seconds = ctx->cuda ? 0 : 2;
    if (arguments_has(&bench->inv->arguments, OPTION_CROSSOVER) && !ctx->cuda)
        code = command_usage(bench->inv,
                             "'--crossover' needs a CUDA device: a CPU runs in order always");
    else if (!arguments_has(&bench->inv->arguments, OPTION_COMPILE_TIMES)) {
        output_progress("measuring the bandwidth of a copy");
        bench->rows.bandwidth = ctx->cuda ? measure_device_bandwidth(ctx->cuda)
                                          : measure_copy_bandwidth(bench->threads);
    }
    bench->rows.copied_by =
        ctx->cuda ? arena_printf(bench->inv->arena, "on %s", prnn_context_describe(ctx))
                  : arena_printf(bench->inv->arena, "with %d threads", bench->threads);
    prnn_context_free(ctx);
    return code;
}

static int open_save(struct bench *bench)
{
    const char *path = arguments_value(&bench->inv->arguments, OPTION_SAVE, NULL);
    if (!path || (bench->save = fopen(path, "w")) != NULL)
        return EXIT_CODE_OK;
    output_complain("cannot write '%s': %s", path, strerror(errno));
    return EXIT_CODE_IO;
}

static int close_save(struct bench *bench)
{
    if (!bench->save)
        return EXIT_CODE_OK;
    const bool is_broken = ferror(bench->save) != 0;
    if (fclose(bench->save) == 0 && !is_broken)
        return EXIT_CODE_OK;
    output_complain("cannot write '%s'", arguments_value(&bench->inv->arguments, OPTION_SAVE, ""));
    return EXIT_CODE_IO;
}

static int report(struct bench *bench)
{
    const struct arguments *arguments = &bench->inv->arguments;
    struct textbuf *out = &bench->inv->out;
    const char *svg = arguments_value(arguments, OPTION_SVG, NULL);
    const bool is_crossover = arguments_has(arguments, OPTION_CROSSOVER);
    if (bench->compile_count > 0)
        bench_compile_table(out, bench->compile_times, bench->compile_count);
    if (bench->rows.count == 0)
        return EXIT_CODE_OK;
    if (arguments_has(arguments, OPTION_JSON))
        bench_rows_json(out, &bench->rows);
    else if (arguments_has(arguments, OPTION_CSV)) {
        bench_rows_csv_head(out);
        for (uint32_t i = 0; i < bench->rows.count; i++)
            bench_rows_csv_row(out, &bench->rows.rows[i]);
    } else if (is_crossover)
        bench_crossover_table(out, &bench->rows);
    else
        bench_rows_table(out, &bench->rows);
    if (!svg)
        return EXIT_CODE_OK;
    struct textbuf plot;
    textbuf_init(&plot, bench->inv->arena);
    if (is_crossover)
        bench_crossover_svg(&plot, &bench->rows);
    else
        bench_rows_svg(&plot, &bench->rows);
    return output_file(svg, plot.text, plot.length) ? EXIT_CODE_OK : EXIT_CODE_IO;
}

static int run(struct invocation *inv)
{
    struct pipeline_options load_options = PIPELINE_OPTIONS_INIT;
    struct bench bench = {.inv = inv, .rows = {.arena = inv->arena}};
    int code = command_cell_options(inv, &load_options);
    if (!code)
        code = read_options(&bench);
    struct unit *unit = NULL;
    bool is_begun = false;
    for (uint32_t i = 0; i < inv->arguments.operand_count && !code; i++) {
        code = command_load(inv, &unit, inv->arguments.operands[i], &load_options);
        if (!code && !is_begun) {
            is_begun = true;
            code = look_at_device(&bench);
            if (!code)
                code = open_save(&bench);
        }
        if (!code)
            code = sweep(&bench, unit, inv->arguments.operands[i]);
        unit_free(unit);
        unit = NULL;
    }
    const int report_code = report(&bench), save_code = close_save(&bench);
    code = code ? code : report_code ? report_code : save_code;
    for (uint32_t i = 0; i < bench.rows.count && !code; i++)
        if (bench.rows.rows[i].verdict && !strcmp(bench.rows.rows[i].verdict, "wrong"))
            code = EXIT_CODE_INTERNAL;
    return code;
}

const struct command command_bench = {
    .name = "bench",
    .operands = "FILE...",
    .fewest = 1,
    .most = UINT32_MAX,
    .summary = "measure cells",
    .text =
        "Measure the forward and the backward pass. All states are written and get gradients.\n\n"
        "On the CPU: the median time, nanoseconds per element and step, and the ratio to two "
        "times that no program can beat: that of evaluating the step's functions alone on "
        "vectors that stay in the first-level cache, and that of moving each tensor once at the "
        "bandwidth of a plain copy. Both are measured in the same run on as many threads.\n\n"
        "On a GPU: the strategy that a plan gets, checked against the sequential kernel as 'tune' "
        "does; the time of moving each tensor once, and that of the special-function results of "
        "its runs at 16 a clock and multiprocessor; the ratio to the larger of the two, to the "
        "best kernel that runs in order, and to one step a chunk; corrections, and the time that "
        "was expected. --crossover maps where solving in parallel begins to win; --compile-times "
        "says how long making a plan takes.",
    .options = options,
    .examples = "pararnnc bench cells/paragru.cell --device cpu\n"
                "pararnnc bench cells/*.cell --shape 8x2048x1024 --shape 1x65536x256 --dtype f32 "
                "--dtype bf16 --csv\n"
                "pararnnc bench cells/paragru.cell --device cuda:0 --crossover --svg map.svg",
    .run = run,
};
