#include "shape_list.h"

#include <string.h>

static const char separators[] = "; \t\n";

bool shape_read(struct shape *out, const char *text, size_t length)
{
    int64_t *const fields[] = {&out->batch, &out->seq_len, &out->channels};
    const char *const end = text + length;
    for (int i = 0; i < 3; i++) {
        int64_t value = 0;
        const char *start = text;
        for (; text < end && *text >= '0' && *text <= '9' && value < (int64_t)1 << 40; text++)
            value = value * 10 + (*text - '0');
        const bool is_ended = i < 2 ? text < end && (*text == 'x' || *text == ',') : text == end;
        if (text == start || value < 1 || value > (int64_t)1 << 31 || !is_ended)
            return false;
        *fields[i] = value;
        text += i < 2;
    }
    return true;
}

bool shape_list_read(struct shape_list *out, const char *text, const char **wrong,
                     struct arena *arena)
{
    out->count = 0;
    out->shapes = arena_array(arena, strlen(text) / 6 + 1, sizeof *out->shapes);
    for (text += strspn(text, separators); *text; text += strspn(text, separators)) {
        const size_t length = strcspn(text, separators);
        if (!shape_read(&out->shapes[out->count], text, length)) {
            *wrong = arena_strndup(arena, text, length);
            return false;
        }
        out->count++;
        text += length;
    }
    *wrong = "";
    return out->count > 0;
}

static const char *const dtype_words[] = {
    [PRNN_F32] = "f32", [PRNN_F64] = "f64", [PRNN_BF16] = "bf16", [PRNN_F16] = "f16"};

const char *dtype_word(prnn_storage storage)
{
    return dtype_words[storage];
}

bool dtype_read(prnn_storage *out, const char *text, size_t length)
{
    for (size_t i = 0; i < sizeof dtype_words / sizeof *dtype_words; i++)
        if (strlen(dtype_words[i]) == length && !strncmp(text, dtype_words[i], length)) {
            *out = (prnn_storage)i;
            return true;
        }
    return false;
}

uint32_t dtype_list_read(prnn_storage out[4], const char *text)
{
    uint32_t count = 0;
    for (;;) {
        const size_t length = strcspn(text, ",");
        prnn_storage read;
        if (!dtype_read(&read, text, length))
            return 0;
        for (uint32_t i = 0; i < count; i++)
            if (out[i] == read)
                return 0;
        out[count++] = read;
        if (!text[length])
            return count;
        text += length + 1;
    }
}
