/* The doors: wrong arguments get a negative status and words that say what is wrong; cells and
 * plans tell about themselves; steps; the scan. The interpreter serves, since no speed is needed.
 */
#include "world.h"

#include <pthread.h>
#include <unistd.h>

static const char text[] = "cell gate { ## a gated cell\n"
                           "state h = 0.5; ## hidden\n"
                           "input u; input v nograd; input dt : shared; param a in [-1, 1]; param b[2];\n"
                           "h' = sigmoid(a*h + u)*h + dt*tanh(b[0]*v + b[1]);\n"
                           "output h'; output y = h'*h'; }\n";

static prnn_context *ctx;
static prnn_cell *cell;
static prnn_plan *plan;
static void *workspace;
static float memory[16][64]; /* places to bind */
static prnn_tensor args[PRNN_MAX_ARGS], grads[PRNN_MAX_ARGS];

static prnn_problem small(void)
{
    prnn_problem problem = PRNN_PROBLEM_INIT;
    problem.batch = 2;
    problem.seq_len = 3;
    problem.channels = 4;
    problem.backward = true;
    return problem;
}

static void bind_all(void)
{
    static const char *const names[] = {"u", "v", "dt", "a", "b", "h", "y", "hT:h"};
    memset(args, 0, sizeof args);
    memset(grads, 0, sizeof grads);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(prnn_plan_bind(plan, args, names[i], memory[i], PRNN_DENSE, PRNN_DENSE),
                         PRNN_OK);
    ck_assert_int_eq(prnn_plan_bind(plan, grads, "u", memory[8], PRNN_DENSE, PRNN_DENSE), PRNN_OK);
    ck_assert_int_eq(prnn_plan_bind(plan, grads, "h", memory[9], PRNN_DENSE, PRNN_DENSE), PRNN_OK);
}

static void setup(void)
{
    const prnn_problem problem = small();
    setenv("PARARNNC_CC", "none", 1);
    setenv("PARARNNC_CACHE_DIR", "none", 1);
    ck_assert_int_eq(prnn_context_create(&ctx, "cpu"), PRNN_OK);
    cell = world_cell(ctx, text);
    ck_assert_int_eq(prnn_plan_create(&plan, cell, &problem), PRNN_FALLBACK);
    workspace = aligned_alloc(256, 65536);
    ck_assert_uint_le(prnn_plan_workspace_size(plan), 65536);
    bind_all();
}

static void teardown(void)
{
    free(workspace);
    prnn_plan_free(plan);
    prnn_cell_free(cell);
    prnn_context_free(ctx);
}

/* The call was refused, and its words have 'part' in them. */
#define REFUSED(call, status, part)                                                                \
    do {                                                                                           \
        ck_assert_int_eq(call, status);                                                            \
        ck_assert_msg(strstr(prnn_last_error(), part) != NULL, "'%s' is not in: %s", part,         \
                      prnn_last_error());                                                          \
    } while (0)

/* There is one way to run on a CPU. */
START_TEST(a_plan_that_is_tuned_on_a_cpu_is_the_same_again)
{
    prnn_plan *tuned = NULL;
    memset(memory[5], 0, sizeof memory[5]);
    ck_assert_int_eq(prnn_plan_tune(&tuned, plan, args, grads, NULL), PRNN_FALLBACK);
    ck_assert_ptr_nonnull(tuned);
    ck_assert_ptr_ne(tuned, plan);
    ck_assert_str_eq(prnn_plan_describe(tuned), prnn_plan_describe(plan));
    for (int i = 0; i < 64; i++)
        ck_assert(memory[5][i] == 0);
    prnn_plan_free(plan);
    plan = tuned;
    ck_assert_int_eq(prnn_forward(plan, args, workspace, NULL), PRNN_OK);
    ck_assert_int_eq(prnn_backward(plan, args, grads, workspace, NULL), PRNN_OK);
    REFUSED(prnn_plan_tune(&tuned, plan, args, NULL, workspace), PRNN_E_INVALID, "'stream'");
    ck_assert_ptr_null(tuned);
}
END_TEST

START_TEST(contexts_refuse_unknown_devices)
{
    prnn_context *other = (prnn_context *)&other;
    REFUSED(prnn_context_create(&other, "gpu"), PRNN_E_INVALID, "gpu");
    ck_assert_ptr_null(other);
    REFUSED(prnn_context_create(&other, "cuda:"), PRNN_E_INVALID, "cuda:");
    REFUSED(prnn_context_create(&other, NULL), PRNN_E_INVALID, "device");
    REFUSED(prnn_context_create(NULL, "cpu"), PRNN_E_INVALID, "out");
    ck_assert_str_eq(prnn_context_device(ctx), "cpu");
}
END_TEST

START_TEST(memory_goes_there_and_back)
{
    void *there;
    int here[3] = {1, 2, 3}, back[3] = {0};
    ck_assert_int_eq(prnn_memory_alloc(ctx, &there, sizeof here), PRNN_OK);
    ck_assert_uint_eq((uintptr_t)there % 256, 0);
    ck_assert_int_eq(prnn_memory_upload(ctx, there, here, sizeof here, NULL), PRNN_OK);
    ck_assert_int_eq(prnn_memory_download(ctx, back, there, sizeof back, NULL), PRNN_OK);
    ck_assert_mem_eq(here, back, sizeof here);
    prnn_memory_free(ctx, there);
    ck_assert_int_eq(prnn_memory_alloc(ctx, &there, 0), PRNN_OK);
    ck_assert_ptr_null(there);
    REFUSED(prnn_memory_upload(ctx, NULL, here, 4, NULL), PRNN_E_INVALID, "NULL");
    REFUSED(prnn_memory_alloc(ctx, &there, SIZE_MAX - 8), PRNN_E_NOMEM, "memory");
}
END_TEST

START_TEST(cells_tell_their_names)
{
    prnn_cell_info info = PRNN_CELL_INFO_INIT;
    prnn_value_info value = PRNN_VALUE_INFO_INIT;
    ck_assert_int_eq(prnn_cell_describe(cell, &info), PRNN_OK);
    ck_assert_str_eq(info.name, "gate");
    ck_assert_uint_eq(info.states, 1);
    ck_assert_uint_eq(info.inputs, 3);
    ck_assert_uint_eq(info.params, 2);
    ck_assert_uint_eq(info.param_scalars, 3);
    ck_assert_uint_eq(info.outputs, 2);
    ck_assert(!info.is_affine);
    ck_assert_int_eq(prnn_cell_find(cell, "b", &value), PRNN_OK);
    ck_assert_int_eq(value.role, PRNN_PARAM);
    ck_assert_uint_eq(value.rank, 1);
    ck_assert_uint_eq(value.rows, 2);
    ck_assert_int_eq(prnn_cell_find(cell, "a", &value), PRNN_OK);
    ck_assert(value.has_range && value.lo == -1 && value.hi == 1);
    ck_assert_int_eq(prnn_cell_value(cell, PRNN_INPUT, 1, &value), PRNN_OK);
    ck_assert_str_eq(value.name, "v");
    ck_assert(!value.has_gradient);
    ck_assert_int_eq(prnn_cell_value(cell, PRNN_INPUT, 2, &value), PRNN_OK);
    ck_assert(value.is_shared);
    ck_assert_int_eq(prnn_cell_find(cell, "h", &value), PRNN_OK);
    ck_assert_int_eq(value.role, PRNN_STATE);
    ck_assert(value.initial == 0.5);
    REFUSED(prnn_cell_find(cell, "nobody", &value), PRNN_E_INVALID, "nobody");
    REFUSED(prnn_cell_value(cell, PRNN_STATE, 1, &value), PRNN_E_INVALID, "1");
    info.struct_size--;
    REFUSED(prnn_cell_describe(cell, &info), PRNN_E_INVALID, "struct_size");
}
END_TEST

START_TEST(messages_are_text_and_data)
{
    static const char wrong[] = "cell x {\n state h;\n h' = h + nobody;\n g' = 1;\n}\n";
    prnn_cell *other = cell;
    prnn_diagnostic diagnostic = PRNN_DIAGNOSTIC_INIT;
    REFUSED(prnn_cell_load_text(&other, ctx, "wrong.cell", wrong, sizeof wrong - 1, NULL),
            PRNN_E_CELL, "wrong.cell");
    ck_assert_ptr_null(other);
    ck_assert_ptr_nonnull(strstr(prnn_last_diagnostics(), "wrong.cell:3:11: error"));
    ck_assert_uint_ge(prnn_diagnostic_count(), 2);
    for (size_t i = 0; i < prnn_diagnostic_count(); i++) {
        ck_assert_int_eq(prnn_diagnostic_get(i, &diagnostic), PRNN_OK);
        if (diagnostic.line == 3)
            break;
    }
    ck_assert(diagnostic.is_error);
    ck_assert_uint_eq(diagnostic.line, 3);
    ck_assert_uint_eq(diagnostic.column, 11);
    ck_assert_str_eq(diagnostic.slug, "unknown-name");
    ck_assert_str_eq(diagnostic.file, "wrong.cell");
    REFUSED(prnn_diagnostic_get(99, &diagnostic), PRNN_E_INVALID, "99");
    prnn_cell *right = world_cell(ctx, text);
    ck_assert_uint_eq(prnn_diagnostic_count(), 0);
    ck_assert_str_eq(prnn_last_diagnostics(), "");
    prnn_cell_free(right);
}
END_TEST

START_TEST(files_that_are_not_there_are_io)
{
    prnn_cell *other;
    REFUSED(prnn_cell_load(&other, ctx, "/nowhere/x.cell", NULL), PRNN_E_IO, "/nowhere/x.cell");
    REFUSED(prnn_cell_load(&other, ctx, NULL, NULL), PRNN_E_INVALID, "path");
    REFUSED(prnn_cell_load(&other, NULL, "x", NULL), PRNN_E_INVALID, "ctx");
}
END_TEST

START_TEST(options_set_constants)
{
    static const char source[] = "cell c { const k = 2; state h; h' = k*h; }";
    static const char *const good[] = {"k=0.25"}, *const bad[] = {"k"}, *const worse[] = {"k=x"};
    static const char *const infinite[] = {"k=1e999"};
    prnn_cell_options options = PRNN_CELL_OPTIONS_INIT;
    prnn_cell_info info = PRNN_CELL_INFO_INIT;
    prnn_cell *other;
    options.defines = good;
    options.define_count = 1;
    ck_assert_int_eq(prnn_cell_load_text(&other, ctx, NULL, source, sizeof source - 1, &options),
                     PRNN_OK);
    ck_assert_int_eq(prnn_cell_describe(other, &info), PRNN_OK);
    ck_assert(info.is_affine);
    ck_assert(info.jacobian_bound >= 0.25 && info.jacobian_bound < 0.26);
    prnn_cell_free(other);
    options.defines = bad;
    REFUSED(prnn_cell_load_text(&other, ctx, NULL, source, sizeof source - 1, &options),
            PRNN_E_INVALID, "name=value");
    options.defines = worse;
    REFUSED(prnn_cell_load_text(&other, ctx, NULL, source, sizeof source - 1, &options),
            PRNN_E_INVALID, "number");
    options.defines = infinite;
    ck_assert_int_lt(prnn_cell_load_text(&other, ctx, NULL, source, sizeof source - 1, &options),
                     0);
    ck_assert_ptr_null(other);
    options.defines = NULL;
    REFUSED(prnn_cell_load_text(&other, ctx, NULL, source, sizeof source - 1, &options),
            PRNN_E_INVALID, "NULL");
}
END_TEST

START_TEST(options_choose_warnings)
{
    static const char source[] = "cell c { state h; input u, w; h' = 0.5*h + u; }";
    static const char *const strict[] = {"error=unused"}, *const off[] = {"error", "no-unused"},
                             *const bad[] = {"unheard-of"}, *const missing[] = {NULL};
    prnn_cell_options options = PRNN_CELL_OPTIONS_INIT;
    prnn_cell *other;
    options.warnings = strict;
    options.warning_count = 1;
    REFUSED(prnn_cell_load_text(&other, ctx, NULL, source, sizeof source - 1, &options),
            PRNN_E_CELL, "'w' is never used");
    options.warnings = off;
    options.warning_count = 2;
    ck_assert_int_eq(prnn_cell_load_text(&other, ctx, NULL, source, sizeof source - 1, &options),
                     PRNN_OK);
    prnn_cell_free(other);
    options.warnings = bad;
    options.warning_count = 1;
    REFUSED(prnn_cell_load_text(&other, ctx, NULL, source, sizeof source - 1, &options),
            PRNN_E_INVALID, "'unheard-of' names no warning");
    options.warnings = missing;
    REFUSED(prnn_cell_load_text(&other, ctx, NULL, source, sizeof source - 1, &options),
            PRNN_E_INVALID, "names no warning");
    options.warnings = NULL;
    REFUSED(prnn_cell_load_text(&other, ctx, NULL, source, sizeof source - 1, &options),
            PRNN_E_INVALID, "NULL");
}
END_TEST

START_TEST(problems_without_meaning_are_refused)
{
    prnn_plan *other;
    prnn_problem problem = small();
    problem.math = (prnn_math)3;
    REFUSED(prnn_plan_create(&other, cell, &problem), PRNN_E_INVALID, "math is 3");
    problem = small();
    problem.write = (prnn_write)4;
    REFUSED(prnn_plan_create(&other, cell, &problem), PRNN_E_INVALID, "write is 4");
    problem = small();
    problem.seq_len = INT64_MAX;
    REFUSED(prnn_plan_create(&other, cell, &problem), PRNN_E_LIMIT, "2^56");
    problem = small();
    problem.batch = -1;
    REFUSED(prnn_plan_create(&other, cell, &problem), PRNN_E_INVALID, "batch -1");
    problem = small();
    problem.seq_len = (int64_t)1 << 40;
    problem.channels = (int64_t)1 << 40;
    REFUSED(prnn_plan_create(&other, cell, &problem), PRNN_E_LIMIT, "2^56");
    problem = small();
    problem.storage = (prnn_storage)7;
    REFUSED(prnn_plan_create(&other, cell, &problem), PRNN_E_INVALID, "storage is 7");
    problem = small();
    problem.write = PRNN_WRITE_LAST;
    REFUSED(prnn_plan_create(&other, cell, &problem), PRNN_E_INVALID, "PRNN_WRITE_LAST");
    problem = small();
    problem.struct_size = 4;
    REFUSED(prnn_plan_create(&other, cell, &problem), PRNN_E_INVALID, "struct_size 4");
    problem = small();
    problem.threads = -3;
    REFUSED(prnn_plan_create(&other, cell, &problem), PRNN_E_INVALID, "threads is -3");
    problem = small();
    problem.tolerance = (double)NAN;
    REFUSED(prnn_plan_create(&other, cell, &problem), PRNN_E_INVALID, "NaN");
    REFUSED(prnn_plan_create(&other, NULL, &problem), PRNN_E_INVALID, "cell");
    ck_assert_ptr_null(other);
}
END_TEST

START_TEST(every_binding_is_asked_for_by_name)
{
    static const char *const needed[] = {"u", "v", "dt", "a", "b", "h", "y"};
    for (int i = 0; i < 7; i++) {
        bind_all();
        ck_assert_int_eq(prnn_plan_bind(plan, args, needed[i], NULL, 0, 0), PRNN_OK);
        char quoted[16];
        snprintf(quoted, sizeof quoted, "'%s'", needed[i]);
        REFUSED(prnn_forward(plan, args, workspace, NULL), PRNN_E_INVALID, quoted);
    }
    bind_all();
    ck_assert_int_eq(prnn_plan_bind(plan, args, "hT:h", NULL, 0, 0), PRNN_OK);
    ck_assert_int_eq(prnn_forward(plan, args, workspace, NULL), PRNN_OK);
    ck_assert_int_eq(prnn_backward(plan, args, grads, workspace, NULL), PRNN_OK);
}
END_TEST

START_TEST(bindings_without_meaning_are_refused)
{
    REFUSED(prnn_plan_bind(plan, args, "nobody", memory[0], 0, 0), PRNN_E_INVALID, "nobody");
    REFUSED(prnn_plan_bind(plan, args, "reset", memory[0], 0, 0), PRNN_E_INVALID, "resets");
    REFUSED(prnn_plan_bind(plan, args, "cu_seqlens", memory[0], 0, 0), PRNN_E_INVALID, "packed");
    REFUSED(prnn_plan_bind(plan, NULL, "u", memory[0], 0, 0), PRNN_E_INVALID, "args");
    /* Rows that fall on each other. */
    prnn_plan_bind(plan, args, "h", memory[5], PRNN_DENSE, 3);
    REFUSED(prnn_forward(plan, args, workspace, NULL), PRNN_E_INVALID, "coincide");
    bind_all();
    prnn_plan_bind(plan, args, "u", memory[0], 0, 0); /* the same input at every step is fine */
    ck_assert_int_eq(prnn_forward(plan, args, workspace, NULL), PRNN_OK);
    bind_all();
    prnn_plan_bind(plan, args, "y", memory[5], PRNN_DENSE, PRNN_DENSE);
    REFUSED(prnn_forward(plan, args, workspace, NULL), PRNN_E_INVALID, "same memory");
    bind_all();
    prnn_plan_bind(plan, args, "u", (char *)memory[0] + 1, PRNN_DENSE, PRNN_DENSE);
    REFUSED(prnn_forward(plan, args, workspace, NULL), PRNN_E_INVALID, "aligned");
    bind_all();
    prnn_plan_bind(plan, grads, "v", memory[10], PRNN_DENSE, PRNN_DENSE);
    REFUSED(prnn_backward(plan, args, grads, workspace, NULL), PRNN_E_INVALID, "nograd");
    bind_all();
    prnn_plan_bind(plan, grads, "u", memory[0], PRNN_DENSE, PRNN_DENSE);
    REFUSED(prnn_backward(plan, args, grads, workspace, NULL), PRNN_E_INVALID, "same memory");
}
END_TEST

START_TEST(calls_without_meaning_are_refused)
{
    REFUSED(prnn_forward(NULL, args, workspace, NULL), PRNN_E_INVALID, "plan");
    REFUSED(prnn_forward(plan, NULL, workspace, NULL), PRNN_E_INVALID, "args");
    REFUSED(prnn_forward(plan, args, NULL, NULL), PRNN_E_INVALID, "workspace");
    REFUSED(prnn_forward(plan, args, (char *)workspace + 4, NULL), PRNN_E_INVALID, "aligned");
    REFUSED(prnn_forward(plan, args, workspace, workspace), PRNN_E_INVALID, "stream");
    REFUSED(prnn_backward(plan, args, NULL, workspace, NULL), PRNN_E_INVALID, "grads");
    REFUSED(prnn_scan(plan, args, workspace, NULL), PRNN_E_INVALID, "prnn_plan_create");
    prnn_problem problem = small();
    problem.backward = false;
    prnn_plan *forward;
    ck_assert_int_ge(prnn_plan_create(&forward, cell, &problem), 0);
    REFUSED(prnn_backward(forward, args, grads, workspace, NULL), PRNN_E_INVALID, "backward");
    prnn_plan_free(forward);
    prnn_plan_free(NULL);
    prnn_cell_free(NULL);
    prnn_context_free(NULL);
}
END_TEST

START_TEST(wrong_starts_of_packed_sequences_are_refused)
{
    static int64_t starts[][3] = {{0, 4, 2}, {-1, 2, 3}, {0, 1, 4}};
    prnn_problem problem = small();
    prnn_plan *packed;
    problem.packed = true;
    ck_assert_int_ge(prnn_plan_create(&packed, cell, &problem), 0);
    static const char *const names[] = {"u", "v", "dt", "a", "b", "h", "y"};
    memset(args, 0, sizeof args);
    for (int i = 0; i < 7; i++)
        prnn_plan_bind(packed, args, names[i], memory[i], PRNN_DENSE, PRNN_DENSE);
    REFUSED(prnn_forward(packed, args, workspace, NULL), PRNN_E_INVALID, "'cu_seqlens'");
    for (int i = 0; i < 3; i++) {
        prnn_plan_bind(packed, args, "cu_seqlens", starts[i], 0, 0);
        REFUSED(prnn_forward(packed, args, workspace, NULL), PRNN_E_INVALID, "ascending");
    }
    prnn_plan_free(packed);
}
END_TEST

/* 300 functions in a row are fewer than 20,000 operations, and too many for one kernel function. */
START_TEST(a_cell_too_large_for_a_kernel_is_a_limit)
{
    static char long_text[20000] = "cell long_one { state h; input u; a0 = h;\n";
    for (int i = 0; i < 300; i++)
        sprintf(long_text + strlen(long_text), "a%d = tanh(a%d*u + %d.5);\n", i + 1, i, i);
    strcat(long_text, "h' = a300; }");
    prnn_cell *other = world_cell(ctx, long_text);
    prnn_problem problem = small();
    prnn_plan *none;
    REFUSED(prnn_plan_create(&none, other, &problem), PRNN_E_LIMIT, "too large for a kernel");
    ck_assert_ptr_null(strstr(prnn_last_error(), "report"));
    prnn_cell_free(other);
}
END_TEST

START_TEST(a_plan_outlives_its_cell)
{
    prnn_cell *other = world_cell(ctx, text);
    const prnn_problem problem = small();
    prnn_plan *orphan;
    ck_assert_int_ge(prnn_plan_create(&orphan, other, &problem), 0);
    prnn_cell_free(other);
    ck_assert_int_eq(prnn_forward(orphan, args, workspace, NULL), PRNN_OK);
    prnn_plan_free(orphan);
}
END_TEST

START_TEST(steps_in_a_row_are_the_forward_solve)
{
    float h[3][8], y[3][8], state[8];
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 64; j++)
            memory[i][j] = (float)world_random();
    ck_assert_int_eq(prnn_forward(plan, args, workspace, NULL), PRNN_OK);
    memcpy(h, memory[5], 2 * 3 * 4 * sizeof(float));
    memcpy(y, memory[6], 2 * 3 * 4 * sizeof(float));
    /* [2, 3, 4] by strides: one step of both sequences at a time. */
    for (int j = 0; j < 8; j++)
        state[j] = 0.5f;
    for (int t = 0; t < 3; t++) {
        float now[8], out[8];
        prnn_plan_bind(plan, args, "u", &memory[0][4 * t], 12, 0);
        prnn_plan_bind(plan, args, "v", &memory[1][4 * t], 12, 0);
        prnn_plan_bind(plan, args, "dt", &memory[2][t], 3, 0);
        prnn_plan_bind(plan, args, "h", now, PRNN_DENSE, 0);
        prnn_plan_bind(plan, args, "y", out, PRNN_DENSE, 0);
        prnn_plan_bind(plan, args, "h0:h", state, PRNN_DENSE, 0);
        prnn_plan_bind(plan, args, "hT:h", state, PRNN_DENSE, 0);
        ck_assert_int_eq(prnn_step(plan, args, workspace, NULL), PRNN_OK);
        for (int b = 0; b < 2; b++) {
            ck_assert_mem_eq(&now[4 * b], &((float *)h)[12 * b + 4 * t], 4 * sizeof(float));
            ck_assert_mem_eq(&out[4 * b], &((float *)y)[12 * b + 4 * t], 4 * sizeof(float));
            ck_assert_mem_eq(&state[4 * b], &((float *)h)[12 * b + 4 * t], 4 * sizeof(float));
        }
    }
}
END_TEST

/* Exact arithmetic: entries in {-1, 0, 1}, small integers that 8 bits hold. Any error is a wrong
 * index. Initial and final states of 16-bit tensors are float. */
START_TEST(the_scan_is_the_recurrence_exactly)
{
    enum { B = 2, T = 37, N = 5 };
    static const prnn_storage storages[] = {PRNN_F32, PRNN_F64, PRNN_BF16, PRNN_F16};
    const uint32_t n = 1 + (uint32_t)_i % 4;
    prnn_scan_problem problem = PRNN_SCAN_PROBLEM_INIT;
    problem.batch = B;
    problem.seq_len = T;
    problem.channels = N;
    problem.block = n;
    problem.is_diagonal = _i / 4 % 2;
    problem.transpose = _i / 8 % 2;
    problem.reverse = _i / 16 % 2;
    problem.storage = storages[_i / 32];
    const uint32_t entries = problem.is_diagonal ? n : n * n;
    const prnn_storage state_storage = problem.storage == PRNN_F64 ? PRNN_F64 : PRNN_F32;
    const size_t size = sizeof(double);
    void *jacobian = calloc(B * T * N * entries, size), *r = calloc(B * T * N * n, size);
    void *h = calloc(B * T * N * n, size), *h0 = calloc(B * N * n, size);
    void *last = calloc(B * N * n, size);
    /* One entry of each row: products stay small, permutations and their signs appear. */
    for (int64_t bt = 0; bt < B * T; bt++)
        for (int64_t c = 0; c < N; c++)
            for (uint32_t i = 0; i < n; i++) {
                const uint32_t k = problem.is_diagonal ? i : i * n + (uint32_t)(bt + c + i) % n;
                element_store(problem.storage, jacobian, (bt * entries + k) * N + c,
                              floor(1.5 * world_random() + 0.5));
                element_store(problem.storage, r, (bt * n + i) * N + c, floor(3 * world_random()));
            }
    for (int64_t at = 0; at < B * N * n; at++)
        element_store(state_storage, h0, at, floor(3 * world_random()));
    prnn_plan *scan;
    ck_assert_msg(prnn_scan_plan_create(&scan, ctx, &problem) == PRNN_OK, "%s", prnn_last_error());
    memset(args, 0, sizeof args);
    static const char *const names[] = {"J", "r", "h", "h0:h", "hT:h"};
    void *const places[] = {jacobian, r, h, h0, last};
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(prnn_plan_bind(scan, args, names[i], places[i], PRNN_DENSE, PRNN_DENSE),
                         PRNN_OK);
    ck_assert_msg(prnn_scan(scan, args, workspace, NULL) == PRNN_OK, "%s", prnn_last_error());
    for (int64_t b = 0; b < B; b++)
        for (int64_t c = 0; c < N; c++) {
            double state[4], next[4];
            for (uint32_t i = 0; i < n; i++)
                state[i] = element_load(state_storage, h0, (b * n + i) * N + c);
            for (int64_t step = 0; step < T; step++) {
                const int64_t t = b * T + (problem.reverse ? T - 1 - step : step);
                for (uint32_t i = 0; i < n; i++) {
                    next[i] = element_load(problem.storage, r, (t * n + i) * N + c);
                    for (uint32_t j = 0; j < n; j++) {
                        const uint32_t full = problem.transpose ? j * n + i : i * n + j;
                        if (!problem.is_diagonal || i == j)
                            next[i] +=
                                element_load(problem.storage, jacobian,
                                             (t * entries + (problem.is_diagonal ? i : full)) * N +
                                                 c) *
                                state[j];
                    }
                }
                memcpy(state, next, sizeof state);
                for (uint32_t i = 0; i < n; i++)
                    ck_assert_msg(element_load(problem.storage, h, (t * n + i) * N + c) == state[i],
                                  "n %u: state %u of step %d", n, i, (int)t);
            }
            for (uint32_t i = 0; i < n; i++)
                ck_assert(element_load(state_storage, last, (b * n + i) * N + c) == state[i]);
        }
    prnn_plan_free(scan);
    free(jacobian);
    free(r);
    free(h);
    free(h0);
    free(last);
}
END_TEST

START_TEST(scans_without_meaning_are_refused)
{
    prnn_scan_problem problem = PRNN_SCAN_PROBLEM_INIT;
    prnn_plan *scan;
    problem.block = 5;
    REFUSED(prnn_scan_plan_create(&scan, ctx, &problem), PRNN_E_INVALID, "block is 5");
    problem.block = 2;
    problem.struct_size = 1;
    REFUSED(prnn_scan_plan_create(&scan, ctx, &problem), PRNN_E_INVALID, "struct_size");
    problem.struct_size = sizeof problem;
    problem.storage = (prnn_storage)4;
    REFUSED(prnn_scan_plan_create(&scan, ctx, &problem), PRNN_E_INVALID, "storage is 4");
    problem.storage = PRNN_F32;
    problem.threads = -1;
    REFUSED(prnn_scan_plan_create(&scan, ctx, &problem), PRNN_E_INVALID, "threads is -1");
    problem.threads = 0;
    problem.batch = INT64_MAX;
    REFUSED(prnn_scan_plan_create(&scan, ctx, &problem), PRNN_E_LIMIT, "2^56");
    ck_assert_ptr_null(scan);
}
END_TEST

static void *solve(void *result)
{
    float h[64] = {0}, y[64] = {0}, last[64] = {0};
    prnn_tensor own[PRNN_MAX_ARGS];
    memcpy(own, args, sizeof own);
    void *space = aligned_alloc(256, 65536);
    bool is_same = true;
    prnn_plan_bind(plan, own, "h", h, PRNN_DENSE, PRNN_DENSE);
    prnn_plan_bind(plan, own, "y", y, PRNN_DENSE, PRNN_DENSE);
    prnn_plan_bind(plan, own, "hT:h", last, PRNN_DENSE, PRNN_DENSE);
    for (int i = 0; i < 200; i++)
        is_same = prnn_forward(plan, own, space, NULL) == PRNN_OK &&
                  !memcmp(h, memory[5], 24 * sizeof *h) && is_same;
    free(space);
    *(bool *)result = is_same;
    return NULL;
}

START_TEST(threads_share_a_plan)
{
    pthread_t threads[4];
    bool results[4] = {false};
    for (int j = 0; j < 64; j++)
        for (int i = 0; i < 5; i++)
            memory[i][j] = (float)world_random();
    ck_assert_int_eq(prnn_forward(plan, args, workspace, NULL), PRNN_OK);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, solve, &results[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        ck_assert(results[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan");
    TCase *tests = tcase_create("doors");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_plan_that_is_tuned_on_a_cpu_is_the_same_again);
    tcase_add_test(tests, contexts_refuse_unknown_devices);
    tcase_add_test(tests, memory_goes_there_and_back);
    tcase_add_test(tests, cells_tell_their_names);
    tcase_add_test(tests, messages_are_text_and_data);
    tcase_add_test(tests, files_that_are_not_there_are_io);
    tcase_add_test(tests, options_set_constants);
    tcase_add_test(tests, options_choose_warnings);
    tcase_add_test(tests, problems_without_meaning_are_refused);
    tcase_add_test(tests, every_binding_is_asked_for_by_name);
    tcase_add_test(tests, bindings_without_meaning_are_refused);
    tcase_add_test(tests, calls_without_meaning_are_refused);
    tcase_add_test(tests, wrong_starts_of_packed_sequences_are_refused);
    tcase_add_test(tests, a_cell_too_large_for_a_kernel_is_a_limit);
    tcase_add_test(tests, a_plan_outlives_its_cell);
    tcase_add_test(tests, steps_in_a_row_are_the_forward_solve);
    tcase_add_loop_test(tests, the_scan_is_the_recurrence_exactly, 0, 128);
    tcase_add_test(tests, scans_without_meaning_are_refused);
    tcase_add_test(tests, threads_share_a_plan);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
