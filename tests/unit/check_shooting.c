/* The reference solver: the sequential answer, and how it gets there. An output test alone would
 * not do, since Newton repairs its own bugs: finite termination and the order of convergence are
 * tested by themselves. */
#include "shooting.h"
#include "world.h"

#include <unistd.h>

static const char gru[] = "cell gru { state h; input u_z, u_r, u_c; param a_z, a_r, a_c;\n"
                          "z = sigmoid(a_z*h + u_z); r = sigmoid(a_r*h + u_r);\n"
                          "c = tanh(a_c*(r*h) + u_c); h' = (1 - z)*h + z*c; }\n";
static const char lstm[] =
    "cell lstm { state c, h; input u_f, u_z, u_o; param a_f, a_z, a_o;\n"
    "f = sigmoid(a_f*h + u_f); z = tanh(a_z*h + u_z); c' = f*c + (1 - f)*z;\n"
    "o = sigmoid(a_o*h + u_o); h' = o*tanh(c'); }\n";
static const char affine[] = "cell affine { state h, g = 1; input u, w; param a;\n"
                             "h' = sigmoid(u)*h + 0.1*g + w; g' = 0.5*g - a*h; }\n";
static const char chaotic[] = "cell chaotic { state h = 0.3; input u; param r;\n"
                              "h' = 3.9*h*(1 - h) + 0*u*r; }\n";
static const char guessed[] = "cell guessed { state h; input u; param a; guess h = tanh(u);\n"
                              "h' = tanh(a*h + u); }\n";
static const char *const texts[] = {gru, lstm, affine, chaotic, guessed};
enum { CELLS = 5, T_MAX = 200 };

static prnn_context *ctx;
static prnn_cell *cells[CELLS];
static struct arena *arena;
static struct shooting_cell ready[CELLS];
static double x[T_MAX * 4], p[4], found[T_MAX * 2], wanted[T_MAX * 2];
static unsigned char reset[T_MAX];

static void setup(void)
{
    setenv("PARARNNC_CACHE_DIR", "none", 1);
    ck_assert_int_eq(prnn_context_create(&ctx, "cpu"), PRNN_OK);
    arena = arena_create(NULL);
    for (int i = 0; i < CELLS; i++) {
        cells[i] = world_cell(ctx, texts[i]);
        shooting_cell_create(&ready[i], cells[i]->unit->ir, arena);
    }
}

static void teardown(void)
{
    for (int i = 0; i < CELLS; i++)
        prnn_cell_free(cells[i]);
    arena_destroy(arena);
    prnn_context_free(ctx);
}

static void draw(double gain)
{
    for (int i = 0; i < T_MAX * 4; i++)
        x[i] = (double)(float)(1.5 * world_random());
    for (int i = 0; i < 4; i++)
        p[i] = (double)(float)(gain * world_random());
    memset(reset, 0, sizeof reset);
}

static struct shooting_report solve(int cell, int64_t seq_len, struct shooting_options options,
                                    double *h)
{
    const struct shooting_problem problem = {
        .seq_len = seq_len, .x = x, .p = p, .reset = reset, .h = h};
    struct shooting_report report;
    ck_assert(shooting_solve(&ready[cell], &options, &problem, &report));
    return report;
}

/* One chunk of one step is the recurrence in order: no Newton anywhere. */
static void solve_in_order(int cell, int64_t seq_len, bool in_float, double *h)
{
    const struct shooting_options options = {.tile_chunks = 1, .chunk = 1, .in_float = in_float};
    const struct shooting_report report = solve(cell, seq_len, options, h);
    ck_assert_uint_eq(report.max_corrections, 0);
    ck_assert(report.mismatch == 0);
}

START_TEST(in_order_it_is_the_interpreted_recurrence)
{
    const struct ir *ir = ready[_i].ir;
    const struct ir_program *step = ir_program_create(ir, IR_MASK(IR_OUT_NEXT), arena);
    double h[2], next[2], *scratch = malloc((ir_program_scratch(step) + 1) * sizeof *scratch);
    draw(0.5);
    reset[9] = 1;
    solve_in_order(_i, 30, false, found);
    for (int t = 0; t < 30; t++) {
        struct ir_leaves_f64 leaves = {.h = h, .x = x + t * (int)ir->inputs, .p = p};
        leaves.out[IR_OUT_NEXT] = next;
        if (t == 0 || t == 9)
            memcpy(h, cells[_i]->initial, sizeof h);
        ir_eval_f64(step, &leaves, scratch);
        memcpy(h, next, sizeof h);
        for (uint32_t i = 0; i < ir->states; i++)
            ck_assert(found[t * (int)ir->states + (int)i] == h[i]);
    }
    free(scratch);
}
END_TEST

static const int64_t shapes[][3] = {/* seq_len, W, S */
                                    {1, 4, 4},   {15, 4, 4},  {16, 4, 4},  {17, 4, 4},
                                    {55, 4, 4},  {64, 16, 1}, {100, 8, 3}, {200, 64, 16},
                                    {199, 3, 7}, {31, 2, 16}, {40, 40, 1}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* Tolerance 0: not only near, the same bits, whatever the cell and the shape. */
START_TEST(tolerance_zero_has_the_sequential_bits)
{
    const int64_t *shape = shapes[_i % SHAPES];
    const int cell = _i / SHAPES % CELLS;
    const bool in_float = _i / SHAPES / CELLS % 2, has_reset = _i / SHAPES / CELLS / 2;
    const struct shooting_options options = {
        .tile_chunks = shape[1], .chunk = shape[2], .in_float = in_float};
    draw(1.5);
    for (int t = 0; has_reset && t < T_MAX; t++)
        reset[t] = world_random() > 0.9;
    solve_in_order(cell, shape[0], in_float, wanted);
    const struct shooting_report report = solve(cell, shape[0], options, found);
    ck_assert_mem_eq(found, wanted, (size_t)shape[0] * ready[cell].ir->states * sizeof *found);
    ck_assert(report.mismatch == 0);
    ck_assert(!report.nonfinite);
    ck_assert_uint_le(report.max_corrections, (uint32_t)shape[1]);
    ck_assert_int_eq(report.tiles, (shape[0] + shape[1] * shape[2] - 1) / (shape[1] * shape[2]));
}
END_TEST

/* The default kind of tolerance: the certificate is below it, and true. */
START_TEST(the_certificate_is_below_the_tolerance_and_true)
{
    const double tolerance = 1e-6;
    const int64_t w = 16, s = 4, n = ready[_i].ir->states;
    const struct shooting_options options = {.tile_chunks = w, .chunk = s, .tolerance = tolerance};
    draw(0.5);
    const struct shooting_report report = solve(_i, 150, options, found);
    ck_assert_msg(report.mismatch <= tolerance, "mismatch %g", report.mismatch);
    /* Recompute: no step may break by more than the certificate says. */
    const struct ir_program *step = ir_program_create(ready[_i].ir, IR_MASK(IR_OUT_NEXT), arena);
    double *scratch = malloc((ir_program_scratch(step) + 1) * sizeof *scratch), worst = 0;
    for (int64_t t = 1; t < 150; t++) {
        double next[2];
        struct ir_leaves_f64 leaves = {
            .h = found + (t - 1) * n, .x = x + t * ready[_i].ir->inputs, .p = p};
        leaves.out[IR_OUT_NEXT] = next;
        ir_eval_f64(step, &leaves, scratch);
        for (int64_t i = 0; i < n; i++)
            worst = world_worse(worst, fabs(next[i] - found[t * n + i]));
    }
    free(scratch);
    /* A break of an entry reaches the states behind it through one step, whose gain is below 4. */
    ck_assert_msg(worst <= 4 * report.mismatch, "a step breaks by %g, mismatch %g", worst,
                  report.mismatch);
}
END_TEST

static void throw_dice(void *context, int64_t tile, int64_t chunk, double *tangent)
{
    (void)tile;
    (void)chunk;
    for (int i = 0; i < *(const int *)context; i++)
        tangent[i] = 3 * world_random();
}

struct watch {
    int states, chunks;
    uint32_t corrections;
    double entry[64][64 * 2];
    int spoilt; /* number of entries of the tangents that dice decide; 0: none */
};

static void keep_entries(void *context, int64_t tile, uint32_t correction, const double *entries,
                         int64_t chunks)
{
    struct watch *watch = context;
    if (tile != 0 || correction >= 64)
        return;
    watch->corrections = correction;
    watch->chunks = (int)chunks;
    memcpy(watch->entry[correction], entries, (size_t)(chunks * watch->states) * sizeof *entries);
}

static void spoil_watched(void *context, int64_t tile, int64_t chunk, double *tangent)
{
    throw_dice(&((struct watch *)context)->spoilt, tile, chunk, tangent);
}

/* After k corrections the first k entries behind the exact one are exact, bit for bit, whatever the
 * tangents are. */
START_TEST(each_correction_makes_one_more_entry_exact)
{
    static struct watch watch;
    const int64_t w = 12, s = 3;
    const int cell = _i % CELLS, n = (int)ready[cell].ir->states;
    watch = (struct watch){.states = n, .spoilt = _i / CELLS ? n * n : 0};
    const struct shooting_options options = {.tile_chunks = w,
                                             .chunk = s,
                                             .spoil = _i / CELLS ? spoil_watched : NULL,
                                             .observe = keep_entries,
                                             .context = &watch};
    draw(1);
    solve_in_order(cell, w * s, false, wanted);
    solve(cell, w * s, options, found);
    ck_assert_mem_eq(found, wanted, (size_t)(w * s * n) * sizeof *found);
    ck_assert_uint_ge(watch.corrections, 1);
    for (uint32_t k = 1; k <= watch.corrections; k++)
        for (int64_t entry = 1; entry <= k && entry < w; entry++)
            ck_assert_msg(!memcmp(&watch.entry[k][entry * n], &wanted[(entry * s - 1) * n],
                                  (size_t)n * sizeof *wanted),
                          "entry %d is not exact after %u corrections", (int)entry, k);
    if (_i / CELLS && cell != 2) /* random tangents: nothing but this argument makes it end */
        ck_assert_uint_ge(watch.corrections, 3);
}
END_TEST

/* r[k+1] <= C r[k]^2: the scan and the tangents are the derivative they claim to be. */
START_TEST(newton_converges_with_its_order)
{
    static struct watch watch;
    const int64_t w = 40, s = 2;
    const int cell = _i % 2, n = (int)ready[cell].ir->states;
    watch = (struct watch){.states = n};
    const struct shooting_options options = {
        .tile_chunks = w, .chunk = s, .observe = keep_entries, .context = &watch};
    double error[64], seen = 0;
    draw(0.9);
    solve_in_order(cell, w * s, false, wanted);
    solve(cell, w * s, options, found);
    for (uint32_t k = 0; k <= watch.corrections; k++) {
        error[k] = 0;
        for (int64_t entry = 1; entry < w; entry++)
            for (int i = 0; i < n; i++)
                error[k] = fmax(error[k], fabs(watch.entry[k][entry * n + i] -
                                               wanted[(entry * s - 1) * n + i]));
    }
    for (uint32_t k = 0; k < watch.corrections; k++)
        if (error[k] <= 1e-1 && error[k] >= 1e-6) {
            ck_assert_msg(error[k + 1] <= 10 * error[k] * error[k] + 1e-15,
                          "%g after %g is not quadratic", error[k + 1], error[k]);
            seen++;
        }
    ck_assert_msg(seen >= 1, "no residual in the range that shows the order");
}
END_TEST

START_TEST(an_affine_cell_needs_one_correction)
{
    const struct shooting_options options = {.tile_chunks = 32, .chunk = 4, .tolerance = 1e-12};
    draw(0.5);
    const struct shooting_report report = solve(2, 128, options, found);
    ck_assert_uint_eq(report.max_corrections, 1);
    ck_assert_uint_eq(report.sum_corrections, 1);
}
END_TEST

static void spoil_by_a_tenth(void *context, int64_t tile, int64_t chunk, double *tangent)
{
    (void)context, (void)tile, (void)chunk;
    for (int i = 0; i < 4; i++)
        tangent[i] *= 0.9;
}

/* A linear cell whose states are 2^-20 of others takes the same corrections, to the same mismatch.
 */
START_TEST(the_mismatch_is_relative_to_the_state)
{
    const struct shooting_options options = {
        .tile_chunks = 8, .chunk = 2, .tolerance = 1e-4, .spoil = spoil_by_a_tenth};
    struct shooting_report report[2];
    draw(0.5);
    for (int k = 0; k < 2; k++) {
        const double scale = k ? 0x1p-20 : 1, h0[2] = {0, scale};
        for (int t = 0; t < 64; t++)
            x[2 * t + 1] *= scale;
        const struct shooting_problem problem = {
            .seq_len = 64, .x = x, .p = p, .h0 = h0, .h = found};
        ck_assert(shooting_solve(&ready[2], &options, &problem, &report[k]));
    }
    ck_assert_uint_ge(report[0].max_corrections, 3);
    ck_assert_uint_eq(report[1].sum_corrections, report[0].sum_corrections);
    ck_assert(report[1].mismatch > 0 && report[1].mismatch == report[0].mismatch);
}
END_TEST

START_TEST(a_declared_guess_is_the_first_entry)
{
    static struct watch watch;
    watch = (struct watch){.states = 1};
    const struct shooting_options options = {
        .tile_chunks = 4, .chunk = 5, .observe = keep_entries, .context = &watch};
    draw(0.5);
    solve(4, 20, options, found);
    for (int w = 1; w < 4; w++)
        ck_assert(watch.entry[0][w] == tanh(x[5 * w - 1]));
}
END_TEST

START_TEST(what_is_not_finite_is_so_from_its_step_on)
{
    const struct shooting_options options = {.tile_chunks = 8, .chunk = 4};
    draw(0.5);
    x[3 * 20 + 1] = (double)NAN;
    solve_in_order(0, 64, false, wanted);
    const struct shooting_report report = solve(0, 64, options, found);
    ck_assert(report.nonfinite);
    for (int t = 0; t < 64; t++)
        ck_assert_msg(t < 20 ? found[t] == wanted[t] : isnan(found[t]), "step %d is %g", t,
                      found[t]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shooting");
    TCase *tests = tcase_create("solver");
    tcase_add_unchecked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, in_order_it_is_the_interpreted_recurrence, 0, CELLS);
    tcase_add_loop_test(tests, tolerance_zero_has_the_sequential_bits, 0, SHAPES * CELLS * 4);
    tcase_add_loop_test(tests, the_certificate_is_below_the_tolerance_and_true, 0, CELLS);
    tcase_add_loop_test(tests, each_correction_makes_one_more_entry_exact, 0, 2 * CELLS);
    tcase_add_loop_test(tests, newton_converges_with_its_order, 0, 2);
    tcase_add_test(tests, an_affine_cell_needs_one_correction);
    tcase_add_test(tests, the_mismatch_is_relative_to_the_state);
    tcase_add_test(tests, a_declared_guess_is_the_first_entry);
    tcase_add_test(tests, what_is_not_finite_is_so_from_its_step_on);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
