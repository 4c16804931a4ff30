/* The ledger, and the shim's hashes, as files: lines of 'case<TAB>text<TAB>result', whatever
 * follows on the line; '#' begins a comment. */
#ifndef PRNN_LEDGER_FILE_H
#define PRNN_LEDGER_FILE_H

#include "ledger_cases.h"

struct ledger_row {
    char name[LEDGER_NAME_MAX], text_hash[17];
    uint64_t result;
};

struct ledger_file {
    size_t count;
    struct ledger_row row[LEDGER_CASES_MAX];
};

/* false: it cannot be read, or a line is of another form. */
bool ledger_file_read(struct ledger_file *out, const char *path);
const struct ledger_row *ledger_file_find(const struct ledger_file *file, const char *name);

#endif
