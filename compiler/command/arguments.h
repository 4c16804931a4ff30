/* The words of a command line against the table of a command.
 *
 * The same table makes --help, the man page and the completion (help.h), so that none of them can
 * promise what the others do not know. */
#ifndef PRNN_ARGUMENTS_H
#define PRNN_ARGUMENTS_H

#include "arena.h"

#include <stdbool.h>
#include <stdint.h>

/* Exit codes of the program. */
enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_CELL = 1,        /* the cell is wrong */
    EXIT_CODE_USAGE = 2,       /* the command line is */
    EXIT_CODE_IO = 3,          /* a file cannot be read or written */
    EXIT_CODE_LIMIT = 4,       /* a limit was met, or memory ended */
    EXIT_CODE_ENVIRONMENT = 5, /* driver, compiler, device */
    EXIT_CODE_INTERNAL = 70    /* our fault */
};

struct option {
    int id;              /* the command's own enum; not 0 */
    char letter;         /* 0: none */
    const char *name;    /* without the dashes; NULL: the letter alone */
    const char *value;   /* what stands for its value in the help; NULL: a flag */
    const char *choices; /* "f32|f64": nothing else is accepted; NULL: any text */
    bool is_repeatable;  /* else giving it twice is an error */
    const char *help;    /* a sentence without a full stop; may be several, separated by ';' */
};

struct invocation;

struct command {
    const char *name;
    const char *operands;               /* "FILE...", "[FILE...]", "" */
    uint32_t fewest, most;              /* of operands */
    const char *summary;                /* half a line */
    const char *text;                   /* paragraphs, separated by empty lines */
    const struct option *options;       /* ends with id 0 */
    const char *examples;               /* one a line, or NULL */
    int (*run)(struct invocation *inv); /* returns an exit code */
};

struct argument {
    int id;
    const char *value; /* NULL for a flag */
};

struct arguments {
    const struct argument *options; /* in the order they were given */
    uint32_t option_count;
    const char *const *operands;
    uint32_t operand_count;
};

/* NULL, or what is wrong in words. 'words' are those behind the name of the command. Words behind
 * "--" are operands, as is "-" alone. "--help" is in every table without being written there. */
const char *arguments_parse(struct arguments *out, const struct command *command,
                            const char *const *words, uint32_t word_count, struct arena *arena);

/* The options every command has, at the end of its own. */
enum { OPTION_HELP = -1, OPTION_HELP_MAN = -2 };
extern const struct option arguments_common[];

bool arguments_has(const struct arguments *arguments, int id);
/* The value of an option, or 'missing'. */
const char *arguments_value(const struct arguments *arguments, int id, const char *missing);

#endif
