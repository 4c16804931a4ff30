#include "help.h"

#include <ctype.h>
#include <string.h>

enum { WIDTH = 80, OPTION_COLUMN = 26 };

static const char exit_codes[][2][80] = {
    {"0", "fine"},
    {"1", "the cell is wrong"},
    {"2", "the command line is wrong"},
    {"3", "a file cannot be read or written"},
    {"4", "a limit was met, or memory ended"},
    {"5", "driver, compiler or device: the environment"},
    {"70", "an internal error: please report it"},
};

/* Words of 'text' filled into lines that start at 'indent'; the first line is there already, up to
 * 'column'. Empty lines separate paragraphs. */
static void add_filled(struct textbuf *out, const char *text, size_t indent, size_t column)
{
    bool is_first = true;
    while (*text) {
        while (isspace((unsigned char)*text)) {
            if (text[0] == '\n' && text[1] == '\n') {
                textbuf_printf(out, "\n\n%*s", (int)indent, "");
                column = indent;
                is_first = true;
                text++;
            }
            text++;
        }
        size_t length = 0;
        while (text[length] && !isspace((unsigned char)text[length]))
            length++;
        if (!length)
            break;
        if (!is_first && column + 1 + length > WIDTH) {
            textbuf_printf(out, "\n%*s", (int)indent, "");
            column = indent;
            is_first = true;
        }
        if (!is_first)
            textbuf_add(out, " ");
        textbuf_add_n(out, text, length);
        column += length + !is_first;
        is_first = false;
        text += length;
    }
    textbuf_add(out, "\n");
}

void help_usage(struct textbuf *out, const struct command *command)
{
    textbuf_printf(out, "usage: pararnnc %s [OPTION...]%s%s\n", command->name,
                   command->operands[0] ? " " : "", command->operands);
}

/* "  -D, --define=NAME=VALUE" */
static void add_spelling(struct textbuf *out, const struct option *option)
{
    if (option->letter)
        textbuf_printf(out, "-%c", option->letter);
    if (option->letter && option->name)
        textbuf_add(out, ", ");
    if (option->name)
        textbuf_printf(out, "--%s", option->name);
    if (option->value)
        textbuf_printf(out, "%s%s", option->name ? "=" : " ", option->value);
}

static void add_options(struct textbuf *out, const struct option *option)
{
    for (; option->id; option++) {
        const size_t start = out->length;
        textbuf_add(out, option->letter ? "  " : "      ");
        add_spelling(out, option);
        size_t column = out->length - start;
        if (column + 2 > OPTION_COLUMN) {
            textbuf_add(out, "\n");
            column = 0;
        }
        textbuf_printf(out, "%*s", (int)(OPTION_COLUMN - column), "");
        add_filled(out, option->help, OPTION_COLUMN, OPTION_COLUMN);
    }
}

static void add_indented(struct textbuf *out, const char *lines)
{
    while (*lines) {
        const size_t length = strcspn(lines, "\n");
        textbuf_add(out, "  ");
        textbuf_add_n(out, lines, length);
        textbuf_add(out, "\n");
        lines += length + (lines[length] == '\n');
    }
}

void help_command(struct textbuf *out, const struct command *command)
{
    help_usage(out, command);
    textbuf_add(out, "\n");
    add_filled(out, command->text, 0, 0);
    textbuf_add(out, "\nOptions:\n");
    add_options(out, command->options);
    add_options(out, arguments_common);
    if (command->examples) {
        textbuf_add(out, "\nExamples:\n");
        add_indented(out, command->examples);
    }
}

void help_program(struct textbuf *out, const struct command *commands)
{
    textbuf_add(out, "usage: pararnnc COMMAND [OPTION...] [FILE...]\n\n"
                     "Compile nonlinear recurrences, written as .cell files, and run them parallel "
                     "in time.\n\nCommands:\n");
    for (const struct command *command = commands; command->name; command++)
        textbuf_printf(out, "  %-10s%s\n", command->name, command->summary);
    textbuf_add(out, "\nOptions:\n"
                     "  -h, --help       print this and exit\n"
                     "      --version    print the version and exit\n"
                     "      --help-man   print this as a man page and exit\n"
                     "      --help-bash  print the completion for bash and exit\n"
                     "\n'pararnnc COMMAND --help' has the options of a command.\n\nExit codes:\n");
    for (size_t i = 0; i < sizeof exit_codes / sizeof *exit_codes; i++)
        textbuf_printf(out, "  %-4s%s\n", exit_codes[i][0], exit_codes[i][1]);
}

/* Man pages: backslashes and dashes are signs of their own there, and a line must not begin with a
 * dot or an apostrophe. */

static void add_roff(struct textbuf *out, const char *text)
{
    bool is_line_start = true;
    for (; *text; text++) {
        if (is_line_start && (*text == '.' || *text == '\''))
            textbuf_add(out, "\\&");
        if (*text == '\\')
            textbuf_add(out, "\\e");
        else if (*text == '-')
            textbuf_add(out, "\\-");
        else if (*text == '\n' && text[1] == '\n') {
            textbuf_add(out, "\n.PP\n");
            text++;
        } else
            textbuf_add_n(out, text, 1);
        is_line_start = *text == '\n';
    }
}

static void add_roff_options(struct textbuf *out, const struct option *option)
{
    for (; option->id; option++) {
        struct textbuf spelling;
        textbuf_init(&spelling, out->arena);
        add_spelling(&spelling, option);
        textbuf_add(out, ".TP\n.B ");
        add_roff(out, spelling.text);
        textbuf_add(out, "\n");
        add_roff(out, option->help);
        textbuf_add(out, "\n");
    }
}

static void add_roff_exit_codes(struct textbuf *out)
{
    textbuf_add(out, ".SH EXIT STATUS\n");
    for (size_t i = 0; i < sizeof exit_codes / sizeof *exit_codes; i++)
        textbuf_printf(out, ".TP\n.B %s\n%s\n", exit_codes[i][0], exit_codes[i][1]);
}

void help_man(struct textbuf *out, const struct command *command)
{
    textbuf_printf(out,
                   ".TH PARARNNC\\-%s 1 \"\" \"pararnnc\" \"User Commands\"\n.SH NAME\n"
                   "pararnnc\\-%s \\- ",
                   command->name, command->name);
    add_roff(out, command->summary);
    textbuf_printf(out, "\n.SH SYNOPSIS\n.B pararnnc %s\n[OPTION...] ", command->name);
    add_roff(out, command->operands);
    textbuf_add(out, "\n.SH DESCRIPTION\n");
    add_roff(out, command->text);
    textbuf_add(out, "\n.SH OPTIONS\n");
    add_roff_options(out, command->options);
    add_roff_options(out, arguments_common);
    if (command->examples) {
        textbuf_add(out, ".SH EXAMPLES\n.nf\n");
        add_roff(out, command->examples);
        textbuf_add(out, "\n.fi\n");
    }
    add_roff_exit_codes(out);
    textbuf_add(out, ".SH SEE ALSO\n.BR pararnnc (1)\n");
}

void help_program_man(struct textbuf *out, const struct command *commands)
{
    textbuf_add(out, ".TH PARARNNC 1 \"\" \"pararnnc\" \"User Commands\"\n.SH NAME\n"
                     "pararnnc \\- compile nonlinear recurrences and run them parallel in time\n"
                     ".SH SYNOPSIS\n.B pararnnc\nCOMMAND [OPTION...] [FILE...]\n"
                     ".SH DESCRIPTION\nA .cell file defines one recurrence: how the state at a "
                     "step follows from the state before it, the inputs of the step and the "
                     "parameters. pararnnc checks it, derives its Jacobian and its gradients, and "
                     "makes code for CPUs and GPUs from it.\n.SH COMMANDS\n");
    for (const struct command *command = commands; command->name; command++) {
        textbuf_printf(out, ".TP\n.BR pararnnc\\-%s (1)\n", command->name);
        add_roff(out, command->summary);
        textbuf_add(out, "\n");
    }
    add_roff_exit_codes(out);
    textbuf_add(out,
                ".SH ENVIRONMENT\n"
                ".TP\n.B PARARNNC_CACHE_DIR\nthe directory of compiled kernels; none: no cache\n"
                ".TP\n.B PARARNNC_CC\nthe C compiler for kernels of the CPU; none: the "
                "interpreter\n"
                ".TP\n.B PARARNNC_NVRTC\nthe NVRTC library for kernels of NVIDIA GPUs\n"
                ".TP\n.B NO_COLOR\nif set and not empty, messages have no colour\n");
}

/* Completion. Words of the tables hold no sign that bash would take for its own. */
void help_bash(struct textbuf *out, const struct command *commands)
{
    textbuf_add(out, "# Completion of pararnnc for bash; made by 'pararnnc --help-bash'.\n"
                     "_pararnnc()\n{\n"
                     "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
                     "    local options='' choices=''\n"
                     "    if ((COMP_CWORD == 1)); then\n        COMPREPLY=($(compgen -W '");
    for (const struct command *command = commands; command->name; command++)
        textbuf_printf(out, "%s ", command->name);
    textbuf_add(out, "--help --version' -- \"$word\"))\n        return\n    fi\n"
                     "    if [[ $word == = ]]; then\n        word=''\n"
                     "    elif [[ $before == = ]]; then\n"
                     "        before=${COMP_WORDS[COMP_CWORD-2]}\n    fi\n"
                     "    case ${COMP_WORDS[1]} in\n");
    for (const struct command *command = commands; command->name; command++) {
        textbuf_printf(out, "    %s)\n        options='", command->name);
        for (const struct option *option = command->options; option->id; option++)
            if (option->name)
                textbuf_printf(out, "--%s ", option->name);
        textbuf_add(out, "--help'\n        case $before in\n");
        for (const struct option *option = command->options; option->id; option++) {
            if (!option->choices || !option->name)
                continue;
            textbuf_printf(out, "        --%s) choices='", option->name);
            for (const char *at = option->choices; *at; at++)
                textbuf_add_n(out, *at == '|' ? " " : at, 1);
            textbuf_add(out, "' ;;\n");
        }
        textbuf_add(out, "        esac\n        ;;\n");
    }
    textbuf_add(out, "    esac\n"
                     "    if [[ -n $choices ]]; then\n"
                     "        COMPREPLY=($(compgen -W \"$choices\" -- \"$word\"))\n"
                     "    elif [[ $word == -* ]]; then\n"
                     "        COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
                     "    else\n"
                     "        COMPREPLY=($(compgen -f -- \"$word\"))\n"
                     "    fi\n}\ncomplete -o filenames -F _pararnnc pararnnc\n");
}
