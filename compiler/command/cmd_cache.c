/* pararnnc cache: the directory of compiled kernels. */
#include "command.h"

#include "cache.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OPTION_JSON = 1 };

static const struct option options[] = {
    {OPTION_JSON, 0, "json", NULL, NULL, false, "print JSON"},
    {0, 0, NULL, NULL, NULL, false, NULL},
};

static int show_path(struct textbuf *out, struct cache *cache, bool is_json)
{
    const char *path = cache_path(cache);
    if (is_json) {
        textbuf_add(out, "{\"path\": ");
        if (path)
            textbuf_add_json_string(out, path);
        else
            textbuf_add(out, "null");
        textbuf_add(out, "}\n");
    } else
        textbuf_printf(out, "%s\n", path ? path : "none");
    return EXIT_CODE_OK;
}

static int show_list(struct textbuf *out, struct cache *cache, bool is_json)
{
    size_t count;
    struct cache_entry *entries = cache_list(cache, &count);
    textbuf_add(out, is_json ? "[" : "");
    for (size_t i = 0; i < count; i++) {
        const struct cache_entry *entry = &entries[i];
        if (is_json) {
            textbuf_add(out, i ? ",\n " : "\n ");
            textbuf_printf(
                out, "{\"key\": \"%s\", \"bytes\": %" PRIu64 ", \"used\": %" PRId64 ", \"label\": ",
                entry->name, entry->bytes, entry->used);
            textbuf_add_json_string(out, entry->label);
            textbuf_add(out, "}");
            continue;
        }
        char when[32] = "";
        const time_t used = (time_t)entry->used;
        struct tm broken;
        if (localtime_r(&used, &broken))
            strftime(when, sizeof when, "%Y-%m-%d %H:%M", &broken);
        textbuf_printf(out, "%.16s  %10" PRIu64 "  %s  %s\n", entry->name, entry->bytes, when,
                       entry->label);
    }
    free(entries);
    textbuf_add(out, is_json ? count ? "\n]\n" : "]\n" : "");
    return EXIT_CODE_OK;
}

static int show_stats(struct textbuf *out, struct cache *cache, bool is_json)
{
    const struct cache_stats stats = cache_stats(cache);
    textbuf_printf(out,
                   is_json ? "{\"entries\": %" PRIu64 ", \"bytes\": %" PRIu64
                             ", \"max_bytes\": %" PRIu64 ", \"temporaries\": %" PRIu64 "}\n"
                           : "entries      %" PRIu64 "\nbytes        %" PRIu64
                             "\nat most      %" PRIu64 "\ntemporaries  %" PRIu64 "\n",
                   stats.entries, stats.bytes, stats.max_bytes, stats.temporaries);
    return EXIT_CODE_OK;
}

static int clean(struct textbuf *out, struct cache *cache, bool is_json)
{
    textbuf_printf(out, is_json ? "{\"removed\": %" PRIu64 "}\n" : "%" PRIu64 " files removed\n",
                   cache_clean(cache));
    return EXIT_CODE_OK;
}

static int verify(struct textbuf *out, struct cache *cache, bool is_json)
{
    uint64_t checked = 0;
    const uint64_t damaged = cache_verify(cache, &checked);
    textbuf_printf(out,
                   is_json ? "{\"checked\": %" PRIu64 ", \"damaged\": %" PRIu64 "}\n"
                           : "%" PRIu64 " entries checked, %" PRIu64 " damaged and removed\n",
                   checked, damaged);
    return EXIT_CODE_OK;
}

static int run(struct invocation *inv)
{
    static const struct {
        const char *name;
        int (*run)(struct textbuf *, struct cache *, bool);
    } verbs[] = {{"path", show_path},
                 {"list", show_list},
                 {"stats", show_stats},
                 {"clean", clean},
                 {"verify", verify}};
    const char *word = inv->arguments.operands[0];
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(word, verbs[i].name) != 0)
            continue;
        struct cache *cache = cache_open(NULL);
        if (!cache) {
            output_complain("cache: memory has ended");
            return EXIT_CODE_LIMIT;
        }
        /* Where the cache would be can be said of one that is off as well. */
        int code = EXIT_CODE_OK;
        if (cache_reason(cache) && i > 0) {
            output_complain("cache: off, %s", cache_reason(cache));
            code = EXIT_CODE_ENVIRONMENT;
        } else
            code = verbs[i].run(&inv->out, cache, arguments_has(&inv->arguments, OPTION_JSON));
        if (cache_walk_error(cache)) {
            output_complain("cache: '%s' was not read to its end: %s", cache_path(cache),
                            strerror(cache_walk_error(cache)));
            code = cache_walk_error(cache) == ENOMEM ? EXIT_CODE_LIMIT : EXIT_CODE_IO;
        }
        cache_close(cache);
        return code;
    }
    return command_usage(inv, "'%s' is not one of path, list, stats, clean, verify", word);
}

const struct command command_cache = {
    .name = "cache",
    .operands = "path|list|stats|clean|verify",
    .fewest = 1,
    .most = 1,
    .summary = "look at the cache of compiled kernels, or empty it",
    .text = "Compiled kernels are kept in $PARARNNC_CACHE_DIR, else $XDG_CACHE_HOME/pararnnc, else "
            "$HOME/.cache/pararnnc. 'path' prints the directory, 'list' the entries, the last used "
            "one first, 'stats' how much there is; 'clean' removes everything, 'verify' what is "
            "damaged.",
    .options = options,
    .examples = "pararnnc cache path\npararnnc cache list --json\npararnnc cache clean",
    .run = run,
};
