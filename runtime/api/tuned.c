#include "tuned.h"

#include "cuda_device.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fields: key, classes, strategy, nanoseconds, words; separated by tabs. */
static const char file_name[] = "tuned", first_line[] = "pararnnc tuned strategies 1\n",
                  last_word[] = "digest ";
enum { LINE_MAX_BYTES = 512, HEX = 2 * SHA256_BYTES };

struct cache_key tuned_key(const struct cuda_properties *device,
                           const struct assemble_options *options, uint64_t half_hash)
{
    /* What is written and whether there are resets changes little, and is not told apart. */
    const int64_t numbers[] = {device->major,   device->minor,    device->multiprocessors,
                               options->kernel, options->storage, options->mode};
    const struct cache_part parts[] = {
        {"kind", "strategy", 8},
        {"device", device->name, strlen(device->name)},
        {"cell", &half_hash, sizeof half_hash},
        {"options", numbers, sizeof numbers},
    };
    return cache_key_make(parts, sizeof parts / sizeof *parts);
}

static int32_t class_of(double size)
{
    return size < 1 ? -1 : (int32_t)lround(log2(size));
}

void tuned_class(const struct backend_shape *shape, int32_t *width, int32_t *length)
{
    *width = class_of((double)shape->batch * (double)shape->channels);
    *length = class_of((double)shape->seq_len);
}

void tuned_free(struct tuned *tuned)
{
    free(tuned->entries);
    *tuned = (struct tuned){0};
}

static bool is_same_place(const struct tuned_entry *entry, const struct cache_key *key,
                          int32_t width, int32_t length)
{
    return entry->width_class == width && entry->length_class == length &&
           !memcmp(entry->key.digest, key->digest, SHA256_BYTES);
}

const struct tuned_entry *tuned_find(const struct tuned *tuned, const struct cache_key *key,
                                     int32_t width, int32_t length)
{
    for (size_t i = 0; i < tuned->count; i++)
        if (is_same_place(&tuned->entries[i], key, width, length))
            return &tuned->entries[i];
    return NULL;
}

static bool read_hex(const char *text, unsigned char digest[SHA256_BYTES])
{
    for (size_t i = 0; i < HEX; i++) {
        const char c = text[i];
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        digest[i / 2] = (unsigned char)((i % 2 ? digest[i / 2] << 4 : 0) | digit);
    }
    return true;
}

/* One line without its end. */
static bool read_line(struct tuned_entry *out, const char *line)
{
    int end = -1;
    *out = (struct tuned_entry){0};
    if (strlen(line) < HEX || !read_hex(line, out->key.digest))
        return false;
    return sscanf(line + HEX,
                  "\t%" SCNd32 "\t%" SCNd32 "\t%47[^\t]\t%" SCNd64 "\t%" SCNd64 "\t%159[^\t\n]%n",
                  &out->width_class, &out->length_class, out->strategy, &out->nanoseconds,
                  &out->sequential, out->words, &end) == 6 &&
           end >= 0 && !line[HEX + end];
}

static void write_line(char line[LINE_MAX_BYTES], const struct tuned_entry *entry)
{
    char hex[HEX + 1];
    sha256_hex(entry->key.digest, hex);
    snprintf(line, LINE_MAX_BYTES,
             "%s\t%" PRId32 "\t%" PRId32 "\t%s\t%" PRId64 "\t%" PRId64 "\t%s\n", hex,
             entry->width_class, entry->length_class, entry->strategy, entry->nanoseconds,
             entry->sequential, entry->words[0] ? entry->words : "-");
}

static void digest_of(const char *text, size_t length, char hex[HEX + 1])
{
    unsigned char digest[SHA256_BYTES];
    struct sha256 hash;
    sha256_init(&hash);
    sha256_add(&hash, text, length);
    sha256_end(&hash, digest);
    sha256_hex(digest, hex);
}

/* The lines between the first and the last; the text is changed. */
static bool read_text(struct tuned *out, char *text, size_t length)
{
    const size_t first = sizeof first_line - 1, last = sizeof last_word - 1 + HEX + 1;
    char hex[HEX + 1];
    if (length < first + last || memcmp(text, first_line, first) || text[length - 1] != '\n')
        return false;
    char *const end = text + length - last;
    digest_of(text, (size_t)(end - text), hex);
    if (end[-1] != '\n' || memcmp(end, last_word, sizeof last_word - 1) ||
        memcmp(end + sizeof last_word - 1, hex, HEX))
        return false;
    size_t lines = 0;
    for (char *at = text + first; at < end; at++)
        lines += *at == '\n';
    if (!(out->entries = calloc(lines + 1, sizeof *out->entries)))
        return false;
    for (char *at = text + first; at < end;) {
        char *const stop = memchr(at, '\n', (size_t)(end - at));
        *stop = '\0';
        if (!read_line(&out->entries[out->count++], at))
            return false;
        at = stop + 1;
    }
    return true;
}

struct tuned tuned_load(struct cache *cache)
{
    struct tuned tuned = {0};
    void *data;
    size_t size;
    if (!cache_file_read(cache, file_name, &data, &size))
        return tuned;
    if (!read_text(&tuned, data, size))
        tuned_free(&tuned);
    free(data);
    return tuned;
}

bool tuned_store(struct cache *cache, const struct tuned_entry *entry)
{
    struct tuned tuned = tuned_load(cache);
    const size_t room =
        sizeof first_line + sizeof last_word + HEX + 2 + (tuned.count + 1) * LINE_MAX_BYTES;
    char *text = malloc(room), hex[HEX + 1];
    bool fine = text != NULL;
    if (fine) {
        size_t used = sizeof first_line - 1;
        memcpy(text, first_line, sizeof first_line);
        for (size_t i = 0; i < tuned.count; i++)
            if (!is_same_place(&tuned.entries[i], &entry->key, entry->width_class,
                               entry->length_class)) {
                write_line(text + used, &tuned.entries[i]);
                used += strlen(text + used);
            }
        write_line(text + used, entry);
        used += strlen(text + used);
        digest_of(text, used, hex);
        used += (size_t)snprintf(text + used, room - used, "%s%s\n", last_word, hex);
        fine = cache_file_write(cache, file_name, text, used);
    }
    free(text);
    tuned_free(&tuned);
    return fine;
}

bool tuned_forget(struct cache *cache)
{
    return cache_file_remove(cache, file_name);
}
