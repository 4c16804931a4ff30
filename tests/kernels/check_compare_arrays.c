/* The kernel that holds one array against another, on values whose sums are exact. */
#include "assemble.h"
#include "backend.h"
#include "element.h"

#include "pipeline.h"
#include "shim.h"
#include "text_library.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

enum { BLOCKS = 3, THREADS = 64, FIELDS = 6 };

static const struct {
    prnn_storage storage;
    enum assemble_storage text;
} types[] = {{PRNN_F32, ASSEMBLE_F32},
             {PRNN_F64, ASSEMBLE_F64},
             {PRNN_BF16, ASSEMBLE_BF16},
             {PRNN_F16, ASSEMBLE_F16}};
enum { TYPES = sizeof types / sizeof *types };

struct kernel {
    struct pipeline_text text;
    struct text_library *library;
    shim_kernel *entry;
};

static void kernel_make(struct kernel *kernel, enum assemble_storage storage)
{
    const struct assemble_options options = {
        .kernel = ASSEMBLE_COMPARE,
        .target = ASSEMBLE_SHIM,
        .storage = storage,
        .strategy = {
            .lanes = THREADS, .vc = 1, .tile_chunks = 1, .chunk = 1, .stages = 2, .cluster = 1}};
    ck_assert_int_eq(pipeline_assemble(&kernel->text, NULL, &options), PIPELINE_OK);
    ck_assert_msg(!kernel->text.refusal, "%s", kernel->text.refusal);
    const struct assembled *made = &kernel->text.assembled;
    kernel->library = text_library_load(made->text, made->length, "compare", NULL);
    ck_assert_ptr_nonnull(kernel->library);
    kernel->entry = text_library_kernel(kernel->library, made->entry);
    ck_assert(kernel->entry != NULL);
}

static void kernel_free(struct kernel *kernel)
{
    text_library_free(kernel->library);
    pipeline_text_free(&kernel->text);
}

/* Sums over the rows of all blocks; the largest of the largest. */
static void run(const struct kernel *kernel, prnn_storage storage, const void *found,
                const void *wanted, int64_t length, double sum[FIELDS])
{
    const size_t bytes = storage_bytes(storage), real = real_bytes(storage);
    double rows[BLOCKS * FIELDS];
    struct {
        struct prnn_launch_head head;
        struct prnn_arg args[5];
    } launch = {.head = {.batch = 1, .seq_len = length, .channels = BLOCKS}};
    const struct shim_config config = {.grid = BLOCKS,
                                       .threads = THREADS,
                                       .shared_bytes = kernel->text.assembled.shared_bytes,
                                       .order = SHIM_RANDOM,
                                       .seed = (uint64_t)length,
                                       .check = true};
    struct shim_report report;
    launch.args[0].base = (void *)(uintptr_t)found;
    launch.args[1].base = (void *)(uintptr_t)wanted;
    launch.args[2].base = rows;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        rows[i] = (double)NAN;
    shim_clear_globals();
    shim_add_global(&launch, sizeof launch, false, "launch");
    shim_add_global(rows, BLOCKS * FIELDS * real, true, "rows");
    if (length) {
        shim_add_global(found, (size_t)length * bytes, false, "found");
        shim_add_global(wanted, (size_t)length * bytes, false, "wanted");
    }
    if (shim_launch(kernel->entry, &launch, &config, &report))
        ck_abort_msg("%lld faults, first: %s", (long long)report.faults, report.fault[0].text);
    for (int f = 0; f < FIELDS; f++)
        sum[f] = 0;
    for (int i = 0; i < BLOCKS; i++)
        for (int f = 0; f < FIELDS; f++) {
            const double v =
                real == 8 ? rows[i * FIELDS + f] : (double)((float *)rows)[i * FIELDS + f];
            sum[f] = f == 2 ? fmax(sum[f], v) : sum[f] + v;
        }
}

START_TEST(every_element_counts_once)
{
    static const int64_t lengths[] = {0, 1, 63, 64, 65, 191, 192, 193, 1000};
    const prnn_storage storage = types[_i].storage;
    struct kernel kernel;
    kernel_make(&kernel, types[_i].text);
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        const int64_t length = lengths[k];
        void *found = calloc((size_t)length + 1, 8), *wanted = calloc((size_t)length + 1, 8);
        double want[FIELDS] = {0}, got[FIELDS];
        for (int64_t i = 0; i < length; i++) {
            /* Small integers: exact in every type, as are their squares and sums. */
            const double b = (double)(i % 5 - 2), a = i % 7 == 3 ? b + (double)(i % 3 + 1) : b;
            element_store(storage, wanted, i, b);
            element_store(storage, found, i, a);
            want[0] += (a - b) * (a - b);
            want[1] += b * b;
            want[2] = fmax(want[2], fabs(a - b));
            want[3] += a != b;
            want[5]++;
        }
        run(&kernel, storage, found, wanted, length, got);
        for (int f = 0; f < FIELDS; f++)
            ck_assert_msg(got[f] == want[f], "length %lld, field %d: %g, wanted %g",
                          (long long)length, f, got[f], want[f]);
        free(found);
        free(wanted);
    }
    kernel_free(&kernel);
}
END_TEST

START_TEST(infinities_and_nan_are_told_apart_from_numbers)
{
    static const struct {
        double found, wanted;
        double unequal, strange, size;
    } cases[] = {
        {1, 1, 0, 0, 1},
        {(double)NAN, (double)NAN, 0, 0, 0},
        {(double)INFINITY, (double)INFINITY, 0, 0, 0},
        {(double)NAN, 2, 1, 1, 4},
        {2, (double)NAN, 1, 1, 0},
        {(double)INFINITY, 3, 1, 1, 9},
        {-(double)INFINITY, (double)INFINITY, 1, 1, 0},
        {-0.0, 0.0, 1, 0, 0},
    };
    const prnn_storage storage = types[_i].storage;
    struct kernel kernel;
    kernel_make(&kernel, types[_i].text);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        double found[1] = {0}, wanted[1] = {0}, got[FIELDS];
        element_store(storage, found, 0, cases[k].found);
        element_store(storage, wanted, 0, cases[k].wanted);
        run(&kernel, storage, found, wanted, 1, got);
        ck_assert_msg(got[0] == 0 && got[1] == cases[k].size && got[3] == cases[k].unequal &&
                          got[4] == cases[k].strange && got[5] == 1,
                      "%g and %g: %g %g %g %g %g", cases[k].found, cases[k].wanted, got[0], got[1],
                      got[3], got[4], got[5]);
    }
    kernel_free(&kernel);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("compare_arrays");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, every_element_counts_once, 0, TYPES);
    tcase_add_loop_test(tcase, infinities_and_nan_are_told_apart_from_numbers, 0, TYPES);
    Suite *suite = suite_create("compare_arrays");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
