#include "bench_device.h"

#include "compile_ahead.h"
#include "device_bench.h"
#include "handles.h"
#include "number.h"
#include "work.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Strategies that run in order and were the fastest of their kind somewhere; the first is what a
 * trial is made with. And one step a chunk, as the published fused kernels solve. */
static const char *const in_order[] = {"W1 S8 L32 V1 R3 C1",  "W1 S8 L64 V1 R4 C1",
                                       "W1 S16 L64 V1 R3 C1", "W1 S32 L32 V1 R4 C1",
                                       "W1 S4 L64 V2 R4 C1",  "W1 S8 L64 V2 R4 C1"};
static const char per_step[] = "W32 S1 L32 V1 R3 C1";
enum { IN_ORDER = sizeof in_order / sizeof *in_order, STRATEGIES = IN_ORDER + 1 };

/* The value of a line "name: value" of a plan's description, in the arena; NULL: there is no such
 * line. */
static const char *line_of(const char *description, const char *name, struct arena *arena)
{
    const size_t length = strlen(name);
    for (const char *line = description; *line;) {
        const size_t end = strcspn(line, "\n");
        if (end > length + 2 && !strncmp(line, name, length) && line[length] == ':')
            return arena_strndup(arena, line + length + 2, end - length - 2);
        line += end + (line[end] == '\n');
    }
    return NULL;
}

/* Milliseconds at the beginning of "0.0981 ms, model". */
static double expected_of(const char *words)
{
    double value;
    const size_t length = words ? strcspn(words, " ") : 0;
    if (!length || number_parse(words, length, &value) != NUMBER_OK)
        return NAN;
    return 1e-3 * value;
}

struct work_item {
    const struct bench_device *bench;
    const struct shape *shape;
    struct bench_rows *rows;
    int code;
};

struct pass {
    const struct bench_device *bench;
    struct trial *trial;
    prnn_plan *chosen;
    struct device_bench *device;
    bool is_backward;
};

/* Kernels of all strategies compiled at once, so that making their plans finds them in the cache.
 */
static struct compile_ahead *start_compilers(const struct trial *trial, struct compile_job *jobs,
                                             const struct bench_device *bench)
{
    size_t count = 0;
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    for (int is_backward = 0; is_backward < 2; is_backward++)
        for (int i = 0; i < STRATEGIES; i++) {
            struct assemble_options options;
            shape_options(trial->plan, &options);
            options.kernel = is_backward ? ASSEMBLE_BACKWARD : ASSEMBLE_FORWARD;
            options.target = ASSEMBLE_CUDA;
            if (!bench->is_direction_wanted[is_backward] ||
                (i == IN_ORDER && !bench->has_per_step) ||
                strategy_read(&options.strategy, i < IN_ORDER ? in_order[i] : per_step) < 0)
                continue;
            jobs[count++] = (struct compile_job){.unit = trial->unit, .options = options};
        }
    return compile_ahead_start(jobs, count, trial->ctx->cuda, trial->ctx->cache,
                               processors > 1 ? (int)processors : 1);
}

static int measure(const struct pass *pass, const char *strategy, struct device_figure *out)
{
    struct strategy read;
    output_progress("%s %s: %s", pass->trial->unit->ir->name,
                    pass->is_backward ? "backward" : "forward", strategy);
    if (strategy_read(&read, strategy) < 0)
        return command_status(PRNN_E_INVALID, strategy);
    return device_bench_measure(pass->device, &read, INFINITY, out);
}

/* Seconds that the special-function units need for the runs that were made, all of them busy. */
static double special_seconds(const struct pass *pass, const struct strategy *strategy,
                              double corrections, struct arena *arena)
{
    const struct cuda_properties *device = cuda_device_properties(pass->trial->ctx->cuda);
    const prnn_problem *problem = &pass->trial->options.problem;
    const struct unit *unit = pass->trial->unit;
    struct work_table work;
    const enum work_math math = problem->storage == PRNN_F64 || problem->math == PRNN_STRICT
                                    ? WORK_SOFTWARE
                                : problem->math == PRNN_FAST ? WORK_APPROXIMATE
                                                             : WORK_ACCURATE;
    work_find(&work, unit->ir, arena);
    double results;
    if (pass->is_backward)
        results = work.of[strategy->tile_chunks > 1 ? WORK_BACKMAP : WORK_ADJOINT][math].special;
    else {
        const bool is_parallel = strategy->tile_chunks * strategy->cluster > 1;
        const bool is_rough = math == WORK_ACCURATE && !unit->structure.is_affine;
        const double rough = is_parallel && is_rough ? fmin(corrections, 1) : 0;
        results =
            rough * work.of[WORK_JACOBIAN][WORK_APPROXIMATE].special +
            fmax(corrections - rough, is_parallel ? 0 : 1) * work.of[WORK_OUTPUTS][math].special;
    }
    const double clock = 1e3 * device->clock_khz * device->multiprocessors * 16;
    const double elements =
        (double)problem->batch * (double)problem->seq_len * (double)problem->channels;
    return clock > 0 ? results * elements / clock : NAN;
}

static int measure_others(const struct pass *pass, struct bench_row *row)
{
    struct device_figure figure = {.verdict = DEVICE_FINE};
    for (int i = 0; i < STRATEGIES; i++) {
        const bool is_per_step = i == IN_ORDER;
        if (is_per_step && !pass->bench->has_per_step)
            continue;
        const char *strategy = is_per_step ? per_step : in_order[i];
        const int code = measure(pass, strategy, &figure);
        if (code)
            return code;
        if (figure.verdict != DEVICE_FINE)
            continue;
        if (is_per_step)
            row->per_step = figure.seconds;
        else if (!(figure.seconds >= row->sequential)) {
            row->sequential = figure.seconds;
            row->sequential_strategy = strategy;
        }
    }
    return EXIT_CODE_OK;
}

static int measure_direction(struct pass *pass, const struct shape *shape, struct bench_rows *rows,
                             struct arena *arena)
{
    const struct bench_device *bench = pass->bench;
    const char *description = prnn_plan_describe(pass->chosen);
    const char *strategy =
        line_of(description, pass->is_backward ? "backward strategy" : "strategy", arena);
    struct device_figure figure = {.verdict = DEVICE_FINE};
    struct strategy read;
    int code = measure(pass, strategy, &figure);
    if (code || strategy_read(&read, strategy) < 0)
        return code;
    struct bench_row *row = bench_rows_add(rows);
    row->cell = arena_strdup(rows->arena, bench->unit->ir->name);
    row->device = arena_strdup(rows->arena, prnn_context_device(pass->trial->ctx));
    row->dtype = dtype_word(bench->options.problem.storage);
    row->math = bench->math;
    row->direction = pass->is_backward ? "backward" : "forward";
    row->shape = *shape;
    row->strategy = arena_strdup(rows->arena, strategy);
    row->elements = (double)shape->batch * (double)shape->seq_len * (double)shape->channels;
    row->bytes = device_bench_bytes(pass->device);
    row->verdict = device_verdict_word(figure.verdict);
    row->expected = expected_of(
        line_of(description, pass->is_backward ? "backward expected" : "expected", arena));
    if (bench->bandwidth > 0)
        row->copy = row->bytes / bench->bandwidth;
    if (figure.verdict == DEVICE_FINE) {
        row->seconds = figure.seconds;
        row->fewest = figure.fewest;
        row->special = special_seconds(pass, &read, figure.mean_corrections, arena);
        if (!pass->is_backward) {
            row->corrections = figure.mean_corrections;
            row->mismatch = figure.mismatch;
        }
    } else {
        output_complain("%s %s %s %s: %s", row->cell, row->dtype, row->direction, strategy,
                        figure.words);
    }
    code = measure_others(pass, row);
    /* Running in order may have been what was chosen. */
    if (!code && read.tile_chunks * read.cluster == 1 && !(row->sequential <= row->seconds)) {
        row->sequential = row->seconds;
        row->sequential_strategy = row->strategy;
    }
    return code;
}

static void measure_item(struct arena *arena, void *context)
{
    struct work_item *item = context;
    const struct bench_device *bench = item->bench;
    struct invocation inner = *bench->inv;
    struct trial trial;
    struct compile_job jobs[2 * STRATEGIES];
    struct compile_ahead *ahead = NULL;
    struct pass pass = {.bench = bench, .trial = &trial};
    struct trial_options options = bench->options;
    prnn_problem wanted;
    inner.arena = arena;
    options.problem.batch = item->shape->batch;
    options.problem.seq_len = item->shape->seq_len;
    options.problem.channels = item->shape->channels;
    options.problem.backward = bench->is_direction_wanted[1];
    options.problem.strategy = in_order[0];
    item->code = trial_create(&trial, &inner, bench->unit, bench->path, &options);
    if (!item->code) {
        ahead = start_compilers(&trial, jobs, bench);
        wanted = trial.options.problem;
        wanted.strategy = bench->options.problem.strategy;
        item->code =
            command_status(prnn_plan_create(&pass.chosen, trial.cell, &wanted), bench->path);
    }
    const double growth = item->code ? 0 : trial_growth(&trial);
    for (int is_backward = 0; is_backward < 2 && !item->code; is_backward++) {
        const struct device_bench_options device = {.is_backward = is_backward,
                                                    .cache = trial.ctx->cache,
                                                    .growth = growth,
                                                    .seconds =
                                                        bench->seconds > 0 ? bench->seconds : 0.03,
                                                    .batches = 9};
        if (!bench->is_direction_wanted[is_backward])
            continue;
        pass.is_backward = is_backward;
        item->code = device_bench_create(&pass.device, &trial, &device);
        if (!item->code)
            item->code = measure_direction(&pass, item->shape, item->rows, arena);
        device_bench_free(pass.device);
        pass.device = NULL;
    }
    compile_ahead_stop(ahead);
    prnn_plan_free(pass.chosen);
    trial_free(&trial);
}

int bench_device_shape(const struct bench_device *bench, const struct shape *shape,
                       struct bench_rows *rows)
{
    struct work_item item = {bench, shape, rows, EXIT_CODE_OK};
    if (pipeline_guard(NULL, measure_item, &item) != PIPELINE_OK) {
        output_complain("'%s': memory has ended", bench->path);
        return EXIT_CODE_LIMIT;
    }
    return item.code;
}
