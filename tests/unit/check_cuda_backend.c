/* Plans on a driver that only counts, so that every failure can be provoked. NVRTC is the real one.
 * What kernels compute is tested elsewhere. */
#include <check.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cuda_backend.h"
#include "cuda_clusters.h"
#include "environment.h"
#include "fake_libcuda.h"
#include "status.h"

static char folder[64];
static struct fake_state *fake;

static void library_make(void)
{
    char command[1024];
    snprintf(folder, sizeof folder, "/tmp/check-cuda-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(command, sizeof command,
             "cc -shared -fPIC -Wl,-soname,libcuda.so.1 -I%s/runtime/load -I%s/tests/unit "
             "-I%s/kernels-gen %s/tests/unit/fake_libcuda.c -o %s/libcuda.so.1",
             PRNN_SOURCE_DIR, PRNN_SOURCE_DIR, PRNN_SOURCE_DIR, PRNN_SOURCE_DIR, folder);
    ck_assert_int_eq(system(command), 0);
}

static void library_remove(void)
{
    char command[128];
    snprintf(command, sizeof command, "/bin/rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

/* Loaded before the library asks for its soname, which is then found to be there already. */
static void setup(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/libcuda.so.1", folder);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(handle != NULL, "%s", dlerror());
    fake = dlsym(handle, "fake");
    ck_assert_ptr_nonnull(fake);
    ck_assert_ptr_nonnull(dynload_cuda());
}

static struct cache *opened(void)
{
    char path[96];
    snprintf(path, sizeof path, "%s/cache", folder);
    struct cache *cache = cache_open(&(struct cache_options){.path = path});
    ck_assert_ptr_null(cache_reason(cache));
    return cache;
}

static const char forward_text[] = "extern \"C\" __global__ void fw(const float *p) {}\n";
static const char backward_text[] = "extern \"C\" __global__ void bw(const float *p) {}\n"
                                    "extern \"C\" __global__ void rd(const float *p) {}\n";
static const char step_text[] = "extern \"C\" __global__ void st(const float *p) {}\n";

static const struct backend_text forward = {.text = forward_text,
                                            .length = sizeof forward_text - 1,
                                            .entry = "fw",
                                            .threads = 256,
                                            .shared_bytes = 100000,
                                            .block_channels = 32,
                                            .cluster = 4};
static const struct backend_text backward = {.text = backward_text,
                                             .length = sizeof backward_text - 1,
                                             .entry = "bw",
                                             .reduce_entry = "rd",
                                             .threads = 128,
                                             .shared_bytes = 4096,
                                             .block_channels = 64,
                                             .segment_channels = 32,
                                             .cluster = 1};
static const struct backend_text step = {.text = step_text,
                                         .length = sizeof step_text - 1,
                                         .entry = "st",
                                         .threads = 256,
                                         .block_channels = 1,
                                         .cluster = 1};
static const struct backend_text *const texts[CUDA_KERNEL_COUNT] = {&forward, &backward, &step,
                                                                    NULL};

static const bool shared_input[2] = {false, true}, all[3] = {true, true, true};

/* Two inputs of which the second is shared, three parameters, one state, one output. */
static struct backend_shape shape_make(void)
{
    struct backend_shape shape = {.batch = 3,
                                  .seq_len = 100,
                                  .channels = 72,
                                  .storage = PRNN_F32,
                                  .is_backward = true,
                                  .tolerance = 1e-6,
                                  .counts = {.states = 1, .inputs = 2, .params = 3, .outputs = 1},
                                  .input_is_shared = shared_input,
                                  .input_has_gradient = all,
                                  .param_has_gradient = all};
    launch_places_find(&shape.places, &shape.counts);
    return shape;
}

static struct cuda_device *device_make(void)
{
    struct cuda_device *device;
    ck_assert_msg(cuda_device_open(&device, 0) == PRNN_OK, "%s", status_text());
    return device;
}

static struct cuda_plan *plan_make(struct cuda_device *device, struct cache *cache)
{
    struct backend_shape shape = shape_make();
    struct cuda_plan *plan;
    ck_assert_msg(cuda_plan_create(&plan, device, &shape, texts, cache) == PRNN_OK, "%s",
                  status_text());
    return plan;
}

/* All that lived is gone. */
static void nothing_alive(void)
{
    ck_assert_int_eq(fake->modules, 0);
    ck_assert_int_eq(fake->contexts, 0);
    ck_assert_int_eq(fake->depth, 0);
    ck_assert_int_eq(fake->allocations, 0);
}

START_TEST(grids_follow_the_rules_of_the_skeletons)
{
    static struct launch launch;
    static _Alignas(256) char workspace[1 << 20];
    struct cuda_device *device = device_make();
    struct cuda_plan *plan = plan_make(device, NULL);
    cuda_stream stream = (cuda_stream)(uintptr_t)77;
    ck_assert_str_eq(cuda_device_describe(device), "Fake GPU, sm_90, 132 multiprocessors");

    /* [3 * 1][3 params][72] and [3 segments][3 * 100 rows] of the shared input, then reports of
     * 3*3*4. */
    const size_t partial = (3 * 3 * 72 + 3 * 300) * sizeof(float);
    /* Between them two rows of 72 floats. */
    const size_t at = (partial + 255) / 256 * 256 + 2 * 512;
    ck_assert_uint_eq(cuda_plan_workspace_size(plan), at + 36 * sizeof(struct prnn_block_report));
    ck_assert_uint_le(cuda_plan_workspace_size(plan), sizeof workspace);

    ck_assert_int_eq(cuda_plan_launch(plan, CUDA_FORWARD, &launch, workspace, stream), PRNN_OK);
    ck_assert_int_eq(cuda_plan_launch(plan, CUDA_BACKWARD, &launch, workspace, stream), PRNN_OK);
    ck_assert_int_eq(cuda_plan_launch(plan, CUDA_STEP, &launch, NULL, stream), PRNN_OK);
    ck_assert_int_eq(fake->launches, 4);
    static const struct {
        const char *name;
        unsigned grid, threads, shared_bytes, cluster;
    } expected[4] = {
        {"fw", 3 * 3 * 4, 256, 100000, 4},
        {"bw", 3 * 2, 128, 4096, 1},
        {"rd", 3 * 3 + 2, 256, 1024, 1}, /* 3 params * ceil(72 / 32), ceil(300 / 256) */
        {"st", 1, 256, 0, 1},            /* ceil(216 / 256) */
    };
    for (size_t i = 0; i < 4; i++) {
        const struct fake_launch *found = &fake->launched[i];
        ck_assert_str_eq(found->name, expected[i].name);
        ck_assert_msg(found->grid == expected[i].grid && found->threads == expected[i].threads &&
                          found->shared_bytes == expected[i].shared_bytes &&
                          found->cluster == expected[i].cluster && found->stream == stream,
                      "%s: grid %u, threads %u, shared %u, cluster %u", found->name, found->grid,
                      found->threads, found->shared_bytes, found->cluster);
    }
    ck_assert_int_eq(fake->dynamic_shared, 100000);
    ck_assert_int_eq(fake->non_portable, 0);
    const struct prnn_launch_head *head = (const void *)fake->launched[0].argument;
    ck_assert_ptr_eq(head->workspace, workspace);
    ck_assert_ptr_eq(head->report, workspace + at);
    ck_assert_double_eq(head->tolerance, 1e-6);
    head = (const void *)fake->launched[1].argument;
    ck_assert_ptr_null(head->report);
    cuda_plan_free(plan);
    cuda_device_close(device);
    nothing_alive();
}
END_TEST

/* The argument of the launch before 'back' others. */
static const struct launch *launched(int back)
{
    return (const void *)fake->launched[(fake->launches - 1 - back) % 4].argument;
}

static void check_row(const struct prnn_arg *arg, const void *row)
{
    ck_assert_ptr_eq(arg->base, row);
    ck_assert_int_eq(arg->stride_b, 0);
    ck_assert_int_eq(arg->stride_t, 0);
}

/* Kernels read and write their rows at every step. */
START_TEST(rows_of_the_workspace_stand_for_what_is_not_bound)
{
    static struct launch launch;
    static _Alignas(256) unsigned char workspace[1 << 16];
    static _Alignas(256) float bound[256];
    struct backend_shape shape = shape_make();
    const struct launch_places *at = &shape.places;
    struct cuda_device *device = device_make();
    struct cuda_plan *plan;
    shape.state_gradient = 1;
    ck_assert_int_eq(cuda_plan_create(&plan, device, &shape, texts, NULL), PRNN_OK);
    ck_assert_uint_le(cuda_plan_workspace_size(plan), sizeof workspace);
    unsigned char *const zeros = workspace + cuda_plan_workspace_size(plan) -
                                 36 * sizeof(struct prnn_block_report) - 2 * 512;
    memset(workspace, 0xff, sizeof workspace);
    ck_assert_int_eq(cuda_plan_launch(plan, CUDA_FORWARD, &launch, workspace, NULL), PRNN_OK);
    check_row(&launched(0)->args[at->y], zeros + 512);
    ck_assert_ptr_null(launched(0)->args[at->h].base);
    ck_assert_int_eq(zeros[0], 0xff);

    memset(&launch, 0, sizeof launch);
    ck_assert_int_eq(cuda_plan_launch(plan, CUDA_BACKWARD, &launch, workspace, NULL), PRNN_OK);
    for (int back = 0; back < 2; back++) { /* the sums have the same argument */
        check_row(&launched(back)->args[at->gh], zeros);
        check_row(&launched(back)->args[at->gy], zeros);
        check_row(&launched(back)->args[at->dx], zeros + 512);
        /* One for all channels: from the sums, where it is wanted. */
        ck_assert_ptr_null(launched(back)->args[at->dx + 1].base);
        ck_assert_ptr_null(launched(back)->args[at->dp].base);
        ck_assert_ptr_null(launched(back)->args[at->dh0].base);
        ck_assert_ptr_null(launched(back)->args[at->ght].base);
    }
    for (int i = 0; i < 72 * 4; i++)
        ck_assert_int_eq(zeros[i], 0);
    ck_assert_int_eq(zeros[512], 0xff);

    /* What is bound stays, and nothing is enqueued but the kernels. */
    memset(&launch, 0, sizeof launch);
    const uint32_t places[] = {at->gh, at->gy, at->dx};
    for (int i = 0; i < 3; i++)
        launch.args[places[i]] = (struct prnn_arg){bound, 72 * 100, 72};
    const int calls = fake->calls;
    ck_assert_int_eq(cuda_plan_launch(plan, CUDA_BACKWARD, &launch, workspace, NULL), PRNN_OK);
    ck_assert_int_eq(fake->calls, calls + 4);
    for (int i = 0; i < 3; i++) {
        ck_assert_ptr_eq(launched(1)->args[places[i]].base, bound);
        ck_assert_int_eq(launched(1)->args[places[i]].stride_t, 72);
    }
    cuda_plan_free(plan);
    cuda_device_close(device);
    nothing_alive();
}
END_TEST

START_TEST(a_launch_is_push_launch_and_pop_and_nothing_else)
{
    static struct launch launch;
    static _Alignas(256) char workspace[1 << 20];
    struct cuda_device *device = device_make();
    struct cuda_plan *plan = plan_make(device, NULL);
    const int before = fake->calls;
    fake->capturing = 1;
    ck_assert_int_eq(cuda_plan_launch(plan, CUDA_FORWARD, &launch, workspace, NULL), PRNN_OK);
    ck_assert_int_eq(fake->calls, before + 3);
    ck_assert_str_eq(fake->last, "cuCtxPopCurrent");
    ck_assert_int_eq(fake->depth, 0);
    cuda_plan_free(plan);
    cuda_device_close(device);
}
END_TEST

START_TEST(every_call_of_the_driver_may_fail)
{
    static const int codes[] = {1, 2, 100, 201, 209, 400, 719, 999};
    static struct launch launch;
    static _Alignas(256) char workspace[1 << 20];
    struct backend_shape shape = shape_make();
    struct cache *cache = opened();
    for (size_t c = 0; c < sizeof codes / sizeof codes[0]; c++) {
        int n, unnoticed = 0;
        for (n = 1; n < 200; n++) {
            struct cuda_device *device = NULL;
            struct cuda_plan *plan = NULL;
            prnn_certificate certificate = PRNN_CERTIFICATE_INIT;
            void *memory = NULL;
            const int kept_devices = fake->devices;
            *fake = (struct fake_state){.fail_at = n,
                                        .fail_code = codes[c],
                                        .fitting = 1,
                                        .has_clusters = 1,
                                        .devices = kept_devices,
                                        .driver_version = 13000};
            prnn_status status = cuda_device_open(&device, 1);
            if (status >= 0)
                status = cuda_plan_create(&plan, device, &shape, texts, cache);
            if (status >= 0)
                status = cuda_memory_alloc(device, &memory, 1000);
            if (status >= 0)
                status = cuda_memory_upload(device, memory, workspace, 1000, NULL);
            if (status >= 0)
                status = cuda_plan_launch(plan, CUDA_FORWARD, &launch, workspace, NULL);
            if (status >= 0)
                status = cuda_plan_launch(plan, CUDA_BACKWARD, &launch, workspace, NULL);
            if (status >= 0)
                status = cuda_plan_certificate(plan, workspace, &certificate, NULL);
            const bool has_failed = fake->calls >= n;
            const char *words = status_text();
            if (status < 0)
                ck_assert_msg(strstr(words, "cuda:1") || strstr(words, "CUDA_ERROR") ||
                                  strstr(words, "does not fit") || strstr(words, "Fake GPU"),
                              "call %d, code %d: '%s'", n, codes[c], words);
            else if (has_failed)
                unnoticed++; /* a property that has a stand-in, the pop, a second try */
            /* What is taken down behind a failure does not put its own words in the place of the
             * first. */
            if (status < 0)
                ck_assert_msg(!strstr(words, "is lost"), "call %d, code %d: '%s'", n, codes[c],
                              words);
            /* The context of a failure that loses it is lost for every later call. */
            if (status < 0 && codes[c] == 719 && device) {
                ck_assert_int_eq(status, PRNN_E_STICKY);
                ck_assert_int_eq(cuda_stream_wait(device, NULL), PRNN_E_STICKY);
                ck_assert_ptr_nonnull(strstr(status_text(), "is lost"));
            }
            const bool is_lost = fake->lost != 0;
            fake->fail_at = 0;
            cuda_memory_free(device, memory);
            cuda_plan_free(plan);
            cuda_device_close(device);
            ck_assert_int_eq(fake->depth, 0);
            ck_assert_int_eq(fake->contexts, 0);
            if (!is_lost)
                nothing_alive();
            ck_assert_int_eq(fake->misused, 0);
            if (!has_failed)
                break;
        }
        ck_assert_msg(n > 50 && n < 200, "%d calls", n);
        ck_assert_msg(unnoticed < 40, "code %d: %d failures had no consequence", codes[c],
                      unnoticed);
    }
    cache_close(cache);
}
END_TEST

START_TEST(an_image_from_the_cache_that_the_driver_refuses_is_made_again_once)
{
    struct backend_shape shape = shape_make();
    struct cache *cache = opened();
    struct cuda_device *device = device_make();
    struct cuda_plan *plan = plan_make(device, cache);
    cuda_plan_free(plan);
    fake->refused_images = 1;
    plan = plan_make(device, cache);
    ck_assert_ptr_nonnull(strstr(cuda_plan_describe(plan), "forward compiled: in "));
    ck_assert_ptr_nonnull(strstr(cuda_plan_describe(plan), "backward compiled: from the cache"));
    cuda_plan_free(plan);
    fake->refused_images = 2;
    ck_assert_int_eq(cuda_plan_create(&plan, device, &shape, texts, cache), PRNN_E_BACKEND);
    ck_assert_msg(strstr(status_text(), "sm_90 by NVRTC"), "%s", status_text());
    ck_assert_ptr_null(plan);
    cuda_device_close(device);
    nothing_alive();
    cache_close(cache);
}
END_TEST

START_TEST(what_cannot_run_is_refused_when_the_plan_is_made)
{
    struct cuda_device *device = device_make();
    struct cuda_plan *plan;
    struct backend_text large = forward, many = forward, wide = forward, rejected = forward;
    struct backend_shape usual = shape_make(), endless = usual, crowded = usual;
    large.shared_bytes = 300000;
    many.threads = 2048;
    wide.cluster = 16;
    rejected.text = "this is no kernel";
    rejected.length = strlen(rejected.text);
    endless.batch = INT64_C(1) << 40;
    crowded.counts.inputs = 1500;
    crowded.input_is_shared = crowded.input_has_gradient = NULL;
    launch_places_find(&crowded.places, &crowded.counts);
    const struct {
        const struct backend_text *text;
        const struct backend_shape *shape;
        prnn_status status;
        const char *words;
    } rows[] = {
        {&large, &usual, PRNN_E_LIMIT, "300000 bytes of shared memory, the device has 232448"},
        {&many, &usual, PRNN_E_LIMIT, "2048 threads"},
        {&forward, &endless, PRNN_E_LIMIT, "more than 2147483647 thread blocks"},
        {&forward, &crowded, PRNN_E_LIMIT, "bytes of arguments; this driver takes 32764"},
        {&rejected, &usual, PRNN_E_INTERNAL, "rejects a text of this library"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct backend_text *const only[CUDA_KERNEL_COUNT] = {rows[i].text};
        prnn_status status = cuda_plan_create(&plan, device, rows[i].shape, only, NULL);
        ck_assert_msg(status == rows[i].status && strstr(status_text(), rows[i].words),
                      "row %zu: %d, %s", i, (int)status, status_text());
        ck_assert_ptr_null(plan);
    }
    const struct backend_text *const only[CUDA_KERNEL_COUNT] = {&wide};
    ck_assert_int_eq(cuda_plan_create(&plan, device, &usual, only, NULL), PRNN_OK);
    ck_assert_int_eq(fake->non_portable, 1);
    cuda_plan_free(plan);
    fake->fitting = 0;
    ck_assert_int_eq(cuda_plan_create(&plan, device, &usual, only, NULL), PRNN_E_LIMIT);
    ck_assert_ptr_nonnull(strstr(status_text(), "does not fit on the device"));
    cuda_device_close(device);
    fake->has_clusters = 0;
    device = device_make();
    ck_assert_int_eq(cuda_plan_create(&plan, device, &usual, only, NULL), PRNN_E_UNSUPPORTED);
    cuda_device_close(device);
    nothing_alive();
}
END_TEST

START_TEST(a_rejected_text_is_kept_for_its_owner_alone)
{
    static const char wrong[] = "this is no kernel";
    struct cuda_device *device = device_make();
    struct cache *cache = opened();
    struct backend_text rejected = forward;
    struct backend_shape shape = shape_make();
    const struct backend_text *const only[CUDA_KERNEL_COUNT] = {&rejected};
    struct cuda_plan *plan;
    rejected.text = wrong;
    rejected.length = sizeof wrong - 1;
    ck_assert_int_eq(cuda_plan_create(&plan, device, &shape, only, cache), PRNN_E_INTERNAL);

    /* "... the files in 'FOLDER': LOG" */
    char kept[1024] = "", path[1100], text[64] = "";
    struct stat info;
    const char *begin = strstr(status_text(), "files in '");
    ck_assert_msg(begin && sscanf(begin, "files in '%1000[^']'", kept) == 1, "%s", status_text());
    ck_assert_int_eq(stat(kept, &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0700);
    snprintf(path, sizeof path, "%s/kernel.cu", kept);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0600);
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fread(text, 1, sizeof text, file), sizeof wrong - 1);
    fclose(file);
    ck_assert_str_eq(text, wrong);
    snprintf(path, sizeof path, "%s/kernel.log", kept);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0600);
    ck_assert_int_gt(info.st_size, 0);
    cuda_device_close(device);
    nothing_alive();
    cache_close(cache);
}
END_TEST

START_TEST(rows_are_aligned_only_if_no_copy_reaches_beyond_its_channels)
{
    static const struct {
        int64_t channels, stride_b, stride_t;
        uintptr_t base;
        bool is_aligned;
    } rows[] = {
        {72, 7200, 72, 4096, true},  {72, 7200, 72, 4100, false}, {72, 7200, 74, 4096, false},
        {72, 7202, 72, 4096, false}, {70, 7200, 72, 4096, false}, {72, -7200, -72, 4096, true},
        {72, 7200, 216, 4096, true},
    };
    struct cuda_device *device = device_make();
    const struct backend_text *const only[CUDA_KERNEL_COUNT] = {&forward};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static struct launch launch;
        static _Alignas(256) char workspace[1 << 16];
        struct backend_shape shape = shape_make();
        struct cuda_plan *plan;
        shape.channels = rows[i].channels;
        ck_assert_int_eq(cuda_plan_create(&plan, device, &shape, only, NULL), PRNN_OK);
        memset(&launch, 0, sizeof launch);
        launch.args[shape.places.h].base = (void *)(uintptr_t)8192;
        launch.args[shape.places.h].stride_t = 72;
        launch.args[shape.places.x].base = (void *)rows[i].base;
        launch.args[shape.places.x].stride_b = rows[i].stride_b;
        launch.args[shape.places.x].stride_t = rows[i].stride_t;
        launch.args[shape.places.x + 1].base =
            (void *)(uintptr_t)4097; /* shared: not in the ring */
        ck_assert_int_eq(cuda_plan_launch(plan, CUDA_FORWARD, &launch, workspace, NULL), PRNN_OK);
        ck_assert_msg((launch.head.is_aligned != 0) == rows[i].is_aligned, "row %zu", i);
        cuda_plan_free(plan);
    }
    cuda_device_close(device);
}
END_TEST

START_TEST(the_certificate_sums_the_reports_of_thread_blocks)
{
    static _Alignas(256) char workspace[1 << 20];
    struct cuda_device *device = device_make();
    struct cuda_plan *plan = plan_make(device, NULL);
    prnn_certificate found = PRNN_CERTIFICATE_INIT;
    const size_t bytes = 36 * sizeof(struct prnn_block_report);
    struct prnn_block_report *reports =
        (void *)(workspace + cuda_plan_workspace_size(plan) - bytes);
    for (int i = 0; i < 36; i++) /* 9 clusters of 4; 7 tiles each, two corrections a tile */
        reports[i] = (struct prnn_block_report){.mismatch = 0,
                                                .step = -1,
                                                .channel = -1,
                                                .batch = i / 12,
                                                .max_corrections = 2,
                                                .tiles = 7,
                                                .sum_corrections = 14};
    ck_assert_int_eq(cuda_plan_certificate(plan, workspace, &found, NULL), PRNN_OK);
    ck_assert_double_eq(found.mismatch, 0);
    ck_assert_int_eq(found.step, -1);
    ck_assert_uint_eq(found.tiles, 63);
    ck_assert_double_eq(found.mean_corrections, 2);
    ck_assert_double_eq(found.tolerance, 1e-6);

    reports[5].mismatch = 1e-7;
    reports[5].step = 31;
    reports[5].channel = 40;
    reports[30].mismatch = 3e-7;
    reports[30].step = 63;
    reports[30].channel = 5;
    reports[17].max_corrections = 6;
    ck_assert_int_eq(cuda_plan_certificate(plan, workspace, &found, NULL), PRNN_OK);
    ck_assert_double_eq(found.mismatch, 3e-7);
    ck_assert_int_eq(found.batch, 2);
    ck_assert_int_eq(found.step, 63);
    ck_assert_int_eq(found.channel, 5);
    ck_assert_uint_eq(found.max_corrections, 6);
    reports[35].nonfinite = 1;
    ck_assert_int_eq(cuda_plan_certificate(plan, workspace, &found, NULL), PRNN_NONFINITE);
    ck_assert(found.nonfinite);
    /* It waits, which a stream that is being captured cannot do. */
    fake->capturing = 1;
    ck_assert_int_eq(cuda_plan_certificate(plan, workspace, &found, (void *)(uintptr_t)77),
                     PRNN_E_INVALID);
    cuda_plan_free(plan);
    cuda_device_close(device);
}
END_TEST

START_TEST(clusters_that_fit_at_once_are_asked_for_once)
{
    const int groups[FAKE_GROUPS] = {18, 18, 8};
    memcpy(fake->groups, groups, sizeof groups);
    struct cuda_device *device = device_make();
    const struct cuda_clusters *found = cuda_clusters_ask(device, NULL);
    ck_assert_ptr_nonnull(found);
    ck_assert_int_eq(found->at_once[2][1], 9 + 9 + 4);
    ck_assert_int_eq(found->at_once[7][1], 2 + 2 + 1);
    ck_assert_int_eq(found->at_once[7][2], 5 + 5 + 2);
    ck_assert_int_eq(found->at_once[8][4], 9 + 9 + 4);
    ck_assert_int_eq(fake->modules, 0);
    const int calls = fake->calls;
    ck_assert_ptr_eq(cuda_clusters_ask(device, NULL), found);
    ck_assert_int_eq(fake->calls, calls);
    cuda_device_close(device);
    ck_assert_int_eq(fake->misused, 0);
    nothing_alive();
}
END_TEST

START_TEST(a_device_that_does_not_tell_of_clusters_stays_of_use)
{
    const int kept_devices = fake->devices;
    int n, told = 0;
    for (n = 1; n < 100 && told < 2; n++) {
        struct cuda_device *device;
        *fake = (struct fake_state){
            .fitting = 3, .has_clusters = n > 1, .devices = kept_devices, .driver_version = 13000};
        ck_assert_int_eq(cuda_device_open(&device, 0), PRNN_OK);
        const int before = fake->calls;
        fake->fail_at = before + n - 1;
        fake->fail_code = 2; /* no memory: not for good */
        const struct cuda_clusters *found = cuda_clusters_ask(device, NULL);
        if (n == 1)
            ck_assert_ptr_null(found);
        told += found != NULL; /* attributes of a function may fail; then the end is near */
        ck_assert(!found || found->at_once[2][1] == 3);
        fake->fail_at = 0;
        if (n > 1)
            cuda_plan_free(plan_make(device, NULL));
        cuda_device_close(device);
        ck_assert_msg(fake->misused == 0, "call %d", n);
        nothing_alive();
    }
    ck_assert_int_eq(told, 2);
}
END_TEST

START_TEST(a_wrong_workspace_or_kernel_is_told_before_the_driver_sees_it)
{
    static struct launch launch;
    static _Alignas(256) char workspace[512];
    struct cuda_device *device = device_make();
    struct cuda_plan *plan = plan_make(device, NULL);
    const int before = fake->calls;
    ck_assert_int_eq(cuda_plan_launch(plan, CUDA_FORWARD, &launch, NULL, NULL), PRNN_E_INVALID);
    ck_assert_int_eq(cuda_plan_launch(plan, CUDA_FORWARD, &launch, workspace + 8, NULL),
                     PRNN_E_INVALID);
    ck_assert_int_eq(cuda_plan_launch(plan, CUDA_SCAN, &launch, workspace, NULL), PRNN_E_INVALID);
    ck_assert_int_eq(fake->calls, before);
    cuda_plan_free(plan);
    cuda_device_close(device);
}
END_TEST

START_TEST(a_forked_process_gets_a_status_and_no_hang)
{
    static struct launch launch;
    static _Alignas(256) char workspace[1 << 20];
    struct cuda_device *device = device_make();
    struct cuda_plan *plan = plan_make(device, NULL);
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        bool fine =
            cuda_plan_launch(plan, CUDA_FORWARD, &launch, workspace, NULL) == PRNN_E_BACKEND &&
            strstr(status_text(), "forked") != NULL;
        cuda_plan_free(plan);
        cuda_device_close(device);
        _exit(fine ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    cuda_plan_free(plan);
    cuda_device_close(device);
    nothing_alive();
}
END_TEST

START_TEST(a_device_that_is_not_there_is_named)
{
    struct cuda_device *device;
    ck_assert_int_eq(cuda_device_open(&device, 2), PRNN_E_BACKEND);
    ck_assert_str_eq(status_text(), "no device cuda:2, the driver shows 2");
    fake->devices = 0; /* CUDA_VISIBLE_DEVICES="" */
    ck_assert_int_eq(cuda_device_open(&device, 0), PRNN_E_BACKEND);
    ck_assert_ptr_null(device);
    nothing_alive();
}
END_TEST

START_TEST(the_environment_is_looked_at_without_making_a_context)
{
    static struct environment found;
    environment_get(&found);
    ck_assert(found.driver->is_there);
    ck_assert_int_eq(found.driver_version, 13000);
    ck_assert_int_eq(found.device_count, 2);
    ck_assert_int_eq(found.described, 2);
    ck_assert_str_eq(found.driver_trouble, "");
    ck_assert_str_eq(found.devices[1].name, "Fake GPU");
    ck_assert_str_eq(found.targets[1], "sm_90");
    ck_assert(found.nvrtc->is_there);
    ck_assert_int_ge(found.nvrtc_info.major, 12);
    ck_assert_ptr_nonnull(found.compiler);
    nothing_alive();
    fake->devices = 0;
    environment_get(&found);
    ck_assert_int_eq(found.described, 0);
    ck_assert_str_eq(found.driver_trouble, "no device cuda:0, the driver shows 0");
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("cuda_backend");
    Suite *suite = suite_create("cuda_backend");
    if (access("/usr/local/cuda/lib64/libnvrtc.so.13", R_OK) != 0 &&
        access("/usr/local/cuda/lib64/libnvrtc.so.12", R_OK) != 0 && !getenv("PARARNNC_NVRTC")) {
        printf("skipped: NVRTC is not installed\n");
        return 0;
    }
    tcase_add_unchecked_fixture(cases, library_make, library_remove);
    tcase_add_checked_fixture(cases, setup, NULL);
    tcase_set_timeout(cases, 100);
    tcase_add_test(cases, grids_follow_the_rules_of_the_skeletons);
    tcase_add_test(cases, rows_of_the_workspace_stand_for_what_is_not_bound);
    tcase_add_test(cases, a_launch_is_push_launch_and_pop_and_nothing_else);
    tcase_add_test(cases, every_call_of_the_driver_may_fail);
    tcase_add_test(cases, an_image_from_the_cache_that_the_driver_refuses_is_made_again_once);
    tcase_add_test(cases, what_cannot_run_is_refused_when_the_plan_is_made);
    tcase_add_test(cases, a_rejected_text_is_kept_for_its_owner_alone);
    tcase_add_test(cases, rows_are_aligned_only_if_no_copy_reaches_beyond_its_channels);
    tcase_add_test(cases, the_certificate_sums_the_reports_of_thread_blocks);
    tcase_add_test(cases, clusters_that_fit_at_once_are_asked_for_once);
    tcase_add_test(cases, a_device_that_does_not_tell_of_clusters_stays_of_use);
    tcase_add_test(cases, a_wrong_workspace_or_kernel_is_told_before_the_driver_sees_it);
    tcase_add_test(cases, a_forked_process_gets_a_status_and_no_hang);
    tcase_add_test(cases, a_device_that_is_not_there_is_named);
    tcase_add_test(cases, the_environment_is_looked_at_without_making_a_context);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
