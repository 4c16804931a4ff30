/* What the tables of the commands say, as --help, as man pages and as bash completion. */
#ifndef PRNN_HELP_H
#define PRNN_HELP_H

#include "arguments.h"
#include "textbuf.h"

/* One line: "usage: pararnnc check [OPTION...] FILE...". */
void help_usage(struct textbuf *out, const struct command *command);
void help_command(struct textbuf *out, const struct command *command);
void help_man(struct textbuf *out, const struct command *command);

/* Of the program; 'commands' ends with a NULL name. */
void help_program(struct textbuf *out, const struct command *commands);
void help_program_man(struct textbuf *out, const struct command *commands);
void help_bash(struct textbuf *out, const struct command *commands);

#endif
