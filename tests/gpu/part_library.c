#include "gpu_parts.h"
#include "library_net.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char path[4096];

static const char *cell_path(const char *name)
{
    snprintf(path, sizeof path, "%s/%s.cell", gpu.cells_folder, name);
    return path;
}

/* On the shim: what the CPU can do, too. */
static const char *device_name(void)
{
    return device_handle() ? "cuda:0" : "cpu";
}

static void fine(const char *wrong)
{
    ck_assert_msg(wrong == NULL, "%s", wrong);
}

static void succeeds(prnn_status status)
{
    ck_assert_msg(status == PRNN_OK, "%s", prnn_last_error());
}

static void driver(cuda_result code, const char *what)
{
    ck_assert_msg(code == CUDA_SUCCESS_CODE, "%s: error %d", what, code);
}

static prnn_problem problem_of(int64_t batch, int64_t steps, int64_t channels)
{
    prnn_problem problem = PRNN_PROBLEM_INIT;
    problem.batch = batch;
    problem.seq_len = steps;
    problem.channels = channels;
    problem.write = PRNN_WRITE_STATES;
    problem.backward = true;
    return problem;
}

static const struct cuda_api *streams_api(void)
{
    const struct cuda_api *api = cuda_device_api(device_handle());
    ck_assert_msg(api->stream_create && api->stream_destroy && api->stream_begin_capture &&
                      api->stream_end_capture && api->graph_instantiate && api->graph_launch &&
                      api->graph_exec_destroy && api->graph_destroy,
                  "this driver has no streams or graphs");
    return api;
}

static cuda_stream stream_make(void)
{
    cuda_stream stream = NULL;
    succeeds(cuda_device_enter(device_handle()));
    driver(streams_api()->stream_create(&stream, 1), "cuStreamCreate"); /* 1: not blocking */
    cuda_device_leave(device_handle());
    return stream;
}

static void stream_free(cuda_stream stream)
{
    succeeds(cuda_device_enter(device_handle()));
    driver(streams_api()->stream_destroy(stream), "cuStreamDestroy");
    cuda_device_leave(device_handle());
}

START_TEST(captured_graph_replays_with_new_inputs)
{
    enum { RELAXED = 2 };
    const struct cuda_api *api = streams_api();
    const prnn_problem problem = problem_of(2, 300, 64);
    struct net net;
    cuda_graph graph;
    cuda_graph_exec exec;
    fine(net_create(&net, device_name(), cell_path(_i ? "paralstm" : "paragru"), &problem, 0));
    char *direct[2], *replayed = malloc(net.result_bytes);
    cuda_stream stream = stream_make();
    for (int s = 0; s < 2; s++) {
        direct[s] = malloc(net.result_bytes);
        fine(net_fill(&net, (uint64_t)s, stream));
        fine(net_run(&net, stream));
        fine(net_results(&net, direct[s], stream));
    }
    ck_assert_msg(memcmp(direct[0], direct[1], net.result_bytes) != 0,
                  "two inputs have one result");
    succeeds(cuda_device_enter(device_handle()));
    driver(api->stream_begin_capture(stream, RELAXED), "cuStreamBeginCapture");
    fine(net_run(&net, stream));
    driver(api->stream_end_capture(stream, &graph), "cuStreamEndCapture");
    driver(api->graph_instantiate(&exec, graph, 0), "cuGraphInstantiate");
    for (int s = 0; s < 2; s++) {
        fine(net_fill(&net, (uint64_t)s, stream));
        driver(api->graph_launch(exec, stream), "cuGraphLaunch");
        fine(net_results(&net, replayed, stream));
        ck_assert_msg(memcmp(direct[s], replayed, net.result_bytes) == 0, "replay %d differs", s);
        free(direct[s]);
    }
    driver(api->graph_exec_destroy(exec), "cuGraphExecDestroy");
    driver(api->graph_destroy(graph), "cuGraphDestroy");
    cuda_device_leave(device_handle());
    stream_free(stream);
    free(replayed);
    net_free(&net);
}
END_TEST

/* One plan on one stream, again and again; no assertion here, it is not the test's thread. */
struct worker {
    struct net net;
    cuda_stream stream;
    char *wanted, *found;
    const char *wrong;
    char words[512];
};

static void *worker_run(void *context)
{
    enum { ROUNDS = 30 };
    struct worker *w = context;
    for (int i = 0; i < ROUNDS && !w->wrong; i++) {
        memset(w->found, 0, w->net.result_bytes);
        if (!(w->wrong = net_run(&w->net, w->stream)))
            w->wrong = net_results(&w->net, w->found, w->stream);
        if (!w->wrong && memcmp(w->found, w->wanted, w->net.result_bytes) != 0)
            w->wrong = "other bits than alone";
    }
    if (w->wrong) {
        snprintf(w->words, sizeof w->words, "%s", w->wrong);
        w->wrong = w->words;
    }
    return NULL;
}

START_TEST(two_plans_run_on_two_streams_from_two_threads)
{
    static const char *const names[2] = {"paragru", "paralstm"};
    static struct worker workers[2];
    pthread_t threads[2];
    memset(workers, 0, sizeof workers);
    for (int i = 0; i < 2; i++) {
        struct worker *w = &workers[i];
        const prnn_problem problem = problem_of(3, 700, 96);
        fine(net_create(&w->net, device_name(), cell_path(names[i]), &problem, 0));
        w->stream = stream_make();
        w->wanted = malloc(w->net.result_bytes);
        w->found = malloc(w->net.result_bytes);
        fine(net_fill(&w->net, 5, w->stream));
        fine(net_run(&w->net, w->stream));
        fine(net_results(&w->net, w->wanted, w->stream));
    }
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, worker_run, &workers[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++) {
        ck_assert_msg(!workers[i].wrong, "%s: %s", names[i], workers[i].wrong);
        stream_free(workers[i].stream);
        free(workers[i].wanted);
        free(workers[i].found);
        net_free(&workers[i].net);
    }
}
END_TEST

START_TEST(steps_one_by_one_have_the_bits_of_forward)
{
    enum { BATCH = 3, STEPS = 20, CHANNELS = 40 };
    prnn_problem problem = problem_of(BATCH, STEPS, CHANNELS);
    prnn_tensor args[PRNN_MAX_ARGS] = PRNN_ARGS_INIT;
    struct net net;
    problem.math = PRNN_STRICT;
    problem.backward = false;
    fine(net_create(&net, device_name(), cell_path("paragru"), &problem, 0));
    fine(net_fill(&net, 3, NULL));
    fine(net_run(&net, NULL));
    const struct net_tensor *h = net_find(&net, "h", 2), *first = net_find(&net, "h0:h", 0);
    const size_t bytes = h->count * h->element, state_bytes = first->count * first->element;
    char *of_forward = malloc(bytes), *of_steps = malloc(bytes), *state = malloc(state_bytes);
    void *running;
    succeeds(prnn_memory_download(net.context, of_forward, h->data, bytes, NULL));
    memset(of_steps, 0xff, bytes);
    succeeds(prnn_memory_upload(net.context, h->data, of_steps, bytes, NULL));
    succeeds(prnn_memory_alloc(net.context, &running, state_bytes));
    succeeds(prnn_memory_download(net.context, state, first->data, state_bytes, NULL));
    succeeds(prnn_memory_upload(net.context, running, state, state_bytes, NULL));
    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < net.tensors; i++) {
            const struct net_tensor *t = &net.tensor[i];
            const bool is_sequence = t->count == h->count;
            const bool is_state = t->name[0] == 'h' && strchr(t->name, ':');
            succeeds(prnn_plan_bind(
                net.plan, args, t->name,
                is_state ? running
                         : (char *)t->data + (is_sequence ? step * CHANNELS * (int)t->element : 0),
                is_sequence ? STEPS * CHANNELS : PRNN_DENSE, PRNN_DENSE));
        }
        succeeds(prnn_step(net.plan, args, net.workspace, NULL));
    }
    succeeds(prnn_memory_download(net.context, of_steps, h->data, bytes, NULL));
    ck_assert_msg(memcmp(of_forward, of_steps, bytes) == 0, "other bits");
    prnn_memory_free(net.context, running);
    free(of_forward);
    free(of_steps);
    free(state);
    net_free(&net);
}
END_TEST

START_TEST(tensors_that_are_not_aligned_have_the_same_result)
{
    static const prnn_storage storages[] = {PRNN_F32, PRNN_BF16};
    prnn_problem problem = problem_of(2, 500, 64);
    char *results[2];
    size_t bytes = 0;
    problem.storage = storages[_i];
    for (int offset = 0; offset < 2; offset++) {
        struct net net;
        fine(net_create(&net, device_name(), cell_path("paralstm"), &problem, offset));
        fine(net_fill(&net, 9, NULL));
        fine(net_run(&net, NULL));
        bytes = net.result_bytes;
        results[offset] = malloc(bytes);
        fine(net_results(&net, results[offset], NULL));
        net_free(&net);
    }
    ck_assert_msg(memcmp(results[0], results[1], bytes) == 0, "other bits");
    free(results[0]);
    free(results[1]);
}
END_TEST

/* Zeros into a tensor of the device. */
static void clear(struct net *net, const struct net_tensor *tensor)
{
    void *zeros = calloc(tensor->count, tensor->element);
    ck_assert_ptr_nonnull(zeros);
    succeeds(prnn_memory_upload(net->context, tensor->data, zeros, tensor->count * tensor->element,
                                NULL));
    free(zeros);
}

/* A gradient that comes in and is not bound is zero; one that goes out is not wanted, and the
 * others keep their bits. */
START_TEST(gradients_need_not_be_bound)
{
    prnn_problem problem = problem_of(2, 700, 64);
    struct net net;
    char *results[2];
    fine(net_create(&net, device_name(), cell_path("paralstm"), &problem, 0));
    struct net_tensor *incoming = net_find(&net, "c", 1), *outgoing = net_find(&net, "u_z", 3);
    ck_assert(incoming && outgoing);
    for (int k = 0; k < 2; k++) {
        results[k] = malloc(net.result_bytes);
        fine(net_fill(&net, 3, NULL));
        clear(&net, incoming);
        if (k == 1) {
            succeeds(prnn_plan_bind(net.plan, net.grads, "c", NULL, 0, 0));
            succeeds(prnn_plan_bind(net.plan, net.grads, "u_z", NULL, 0, 0));
        }
        fine(net_run(&net, NULL));
        clear(&net, outgoing);
        fine(net_results(&net, results[k], NULL));
    }
    ck_assert_msg(memcmp(results[0], results[1], net.result_bytes) == 0, "other bits");
    free(results[0]);
    free(results[1]);
    net_free(&net);
}
END_TEST

/* How far b is from a, in the Euclidean norm. */
static double difference(const float *a, const float *b, size_t count)
{
    double difference = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        difference += ((double)b[i] - a[i]) * ((double)b[i] - a[i]);
        size += (double)a[i] * a[i];
    }
    return sqrt(difference / size);
}

/* With tolerance 0 every strategy has the bits of the sequential one; sums of gradients add in
 * another order. What is tuned runs last, on results that were made NaN before. */
START_TEST(a_tuned_plan_has_the_same_answer)
{
    prnn_problem problem = problem_of(2, 3000, 256);
    struct net net;
    prnn_plan *tuned;
    problem.math = PRNN_STRICT;
    problem.tolerance = 0;
    problem.strategy = "W1 S8 L32 V1 R3 C1";
    fine(net_create(&net, device_name(), cell_path(_i ? "paralstm" : "paragru"), &problem, 0));
    char *want = malloc(net.result_bytes), *got = malloc(net.result_bytes);
    fine(net_fill(&net, 5, NULL));
    fine(net_run(&net, NULL));
    fine(net_results(&net, want, NULL));
    fine(net_fill(&net, 5, NULL));
    succeeds(prnn_plan_tune(&tuned, net.plan, net.args, net.grads, NULL));
    fine(net_results(&net, got, NULL));
    ck_assert_msg(strstr(prnn_plan_describe(tuned), " ms, measured") != NULL, "%s",
                  prnn_plan_describe(tuned));
    ck_assert_msg(strstr(prnn_plan_describe(tuned), "\nstrategy: W1 ") == NULL, "%s",
                  prnn_plan_describe(tuned));
    size_t at = 0;
    for (int i = 0; i < net.tensors; i++) {
        const struct net_tensor *t = &net.tensor[i];
        if (t->group < 2)
            continue;
        if (t->group == 2) {
            ck_assert_msg(memcmp(want + at, got + at, t->count * t->element) == 0, "%s", t->name);
        } else {
            const double d = difference((float *)(want + at), (float *)(got + at), t->count);
            ck_assert_msg(d < 1e-5, "gradient of %s: %g", t->name, d);
        }
        at += t->count * t->element;
    }
    ck_assert_uint_eq(at, net.result_bytes);
    free(want);
    free(got);
    prnn_plan_free(tuned);
    net_free(&net);
}
END_TEST

static const char large_cell[] = "cell large { state h; input u; param a; h' = tanh(a*h + u); }\n";

/* Plan, tensors and a run of 'batch' sequences of which only the last has inputs that are not 0. */
static bool large_run(int64_t batch, int64_t steps, int64_t channels, const uint16_t *inputs,
                      uint16_t *last, uint16_t *first)
{
    const struct cuda_api *api = cuda_device_api(device_handle());
    const size_t size = (size_t)(steps * channels) * sizeof *inputs;
    prnn_tensor args[PRNN_MAX_ARGS] = PRNN_ARGS_INIT;
    prnn_problem problem = problem_of(batch, steps, channels);
    prnn_context *context;
    prnn_cell *cell;
    prnn_plan *plan;
    void *u, *h = NULL, *a, *workspace;
    problem.storage = PRNN_BF16;
    problem.backward = false;
    problem.strategy = "W8 S16 L32 V1 R2 C1";
    succeeds(prnn_context_create(&context, "cuda:0"));
    succeeds(prnn_cell_load_text(&cell, context, "large", large_cell, strlen(large_cell), NULL));
    succeeds(prnn_plan_create(&plan, cell, &problem));
    if (prnn_memory_alloc(context, &u, size * (size_t)batch) != PRNN_OK ||
        prnn_memory_alloc(context, &h, size * (size_t)batch) != PRNN_OK) {
        prnn_memory_free(context, u);
        return false;
    }
    float *weights = malloc((size_t)channels * sizeof *weights);
    for (int64_t i = 0; i < channels; i++)
        weights[i] = 0.9f - 1.8f * (float)i / (float)channels;
    succeeds(prnn_memory_alloc(context, &a, (size_t)channels * sizeof *weights));
    succeeds(prnn_memory_alloc(context, &workspace, prnn_plan_workspace_size(plan)));
    succeeds(prnn_memory_upload(context, a, weights, (size_t)channels * sizeof *weights, NULL));
    succeeds(cuda_device_enter(device_handle()));
    driver(api->memset_async((cuda_pointer)(uintptr_t)u, 0, size * (size_t)batch, NULL), "memset");
    driver(api->memset_async((cuda_pointer)(uintptr_t)h, 255, size * (size_t)batch, NULL),
           "memset");
    cuda_device_leave(device_handle());
    succeeds(
        prnn_memory_upload(context, (char *)u + size * (size_t)(batch - 1), inputs, size, NULL));
    succeeds(prnn_plan_bind(plan, args, "u", u, PRNN_DENSE, PRNN_DENSE));
    succeeds(prnn_plan_bind(plan, args, "h", h, PRNN_DENSE, PRNN_DENSE));
    succeeds(prnn_plan_bind(plan, args, "a", a, PRNN_DENSE, PRNN_DENSE));
    succeeds(prnn_forward(plan, args, workspace, NULL));
    succeeds(
        prnn_memory_download(context, last, (char *)h + size * (size_t)(batch - 1), size, NULL));
    succeeds(prnn_memory_download(context, first, h, size, NULL));
    prnn_memory_free(context, u);
    prnn_memory_free(context, h);
    prnn_memory_free(context, a);
    prnn_memory_free(context, workspace);
    prnn_plan_free(plan);
    prnn_cell_free(cell);
    prnn_context_free(context);
    free(weights);
    return true;
}

START_TEST(offsets_beyond_two_to_the_31_are_right)
{
    /* The last of the sequences begins at element 2^31. */
    const int64_t batch = 33, steps = 16384, channels = 4096, count = steps * channels;
    uint16_t *inputs = malloc((size_t)count * 2), *alone = malloc((size_t)count * 2),
             *last = malloc((size_t)count * 2), *first = malloc((size_t)count * 2);
    uint64_t state = 88172645463325252u;
    ck_assert(inputs && alone && last && first);
    for (int64_t i = 0; i < count; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        /* A sign and some bits of the fraction: sizes from 1/2 to 1. */
        inputs[i] = (uint16_t)((state & 0x807f) | 0x3f00);
    }
    ck_assert(large_run(1, steps, channels, inputs, alone, first));
    if (!large_run(batch, steps, channels, inputs, last, first)) {
        printf("note: too little memory for 2^31 elements: not tested\n");
    } else {
        ck_assert_msg(memcmp(alone, last, (size_t)count * 2) == 0,
                      "the sequence at element 2^31 has other bits than alone");
        int64_t wrong = 0;
        for (int64_t i = 0; i < count; i++)
            wrong += (first[i] & 0x7fff) != 0;
        ck_assert_msg(wrong == 0, "%lld elements of the first sequence are not 0",
                      (long long)wrong);
    }
    free(inputs);
    free(alone);
    free(last);
    free(first);
}
END_TEST

void gpu_part_library(TCase *tcase)
{
    tcase_add_test(tcase, steps_one_by_one_have_the_bits_of_forward);
    tcase_add_loop_test(tcase, tensors_that_are_not_aligned_have_the_same_result, 0, 2);
    tcase_add_test(tcase, gradients_need_not_be_bound);
    if (!device_handle())
        return;
    tcase_add_loop_test(tcase, captured_graph_replays_with_new_inputs, 0, 2);
    tcase_add_test(tcase, two_plans_run_on_two_streams_from_two_threads);
    tcase_add_loop_test(tcase, a_tuned_plan_has_the_same_answer, 0, 2);
    tcase_add_test(tcase, offsets_beyond_two_to_the_31_are_right);
}
