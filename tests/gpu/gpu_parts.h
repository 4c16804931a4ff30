/* The parts of the GPU suite. Each adds its tests to a case of Check; they share what main() has
 * read. */
#ifndef PRNN_GPU_PARTS_H
#define PRNN_GPU_PARTS_H

#include "device_case.h"
#include "ledger_cases.h"

#include <check.h>

struct gpu_state {
    struct cell_files cells;
    const char *cells_folder;
    struct ledger_case *cases;
    size_t case_count;
    uint64_t wanted[LEDGER_CASES_MAX]; /* hash of each case from the shim */
    bool is_wanted_known[LEDGER_CASES_MAX];
    uint64_t found[LEDGER_CASES_MAX]; /* ... and from the device, where it has passed */
    bool is_verified[LEDGER_CASES_MAX];
    char text_hash[LEDGER_CASES_MAX][17];
};
extern struct gpu_state gpu;

/* Bits of mode strict are those of the shim. */
void gpu_part_strict(TCase *tcase);
/* Errors, certificates, repeated runs, a sequence alone, and what NaN may reach. */
void gpu_part_accuracy(TCase *tcase);
/* With tolerance 0 every strategy has the bits of the sequential run. */
void gpu_part_sequential(TCase *tcase);
/* The C library on the device. */
void gpu_part_library(TCase *tcase);
/* What a first plan costs. */
void gpu_part_first_use(TCase *tcase);
/* A few small kernels of each kind, for compute-sanitizer. */
void gpu_part_sanitize(TCase *tcase);

#endif
