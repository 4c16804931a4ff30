/* Runs a harness over files and folders: the corpus as a plain test, without a fuzzer.
 *
 *   fuzz_cell_replay PATH...
 *
 * A find is an abort or a sanitizer's exit, with the file's name as the last line before. */
#include "fuzz_target.h"

#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

static size_t file_count;
static const char *current = "";

static void run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) {
        fprintf(stderr, "cannot read '%s'\n", path);
        exit(2);
    }
    const long size = ftell(file);
    rewind(file);
    uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
    if (!data || fread(data, 1, (size_t)size, file) != (size_t)size) {
        fprintf(stderr, "cannot read '%s'\n", path);
        exit(2);
    }
    fclose(file);
    current = path;
    LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
    file_count++;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void run_path(const char *path)
{
    struct stat info;
    if (stat(path, &info)) {
        fprintf(stderr, "cannot read '%s'\n", path);
        exit(2);
    }
    if (!S_ISDIR(info.st_mode)) {
        run_file(path);
        return;
    }
    struct dirent **entries;
    const int count = scandir(path, &entries, is_visible, alphasort);
    for (int i = 0; i < count; i++) {
        char inner[4096];
        snprintf(inner, sizeof inner, "%s/%s", path, entries[i]->d_name);
        run_path(inner);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

/* Called by abort(): which input it was. */
static void name_input(int signal)
{
    (void)signal;
    fprintf(stderr, "with the input '%s'\n", current);
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = name_input, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGABRT, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    for (int i = 1; i < argc; i++)
        run_path(argv[i]);
    printf("%zu inputs\n", file_count);
    return file_count > 0 ? 0 : 1;
}
