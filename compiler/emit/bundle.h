/* .prnn files: a cell with what was made from it, in one file.
 *
 * Little endian, whatever the machine: 8 bytes of magic with the version, the number of parts, then
 * for each part its kind, name, length and bytes, and at the end a 64-bit FNV-1a digest of all
 * before it. The digest finds damage; it does not stop an attacker. Every bundle holds the
 * canonical text of its cell, from which the rest can be made again. */
#ifndef PRNN_BUNDLE_H
#define PRNN_BUNDLE_H

#include "arena.h"
#include "textbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bundle_kind {
    BUNDLE_CELL = 1,    /* canonical .cell text; exactly one, the first part */
    BUNDLE_DEFINES = 2, /* lines of name=value: what -D replaced */
    BUNDLE_IR = 3,      /* the final IR as text */
    BUNDLE_TEXT = 4,    /* a kernel text; the name says target, kernel and storage */
    BUNDLE_CUBIN = 5,   /* machine code of a kernel text; the name ends with the architecture */
};

enum { BUNDLE_PARTS = 256, BUNDLE_NAME_BYTES = 255 };

struct bundle_part {
    enum bundle_kind kind;
    const char *name; /* at most BUNDLE_NAME_BYTES */
    const char *bytes;
    size_t length;
};

struct bundle {
    const struct bundle_part *parts;
    uint32_t part_count;
};

/* Whether the bytes begin like a bundle of any version. */
bool bundle_is(const char *bytes, size_t length);
/* Append the file. At most BUNDLE_PARTS parts; parts[0] is the cell. */
void bundle_write(struct textbuf *out, const struct bundle_part *parts, uint32_t part_count);
/* NULL, or what is wrong with the bytes. Parts are copied into the arena and end with a NUL that
 * their length does not count. Parts of unknown kinds are kept. */
const char *bundle_read(struct bundle *out, const char *bytes, size_t length, struct arena *arena);
/* The first part of a kind, or NULL. */
const struct bundle_part *bundle_find(const struct bundle *bundle, enum bundle_kind kind);

#endif
