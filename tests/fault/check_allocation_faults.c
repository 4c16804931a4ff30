/* Every allocation of the public calls fails in turn, alone or with all that follow: no crash, no
 * leak, the promised status, and the same call works again afterwards. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allocation.h"
#include "bundle.h"
#include "cache.h"
#include "fake_device.h"
#include "fault_figures.h"
#include "pipeline.h"
#include "report.h"
#include "small_run.h"

static char folder[64];
static struct figure *figures;
enum { POINTS, SILENT };

/* What a run of a scenario came to. 'digest' is of its results, the same in every run that ends
 * well. */
struct outcome {
    prnn_status status;
    uint64_t digest;
};

struct scenario {
    const char *name;
    struct outcome (*run)(void);
    prnn_status expected; /* without a fault */
    bool must_not_allocate;
};

static char path_of_cell[96], path_of_bundle[96], path_of_cache[96], path_of_wrong_cell[96];
static prnn_context *ctx;
static prnn_cell *cell;
static prnn_plan *plan;

static void file_write(char path[96], const char *name, const char *bytes, size_t length)
{
    snprintf(path, 96, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
    ck_assert_int_eq(fclose(file), 0);
}

static const char wrong_text[] =
    "cell wrong { state h; input u; h' = tanh(v) + g(u); unused = 3; }\n";

static void bundle_make(struct arena *arena, void *context)
{
    struct textbuf out;
    (void)context;
    const struct bundle_part parts[] = {{BUNDLE_CELL, "lstm", small_lstm, strlen(small_lstm)},
                                        {BUNDLE_DEFINES, "", "", 0}};
    textbuf_init(&out, arena);
    bundle_write(&out, parts, 2);
    file_write(path_of_bundle, "lstm.prnn", out.text, out.length);
}

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/check-allocation-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    file_write(path_of_cell, "lstm.cell", small_lstm, strlen(small_lstm));
    file_write(path_of_wrong_cell, "wrong.cell", wrong_text, strlen(wrong_text));
    ck_assert_int_eq(pipeline_guard(NULL, bundle_make, NULL), PIPELINE_OK);
    snprintf(path_of_cache, sizeof path_of_cache, "%s/cache", folder);
    ck_assert_int_eq(setenv("PARARNNC_CACHE_DIR", path_of_cache, 1), 0);
    ck_assert_int_eq(prnn_context_create(&ctx, "cpu"), PRNN_OK);
    ck_assert_int_eq(
        prnn_cell_load_text(&cell, ctx, "lstm.cell", small_lstm, strlen(small_lstm), NULL),
        PRNN_OK);
}

static void teardown(void)
{
    char command[128];
    prnn_plan_free(plan);
    prnn_cell_free(cell);
    prnn_context_free(ctx);
    plan = NULL;
    snprintf(command, sizeof command, "/bin/rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

/* The status of a fault: memory has ended. An answer in spite of it must be the right one. */
static void point_check(const struct scenario *scenario, struct outcome found,
                        struct outcome expected, long n, enum allocation_mode mode)
{
    const char *how = mode == ALLOCATION_ONE ? "alone" : "and all behind it";
    if (found.status == PRNN_E_NOMEM) {
        figures[POINTS].reached++;
        return;
    }
    const bool is_usable = found.status == expected.status ||
                           (expected.status == PRNN_OK && found.status == PRNN_FALLBACK);
    ck_assert_msg(is_usable, "'%s', allocation %ld %s: status %s, '%s'", scenario->name, n, how,
                  prnn_status_name(found.status), prnn_last_error());
    ck_assert_msg(found.digest == expected.digest, "'%s', allocation %ld %s: another result",
                  scenario->name, n, how);
    figures[POINTS].reached++;
}

static void sweep(const struct scenario *scenario)
{
    struct outcome expected = scenario->run();
    ck_assert_msg(expected.status == scenario->expected, "'%s': %s, '%s'", scenario->name,
                  prnn_status_name(expected.status), prnn_last_error());
    /* Twice: what is made once for the life of the process exists then. */
    expected = scenario->run();
    const long live = allocation_live();
    allocation_arm(0, ALLOCATION_ONE);
    struct outcome again = scenario->run();
    const long total = allocation_disarm();
    ck_assert_int_eq(allocation_live(), live);
    ck_assert_int_eq(again.status, expected.status);
    if (scenario->must_not_allocate) {
        ck_assert_msg(total == 0, "'%s' allocates %ld times", scenario->name, total);
        figures[SILENT].reached++;
        figures[SILENT].goal++;
        return;
    }
    ck_assert_msg(total > 0, "'%s' allocates nothing", scenario->name);
    for (int mode = ALLOCATION_ONE; mode <= ALLOCATION_REST; mode++)
        for (long n = 1;; n++) {
            allocation_arm(n, (enum allocation_mode)mode);
            const struct outcome found = scenario->run();
            (void)allocation_disarm();
            if (!allocation_has_failed())
                break;
            figures[POINTS].goal++;
            point_check(scenario, found, expected, n, (enum allocation_mode)mode);
            again = scenario->run();
            ck_assert_msg(again.status == expected.status && again.digest == expected.digest,
                          "'%s' after allocation %ld failed: %s, '%s'", scenario->name, n,
                          prnn_status_name(again.status), prnn_last_error());
            ck_assert_msg(allocation_live() == live,
                          "'%s', allocation %ld, mode %d: %ld blocks are lost", scenario->name, n,
                          mode, allocation_live() - live);
            ck_assert_msg(n < 5000, "'%s' does not end", scenario->name);
        }
}

static uint64_t digest_text(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash;
}

static struct outcome cell_outcome(prnn_status status, prnn_cell *loaded)
{
    prnn_cell_info info = PRNN_CELL_INFO_INIT;
    struct outcome outcome = {.status = status};
    if (status >= 0 && prnn_cell_describe(loaded, &info) == PRNN_OK)
        outcome.digest = digest_text(info.name) + info.state_scalars + 16 * info.input_scalars;
    else if (status == PRNN_E_CELL)
        outcome.digest = digest_text(prnn_last_diagnostics()) + prnn_diagnostic_count();
    prnn_cell_free(loaded);
    return outcome;
}

static struct outcome load_text(void)
{
    static const char *const defines[] = {"k=2"};
    static const char text[] = "cell a { const k = 1; state h; input u; h' = k*tanh(u + h); }\n";
    prnn_cell_options options = PRNN_CELL_OPTIONS_INIT;
    prnn_cell *loaded;
    options.defines = defines;
    options.define_count = 1;
    const prnn_status st =
        prnn_cell_load_text(&loaded, ctx, "a.cell", text, sizeof text - 1, &options);
    return cell_outcome(st, loaded);
}

static struct outcome load_path(const char *path)
{
    prnn_cell *loaded;
    const prnn_status st = prnn_cell_load(&loaded, ctx, path, NULL);
    return cell_outcome(st, loaded);
}

static struct outcome load_file(void)
{
    return load_path(path_of_cell);
}

static struct outcome load_bundle(void)
{
    return load_path(path_of_bundle);
}

static struct outcome load_wrong(void)
{
    return load_path(path_of_wrong_cell);
}

static struct outcome open_context(void)
{
    prnn_context *opened;
    struct outcome outcome = {.status = prnn_context_create(&opened, "cpu")};
    if (outcome.status >= 0)
        outcome.digest = digest_text(prnn_context_device(opened));
    prnn_context_free(opened);
    return outcome;
}

static struct outcome make_and_solve(void)
{
    const prnn_problem problem = small_problem();
    prnn_plan *made;
    struct outcome outcome = {.status = prnn_plan_create(&made, cell, &problem)};
    if (outcome.status >= 0) {
        const prnn_status made_as = outcome.status;
        outcome.status = small_solve(made, cell, &outcome.digest);
        if (outcome.status == PRNN_OK)
            outcome.status = made_as;
    }
    prnn_plan_free(made);
    return outcome;
}

static struct outcome solve(void)
{
    struct outcome outcome;
    outcome.status = small_solve(plan, cell, &outcome.digest);
    return outcome;
}

static struct outcome step(void)
{
    struct outcome outcome;
    outcome.status = small_steps(plan, cell, &outcome.digest);
    return outcome;
}

static struct outcome scan(void)
{
    struct outcome outcome;
    outcome.status = small_scan(ctx, &outcome.digest);
    return outcome;
}

static const char *report_path;

struct report_job {
    void (*write)(struct textbuf *, const struct report_subject *);
    struct unit *unit;
    uint64_t digest;
};

static void report_make(struct arena *arena, void *context)
{
    struct report_job *job = context;
    const struct unit *unit = job->unit;
    const struct report_subject subject = {unit->ast,     unit->ir,       &unit->structure,
                                           &unit->ranges, &unit->forward, &unit->backward};
    struct textbuf out;
    textbuf_init(&out, arena);
    job->write(&out, &subject);
    job->digest = digest_text(out.text);
}

static struct outcome report(void)
{
    static void (*const writers[])(struct textbuf *, const struct report_subject *) = {
        report_text, report_json, report_html, report_latex, report_dot};
    struct report_job job = {0};
    struct outcome outcome = {.status = PRNN_OK};
    enum pipeline_class result = pipeline_load_file(&job.unit, report_path, NULL);
    for (size_t i = 0; i < sizeof writers / sizeof *writers && result == PIPELINE_OK; i++) {
        job.write = writers[i];
        result = pipeline_guard(NULL, report_make, &job);
        outcome.digest = outcome.digest * 31 + job.digest;
    }
    unit_free(job.unit);
    /* The words are the caller's business here. */
    if (result != PIPELINE_OK)
        outcome.status = result == PIPELINE_NOMEM ? PRNN_E_NOMEM : PRNN_E_INTERNAL;
    return outcome;
}

/* The cache has no status: trouble is a miss. A fault may cost entries, never give wrong ones. */
static struct outcome use_cache(void)
{
    static const char payload[] = "payload of a kernel";
    const struct cache_part part = {"text", payload, sizeof payload};
    const struct cache_key key = cache_key_make(&part, 1);
    struct outcome outcome = {.status = PRNN_OK};
    struct cache *cache = cache_open(NULL);
    uint64_t checked = 0;
    size_t count = 0, size = 0;
    void *data = NULL;
    (void)cache_put(cache, &key, "label", payload, sizeof payload);
    if (cache_get(cache, &key, &data, &size)) {
        outcome.digest = size == sizeof payload && !memcmp(data, payload, size) ? 0 : 1;
        free(data);
    }
    struct cache_entry *list = cache_list(cache, &count);
    for (size_t i = 0; i < count; i++)
        outcome.digest += strcmp(list[i].label, "label") != 0;
    free(list);
    outcome.digest += cache_verify(cache, &checked); /* nothing is damaged */
    outcome.digest += cache_stats(cache).temporaries;
    (void)cache_clean(cache);
    cache_close(cache);
    return outcome;
}

START_TEST(loading_a_cell_ends_with_nomem)
{
    static const struct scenario scenarios[] = {
        {"load from text", load_text, PRNN_OK, false},
        {"load from a file", load_file, PRNN_OK, false},
        {"load from a bundle", load_bundle, PRNN_OK, false},
        {"load a cell with errors", load_wrong, PRNN_E_CELL, false},
    };
    sweep(&scenarios[_i]);
}
END_TEST

START_TEST(a_context_ends_with_nomem_or_works_without_its_cache)
{
    static const struct scenario scenario = {"open a context", open_context, PRNN_OK, false};
    sweep(&scenario);
}
END_TEST

START_TEST(an_interpreted_plan_ends_with_nomem)
{
    static const struct scenario scenario = {"interpreted plan", make_and_solve, PRNN_FALLBACK,
                                             false};
    ck_assert_int_eq(setenv("PARARNNC_CC", "none", 1), 0);
    sweep(&scenario);
}
END_TEST

START_TEST(a_compiled_plan_with_a_warm_cache_ends_with_nomem)
{
    static const struct scenario scenario = {"compiled plan", make_and_solve, PRNN_OK, false};
    sweep(&scenario);
}
END_TEST

static void plan_make(prnn_status expected)
{
    const prnn_problem problem = small_problem();
    ck_assert_int_eq(prnn_plan_create(&plan, cell, &problem), expected);
}

START_TEST(forward_backward_and_step_allocate_nothing)
{
    static const struct scenario scenarios[] = {
        {"forward and backward", solve, PRNN_OK, true},
        {"step", step, PRNN_OK, true},
    };
    if (_i >= 2)
        ck_assert_int_eq(setenv("PARARNNC_CC", "none", 1), 0);
    plan_make(_i >= 2 ? PRNN_FALLBACK : PRNN_OK);
    sweep(&scenarios[_i % 2]);
}
END_TEST

START_TEST(a_scan_ends_with_nomem)
{
    static const struct scenario scenario = {"scan", scan, PRNN_OK, false};
    sweep(&scenario);
}
END_TEST

START_TEST(reports_end_with_nomem)
{
    static const struct scenario scenario = {"reports", report, PRNN_OK, false};
    report_path = _i ? path_of_bundle : path_of_cell;
    sweep(&scenario);
}
END_TEST

/* On a driver and an NVRTC that allocate little themselves. */
static struct outcome use_device(void)
{
    const prnn_problem problem = small_problem();
    prnn_context *opened = NULL;
    prnn_cell *loaded = NULL;
    prnn_plan *made = NULL;
    uint64_t digest[3] = {0};
    struct outcome outcome = {.status = prnn_context_create(&opened, "cuda:0")};
    if (outcome.status == PRNN_OK)
        outcome.status =
            prnn_cell_load_text(&loaded, opened, "gru", small_gru, strlen(small_gru), NULL);
    if (outcome.status == PRNN_OK)
        outcome.status = prnn_plan_create(&made, loaded, &problem);
    if (outcome.status == PRNN_OK)
        outcome.status = small_solve(made, loaded, &digest[0]);
    if (outcome.status == PRNN_OK)
        outcome.status = small_steps(made, loaded, &digest[1]);
    if (outcome.status == PRNN_OK)
        outcome.status = small_scan(opened, &digest[2]);
    if (outcome.status == PRNN_OK)
        outcome.digest = digest[0] + 3 * digest[1] + 7 * digest[2];
    prnn_plan_free(made);
    prnn_cell_free(loaded);
    prnn_context_free(opened);
    /* No assertion of Check's in here: it allocates. */
    if (fake->modules || fake->contexts || fake->depth || fake->misused || fake_nvrtc->programs)
        outcome.status = PRNN_E_INTERNAL;
    return outcome;
}

START_TEST(a_plan_on_a_device_ends_with_nomem)
{
    static const struct scenario scenario = {"device", use_device, PRNN_OK, false};
    fake_device_load();
    if (_i)
        ck_assert_int_eq(setenv("PARARNNC_CACHE_DIR", "none", 1), 0);
    sweep(&scenario);
}
END_TEST

START_TEST(the_cache_takes_every_fault_as_a_miss)
{
    static const struct scenario scenario = {"cache", use_cache, PRNN_OK, false};
    sweep(&scenario);
}
END_TEST

int main(int argc, char **argv)
{
    static const char *const names[] = {"allocations failed, n-th alone and n-th on",
                                        "calls that allocate nothing", NULL};
    if (argc < 2)
        return 1;
    if (!allocation_is_replaced()) {
        printf("skipped: a sanitiser has replaced the allocator\n");
        return 77;
    }
    figures = figures_begin(argv[1], names);
    TCase *cases = tcase_create("allocation_faults");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 100);
    tcase_add_loop_test(cases, loading_a_cell_ends_with_nomem, 0, 4);
    tcase_add_test(cases, a_context_ends_with_nomem_or_works_without_its_cache);
    tcase_add_test(cases, an_interpreted_plan_ends_with_nomem);
    tcase_add_test(cases, a_compiled_plan_with_a_warm_cache_ends_with_nomem);
    tcase_add_loop_test(cases, forward_backward_and_step_allocate_nothing, 0, 4);
    tcase_add_test(cases, a_scan_ends_with_nomem);
    tcase_add_loop_test(cases, reports_end_with_nomem, 0, 2);
    tcase_add_loop_test(cases, a_plan_on_a_device_ends_with_nomem, 0, 2);
    tcase_add_test(cases, the_cache_takes_every_fault_as_a_miss);
    Suite *suite = suite_create("allocation_faults");
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    figures_write();
    return failed != 0;
}
