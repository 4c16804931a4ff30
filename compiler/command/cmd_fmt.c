/* pararnnc fmt: the canonical layout of .cell text. */
#include "command.h"

#include <string.h>

enum { OPTION_WRITE = 1, OPTION_CHECK };

static const struct option options[] = {
    {OPTION_WRITE, 'i', "write", NULL, NULL, false, "write the result back into each file"},
    {OPTION_CHECK, 0, "check", NULL, NULL, false,
     "write nothing; name the files that would change, and exit with 1 if there are any"},
    {0, 0, NULL, NULL, NULL, false, NULL},
};

static int format(struct invocation *inv, const char *path)
{
    struct pipeline_options load_options = PIPELINE_OPTIONS_INIT;
    load_options.last = PIPELINE_PARSE;
    struct unit *unit;
    int code = command_load(inv, &unit, path, &load_options);
    if (code)
        return code;
    struct textbuf text;
    textbuf_init(&text, inv->arena);
    ast_print(unit->ast, &text);
    const bool is_same =
        text.length == unit->source->length && !memcmp(text.text, unit->source->text, text.length);
    if (arguments_has(&inv->arguments, OPTION_CHECK)) {
        if (!is_same) {
            textbuf_printf(&inv->out, "%s\n", path);
            code = EXIT_CODE_CELL;
        }
    } else if (!arguments_has(&inv->arguments, OPTION_WRITE))
        textbuf_add_n(&inv->out, text.text, text.length);
    else if (!is_same && !output_file(path, text.text, text.length))
        code = EXIT_CODE_IO;
    unit_free(unit);
    return code;
}

static int run(struct invocation *inv)
{
    if (arguments_has(&inv->arguments, OPTION_WRITE) &&
        arguments_has(&inv->arguments, OPTION_CHECK))
        return command_usage(inv, "'--write' and '--check' exclude each other");
    int worst = EXIT_CODE_OK;
    for (uint32_t i = 0; i < inv->arguments.operand_count; i++) {
        const int code = format(inv, inv->arguments.operands[i]);
        if (code > worst)
            worst = code;
    }
    return worst;
}

const struct command command_fmt = {
    .name = "fmt",
    .operands = "FILE...",
    .fewest = 1,
    .most = UINT32_MAX,
    .summary = "lay out .cell text canonically",
    .text = "Print the canonical layout of cells: comments keep their places, the meaning stays, "
            "and formatting twice changes nothing. Only the syntax has to be right.",
    .options = options,
    .examples = "pararnnc fmt cells/paragru.cell\npararnnc fmt -i cells/*.cell\n"
                "pararnnc fmt --check cells/*.cell",
    .run = run,
};
