/* The GPU suite: see README.md of this folder. Exit code 77: there is no device. */
#include "gpu_parts.h"
#include "ledger_file.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct gpu_state gpu;

static struct ledger_case cases[LEDGER_CASES_MAX];
static struct ledger_file expected;

static const struct part {
    const char *name;
    void (*add)(TCase *tcase);
    bool is_usual; /* else only when it is asked for */
    bool needs_device;
} parts[] = {
    {"strict", gpu_part_strict, true, false},         {"accuracy", gpu_part_accuracy, true, false},
    {"sequential", gpu_part_sequential, true, false}, {"library", gpu_part_library, true, false},
    {"first-use", gpu_part_first_use, true, true},    {"sanitize", gpu_part_sanitize, false, false},
};
enum { PARTS = sizeof parts / sizeof *parts };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static const char usage[] =
    "usage: gpu_suite [--cells FOLDER] [--only PART] [--expected FILE] [--ledger FILE] [--shim]\n"
    "  --only      strict, accuracy, sequential, library, first-use, sanitize\n"
    "  --expected  hashes from the shim (of gpu_ledger) instead of running it\n"
    "  --ledger    write what was verified\n"
    "  --shim      on the shim instead of a device: to work on the suite\n";

struct arguments {
    const char *only, *expected, *ledger;
    bool is_shim;
};

static bool arguments_read(struct arguments *out, int argc, char **argv)
{
    static const struct option options[] = {
        {"cells", required_argument, NULL, 'c'},    {"only", required_argument, NULL, 'o'},
        {"expected", required_argument, NULL, 'e'}, {"ledger", required_argument, NULL, 'l'},
        {"shim", no_argument, NULL, 's'},           {NULL, 0, NULL, 0}};
    gpu.cells_folder = "cells";
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'c')
            gpu.cells_folder = optarg;
        else if (option == 'o')
            out->only = optarg;
        else if (option == 'e')
            out->expected = optarg;
        else if (option == 'l')
            out->ledger = optarg;
        else if (option == 's')
            out->is_shim = true;
        else
            return false;
    }
    bool is_known = !out->only;
    for (int i = 0; i < PARTS; i++)
        is_known |= out->only && strcmp(parts[i].name, out->only) == 0;
    return is_known && optind == argc;
}

static bool is_chosen(const struct arguments *arguments, const struct part *part)
{
    return arguments->only ? strcmp(arguments->only, part->name) == 0 : part->is_usual;
}

/* From the file, or from the shim as it is now. */
static void hashes_find(const struct arguments *arguments)
{
    if (!arguments->expected) {
        bool all[LEDGER_CASES_MAX];
        const long processors = sysconf(_SC_NPROCESSORS_ONLN);
        const double start = now();
        memset(all, 1, sizeof all);
        ledger_shim_hashes(gpu.wanted, gpu.is_wanted_known, cases, gpu.case_count, all,
                           processors > 0 ? (int)processors : 1);
        printf("hashes of %zu cases on the shim: %.1f s\n", gpu.case_count, now() - start);
        return;
    }
    for (size_t i = 0; i < gpu.case_count; i++) {
        char hash[17];
        ledger_text_hash(hash, &cases[i]);
        const struct ledger_row *row = ledger_file_find(&expected, cases[i].name);
        if (row && strcmp(row->text_hash, hash) == 0) {
            gpu.wanted[i] = row->result;
            gpu.is_wanted_known[i] = true;
        }
    }
}

static int part_run(const struct part *part)
{
    const double start = now(), compiled = device_compile_seconds(), ran = device_run_seconds();
    TCase *tcase = tcase_create(part->name);
    Suite *suite = suite_create(part->name);
    part->add(tcase);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    /* One process: a context does not survive a fork. */
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner), count = srunner_ntests_run(runner);
    srunner_free(runner);
    printf("PART\t%s\t%d\t%d\t%.1f\t%.1f\t%.1f\n", part->name, count, failed, now() - start,
           device_compile_seconds() - compiled, device_run_seconds() - ran);
    fflush(stdout);
    return failed;
}

static bool ledger_write(const char *path)
{
    FILE *file = fopen(path, "w");
    char date[32];
    const time_t time_now = time(NULL);
    size_t verified = 0;
    if (!file) {
        perror(path);
        return false;
    }
    strftime(date, sizeof date, "%Y-%m-%d", gmtime(&time_now));
    fprintf(file, "# case\ttext\tresult\tdevice\tdriver\tnvrtc\tdate\n");
    for (size_t i = 0; i < gpu.case_count; i++)
        if (gpu.is_verified[i]) {
            fprintf(file, "%s\t%s\t%016llx\t%s\t%s\n", cases[i].name, gpu.text_hash[i],
                    (unsigned long long)gpu.found[i], device_words(), date);
            verified++;
        }
    const bool is_whole = fclose(file) == 0;
    printf("GPU-verified %zu of %zu: %s\n", verified, gpu.case_count, path);
    return is_whole;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    char reason[1024] = "";
    int failed = 0;
    bool is_strict_chosen = false;
    if (!arguments_read(&arguments, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    if (cell_files_read(&gpu.cells, gpu.cells_folder) == 0) {
        fprintf(stderr, "no cells in '%s'\n", gpu.cells_folder);
        return 2;
    }
    if (arguments.expected && !ledger_file_read(&expected, arguments.expected)) {
        fprintf(stderr, "'%s' cannot be read\n", arguments.expected);
        return 2;
    }
    gpu.cases = cases;
    gpu.case_count = ledger_cases_make(cases, &gpu.cells);

    /* The shim's hashes come before the device is opened: they need processes of their own, which a
     * context forbids. */
    const struct device_settings settings = {
        .is_shim = arguments.is_shim,
        .leaves_holes = arguments.only && strcmp(arguments.only, "sanitize") == 0};
    for (int i = 0; i < PARTS; i++)
        is_strict_chosen |= parts[i].add == gpu_part_strict && is_chosen(&arguments, &parts[i]);
    if (!arguments.is_shim &&
        !device_is_there(is_strict_chosen && !arguments.expected, reason, sizeof reason)) {
        printf("skipped: no CUDA device: %s\n", reason);
        return 77;
    }
    if (is_strict_chosen)
        hashes_find(&arguments);
    device_open(&settings);
    printf("device: %s, %zu cells\n", device_words(), gpu.cells.count);
    for (int i = 0; i < PARTS; i++)
        if (is_chosen(&arguments, &parts[i]) && !(parts[i].needs_device && arguments.is_shim))
            failed += part_run(&parts[i]);
    if (arguments.ledger && !ledger_write(arguments.ledger))
        failed++;
    device_close();
    cell_files_free(&gpu.cells);
    return failed != 0;
}
