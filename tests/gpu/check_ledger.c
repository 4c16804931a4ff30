/* The proof ledger against what is assembled and computed today.
 *
 *     gpu_ledger [--cells FOLDER] [--ledger FILE] [--figures FILE] [--write FILE] [--part]
 * [--release]
 *
 * A row has lapsed when its text is another one today: listed, no failure but with --release. A
 * case whose text stands in the ledger with another result than the shim's fails. --write: the
 * shim's hashes, for gpu_suite --expected. --part: the cells
 * need not be so many that every strategy occurs. */
#include "ledger_file.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct ledger_case cases[LEDGER_CASES_MAX];
static struct ledger_file ledger;
static struct cell_files cells;
static char text_hash[LEDGER_CASES_MAX][17];
static uint64_t result[LEDGER_CASES_MAX];
static bool wanted[LEDGER_CASES_MAX], known[LEDGER_CASES_MAX];

struct arguments {
    const char *cells, *ledger, *figures, *write;
    bool is_part, is_release;
};

static bool arguments_read(struct arguments *out, int argc, char **argv)
{
    static const struct option options[] = {{"cells", required_argument, NULL, 'c'},
                                            {"ledger", required_argument, NULL, 'l'},
                                            {"figures", required_argument, NULL, 'f'},
                                            {"write", required_argument, NULL, 'w'},
                                            {"part", no_argument, NULL, 'p'},
                                            {"release", no_argument, NULL, 'r'},
                                            {NULL, 0, NULL, 0}};
    *out = (struct arguments){.cells = "cells", .ledger = "tests/gpu/verified.tsv"};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'c')
            out->cells = optarg;
        else if (option == 'l')
            out->ledger = optarg;
        else if (option == 'f')
            out->figures = optarg;
        else if (option == 'w')
            out->write = optarg;
        else if (option == 'p')
            out->is_part = true;
        else if (option == 'r')
            out->is_release = true;
        else
            return false;
    }
    return optind == argc;
}

/* Names are the keys of the ledger, and the list has to hold what it is there for. */
static int list_check(size_t count)
{
    bool is_met[2][LEDGER_STRATEGIES] = {{false}}, is_stored[4] = {false};
    int missing = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < i; k++)
            if (strcmp(cases[i].name, cases[k].name) == 0 && ++missing)
                printf("two cases are named '%s'\n", cases[i].name);
        is_stored[cases[i].options.storage] = true;
        if (cases[i].options.kernel == ASSEMBLE_FORWARD ||
            cases[i].options.kernel == ASSEMBLE_BACKWARD)
            is_met[cases[i].options.kernel == ASSEMBLE_BACKWARD][cases[i].strategy] = true;
    }
    for (int s = 0; s < LEDGER_STRATEGIES; s++)
        for (int d = 0; d < 2; d++)
            if (!is_met[d][s] && ++missing)
                printf("no cell runs %s with %s\n", d ? "backward" : "forward",
                       ledger_strategies[s].name);
    for (int s = 0; s < 4; s++)
        if (!is_stored[s] && ++missing)
            printf("no case has storage %d\n", s);
    return missing;
}

static bool results_write(const char *path, size_t count)
{
    FILE *file = fopen(path, "w");
    if (!file) {
        perror(path);
        return false;
    }
    fprintf(file, "# case\ttext\tresult on the shim\n");
    for (size_t i = 0; i < count; i++)
        if (known[i])
            fprintf(file, "%s\t%s\t%016llx\n", cases[i].name, text_hash[i],
                    (unsigned long long)result[i]);
    return fclose(file) == 0;
}

static bool figures_write(const char *path, size_t verified, size_t count, size_t agree)
{
    FILE *file = fopen(path, "w");
    if (!file) {
        perror(path);
        return false;
    }
    /* The goal of a release; between releases a changed kernel has to wait for a device. */
    fprintf(file, "GPU-verified texts of %zu\t%zu\t0\n", count, verified);
    fprintf(file, "shim results that no row of the ledger contradicts\t%zu\t%zu\n", agree, count);
    return fclose(file) == 0;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    size_t verified = 0, agree = 0;
    if (!arguments_read(&arguments, argc, argv) || cell_files_read(&cells, arguments.cells) == 0) {
        fprintf(stderr, "usage: gpu_ledger [--cells FOLDER] [--ledger FILE] [--figures FILE] "
                        "[--write FILE] [--part] [--release]\n");
        return 2;
    }
    const size_t count = ledger_cases_make(cases, &cells);
    int failed = arguments.is_part ? 0 : list_check(count);
    if (access(arguments.ledger, F_OK) != 0) {
        printf("no ledger at %s yet\n", arguments.ledger);
    } else if (!ledger_file_read(&ledger, arguments.ledger)) {
        printf("%s: a line is not case<TAB>text<TAB>result\n", arguments.ledger);
        failed++;
    }
    for (size_t i = 0; i < count; i++)
        ledger_text_hash(text_hash[i], &cases[i]);
    memset(wanted, 1, sizeof wanted);
    ledger_shim_hashes(result, known, cases, count, wanted, 2);
    for (size_t i = 0; i < count; i++) {
        const struct ledger_row *row = ledger_file_find(&ledger, cases[i].name);
        const bool is_current = row && strcmp(row->text_hash, text_hash[i]) == 0;
        verified += is_current;
        if (ledger.count && !is_current)
            printf("lapsed: %s\n", cases[i].name);
        if (!known[i]) {
            printf("FAILED: %s: not run on the shim\n", cases[i].name);
            failed++;
        } else if (is_current && row->result != result[i]) {
            printf("FAILED: %s: %016llx on the shim, %016llx on a device\n", cases[i].name,
                   (unsigned long long)result[i], (unsigned long long)row->result);
            failed++;
        } else {
            agree++;
        }
    }
    printf("GPU-verified %zu of %zu; all run on the shim\n", verified, count);
    if (arguments.figures && !figures_write(arguments.figures, verified, count, agree))
        failed++;
    if (arguments.write && !results_write(arguments.write, count))
        failed++;
    cell_files_free(&cells);
    return failed != 0 || (arguments.is_release && verified < count);
}
