#include "ledger_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool row_read(struct ledger_row *row, char *line)
{
    char *text = strchr(line, '\t'), *result = text ? strchr(text + 1, '\t') : NULL, *end;
    if (!result || text - line >= LEDGER_NAME_MAX || result - text != 17)
        return false;
    memset(row, 0, sizeof *row);
    memcpy(row->name, line, (size_t)(text - line));
    memcpy(row->text_hash, text + 1, 16);
    row->result = strtoull(result + 1, &end, 16);
    return end == result + 17 && (*end == '\t' || *end == '\n' || *end == 0);
}

bool ledger_file_read(struct ledger_file *out, const char *path)
{
    FILE *file = fopen(path, "r");
    char line[512];
    bool is_fine = true;
    out->count = 0;
    if (!file)
        return false;
    while (is_fine && fgets(line, sizeof line, file)) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        is_fine = out->count < LEDGER_CASES_MAX && row_read(&out->row[out->count], line);
        out->count += is_fine;
    }
    fclose(file);
    return is_fine;
}

const struct ledger_row *ledger_file_find(const struct ledger_file *file, const char *name)
{
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->row[i].name, name) == 0)
            return &file->row[i];
    return NULL;
}
