/* Random cells through the compiler and all executors.
 *
 *   random_cells --path full|hash|derivatives|variants --seed S --cells N [--first K] [--only K]
 *                [--goal N] [--tries N] [--table FILE] [--keep FOLDER] [--print]
 *
 *   random_cells --path full|derivatives --folder FOLDER --cells N      each .cell of it, N times
 *
 * Cell K of seed S is always the same, so '--only K' replays a failure. Exits with 1 if a cell
 * fails; the failing cell is made smaller, printed and, with --keep, written to FOLDER. */
#include "cell_grow.h"
#include "cell_shrink.h"
#include "isolated.h"
#include "trial.h"
#include "variant_trial.h"

#include "hostcc.h"
#include "nvrtc.h"
#include "pipeline.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum path { PATH_FULL, PATH_HASH, PATH_DERIVATIVES, PATH_VARIANTS, PATH_COUNT };
static const char *const path_names[PATH_COUNT] = {"full", "hash", "derivatives", "variants"};

enum { LIMIT_SECONDS = 120, MESSAGE = 4096, FILES = 256 };

struct command {
    enum path path;
    uint64_t seed;
    int cells, first, only; /* only -1: all */
    int tries;              /* of the shrinker, for each failing cell */
    int goal;               /* derivatives to compare at least; fewer is a failure */
    const char *table, *keep, *folder;
    bool is_printing;
    bool can_poison; /* gcc knows -ftrivial-auto-var-init */
};

struct work {
    struct trial trial;
    struct trial_report report;
    enum path path;
    struct cell_tree tree;
    char text[1 << 16];
};

static void work_do(void *shared)
{
    struct work *work = shared;
    work->trial.report = &work->report;
    work->trial.text = work->text;
    if (work->path == PATH_VARIANTS)
        trial_variants(&work->trial, &work->tree);
    if (work->path == PATH_FULL || work->path == PATH_DERIVATIVES)
        trial_derivatives(&work->trial, work->path == PATH_DERIVATIVES ? 6 : 2);
    if (work->path == PATH_FULL)
        trial_kernels(&work->trial);
    if (work->path == PATH_HASH)
        trial_hash(&work->trial);
}

static uint64_t cell_seed(const struct command *command, int index)
{
    struct dice dice = {command->seed * 0x2545f4914f6cdd1du + (uint64_t)index};
    return dice_bits(&dice);
}

/* Everything beside the text that a trial depends on. */
static void trial_prepare(struct work *work, const struct command *command, int index, bool is_hard)
{
    work->path = command->path;
    work->trial = (struct trial){.is_hard = is_hard,
                                 .seed = cell_seed(command, index) ^ 0x5bd1e995,
                                 .with_forward_product = index % 8 == 0,
                                 .with_backward_product = index % 8 == 4,
                                 .with_nvrtc = index % 60 == 0 && !command->folder,
                                 .with_compilers = index % 20 == 0,
                                 .with_poison = command->can_poison && index % 10 == 1};
}

static void work_prepare(struct work *work, const struct command *command, int index,
                         const struct cell_tree *tree)
{
    char *text = tree_text(tree);
    snprintf(work->text, sizeof work->text, "%s", text);
    free(text);
    work->tree = *tree;
    trial_prepare(work, command, index, tree->is_hard);
}

/* -- failures ---------------------------------------------------------------------------------- */

struct hunt {
    struct work *work;
    const struct command *command;
    char *place; /* "kernel_trial.c:283": what fails */
    int index;
    int64_t steps;
};

/* What a message says about the place: up to the second colon. */
static char *place_of_message(const char *message)
{
    const char *colon = strchr(message, ':');
    colon = colon ? strchr(colon + 1, ':') : NULL;
    return strndup(message, colon ? (size_t)(colon - message) : strlen(message));
}

static bool is_loaded(const char *text)
{
    struct unit *unit;
    const bool is_ok =
        pipeline_load_text(&unit, "random.cell", text, strlen(text), NULL) == PIPELINE_OK;
    unit_free(unit);
    return is_ok;
}

/* Does this cell fail at the same place? */
static bool still_fails(const struct cell_tree *tree, void *context)
{
    struct hunt *hunt = context;
    char message[MESSAGE];
    work_prepare(hunt->work, hunt->command, hunt->index, tree);
    hunt->work->trial.steps = hunt->steps;
    if (!is_loaded(hunt->work->text) ||
        !isolated_run(work_do, hunt->work, LIMIT_SECONDS, message, sizeof message))
        return false;
    char *place = place_of_message(message);
    const bool is_same = !strcmp(place, hunt->place);
    free(place);
    return is_same;
}

static void report_failure(struct work *work, const struct command *command, int index,
                           const struct cell_tree *tree, const char *message)
{
    struct cell_tree *small = malloc(sizeof *small);
    struct hunt hunt = {.work = work, .command = command, .index = index};
    const struct trial_report report = work->report; /* without what the hunt adds */
    if (!small)
        abort();
    printf("cell %d of seed %llu (%s): %s\n", index, (unsigned long long)command->seed,
           tree->is_hard ? "hard" : "tame", message);
    *small = *tree;
    hunt.place = place_of_message(message);
    cell_shrink(small, still_fails, &hunt, command->tries);
    for (hunt.steps = 32; hunt.steps > 1; hunt.steps /= 2)
        if ((command->path != PATH_FULL && command->path != PATH_HASH) ||
            !still_fails(small, &hunt))
            break;
    char *text = tree_text(small);
    printf("%s", text);
    printf("fails in %lld steps; replay: random_cells --path %s --seed %llu --only %d\n\n",
           (long long)hunt.steps * 2, path_names[command->path], (unsigned long long)command->seed,
           index);
    if (command->keep) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s-%llu-%d.cell", command->keep, path_names[command->path],
                 (unsigned long long)command->seed, index);
        FILE *file = fopen(path, "w");
        if (file) {
            fprintf(file, "# %s\n%s", message, text);
            fclose(file);
        }
    }
    free(text);
    free(hunt.place);
    free(small);
    work->report = report;
}

static void usage(void)
{
    fputs("usage: random_cells --path PATH --seed S --cells N [--first K] [--only K] [--goal N] "
          "[--tries N] [--table FILE] [--keep FOLDER] [--print]\n",
          stderr);
    exit(2);
}

static struct command command_read(int argc, char **argv)
{
    struct command command = {.seed = 1, .cells = 10, .only = -1, .tries = 400};
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(word, "--print")) {
            command.is_printing = true;
            continue;
        }
        if (!value)
            usage();
        i++;
        if (!strcmp(word, "--seed"))
            command.seed = strtoull(value, NULL, 10);
        else if (!strcmp(word, "--cells"))
            command.cells = atoi(value);
        else if (!strcmp(word, "--first"))
            command.first = atoi(value);
        else if (!strcmp(word, "--only"))
            command.only = atoi(value);
        else if (!strcmp(word, "--tries"))
            command.tries = atoi(value);
        else if (!strcmp(word, "--goal"))
            command.goal = atoi(value);
        else if (!strcmp(word, "--table"))
            command.table = value;
        else if (!strcmp(word, "--folder"))
            command.folder = value;
        else if (!strcmp(word, "--keep"))
            command.keep = value;
        else if (!strcmp(word, "--path")) {
            command.path = PATH_COUNT;
            for (int p = 0; p < PATH_COUNT; p++)
                if (!strcmp(value, path_names[p]))
                    command.path = (enum path)p;
            if (command.path == PATH_COUNT)
                usage();
        } else {
            usage();
        }
    }
    if (command.only >= 0) {
        command.first = command.only;
        command.cells = 1;
    }
    return command;
}

static void print_figures(const struct command *command, const struct trial_report *r, int hard,
                          int failed)
{
    printf("%s: %d cells of seed %llu, %d of them hard: %d failed\n", path_names[command->path],
           command->cells, (unsigned long long)command->seed, hard, failed);
    if (r->kernels)
        printf("%lld shim kernels, %lld runs, %lld CPU objects, %lld device texts, %lld strategies "
               "refused, %lld runs with inf or NaN, %lld tiles against the reference solver\n"
               "largest ratios (limit 30): forward %.2g, backward %.2g, CPU %.2g\n",
               (long long)r->kernels, (long long)r->launches, (long long)r->products,
               (long long)r->device_texts, (long long)r->refused, (long long)r->nonfinite,
               (long long)r->corrections_compared, r->forward_ratio, r->backward_ratio,
               r->product_ratio);
    if (r->nvrtc_missing)
        printf("NVRTC is not found: %lld device texts were not compiled\n",
               (long long)r->nvrtc_missing);
    if (command->path == PATH_HASH)
        printf("hash of all cells: %016llx\n", (unsigned long long)r->hash);
    if (r->variants)
        printf("%lld variants of the same meaning\n", (long long)r->variants);
    if (r->comparisons)
        printf(
            "%lld derivatives against binary128 (%lld points near a kink left out), largest error "
            "%.2g of %g; of dot products %.2g\n",
            (long long)r->comparisons, (long long)r->kinks, r->derivative_error, 1e-12,
            r->dot_error);
}

/* what, reached, goal */
static void write_table(const struct command *command, const struct trial_report *r, int failed)
{
    const char *path = path_names[command->path];
    const unsigned long long seed = command->seed;
    FILE *file = fopen(command->table, "w");
    if (!file) {
        perror(command->table);
        exit(1);
    }
    fprintf(file, "random cells, path %s, seed %llu: cells that pass\t%d\t%d\n", path, seed,
            command->cells - failed, command->cells);
    if (command->path == PATH_FULL) {
        const double largest = fmax(fmax(r->forward_ratio, r->backward_ratio), r->product_ratio);
        fprintf(file, "random cells, path full, seed %llu: 30 / largest ratio\t%.3g\t1\n", seed,
                30 / fmax(largest, 1e-3));
        fprintf(file, "random cells, path full, seed %llu: texts through NVRTC\t%lld\t%lld\n", seed,
                (long long)r->device_texts, (long long)(r->nvrtc_missing ? 0 : r->device_texts));
    }
    if (command->path == PATH_DERIVATIVES)
        fprintf(file, "derivatives against binary128, seed %llu\t%lld\t%d\n", seed,
                (long long)r->comparisons, command->goal);
    if (command->path == PATH_VARIANTS)
        fprintf(file, "variants with the same text, seed %llu\t%lld\t%d\n", seed,
                (long long)r->variants, command->cells * 5);
    fclose(file);
}

/* -- cells in files ------------------------------------------------------------------------------
 */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Every cell of a folder, 'cells' times with other sizes and data. Returns how many fail. */
static int folder_run(const struct command *command, struct work *work)
{
    char *names[FILES], message[MESSAGE], path[4096];
    int count = 0, failed = 0;
    DIR *folder = opendir(command->folder);
    if (!folder) {
        perror(command->folder);
        exit(1);
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL && count < FILES;) {
        const char *dot = strrchr(entry->d_name, '.');
        if (dot && !strcmp(dot, ".cell"))
            names[count++] = strdup(entry->d_name);
    }
    closedir(folder);
    qsort(names, (size_t)count, sizeof *names, by_name);
    for (int f = 0; f < count; f++) {
        snprintf(path, sizeof path, "%s/%s", command->folder, names[f]);
        FILE *file = fopen(path, "r");
        const size_t length = file ? fread(work->text, 1, sizeof work->text - 1, file) : 0;
        if (file)
            fclose(file);
        work->text[length] = 0;
        for (int k = command->first; k < command->first + command->cells; k++) {
            trial_prepare(work, command, k, !strncmp(work->text, "# hard", 6));
            if (!isolated_run(work_do, work, LIMIT_SECONDS, message, sizeof message))
                continue;
            failed++;
            printf("%s, cell %d of seed %llu: %s\n", names[f], k, (unsigned long long)command->seed,
                   message);
        }
        free(names[f]);
    }
    printf("%d files of %s, %d times each: %d failures\n", count, command->folder, command->cells,
           failed);
    return count ? failed : 1;
}

int main(int argc, char **argv)
{
    struct command command = command_read(argc, argv);
    struct work *work = isolated_memory(sizeof *work);
    struct cell_tree *tree = calloc(1, sizeof *tree);
    char message[MESSAGE], folder[] = "/tmp/prnn-cells-XXXXXX", remove_all[64];
    struct nvrtc_info nvrtc;
    int failed = 0, hard = 0;
    if (!tree || !mkdtemp(folder))
        abort();
    setenv("TMPDIR", folder, 1);
    command.can_poison = !system("gcc -ftrivial-auto-var-init=pattern -x c -fsyntax-only /dev/null "
                                 ">/dev/null 2>&1");
    /* Looked for once, and inherited by the processes of the cells. */
    hostcc_compiler();
    if (command.path == PATH_FULL)
        nvrtc_info_get(&nvrtc);
    if (command.folder)
        failed = folder_run(&command, work);
    for (int k = command.first; k < command.first + command.cells && !command.folder; k++) {
        cell_grow(tree, cell_seed(&command, k), GROW_ANY);
        work_prepare(work, &command, k, tree);
        hard += tree->is_hard;
        if (command.is_printing)
            printf("# cell %d\n%s", k, work->text);
        if (!isolated_run(work_do, work, LIMIT_SECONDS, message, sizeof message))
            continue;
        failed++;
        report_failure(work, &command, k, tree, message);
    }
    print_figures(&command, &work->report, hard, failed);
    if (command.table)
        write_table(&command, &work->report, failed);
    const int64_t comparisons = work->report.comparisons;
    snprintf(remove_all, sizeof remove_all, "rm -rf %s", folder);
    if (system(remove_all))
        perror(folder);
    free(tree);
    return failed != 0 || comparisons < command.goal;
}
