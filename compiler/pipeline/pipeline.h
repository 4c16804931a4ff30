/* The ordered list of stages: from the bytes of a .cell file to a unit, the checked and
 * differentiated cell that every plan is made from. architecture.md section 2 has the table.
 *
 * This is the only setjmp of the compiler: each entry below gives its arena a place to jump to
 * to when memory ends, and returns PIPELINE_NOMEM then. After an entry has returned, the arena of
 * its result is read-only: nothing may be allocated from it, since there is no place to jump to.
 * Work on a unit that needs memory goes through pipeline_guard(). */
#ifndef PRNN_PIPELINE_H
#define PRNN_PIPELINE_H

#include "arena.h"
#include "assemble.h"
#include "ast.h"
#include "cost.h"
#include "diag.h"
#include "ir.h"
#include "range.h"
#include "resolve.h"
#include "source.h"
#include "structure.h"
#include "textbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Stages whose result can be printed, in order. */
enum pipeline_stage {
    PIPELINE_SOURCE,    /* the text */
    PIPELINE_TOKENS,    /* made for printing only */
    PIPELINE_PARSE,     /* the tree */
    PIPELINE_RESOLVE,   /* ... with symbols */
    PIPELINE_TYPECHECK, /* ... with shapes */
    PIPELINE_LOWER,     /* IR of one step; then contracted, so that derivatives belong to the
                           step that is run */
    PIPELINE_STRUCTURE, /* blocks of the Jacobian, or the refusal */
    PIPELINE_JACOBIAN,  /* IR with jac.i.j */
    PIPELINE_ADJOINT,   /* IR with adjac, src, adj_* */
    PIPELINE_RANGE,     /* bounds of values, and the warnings that follow from them */
    PIPELINE_SCHEDULE,  /* IR in final order: contracted, nothing dead */
    PIPELINE_STAGE_COUNT
};

/* How a load ended: chooses the status of the library and the exit code of the command. */
enum pipeline_class {
    PIPELINE_OK,
    PIPELINE_CELL,    /* errors in the cell */
    PIPELINE_IO,      /* the file is not readable */
    PIPELINE_LIMIT,   /* a limit of limits.h */
    PIPELINE_NOMEM,   /* memory ended */
    PIPELINE_INTERNAL /* a pass broke the IR: our fault; unit->internal says how */
};

/* One compiled cell. All pointers live in its arena. What a stage makes is NULL or zero if the
 * stage was not reached. */
struct unit {
    struct arena *arena;
    struct diag *diag;    /* the messages as data */
    const char *messages; /* ... as plain text, "" if there are none; never NULL */
    struct source *source;
    struct ast *ast;
    struct sema *sema;
    struct ir *ir;
    struct structure structure;
    struct range_report ranges; /* ranges.value is NULL behind PIPELINE_RANGE */
    struct cost forward, backward;
    const struct sema_define *defines; /* a copy of those given */
    uint32_t define_count;
    enum pipeline_class result;
    enum pipeline_stage reached; /* the last stage that was run to its end */
    const char *internal;        /* of PIPELINE_INTERNAL: stage and fault; else NULL */
};

struct pipeline_options {
    const struct sema_define *defines; /* -D name=value; borrowed during the call */
    uint32_t define_count;
    const struct diag_settings *warnings; /* NULL: defaults */
    enum pipeline_stage last;             /* nothing is run behind this stage */
    bool verify; /* run ir_verify() after every pass; always done in debug builds */
    /* Called after each stage, with the unit as it is then; may allocate from unit->arena. */
    void (*after)(void *context, struct unit *unit, enum pipeline_stage stage);
    void *context;
};
#define PIPELINE_OPTIONS_INIT ((struct pipeline_options){.last = PIPELINE_SCHEDULE})

/* Compile a .cell file, or the cell in a .prnn bundle (recognised by its name's ending).
 *
 * *out is the unit also when there are errors, so that its messages can be read; only NULL with
 * PIPELINE_NOMEM. Free it with unit_free(). 'options' NULL: the defaults. */
enum pipeline_class pipeline_load_file(struct unit **out, const char *path,
                                       const struct pipeline_options *options);
/* The same from memory: .cell text, or the bytes of a bundle (recognised by its first bytes).
 * 'name' is for messages. The text is copied. */
enum pipeline_class pipeline_load_text(struct unit **out, const char *name, const char *text,
                                       size_t length, const struct pipeline_options *options);
void unit_free(struct unit *unit); /* NULL is fine */

/* "parse", "schedule": what --dump-after takes. */
const char *pipeline_stage_name(enum pipeline_stage stage);
/* The result of a stage as text; to be called from options->after. */
void pipeline_dump(struct unit *unit, enum pipeline_stage stage, struct textbuf *out);

/* Call work(arena, context) with a new arena that has a place to jump to. Returns PIPELINE_OK, or
 * PIPELINE_NOMEM when memory ended in it, whatever it was doing: 'work' may hold nothing that the
 * arena does not own. *keep gets the arena (the caller destroys it); keep NULL: it is destroyed
 * before returning. On PIPELINE_NOMEM, *keep is NULL. */
enum pipeline_class pipeline_guard(struct arena **keep, void (*work)(struct arena *, void *),
                                   void *context);

/* The text of a kernel of this unit. */
struct pipeline_text {
    struct arena *arena; /* owns 'assembled' and 'refusal' */
    struct assembled assembled;
    const char *refusal; /* NULL, or why there is no text: the words of assemble() */
};

/* Assemble a kernel text; 'unit' is not changed and may be used by several threads at once. NULL
 * for ASSEMBLE_SCAN. PIPELINE_OK with out->refusal set is a combination without meaning. */
enum pipeline_class pipeline_assemble(struct pipeline_text *out, const struct unit *unit,
                                      const struct assemble_options *options);
void pipeline_text_free(struct pipeline_text *text); /* zeroed or freed before is fine */

#endif
