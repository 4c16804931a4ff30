#include "cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cache_dir.h"
#include "file_limit.h"

/* An entry is one file: head, label, data, and the SHA-256 of all of them. */
#define CACHE_MAGIC "prnn\r\n\x1a\x01"
#define CACHE_ENTRY_MAX ((uint64_t)512 << 20) /* no cubin or object comes near it */
#define CACHE_STALE_SECONDS 3600              /* no compilation takes an hour */
#define CACHE_DEFAULT_BYTES ((uint64_t)1 << 30)
#define CACHE_NAME_LENGTH (2 * SHA256_BYTES)

struct cache_head {
    char magic[8];
    uint32_t schema, label_size;
    unsigned char key[SHA256_BYTES];
    uint64_t data_size;
};

struct cache {
    int dir;    /* -1: off */
    char *path; /* NULL: no place */
    char reason[512];
    uint64_t max_bytes;
    /* Size at the last sweep and what was put since; UINT64_MAX: not swept yet. */
    _Atomic uint64_t estimate;
    atomic_int walk_error; /* errno of the last walk over the directory */
    pthread_mutex_t lock;  /* of the words */
    bool has_trouble, told_trouble;
    char trouble[512];
};

/* Words for one warning. A lock that is held (by another thread, or by a thread that a fork lost)
 * only loses the words. */
__attribute__((format(printf, 2, 3))) static void note_trouble(struct cache *cache,
                                                               const char *format, ...)
{
    if (pthread_mutex_trylock(&cache->lock) != 0)
        return;
    if (!cache->has_trouble) {
        va_list args;
        va_start(args, format);
        vsnprintf(cache->trouble, sizeof cache->trouble, format, args);
        va_end(args);
        cache->has_trouble = true;
    }
    pthread_mutex_unlock(&cache->lock);
}

bool cache_trouble(struct cache *cache, char *text, size_t size)
{
    bool told = false;
    if (!cache || size == 0 || pthread_mutex_trylock(&cache->lock) != 0)
        return false;
    if (cache->has_trouble && !cache->told_trouble) {
        cache->told_trouble = told = true;
        snprintf(text, size, "%s", cache->trouble);
    }
    pthread_mutex_unlock(&cache->lock);
    return told;
}

/* Bytes, or a number with K, M or G; what is anything else is not half understood. */
static uint64_t max_bytes_from(const char *text)
{
    static const char units[] = "KMGkmg";
    char *end = NULL;
    if (!text || text[0] < '0' || text[0] > '9')
        return CACHE_DEFAULT_BYTES;
    const uint64_t value = strtoull(text, &end, 10);
    const char *unit = strchr(units, *end);
    if (!unit || (*unit && end[1]))
        return CACHE_DEFAULT_BYTES;
    const unsigned shift = *unit ? 10 * (unsigned)((unit - units) % 3 + 1) : 0;
    return value > UINT64_MAX >> shift ? UINT64_MAX : value << shift;
}

struct cache *cache_open(const struct cache_options *options)
{
    struct cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    cache->max_bytes = options ? options->max_bytes : 0;
    if (cache->max_bytes == 0)
        cache->max_bytes = max_bytes_from(secure_getenv("PARARNNC_CACHE_SIZE"));
    atomic_init(&cache->estimate, UINT64_MAX);
    atomic_init(&cache->walk_error, 0);
    pthread_mutex_init(&cache->lock, NULL);
    cache->dir = cache_dir_open(options ? options->path : NULL, &cache->path, cache->reason,
                                sizeof cache->reason);
    if (cache->dir < 0 && !cache->path && errno == ENOMEM) {
        cache_close(cache);
        return NULL;
    }
    return cache;
}

void cache_close(struct cache *cache)
{
    if (!cache)
        return;
    if (cache->dir >= 0)
        close(cache->dir);
    pthread_mutex_destroy(&cache->lock);
    free(cache->path);
    free(cache);
}

const char *cache_path(const struct cache *cache)
{
    return cache ? cache->path : NULL;
}

const char *cache_reason(const struct cache *cache)
{
    if (!cache)
        return "no cache was opened";
    return cache->dir < 0 ? cache->reason : NULL;
}

struct cache_key cache_key_make(const struct cache_part *parts, size_t count)
{
    static const char version[] = PRNN_LOAD_VERSION;
    const uint64_t sizes[3] = {CACHE_SCHEMA, sizeof version, count};
    struct cache_key key;
    struct sha256 hash;
    sha256_init(&hash);
    sha256_add(&hash, sizes, sizeof sizes);
    sha256_add(&hash, version, sizeof version);
    for (size_t i = 0; i < count; i++) {
        const uint64_t lengths[2] = {strlen(parts[i].name), parts[i].size};
        sha256_add(&hash, lengths, sizeof lengths);
        sha256_add(&hash, parts[i].name, strlen(parts[i].name));
        if (parts[i].size > 0)
            sha256_add(&hash, parts[i].data, parts[i].size);
    }
    sha256_end(&hash, key.digest);
    return key;
}

/* The file of an entry as a whole, or NULL with errno. Only a plain file of this user that nobody
 * else can write counts (EPERM). */
static unsigned char *read_file(int dir, const char *name, size_t *size, bool touch)
{
    struct stat info;
    unsigned char *bytes = NULL;
    size_t have = 0, room = 0;
    int error = 0;
    /* O_NONBLOCK: a pipe with this name must not hang the process. */
    int file = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return NULL;
    if (fstat(file, &info) != 0)
        error = errno;
    else if (!S_ISREG(info.st_mode) || info.st_uid != geteuid() ||
             (info.st_mode & (S_IWGRP | S_IWOTH)))
        error = EPERM;
    else if (info.st_size <= 0 || (uint64_t)info.st_size > CACHE_ENTRY_MAX)
        error = EBADMSG;
    else if (!(bytes = malloc(room = (size_t)info.st_size)))
        error = ENOMEM;
    while (!error && have < room) {
        ssize_t got = read(file, bytes + have, room - have);
        if (got > 0)
            have += (size_t)got;
        else if (got == 0)
            error = EBADMSG;
        else if (errno != EINTR)
            error = errno;
    }
    if (!error && touch)
        (void)futimens(file, NULL); /* the use that eviction looks at */
    close(file);
    if (error) {
        free(bytes);
        errno = error;
        return NULL;
    }
    *size = room;
    return bytes;
}

/* Whether the bytes are an undamaged entry; with 'key' (NULL: any), the one of this key. */
static bool is_whole(const unsigned char *bytes, size_t size, const unsigned char *key,
                     struct cache_head *head)
{
    unsigned char digest[SHA256_BYTES];
    struct sha256 hash;
    if (size < sizeof *head + SHA256_BYTES)
        return false;
    memcpy(head, bytes, sizeof *head);
    const uint64_t rest = size - sizeof *head - SHA256_BYTES;
    if (memcmp(head->magic, CACHE_MAGIC, sizeof head->magic) != 0 || head->schema != CACHE_SCHEMA ||
        head->label_size > CACHE_LABEL_MAX || head->data_size > rest ||
        head->label_size != rest - head->data_size)
        return false;
    if (key && memcmp(head->key, key, SHA256_BYTES) != 0)
        return false;
    sha256_init(&hash);
    sha256_add(&hash, bytes, size - SHA256_BYTES);
    sha256_end(&hash, digest);
    return memcmp(digest, bytes + size - SHA256_BYTES, SHA256_BYTES) == 0;
}

bool cache_get(struct cache *cache, const struct cache_key *key, void **data, size_t *size)
{
    char name[CACHE_NAME_LENGTH + 1];
    struct cache_head head;
    size_t length;
    if (!cache || cache->dir < 0)
        return false;
    sha256_hex(key->digest, name);
    unsigned char *bytes = read_file(cache->dir, name, &length, true);
    if (!bytes) {
        if (errno != ENOENT)
            note_trouble(cache, "'%s/%s' cannot be used: %s", cache->path, name, strerror(errno));
        return false;
    }
    if (!is_whole(bytes, length, key->digest, &head)) {
        note_trouble(cache, "'%s/%s' is damaged; it is made again", cache->path, name);
        free(bytes);
        return false;
    }
    memmove(bytes, bytes + sizeof head + head.label_size, (size_t)head.data_size);
    *data = bytes;
    *size = (size_t)head.data_size;
    return true;
}

static bool write_all(int file, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    while (size > 0) {
        ssize_t done = write(file, bytes, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) {
            errno = done == 0 ? ENOSPC : errno;
            return false;
        }
        bytes += done;
        size -= (size_t)done;
    }
    return true;
}

/* A name that no other writer uses: two threads or processes may write the same entry at once. */
static int temporary_open(int dir, char name[64])
{
    static _Atomic uint64_t counter;
    for (int attempt = 0; attempt < 8; attempt++) {
        uint64_t noise = 0;
        if (getrandom(&noise, sizeof noise, GRND_NONBLOCK) != (ssize_t)sizeof noise)
            noise = (uint64_t)time(NULL);
        snprintf(name, 64, "tmp-%lx-%llx-%llx", (unsigned long)getpid(),
                 (unsigned long long)atomic_fetch_add(&counter, 1), (unsigned long long)noise);
        int file = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (file >= 0 || errno != EEXIST)
            return file;
    }
    return -1;
}

static bool is_entry_name(const char *name)
{
    return strspn(name, "0123456789abcdef") == CACHE_NAME_LENGTH && !name[CACHE_NAME_LENGTH];
}

static bool is_temporary_name(const char *name)
{
    return strncmp(name, "tmp-", 4) == 0 || strncmp(name, "scratch-", 8) == 0;
}

/* What a sweep keeps of an entry: a cache may have a million of them. */
struct swept {
    struct timespec used;
    uint64_t bytes;
    char name[CACHE_NAME_LENGTH + 1];
};

struct sweep {
    struct swept *entries;
    size_t count, room;
    uint64_t bytes, temporaries, removed;
};

/* Newest first; equal times by name, so that the order is the same on every run. */
static int swept_compare(const void *left, const void *right)
{
    const struct swept *a = left, *b = right;
    if (a->used.tv_sec != b->used.tv_sec)
        return a->used.tv_sec < b->used.tv_sec ? 1 : -1;
    if (a->used.tv_nsec != b->used.tv_nsec)
        return a->used.tv_nsec < b->used.tv_nsec ? 1 : -1;
    return strcmp(a->name, b->name);
}

static bool sweep_add(struct sweep *sweep, const char *name, const struct stat *info)
{
    if (sweep->count == sweep->room) {
        size_t room = sweep->room ? 2 * sweep->room : 64;
        struct swept *entries = realloc(sweep->entries, room * sizeof *entries);
        if (!entries)
            return false;
        sweep->entries = entries;
        sweep->room = room;
    }
    struct swept *entry = &sweep->entries[sweep->count++];
    entry->used = info->st_mtim;
    entry->bytes = (uint64_t)info->st_size;
    memcpy(entry->name, name, sizeof entry->name);
    return true;
}

/* Walk over the directory: sizes, and with 'keep' the entries; 'reap' removes what killed writers
 * left behind. A temporary name that is younger may belong to a writer at work. */
static bool sweep_directory(struct cache *cache, struct sweep *sweep, bool keep, bool reap)
{
    const time_t now = time(NULL);
    int again;
    do
        again = openat(cache->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (again < 0 && errno == EINTR);
    DIR *stream = again < 0 ? NULL : fdopendir(again);
    int error = stream ? 0 : errno;
    if (!stream && again >= 0)
        close(again);
    while (stream && !error) {
        errno = 0;
        struct dirent *entry = readdir(stream);
        if (!entry) {
            error = errno;
            break;
        }
        struct stat info;
        bool is_temporary = is_temporary_name(entry->d_name);
        if (!is_temporary && !is_entry_name(entry->d_name))
            continue;
        if (fstatat(cache->dir, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0)
            continue; /* another process removed it */
        if (is_temporary) {
            sweep->temporaries++;
            if (reap && now - info.st_mtime > CACHE_STALE_SECONDS) {
                if (S_ISDIR(info.st_mode))
                    cache_dir_remove(cache->dir, entry->d_name);
                else
                    (void)unlinkat(cache->dir, entry->d_name, 0);
                sweep->removed++;
            }
        } else if (S_ISREG(info.st_mode)) {
            sweep->bytes += (uint64_t)info.st_size;
            if (keep && !sweep_add(sweep, entry->d_name, &info))
                error = ENOMEM;
        }
    }
    if (stream)
        closedir(stream);
    atomic_store(&cache->walk_error, error);
    return error == 0;
}

/* Evict by size: the order comes from the times, the decision does not, so a clock that runs
 * backwards costs a recompilation at most. Down to four fifths, or every put would sweep. */
static void evict(struct cache *cache)
{
    struct sweep sweep = {0};
    if (!sweep_directory(cache, &sweep, false, true))
        return;
    if (sweep.bytes > cache->max_bytes) {
        sweep = (struct sweep){0};
        if (sweep_directory(cache, &sweep, true, false)) {
            const uint64_t target = cache->max_bytes - cache->max_bytes / 5;
            if (sweep.count > 0)
                qsort(sweep.entries, sweep.count, sizeof *sweep.entries, swept_compare);
            for (size_t i = sweep.count; i > 1 && sweep.bytes > target; i--) {
                (void)unlinkat(cache->dir, sweep.entries[i - 1].name, 0);
                sweep.bytes -= sweep.entries[i - 1].bytes;
            }
        }
        free(sweep.entries);
    }
    atomic_store(&cache->estimate, sweep.bytes);
}

bool cache_put(struct cache *cache, const struct cache_key *key, const char *label,
               const void *data, size_t size)
{
    char name[CACHE_NAME_LENGTH + 1], temporary[64];
    unsigned char digest[SHA256_BYTES];
    struct cache_head head = {.schema = CACHE_SCHEMA, .data_size = size};
    struct sha256 hash;
    const size_t label_size = strnlen(label, CACHE_LABEL_MAX);
    const uint64_t total = sizeof head + label_size + (uint64_t)size + sizeof digest;

    if (!cache || cache->dir < 0 || total > CACHE_ENTRY_MAX || total > cache->max_bytes)
        return false;
    memcpy(head.magic, CACHE_MAGIC, sizeof head.magic);
    memcpy(head.key, key->digest, sizeof head.key);
    head.label_size = (uint32_t)label_size;
    sha256_init(&hash);
    sha256_add(&hash, &head, sizeof head);
    sha256_add(&hash, label, label_size);
    sha256_add(&hash, data, size);
    sha256_end(&hash, digest);
    sha256_hex(key->digest, name);

    int file = file_limit_allows(total) ? temporary_open(cache->dir, temporary) : -1;
    if (file < 0) {
        note_trouble(cache, "'%s' cannot be written: %s", cache->path, strerror(errno));
        return false;
    }
    /* No fsync: after a crash the digest tells what did not reach the disk, and it is made again.
     */
    bool fine = write_all(file, &head, sizeof head) && write_all(file, label, label_size) &&
                write_all(file, data, size) && write_all(file, digest, sizeof digest);
    int error = errno;
    if (close(file) != 0 && fine) {
        fine = false;
        error = errno;
    }
    if (fine && renameat(cache->dir, temporary, cache->dir, name) != 0) {
        fine = false;
        error = errno;
    }
    if (!fine) {
        (void)unlinkat(cache->dir, temporary, 0);
        note_trouble(cache, "'%s/%s' cannot be written: %s", cache->path, name, strerror(error));
        return false;
    }
    uint64_t known = atomic_load(&cache->estimate);
    while (known != UINT64_MAX &&
           !atomic_compare_exchange_weak(&cache->estimate, &known, known + total))
        ;
    if (known == UINT64_MAX || known + total > cache->max_bytes)
        evict(cache);
    return true;
}

/* The label of an entry, without reading the rest; "" when it is not readable. */
static void read_label(int dir, const char *name, char label[CACHE_LABEL_MAX + 1])
{
    struct {
        struct cache_head head;
        char label[CACHE_LABEL_MAX];
    } start;
    label[0] = 0;
    int file = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return;
    ssize_t got = read(file, &start, sizeof start);
    close(file);
    if (got < (ssize_t)sizeof start.head || start.head.label_size > CACHE_LABEL_MAX ||
        memcmp(start.head.magic, CACHE_MAGIC, sizeof start.head.magic) != 0 ||
        (size_t)got - sizeof start.head < start.head.label_size)
        return;
    for (size_t i = 0; i < start.head.label_size; i++)
        label[i] = start.label[i] >= ' ' && start.label[i] <= '~' ? start.label[i] : '?';
    label[start.head.label_size] = 0;
}

bool cache_file_read(struct cache *cache, const char *name, void **data, size_t *size)
{
    if (!cache || cache->dir < 0)
        return false;
    *data = read_file(cache->dir, name, size, false);
    if (!*data && errno != ENOENT)
        note_trouble(cache, "'%s/%s' cannot be used: %s", cache->path, name, strerror(errno));
    return *data != NULL;
}

bool cache_file_write(struct cache *cache, const char *name, const void *data, size_t size)
{
    char temporary[64];
    if (!cache || cache->dir < 0)
        return false;
    const int file = temporary_open(cache->dir, temporary);
    bool fine = file >= 0 && write_all(file, data, size);
    if (file >= 0 && close(file) != 0)
        fine = false;
    if (fine)
        fine = renameat(cache->dir, temporary, cache->dir, name) == 0;
    if (!fine) {
        note_trouble(cache, "'%s/%s' cannot be written: %s", cache->path, name, strerror(errno));
        if (file >= 0)
            (void)unlinkat(cache->dir, temporary, 0);
    }
    return fine;
}

bool cache_file_remove(struct cache *cache, const char *name)
{
    return cache && cache->dir >= 0 && unlinkat(cache->dir, name, 0) == 0;
}

struct cache_entry *cache_list(struct cache *cache, size_t *count)
{
    struct sweep sweep = {0};
    struct cache_entry *list = NULL;
    *count = 0;
    if (!cache || cache->dir < 0)
        return NULL;
    if (sweep_directory(cache, &sweep, true, false) && sweep.count > 0)
        list = calloc(sweep.count, sizeof *list);
    if (sweep.count > 0 && !list)
        atomic_store(&cache->walk_error, ENOMEM);
    if (list) {
        qsort(sweep.entries, sweep.count, sizeof *sweep.entries, swept_compare);
        for (size_t i = 0; i < sweep.count; i++) {
            memcpy(list[i].name, sweep.entries[i].name, sizeof list[i].name);
            list[i].bytes = sweep.entries[i].bytes;
            list[i].used = sweep.entries[i].used.tv_sec;
            read_label(cache->dir, list[i].name, list[i].label);
        }
        *count = sweep.count;
    }
    free(sweep.entries);
    return list;
}

int cache_walk_error(const struct cache *cache)
{
    return cache ? atomic_load(&cache->walk_error) : 0;
}

struct cache_stats cache_stats(struct cache *cache)
{
    struct cache_stats stats = {0};
    struct sweep sweep = {0};
    if (!cache)
        return stats;
    stats.max_bytes = cache->max_bytes;
    if (cache->dir >= 0 && sweep_directory(cache, &sweep, true, false)) {
        stats.entries = sweep.count;
        stats.bytes = sweep.bytes;
        stats.temporaries = sweep.temporaries;
    }
    free(sweep.entries);
    return stats;
}

uint64_t cache_clean(struct cache *cache)
{
    struct sweep sweep = {0};
    if (!cache || cache->dir < 0)
        return 0;
    if (sweep_directory(cache, &sweep, true, true))
        for (size_t i = 0; i < sweep.count; i++)
            sweep.removed += unlinkat(cache->dir, sweep.entries[i].name, 0) == 0;
    free(sweep.entries);
    atomic_store(&cache->estimate, UINT64_MAX);
    return sweep.removed;
}

/* The key that the name of an entry spells. */
static void key_of_name(const char *name, unsigned char key[SHA256_BYTES])
{
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        unsigned value = 0;
        for (size_t j = 2 * i; j < 2 * i + 2; j++)
            value = 16 * value + (unsigned)(name[j] <= '9' ? name[j] - '0' : name[j] - 'a' + 10);
        key[i] = (unsigned char)value;
    }
}

uint64_t cache_verify(struct cache *cache, uint64_t *checked)
{
    struct sweep sweep = {0};
    uint64_t damaged = 0;
    *checked = 0;
    if (!cache || cache->dir < 0)
        return 0;
    if (sweep_directory(cache, &sweep, true, true)) {
        for (size_t i = 0; i < sweep.count; i++) {
            const char *name = sweep.entries[i].name;
            unsigned char key[SHA256_BYTES];
            struct cache_head head;
            size_t size = 0;
            unsigned char *bytes = read_file(cache->dir, name, &size, false);
            /* What else may go wrong (no memory, no descriptor, a signal) says nothing about it. */
            if (!bytes && errno != EBADMSG && errno != EPERM && errno != EACCES && errno != ELOOP &&
                errno != EIO) {
                if (errno != ENOENT)
                    atomic_store(&cache->walk_error, errno);
                continue;
            }
            key_of_name(name, key);
            ++*checked;
            if (!bytes || !is_whole(bytes, size, key, &head)) {
                damaged++;
                (void)unlinkat(cache->dir, name, 0);
            }
            free(bytes);
        }
    }
    free(sweep.entries);
    return damaged;
}

bool cache_scratch(struct cache *cache, char *path, size_t size)
{
    if (cache && cache->dir >= 0 && cache_dir_scratch(cache->path, path, size))
        return true;
    /* Not a cache: a new directory with a random name, 0700, gone after the compilation. */
    const char *parent = secure_getenv("TMPDIR");
    return (parent && parent[0] == '/' && cache_dir_scratch(parent, path, size)) ||
           cache_dir_scratch("/tmp", path, size);
}

void cache_scratch_remove(const char *path)
{
    cache_dir_remove(AT_FDCWD, path);
}
