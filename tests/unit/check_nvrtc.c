#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dynload.h"
#include "nvrtc.h"

static char folder[64];

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/check-nvrtc-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "/bin/rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static struct cache *opened(void)
{
    char path[96];
    snprintf(path, sizeof path, "%s/cache", folder);
    struct cache *cache = cache_open(&(struct cache_options){.path = path});
    ck_assert_ptr_null(cache_reason(cache));
    return cache;
}

static const char text[] =
    "extern \"C\" __global__ void first(float *p, const float *x, int n)\n"
    "{\n"
    "    __shared__ float s[100];\n"
    "    float v[40];\n"
    "    for (int i = 0; i < 40; i++)\n"
    "        v[i] = x[i * n];\n"
    "    s[threadIdx.x % 100] = v[3];\n"
    "    __syncthreads();\n"
    "    for (int i = 0; i < 40; i++)\n"
    "        p[i] = v[(i * n) % 40] * s[5];\n"
    "}\n"
    "extern \"C\" __global__ void second(float *p) { p[threadIdx.x] = p[0] * p[1] + p[2]; }\n";

static struct nvrtc_request request_of(const char *source, const char *arch)
{
    return (struct nvrtc_request){
        .text = source, .length = strlen(source), .arch = arch, .label = "test"};
}

static const struct nvrtc_usage *usage_of(const struct nvrtc_result *result, const char *kernel)
{
    for (uint32_t i = 0; i < result->usage_count; i++)
        if (strcmp(result->usage[i].kernel, kernel) == 0)
            return &result->usage[i];
    return NULL;
}

START_TEST(a_text_becomes_a_cubin_with_its_registers_and_then_comes_from_the_cache)
{
    struct cache *cache = opened();
    const struct nvrtc_request request = request_of(text, "sm_90");
    struct nvrtc_result first, second;
    ck_assert_msg(nvrtc_compile(&first, &request, 1, cache) == NVRTC_OK, "%s", first.log);
    ck_assert(!first.from_cache);
    ck_assert_uint_gt(first.size, 64);
    ck_assert_mem_eq(first.image, "\177ELF", 4);
    ck_assert_uint_eq(first.usage_count, 2);
    const struct nvrtc_usage *usage = usage_of(&first, "first");
    ck_assert_ptr_nonnull(usage);
    ck_assert_uint_ge(usage->registers, 8);
    ck_assert_uint_le(usage->registers, 255);
    ck_assert_uint_eq(usage->shared_bytes, 400);
    ck_assert_uint_eq(usage->stack_bytes, 160); /* v is indexed at run time */
    ck_assert_uint_eq(usage->spill_store_bytes, 0);
    ck_assert_uint_eq(usage->barriers, 1);
    ck_assert_uint_eq(usage_of(&first, "second")->shared_bytes, 0);

    ck_assert_int_eq(nvrtc_compile(&second, &request, 1, cache), NVRTC_OK);
    ck_assert(second.from_cache);
    ck_assert_uint_eq(second.size, first.size);
    ck_assert_mem_eq(second.image, first.image, first.size);
    ck_assert_mem_eq(second.usage, first.usage, sizeof first.usage);
    nvrtc_result_free(&second);

    /* Compiled again: the same bytes, which is what keys by text rest on. */
    ck_assert_int_eq(nvrtc_compile_again(&second, &request, cache), NVRTC_OK);
    ck_assert(!second.from_cache);
    ck_assert_uint_eq(second.size, first.size);
    ck_assert_mem_eq(second.image, first.image, first.size);
    nvrtc_result_free(&first);
    nvrtc_result_free(&second);
    cache_close(cache);
}
END_TEST

START_TEST(one_failing_text_of_several_leaves_the_others_whole)
{
    const struct nvrtc_request requests[] = {
        request_of(text, "sm_90"), request_of("int x = ;", "sm_90"), request_of(text, "compute_90"),
        request_of(text, "sm_1")};
    static const enum nvrtc_status expected[] = {NVRTC_OK, NVRTC_REJECTED, NVRTC_OK,
                                                 NVRTC_UNSUPPORTED};
    struct nvrtc_result results[4];
    struct cache *cache = opened();
    ck_assert_int_eq(nvrtc_compile(results, requests, 4, cache), NVRTC_REJECTED);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_msg(results[i].status == expected[i], "%zu: %d, %s", i, (int)results[i].status,
                      results[i].log ? results[i].log : "");
        ck_assert((results[i].image != NULL) == (expected[i] == NVRTC_OK));
        ck_assert((results[i].log != NULL) == (expected[i] != NVRTC_OK));
    }
    ck_assert_ptr_nonnull(strstr(results[1].log, "kernel.cu(1): error"));
    ck_assert_ptr_nonnull(strstr(results[2].image, ".target sm_90"));
    ck_assert_uint_eq(cache_stats(cache).entries, 2);
    for (size_t i = 0; i < 4; i++)
        nvrtc_result_free(&results[i]);
    cache_close(cache);
}
END_TEST

START_TEST(a_multiply_and_an_add_are_not_fused)
{
    const struct nvrtc_request request = request_of(text, "compute_90");
    struct nvrtc_result result;
    ck_assert_int_eq(nvrtc_compile(&result, &request, 1, NULL), NVRTC_OK);
    ck_assert_ptr_nonnull(strstr(result.image, "mul"));
    ck_assert_ptr_null(strstr(result.image, "fma"));
    nvrtc_result_free(&result);
}
END_TEST

START_TEST(every_architecture_has_an_entry_of_its_own)
{
    struct cache *cache = opened();
    struct nvrtc_request requests[] = {request_of(text, "sm_80"), request_of(text, "sm_90"),
                                       request_of(text, "sm_90a")};
    struct nvrtc_result results[3];
    ck_assert_int_eq(nvrtc_compile(results, requests, 3, cache), NVRTC_OK);
    ck_assert_uint_eq(cache_stats(cache).entries, 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert(!results[i].from_cache);
        nvrtc_result_free(&results[i]);
    }
    cache_close(cache);
}
END_TEST

START_TEST(the_target_is_the_devices_own_or_the_highest_ptx_below_it)
{
    struct nvrtc_info info;
    char arch[24], expected[24], *log = NULL;
    int lowest = 1000, highest = 0;
    ck_assert(nvrtc_info_get(&info));
    ck_assert_uint_gt(info.arch_count, 0);
    for (size_t i = 0; i < info.arch_count; i++) {
        const int number = info.archs[i];
        lowest = number < lowest ? number : lowest;
        highest = number > highest ? number : highest;
        ck_assert_int_eq(nvrtc_arch(arch, number / 10, number % 10, &log), NVRTC_OK);
        snprintf(expected, sizeof expected, "sm_%d", number);
        ck_assert_str_eq(arch, expected);
    }
    ck_assert_int_eq(nvrtc_arch(arch, highest / 10 + 1, 7, &log), NVRTC_OK);
    snprintf(expected, sizeof expected, "compute_%d", highest);
    ck_assert_str_eq(arch, expected);
    ck_assert_int_eq(nvrtc_arch(arch, lowest / 10 - 1, 0, &log), NVRTC_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(log, "makes nothing for compute capability"));
    free(log);
}
END_TEST

START_TEST(a_planted_entry_of_another_shape_is_compiled_again)
{
    struct cache *cache = opened();
    const struct nvrtc_request request = request_of(text, "sm_90");
    struct nvrtc_result result;
    ck_assert_int_eq(nvrtc_compile(&result, &request, 1, cache), NVRTC_OK);
    nvrtc_result_free(&result);
    size_t count;
    struct cache_entry *list = cache_list(cache, &count);
    struct cache_key key;
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(list[0].label, "sm_90 test");
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        char pair[3] = {list[0].name[2 * i], list[0].name[2 * i + 1], 0};
        key.digest[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    free(list);
    static const unsigned char planted[1000] = {0xff, 0xff, 0xff, 0xff};
    for (size_t size = 0; size <= sizeof planted; size += 500) {
        ck_assert(cache_put(cache, &key, "planted", planted, size));
        ck_assert_int_eq(nvrtc_compile(&result, &request, 1, cache), NVRTC_OK);
        ck_assert(!result.from_cache);
        nvrtc_result_free(&result);
    }
    cache_close(cache);
}
END_TEST

START_TEST(without_the_library_the_words_say_where_it_was_looked_for)
{
    const struct nvrtc_request request = request_of(text, "sm_90");
    struct nvrtc_result result;
    struct nvrtc_info info;
    char arch[24], *log = NULL;
    /* Each test is a process of its own, so nothing is loaded yet. */
    ck_assert_int_eq(setenv("PARARNNC_NVRTC", "/nowhere/libnvrtc.so", 1), 0);
    ck_assert_int_eq(nvrtc_compile(&result, &request, 1, NULL), NVRTC_MISSING);
    ck_assert_msg(strstr(result.log, "/nowhere/libnvrtc.so"), "%s", result.log);
    ck_assert_int_eq(nvrtc_arch(arch, 9, 0, &log), NVRTC_MISSING);
    ck_assert_ptr_nonnull(log);
    ck_assert(!nvrtc_info_get(&info));
    free(log);
    nvrtc_result_free(&result);
}
END_TEST

START_TEST(a_library_of_another_kind_is_refused_by_name)
{
    ck_assert_int_eq(setenv("PARARNNC_NVRTC", "libm.so.6", 1), 0);
    ck_assert_ptr_null(dynload_nvrtc());
    ck_assert_msg(strstr(dynload_nvrtc_found()->missing, "has no 'nvrtc"), "%s",
                  dynload_nvrtc_found()->missing);
}
END_TEST

static TCase *compiling_make(void)
{
    TCase *cases = tcase_create("nvrtc");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 100);
    tcase_add_test(cases, a_text_becomes_a_cubin_with_its_registers_and_then_comes_from_the_cache);
    tcase_add_test(cases, one_failing_text_of_several_leaves_the_others_whole);
    tcase_add_test(cases, a_multiply_and_an_add_are_not_fused);
    tcase_add_test(cases, every_architecture_has_an_entry_of_its_own);
    tcase_add_test(cases, the_target_is_the_devices_own_or_the_highest_ptx_below_it);
    tcase_add_test(cases, a_planted_entry_of_another_shape_is_compiled_again);
    return cases;
}

int main(void)
{
    TCase *missing = tcase_create("missing");
    Suite *suite = suite_create("nvrtc");
    tcase_add_test(missing, without_the_library_the_words_say_where_it_was_looked_for);
    tcase_add_test(missing, a_library_of_another_kind_is_refused_by_name);
    suite_add_tcase(suite, missing);
    SRunner *runner = srunner_create(suite);
    /* Asked in another process: this one must stay without the library, for the tests above. */
    const char *const places[] = {"/usr/local/cuda/lib64/libnvrtc.so.13",
                                  "/usr/local/cuda/lib64/libnvrtc.so.12", getenv("PARARNNC_NVRTC")};
    bool is_here = false;
    for (size_t i = 0; i < 3; i++)
        is_here = is_here || (places[i] && access(places[i], R_OK) == 0);
    if (is_here)
        suite_add_tcase(suite, compiling_make());
    else
        printf("skipped: 6 tests, NVRTC is not installed\n");
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
