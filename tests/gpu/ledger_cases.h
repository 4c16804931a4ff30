/* The cases of the proof ledger: one kernel text and one set of tensors each, in mode strict, whose
 * written bits are to be the same on the shim and on every GPU.
 *
 * Only what says so may fail within a test of Check; the rest ends the program with words. */
#ifndef PRNN_LEDGER_CASES_H
#define PRNN_LEDGER_CASES_H

#include "cell_files.h"
#include "kernel_case.h"

enum { LEDGER_CASES_MAX = 512, LEDGER_NAME_MAX = 96, LEDGER_STRATEGIES = 8 };

struct ledger_case {
    char name[LEDGER_NAME_MAX]; /* "paragru forward W8 lanes 8 f32": no tab */
    const char *cell;           /* its text; NULL for the scan */
    struct assemble_options options;
    struct kernel_shape shape;
    int strategy; /* of ledger_strategies; -1: none */
};

extern const struct kernel_strategy ledger_strategies[LEDGER_STRATEGIES];

/* The strategy at this index with rows of whole 16 bytes. */
struct strategy ledger_strategy(int index, enum assemble_storage storage);

/* Choose ledger_strategy(index), or the next one after it whose text this cell can have: states by
 * the dozen leave no shared memory for some. Needs kernel, target and storage; the index that was
 * taken. */
int ledger_strategy_fit(struct assemble_options *options, const char *cell, int index);

/* The names of 'files' stay borrowed. Every cell: forward twice, backward, one step; then the scan.
 */
size_t ledger_cases_make(struct ledger_case *out, const struct cell_files *files);

/* First 16 hexadecimal digits of the SHA-256 of the case's CUDA text. */
void ledger_text_hash(char hex[17], const struct ledger_case *c);

/* Within a test: a hash of the written bits. Fails where one is no finite number: bits of NaN are
 * not promised. */
uint64_t ledger_data_hash(struct kernel_data *data);

/* Run the case on the shim: the hash of the bits it writes. Within a test: any fault stops it. */
uint64_t ledger_shim_hash(const struct ledger_case *c);

/**
 * The same for many, in 'workers' processes; the shim is not reentrant. Call it while the process
 * has one thread.
 *
 * @param[out] hash  of each case that 'wanted' marks
 * @param[out] known false: its process has died, and said why on stderr
 */
void ledger_shim_hashes(uint64_t *hash, bool *known, const struct ledger_case *cases, size_t count,
                        const bool *wanted, int workers);

#endif
