#include "bundle.h"

#include <assert.h>
#include <string.h>

enum { MAGIC_LENGTH = 8, DIGEST_LENGTH = 8, VERSION = 1 };

static const char magic[] = "PRNNBDL"; /* then one byte of version */

static void add_u32(struct textbuf *out, uint32_t value)
{
    char bytes[4];
    for (int i = 0; i < 4; i++)
        bytes[i] = (char)(unsigned char)(value >> 8 * i);
    textbuf_add_n(out, bytes, sizeof bytes);
}

static void add_u64(struct textbuf *out, uint64_t value)
{
    add_u32(out, (uint32_t)value);
    add_u32(out, (uint32_t)(value >> 32));
}

static uint64_t digest(const char *bytes, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    return hash;
}

bool bundle_is(const char *bytes, size_t length)
{
    return length >= MAGIC_LENGTH && !memcmp(bytes, magic, MAGIC_LENGTH - 1);
}

void bundle_write(struct textbuf *out, const struct bundle_part *parts, uint32_t part_count)
{
    assert(part_count > 0 && part_count <= BUNDLE_PARTS && parts[0].kind == BUNDLE_CELL);
    const size_t start = out->length;
    textbuf_add_n(out, magic, MAGIC_LENGTH - 1);
    textbuf_add_n(out, &(char){VERSION}, 1);
    add_u32(out, part_count);
    for (uint32_t i = 0; i < part_count; i++) {
        const size_t name_length = strlen(parts[i].name);
        assert(name_length <= BUNDLE_NAME_BYTES);
        add_u32(out, (uint32_t)parts[i].kind);
        add_u32(out, (uint32_t)name_length);
        textbuf_add_n(out, parts[i].name, name_length);
        add_u64(out, parts[i].length);
        textbuf_add_n(out, parts[i].bytes, parts[i].length);
    }
    add_u64(out, digest(out->text + start, out->length - start));
}

/* Reads forward and never past the end: once something is missing, all that follows is 0. */
struct reader {
    const char *at;
    size_t left;
    bool is_short;
};

static const char *take(struct reader *reader, uint64_t length)
{
    if (reader->is_short || length > reader->left) {
        reader->is_short = true;
        return NULL;
    }
    const char *bytes = reader->at;
    reader->at += length;
    reader->left -= (size_t)length;
    return bytes;
}

static uint64_t take_number(struct reader *reader, unsigned bytes)
{
    const char *text = take(reader, bytes);
    uint64_t value = 0;
    for (unsigned i = 0; text && i < bytes; i++)
        value |= (uint64_t)(unsigned char)text[i] << 8 * i;
    return value;
}

const char *bundle_read(struct bundle *out, const char *bytes, size_t length, struct arena *arena)
{
    *out = (struct bundle){NULL, 0};
    if (!bundle_is(bytes, length))
        return "not a bundle: it does not begin with 'PRNNBDL'";
    if (bytes[MAGIC_LENGTH - 1] != VERSION)
        return arena_printf(arena, "a bundle of version %d, this program reads version %d",
                            (unsigned char)bytes[MAGIC_LENGTH - 1], VERSION);
    if (length < MAGIC_LENGTH + 4 + DIGEST_LENGTH)
        return "the bundle ends too early";
    struct reader tail = {bytes + length - DIGEST_LENGTH, DIGEST_LENGTH, false};
    if (take_number(&tail, 8) != digest(bytes, length - DIGEST_LENGTH))
        return "the bundle is damaged: its digest does not fit its bytes";

    struct reader reader = {bytes + MAGIC_LENGTH, length - MAGIC_LENGTH - DIGEST_LENGTH, false};
    const uint32_t part_count = (uint32_t)take_number(&reader, 4);
    if (part_count == 0 || part_count > BUNDLE_PARTS)
        return arena_printf(arena, "the bundle has %u parts, expected 1 to %d", part_count,
                            BUNDLE_PARTS);
    struct bundle_part *parts = arena_array(arena, part_count, sizeof *parts);
    for (uint32_t i = 0; i < part_count; i++) {
        const uint32_t kind = (uint32_t)take_number(&reader, 4);
        const uint32_t name_length = (uint32_t)take_number(&reader, 4);
        const char *name = name_length <= BUNDLE_NAME_BYTES ? take(&reader, name_length) : NULL;
        const uint64_t part_length = take_number(&reader, 8);
        const char *part = take(&reader, part_length);
        if (reader.is_short || !name || !part)
            return arena_printf(arena, "part %u of the bundle ends too early", i + 1);
        parts[i] = (struct bundle_part){
            (enum bundle_kind)kind, arena_strndup(arena, name, name_length),
            arena_strndup(arena, part, (size_t)part_length), (size_t)part_length};
    }
    if (reader.left > 0)
        return "the bundle has bytes behind its last part";
    if (parts[0].kind != BUNDLE_CELL)
        return "the first part of the bundle is not a cell";
    *out = (struct bundle){parts, part_count};
    return NULL;
}

const struct bundle_part *bundle_find(const struct bundle *bundle, enum bundle_kind kind)
{
    for (uint32_t i = 0; i < bundle->part_count; i++)
        if (bundle->parts[i].kind == kind)
            return &bundle->parts[i];
    return NULL;
}
