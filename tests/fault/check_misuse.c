/* Misuse of the public API: a status and words, no crash, nothing written. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault_figures.h"
#include "small_run.h"

static struct figure *figures;
enum { ARGUMENTS, BINDINGS, SHAPES, SEQUENCES };

static const char vector_text[] =
    "cell v { state h[2]; state g; input u[2]; input d : shared; param R[2, 2]; param s : shared;\n"
    "h' = tanh(R @ h + u*d); g' = 0.5*g + s*h[0]; output y = h'*g'; }\n";

static prnn_context *ctx;
static prnn_cell *cell;
static prnn_plan *plan, *scan;

static void setup(void)
{
    prnn_problem problem = small_problem();
    prnn_scan_problem scan_problem = PRNN_SCAN_PROBLEM_INIT;
    ck_assert_int_eq(setenv("PARARNNC_CC", "none", 1), 0);
    ck_assert_int_eq(prnn_context_create(&ctx, "cpu"), PRNN_OK);
    ck_assert_msg(prnn_cell_load_text(&cell, ctx, "v", vector_text, sizeof vector_text - 1, NULL) ==
                      PRNN_OK,
                  "%s", prnn_last_diagnostics());
    problem.resets = true;
    ck_assert_int_eq(prnn_plan_create(&plan, cell, &problem), PRNN_FALLBACK);
    scan_problem.batch = scan_problem.seq_len = scan_problem.channels = 2;
    ck_assert_int_eq(prnn_scan_plan_create(&scan, ctx, &scan_problem), PRNN_OK);
}

static void teardown(void)
{
    prnn_plan_free(scan);
    prnn_plan_free(plan);
    prnn_cell_free(cell);
    prnn_context_free(ctx);
}

static void refused(prnn_status found, prnn_status expected, const char *words, int line, int what)
{
    figures[what].goal++;
    ck_assert_msg(found == expected && strstr(prnn_last_error(), words),
                  "line %d: %s, '%s', needed is %s, '%s'", line, prnn_status_name(found),
                  prnn_last_error(), prnn_status_name(expected), words);
    figures[what].reached++;
}
#define REFUSED(call, words) refused(call, PRNN_E_INVALID, words, __LINE__, ARGUMENTS)

START_TEST(null_is_refused_by_name)
{
    prnn_tensor args[PRNN_MAX_ARGS] = PRNN_ARGS_INIT;
    prnn_problem problem = small_problem();
    prnn_scan_problem scan_problem = PRNN_SCAN_PROBLEM_INIT;
    prnn_cell_info info = PRNN_CELL_INFO_INIT;
    prnn_value_info value = PRNN_VALUE_INFO_INIT;
    prnn_certificate certificate = PRNN_CERTIFICATE_INIT;
    static _Alignas(256) char memory[1 << 16];
    prnn_context *other = ctx;
    prnn_cell *loaded = cell;
    prnn_plan *made = plan;
    void *block = memory;
    float number = 0;
    REFUSED(prnn_context_create(NULL, "cpu"), "out");
    REFUSED(prnn_context_create(&other, NULL), "device");
    ck_assert_ptr_null(other);
    REFUSED(prnn_memory_alloc(NULL, &block, 4), "ctx");
    ck_assert_ptr_null(block);
    REFUSED(prnn_memory_alloc(ctx, NULL, 4), "out");
    REFUSED(prnn_memory_upload(NULL, memory, memory, 4, NULL), "ctx");
    REFUSED(prnn_memory_upload(ctx, NULL, memory, 4, NULL), "NULL");
    REFUSED(prnn_memory_upload(ctx, memory, NULL, 4, NULL), "NULL");
    REFUSED(prnn_memory_download(ctx, NULL, memory, 4, NULL), "NULL");
    REFUSED(prnn_memory_download(ctx, memory, memory, 4, memory), "stream");
    REFUSED(prnn_stream_wait(NULL, NULL), "ctx");
    REFUSED(prnn_cell_load(NULL, ctx, "x", NULL), "out");
    REFUSED(prnn_cell_load(&loaded, NULL, "x", NULL), "ctx");
    ck_assert_ptr_null(loaded);
    REFUSED(prnn_cell_load(&loaded, ctx, NULL, NULL), "path");
    REFUSED(prnn_cell_load_text(&loaded, ctx, "x", NULL, 3, NULL), "text");
    REFUSED(prnn_cell_describe(NULL, &info), "cell");
    REFUSED(prnn_cell_describe(cell, NULL), "out");
    REFUSED(prnn_cell_value(NULL, PRNN_STATE, 0, &value), "cell");
    REFUSED(prnn_cell_value(cell, PRNN_STATE, 0, NULL), "out");
    REFUSED(prnn_cell_value(cell, PRNN_STATE, 2, &value), "no value 2");
    REFUSED(prnn_cell_value(cell, (prnn_role)77, 0, &value), "role is 77");
    REFUSED(prnn_cell_find(cell, NULL, &value), "name");
    REFUSED(prnn_cell_find(cell, "nobody", &value), "nobody");
    REFUSED(prnn_diagnostic_get(0, NULL), "out");
    REFUSED(prnn_plan_create(NULL, cell, &problem), "out");
    REFUSED(prnn_plan_create(&made, NULL, &problem), "cell");
    ck_assert_ptr_null(made);
    REFUSED(prnn_plan_create(&made, cell, NULL), "problem");
    REFUSED(prnn_scan_plan_create(NULL, ctx, &scan_problem), "out");
    REFUSED(prnn_scan_plan_create(&made, NULL, &scan_problem), "ctx");
    REFUSED(prnn_scan_plan_create(&made, ctx, NULL), "problem");
    REFUSED(prnn_plan_bind(NULL, args, "u", memory, 0, 0), "plan");
    REFUSED(prnn_plan_bind(plan, NULL, "u", memory, 0, 0), "args");
    REFUSED(prnn_plan_bind(plan, args, NULL, memory, 0, 0), "name");
    REFUSED(prnn_plan_bind(plan, args, "h0:nobody", memory, 0, 0), "nobody");
    REFUSED(prnn_forward(NULL, args, memory, NULL), "plan");
    REFUSED(prnn_forward(plan, NULL, memory, NULL), "args");
    REFUSED(prnn_forward(plan, args, NULL, NULL), "workspace");
    REFUSED(prnn_forward(plan, args, memory + 4, NULL), "aligned");
    REFUSED(prnn_forward(plan, args, memory, memory), "stream");
    REFUSED(prnn_forward(scan, args, memory, NULL), "prnn_scan_plan_create");
    REFUSED(prnn_backward(NULL, args, args, memory, NULL), "plan");
    REFUSED(prnn_backward(plan, args, NULL, memory, NULL), "grads");
    REFUSED(prnn_step(NULL, args, memory, NULL), "plan");
    REFUSED(prnn_step(plan, NULL, memory, NULL), "args");
    REFUSED(prnn_scan(NULL, args, memory, NULL), "plan");
    REFUSED(prnn_scan(plan, args, memory, NULL), "prnn_plan_create");
    REFUSED(prnn_plan_certificate(plan, NULL, &certificate, NULL), "workspace");
    REFUSED(prnn_plan_certificate(plan, memory, NULL, NULL), "out");
    REFUSED(prnn_plan_certificate(NULL, memory, &certificate, NULL), "plan");
    REFUSED(prnn_params_init(NULL, "R", 1, 2, PRNN_F32, &number, PRNN_DENSE), "cell");
    REFUSED(prnn_params_init(cell, NULL, 1, 2, PRNN_F32, &number, PRNN_DENSE), "name");
    REFUSED(prnn_params_init(cell, "R", 1, 2, PRNN_F32, NULL, PRNN_DENSE), "R");
    REFUSED(prnn_params_init(cell, "R", 1, -2, PRNN_F32, &number, PRNN_DENSE), "-2");
    REFUSED(prnn_params_init(cell, "R", 1, 2, PRNN_BF16, &number, PRNN_DENSE), "storage");
    REFUSED(prnn_params_init(cell, "u", 1, 2, PRNN_F32, &number, PRNN_DENSE), "u");
    REFUSED(prnn_params_clip(cell, "s", 1, PRNN_F32, NULL, PRNN_DENSE), "s");
    /* What only reads or frees takes NULL. */
    ck_assert_uint_eq(prnn_plan_workspace_size(NULL), 0);
    ck_assert_str_eq(prnn_plan_describe(NULL), "");
    ck_assert_str_eq(prnn_context_device(NULL), "");
    ck_assert_str_eq(prnn_context_describe(NULL), "");
    prnn_memory_free(NULL, NULL);
    prnn_plan_free(NULL);
    prnn_cell_free(NULL);
    prnn_context_free(NULL);
}
END_TEST

START_TEST(a_struct_of_another_size_is_refused_with_both_sizes)
{
    static const size_t wrong[] = {0, 1, 8, (size_t)-1};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        prnn_problem problem = small_problem();
        prnn_scan_problem scan_problem = PRNN_SCAN_PROBLEM_INIT;
        prnn_cell_options options = PRNN_CELL_OPTIONS_INIT;
        prnn_cell_info info = PRNN_CELL_INFO_INIT;
        prnn_value_info value = PRNN_VALUE_INFO_INIT;
        prnn_certificate certificate = PRNN_CERTIFICATE_INIT;
        prnn_diagnostic diagnostic = PRNN_DIAGNOSTIC_INIT;
        static _Alignas(256) char workspace[1 << 16];
        prnn_plan *made;
        prnn_cell *loaded;
        char words[40];
        snprintf(words, sizeof words, "struct_size %zu", wrong[i]);
        problem.struct_size = scan_problem.struct_size = options.struct_size = wrong[i];
        info.struct_size = value.struct_size = certificate.struct_size = wrong[i];
        diagnostic.struct_size = wrong[i];
        REFUSED(prnn_plan_create(&made, cell, &problem), words);
        REFUSED(prnn_scan_plan_create(&made, ctx, &scan_problem), words);
        REFUSED(prnn_cell_load_text(&loaded, ctx, "x", "", 0, &options), words);
        REFUSED(prnn_cell_describe(cell, &info), words);
        REFUSED(prnn_cell_value(cell, PRNN_STATE, 0, &value), words);
        REFUSED(prnn_cell_find(cell, "h", &value), words);
        REFUSED(prnn_plan_certificate(plan, workspace, &certificate, NULL), words);
        REFUSED(prnn_diagnostic_get(0, &diagnostic), words);
    }
}
END_TEST

/* ---- bindings ---- */

/* Names of the plan, their elements for dense tensors, and bytes of one. */
static const struct binding {
    const char *name;
    size_t count, size;
    bool is_needed, is_written;
} bindings[] = {
    {"u", 2 * SMALL_BATCH *SMALL_STEPS *SMALL_CHANNELS, 4, true, false},
    {"d", SMALL_BATCH *SMALL_STEPS, 4, true, false},
    {"R", 4 * SMALL_CHANNELS, 4, true, false},
    {"s", 1, 4, true, false},
    {"reset", SMALL_BATCH *SMALL_STEPS, 1, true, false},
    {"h0:h", 2 * SMALL_BATCH *SMALL_CHANNELS, 4, false, false},
    {"h0:g", SMALL_BATCH *SMALL_CHANNELS, 4, false, false},
    {"h", 2 * SMALL_BATCH *SMALL_STEPS *SMALL_CHANNELS, 4, true, true},
    {"g", SMALL_BATCH *SMALL_STEPS *SMALL_CHANNELS, 4, true, true},
    {"y", 2 * SMALL_BATCH *SMALL_STEPS *SMALL_CHANNELS, 4, true, true},
    {"hT:h", 2 * SMALL_BATCH *SMALL_CHANNELS, 4, false, true},
    {"hT:g", SMALL_BATCH *SMALL_CHANNELS, 4, false, true},
};
enum { BINDINGS_COUNT = sizeof bindings / sizeof *bindings, EACH = 4096 };

static _Alignas(256) unsigned char memory[BINDINGS_COUNT][EACH], grads_memory[BINDINGS_COUNT][EACH];
static _Alignas(256) unsigned char workspace_memory[1 << 16];
static prnn_tensor args[PRNN_MAX_ARGS], grads[PRNN_MAX_ARGS];

static void bind_all(void)
{
    memset(args, 0, sizeof args);
    memset(grads, 0, sizeof grads);
    for (int i = 0; i < BINDINGS_COUNT; i++) {
        ck_assert_int_eq(
            prnn_plan_bind(plan, args, bindings[i].name, memory[i], PRNN_DENSE, PRNN_DENSE),
            PRNN_OK);
        if (strcmp(bindings[i].name, "reset") != 0)
            ck_assert_int_eq(prnn_plan_bind(plan, grads, bindings[i].name, grads_memory[i],
                                            PRNN_DENSE, PRNN_DENSE),
                             PRNN_OK);
    }
}

static bool is_all(const unsigned char bytes[EACH], unsigned char value)
{
    for (int k = 0; k < EACH; k++)
        if (bytes[k] != value)
            return false;
    return true;
}

/* Refused, with the name in the words, and nothing written. */
static void binding_refused(prnn_status found, const char *name, const char *words)
{
    char quoted[40];
    figures[BINDINGS].goal++;
    snprintf(quoted, sizeof quoted, "'%s'", name);
    ck_assert_msg(found == PRNN_E_INVALID && strstr(prnn_last_error(), quoted) &&
                      strstr(prnn_last_error(), words),
                  "%s: %s, '%s', needed is '%s'", name, prnn_status_name(found), prnn_last_error(),
                  words);
    for (int i = 0; i < BINDINGS_COUNT; i++)
        if (!is_all(memory[i], 0) || !is_all(grads_memory[i], 0))
            ck_abort_msg("%s: '%s' was written", name, bindings[i].name);
    figures[BINDINGS].reached++;
}

static prnn_status forward(void)
{
    return prnn_forward(plan, args, workspace_memory, NULL);
}

static prnn_status backward(void)
{
    return prnn_backward(plan, args, grads, workspace_memory, NULL);
}

START_TEST(a_binding_that_is_missing_or_misplaced_is_named)
{
    for (int i = 0; i < BINDINGS_COUNT; i++) {
        const struct binding *b = &bindings[i];
        bind_all();
        if (b->is_needed) {
            prnn_plan_bind(plan, args, b->name, NULL, PRNN_DENSE, PRNN_DENSE);
            binding_refused(forward(), b->name, "is not bound");
        }
        for (size_t offset = 1; offset < b->size; offset++) {
            bind_all();
            prnn_plan_bind(plan, args, b->name, memory[i] + offset, PRNN_DENSE, PRNN_DENSE);
            binding_refused(forward(), b->name, "is not aligned");
            if (strncmp(b->name, "hT:", 3) != 0)
                binding_refused(backward(), b->name, "is not aligned");
            bind_all();
            prnn_plan_bind(plan, grads, b->name, grads_memory[i] + offset, PRNN_DENSE, PRNN_DENSE);
            binding_refused(backward(), b->name, "is not aligned");
        }
    }
}
END_TEST

START_TEST(strides_that_no_memory_has_are_refused)
{
    static const int64_t strides[] = {INT64_MAX, INT64_MIN + 1, INT64_MAX / 4,
                                      ((int64_t)1 << 55) + 64, -((int64_t)1 << 55) - 64};
    for (int i = 0; i < BINDINGS_COUNT; i++)
        for (size_t k = 0; k < sizeof strides / sizeof *strides; k++) {
            const char *name = bindings[i].name;
            const bool has_time =
                !strchr(name, ':') && strcmp(name, "R") != 0 && strcmp(name, "s") != 0;
            const bool has_batch = strcmp(name, "R") != 0 && strcmp(name, "s") != 0;
            if (has_batch) {
                bind_all();
                prnn_plan_bind(plan, args, name, memory[i], strides[k], PRNN_DENSE);
                binding_refused(forward(), name, "reach beyond");
            }
            if (has_time) {
                bind_all();
                prnn_plan_bind(plan, args, name, memory[i], PRNN_DENSE, strides[k]);
                binding_refused(forward(), name, "reach beyond");
            }
            if (strchr("uRhy", name[0]) && (has_time || name[0] == 'R')) {
                bind_all();
                prnn_plan_bind_strided(plan, args, name, memory[i], PRNN_DENSE, PRNN_DENSE,
                                       strides[k]);
                binding_refused(forward(), name, "reach beyond");
            }
        }
}
END_TEST

START_TEST(written_elements_that_coincide_are_refused)
{
    static const struct {
        const char *name;
        int64_t stride_b, stride_t, stride_e;
    } rows[] = {
        {"h", 0, PRNN_DENSE, PRNN_DENSE},
        {"h", PRNN_DENSE, 0, PRNN_DENSE},
        {"h", PRNN_DENSE, PRNN_DENSE, 0},
        {"h", PRNN_DENSE, PRNN_DENSE, SMALL_CHANNELS - 1},
        {"h", PRNN_DENSE, SMALL_CHANNELS, PRNN_DENSE}, /* the second element is the next step's */
        {"h", 2 * SMALL_CHANNELS, PRNN_DENSE, PRNN_DENSE}, /* sequence 1 is sequence 0's step 1 */
        {"g", SMALL_CHANNELS, SMALL_CHANNELS, PRNN_DENSE},
        {"g", SMALL_CHANNELS * (SMALL_STEPS - 1), PRNN_DENSE, PRNN_DENSE},
        {"g", -SMALL_CHANNELS, SMALL_CHANNELS, PRNN_DENSE},
        {"y", PRNN_DENSE, PRNN_DENSE, SMALL_CHANNELS - 2},
        {"y", 0, PRNN_DENSE, PRNN_DENSE},
        {"hT:h", SMALL_CHANNELS, 0, PRNN_DENSE},
        {"hT:g", SMALL_CHANNELS - 1, 0, PRNN_DENSE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int k = 0;
        while (strcmp(bindings[k].name, rows[i].name) != 0)
            k++;
        bind_all();
        prnn_plan_bind_strided(plan, args, rows[i].name, memory[k] + EACH / 2, rows[i].stride_b,
                               rows[i].stride_t, rows[i].stride_e);
        binding_refused(forward(), rows[i].name, "coincide");
        /* As a gradient that is only read it may. */
        bind_all();
        prnn_plan_bind_strided(plan, grads, rows[i].name, grads_memory[k] + EACH / 2,
                               rows[i].stride_b, rows[i].stride_t, rows[i].stride_e);
        ck_assert_msg(prnn_backward(plan, args, grads, workspace_memory, NULL) == PRNN_OK,
                      "row %zu: '%s'", i, prnn_last_error());
        memset(grads_memory, 0, sizeof grads_memory);
    }
}
END_TEST

START_TEST(what_is_written_shares_no_byte_with_anything_else)
{
    for (int i = 0; i < BINDINGS_COUNT; i++)
        for (int k = 0; k < BINDINGS_COUNT; k++) {
            const size_t bytes = bindings[k].count * bindings[k].size;
            if (!bindings[i].is_written || i == k)
                continue;
            /* The first, a middle and the last element of another tensor. */
            for (int place = 0; place < 3; place++) {
                const size_t at = place == 0 ? 0 : place == 1 ? bytes / 8 * 4 : bytes - 4;
                /* h0 and hT of one state may be the same. */
                if (place == 0 && strncmp(bindings[i].name, "hT:", 3) == 0 &&
                    strncmp(bindings[k].name, "h0:", 3) == 0 &&
                    strcmp(bindings[i].name + 3, bindings[k].name + 3) == 0)
                    continue;
                if (at % 4 != 0 || bytes < 4)
                    continue;
                bind_all();
                prnn_plan_bind(plan, args, bindings[i].name, memory[k] + at, PRNN_DENSE,
                               PRNN_DENSE);
                figures[BINDINGS].goal++;
                const prnn_status st = forward();
                ck_assert_msg(st == PRNN_E_INVALID && strstr(prnn_last_error(), "same memory"),
                              "'%s' in '%s' at %zu: %s, '%s'", bindings[i].name, bindings[k].name,
                              at, prnn_status_name(st), prnn_last_error());
                figures[BINDINGS].reached++;
            }
        }
    /* Gradients that are written, in what is read. */
    static const char *const written[] = {"u", "d", "R", "s", "h0:h", "h0:g"};
    for (size_t i = 0; i < sizeof written / sizeof *written; i++)
        for (int k = 0; k < BINDINGS_COUNT; k++) {
            if (strcmp(bindings[k].name, "reset") == 0 || strncmp(bindings[k].name, "hT:", 3) == 0)
                continue;
            bind_all();
            prnn_plan_bind(plan, grads, written[i], memory[k], PRNN_DENSE, PRNN_DENSE);
            binding_refused(backward(), written[i], "same memory");
            if (strcmp(written[i], bindings[k].name) == 0)
                continue;
            bind_all();
            prnn_plan_bind(plan, grads, written[i], grads_memory[k], PRNN_DENSE, PRNN_DENSE);
            figures[BINDINGS].goal++;
            ck_assert_int_eq(backward(), PRNN_E_INVALID);
            figures[BINDINGS].reached++;
        }
}
END_TEST

START_TEST(tensors_side_by_side_in_one_buffer_are_fine)
{
    /* [B, T, 2 of h, g, 2 of y] with the state before the first step in a column before it. */
    static float buffer[SMALL_BATCH * (SMALL_STEPS + 1) * 5 * SMALL_CHANNELS];
    enum { N = SMALL_CHANNELS, T = 5 * N, B = (SMALL_STEPS + 1) * T };
    bind_all();
    prnn_plan_bind_strided(plan, args, "h", buffer + T, B, T, N);
    prnn_plan_bind_strided(plan, args, "g", buffer + T + 2 * N, B, T, N);
    prnn_plan_bind_strided(plan, args, "y", buffer + T + 3 * N, B, T, N);
    prnn_plan_bind_strided(plan, args, "h0:h", buffer, B, 0, N);
    prnn_plan_bind_strided(plan, args, "h0:g", buffer + 2 * N, B, 0, N);
    ck_assert_msg(forward() == PRNN_OK, "%s", prnn_last_error());
    /* And the same one channel further on is not. */
    memset(memory, 0, sizeof memory);
    prnn_plan_bind_strided(plan, args, "g", buffer + T + 2 * N + 1, B, T, N);
    binding_refused(forward(), "g", "same memory");
}
END_TEST

/* ---- shapes ---- */

START_TEST(an_empty_problem_succeeds_and_writes_nothing)
{
    for (int mask = 1; mask < 8; mask++) {
        prnn_problem problem = small_problem();
        prnn_plan *kept = plan;
        problem.resets = true;
        if (mask & 1)
            problem.batch = 0;
        if (mask & 2)
            problem.seq_len = 0;
        if (mask & 4)
            problem.channels = 0;
        figures[SHAPES].goal++;
        ck_assert_int_eq(prnn_plan_create(&plan, cell, &problem), PRNN_FALLBACK);
        ck_assert_uint_le(prnn_plan_workspace_size(plan), sizeof workspace_memory);
        bind_all();
        memset(memory, 0x5a, sizeof memory);
        memset(grads_memory, 0x5a, sizeof grads_memory);
        ck_assert_msg(forward() == PRNN_OK, "%s", prnn_last_error());
        ck_assert_msg(backward() == PRNN_OK, "%s", prnn_last_error());
        for (int i = 0; i < BINDINGS_COUNT; i++) {
            const char *name = bindings[i].name;
            /* Sums over no sequences are 0: gradients of parameters; and with no steps the state
             * after the last step is the one before the first. */
            const bool may_be_written = !(mask & 4) && (!strcmp(name, "R") || !strcmp(name, "s"));
            const bool may_carry = mask == 2 && strchr(name, ':');
            ck_assert_msg(is_all(memory[i], 0x5a) || may_carry, "mask %d: '%s' was written", mask,
                          name);
            ck_assert_msg(is_all(grads_memory[i], 0x5a) || may_carry || may_be_written ||
                              !strcmp(name, "s"),
                          "mask %d: gradient of '%s' was written", mask, name);
        }
        prnn_plan_free(plan);
        plan = kept;
        figures[SHAPES].reached++;
    }
}
END_TEST

START_TEST(lengths_whose_products_overflow_are_refused)
{
    static const int64_t large[] = {(int64_t)1 << 31, (int64_t)1 << 40, (int64_t)1 << 56,
                                    (int64_t)1 << 62, INT64_MAX};
    for (size_t i = 0; i < 5; i++)
        for (int mask = 1; mask < 8; mask++) {
            prnn_problem problem = small_problem();
            prnn_scan_problem scan_problem = PRNN_SCAN_PROBLEM_INIT;
            prnn_plan *made = plan;
            problem.batch = mask & 1 ? large[i] : 1;
            problem.seq_len = mask & 2 ? large[i] : 1;
            problem.channels = mask & 4 ? large[i] : 1;
            scan_problem.batch = problem.batch;
            scan_problem.seq_len = problem.seq_len;
            scan_problem.channels = problem.channels;
            figures[SHAPES].goal += 2;
            prnn_status st = prnn_plan_create(&made, cell, &problem);
            ck_assert_msg(st == PRNN_E_LIMIT || st == PRNN_FALLBACK, "2^%zu, mask %d: %s, '%s'", i,
                          mask, prnn_status_name(st), prnn_last_error());
            ck_assert((st == PRNN_FALLBACK) == (made != NULL));
            /* What is made has a workspace that says its size. */
            if (made)
                ck_assert_uint_le(prnn_plan_workspace_size(made), (size_t)1 << 62);
            if ((mask & (mask - 1)) && i > 0)
                ck_assert_int_eq(st, PRNN_E_LIMIT);
            prnn_plan_free(made);
            st = prnn_scan_plan_create(&made, ctx, &scan_problem);
            ck_assert_msg(st == PRNN_E_LIMIT || st == PRNN_OK, "%s", prnn_last_error());
            prnn_plan_free(made);
            problem.batch = -problem.batch;
            ck_assert_int_eq(prnn_plan_create(&made, cell, &problem), PRNN_E_INVALID);
            figures[SHAPES].reached += 2;
        }
    static _Alignas(256) char block[256];
    void *out = block;
    figures[SHAPES].goal++;
    ck_assert_int_eq(prnn_memory_alloc(ctx, &out, SIZE_MAX), PRNN_E_NOMEM);
    ck_assert_ptr_null(out);
    figures[SHAPES].reached++;
}
END_TEST

/* ---- values ---- */

static void values_make(void)
{
    bind_all();
    memset(memory, 0, sizeof memory);
    memset(grads_memory, 0, sizeof grads_memory);
    for (int i = 0; i < BINDINGS_COUNT; i++)
        for (size_t k = 0; bindings[i].size == 4 && k < EACH / 4; k++) {
            const float value = (float)((size_t)(i * 977 + 31) * (k + 7) % 1999) / 1000.0f - 1;
            memcpy(memory[i] + 4 * k, &value, 4);
            memcpy(grads_memory[i] + 4 * k, &value, 4);
        }
}

/* The bytes of sequence b of a tensor with a batch axis. */
static const unsigned char *sequence_of(unsigned char (*from)[EACH], int i, int b, size_t *size)
{
    *size = bindings[i].count * bindings[i].size / SMALL_BATCH;
    return from[i] + (size_t)b * *size;
}

START_TEST(values_that_are_no_numbers_stay_in_their_sequence)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    static const char *const places[] = {"u", "h0:h", "h0:g", "d"};
    static unsigned char kept[BINDINGS_COUNT][EACH], kept_grads[BINDINGS_COUNT][EACH];
    if (_i) {
        prnn_problem problem = small_problem();
        problem.resets = true;
        ck_assert_int_eq(unsetenv("PARARNNC_CC"), 0);
        prnn_plan_free(plan);
        ck_assert_int_ge(prnn_plan_create(&plan, cell, &problem), PRNN_OK);
    }
    values_make();
    ck_assert_int_eq(forward(), PRNN_OK);
    ck_assert_int_eq(backward(), PRNN_OK);
    memcpy(kept, memory, sizeof kept);
    memcpy(kept_grads, grads_memory, sizeof kept_grads);
    for (size_t p = 0; p < 4; p++)
        for (size_t v = 0; v < 3; v++) {
            int at = 0;
            size_t size, wrong = 0;
            while (strcmp(bindings[at].name, places[p]) != 0)
                at++;
            values_make();
            figures[SEQUENCES].goal++;
            (void)sequence_of(memory, at, 1, &size);
            memcpy(memory[at] + size, &bad[v], 4); /* the first value of sequence 1 */
            prnn_certificate certificate = PRNN_CERTIFICATE_INIT;
            const prnn_status st = forward();
            /* tanh takes an infinite number back to 1. */
            ck_assert_msg(st == PRNN_NONFINITE || (st == PRNN_OK && v > 0), "'%s' has %g: %s",
                          places[p], (double)bad[v], prnn_status_name(st));
            ck_assert_int_eq(prnn_plan_certificate(plan, workspace_memory, &certificate, NULL), st);
            ck_assert_int_eq(certificate.nonfinite, st == PRNN_NONFINITE);
            ck_assert_int_ge(backward(), PRNN_OK);
            for (int i = 0; i < BINDINGS_COUNT; i++) {
                const bool has_batch =
                    strcmp(bindings[i].name, "R") && strcmp(bindings[i].name, "s");
                if (!has_batch)
                    continue;
                const unsigned char *was = sequence_of(kept, i, 0, &size);
                ck_assert_msg(!memcmp(was, sequence_of(memory, i, 0, &size), size),
                              "'%s' has %g: '%s' of another sequence differs", places[p],
                              (double)bad[v], bindings[i].name);
                was = sequence_of(kept_grads, i, 0, &size);
                ck_assert_msg(!memcmp(was, sequence_of(grads_memory, i, 0, &size), size),
                              "'%s' has %g: gradient of '%s' of another sequence differs",
                              places[p], (double)bad[v], bindings[i].name);
                was = sequence_of(kept, i, 1, &size);
                wrong += memcmp(was, sequence_of(memory, i, 1, &size), size) != 0;
            }
            ck_assert_uint_gt(wrong, 1); /* besides the input itself */
            figures[SEQUENCES].reached++;
        }
}
END_TEST

int main(int argc, char **argv)
{
    static const char *const names[] = {"arguments of the API that are refused by name",
                                        "bindings that are refused by name, nothing written",
                                        "empty, huge and negative shapes",
                                        "NaN and inf that stay in their sequence", NULL};
    if (argc < 2)
        return 1;
    figures = figures_begin(argv[1], names);
    TCase *cases = tcase_create("misuse");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, null_is_refused_by_name);
    tcase_add_test(cases, a_struct_of_another_size_is_refused_with_both_sizes);
    tcase_add_test(cases, a_binding_that_is_missing_or_misplaced_is_named);
    tcase_add_test(cases, strides_that_no_memory_has_are_refused);
    tcase_add_test(cases, written_elements_that_coincide_are_refused);
    tcase_add_test(cases, what_is_written_shares_no_byte_with_anything_else);
    tcase_add_test(cases, tensors_side_by_side_in_one_buffer_are_fine);
    tcase_add_test(cases, an_empty_problem_succeeds_and_writes_nothing);
    tcase_add_test(cases, lengths_whose_products_overflow_are_refused);
    tcase_add_loop_test(cases, values_that_are_no_numbers_stay_in_their_sequence, 0, 2);
    Suite *suite = suite_create("misuse");
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    figures_write();
    return failed != 0;
}
