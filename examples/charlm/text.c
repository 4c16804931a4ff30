#include "text.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALIDATION_SHARE = 20, SHORTEST = 2000, NEWLINE = 95, TAB = 96, OTHER = 97 };

unsigned char text_symbol(char byte)
{
    if (byte >= ' ' && byte <= '~')
        return (unsigned char)(byte - ' ');
    if (byte == '\n')
        return NEWLINE;
    return byte == '\t' ? TAB : OTHER;
}

char text_byte(unsigned char symbol)
{
    if (symbol < NEWLINE)
        return (char)(symbol + ' ');
    if (symbol == NEWLINE)
        return '\n';
    return symbol == TAB ? '\t' : '?';
}

static bool append(struct text *text, const char *bytes, size_t length)
{
    unsigned char *grown = realloc(text->symbols, text->length + length + 1);
    if (!grown)
        return false;
    text->symbols = grown;
    for (size_t i = 0; i < length; i++)
        grown[text->length + i] = text_symbol(bytes[i]);
    text->length += length;
    return true;
}

static char *file_read(const char *path, size_t *length)
{
    char *bytes = NULL;
    size_t space = 0, count = 0;
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    for (;;) {
        if (space - count < 65536) {
            char *grown = realloc(bytes, space = 2 * space + 65536);
            if (!grown)
                goto fail;
            bytes = grown;
        }
        size_t more = fread(bytes + count, 1, space - count, file);
        count += more;
        if (!more)
            break;
    }
    if (ferror(file))
        goto fail;
    fclose(file);
    *length = count;
    return bytes;
fail:
    free(bytes);
    fclose(file);
    return NULL;
}

bool corpus_read_file(struct corpus *out, const char *path)
{
    size_t length;
    char *bytes = file_read(path, &length);
    *out = (struct corpus){.files = 1};
    if (!bytes)
        return false;
    if (length < SHORTEST) {
        free(bytes);
        errno = 0;
        return false;
    }
    size_t cut = length - length / VALIDATION_SHARE;
    bool done =
        append(&out->training, bytes, cut) && append(&out->validation, bytes + cut, length - cut);
    free(bytes);
    if (!done)
        corpus_free(out);
    return done;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

bool corpus_read_headers(struct corpus *out, const char *folder, size_t share, size_t limit)
{
    char *name = strdup(folder);
    char *roots[] = {name, NULL};
    FTS *tree = name ? fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name) : NULL;
    bool done = tree != NULL;
    *out = (struct corpus){.files = 0};
    while (done && out->training.length + out->validation.length < limit) {
        FTSENT *entry = fts_read(tree);
        if (!entry)
            break;
        const char *dot = strrchr(entry->fts_name, '.');
        if (entry->fts_info != FTS_F || !dot || strcmp(dot, ".h") != 0)
            continue;
        size_t length;
        char *bytes = file_read(entry->fts_accpath, &length);
        if (!bytes)
            continue; /* a header that this user may not read */
        size_t left = limit - out->training.length - out->validation.length;
        if (left > share)
            left = share;
        bool is_validation = out->files % VALIDATION_SHARE == VALIDATION_SHARE - 1;
        done = append(is_validation ? &out->validation : &out->training, bytes,
                      length < left ? length : left);
        out->files++;
        free(bytes);
    }
    if (tree)
        fts_close(tree);
    free(name);
    if (done && (out->training.length < SHORTEST || out->validation.length < SHORTEST / 20)) {
        errno = 0;
        done = false;
    }
    if (!done)
        corpus_free(out);
    return done;
}

void corpus_free(struct corpus *corpus)
{
    free(corpus->training.symbols);
    free(corpus->validation.symbols);
    corpus->training = corpus->validation = (struct text){.length = 0};
}
