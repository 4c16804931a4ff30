#include "cell_files.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int files_compare(const void *a, const void *b)
{
    return strcmp(((const struct cell_file *)a)->name, ((const struct cell_file *)b)->name);
}

static char *file_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    enum { ROOM = 1 << 16 };
    char *text = calloc(ROOM, 1);
    if (text)
        (void)!fread(text, 1, ROOM - 1, file);
    fclose(file);
    return text;
}

size_t cell_files_read(struct cell_files *out, const char *folder)
{
    DIR *directory = opendir(folder);
    out->count = 0;
    if (!directory)
        return 0;
    for (const struct dirent *entry; (entry = readdir(directory)) && out->count < CELL_FILES_MAX;) {
        const size_t length = strlen(entry->d_name);
        if (length <= 5 || length - 5 >= CELL_NAME_MAX ||
            strcmp(entry->d_name + length - 5, ".cell") != 0)
            continue;
        char path[4096];
        struct cell_file *file = &out->file[out->count];
        memset(file->name, 0, sizeof file->name);
        memcpy(file->name, entry->d_name, length - 5);
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if ((file->text = file_read(path)))
            out->count++;
    }
    closedir(directory);
    qsort(out->file, out->count, sizeof *out->file, files_compare);
    return out->count;
}

const char *cell_files_text(const struct cell_files *files, const char *name)
{
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->file[i].name, name) == 0)
            return files->file[i].text;
    return NULL;
}

void cell_files_free(struct cell_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->file[i].text);
    files->count = 0;
}
