#include "safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_LIMIT = 1 << 20, NAME_SIZE = 128 };

/* The parameters in ordinary memory, to be freed; NULL: errno says why. */
static float *values_download(const struct model *model)
{
    const size_t count = model_param_count(model);
    float *values = malloc(count * sizeof *values);
    if (values && model_download(model, values, model_params(model), count) < 0) {
        errno = EIO;
        free(values);
        return NULL;
    }
    return values;
}

/* -------------------------------------------------------------------------------------- writing */

/* Everything to an open file. */
static bool model_write(FILE *file, const struct model *model, const float *values, char *header)
{
    size_t count, length = 0;
    const struct model_group *groups = model_groups(model, &count);
    for (size_t g = 0; g < count; g++) {
        const size_t begin = groups[g].offset * sizeof(float);
        const size_t size = (size_t)groups[g].rows * (size_t)groups[g].columns * sizeof(float);
        length += (size_t)snprintf(
            header + length, HEADER_LIMIT - length,
            "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[%zu,%zu]}",
            g ? "," : "{", groups[g].name, groups[g].rows, groups[g].columns, begin, begin + size);
        if (length + 16 >= HEADER_LIMIT) {
            errno = EFBIG;
            return false;
        }
    }
    header[length++] = '}';
    while (length % 8)
        header[length++] = ' ';
    unsigned char prefix[8];
    for (int i = 0; i < 8; i++)
        prefix[i] = (unsigned char)((uint64_t)length >> (8 * i));
    const size_t params = model_param_count(model);
    return fwrite(prefix, 1, 8, file) == 8 && fwrite(header, 1, length, file) == length &&
           fwrite(values, sizeof(float), params, file) == params;
}

bool safetensors_save(const char *path, const struct model *model)
{
    /* Under another name first: hours of training may stand in the old file. */
    static const char ending[] = ".part";
    char *part = malloc(strlen(path) + sizeof ending), *header = malloc(HEADER_LIMIT);
    float *values = values_download(model);
    FILE *file = NULL;
    bool done = false;
    if (part && header && values) {
        strcpy(part, path);
        strcat(part, ending);
        file = fopen(part, "wb");
    }
    if (file) {
        done = model_write(file, model, values, header);
        int fault = errno;
        if (fclose(file) && done) {
            done = false;
            fault = errno;
        }
        errno = fault;
        if (done)
            done = !rename(part, path);
        if (!done) {
            fault = errno;
            remove(part);
            errno = fault;
        }
    }
    if (!done)
        fprintf(stderr, "charlm: cannot write '%s': %s\n", path, strerror(errno));
    free(values);
    free(header);
    free(part);
    return done;
}

/* -------------------------------------------------------------------------------------- reading */

struct tensor {
    char name[NAME_SIZE], dtype[16];
    uint64_t shape[8], begin, end;
    int rank;
};

static void spaces_skip(const char **at)
{
    *at += strspn(*at, " \t\r\n");
}

static bool take(const char **at, char wanted)
{
    spaces_skip(at);
    if (**at != wanted)
        return false;
    ++*at;
    return true;
}

/* Names with escapes are not ours; they are read to their end and match nothing. */
static bool string_read(const char **at, char *out, size_t size)
{
    size_t length = 0;
    if (!take(at, '"'))
        return false;
    for (; **at && **at != '"'; ++*at) {
        if (**at == '\\' && !*++*at)
            return false;
        if (length + 1 < size)
            out[length++] = **at;
    }
    out[length] = '\0';
    return take(at, '"');
}

static int numbers_read(const char **at, uint64_t *out, int most)
{
    int count = 0;
    if (!take(at, '['))
        return -1;
    if (take(at, ']'))
        return 0;
    do {
        char *end;
        spaces_skip(at);
        if (count == most || **at < '0' || **at > '9')
            return -1;
        errno = 0;
        out[count++] = strtoull(*at, &end, 10);
        if (errno)
            return -1;
        *at = end;
    } while (take(at, ','));
    return take(at, ']') ? count : -1;
}

static bool tensor_read(const char **at, struct tensor *out)
{
    char key[32];
    uint64_t places[2];
    bool has_places = false;
    if (!take(at, '{'))
        return false;
    do {
        if (!string_read(at, key, sizeof key) || !take(at, ':'))
            return false;
        if (!strcmp(key, "shape"))
            out->rank = numbers_read(at, out->shape, 8);
        else if (!strcmp(key, "data_offsets"))
            has_places = numbers_read(at, places, 2) == 2;
        else if (!string_read(at, out->dtype, sizeof out->dtype))
            return false;
    } while (take(at, ','));
    if (!has_places || out->rank < 0 || places[0] > places[1])
        return false;
    out->begin = places[0];
    out->end = places[1];
    return take(at, '}');
}

static bool metadata_skip(const char **at)
{
    char text[8];
    if (!take(at, '{'))
        return false;
    if (take(at, '}'))
        return true;
    do {
        if (!string_read(at, text, sizeof text) || !take(at, ':') ||
            !string_read(at, text, sizeof text))
            return false;
    } while (take(at, ','));
    return take(at, '}');
}

static bool header_read(const char *at, struct tensor *tensors, size_t most, size_t *count)
{
    *count = 0;
    if (!take(&at, '{'))
        return false;
    do {
        struct tensor tensor = {.rank = -1};
        if (!string_read(&at, tensor.name, sizeof tensor.name) || !take(&at, ':'))
            return false;
        if (!strcmp(tensor.name, "__metadata__")) {
            if (!metadata_skip(&at))
                return false;
            continue;
        }
        if (*count == most || !tensor_read(&at, &tensor))
            return false;
        tensors[(*count)++] = tensor;
    } while (take(&at, ','));
    spaces_skip(&at);
    return *at == '}';
}

static bool group_load(FILE *file, long data, const struct tensor *tensors, size_t tensor_count,
                       const struct model_group *group, float *params, const char *path)
{
    const uint64_t rows = (uint64_t)group->rows, columns = (uint64_t)group->columns;
    for (size_t i = 0; i < tensor_count; i++) {
        const struct tensor *tensor = &tensors[i];
        if (strcmp(tensor->name, group->name) != 0)
            continue;
        if (strcmp(tensor->dtype, "F32") != 0 || tensor->rank != 2 || tensor->shape[0] != rows ||
            tensor->shape[1] != columns ||
            tensor->end - tensor->begin != rows * columns * sizeof(float)) {
            fprintf(stderr, "charlm: '%s': tensor '%s' is not F32 [%d, %d], as this model needs\n",
                    path, group->name, group->rows, group->columns);
            return false;
        }
        if (tensor->begin > (uint64_t)INT32_MAX ||
            fseek(file, data + (long)tensor->begin, SEEK_SET) ||
            fread(params + group->offset, sizeof(float), rows * columns, file) != rows * columns) {
            fprintf(stderr, "charlm: '%s' ends within tensor '%s'\n", path, group->name);
            return false;
        }
        return true;
    }
    fprintf(stderr, "charlm: '%s' has no tensor '%s'\n", path, group->name);
    return false;
}

bool safetensors_load(const char *path, struct model *model)
{
    enum { MOST = 4096 };
    size_t count, tensor_count;
    unsigned char prefix[8] = {0};
    uint64_t length = 0;
    char *header = NULL;
    struct tensor *tensors = calloc(MOST, sizeof *tensors);
    float *values = values_download(model);
    FILE *file = fopen(path, "rb");
    bool done = false;
    if (!file || !tensors || !values) {
        fprintf(stderr, "charlm: cannot read '%s': %s\n", path, strerror(errno));
        goto end;
    }
    bool is_whole = fread(prefix, 1, 8, file) == 8;
    for (int i = 7; i >= 0; i--)
        length = length << 8 | prefix[i];
    is_whole = is_whole && length <= HEADER_LIMIT && (header = calloc(length + 1, 1)) &&
               fread(header, 1, length, file) == length;
    if (!is_whole || !header_read(header, tensors, MOST, &tensor_count)) {
        fprintf(stderr, "charlm: '%s' is not a safetensors file that this program can read\n",
                path);
        goto end;
    }
    const struct model_group *groups = model_groups(model, &count);
    done = true;
    for (size_t g = 0; done && g < count; g++)
        done = group_load(file, 8 + (long)length, tensors, tensor_count, &groups[g], values, path);
    if (done && model_upload(model, model_params(model), values, model_param_count(model)) < 0) {
        fprintf(stderr, "charlm: '%s': %s\n", path, prnn_last_error());
        done = false;
    }
end:
    if (file)
        fclose(file);
    free(tensors);
    free(values);
    free(header);
    return done;
}
