#include "hostcc.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "file_limit.h"
#include "host_isa.h"

#define HOSTCC_SECONDS 120 /* our largest texts take about ten */
#define HOSTCC_OBJECT_MAX ((off_t)256 << 20)

/* Contraction is ours to decide: the emitter writes every fused multiply-add. The two -fno options
 * change no result: nobody reads errno or the exception flags. */
static const char *const hostcc_flags[] = {"-std=gnu11",      "-O3",
                                           "-march=native",   "-ffp-contract=off",
                                           "-fno-math-errno", "-fno-trapping-math",
                                           "-fopenmp-simd",   "-fPIC",
                                           "-shared"};
#define HOSTCC_FLAGS (sizeof hostcc_flags / sizeof hostcc_flags[0])
/* What a compiler may lack without giving other results; the rest is needed. */
static const bool hostcc_is_optional[HOSTCC_FLAGS] = {
    [2] = true, [4] = true, [5] = true, [6] = true};

/* A compiler found for one setting of the environment. Never freed: the pointers are handed out. */
struct known {
    struct hostcc_compiler compiler;
    struct known *next;
    char *wanted, *search; /* PARARNNC_CC and PATH, "" if unset */
    int64_t seconds, nanoseconds,
        bytes; /* of the program's file, for a compiler that is replaced */
    struct host_isa isa;
    char resolved[PATH_MAX];
    char words[512];
};

/* Newest first. Without a lock: a compiler is asked for its version while nothing is held, since a
 * process that is forked meanwhile would find the lock held for ever. */
static _Atomic(struct known *) known_list;

__attribute__((format(printf, 2, 3))) static void log_write(char **log, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (vasprintf(log, format, args) < 0)
        *log = NULL;
    va_end(args);
}

/* The absolute path of a program: a path as it is, a name by PATH. Empty and relative places of
 * PATH are left out: they depend on where the user happens to stand. */
static bool program_find(const char *name, const char *search, char found[PATH_MAX])
{
    char candidate[PATH_MAX];
    struct stat info;
    if (strchr(name, '/'))
        return realpath(name, found) && stat(found, &info) == 0 && S_ISREG(info.st_mode) &&
               access(found, X_OK) == 0;
    for (const char *place = search; place && *place;) {
        size_t length = strcspn(place, ":");
        int size = snprintf(candidate, sizeof candidate, "%.*s/%s", (int)length, place, name);
        /* Not resolved further: a wrapper (ccache) looks at the name it is called by. */
        if (place[0] == '/' && size > 0 && (size_t)size < sizeof candidate &&
            stat(candidate, &info) == 0 && S_ISREG(info.st_mode) && access(candidate, X_OK) == 0) {
            memcpy(found, candidate, (size_t)size + 1);
            return true;
        }
        place += length;
        place += *place == ':';
    }
    return false;
}

static void known_describe(struct known *known)
{
    const char *const argv[] = {known->resolved, "--version", NULL};
    struct stat info;
    struct child_result result = child_run(&(struct child_run){.argv = argv, .seconds = 10});
    size_t length = result.output ? strcspn(result.output, "\n") : 0;
    if (result.end == CHILD_FAILED)
        snprintf(known->words, sizeof known->words, "does not start: %s", strerror(result.code));
    else if (length == 0)
        snprintf(known->words, sizeof known->words, "unknown version");
    else
        snprintf(known->words, sizeof known->words, "%.*s", (int)length, result.output);
    free(result.output);
    if (stat(known->resolved, &info) == 0) {
        known->seconds = info.st_mtim.tv_sec;
        known->nanoseconds = info.st_mtim.tv_nsec;
        known->bytes = info.st_size;
    }
    host_isa_get(&known->isa);
    known->compiler = (struct hostcc_compiler){
        .path = known->resolved, .version = known->words, .isa = known->isa.name};
}

static struct known *known_make(const char *wanted, const char *search)
{
    static const char *const names[] = {"cc", "gcc", "clang", NULL};
    struct known *known = calloc(1, sizeof *known);
    if (!known || !(known->wanted = strdup(wanted)) || !(known->search = strdup(search))) {
        if (known)
            free(known->wanted);
        free(known);
        return NULL;
    }
    bool found = false;
    if (strcmp(wanted, "none") == 0) {
        snprintf(known->words, sizeof known->words, "PARARNNC_CC is 'none'");
    } else if (wanted[0]) {
        found = program_find(wanted, search, known->resolved);
        snprintf(known->words, sizeof known->words,
                 "PARARNNC_CC is '%.200s', which is no program that can be run", wanted);
    } else {
        for (size_t i = 0; names[i] && !found; i++)
            found = program_find(names[i], search, known->resolved);
        snprintf(known->words, sizeof known->words, "none of cc, gcc and clang is on PATH");
    }
    if (found)
        known_describe(known);
    else
        known->compiler.missing = known->words;
    return known;
}

/* In the list from 'first' to before 'end'. */
static struct known *known_find(struct known *first, const struct known *end, const char *wanted,
                                const char *search)
{
    for (struct known *known = first; known != end; known = known->next)
        if (strcmp(known->wanted, wanted) == 0 && strcmp(known->search, search) == 0)
            return known;
    return NULL;
}

static const struct known *known_get(void)
{
    const char *wanted = secure_getenv("PARARNNC_CC"), *search = secure_getenv("PATH");
    struct known *known, *first = atomic_load(&known_list), *made;
    wanted = wanted ? wanted : "";
    search = search && *search ? search : "/usr/bin:/bin";
    if ((known = known_find(first, NULL, wanted, search)) != NULL)
        return known;
    if (!(made = known_make(wanted, search)))
        return NULL;
    /* Another thread may have been as fast: the first one in the list is the one that stays. */
    for (struct known *seen = NULL;; seen = first) {
        first = atomic_load(&known_list);
        if ((known = known_find(first, seen, wanted, search)) != NULL)
            break;
        made->next = first;
        if (atomic_compare_exchange_strong(&known_list, &made->next, made))
            return made;
    }
    free(made->wanted);
    free(made->search);
    free(made);
    return known;
}

const struct hostcc_compiler *hostcc_compiler(void)
{
    const struct known *known = known_get();
    return known ? &known->compiler : NULL;
}

struct hostcc_object {
    void *handle;
    /* Stays open: the loader tells objects apart by name, and the name contains this number. */
    int file;
};

static struct cache_key key_make(const struct known *known, const char *text, size_t length)
{
    char flags[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < HOSTCC_FLAGS; i++)
        used += (size_t)snprintf(flags + used, sizeof flags - used, "%s ", hostcc_flags[i]);
    const int64_t file[3] = {known->seconds, known->nanoseconds, known->bytes};
    const struct cache_part parts[] = {
        {"kind", "cpu object", 10},
        {"text", text, length},
        {"flags", flags, used},
        {"compiler", known->resolved, strlen(known->resolved)},
        {"version", known->words, strlen(known->words)},
        {"file", file, sizeof file},
        {"isa", known->isa.digest, sizeof known->isa.digest},
    };
    return cache_key_make(parts, sizeof parts / sizeof parts[0]);
}

static struct child_result compile(const struct known *known, const bool *is_used,
                                   const char *input, size_t size, const char *scratch,
                                   const char *output)
{
    const char *argv[HOSTCC_FLAGS + 9];
    size_t count = 0;
    argv[count++] = known->resolved;
    for (size_t i = 0; i < HOSTCC_FLAGS; i++)
        if (is_used[i])
            argv[count++] = hostcc_flags[i];
    argv[count++] = "-x";
    argv[count++] = "c";
    argv[count++] = "-o";
    argv[count++] = output;
    argv[count++] = "-";
    argv[count++] = "-lm";
    argv[count] = NULL;
    return child_run(&(struct child_run){.argv = argv,
                                         .input = input,
                                         .input_size = size,
                                         .temporary = scratch,
                                         .seconds = HOSTCC_SECONDS});
}

/* The optional flags that the compiler takes, one by one. Asked only after it has failed, so that a
 * compiler that takes them all is not slowed down. False: the flags were not the cause. */
static bool flags_probe(const struct known *known, bool *is_used, const char *scratch,
                        const char *output)
{
    static const char empty[] = "int prnn_probe;\n";
    bool some_refused = false;
    for (size_t i = 0; i < HOSTCC_FLAGS; i++) {
        if (!hostcc_is_optional[i])
            continue;
        bool alone[HOSTCC_FLAGS];
        for (size_t j = 0; j < HOSTCC_FLAGS; j++)
            alone[j] = i == j || !hostcc_is_optional[j];
        struct child_result result =
            compile(known, alone, empty, sizeof empty - 1, scratch, output);
        free(result.output);
        if (result.end != CHILD_EXITED || result.code != 0) {
            is_used[i] = false;
            some_refused = true;
        }
    }
    return some_refused;
}

/* NULL with *error 0: there is no file, or nothing in it. */
static void *file_read(const char *path, size_t *size, int *error)
{
    struct stat info;
    char *bytes = NULL;
    size_t have = 0, room = 0;
    int file;
    do
        file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    while (file < 0 && errno == EINTR);
    *error = file < 0 && errno != ENOENT ? errno : 0;
    if (file < 0)
        return NULL;
    if (fstat(file, &info) != 0)
        *error = errno;
    else if (!S_ISREG(info.st_mode)) /* a pipe, say, on which reading would wait */
        *error = EINVAL;
    else if (info.st_size > HOSTCC_OBJECT_MAX)
        *error = EFBIG;
    else if (info.st_size > 0 && !(bytes = malloc(room = (size_t)info.st_size)))
        *error = ENOMEM;
    while (bytes && !*error && have < room) {
        ssize_t got = read(file, bytes + have, room - have);
        if (got > 0)
            have += (size_t)got;
        else if (got == 0 || errno != EINTR)
            *error = got == 0 ? EIO : errno;
    }
    close(file);
    if (*error) {
        free(bytes);
        bytes = NULL;
    }
    *size = room;
    return bytes;
}

static enum hostcc_status failure_explain(const struct known *known,
                                          const struct child_result *result, char **log)
{
    const char *words = result->output && result->output[0] ? result->output : "(it said nothing)";
    switch (result->end) {
    case CHILD_FAILED:
        log_write(log, "'%s' could not be started: %s", known->resolved, strerror(result->code));
        return HOSTCC_TROUBLE;
    case CHILD_TOOLONG:
        log_write(log, "'%s' was stopped after %d s", known->resolved, HOSTCC_SECONDS);
        return HOSTCC_TROUBLE;
    case CHILD_KILLED:
        log_write(log, "'%s' was ended by signal %d: %s", known->resolved, result->code, words);
        return HOSTCC_TROUBLE;
    case CHILD_EXITED:
        if (result->code != 0) {
            log_write(log, "'%s' ended with status %d: %s", known->resolved, result->code, words);
            return HOSTCC_REJECTED;
        }
        break;
    case CHILD_UNKNOWN:
        break;
    }
    log_write(log, "'%s' left no object: %s", known->resolved, words);
    return HOSTCC_TROUBLE;
}

static enum hostcc_status object_make(void **bytes, size_t *size, const struct known *known,
                                      const char *text, size_t length, struct cache *cache,
                                      double *seconds, char **log)
{
    enum hostcc_status status = HOSTCC_OK;
    char scratch[PATH_MAX], output[PATH_MAX + 16];
    bool is_used[HOSTCC_FLAGS];
    int error = 0;

    if (!cache_scratch(cache, scratch, sizeof scratch)) {
        log_write(log, "no directory for the compiler's files: %s", strerror(errno));
        return HOSTCC_TROUBLE;
    }
    snprintf(output, sizeof output, "%s/object.so", scratch);
    memset(is_used, true, sizeof is_used);
    struct child_result result = compile(known, is_used, text, length, scratch, output);
    *seconds = result.seconds;
    if (result.end == CHILD_EXITED && result.code != 0 &&
        flags_probe(known, is_used, scratch, output)) {
        free(result.output);
        (void)unlink(output);
        result = compile(known, is_used, text, length, scratch, output);
        *seconds += result.seconds;
    }
    *bytes = NULL;
    bool may_be_there =
        result.end == CHILD_UNKNOWN || (result.end == CHILD_EXITED && result.code == 0);
    if (may_be_there)
        *bytes = file_read(output, size, &error);
    if (error == ENOMEM) {
        status = HOSTCC_NOMEM;
    } else if (error) {
        log_write(log, "the object of '%s' cannot be read: %s", known->resolved, strerror(error));
        status = HOSTCC_TROUBLE;
    } else if (!*bytes) {
        status = failure_explain(known, &result, log);
    }
    free(result.output);
    cache_scratch_remove(scratch);
    return status;
}

/* Where memory files cannot be executed: a file that nobody else can reach, gone once mapped. */
static void *load_from_file(struct cache *cache, const void *bytes, size_t size)
{
    char scratch[PATH_MAX], path[PATH_MAX + 16];
    void *handle = NULL;
    if (!cache_scratch(cache, scratch, sizeof scratch))
        return NULL;
    snprintf(path, sizeof path, "%s/object.so", scratch);
    int file = -1;
    if (file_limit_allows(size))
        file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file >= 0) {
        const char *rest = bytes;
        while (size > 0) {
            ssize_t done = write(file, rest, size);
            if (done < 0 && errno == EINTR)
                continue;
            if (done <= 0)
                break;
            rest += done;
            size -= (size_t)done;
        }
        close(file);
        if (size == 0)
            handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    }
    cache_scratch_remove(scratch);
    return handle;
}

static enum hostcc_status object_load(struct hostcc_object **out, struct cache *cache,
                                      const void *bytes, size_t size, char **log)
{
    char path[64];
    struct hostcc_object *object = malloc(sizeof *object);
    if (!object)
        return HOSTCC_NOMEM;
    object->handle = NULL;
    object->file = child_memory_file(bytes, size, true);
    if (object->file >= 0) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", object->file);
        object->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    }
    if (!object->handle && (object->handle = load_from_file(cache, bytes, size)) == NULL) {
        const char *words = dlerror();
        log_write(log, "the compiled object cannot be loaded: %s", words ? words : "unknown cause");
        if (object->file >= 0)
            close(object->file);
        free(object);
        return HOSTCC_TROUBLE;
    }
    *out = object;
    return HOSTCC_OK;
}

enum hostcc_status hostcc_load(struct hostcc_object **out, const char *text, size_t length,
                               struct cache *cache, struct hostcc_info *info, char **log)
{
    enum hostcc_status status;
    struct hostcc_info found = {0};
    void *bytes = NULL;
    size_t size = 0;

    *log = NULL;
    const struct known *known = known_get();
    if (!known)
        return HOSTCC_NOMEM;
    if (!known->compiler.path) {
        log_write(log, "no C compiler: %s", known->compiler.missing);
        return HOSTCC_MISSING;
    }
    const struct cache_key key = key_make(known, text, length);
    if (cache_get(cache, &key, &bytes, &size)) {
        /* Whole and ours, yet it may not load (another C library): then it is made again. */
        status = object_load(out, cache, bytes, size, log);
        free(bytes);
        if (status != HOSTCC_TROUBLE) {
            found.from_cache = status == HOSTCC_OK;
            goto done;
        }
        free(*log);
        *log = NULL;
    }
    status = object_make(&bytes, &size, known, text, length, cache, &found.seconds, log);
    if (status != HOSTCC_OK)
        return status;
    if ((status = object_load(out, cache, bytes, size, log)) == HOSTCC_OK) {
        char label[CACHE_LABEL_MAX + 1];
        snprintf(label, sizeof label, "cpu object %s", known->isa.name);
        (void)cache_put(cache, &key, label, bytes, size);
    }
    free(bytes);
done:
    if (info && status == HOSTCC_OK)
        *info = found;
    return status;
}

void *hostcc_symbol(const struct hostcc_object *object, const char *name)
{
    return dlsym(object->handle, name);
}

void hostcc_unload(struct hostcc_object *object)
{
    if (!object)
        return;
    dlclose(object->handle);
    if (object->file >= 0)
        close(object->file);
    free(object);
}
