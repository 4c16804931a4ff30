/* pararnnc: finds the command, and turns what it returns into the exit code. */
#include "command.h"
#include "help.h"

#include <stdlib.h>
#include <string.h>

static struct command commands[10]; /* ends with a NULL name */

static void collect_commands(void)
{
    const struct command *const all[] = {
        &command_check, &command_explain, &command_compile, &command_run,    &command_bench,
        &command_tune,  &command_fmt,     &command_cache,   &command_doctor,
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        commands[i] = *all[i];
}

struct words {
    const char *const *words;
    uint32_t count;
    int exit_code;
};

/* "pararnnc --version" and its like; a usage error otherwise. */
static int run_without_command(struct textbuf *out, const struct words *words)
{
    const char *word = words->count > 0 ? words->words[0] : NULL;
    if (words->count == 1 && (!strcmp(word, "--help") || !strcmp(word, "-h")))
        help_program(out, commands);
    else if (words->count == 1 && !strcmp(word, "--version"))
        textbuf_printf(out, "pararnnc %s\n", prnn_version());
    else if (words->count == 1 && !strcmp(word, "--help-man"))
        help_program_man(out, commands);
    else if (words->count == 1 && !strcmp(word, "--help-bash"))
        help_bash(out, commands);
    else {
        if (!word)
            output_complain("a command is missing");
        else if (word[0] == '-')
            output_complain("unknown option '%s'", word);
        else {
            const char *names[sizeof commands / sizeof *commands];
            uint32_t count = 0;
            for (const struct command *command = commands; command->name; command++)
                names[count++] = command->name;
            const char *nearest = diag_nearest(word, names, count);
            output_complain("unknown command '%s'%s%s%s", word, nearest ? ", did you mean '" : "",
                            nearest ? nearest : "", nearest ? "'?" : "");
        }
        struct textbuf usage;
        textbuf_init(&usage, out->arena);
        textbuf_add(&usage, "usage: pararnnc COMMAND [OPTION...] [FILE...]\n"
                            "'pararnnc --help' lists the commands.\n");
        output_messages(usage.text, usage.length);
        return EXIT_CODE_USAGE;
    }
    return EXIT_CODE_OK;
}

static int run_command(struct invocation *inv, const struct words *words)
{
    const struct command *command = inv->command;
    const char *fault =
        arguments_parse(&inv->arguments, command, words->words + 1, words->count - 1, inv->arena);
    if (fault)
        return command_usage(inv, "%s", fault);
    if (arguments_has(&inv->arguments, OPTION_HELP))
        help_command(&inv->out, command);
    else if (arguments_has(&inv->arguments, OPTION_HELP_MAN))
        help_man(&inv->out, command);
    else
        return command->run(inv);
    return EXIT_CODE_OK;
}

static void run(struct arena *arena, void *context)
{
    struct words *words = context;
    struct invocation inv = {.arena = arena};
    textbuf_init(&inv.out, arena);
    for (const struct command *command = commands; command->name && words->count > 0; command++)
        if (!strcmp(words->words[0], command->name))
            inv.command = command;
    words->exit_code =
        inv.command ? run_command(&inv, words) : run_without_command(&inv.out, words);
    output_progress("%s", "");
    if (!output_text(inv.out.text, inv.out.length) && words->exit_code == EXIT_CODE_OK)
        words->exit_code = EXIT_CODE_IO;
}

int main(int argc, char **argv)
{
    output_prepare();
    collect_commands();
    struct words words = {(const char *const *)argv + 1, argc > 0 ? (uint32_t)(argc - 1) : 0, 0};
    if (pipeline_guard(NULL, run, &words) != PIPELINE_OK) {
        output_complain("memory has ended");
        return EXIT_CODE_LIMIT;
    }
    return words.exit_code;
}
