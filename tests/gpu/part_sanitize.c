/* Small kernels of each kind, few blocks: compute-sanitizer makes everything many times slower. */
#include "gpu_parts.h"

#include <string.h>

/* Gradients of inputs that are one for all channels. */
static const char shared[] = "cell mixed { const d = 3; state h; input u; input b[d] : shared;\n"
                             "param a; param w[d]; h' = tanh(a*h + u) + dot(w, b)*h/64; }\n";

static const struct {
    const char *cell; /* a file of cells/, or a text; NULL: the scan */
    enum assemble_kernel kernel;
    int strategy;
} small[] = {{"paralstm", ASSEMBLE_FORWARD, 0},  {"paragru", ASSEMBLE_FORWARD, 1},
             {"paralstm", ASSEMBLE_FORWARD, 2},  {"paragru", ASSEMBLE_FORWARD, 3},
             {"paralstm", ASSEMBLE_FORWARD, 4},  {"paragru", ASSEMBLE_FORWARD, 5},
             {"paragru", ASSEMBLE_FORWARD, 6},   {"paralstm", ASSEMBLE_FORWARD, 6},
             {"brc", ASSEMBLE_FORWARD, 6},       {"paralstm", ASSEMBLE_FORWARD, 7},
             {"paragru", ASSEMBLE_FORWARD, 7},   {"brc", ASSEMBLE_FORWARD, 7},
             {"paralstm", ASSEMBLE_BACKWARD, 0}, {"paragru", ASSEMBLE_BACKWARD, 1},
             {"cfc", ASSEMBLE_BACKWARD, 2},      {"paragru", ASSEMBLE_BACKWARD, 3},
             {"paralstm", ASSEMBLE_BACKWARD, 4}, {"paragru", ASSEMBLE_BACKWARD, 5},
             {shared, ASSEMBLE_BACKWARD, 0},     {shared, ASSEMBLE_BACKWARD, 1},
             {shared, ASSEMBLE_BACKWARD, 5},     {NULL, ASSEMBLE_SCAN, 1},
             {"paralstm", ASSEMBLE_DECODE, -1}};
enum { SMALL = sizeof small / sizeof *small };

static struct kernel_plan plans[SMALL];
static struct device_text texts[SMALL];

static void prepare(void)
{
    for (size_t i = 0; i < SMALL; i++) {
        struct assemble_options options = {
            .kernel = small[i].kernel,
            .target = device_target(),
            .has_resets = small[i].kernel != ASSEMBLE_DECODE && small[i].cell && i % 3 == 0,
            .is_packed = small[i].kernel != ASSEMBLE_DECODE && small[i].cell && i % 4 == 1};
        if (small[i].strategy >= 0)
            options.strategy = ledger_strategy(small[i].strategy, ASSEMBLE_F32);
        if (!small[i].cell) {
            options.scan_block = 2;
            options.mode = ASSEMBLE_STRICT;
        }
        const char *cell = small[i].cell;
        kernel_plan_assemble(
            &plans[i], cell && cell != shared ? cell_files_text(&gpu.cells, cell) : cell, &options);
    }
    device_texts_load(texts, plans, SMALL);
}

static void finish(void)
{
    device_texts_unload(texts, SMALL);
    for (size_t i = 0; i < SMALL; i++)
        kernel_plan_free(&plans[i]);
}

START_TEST(small_kernel_runs)
{
    const struct strategy *s = &plans[_i].options.strategy;
    const struct kernel_shape shape = {
        .batch = 2,
        .steps =
            small[_i].strategy < 0 ? 1 : (int64_t)s->tile_chunks * s->chunk * s->cluster * 3 + 3,
        .channels = _i % 2 ? 12 : 11,
        .is_aligned = _i % 2,
        .has_h0 = true,
        .has_resets = plans[_i].options.has_resets,
        .is_packed = plans[_i].options.is_packed,
        .tolerance = 1e-6,
        .seed = (uint64_t)_i};
    struct kernel_data data;
    kernel_data_create(&data, &plans[_i], &shape);
    device_run(&texts[_i], &data);
    if (small[_i].cell)
        kernel_data_check(&data);
    kernel_data_free(&data);
}
END_TEST

void gpu_part_sanitize(TCase *tcase)
{
    tcase_add_unchecked_fixture(tcase, prepare, finish);
    tcase_add_loop_test(tcase, small_kernel_runs, 0, SMALL);
}
