/* Every call of the CUDA driver and of NVRTC fails in turn, below the public API: the promised
 * status and words, everything released, and the context usable afterwards unless it is lost. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_device.h"
#include "fault_figures.h"
#include "small_run.h"

static char folder[64];
static struct figure *figures;
enum { DRIVER_CALLS, NVRTC_CALLS, LOST_CONTEXTS, SYMBOLS };

static void setup_folder(void)
{
    char cache[96];
    snprintf(folder, sizeof folder, "/tmp/check-driver-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(cache, sizeof cache, "%s/cache", folder);
    ck_assert_int_eq(setenv("PARARNNC_CACHE_DIR", cache, 1), 0);
    ck_assert_int_eq(setenv("TMPDIR", folder, 1), 0);
}

static void setup(void)
{
    setup_folder();
    fake_device_load();
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "/bin/rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

/* Handles of one whole use of a device. */
struct use {
    prnn_context *ctx;
    prnn_cell *cell;
    prnn_plan *plan;
    void *memory;
    uint64_t digest;
};

/* Everything that the public API does with a device; the first status that is not PRNN_OK. */
static prnn_status use_run(struct use *use)
{
    prnn_problem problem = small_problem();
    uint64_t digest[3] = {0};
    char bytes[100] = "bytes", back[100];
    prnn_status st = PRNN_OK;
    /* Choosing one asks no driver, and takes most of the time of a plan. */
    problem.strategy = "W4 S8 L32 V1 R2 C4";
    if (!use->ctx)
        st = prnn_context_create(&use->ctx, "cuda:1");
    if (st == PRNN_OK)
        st = prnn_cell_load_text(&use->cell, use->ctx, "gru.cell", small_gru, strlen(small_gru),
                                 NULL);
    if (st == PRNN_OK)
        st = prnn_memory_alloc(use->ctx, &use->memory, sizeof bytes);
    if (st == PRNN_OK)
        st = prnn_memory_upload(use->ctx, use->memory, bytes, sizeof bytes, NULL);
    if (st == PRNN_OK)
        st = prnn_memory_download(use->ctx, back, use->memory, sizeof back, NULL);
    if (st == PRNN_OK)
        ck_assert_mem_eq(bytes, back, sizeof back);
    if (st == PRNN_OK)
        st = prnn_plan_create(&use->plan, use->cell, &problem);
    if (st == PRNN_OK)
        st = small_solve(use->plan, use->cell, &digest[0]);
    if (st == PRNN_OK)
        st = small_steps(use->plan, use->cell, &digest[1]);
    if (st == PRNN_OK)
        st = small_scan(use->ctx, &digest[2]);
    if (st == PRNN_OK)
        st = prnn_stream_wait(use->ctx, NULL);
    use->digest = digest[0] + 3 * digest[1] + 7 * digest[2];
    return st;
}

/* All but the context. */
static void use_clear(struct use *use)
{
    prnn_memory_free(use->ctx, use->memory);
    prnn_plan_free(use->plan);
    prnn_cell_free(use->cell);
    use->memory = NULL;
    use->plan = NULL;
    use->cell = NULL;
}

static void use_end(struct use *use)
{
    use_clear(use);
    prnn_context_free(use->ctx);
    use->ctx = NULL;
}

static prnn_status status_of(int code)
{
    return code == 2 ? PRNN_E_NOMEM : code == 700 || code == 719 ? PRNN_E_STICKY : PRNN_E_BACKEND;
}

/* After a sticky error every call says so, without asking the driver again. */
static void lost_check(struct use *use)
{
    const prnn_problem problem = small_problem();
    void *memory = NULL;
    prnn_plan *plan = NULL;
    uint64_t digest;
    /* A call whose result is not looked at may have been the one: this one meets it. */
    (void)prnn_stream_wait(use->ctx, NULL);
    const int calls = fake->calls;
    const struct {
        const char *name;
        prnn_status status;
    } rows[] = {
        {"stream_wait", prnn_stream_wait(use->ctx, NULL)},
        {"memory_alloc", prnn_memory_alloc(use->ctx, &memory, 100)},
        {"plan_create", use->cell ? prnn_plan_create(&plan, use->cell, &problem) : PRNN_E_STICKY},
        {"solve", use->plan ? small_solve(use->plan, use->cell, &digest) : PRNN_E_STICKY},
        {"steps", use->plan ? small_steps(use->plan, use->cell, &digest) : PRNN_E_STICKY},
        {"scan", small_scan(use->ctx, &digest)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_msg(rows[i].status == PRNN_E_STICKY, "%s: %s, '%s'", rows[i].name,
                      prnn_status_name(rows[i].status), prnn_last_error());
    ck_assert_msg(strstr(prnn_last_error(), "is lost"), "'%s'", prnn_last_error());
    ck_assert_int_eq(fake->calls, calls);
    ck_assert_ptr_null(memory);
    ck_assert_ptr_null(plan);
    figures[LOST_CONTEXTS].reached++;
}

static void nothing_alive(const char *when, int n, int code)
{
    ck_assert_msg(
        fake->modules == 0 && fake->contexts == 0 && fake->depth == 0 && fake->allocations == 0 &&
            fake->misused == 0,
        "%s call %d gave %d: %d modules, %d contexts, depth %d, %d allocations, %d misused", when,
        n, code, fake->modules, fake->contexts, fake->depth, fake->allocations, fake->misused);
    ck_assert_int_eq(fake_nvrtc->programs, 0);
    ck_assert_int_eq(fake_nvrtc->misused, 0);
}

START_TEST(every_driver_call_may_fail)
{
    static const int codes[] = {1, 2, 100, 201, 209, 719, 700, 999};
    const int code = codes[_i];
    struct use use = {0};
    int n, unnoticed = 0;
    ck_assert_msg(use_run(&use) == PRNN_OK, "%s", prnn_last_error());
    const uint64_t expected = use.digest;
    use_end(&use);
    nothing_alive("before", 0, 0);
    for (n = 1; n < 1000; n++) {
        fake_device_reset();
        fake->fail_at = n;
        fake->fail_code = code;
        const prnn_status st = use_run(&use);
        const bool has_failed = fake->calls >= n;
        const bool is_lost = fake->lost != 0;
        if (!has_failed)
            break;
        figures[DRIVER_CALLS].goal++;
        if (st == PRNN_OK) {
            ck_assert_uint_eq(use.digest, expected);
            unnoticed++; /* a property that has a stand-in, the pop, a second try */
        } else {
            ck_assert_msg(st == status_of(code), "call %d (%s) gave %d: %s, '%s'", n, fake->last,
                          code, prnn_status_name(st), prnn_last_error());
            ck_assert_msg(strstr(prnn_last_error(), "cuda:1") ||
                              strstr(prnn_last_error(), "CUDA_ERROR"),
                          "call %d gave %d: '%s'", n, code, prnn_last_error());
        }
        fake->fail_at = 0;
        if (is_lost && use.ctx) {
            figures[LOST_CONTEXTS].goal++;
            lost_check(&use);
        } else if (!is_lost) {
            use_clear(&use);
            ck_assert_msg(use_run(&use) == PRNN_OK && use.digest == expected,
                          "after call %d gave %d: '%s'", n, code, prnn_last_error());
        }
        use_end(&use);
        /* A plan whose context cannot even be entered leaves its modules to the context. */
        if (strcmp(fake->failed, "cuCtxPushCurrent") == 0 && st == PRNN_OK)
            fake->modules = 0;
        /* A lost context takes what it had along; the driver releases it with the context. */
        if (is_lost) {
            ck_assert_int_eq(fake->contexts, 0);
            ck_assert_int_eq(fake->depth, 0);
            ck_assert_int_eq(fake->misused, 0);
            fake->modules = fake->allocations = 0;
        }
        nothing_alive("after", n, code);
        figures[DRIVER_CALLS].reached++;
    }
    ck_assert_msg(n > 80 && n < 1000, "%d calls", n);
    /* 8 attributes, name, memory and version of the device, which have stand-ins; registers and
     * local memory of five kernels, for the description; a pop for each of 13 entries; an unload
     * and its push; and four cached images that are made again when the driver refuses them. */
    ck_assert_msg(unnoticed <= 11 + 10 + 13 + 3 + 4, "%d of %d failures had no consequence",
                  unnoticed, n);
    use_end(&use);
}
END_TEST

START_TEST(a_driver_that_fails_from_some_call_on_ends_in_a_status)
{
    static const int codes[] = {2, 719, 999};
    const int code = codes[_i];
    struct use use = {0};
    int n;
    ck_assert_int_eq(use_run(&use), PRNN_OK);
    use_end(&use);
    for (n = 1; n < 1000; n++) {
        fake_device_reset();
        fake->fail_at = n;
        fake->fail_code = code;
        fake->fails_on = 1;
        const prnn_status st = use_run(&use);
        if (fake->calls < n)
            break;
        figures[DRIVER_CALLS].goal++;
        ck_assert_msg(st == status_of(code) || (st == PRNN_OK && fake->calls == n),
                      "from call %d on %d: %s, '%s'", n, code, prnn_status_name(st),
                      prnn_last_error());
        use_end(&use);
        /* What a driver that refuses everything still holds goes with the process. */
        ck_assert_int_eq(fake->contexts, 0);
        ck_assert_int_eq(fake->depth, 0);
        ck_assert_int_eq(fake->misused, 0);
        fake->modules = fake->allocations = 0;
        figures[DRIVER_CALLS].reached++;
    }
    ck_assert_msg(n > 80 && n < 1000, "%d calls", n);
    use_end(&use);
}
END_TEST

/* What is asked for a key of the cache: what is not told gives another key, which costs a
 * compilation at most. Before that it is asked which architectures there are: without an answer
 * there is no plan. */
static bool was_question(void)
{
    return !strcmp(fake_nvrtc->failed, "fake_version") ||
           !strcmp(fake_nvrtc->failed, "fake_arch_count") ||
           !strcmp(fake_nvrtc->failed, "fake_archs");
}

/* The log of a fine compilation, and its end. Which call has a number depends on the threads. */
static bool was_beside(void)
{
    return !strcmp(fake_nvrtc->failed, "fake_log_size") ||
           !strcmp(fake_nvrtc->failed, "fake_log") || !strcmp(fake_nvrtc->failed, "fake_destroy");
}

START_TEST(every_nvrtc_call_may_fail)
{
    static const struct {
        int code;
        prnn_status status;
    } rows[] = {
        {1, PRNN_E_NOMEM},       /* out of memory */
        {2, PRNN_E_BACKEND},     /* program creation */
        {4, PRNN_E_BACKEND},     /* invalid program */
        {5, PRNN_E_UNSUPPORTED}, /* invalid option: the architecture */
        {6, PRNN_E_INTERNAL},    /* our text is refused */
        {7, PRNN_E_BACKEND},     /* builtins */
        {11, PRNN_E_BACKEND},    /* internal error of NVRTC */
        {99, PRNN_E_BACKEND},
    };
    struct use use = {0};
    int n, unanswered = 0; /* questions that had a consequence */
    ck_assert_int_eq(setenv("PARARNNC_CACHE_DIR", "none", 1), 0);
    ck_assert_int_eq(use_run(&use), PRNN_OK);
    const uint64_t expected = use.digest;
    use_clear(&use);
    for (n = 1; n < 1000; n++) {
        fake_device_reset();
        fake_nvrtc->fail_at = n;
        fake_nvrtc->fail_code = rows[_i].code;
        const prnn_status st = use_run(&use);
        if (fake_nvrtc->calls < n)
            break;
        figures[NVRTC_CALLS].goal++;
        if (st == PRNN_OK) {
            ck_assert_uint_eq(use.digest, expected);
            ck_assert_msg(was_question() || was_beside(), "%s failed unnoticed",
                          fake_nvrtc->failed);
        } else {
            unanswered += was_question();
            /* A version or an architecture that is not told is no NVRTC, or none for the device. */
            ck_assert_msg(st == rows[_i].status || st == PRNN_E_BACKEND || st == PRNN_E_UNSUPPORTED,
                          "call %d gave %d: %s, '%s'", n, rows[_i].code, prnn_status_name(st),
                          prnn_last_error());
            ck_assert_msg(strstr(prnn_last_error(), "NVRTC"), "call %d: '%s'", n,
                          prnn_last_error());
        }
        use_clear(&use);
        ck_assert_msg(use_run(&use) == PRNN_OK && use.digest == expected, "after call %d: '%s'", n,
                      prnn_last_error());
        use_clear(&use);
        ck_assert_int_eq(fake_nvrtc->programs, 0);
        ck_assert_int_eq(fake_nvrtc->misused, 0);
        ck_assert_int_eq(fake->modules, 0);
        figures[NVRTC_CALLS].reached++;
    }
    ck_assert_msg(n > 20 && n < 1000, "%d calls", n);
    ck_assert_int_ge(unanswered, 3);
    use_end(&use);
    nothing_alive("after", n, rows[_i].code);
}
END_TEST

/* What NVRTC may say to a text, and what the user hears. */
START_TEST(refusals_of_nvrtc_have_the_promised_status)
{
    static const struct {
        int code;
        const char *log;
        prnn_status status;
        const char *words;
        bool keeps_files;
    } rows[] = {
        {6, "kernel.cu(7): error: planted", PRNN_E_INTERNAL, "please report it with the files in",
         true},
        {7, "nvrtc: error: failed to open libnvrtc-builtins.so.13.0.", PRNN_E_BACKEND,
         "failed to open libnvrtc-builtins.so.13.0", false},
        {5, "nvrtc: error: invalid value for --gpu-architecture (-arch)", PRNN_E_UNSUPPORTED,
         "invalid value for --gpu-architecture", false},
        {1, "", PRNN_E_NOMEM, "NVRTC for", false},
        {11, "internal", PRNN_E_BACKEND, "internal", false},
    };
    struct use use = {0};
    char path[600];
    ck_assert_int_eq(setenv("PARARNNC_CACHE_DIR", "none", 1), 0);
    fake_nvrtc->compile_code = rows[_i].code;
    fake_nvrtc->log = rows[_i].log;
    figures[SYMBOLS].goal++;
    const prnn_status st = use_run(&use);
    ck_assert_msg(st == rows[_i].status && strstr(prnn_last_error(), rows[_i].words), "%s, '%s'",
                  prnn_status_name(st), prnn_last_error());
    ck_assert_ptr_null(use.plan);
    if (rows[_i].keeps_files) {
        const char *begin = strstr(prnn_last_error(), folder);
        struct stat info;
        ck_assert_ptr_nonnull(begin);
        static const char *const names[] = {"kernel.cu", "kernel.log"};
        for (int i = 0; i < 2; i++) {
            snprintf(path, sizeof path, "%.*s/%s", (int)strcspn(begin, "'"), begin, names[i]);
            ck_assert_msg(stat(path, &info) == 0, "no '%s'", path);
            ck_assert_uint_eq(info.st_mode & 07777, 0600);
            ck_assert_int_gt(info.st_size, 0);
        }
    }
    fake_nvrtc->compile_code = 0;
    use_clear(&use);
    ck_assert_int_eq(use_run(&use), PRNN_OK);
    use_end(&use);
    nothing_alive("after", 0, rows[_i].code);
    figures[SYMBOLS].reached++;
}
END_TEST

/* A copy of a fake library in which one exported name is another. False: it has no such name. */
static bool library_without(char path[160], const char *library, const char *symbol)
{
    static char bytes[1 << 20];
    const size_t length = strlen(symbol);
    size_t hits = 0;
    snprintf(path, 160, "%s/%s", PRNN_FAKE_FOLDER, library);
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t i = 1; i + length < size; i++)
        if (!bytes[i - 1] && !memcmp(bytes + i, symbol, length + 1)) {
            bytes[i] = 'x'; /* its hash in the table is still the old name's, and finds nothing */
            hits++;
        }
    if (hits == 0)
        return false;
    snprintf(path, 160, "%s/%s", folder, library);
    file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    fclose(file);
    return true;
}

static void missing_check(const char *symbol, prnn_status found, bool is_needed)
{
    figures[SYMBOLS].goal++;
    ck_assert_msg(found == (is_needed ? PRNN_E_BACKEND : PRNN_OK), "without %s: %s, '%s'", symbol,
                  prnn_status_name(found), prnn_last_error());
    if (is_needed)
        ck_assert_msg(strstr(prnn_last_error(), symbol), "without %s: '%s'", symbol,
                      prnn_last_error());
    figures[SYMBOLS].reached++;
}

struct symbol {
    const char *name;
    bool is_needed;
};

#define NEEDED true
#define OPTIONAL false
#define CUDA_API(field, symbol, need, arguments) {symbol, need},
static const struct symbol cuda_symbols[] = {
#include "cuda_api.def"
};
#undef CUDA_API
#define NVRTC_API(field, symbol, result, arguments) {symbol, true},
static const struct symbol nvrtc_symbols[] = {
#include "nvrtc_api.def"
};
#undef NVRTC_API
enum {
    CUDA_SYMBOLS = sizeof cuda_symbols / sizeof *cuda_symbols,
    NVRTC_SYMBOLS = sizeof nvrtc_symbols / sizeof *nvrtc_symbols
};

START_TEST(a_driver_without_a_function_is_refused_by_its_name_or_done_without_it)
{
    struct use use = {0};
    char path[160];
    const struct symbol *symbol = &cuda_symbols[_i];
    if (!library_without(path, "libcuda.so.1", symbol->name)) {
        ck_assert_msg(!symbol->is_needed, "the fake has no '%s'", symbol->name);
        return; /* and all else passes without it */
    }
    fake_device_load_driver(path);
    missing_check(symbol->name, use_run(&use), symbol->is_needed);
    use_end(&use);
    prnn_context *ctx;
    /* The CPU works all the same. */
    ck_assert_int_eq(prnn_context_create(&ctx, "auto"),
                     symbol->is_needed ? PRNN_FALLBACK : PRNN_OK);
    prnn_context_free(ctx);
}
END_TEST

START_TEST(an_nvrtc_without_a_function_is_refused_by_its_name)
{
    struct use use = {0};
    char path[160];
    ck_assert(library_without(path, "libnvrtc.so.13", nvrtc_symbols[_i].name));
    fake_device_load();
    ck_assert_int_eq(setenv("PARARNNC_NVRTC", path, 1), 0);
    missing_check(nvrtc_symbols[_i].name, use_run(&use), true);
    use_end(&use);
    nothing_alive("after", 0, 0);
}
END_TEST

START_TEST(a_library_that_is_not_there_is_named_with_where_it_was_looked_for)
{
    static const char *const places[] = {"none", "/nowhere/libnvrtc.so.13", "/etc/passwd"};
    struct use use = {0};
    fake_device_load();
    figures[SYMBOLS].goal++;
    ck_assert_int_eq(setenv("PARARNNC_NVRTC", places[_i], 1), 0);
    ck_assert_int_eq(use_run(&use), PRNN_E_BACKEND);
    ck_assert_msg(strstr(prnn_last_error(), "NVRTC") && strstr(prnn_last_error(), places[_i]),
                  "'%s'", prnn_last_error());
    use_end(&use);
    nothing_alive("after", 0, 0);
    figures[SYMBOLS].reached++;
}
END_TEST

int main(int argc, char **argv)
{
    static const char *const names[] = {"driver calls failed (8 codes alone, 3 from then on)",
                                        "NVRTC calls failed (8 codes)",
                                        "lost contexts that every later call reports",
                                        "symbols and libraries missing, refusals of NVRTC", NULL};
    if (argc < 2)
        return 1;
    figures = figures_begin(argv[1], names);
    TCase *cases = tcase_create("driver_faults"), *loading = tcase_create("loading");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 100);
    tcase_add_checked_fixture(loading, setup_folder, teardown);
    tcase_set_timeout(loading, 100);
    tcase_add_loop_test(cases, every_driver_call_may_fail, 0, 8);
    tcase_add_loop_test(cases, a_driver_that_fails_from_some_call_on_ends_in_a_status, 0, 3);
    tcase_add_loop_test(cases, every_nvrtc_call_may_fail, 0, 8);
    tcase_add_loop_test(cases, refusals_of_nvrtc_have_the_promised_status, 0, 5);
    tcase_add_loop_test(loading,
                        a_driver_without_a_function_is_refused_by_its_name_or_done_without_it, 0,
                        CUDA_SYMBOLS);
    tcase_add_loop_test(loading, an_nvrtc_without_a_function_is_refused_by_its_name, 0,
                        NVRTC_SYMBOLS);
    tcase_add_loop_test(loading, a_library_that_is_not_there_is_named_with_where_it_was_looked_for,
                        0, 3);
    Suite *suite = suite_create("driver_faults");
    suite_add_tcase(suite, cases);
    suite_add_tcase(suite, loading);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    figures_write();
    return failed != 0;
}
