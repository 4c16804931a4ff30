/* The cells that are shipped, by name. */
#ifndef PRNN_CELL_FILES_H
#define PRNN_CELL_FILES_H

#include <stddef.h>

enum { CELL_FILES_MAX = 64, CELL_NAME_MAX = 64 };

struct cell_file {
    char name[CELL_NAME_MAX]; /* without .cell */
    char *text;
};

struct cell_files {
    size_t count;
    struct cell_file file[CELL_FILES_MAX];
};

/* All of FOLDER, in the order of their names; the number, 0 where there are none. */
size_t cell_files_read(struct cell_files *out, const char *folder);
void cell_files_free(struct cell_files *files);
const char *cell_files_text(const struct cell_files *files, const char *name); /* or NULL */

#endif
