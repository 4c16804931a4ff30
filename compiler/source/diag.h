/* Messages to the user: data first, text on demand. Nothing here prints or exits.
 *
 * Every message has a row in diag.def. A stage adds messages and goes on; the pipeline asks
 * diag_error_count() after each stage. */
#ifndef PRNN_DIAG_H
#define PRNN_DIAG_H

#include "arena.h"
#include "span.h"
#include "textbuf.h"

#include <stdbool.h>
#include <stdint.h>

struct source;

enum diag_severity { DIAG_ERROR, DIAG_WARNING };

/* What kind of fault it is: chooses the exit code (1, 3, 4) and the status. */
enum diag_class { DIAG_CELL, DIAG_IO, DIAG_LIMIT };

enum diag_id {
#define DIAG(ID, severity, fault, slug, text) DIAG_ID_##ID,
#include "diag.def"
#undef DIAG
    DIAG_ID_COUNT
};

/* What the user asked of a warning: -Wno-unused, -Wunused, -Werror=unused. */
enum diag_level { DIAG_LEVEL_DEFAULT, DIAG_LEVEL_OFF, DIAG_LEVEL_WARNING, DIAG_LEVEL_ERROR };

struct diag_settings {
    uint8_t levels[DIAG_ID_COUNT]; /* enum diag_level */
    bool all_are_errors;           /* -Werror */
};

/* Take what stands after '-W': "unused", "no-unused", "error=unused", "no-error=unused", "error".
 * False, with nothing changed, when it names no warning. */
bool diag_settings_apply(struct diag_settings *settings, const char *option);

struct diag_note {
    bool has_span;
    struct span span;
    const char *text;
    struct diag_note *next;
};

struct diag_message {
    enum diag_id id;
    enum diag_severity severity; /* after the settings */
    enum diag_class fault;
    const char *slug;
    const char *text;
    bool has_span; /* else it concerns the file as a whole, or no file */
    struct span span;
    const char *fix; /* to be written instead of 'fix_span'; NULL: none */
    struct span fix_span;
    struct diag_note *notes;
    struct diag_message *next;
};

struct diag {
    struct arena *arena;
    const struct source *source; /* set by source.c; NULL before */
    const char *name;            /* of the file, for messages without a place; NULL: none */
    struct diag_settings settings;
    struct diag_message *messages, *last;
    uint32_t error_count, warning_count;
    bool is_full;                 /* "too many errors" was said; more are counted but not kept */
    struct diag_message *dropped; /* where messages go that are not kept */
};

/* 'settings' is copied; NULL: the defaults. */
struct diag *diag_create(struct arena *arena, const struct diag_settings *settings);

/* Add the message 'id' at 'span'. Its text has the places $1..$4: one const char * follows for
 * each. The result takes notes and a fix; it is never NULL (a message that is not kept goes
 * nowhere). */
struct diag_message *diag_add(struct diag *diag, enum diag_id id, struct span span, ...);
/* The same without a place in the source. */
struct diag_message *diag_add_bare(struct diag *diag, enum diag_id id, ...);
void diag_note(struct diag *diag, struct diag_message *message, struct span span,
               const char *format, ...) __attribute__((format(printf, 4, 5)));
void diag_note_bare(struct diag *diag, struct diag_message *message, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void diag_fix(struct diag_message *message, struct span span, const char *replacement);

/* The class that chooses the exit code: DIAG_IO before DIAG_LIMIT before DIAG_CELL. Only if there
 * are errors. */
enum diag_class diag_worst(const struct diag *diag);

const char *diag_slug(enum diag_id id);
enum diag_severity diag_default_severity(enum diag_id id);
/* "error", "warning". */
const char *diag_severity_name(enum diag_severity severity);

enum diag_colour { DIAG_PLAIN, DIAG_COLOURED };

/* All messages, as they go to stderr. */
void diag_print(const struct diag *diag, struct textbuf *out, enum diag_colour colour);
void diag_print_message(const struct diag *diag, const struct diag_message *message,
                        struct textbuf *out, enum diag_colour colour);
/* Text of the user with control characters and all that is not ASCII escaped. */
void diag_escape(struct textbuf *out, const char *text, size_t length);
/* The same for text whose letters and lines are to be read as they are: only what steers a terminal,
 * is invisible or changes the direction of writing is escaped, and bytes that are not UTF-8. */
void diag_escape_controls(struct textbuf *out, const char *text, size_t length);

/* The name of 'count' that 'wrong' was most likely meant to be, or NULL: few edits for its length.
 */
const char *diag_nearest(const char *wrong, const char *const *names, uint32_t count);

#endif
