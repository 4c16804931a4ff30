#include "gpu_parts.h"

#include <stdlib.h>

static struct kernel_plan plans[LEDGER_CASES_MAX];
static struct device_text texts[LEDGER_CASES_MAX];

static void prepare(void)
{
    for (size_t i = 0; i < gpu.case_count; i++) {
        struct assemble_options options = gpu.cases[i].options;
        options.target = device_target();
        ledger_text_hash(gpu.text_hash[i], &gpu.cases[i]);
        kernel_plan_assemble(&plans[i], gpu.cases[i].cell, &options);
    }
    device_texts_load(texts, plans, gpu.case_count);
}

static void finish(void)
{
    device_texts_unload(texts, gpu.case_count);
    for (size_t i = 0; i < gpu.case_count; i++)
        kernel_plan_free(&plans[i]);
}

START_TEST(strict_bits_are_those_of_the_shim)
{
    const struct ledger_case *c = &gpu.cases[_i];
    struct kernel_data data;
    ck_assert_msg(gpu.is_wanted_known[_i], "%s: no hash from the shim", c->name);
    kernel_data_create(&data, &plans[_i], &c->shape);
    device_run(&texts[_i], &data);
    const uint64_t hash = ledger_data_hash(&data);
    ck_assert_msg(hash == gpu.wanted[_i], "%s: %016llx, from the shim %016llx", c->name,
                  (unsigned long long)hash, (unsigned long long)gpu.wanted[_i]);
    gpu.found[_i] = hash;
    gpu.is_verified[_i] = true;
    kernel_data_free(&data);
}
END_TEST

void gpu_part_strict(TCase *tcase)
{
    tcase_add_unchecked_fixture(tcase, prepare, finish);
    tcase_add_loop_test(tcase, strict_bits_are_those_of_the_shim, 0, (int)gpu.case_count);
}
