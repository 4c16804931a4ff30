#include "ledger_cases.h"

#include "sha256.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STRATEGY(l, v, w, s, r, c)                                                                 \
    {                                                                                              \
        .lanes = l, .vc = v, .tile_chunks = w, .chunk = s, .stages = r, .cluster = c               \
    }
/* With 3 stages entries are guessed a tile ahead where steps are kept. A guess that may be all
 * there is takes up to 56 steps; in a cluster some are wrong, and chunks of 24 steps have a mark.
 * The backward pass always has a ring; in place of those without one it has long chunks. */
const struct kernel_strategy ledger_strategies[LEDGER_STRATEGIES] = {
    {"W1", STRATEGY(32, 1, 1, 8, 2, 1)},
    {"W8 lanes 8", STRATEGY(8, 1, 8, 4, 3, 1)},
    {"W4 lanes 32", STRATEGY(32, 1, 4, 4, 2, 1)},
    {"W4 vc 2", STRATEGY(8, 2, 4, 3, 2, 1)},
    {"cluster 2", STRATEGY(8, 1, 4, 2, 2, 2)},
    {"cluster 4 vc 2", STRATEGY(8, 2, 4, 2, 3, 4)},
    {"no ring", STRATEGY(8, 1, 4, 64, 0, 1)},
    {"no ring, cluster 2 vc 2", STRATEGY(8, 2, 4, 24, 0, 2)},
};
#undef STRATEGY

static const char *const storage_words[] = {"f32", "f64", "bf16", "f16"};

struct strategy ledger_strategy(int index, enum assemble_storage storage)
{
    struct assemble_options options = {.storage = storage,
                                       .strategy = ledger_strategies[index].strategy};
    kernel_strategy_fit(&options);
    return options.strategy;
}

/* Lists are made outside of any test. */
static void demand(bool is_fine, const char *words)
{
    if (is_fine)
        return;
    fprintf(stderr, "FAILED: %s\n", words);
    exit(1);
}

int ledger_strategy_fit(struct assemble_options *options, const char *cell, int index)
{
    struct unit *unit = NULL;
    const enum pipeline_class result =
        pipeline_load_text(&unit, "test.cell", cell, strlen(cell), NULL);
    demand(result == PIPELINE_OK, unit ? unit->messages : "no memory");
    options->state_written = options->state_gradient = (1u << unit->ir->states) - 1u;
    for (int tries = 0; tries < LEDGER_STRATEGIES;
         tries++, index = (index + 1) % LEDGER_STRATEGIES) {
        struct pipeline_text text = {0};
        options->strategy = ledger_strategies[index].strategy;
        kernel_strategy_fit(options);
        demand(pipeline_assemble(&text, unit, options) == PIPELINE_OK, "no memory");
        const bool fits = !text.refusal;
        pipeline_text_free(&text);
        if (fits)
            break;
    }
    unit_free(unit);
    return index;
}

/* By the name and not by the place among the cells, so that a new cell changes no other's cases. */
static uint32_t number_of(const char *name, uint32_t salt)
{
    uint32_t hash = 2166136261u ^ salt * 40503u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    hash ^= hash >> 15;
    hash *= 0x2c1b3c6du;
    return hash ^ hash >> 13;
}

/* What makes sequences differ. The normaliser of slstm is positive, which a random state is not. */
static void shape_choose(struct ledger_case *c, const char *name, uint32_t number)
{
    const struct strategy *s = &c->options.strategy;
    const int64_t tile = (int64_t)s->tile_chunks * s->chunk * s->cluster;
    const bool is_aligned = number % 2 == 0;
    c->options.has_resets = number / 2 % 4 == 1;
    c->options.is_packed = number / 8 % 4 == 1;
    c->shape = (struct kernel_shape){.batch = 3,
                                     .steps = 3 * tile + 7,
                                     .channels = is_aligned ? 40 : 33,
                                     .is_aligned = is_aligned,
                                     .has_h0 = strncmp(name, "slstm", 5) != 0,
                                     .has_resets = c->options.has_resets,
                                     .is_packed = c->options.is_packed,
                                     .is_reversed = number / 32 % 4 == 1,
                                     .tolerance = number / 128 % 4 ? 1e-6 : 0,
                                     .seed = number};
}

static void cell_case(struct ledger_case *c, const struct cell_file *file,
                      enum assemble_kernel kernel, int strategy, enum assemble_storage storage,
                      uint32_t number)
{
    static const char *const kernel_words[] = {
        [ASSEMBLE_FORWARD] = "forward", [ASSEMBLE_BACKWARD] = "backward"};
    *c = (struct ledger_case){.cell = file->text};
    c->options = (struct assemble_options){
        .kernel = kernel, .target = ASSEMBLE_CUDA, .storage = storage, .mode = ASSEMBLE_STRICT};
    c->strategy = strategy = ledger_strategy_fit(&c->options, file->text, strategy);
    shape_choose(c, file->name, number);
    snprintf(c->name, sizeof c->name, "%s %s %s %s", file->name, kernel_words[kernel],
             ledger_strategies[strategy].name, storage_words[storage]);
}

static size_t cell_cases(struct ledger_case *out, const struct cell_file *file)
{
    static const enum assemble_storage others[] = {ASSEMBLE_BF16, ASSEMBLE_F16, ASSEMBLE_BF16,
                                                   ASSEMBLE_F64};
    const uint32_t n = number_of(file->name, 1), m = number_of(file->name, 2),
                   o = number_of(file->name, 3);
    const int first = (int)(n / 1024 % LEDGER_STRATEGIES);
    cell_case(&out[0], file, ASSEMBLE_FORWARD, first, ASSEMBLE_F32, n);
    cell_case(&out[1], file, ASSEMBLE_FORWARD,
              (first + 1 + (int)(m / 1024 % (LEDGER_STRATEGIES - 1))) % LEDGER_STRATEGIES,
              others[m / 8192 % 4], m);
    cell_case(&out[2], file, ASSEMBLE_BACKWARD, (int)(o / 1024 % LEDGER_STRATEGIES),
              o / 8192 % 3 ? ASSEMBLE_F32 : others[o / 32768 % 4], o);
    out[3] = (struct ledger_case){.cell = file->text,
                                  .strategy = -1,
                                  .options = {.kernel = ASSEMBLE_DECODE, .mode = ASSEMBLE_STRICT},
                                  .shape = {.batch = 3,
                                            .steps = 1,
                                            .channels = 33,
                                            .has_h0 = strncmp(file->name, "slstm", 5) != 0,
                                            .seed = n}};
    snprintf(out[3].name, sizeof out[3].name, "%s decode f32", file->name);
    return 4;
}

static size_t scan_cases(struct ledger_case *out)
{
    static const struct {
        uint32_t block;
        bool is_diagonal;
        int strategy;
    } scans[] = {{1, true, 1}, {2, false, 2}, {3, true, 0}, {3, false, 1}, {4, false, 2}};
    enum { SCANS = sizeof scans / sizeof *scans };
    for (size_t i = 0; i < SCANS; i++) {
        out[i] = (struct ledger_case){.strategy = scans[i].strategy};
        out[i].options =
            (struct assemble_options){.kernel = ASSEMBLE_SCAN,
                                      .mode = ASSEMBLE_STRICT,
                                      .strategy = ledger_strategy(scans[i].strategy, ASSEMBLE_F32),
                                      .scan_block = scans[i].block,
                                      .scan_is_diagonal = scans[i].is_diagonal};
        const struct strategy *s = &out[i].options.strategy;
        out[i].shape = (struct kernel_shape){.batch = 3,
                                             .steps = 3 * (int64_t)s->tile_chunks * s->chunk + 7,
                                             .channels = 33,
                                             .has_h0 = true,
                                             .seed = (uint64_t)i};
        snprintf(out[i].name, sizeof out[i].name, "scan %u %s %s f32", (unsigned)scans[i].block,
                 scans[i].is_diagonal ? "diagonal" : "dense",
                 ledger_strategies[scans[i].strategy].name);
    }
    return SCANS;
}

size_t ledger_cases_make(struct ledger_case *out, const struct cell_files *files)
{
    size_t count = 0;
    for (size_t i = 0; i < files->count && count + 16 <= LEDGER_CASES_MAX; i++)
        count += cell_cases(&out[count], &files->file[i]);
    return count + scan_cases(&out[count]);
}

void ledger_text_hash(char hex[17], const struct ledger_case *c)
{
    struct unit *unit = NULL;
    struct pipeline_text text = {0};
    struct assemble_options options = c->options;
    struct sha256 hash;
    unsigned char digest[SHA256_BYTES];
    char whole[2 * SHA256_BYTES + 1];
    options.target = ASSEMBLE_CUDA;
    if (c->cell) {
        demand(pipeline_load_text(&unit, "test.cell", c->cell, strlen(c->cell), NULL) ==
                   PIPELINE_OK,
               c->name);
        options.state_written = options.state_gradient = (1u << unit->ir->states) - 1u;
    }
    demand(pipeline_assemble(&text, unit, &options) == PIPELINE_OK && !text.refusal, c->name);
    sha256_init(&hash);
    sha256_add(&hash, text.assembled.text, text.assembled.length);
    sha256_end(&hash, digest);
    sha256_hex(digest, whole);
    memcpy(hex, whole, 16);
    hex[16] = 0;
    pipeline_text_free(&text);
    unit_free(unit);
}

uint64_t ledger_data_hash(struct kernel_data *data)
{
    for (uint32_t k = 0; k < data->start[GROUP_COUNT]; k++) {
        const struct kernel_tensor *t = &data->tensor[k];
        for (size_t i = 0; i < t->count && t->is_written; i++)
            ck_assert_msg(isfinite(kernel_get(t, i)), "tensor %u at %zu is not finite", (unsigned)k,
                          i);
    }
    return kernel_data_hash(data);
}

uint64_t ledger_shim_hash(const struct ledger_case *c)
{
    struct kernel_plan plan;
    struct kernel_data data;
    kernel_plan_load(&plan, c->cell, &c->options, NULL);
    kernel_data_create(&data, &plan, &c->shape);
    kernel_data_run(&data, SHIM_FORWARD);
    const uint64_t hash = ledger_data_hash(&data);
    kernel_data_free(&data);
    kernel_plan_free(&plan);
    return hash;
}

static const struct ledger_case *child_case;
static uint64_t child_hash;

START_TEST(case_runs_on_the_shim)
{
    child_hash = ledger_shim_hash(child_case);
}
END_TEST

/* In a process of its own. */
static bool child_run(const struct ledger_case *c)
{
    TCase *tcase = tcase_create("shim");
    Suite *suite = suite_create("shim");
    child_case = c;
    tcase_add_test(tcase, case_runs_on_the_shim);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_SILENT);
    const int failed = srunner_ntests_failed(runner);
    if (failed) {
        TestResult **results = srunner_failures(runner);
        fprintf(stderr, "%s: %s\n", c->name, tr_msg(results[0]));
    }
    return failed == 0;
}

/* What the processes share. */
struct results {
    struct {
        uint64_t hash;
        bool is_known;
    } row[LEDGER_CASES_MAX];
};

void ledger_shim_hashes(uint64_t *hash, bool *known, const struct ledger_case *cases, size_t count,
                        const bool *wanted, int workers)
{
    struct results *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    demand(shared != MAP_FAILED, "no memory");
    fflush(NULL);
    /* One process a case: what one of them breaks is its own, and none waits for a long one. */
    size_t next = 0;
    for (int running = 0; next < count || running > 0;) {
        while (next < count && !wanted[next])
            next++;
        if (next < count && running < workers) {
            const pid_t child = fork();
            if (child == 0) {
                shared->row[next].is_known = child_run(&cases[next]);
                shared->row[next].hash = child_hash;
                _exit(0);
            }
            demand(child > 0, "no process");
            running++;
            next++;
        } else if (running > 0 && wait(NULL) > 0) {
            running--;
        }
    }
    for (size_t i = 0; i < count; i++) {
        hash[i] = shared->row[i].hash;
        known[i] = shared->row[i].is_known;
    }
    munmap(shared, sizeof *shared);
}
