/* Entries of the disk cache: whatever lies in the file of a key, the cache gives back what was put
 * there or nothing, and a damaged file is replaced. The first byte says what is done to the rest.
 */
#include "fuzz_target.h"

#include "cache.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], entry[160];
static struct cache *cache;
static struct cache_key key;

static void open_once(void)
{
    if (cache)
        return;
    /* Memory if there is some: the disk would be the slowest part. */
    snprintf(folder, sizeof folder, "%s/prnn-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    FUZZ_PROMISE(mkdtemp(folder), "there is a place for the cache");
    cache = cache_open(&(struct cache_options){.path = folder, .max_bytes = 1 << 20});
    FUZZ_PROMISE(cache && !cache_reason(cache), "the cache is on");
    key = cache_key_make(&(struct cache_part){"text", "cell", 4}, 1);
    char name[2 * SHA256_BYTES + 1];
    sha256_hex(key.digest, name);
    snprintf(entry, sizeof entry, "%s/%s", folder, name);
}

static void close_at_exit(void)
{
    cache_clean(cache);
    cache_close(cache);
    rmdir(folder);
}

static void write_entry(const uint8_t *data, size_t size)
{
    const int file = open(entry, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    FUZZ_PROMISE(file >= 0 && write(file, data, size) == (ssize_t)size, "the entry is written");
    close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_registered;
    open_once();
    if (!is_registered)
        is_registered = atexit(close_at_exit) == 0;
    if (size < 1)
        return 0;
    const uint8_t what = data[0];
    uint8_t *bytes = malloc(size + SHA256_BYTES);
    if (!bytes)
        return 0;
    size_t length = size - 1;
    memcpy(bytes, data + 1, length);
    if (what & 1 && length >= 48) /* the right key: magic, schema, size of the label, key */
        memcpy(bytes + 16, key.digest, SHA256_BYTES);
    if (what & 2) { /* a digest that fits */
        struct sha256 hash;
        sha256_init(&hash);
        sha256_add(&hash, bytes, length);
        sha256_end(&hash, bytes + length);
        length += SHA256_BYTES;
    }
    write_entry(bytes, length);

    void *found = NULL;
    size_t found_size = 0, count = 0;
    if (cache_get(cache, &key, &found, &found_size)) {
        FUZZ_PROMISE(what & 2, "an entry whose digest does not fit is a miss");
        FUZZ_PROMISE(found_size + SHA256_BYTES <= length &&
                         !memcmp(found, bytes + length - SHA256_BYTES - found_size, found_size),
                     "what is found is what the entry holds");
        free(found);
    }
    struct cache_entry *list = cache_list(cache, &count);
    FUZZ_PROMISE(count == 1 && strlen(list[0].label) <= CACHE_LABEL_MAX, "the entry is listed");
    free(list);
    uint64_t checked = 0;
    if (what & 4)
        (void)cache_verify(cache, &checked);
    if (what & 8) {
        FUZZ_PROMISE(cache_put(cache, &key, "fuzz", "right", 5), "a damaged entry is replaced");
        FUZZ_PROMISE(cache_get(cache, &key, &found, &found_size) && found_size == 5 &&
                         !memcmp(found, "right", 5),
                     "the replacement is found");
        free(found);
    }
    free(bytes);
    return 0;
}
