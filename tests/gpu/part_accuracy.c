/* Modes accurate and fast: every cell, forward and backward, f32 and bf16. What a text is good for
 * is asked all at once, since texts are what costs. */
#include "gpu_parts.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VARIANTS = 8, TEXTS = CELL_FILES_MAX * VARIANTS, BATCH = 3, ALONE = 1 };

/* Mode and storage beside the direction, which is the lowest bit. */
static const struct {
    const char *name;
    enum assemble_mode mode;
    enum assemble_storage storage;
} manners[VARIANTS / 2] = {{"accurate f32", ASSEMBLE_ACCURATE, ASSEMBLE_F32},
                           {"accurate bf16", ASSEMBLE_ACCURATE, ASSEMBLE_BF16},
                           {"fast f32", ASSEMBLE_FAST, ASSEMBLE_F32},
                           {"fast bf16", ASSEMBLE_FAST, ASSEMBLE_BF16}};

static struct kernel_plan plans[TEXTS];
static struct device_text texts[TEXTS];
static double largest[VARIANTS / 2][2];
static uint32_t most_corrections;

static size_t text_count(void)
{
    return gpu.cells.count * VARIANTS;
}

static const char *cell_of(int text)
{
    return gpu.cells.file[text / VARIANTS].name;
}

static void prepare(void)
{
    for (size_t i = 0; i < text_count(); i++) {
        const size_t variant = i % VARIANTS;
        const enum assemble_storage storage = manners[variant / 2].storage;
        struct assemble_options options = {.kernel =
                                               variant % 2 ? ASSEMBLE_BACKWARD : ASSEMBLE_FORWARD,
                                           .target = device_target(),
                                           .storage = storage,
                                           .mode = manners[variant / 2].mode};
        ledger_strategy_fit(&options, gpu.cells.file[i / VARIANTS].text,
                            (int)((i / VARIANTS + variant) % LEDGER_STRATEGIES));
        kernel_plan_assemble(&plans[i], gpu.cells.file[i / VARIANTS].text, &options);
    }
    device_texts_load(texts, plans, text_count());
}

static void finish(void)
{
    for (int m = 0; m < VARIANTS / 2; m++)
        /* Of 16-bit storage the rounding alone comes near 30: it has no reserve in the bound. */
        printf("%s: largest ratio %.3g forward, %.3g backward, of 30\n", manners[m].name,
               largest[m][0], largest[m][1]);
    printf("corrections of a tile: at most %u\n", (unsigned)most_corrections);
    device_texts_unload(texts, text_count());
    for (size_t i = 0; i < text_count(); i++)
        kernel_plan_free(&plans[i]);
}

static struct kernel_shape shape_of(int text, int64_t batch)
{
    const struct strategy *s = &plans[text].options.strategy;
    /* The normaliser of slstm is positive, which a random state is not. */
    return (struct kernel_shape){.batch = batch,
                                 .steps = 3 * (int64_t)s->tile_chunks * s->chunk * s->cluster + 7,
                                 .channels = text / VARIANTS % 2 ? 33 : 40,
                                 .is_aligned = text / VARIANTS % 2 == 0,
                                 .has_h0 = strncmp(cell_of(text), "slstm", 5) != 0,
                                 /* What a plan takes when nothing is said: 8 roundings. */
                                 .tolerance = 8 * (double)FLT_EPSILON,
                                 .seed = (uint64_t)text};
}

static void check_certificate(const struct kernel_data *d, const char *name)
{
    const struct strategy *s = &d->plan->options.strategy;
    const uint32_t chunks = s->tile_chunks * s->cluster;
    for (int b = 0; b < d->grid; b++) {
        const struct prnn_block_report *report = &d->report[b];
        ck_assert_msg(report->mismatch >= 0 && report->mismatch <= d->shape.tolerance,
                      "%s: mismatch %g, tolerance %g", name, report->mismatch, d->shape.tolerance);
        /* Newton ends after the chunks and one more; then at most as many sweeps. */
        ck_assert_msg(report->max_corrections <= 2 * (chunks + 1) + 1, "%s: %u corrections", name,
                      (unsigned)report->max_corrections);
        ck_assert_msg(report->sum_corrections <= (uint64_t)report->tiles * report->max_corrections,
                      "%s: the sum of corrections", name);
        ck_assert_msg(report->nonfinite == 0, "%s: not finite", name);
        if (report->max_corrections > most_corrections)
            most_corrections = report->max_corrections;
    }
}

START_TEST(results_are_near_the_oracle_and_the_same_every_time)
{
    const int variant = _i % VARIANTS;
    const struct kernel_shape shape = shape_of(_i, BATCH);
    struct kernel_data first, second;
    kernel_data_create(&first, &plans[_i], &shape);
    kernel_data_create(&second, &plans[_i], &shape);
    device_run(&texts[_i], &first);
    printf("%s %s %s\n", cell_of(_i), manners[variant / 2].name,
           variant % 2 ? "backward" : "forward");
    kernel_data_check(&first);
    largest[variant / 2][variant % 2] =
        fmax(largest[variant / 2][variant % 2], first.largest_ratio);
    if (variant % 2 == 0)
        check_certificate(&first, cell_of(_i));
    device_run(&texts[_i], &second);
    kernel_data_check_same(&first, &second);
    kernel_data_free(&first);
    kernel_data_free(&second);
}
END_TEST

/* Rows and values of one sequence: where it begins in a tensor, and how many elements. */
static size_t sequence_of(const struct kernel_data *d, enum kernel_group g, uint32_t k, int64_t b,
                          size_t *count)
{
    const struct kernel_tensor *t = &d->tensor[d->start[g] + k];
    const bool is_sequence = kernel_group_is_sequence(g);
    *count = is_sequence ? (size_t)(d->shape.steps * t->stride_t) : (size_t)d->shape.channels;
    return (size_t)b * *count;
}

static bool has_batch(enum kernel_group g)
{
    return g != GROUP_P && g != GROUP_DP;
}

START_TEST(a_sequence_alone_has_the_bits_that_it_has_in_a_batch)
{
    const struct kernel_shape of_batch = shape_of(_i, BATCH), of_one = shape_of(_i, 1);
    struct kernel_data batch, one;
    kernel_data_create(&batch, &plans[_i], &of_batch);
    kernel_data_create(&one, &plans[_i], &of_one);
    for (int pass = 0; pass < 2; pass++) {
        for (int g = 0; g < GROUP_COUNT; g++)
            for (uint32_t k = 0; k < batch.counts[g]; k++) {
                const enum kernel_group group = (enum kernel_group)g;
                const struct kernel_tensor *from = kernel_tensor_of(&batch, group, k);
                const struct kernel_tensor *to = kernel_tensor_of(&one, group, k);
                size_t count = to->count;
                const size_t at =
                    has_batch(group) ? sequence_of(&batch, group, k, ALONE, &count) : 0;
                char *source = (char *)from->data + at * from->element;
                if (!from->is_present)
                    continue;
                ck_assert_uint_eq(count, to->count);
                if (pass == 0 && !from->is_written)
                    memcpy(to->data, source, count * to->element);
                else if (pass == 1 && from->is_written && has_batch(group))
                    ck_assert_msg(memcmp(to->data, source, count * to->element) == 0,
                                  "%s: group %d, tensor %u", cell_of(_i), g, (unsigned)k);
            }
        if (pass == 0) {
            device_run(&texts[_i], &batch);
            device_run(&texts[_i], &one);
        }
    }
    kernel_data_free(&batch);
    kernel_data_free(&one);
}
END_TEST

/* An input of one value a channel; -1: the cell has none. */
static int wide_input(const struct kernel_data *d)
{
    for (uint32_t k = 0; k < d->counts[GROUP_X]; k++)
        if (d->tensor[d->start[GROUP_X] + k].stride_t == d->shape.channels)
            return (int)k;
    return -1;
}

/* The sequences beside it keep their bits. So do the channels beside it with tolerance 0; above
 * that, a tile of their thread block may be corrected once more or less often, and they stay within
 * their bounds. */
START_TEST(nan_and_infinity_reach_no_other_sequence_and_channel)
{
    enum { CHANNEL = 4, STEP = 5, MANNERS = 4 };
    const int text = _i / MANNERS * VARIANTS;
    const char *name = cell_of(text);
    const bool is_infinity = _i % 2, is_exact = _i / 2 % 2;
    struct kernel_shape shape = shape_of(text, BATCH);
    struct kernel_data clean, dirty;
    if (is_exact)
        shape.tolerance = 0;
    kernel_data_create(&clean, &plans[text], &shape);
    kernel_data_create(&dirty, &plans[text], &shape);
    const int input = wide_input(&dirty);
    ck_assert_int_ge(input, 0);
    kernel_set(kernel_tensor_of(&dirty, GROUP_X, (uint32_t)input),
               (size_t)((shape.steps * ALONE + STEP) * shape.channels + CHANNEL),
               is_infinity ? (double)INFINITY : (double)NAN);
    device_run(&texts[text], &clean);
    device_run(&texts[text], &dirty);
    bool is_met = false;
    for (uint32_t k = 0; k < clean.start[GROUP_COUNT]; k++) {
        const struct kernel_tensor *a = &clean.tensor[k], *b = &dirty.tensor[k];
        const int64_t rows = (int64_t)a->count / shape.channels;
        for (int64_t row = 0; row < rows && a->is_written; row++)
            for (int64_t n = 0; n < shape.channels; n++) {
                const size_t i = (size_t)(row * shape.channels + n);
                const bool is_same = memcmp((char *)a->data + i * a->element,
                                            (char *)b->data + i * b->element, a->element) == 0;
                const bool is_beside = row / (rows / BATCH) == ALONE;
                if (is_beside && n == CHANNEL)
                    is_met |= !is_same;
                else if (!is_same)
                    ck_assert_msg(is_beside && !is_exact &&
                                      fabs(kernel_get(b, i) - b->want[i]) <= b->bound[i],
                                  "%s: tensor %u, row %lld, channel %lld: %a, without it %a", name,
                                  (unsigned)k, (long long)row, (long long)n, kernel_get(b, i),
                                  kernel_get(a, i));
            }
    }
    /* A gate takes infinity for 1; NaN is felt. */
    ck_assert_msg(is_met || is_infinity, "%s: NaN has reached nothing", name);
    kernel_data_free(&clean);
    kernel_data_free(&dirty);
}
END_TEST

void gpu_part_accuracy(TCase *tcase)
{
    const int count = (int)text_count();
    tcase_add_unchecked_fixture(tcase, prepare, finish);
    tcase_add_loop_test(tcase, results_are_near_the_oracle_and_the_same_every_time, 0, count);
    tcase_add_loop_test(tcase, a_sequence_alone_has_the_bits_that_it_has_in_a_batch, 0, count);
    tcase_add_loop_test(tcase, nan_and_infinity_reach_no_other_sequence_and_channel, 0,
                        4 * (int)gpu.cells.count);
}
