/* A cell against cells that mean the same: identical kernel texts, or with the states in another
 * order the same structure and values. */
#include "variant_trial.h"

#include "cell_variant.h"
#include "ir_eval.h"
#include "pipeline.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TEXTS = 3, STATES = 16, ROOM = 64, POINTS = 8 };

static struct unit *unit_load(const char *text)
{
    struct unit *unit;
    const enum pipeline_class result =
        pipeline_load_text(&unit, "variant.cell", text, strlen(text), NULL);
    ck_assert_msg(result == PIPELINE_OK, "%s\n%s", unit ? unit->messages : "no memory", text);
    return unit;
}

static void texts_make(const struct unit *unit, struct pipeline_text *texts)
{
    static const enum assemble_kernel kernels[TEXTS] = {ASSEMBLE_FORWARD, ASSEMBLE_BACKWARD,
                                                        ASSEMBLE_CPU};
    const uint32_t all = (1u << unit->ir->states) - 1u;
    for (int k = 0; k < TEXTS; k++) {
        struct assemble_options options = {
            .kernel = kernels[k],
            .target = ASSEMBLE_CUDA,
            .strategy =
                {.lanes = 8, .vc = 1, .tile_chunks = 4, .chunk = 4, .stages = 2, .cluster = 1},
            .state_written = all,
            .state_gradient = all};
        if (kernels[k] == ASSEMBLE_CPU)
            options.target = ASSEMBLE_HOST;
        ck_assert_int_eq(pipeline_assemble(&texts[k], unit, &options), PIPELINE_OK);
        ck_assert_msg(!texts[k].refusal, "%s", texts[k].refusal);
    }
}

/* The first line that differs, for the message. */
static void compare_texts(const struct pipeline_text *wanted, const struct pipeline_text *found,
                          const char *variant, const char *cell)
{
    const char *a = wanted->assembled.text, *b = found->assembled.text;
    size_t i = 0, line = 0;
    if (wanted->assembled.length == found->assembled.length &&
        memcmp(a, b, wanted->assembled.length) == 0)
        return;
    /* The name of the kernel is a hash of the rest: look at the emitted half. */
    const char *start = strstr(a, "// Start of the cell"),
               *other = strstr(b, "// Start of the cell");
    a = start ? start : a;
    b = other ? other : b;
    for (; a[i] && a[i] == b[i]; i++)
        if (a[i] == '\n')
            line = i + 1;
    ck_abort_msg("the %s cell has another text:\n  %.*s\n  %.*s\n%s", variant,
                 (int)strcspn(a + line, "\n"), a + line, (int)strcspn(b + line, "\n"), b + line,
                 cell);
}

/* -- states in another order ------------------------------------------------------------------- */

struct evaluator {
    const struct ir *ir;
    struct ir_program *program;
    double *scratch;
    struct arena *arena;
};

static void program_create(struct arena *arena, void *context)
{
    struct evaluator *e = context;
    e->program = ir_program_create(e->ir, IR_MASK(IR_OUT_NEXT) | IR_MASK(IR_OUT_JACOBIAN), arena);
}

static struct evaluator evaluator_create(const struct unit *unit)
{
    struct evaluator e = {.ir = unit->ir};
    ck_assert_int_eq(pipeline_guard(&e.arena, program_create, &e), PIPELINE_OK);
    e.scratch = calloc(ir_program_scratch(e.program) + 1, sizeof *e.scratch);
    return e;
}

static void evaluator_run(const struct evaluator *e, const double *h, const double *x,
                          const double *p, double *next, double *jacobian)
{
    struct ir_leaves_f64 leaves = {.h = h, .x = x, .p = p};
    leaves.out[IR_OUT_NEXT] = next;
    leaves.out[IR_OUT_JACOBIAN] = jacobian;
    ir_eval_f64(e->program, &leaves, e->scratch);
}

static void evaluator_free(struct evaluator *e)
{
    free(e->scratch);
    arena_destroy(e->arena);
}

static bool is_near(double a, double b)
{
    return (isnan(a) && isnan(b)) || a == b || fabs(a - b) <= 1e-12 * fmax(1, fabs(a));
}

/* Only where both are numbers: the order of operations decides whether inf - inf is met. */
static void compare_values(const struct evaluator *a, const struct evaluator *b, const int *place,
                           struct dice *dice)
{
    const uint32_t n = a->ir->states;
    double h[STATES], moved[STATES], x[ROOM], p[ROOM], next[2][STATES], jac[2][STATES * STATES];
    for (uint32_t i = 0; i < n; i++)
        moved[place[i]] = h[i] = dice_real(dice, -1, 1);
    for (int k = 0; k < ROOM; k++) {
        x[k] = dice_real(dice, 0.5, 0.75);
        p[k] = dice_real(dice, 0.3, 0.5);
    }
    evaluator_run(a, h, x, p, next[0], jac[0]);
    evaluator_run(b, moved, x, p, next[1], jac[1]);
    for (uint32_t i = 0; i < n; i++) {
        ck_assert_msg(is_near(next[0][i], next[1][place[i]]), "state %u: %.17g, permuted %.17g", i,
                      next[0][i], next[1][place[i]]);
        for (uint32_t j = 0; j < n; j++) {
            const double u = jac[0][i * n + j],
                         v = jac[1][(uint32_t)place[i] * n + (uint32_t)place[j]];
            ck_assert_msg(is_near(u, v), "jac.%u.%u: %.17g, permuted %.17g", i, j, u, v);
        }
    }
}

static void compare_structures(const struct unit *a, const struct unit *b, const int *place)
{
    const struct structure *s = &a->structure, *t = &b->structure;
    uint32_t block_of[2][STATES];
    ck_assert_uint_eq(s->states, t->states);
    ck_assert_uint_eq(s->block_count, t->block_count);
    ck_assert_int_eq(s->is_affine, t->is_affine);
    for (uint32_t k = 0; k < s->block_count; k++)
        for (uint32_t i = 0; i < s->block[k].count; i++)
            block_of[0][s->block[k].state[i]] = k;
    for (uint32_t k = 0; k < t->block_count; k++)
        for (uint32_t i = 0; i < t->block[k].count; i++)
            block_of[1][t->block[k].state[i]] = k;
    for (uint32_t i = 0; i < s->states; i++) {
        const uint32_t to = (uint32_t)place[i];
        const struct structure_block *left = &s->block[block_of[0][i]],
                                     *right = &t->block[block_of[1][to]];
        ck_assert_uint_eq(left->count, right->count);
        ck_assert_int_eq(left->is_affine, right->is_affine);
        ck_assert_int_eq(left->is_readout, right->is_readout);
        for (uint32_t j = 0; j < s->states; j++) {
            const uint32_t from = (uint32_t)place[j];
            ck_assert_int_eq(s->depends[i] >> j & 1, t->depends[to] >> from & 1);
            ck_assert_int_eq(s->closed[i] >> j & 1, t->closed[to] >> from & 1);
            ck_assert_int_eq(ir_find_out(a->ir, IR_OUT_JACOBIAN, i, j) != IR_REF_NONE,
                             ir_find_out(b->ir, IR_OUT_JACOBIAN, to, from) != IR_REF_NONE);
            ck_assert_int_eq(block_of[0][i] == block_of[0][j],
                             block_of[1][to] == block_of[1][from]);
        }
    }
}

static void try_permuted(const struct cell_tree *tree, const struct unit *unit, struct dice *dice)
{
    static struct cell_tree permuted;
    int place[STATES];
    cell_variant_permute(&permuted, tree, dice, place);
    char *text = tree_text(&permuted);
    struct unit *other = unit_load(text);
    compare_structures(unit, other, place);
    struct evaluator a = evaluator_create(unit), b = evaluator_create(other);
    for (int k = 0; k < POINTS; k++)
        compare_values(&a, &b, place, dice);
    evaluator_free(&a);
    evaluator_free(&b);
    unit_free(other);
    free(text);
}

void trial_variants(const struct trial *trial, const struct cell_tree *tree)
{
    static struct cell_tree changed;
    struct dice dice = {trial->seed};
    struct pipeline_text wanted[TEXTS], found[TEXTS];
    struct unit *unit = unit_load(trial->text);
    texts_make(unit, wanted);
    for (int v = 0; v < VARIANT_COUNT; v++) {
        if (!cell_variant_make(&changed, tree, (enum cell_variant)v, &dice))
            continue;
        char *text = tree_text(&changed);
        struct unit *other = unit_load(text);
        texts_make(other, found);
        for (int k = 0; k < TEXTS; k++) {
            compare_texts(&wanted[k], &found[k], cell_variant_name((enum cell_variant)v), text);
            pipeline_text_free(&found[k]);
        }
        trial->report->variants++;
        unit_free(other);
        free(text);
    }
    try_permuted(tree, unit, &dice);
    trial->report->variants++;
    for (int k = 0; k < TEXTS; k++)
        pipeline_text_free(&wanted[k]);
    unit_free(unit);
}
