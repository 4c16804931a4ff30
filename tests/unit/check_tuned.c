#include "tuned.h"

#include "cuda_device.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[96];
static struct cache *cache;

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/check-tuned-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/tuned", folder);
    cache = cache_open(&(struct cache_options){.path = folder});
    ck_assert_ptr_null(cache_reason(cache));
}

static void teardown(void)
{
    cache_close(cache);
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

static const struct cuda_properties device = {
    .name = "Some GPU", .major = 9, .minor = 0, .multiprocessors = 132};
static const struct assemble_options forward = {.kernel = ASSEMBLE_FORWARD,
                                                .storage = ASSEMBLE_F32};

static struct tuned_entry entry_make(uint64_t cell, int32_t width, int32_t length,
                                     const char *strategy)
{
    struct tuned_entry entry = {.key = tuned_key(&device, &forward, cell),
                                .width_class = width,
                                .length_class = length,
                                .nanoseconds = 1234,
                                .sequential = 5678,
                                .words = "Some GPU, a cell"};
    snprintf(entry.strategy, sizeof entry.strategy, "%s", strategy);
    return entry;
}

static const char *strategy_for(uint64_t cell, int32_t width, int32_t length)
{
    static char text[TUNED_STRATEGY_MAX + 1];
    struct tuned tuned = tuned_load(cache);
    const struct cache_key key = tuned_key(&device, &forward, cell);
    const struct tuned_entry *found = tuned_find(&tuned, &key, width, length);
    snprintf(text, sizeof text, "%s", found ? found->strategy : "none");
    tuned_free(&tuned);
    return text;
}

START_TEST(what_is_stored_is_found_by_cell_and_class)
{
    ck_assert_str_eq(strategy_for(7, 13, 11), "none");
    const struct tuned_entry a = entry_make(7, 13, 11, "W8 S16 L32 V1 R2 C1"),
                             b = entry_make(7, 13, 14, "W1 S8 L32 V1 R4 C1"),
                             c = entry_make(8, 13, 11, "W4 S8 L16 V2 R3 C2");
    ck_assert(tuned_store(cache, &a) && tuned_store(cache, &b) && tuned_store(cache, &c));
    ck_assert_str_eq(strategy_for(7, 13, 11), a.strategy);
    ck_assert_str_eq(strategy_for(7, 13, 14), b.strategy);
    ck_assert_str_eq(strategy_for(8, 13, 11), c.strategy);
    ck_assert_str_eq(strategy_for(8, 13, 14), "none");

    struct tuned tuned = tuned_load(cache);
    ck_assert_uint_eq(tuned.count, 3);
    ck_assert_int_eq(tuned.entries[0].nanoseconds, 1234);
    ck_assert_int_eq(tuned.entries[0].sequential, 5678);
    ck_assert_str_eq(tuned.entries[0].words, "Some GPU, a cell");
    tuned_free(&tuned);
}
END_TEST

START_TEST(a_later_result_replaces_the_earlier_one)
{
    const struct tuned_entry a = entry_make(7, 13, 11, "W8 S16 L32 V1 R2 C1"),
                             b = entry_make(7, 13, 11, "W2 S16 L32 V1 R2 C1");
    ck_assert(tuned_store(cache, &a) && tuned_store(cache, &b));
    ck_assert_str_eq(strategy_for(7, 13, 11), b.strategy);
    struct tuned tuned = tuned_load(cache);
    ck_assert_uint_eq(tuned.count, 1);
    tuned_free(&tuned);
    ck_assert(tuned_forget(cache));
    ck_assert_str_eq(strategy_for(7, 13, 11), "none");
}
END_TEST

START_TEST(keys_tell_device_types_mode_and_direction_apart)
{
    const struct cache_key key = tuned_key(&device, &forward, 7);
    for (int i = 0; i < 6; i++) {
        struct cuda_properties other = device;
        struct assemble_options options = forward;
        if (i == 0)
            strcpy(other.name, "Other GPU");
        if (i == 1)
            other.multiprocessors = 78;
        if (i == 2)
            options.kernel = ASSEMBLE_BACKWARD;
        if (i == 3)
            options.storage = ASSEMBLE_BF16;
        if (i == 4)
            options.mode = ASSEMBLE_FAST;
        if (i == 5)
            other.minor = 3;
        const struct cache_key changed = tuned_key(&other, &options, 7);
        ck_assert_msg(memcmp(&key, &changed, sizeof key) != 0, "change %d", i);
    }
}
END_TEST

START_TEST(classes_round_to_powers_of_two)
{
    static const struct {
        int64_t batch, channels, seq_len;
        int32_t width, length;
    } cases[] = {{8, 1024, 2048, 13, 11},  {8, 1023, 2049, 13, 11}, {1, 1, 1, 0, 0},
                 {3, 1, 5, 2, 2},          {1, 11, 6, 3, 3},        {0, 5, 0, -1, -1},
                 {11, 1024, 3000, 13, 12}, {12, 1024, 2800, 14, 11}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct backend_shape shape = {
            .batch = cases[i].batch, .channels = cases[i].channels, .seq_len = cases[i].seq_len};
        int32_t width, length;
        tuned_class(&shape, &width, &length);
        ck_assert_msg(width == cases[i].width && length == cases[i].length, "case %zu: %d %d", i,
                      width, length);
    }
}
END_TEST

static void write_file(const char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path, 0600), 0);
}

START_TEST(a_damaged_file_counts_as_empty)
{
    static char whole[4096], bytes[4096];
    const struct tuned_entry a = entry_make(7, 13, 11, "W8 S16 L32 V1 R2 C1"),
                             b = entry_make(8, 13, 11, "W1 S8 L32 V1 R4 C1");
    ck_assert(tuned_store(cache, &a) && tuned_store(cache, &b));
    FILE *file = fopen(path, "rb");
    const size_t size = fread(whole, 1, sizeof whole, file);
    fclose(file);
    ck_assert(size > 200 && size < sizeof whole);
    for (size_t cut = 1; cut < size; cut++) {
        write_file(whole, cut);
        ck_assert_msg(!strcmp(strategy_for(7, 13, 11), "none"), "cut to %zu bytes", cut);
    }
    for (size_t i = 0; i < size; i++) {
        memcpy(bytes, whole, size);
        bytes[i] ^= 1;
        write_file(bytes, size);
        ck_assert_msg(!strcmp(strategy_for(7, 13, 11), "none"), "byte %zu changed", i);
    }
    write_file(whole, size);
    ck_assert_str_eq(strategy_for(7, 13, 11), a.strategy);
    /* A new result makes a whole file again of a damaged one. */
    write_file(whole, size - 1);
    ck_assert(tuned_store(cache, &b));
    ck_assert_str_eq(strategy_for(8, 13, 11), b.strategy);
    ck_assert_str_eq(strategy_for(7, 13, 11), "none");
}
END_TEST

START_TEST(a_file_that_others_can_write_is_not_read)
{
    const struct tuned_entry a = entry_make(7, 13, 11, "W8 S16 L32 V1 R2 C1");
    ck_assert(tuned_store(cache, &a));
    ck_assert_int_eq(chmod(path, 0622), 0);
    ck_assert_str_eq(strategy_for(7, 13, 11), "none");
    ck_assert_int_eq(chmod(path, 0600), 0);
    ck_assert_str_eq(strategy_for(7, 13, 11), a.strategy);
}
END_TEST

START_TEST(nothing_is_stored_where_the_cache_is_off)
{
    const struct tuned_entry a = entry_make(7, 13, 11, "W8 S16 L32 V1 R2 C1");
    struct cache *off = cache_open(&(struct cache_options){.path = "none"});
    ck_assert(!tuned_store(off, &a));
    ck_assert(!tuned_store(NULL, &a));
    struct tuned tuned = tuned_load(NULL);
    ck_assert_uint_eq(tuned.count, 0);
    cache_close(off);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("tuned");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, what_is_stored_is_found_by_cell_and_class);
    tcase_add_test(tcase, a_later_result_replaces_the_earlier_one);
    tcase_add_test(tcase, keys_tell_device_types_mode_and_direction_apart);
    tcase_add_test(tcase, classes_round_to_powers_of_two);
    tcase_add_test(tcase, a_damaged_file_counts_as_empty);
    tcase_add_test(tcase, a_file_that_others_can_write_is_not_read);
    tcase_add_test(tcase, nothing_is_stored_where_the_cache_is_off);
    Suite *suite = suite_create("tuned");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
