/* pararnnc check: diagnostics only. */
#include "command.h"

#include <string.h>

enum { OPTION_DUMP_AFTER = 1, OPTION_VERIFY, OPTION_JSON };

static const struct option options[] = {
    COMMAND_CELL_OPTIONS,
    {OPTION_JSON, 0, "json", NULL, NULL, false,
     "print the messages of all files as one JSON array instead"},
    {OPTION_DUMP_AFTER, 0, "dump-after", "STAGE",
     "source|tokens|parse|resolve|typecheck|lower|structure|jacobian|adjoint|range|schedule", true,
     "print what a stage of the compiler made"},
    {OPTION_VERIFY, 0, "verify", NULL, NULL, false, "check the IR after every pass"},
    {0, 0, NULL, NULL, NULL, false, NULL},
};

static void dump(void *context, struct unit *unit, enum pipeline_stage stage)
{
    struct invocation *inv = context;
    bool is_wanted = false;
    for (uint32_t i = 0; i < inv->arguments.option_count; i++)
        is_wanted |= inv->arguments.options[i].id == OPTION_DUMP_AFTER &&
                     !strcmp(inv->arguments.options[i].value, pipeline_stage_name(stage));
    if (is_wanted)
        pipeline_dump(unit, stage, &inv->out);
}

static void add_place(struct textbuf *out, const struct diag *diag, struct span span)
{
    const struct source_place place = source_place(diag->source, span.begin);
    textbuf_printf(out, "\"line\": %u, \"column\": %u, \"begin\": %u, \"end\": %u", place.line,
                   place.column, span.begin, span.end);
}

static void add_message(struct textbuf *out, const struct diag *diag,
                        const struct diag_message *message)
{
    textbuf_add(out, "  {\"file\": ");
    textbuf_add_json_string(out, diag->name ? diag->name : "");
    textbuf_printf(out, ", \"severity\": \"%s\", \"name\": \"%s\", \"text\": ",
                   diag_severity_name(message->severity), message->slug);
    textbuf_add_json_string(out, message->text);
    if (message->has_span && diag->source) {
        textbuf_add(out, ", ");
        add_place(out, diag, message->span);
    }
    if (message->fix) {
        textbuf_add(out, ", \"fix\": {\"text\": ");
        textbuf_add_json_string(out, message->fix);
        textbuf_add(out, ", ");
        add_place(out, diag, message->fix_span);
        textbuf_add(out, "}");
    }
    textbuf_add(out, ", \"notes\": [");
    for (const struct diag_note *note = message->notes; note; note = note->next) {
        textbuf_add(out, "{\"text\": ");
        textbuf_add_json_string(out, note->text);
        if (note->has_span && diag->source) {
            textbuf_add(out, ", ");
            add_place(out, diag, note->span);
        }
        textbuf_add(out, note->next ? "}, " : "}");
    }
    textbuf_add(out, "]}");
}

/* Messages as data: the file is loaded without printing any. */
static int check_json(struct invocation *inv, const char *path,
                      const struct pipeline_options *load_options, uint32_t *message_count)
{
    struct unit *unit;
    if (pipeline_load_file(&unit, path, load_options) == PIPELINE_NOMEM) {
        output_complain("'%s': memory has ended", path);
        return EXIT_CODE_LIMIT;
    }
    for (const struct diag_message *message = unit->diag->messages; message;
         message = message->next) {
        textbuf_add(&inv->out, (*message_count)++ ? ",\n" : "\n");
        add_message(&inv->out, unit->diag, message);
    }
    const int code = command_exit_code(unit, path);
    unit_free(unit);
    return code;
}

static int run(struct invocation *inv)
{
    struct pipeline_options load_options = PIPELINE_OPTIONS_INIT;
    int worst = command_cell_options(inv, &load_options);
    if (worst)
        return worst;
    const bool is_json = arguments_has(&inv->arguments, OPTION_JSON);
    load_options.verify = arguments_has(&inv->arguments, OPTION_VERIFY);
    if (arguments_has(&inv->arguments, OPTION_DUMP_AFTER)) {
        if (is_json)
            return command_usage(inv, "'--dump-after' and '--json' exclude each other");
        load_options.after = dump;
        load_options.context = inv;
    }
    uint32_t message_count = 0;
    if (is_json)
        textbuf_add(&inv->out, "[");
    for (uint32_t i = 0; i < inv->arguments.operand_count; i++) {
        const char *path = inv->arguments.operands[i];
        int code;
        if (is_json)
            code = check_json(inv, path, &load_options, &message_count);
        else {
            struct unit *unit;
            code = command_load(inv, &unit, path, &load_options);
            unit_free(unit);
        }
        if (code > worst)
            worst = code;
    }
    if (is_json)
        textbuf_add(&inv->out, message_count ? "\n]\n" : "]\n");
    return worst;
}

const struct command command_check = {
    .name = "check",
    .operands = "FILE...",
    .fewest = 1,
    .most = UINT32_MAX,
    .summary = "find the errors of cells",
    .text = "Compile cells up to their derivatives and print every error and warning. Nothing is "
            "written. The exit code is that of the worst file.",
    .options = options,
    .examples = "pararnnc check cells/paragru.cell\npararnnc check -Werror cells/*.cell",
    .run = run,
};
