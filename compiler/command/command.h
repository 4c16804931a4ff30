/* What the commands share: an invocation, loading a cell with the usual options, exit codes. */
#ifndef PRNN_COMMAND_H
#define PRNN_COMMAND_H

#include "arguments.h"
#include "output.h"
#include "pipeline.h"
#include "report.h"
#include "textbuf.h"

#include <pararnnc/pararnnc.h>

struct invocation {
    const struct command *command;
    struct arguments arguments;
    struct arena *arena; /* until the process ends; has a place to jump to */
    struct textbuf out;  /* goes to standard output when the command has ended */
};

/* One file each: cmd_check.c, ... */
extern const struct command command_check, command_explain, command_compile, command_run,
    command_bench, command_tune, command_fmt, command_cache, command_doctor;

/* "pararnnc check: ..." and the usage on standard error. Returns EXIT_CODE_USAGE. */
int command_usage(struct invocation *inv, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Options of every command that reads cells; to be expanded in its table. */
enum { OPTION_DEFINE = 100, OPTION_WARNING };
#define COMMAND_CELL_OPTIONS                                                                       \
    {OPTION_DEFINE,                                                                                \
     'D',                                                                                          \
     "define",                                                                                     \
     "NAME=VALUE",                                                                                 \
     NULL,                                                                                         \
     true,                                                                                         \
     "replace the value of a constant of the cell"},                                               \
    {                                                                                              \
        OPTION_WARNING, 'W', "warn", "NAME", NULL, true,                                           \
            "-WNAME turns a warning on, -Wno-NAME off, -Werror=NAME makes it an error, -Werror "   \
            "all "                                                                                 \
            "of them"                                                                              \
    }

/* Fill defines and warnings from -D and -W. EXIT_CODE_OK, or EXIT_CODE_USAGE after saying why. */
int command_cell_options(struct invocation *inv, struct pipeline_options *options);

/* Load a cell and print its messages. EXIT_CODE_OK with *out set (to be freed with unit_free()), or
 * the exit code of the failure with *out NULL. */
int command_load(struct invocation *inv, struct unit **out, const char *path,
                 const struct pipeline_options *options);

/* The exit code of a load, after printing what went wrong inside the compiler. */
int command_exit_code(const struct unit *unit, const char *path);

/* What a report is made from; valid as long as the unit. */
struct report_subject command_report_subject(const struct unit *unit);

/* The exit code of a status of the library, after printing its words if it is an error. */
int command_status(prnn_status status, const char *what);

/* An option with a number from 'least' to 'most'; 'missing' if it is not given. */
int command_integer(struct invocation *inv, int id, const char *name, int64_t least, int64_t most,
                    int64_t missing, int64_t *out);

#endif
