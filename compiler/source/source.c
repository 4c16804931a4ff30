#include "source.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "diag.h"
#include "limits.h"

static void index_lines(struct source *source, struct arena *arena)
{
    uint32_t count = 1;
    for (uint32_t i = 0; i < source->length; i++)
        count += source->text[i] == '\n';
    uint32_t *lines = arena_array(arena, count, sizeof *lines);
    uint32_t line = 0;
    lines[line++] = source->start;
    for (uint32_t i = 0; i < source->length; i++)
        if (source->text[i] == '\n')
            lines[line++] = i + 1;
    source->lines = lines;
    source->line_count = count;
}

/* Characters begin at bytes that continue none; in text that is not UTF-8 this is a guess. */
static bool begins_character(char byte)
{
    return ((unsigned char)byte & 0xc0) != 0x80;
}

/* A message for each name of one long line would count its characters again and again. */
static void mark_characters(struct source *source, struct arena *arena)
{
    uint32_t *marks = arena_array(arena, source->length / SOURCE_MARK + 1, sizeof *marks);
    uint32_t characters = 0;
    for (uint32_t i = 0; i <= source->length; i++) {
        if (i % SOURCE_MARK == 0)
            marks[i / SOURCE_MARK] = characters;
        characters += begins_character(source->text[i]);
    }
    source->marks = marks;
}

static uint32_t characters_before(const struct source *source, uint32_t offset)
{
    uint32_t characters = source->marks[offset / SOURCE_MARK];
    for (uint32_t i = offset / SOURCE_MARK * SOURCE_MARK; i < offset; i++)
        characters += begins_character(source->text[i]);
    return characters;
}

unsigned source_utf8_length(const char *text, size_t length, uint32_t *code)
{
    const unsigned char *bytes = (const unsigned char *)text;
    if (length == 0)
        return 0;
    *code = bytes[0];
    if (bytes[0] < 0x80)
        return 1;
    const unsigned count = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
    if (bytes[0] < 0xc2 || bytes[0] > 0xf4 || count > length)
        return 0;
    *code = bytes[0] & (0x7fu >> count);
    for (unsigned i = 1; i < count; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (bytes[i] & 0x3fu);
    }
    /* Longer than needed, surrogates, beyond Unicode. */
    static const uint32_t LEAST[] = {0, 0, 0x80, 0x800, 0x10000};
    if (*code < LEAST[count] || (*code >= 0xd800 && *code <= 0xdfff) || *code > 0x10ffff)
        return 0;
    return count;
}

static bool is_text(const struct source *source, struct diag *diag)
{
    for (uint32_t i = 0; i < source->length;) {
        uint32_t code;
        const unsigned count = source_utf8_length(source->text + i, source->length - i, &code);
        const struct span span = {i, i + 1};
        if (count == 0) {
            const unsigned byte = (unsigned char)source->text[i];
            diag_add(diag, DIAG_ID_NOT_UTF8, span, arena_printf(diag->arena, "0x%02x", byte),
                     arena_printf(diag->arena, "%u", i));
            return false;
        }
        if (code == 0) {
            diag_add(diag, DIAG_ID_NUL_BYTE, span, arena_printf(diag->arena, "%u", i));
            return false;
        }
        i += count;
    }
    return true;
}

static void add_too_large(struct diag *diag)
{
    diag_add_bare(diag, DIAG_ID_SOURCE_TOO_LARGE,
                  arena_printf(diag->arena, "%d", LIMIT_SOURCE_BYTES));
}

/* 'text' is in the arena and has two NULs behind it: the scanner reads it in place. */
static struct source *make(struct arena *arena, struct diag *diag, const char *name,
                           const char *text, size_t length)
{
    struct source *source = arena_alloc(arena, sizeof *source);
    source->name = name;
    source->text = text;
    source->length = (uint32_t)length;
    source->start = length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    index_lines(source, arena);
    mark_characters(source, arena);
    diag->source = source;
    return is_text(source, diag) ? source : NULL;
}

struct source *source_from_memory(struct arena *arena, struct diag *diag, const char *name,
                                  const char *text, size_t length)
{
    name = arena_strdup(arena, name);
    diag->name = name;
    if (length > LIMIT_SOURCE_BYTES) {
        add_too_large(diag);
        return NULL;
    }
    char *copy = arena_alloc(arena, length + 2);
    if (length)
        memcpy(copy, text, length);
    return make(arena, diag, name, copy, length);
}

/* Up to 'room' bytes; the number read, or an errno as a negative number. No call of the arena in
 * here: it could jump away from the open file. */
static long read_whole(const char *path, char *buffer, size_t room)
{
    size_t length = 0;
    int error = 0;
    FILE *file;
    do {
        errno = 0;
        file = fopen(path, "rb");
    } while (!file && errno == EINTR);
    if (!file)
        return errno ? -(long)errno : -(long)EIO;
    while (length < room) {
        errno = 0;
        const size_t count = fread(buffer + length, 1, room - length, file);
        length += count;
        if (count > 0 && !ferror(file))
            continue;
        if (ferror(file) && errno == EINTR) {
            clearerr(file);
            continue;
        }
        if (ferror(file))
            error = errno ? errno : EIO;
        break;
    }
    fclose(file);
    return error ? -(long)error : (long)length;
}

struct source *source_load(struct arena *arena, struct diag *diag, const char *path)
{
    /* One byte more than allowed shows that there is more, also where a size cannot be asked. Pages
     * that are not touched cost nothing. */
    const size_t room = LIMIT_SOURCE_BYTES + 1;
    char *buffer = arena_alloc(arena, room + 2);
    const char *name = arena_strdup(arena, path);
    diag->name = name;
    const long length = read_whole(path, buffer, room);
    if (length == -(long)ENOMEM)
        arena_out_of_memory(arena);
    if (length < 0) {
        diag_add_bare(diag, DIAG_ID_UNREADABLE, arena_strdup(arena, strerror((int)-length)));
        return NULL;
    }
    if (length > LIMIT_SOURCE_BYTES) {
        add_too_large(diag);
        return NULL;
    }
    return make(arena, diag, name, buffer, (size_t)length);
}

struct source_place source_place(const struct source *source, uint32_t offset)
{
    uint32_t low = 0, high = source->line_count;
    if (offset > source->length)
        offset = source->length;
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (source->lines[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    const uint32_t begin = source->lines[low];
    const uint32_t before =
        offset > begin ? characters_before(source, offset) - characters_before(source, begin) : 0;
    return (struct source_place){low + 1, before + 1};
}

struct span source_line(const struct source *source, uint32_t line)
{
    struct span span = {source->lines[line - 1], source->length};
    if (line < source->line_count)
        span.end = source->lines[line] - 1;
    if (span.end > span.begin && source->text[span.end - 1] == '\r')
        span.end--;
    return span;
}
