/* pararnnc explain: what the compiler found out about a cell. */
#include "command.h"
#include "explain_strategies.h"

#include <string.h>

enum {
    OPTION_JSON = 1,
    OPTION_HTML,
    OPTION_LATEX,
    OPTION_DOT,
    OPTION_SHAPES,
    OPTION_DTYPE,
    OPTION_MATH,
    OPTION_DEVICE
};

static const struct option options[] = {
    {OPTION_JSON, 0, "json", NULL, NULL, false, "print one JSON object"},
    {OPTION_HTML, 0, "html", "OUT", NULL, false,
     "write one self-contained HTML page with pictures ('-' is standard output)"},
    {OPTION_LATEX, 0, "latex", NULL, NULL, false, "print the equations for LaTeX with amsmath"},
    {OPTION_DOT, 0, "dot", NULL, NULL, false, "print what depends on what as a Graphviz graph"},
    {OPTION_SHAPES, 0, "shapes", "B,T,N[;...]", NULL, false,
     "print too which strategies these shapes would get on a GPU, and the times that are "
     "predicted"},
    {OPTION_DEVICE, 0, "device", "NAME", NULL, false,
     "of --shapes: cuda:0, ...; default an H100, which need not be there"},
    {OPTION_DTYPE, 0, "dtype", "TYPE", "f32|f64|bf16|f16", false, "of --shapes; default f32"},
    {OPTION_MATH, 0, "math", "MODE", "accurate|fast|strict", false,
     "of --shapes; default accurate"},
    COMMAND_CELL_OPTIONS,
    {0, 0, NULL, NULL, NULL, false, NULL},
};

static int read_request(struct invocation *inv, struct explain_request *out)
{
    static const char *const maths[] = {"accurate", "fast", "strict"};
    const struct arguments *arguments = &inv->arguments;
    const char *shapes = arguments_value(arguments, OPTION_SHAPES, NULL), *wrong;
    const char *dtype = arguments_value(arguments, OPTION_DTYPE, "f32");
    const char *math = arguments_value(arguments, OPTION_MATH, "accurate");
    *out = (struct explain_request){.device = arguments_value(arguments, OPTION_DEVICE, NULL)};
    dtype_read(&out->storage, dtype, strlen(dtype));
    for (int i = 0; i < 3; i++)
        if (!strcmp(math, maths[i]))
            out->math = (prnn_math)i;
    if (!shapes)
        return EXIT_CODE_OK;
    if (!shape_list_read(&out->shapes, shapes, &wrong, inv->arena))
        return command_usage(inv, "'%s' is not B,T,N, three positive integers", wrong);
    return EXIT_CODE_OK;
}

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
    struct explain_request request;
    if ((code = read_request(inv, &request)) != 0)
        return code;
    if (form && request.shapes.count > 0)
        return command_usage(inv, "'--shapes' goes with the text only");
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
        if (request.shapes.count > 0)
            code = explain_strategies(&inv->out, inv, unit, &request);
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
            "be a contraction, and what one step costs; with --shapes also the strategies that it "
            "would "
            "get on a GPU.",
    .options = options,
    .examples = "pararnnc explain cells/paragru.cell\n"
                "pararnnc explain cells/paralstm.cell --html paralstm.html\n"
                "pararnnc explain cells/paragru.cell --shapes '8,2048,1024;1,65536,256'",
    .run = run,
};
