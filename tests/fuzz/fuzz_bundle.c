/* Bundles: the bytes as they are, and once more with a digest that fits, or nothing behind the
 * digest would ever be reached. */
#include "fuzz_target.h"

#include "bundle.h"
#include "pipeline.h"

#include <string.h>

struct input {
    const uint8_t *data;
    size_t size;
};

static void seal(uint8_t *bytes, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i + 8 < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    for (size_t i = 0; size >= 8 && i < 8; i++)
        bytes[size - 8 + i] = (uint8_t)(hash >> 8 * i);
}

static void check(struct arena *arena, void *context)
{
    const struct input *input = context;
    struct bundle bundle;
    const char *fault = bundle_read(&bundle, (const char *)input->data, input->size, arena);
    if (fault) {
        FUZZ_PROMISE(bundle.part_count == 0 && *fault, "a refused bundle has no parts");
        return;
    }
    FUZZ_PROMISE(bundle.part_count > 0 && bundle.parts[0].kind == BUNDLE_CELL, "a cell is first");
    /* Names are C strings when they are written: one with a NUL in it comes back shorter. */
    bool is_plain = true;
    size_t names = 0;
    for (uint32_t i = 0; i < bundle.part_count; i++)
        names += strlen(bundle.parts[i].name) + bundle.parts[i].length;
    is_plain = names + bundle.part_count * 16u + 20 == input->size;
    if (!is_plain)
        return;
    struct textbuf out;
    textbuf_init(&out, arena);
    bundle_write(&out, bundle.parts, bundle.part_count);
    FUZZ_PROMISE(out.length == input->size && !memcmp(out.text, input->data, out.length),
                 "a bundle that was read is written as it was");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    if (size)
        memcpy(copy, data, size);
    struct input input = {copy, size};
    (void)pipeline_guard(NULL, check, &input);
    seal(copy, size);
    (void)pipeline_guard(NULL, check, &input);
    if (bundle_is((const char *)copy, size)) {
        struct pipeline_options options = PIPELINE_OPTIONS_INIT;
        struct unit *unit;
        options.last = PIPELINE_TYPECHECK;
        const enum pipeline_class result =
            pipeline_load_text(&unit, "fuzz.prnn", (const char *)copy, size, &options);
        FUZZ_PROMISE(result != PIPELINE_INTERNAL, "no bundle is an internal error");
        unit_free(unit);
    }
    free(copy);
    return 0;
}
