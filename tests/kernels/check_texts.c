/* Every emitted text compiles to a cubin, without a device: registers, spills and shared memory of
 * each go to texts.tsv. A part of the combinations, or all with PRNN_TEXTS=all; exit code 77 where
 * NVRTC is missing. */
#include "nvrtc.h"
#include "pipeline.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELLS_MAX = 64, COMBINATIONS = 12, KERNELS = 3 };

static const enum assemble_kernel kernels[KERNELS] = {ASSEMBLE_FORWARD, ASSEMBLE_BACKWARD,
                                                      ASSEMBLE_DECODE};
static const char *const kernel_words[KERNELS] = {"forward", "backward", "decode"};
static const char *const storage_words[] = {"f32", "f64", "bf16", "f16"};
static const char *const mode_words[] = {"accurate", "fast", "strict"};

static int names_compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static size_t cells_list(char (*names)[256], const char *folder)
{
    DIR *directory = opendir(folder);
    size_t count = 0;
    if (!directory)
        return 0;
    for (const struct dirent *entry; (entry = readdir(directory)) && count < CELLS_MAX;) {
        const size_t length = strlen(entry->d_name);
        if (length > 5 && strcmp(entry->d_name + length - 5, ".cell") == 0)
            snprintf(names[count++], sizeof *names, "%s", entry->d_name);
    }
    closedir(directory);
    qsort(names, count, sizeof *names, names_compare);
    return count;
}

static struct strategy strategy_of(const struct unit *unit, enum assemble_kernel kernel,
                                   enum assemble_storage storage, enum assemble_mode mode)
{
    /* One mode of forward kernels without a ring. */
    if (kernel == ASSEMBLE_FORWARD && mode == ASSEMBLE_FAST)
        return (struct strategy){
            .lanes = 32, .vc = 1, .tile_chunks = 8, .chunk = 64, .stages = 0, .cluster = 1};
    struct strategy s = {
        .lanes = 16, .vc = 2, .tile_chunks = 8, .chunk = 4, .stages = 3, .cluster = 1};
    /* Many states or wide ones need their registers and shared memory for themselves. */
    if (unit->ir->states > 2 || storage == ASSEMBLE_F64)
        s = (struct strategy){
            .lanes = 32, .vc = 1, .tile_chunks = 1, .chunk = 4, .stages = 2, .cluster = 1};
    return s;
}

/* The number of failures. */
static int compile(const struct unit *unit, const char *cell, int combination, FILE *table,
                   int *texts)
{
    struct pipeline_text text[KERNELS] = {0};
    struct nvrtc_request request[KERNELS] = {0};
    struct nvrtc_result result[KERNELS] = {0};
    const enum assemble_storage storage = (enum assemble_storage)(combination % 4);
    const enum assemble_mode mode = (enum assemble_mode)(combination / 4);
    int failed = 0;
    for (int k = 0; k < KERNELS; k++) {
        const struct assemble_options options = {.kernel = kernels[k],
                                                 .target = ASSEMBLE_CUDA,
                                                 .storage = storage,
                                                 .mode = mode,
                                                 .strategy =
                                                     strategy_of(unit, kernels[k], storage, mode),
                                                 .state_written = (1u << unit->ir->states) - 1u,
                                                 .state_gradient = (1u << unit->ir->states) - 1u};
        if (pipeline_assemble(&text[k], unit, &options) != PIPELINE_OK || text[k].refusal) {
            fprintf(stderr, "%s %s %s %s: %s\n", cell, kernel_words[k], storage_words[storage],
                    mode_words[mode], text[k].refusal ? text[k].refusal : "no memory");
            failed++;
            goto done;
        }
        request[k] = (struct nvrtc_request){.text = text[k].assembled.text,
                                            .length = text[k].assembled.length,
                                            .arch = "sm_90",
                                            .label = text[k].assembled.entry};
    }
    nvrtc_compile(result, request, KERNELS, NULL);
    for (int k = 0; k < KERNELS; k++) {
        ++*texts;
        if (result[k].status != NVRTC_OK || !result[k].size) {
            fprintf(stderr, "%s %s %s %s: %s\n", cell, kernel_words[k], storage_words[storage],
                    mode_words[mode], result[k].log ? result[k].log : "no words");
            failed++;
        }
        for (uint32_t u = 0; u < result[k].usage_count; u++)
            fprintf(table, "%s\t%s\t%s\t%s\t%u\t%u\t%u\n", cell,
                    strncmp(result[k].usage[u].kernel, "prnn_reduce", 11) ? kernel_words[k]
                                                                          : "reduce",
                    storage_words[storage], mode_words[mode], result[k].usage[u].registers,
                    result[k].usage[u].spill_store_bytes + result[k].usage[u].spill_load_bytes,
                    text[k].assembled.shared_bytes);
        nvrtc_result_free(&result[k]);
    }
done:
    for (int k = 0; k < KERNELS; k++)
        pipeline_text_free(&text[k]);
    return failed;
}

int main(void)
{
    static char names[CELLS_MAX][256];
    struct nvrtc_info info;
    int failed = 0, texts = 0;
    if (!nvrtc_info_get(&info)) {
        puts("skipped: NVRTC is not there");
        return 77;
    }
    const char *wish = getenv("PRNN_TEXTS");
    const bool is_all = wish && strcmp(wish, "all") == 0;
    const size_t count = cells_list(names, PRNN_SOURCE_DIR "/cells");
    if (!count) {
        fputs("no cells in " PRNN_SOURCE_DIR "/cells\n", stderr);
        return 1;
    }
    FILE *table = fopen(PRNN_BINARY_DIR "/texts.tsv", "w");
    if (!table) {
        perror(PRNN_BINARY_DIR "/texts.tsv");
        return 1;
    }
    fputs("cell\tkernel\tstorage\tmode\tregisters\tspilled bytes\tshared bytes\n", table);
    for (size_t c = 0; c < count; c++) {
        char path[1024];
        struct unit *unit;
        snprintf(path, sizeof path, "%s/cells/%s", PRNN_SOURCE_DIR, names[c]);
        if (pipeline_load_file(&unit, path, NULL) != PIPELINE_OK) {
            fprintf(stderr, "%s: %s\n", path, unit ? unit->messages : "no memory");
            failed++;
        } else {
            /* One combination for every fourth cell: some 20 seconds. */
            for (int k = 0; k < COMBINATIONS; k++)
                if (is_all || (c % 4 == 0 && (size_t)k == c / 4 * 5 % COMBINATIONS))
                    failed += compile(unit, names[c], k, table, &texts);
        }
        unit_free(unit);
    }
    if (fclose(table) != 0)
        failed++;
    printf("%d texts of %zu cells compiled for sm_90, %d failed; %s/texts.tsv\n", texts, count,
           failed, PRNN_BINARY_DIR);
    return failed != 0;
}
