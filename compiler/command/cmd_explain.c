/* pararnnc explain: what the compiler found out about a cell. */
#include "command.h"

enum { OPTION_JSON = 1, OPTION_HTML, OPTION_LATEX, OPTION_DOT };

static const struct option options[] = {
    {OPTION_JSON, 0, "json", NULL, NULL, false, "print one JSON object"},
    {OPTION_HTML, 0, "html", "OUT", NULL, false,
     "write one self-contained HTML page with pictures ('-' is standard output)"},
    {OPTION_LATEX, 0, "latex", NULL, NULL, false, "print the equations for LaTeX with amsmath"},
    {OPTION_DOT, 0, "dot", NULL, NULL, false, "print what depends on what as a Graphviz graph"},
    COMMAND_CELL_OPTIONS,
    {0, 0, NULL, NULL, NULL, false, NULL},
};

static int run(struct invocation *inv)
{
    struct pipeline_options load_options = PIPELINE_OPTIONS_INIT;
    int code = command_cell_options(inv, &load_options);
    if (code)
        return code;
    static const int forms[] = {OPTION_JSON, OPTION_HTML, OPTION_LATEX, OPTION_DOT};
    int form = 0;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (!arguments_has(&inv->arguments, forms[i]))
            continue;
        if (form)
            return command_usage(inv, "'--json', '--html', '--latex' and '--dot' exclude each "
                                      "other");
        form = forms[i];
    }
    const char *path = inv->arguments.operands[0];
    struct unit *unit;
    if ((code = command_load(inv, &unit, path, &load_options)) != 0)
        return code;
    const struct report_subject subject = command_report_subject(unit);
    struct textbuf page;
    switch (form) {
    case OPTION_JSON:
        report_json(&inv->out, &subject);
        break;
    case OPTION_LATEX:
        report_latex(&inv->out, &subject);
        break;
    case OPTION_DOT:
        report_dot(&inv->out, &subject);
        break;
    case OPTION_HTML:
        textbuf_init(&page, inv->arena);
        report_html(&page, &subject);
        if (!output_file(arguments_value(&inv->arguments, OPTION_HTML, NULL), page.text,
                         page.length))
            code = EXIT_CODE_IO;
        break;
    default:
        report_text(&inv->out, &subject);
        break;
    }
    unit_free(unit);
    return code;
}

const struct command command_explain = {
    .name = "explain",
    .operands = "FILE",
    .fewest = 1,
    .most = 1,
    .summary = "show what the compiler finds out about a cell",
    .text = "Print the equations of a cell, the formulas and the pattern of its Jacobian, the "
            "blocks that are solved together, the ranges of its states, whether it is proven to "
            "be a contraction, and what one step costs.",
    .options = options,
    .examples = "pararnnc explain cells/paragru.cell\n"
                "pararnnc explain cells/paralstm.cell --html paralstm.html",
    .run = run,
};
