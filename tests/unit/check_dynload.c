#include <check.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "dynload.h"

/* The headers of a toolkit, where there is one: our own declarations must say the same. */
#if defined(__has_include)
#if __has_include("/usr/local/cuda/include/cuda.h")
#include "/usr/local/cuda/include/cuda.h"
#define HAS_TOOLKIT 1
#endif
#endif

START_TEST(our_declarations_are_those_of_the_toolkit)
{
#ifdef HAS_TOOLKIT
#define SAME(ours, theirs)                                                                         \
    ck_assert_msg((long)(ours) == (long)(theirs), "%s is %ld, the header says %ld", #ours,         \
                  (long)(ours), (long)(theirs))
#define SAME_FIELD(ours, theirs)                                                                   \
    SAME(offsetof(struct cuda_launch_config, ours), offsetof(CUlaunchConfig, theirs))
    SAME(CUDA_LAUNCH_CLUSTER_DIMENSION, CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION);
    SAME(CUDA_FUNC_SHARED_STATIC, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES);
    SAME(CUDA_FUNC_LOCAL_BYTES, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES);
    SAME(CUDA_FUNC_REGISTERS, CU_FUNC_ATTRIBUTE_NUM_REGS);
    SAME(CUDA_FUNC_MAX_DYNAMIC_SHARED, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
    SAME(CUDA_FUNC_CLUSTER_NON_PORTABLE, CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED);
    SAME(CUDA_DEVICE_CLOCK_KHZ, CU_DEVICE_ATTRIBUTE_CLOCK_RATE);
    SAME(CUDA_DEVICE_MULTIPROCESSORS, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
    SAME(CUDA_DEVICE_MAX_GRID_X, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X);
    SAME(CUDA_DEVICE_MEMORY_CLOCK_KHZ, CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE);
    SAME(CUDA_DEVICE_MEMORY_BUS_BITS, CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH);
    SAME(CUDA_DEVICE_L2_BYTES, CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
    SAME(CUDA_DEVICE_MAX_THREADS_SM, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR);
    SAME(CUDA_DEVICE_MAJOR, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
    SAME(CUDA_DEVICE_MINOR, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
    SAME(CUDA_DEVICE_SHARED_SM, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR);
    SAME(CUDA_DEVICE_REGISTERS_SM, CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR);
    SAME(CUDA_DEVICE_SHARED_OPTIN, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
    SAME(CUDA_DEVICE_CLUSTER_LAUNCH, CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH);
    SAME(CUDA_OUT_OF_MEMORY, CUDA_ERROR_OUT_OF_MEMORY);
    SAME(CUDA_NO_DEVICE, CUDA_ERROR_NO_DEVICE);
    SAME(CUDA_INVALID_IMAGE, CUDA_ERROR_INVALID_IMAGE);
    SAME(CUDA_NO_BINARY_FOR_GPU, CUDA_ERROR_NO_BINARY_FOR_GPU);
    SAME(CUDA_INVALID_PTX, CUDA_ERROR_INVALID_PTX);
    SAME(sizeof(struct cuda_launch_config), sizeof(CUlaunchConfig));
    SAME_FIELD(grid_x, gridDimX);
    SAME_FIELD(block_x, blockDimX);
    SAME_FIELD(shared_bytes, sharedMemBytes);
    SAME_FIELD(stream, hStream);
    SAME_FIELD(attributes, attrs);
    SAME_FIELD(attribute_count, numAttrs);
    SAME(sizeof(struct cuda_launch_attribute), sizeof(CUlaunchAttribute));
    SAME(offsetof(struct cuda_launch_attribute, value.cluster.y),
         offsetof(CUlaunchAttribute, value.clusterDim.y));
    SAME(sizeof(cuda_pointer), sizeof(CUdeviceptr));
    SAME(sizeof(cuda_device_id), sizeof(CUdevice));
#else
    printf("skipped: no CUDA headers to compare with\n");
#endif
}
END_TEST

START_TEST(a_missing_driver_is_told_by_name_and_remembered)
{
    const struct cuda_api *api = dynload_cuda();
    const struct dynload_found *found = dynload_cuda_found();
    if (api) { /* a machine with a driver */
        ck_assert(found->is_there);
        ck_assert_ptr_nonnull(strstr(found->path, "libcuda.so"));
        ck_assert_ptr_nonnull(api->init);
        ck_assert_str_eq(found->missing, "");
    } else {
        ck_assert(!found->is_there);
        ck_assert_msg(strstr(found->missing, "libcuda.so.1"), "%s", found->missing);
    }
    ck_assert_ptr_eq(dynload_cuda(), api);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("dynload");
    tcase_add_test(cases, our_declarations_are_those_of_the_toolkit);
    tcase_add_test(cases, a_missing_driver_is_told_by_name_and_remembered);
    Suite *suite = suite_create("dynload");
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
