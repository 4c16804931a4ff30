#include "fault_figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { FIGURES_MAX = 16 };

static const char *file_path;
static struct figure *figures;

struct figure *figures_begin(const char *path, const char *const *what)
{
    FILE *file = fopen(path, "w");
    figures = mmap(NULL, FIGURES_MAX * sizeof *figures, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!file || figures == MAP_FAILED) {
        fprintf(stderr, "'%s' cannot be written\n", path);
        exit(1);
    }
    fclose(file);
    file_path = path;
    for (int i = 0; what[i] && i < FIGURES_MAX; i++)
        figures[i].what = what[i];
    return figures;
}

void figures_write(void)
{
    FILE *file = fopen(file_path, "a");
    if (!file)
        return;
    for (int i = 0; i < FIGURES_MAX && figures[i].what; i++)
        if (figures[i].goal > 0)
            fprintf(file, "%s\t%ld\t%ld\n", figures[i].what, figures[i].reached, figures[i].goal);
    fclose(file);
}
