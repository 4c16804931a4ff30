/* pararnnc bench: times, beside what no program could beat. */
#include "handles.h"
#include "measure.h"
#include "measure_device.h"
#include "trial.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum {
    OPTION_JSON = 1,
    OPTION_CSV,
    OPTION_DEVICE,
    OPTION_SHAPE,
    OPTION_DTYPE,
    OPTION_MATH,
    OPTION_THREADS,
    OPTION_SECONDS,
    OPTION_STRATEGY
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
    {OPTION_THREADS, 0, "threads", "COUNT", NULL, false, "of the CPU; default all"},
    {OPTION_STRATEGY, 0, "strategy", "TEXT", NULL, true,
     "shape of the kernels of a GPU; may be given several times; default: the library chooses"},
    {OPTION_SECONDS, 0, "seconds", "COUNT", NULL, false,
     "how long each measurement is repeated; default 2"},
    {OPTION_JSON, 0, "json", NULL, NULL, false, "print one JSON array"},
    {OPTION_CSV, 0, "csv", NULL, NULL, false, "print comma-separated values"},
    COMMAND_CELL_OPTIONS,
    {0, 0, NULL, NULL, NULL, false, NULL},
};

/* One line of the table. What was not measured is NaN. */
struct row {
    const char *cell, *device, *dtype, *direction, *strategy;
    int64_t batch, seq_len, channels;
    double seconds;  /* median */
    double elements; /* batch * seq_len * channels */
    double bytes;    /* of sequence tensors, read and written once */
    double evaluate; /* seconds of the step's functions alone */
    double copy;     /* seconds of moving as many bytes */
};

struct bench {
    struct invocation *inv;
    struct trial_options trial_options;
    const char *dtype, *strategy;
    double seconds;   /* of a measurement */
    int threads;      /* of the CPU */
    double bandwidth; /* bytes a second; 0: not measured yet, or unknown */
    struct row *rows;
    uint32_t row_count, row_room;
};

static struct row *add_row(struct bench *bench)
{
    if (bench->row_count == bench->row_room) {
        const uint32_t room = bench->row_room ? 2 * bench->row_room : 16;
        bench->rows =
            arena_grow(bench->inv->arena, bench->rows, bench->row_count, room, sizeof *bench->rows);
        bench->row_room = room;
    }
    return &bench->rows[bench->row_count++];
}

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
 * memory traffic: a sample of at most some millions, scaled. */
static double measure_evaluate(struct bench *bench, const struct trial *trial, double elements)
{
    if (!trial->plan->cpu || !cpu_plan_evaluate(trial->plan->cpu, 1))
        return NAN;
    const double sample = elements < 1 << 22 ? elements : 1 << 22;
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

/* On a GPU so many runs are started in a row that starting them does not count. */
enum { RUNS_AT_ONCE = 16 };

static int runs_at_once(const struct trial *trial)
{
    return trial->is_host ? 1 : RUNS_AT_ONCE;
}

static int work_forward(void *context)
{
    return trial_forward(context, runs_at_once(context));
}

static int work_backward(void *context)
{
    return trial_backward(context, runs_at_once(context));
}

static int measure_trial(struct bench *bench, struct trial *trial)
{
    const prnn_problem *problem = &trial->options.problem;
    const double elements =
        (double)problem->batch * (double)problem->seq_len * (double)problem->channels;
    if (bench->bandwidth == 0) {
        output_progress("measuring the bandwidth of a copy");
        bench->bandwidth = trial->is_host ? measure_copy_bandwidth(bench->threads)
                                          : measure_device_bandwidth(trial->ctx->cuda);
    }
    const double evaluate = measure_evaluate(bench, trial, elements);
    for (int is_backward = 0; is_backward < 2; is_backward++) {
        int failure;
        output_progress("%s %s %" PRId64 "x%" PRId64 "x%" PRId64 " %s", trial->unit->ir->name,
                        bench->dtype, problem->batch, problem->seq_len, problem->channels,
                        is_backward ? "backward" : "forward");
        const double seconds = measure_median(is_backward ? work_backward : work_forward, trial, 3,
                                              bench->seconds, &failure) /
                               runs_at_once(trial);
        if (failure)
            return failure;
        struct row *row = add_row(bench);
        *row = (struct row){
            .cell = arena_strdup(bench->inv->arena, trial->unit->ir->name),
            .device = arena_strdup(bench->inv->arena, prnn_context_device(trial->ctx)),
            .dtype = bench->dtype,
            .direction = is_backward ? "backward" : "forward",
            .strategy = bench->strategy,
            .batch = problem->batch,
            .seq_len = problem->seq_len,
            .channels = problem->channels,
            .seconds = seconds,
            .elements = elements,
            .bytes = bytes_moved(trial, is_backward),
            .evaluate = evaluate,
            .copy = NAN,
        };
        if (bench->bandwidth > 0)
            row->copy = row->bytes / bench->bandwidth;
    }
    return EXIT_CODE_OK;
}

/* One shape, element type and strategy: its memory is freed before the next one's is taken. */
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

static int measure_shape(struct bench *bench, const struct unit *unit, const char *path)
{
    struct measurement m = {bench, unit, path, EXIT_CODE_OK};
    if (pipeline_guard(NULL, measure_one, &m) != PIPELINE_OK) {
        output_complain("'%s': memory has ended", path);
        return EXIT_CODE_LIMIT;
    }
    return m.code;
}

/* ---- Tables ---- */

static double ratio(double a, double b)
{
    return b > 0 ? a / b : NAN;
}

static void add_cell(struct textbuf *out, double value, int width)
{
    struct textbuf digits;
    textbuf_init(&digits, out->arena);
    if (isfinite(value))
        textbuf_add_short(&digits, value, 4);
    else
        textbuf_add(&digits, "-");
    textbuf_printf(out, "  %*s", width, digits.text);
}

static void print_table(struct textbuf *out, const struct bench *bench)
{
    textbuf_add(out, "cell              dtype     B       T      N  direction        ms   ns/elem  "
                     "x evaluate  x copy    GB/s\n");
    for (uint32_t i = 0; i < bench->row_count; i++) {
        const struct row *row = &bench->rows[i];
        textbuf_printf(out, "%-16.16s  %-5s  %4" PRId64 "  %6" PRId64 "  %5" PRId64 "  %-9s",
                       row->cell, row->dtype, row->batch, row->seq_len, row->channels,
                       row->direction);
        add_cell(out, 1e3 * row->seconds, 8);
        add_cell(out, 1e9 * ratio(row->seconds, row->elements), 8);
        add_cell(out, ratio(row->seconds, row->evaluate), 10);
        add_cell(out, ratio(row->seconds, row->copy), 6);
        add_cell(out, 1e-9 * ratio(row->bytes, row->seconds), 6);
        if (row->strategy)
            textbuf_printf(out, "  %s", row->strategy);
        textbuf_add(out, "\n");
    }
    if (bench->row_count > 0 && bench->bandwidth > 0) {
        textbuf_add(out,
                    "\nx evaluate: time over that of the step's functions alone, on vectors in "
                    "the first-level cache\nx copy: time over that of moving each tensor once, "
                    "at ");
        textbuf_add_short(out, 1e-9 * bench->bandwidth, 3);
        if (!strcmp(bench->rows[0].device, "cpu"))
            textbuf_printf(out, " GB/s as measured with %d threads\n", bench->threads);
        else
            textbuf_printf(out, " GB/s as measured on %s\n", bench->rows[0].device);
    }
}

static void add_number_or_empty(struct textbuf *out, double value)
{
    textbuf_add(out, ",");
    if (isfinite(value))
        textbuf_add_short(out, value, 6);
}

static void print_csv(struct textbuf *out, const struct bench *bench)
{
    textbuf_add(out,
                "cell,device,dtype,batch,seq_len,channels,direction,strategy,ms,ns_per_element,"
                "ratio_evaluate,ratio_copy,gb_per_s\n");
    for (uint32_t i = 0; i < bench->row_count; i++) {
        const struct row *row = &bench->rows[i];
        textbuf_printf(out, "%s,%s,%s,%" PRId64 ",%" PRId64 ",%" PRId64 ",%s,%s", row->cell,
                       row->device, row->dtype, row->batch, row->seq_len, row->channels,
                       row->direction, row->strategy ? row->strategy : "");
        add_number_or_empty(out, 1e3 * row->seconds);
        add_number_or_empty(out, 1e9 * ratio(row->seconds, row->elements));
        add_number_or_empty(out, ratio(row->seconds, row->evaluate));
        add_number_or_empty(out, ratio(row->seconds, row->copy));
        add_number_or_empty(out, 1e-9 * ratio(row->bytes, row->seconds));
        textbuf_add(out, "\n");
    }
}

static void add_member(struct textbuf *out, const char *name, double value)
{
    textbuf_printf(out, ", \"%s\": ", name);
    textbuf_add_json_number(out, value);
}

static void print_json(struct textbuf *out, const struct bench *bench)
{
    textbuf_add(out, "[");
    for (uint32_t i = 0; i < bench->row_count; i++) {
        const struct row *row = &bench->rows[i];
        textbuf_add(out, i ? ",\n {\"cell\": " : "\n {\"cell\": ");
        textbuf_add_json_string(out, row->cell);
        textbuf_printf(
            out,
            ", \"device\": \"%s\", \"dtype\": \"%s\", \"batch\": %" PRId64 ", \"seq_len\": %" PRId64
            ", \"channels\": %" PRId64 ", \"direction\": \"%s\", \"strategy\": ",
            row->device, row->dtype, row->batch, row->seq_len, row->channels, row->direction);
        if (row->strategy)
            textbuf_add_json_string(out, row->strategy);
        else
            textbuf_add(out, "null");
        add_member(out, "ms", 1e3 * row->seconds);
        add_member(out, "ns_per_element", 1e9 * ratio(row->seconds, row->elements));
        add_member(out, "ratio_evaluate", ratio(row->seconds, row->evaluate));
        add_member(out, "ratio_copy", ratio(row->seconds, row->copy));
        add_member(out, "gb_per_s", 1e-9 * ratio(row->bytes, row->seconds));
        textbuf_add(out, "}");
    }
    textbuf_add(out, bench->row_count ? "\n]\n" : "]\n");
}

/* ---- The command ---- */

/* "8x2048x1024" */
static bool read_shape(const char *text, prnn_problem *problem)
{
    int64_t *const out[] = {&problem->batch, &problem->seq_len, &problem->channels};
    for (int i = 0; i < 3; i++) {
        int64_t value = 0;
        const char *start = text;
        for (; *text >= '0' && *text <= '9' && value < (int64_t)1 << 40; text++)
            value = value * 10 + (*text - '0');
        if (text == start || value < 1 || value > (int64_t)1 << 31 || *text != (i < 2 ? 'x' : '\0'))
            return false;
        *out[i] = value;
        text += i < 2;
    }
    return true;
}

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
    static const char *const names[] = {"f32", "f64", "bf16", "f16"};
    const char **shapes, **dtypes, **strategies;
    shapes = arena_array(inv->arena, inv->arguments.option_count + 1, sizeof *shapes);
    dtypes = arena_array(inv->arena, inv->arguments.option_count + 1, sizeof *dtypes);
    strategies = arena_array(inv->arena, inv->arguments.option_count + 1, sizeof *strategies);
    const uint32_t shape_count = collect(inv, OPTION_SHAPE, "8x2048x1024", shapes);
    const uint32_t dtype_count = collect(inv, OPTION_DTYPE, "f32", dtypes);
    const uint32_t strategy_count = collect(inv, OPTION_STRATEGY, NULL, strategies);
    for (uint32_t s = 0; s < shape_count; s++)
        if (!read_shape(shapes[s], &bench->trial_options.problem))
            return command_usage(inv, "'%s' is not BxTxN, three positive integers", shapes[s]);
    for (uint32_t d = 0; d < dtype_count; d++)
        for (uint32_t s = 0; s < shape_count; s++)
            for (uint32_t k = 0; k < strategy_count; k++) {
                for (int i = 0; i < 4; i++)
                    if (!strcmp(dtypes[d], names[i]))
                        bench->trial_options.problem.storage = (prnn_storage)i;
                read_shape(shapes[s], &bench->trial_options.problem);
                bench->dtype = dtypes[d];
                bench->strategy = bench->trial_options.problem.strategy = strategies[k];
                const int code = measure_shape(bench, unit, path);
                if (code)
                    return code;
            }
    return EXIT_CODE_OK;
}

static int read_options(struct bench *bench)
{
    struct invocation *inv = bench->inv;
    static const char *const maths[] = {"accurate", "fast", "strict"};
    int64_t threads, seconds;
    int code = command_integer(inv, OPTION_THREADS, "threads", 1, 4096, 0, &threads);
    if (!code)
        code = command_integer(inv, OPTION_SECONDS, "seconds", 0, 3600, 2, &seconds);
    if (code)
        return code;
    if (arguments_has(&inv->arguments, OPTION_CSV) && arguments_has(&inv->arguments, OPTION_JSON))
        return command_usage(inv, "'--csv' and '--json' exclude each other");
    bench->trial_options =
        (struct trial_options){.device = arguments_value(&inv->arguments, OPTION_DEVICE, "auto"),
                               .problem = PRNN_PROBLEM_INIT,
                               .seed = 1,
                               .is_timed_only = true};
    bench->trial_options.problem.backward = true;
    bench->trial_options.problem.threads = (int32_t)threads;
    for (int i = 0; i < 3; i++)
        if (!strcmp(arguments_value(&inv->arguments, OPTION_MATH, "accurate"), maths[i]))
            bench->trial_options.problem.math = (prnn_math)i;
    bench->seconds = (double)seconds;
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    bench->threads = threads > 0 ? (int)threads : processors > 0 ? (int)processors : 1;
    return EXIT_CODE_OK;
}

static int run(struct invocation *inv)
{
    struct pipeline_options load_options = PIPELINE_OPTIONS_INIT;
    struct bench bench = {.inv = inv};
    int code = command_cell_options(inv, &load_options);
    if (!code)
        code = read_options(&bench);
    for (uint32_t i = 0; i < inv->arguments.operand_count && !code; i++) {
        struct unit *unit;
        code = command_load(inv, &unit, inv->arguments.operands[i], &load_options);
        if (!code)
            code = sweep(&bench, unit, inv->arguments.operands[i]);
        unit_free(unit);
    }
    if (bench.row_count == 0)
        return code;
    if (arguments_has(&inv->arguments, OPTION_JSON))
        print_json(&inv->out, &bench);
    else if (arguments_has(&inv->arguments, OPTION_CSV))
        print_csv(&inv->out, &bench);
    else
        print_table(&inv->out, &bench);
    return code;
}

const struct command command_bench = {
    .name = "bench",
    .operands = "FILE...",
    .fewest = 1,
    .most = UINT32_MAX,
    .summary = "measure cells",
    .text = "Measure the forward and the backward pass: the median time, nanoseconds per element "
            "and step, and the ratio to two times that no program can beat: that of evaluating the "
            "step's functions alone on vectors that stay in the first-level cache, and that of "
            "moving each tensor once at the bandwidth of a plain copy. Both are measured in the "
            "same run on as many threads. On a GPU the first is not measured. All states are written and get gradients.",
    .options = options,
    .examples = "pararnnc bench cells/paragru.cell --device cpu\n"
                "pararnnc bench cells/*.cell --shape 8x2048x1024 --shape 1x65536x256 --dtype f32 "
                "--dtype bf16 --csv",
    .run = run,
};
