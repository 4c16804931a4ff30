#include "command.h"

#include "help.h"
#include "number.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int command_usage(struct invocation *inv, const char *format, ...)
{
    char words[4096];
    va_list list;
    va_start(list, format);
    vsnprintf(words, sizeof words, format, list);
    va_end(list);
    output_complain("%s: %s", inv->command->name, words);
    struct textbuf usage;
    textbuf_init(&usage, inv->arena);
    help_usage(&usage, inv->command);
    textbuf_printf(&usage, "'pararnnc %s --help' says more.\n", inv->command->name);
    output_messages(usage.text, usage.length);
    return EXIT_CODE_USAGE;
}

int command_cell_options(struct invocation *inv, struct pipeline_options *options)
{
    const struct arguments *arguments = &inv->arguments;
    struct sema_define *defines = arena_array(inv->arena, arguments->option_count, sizeof *defines);
    struct diag_settings *settings = arena_alloc(inv->arena, sizeof *settings);
    uint32_t count = 0;
    for (uint32_t i = 0; i < arguments->option_count; i++) {
        const char *value = arguments->options[i].value;
        if (arguments->options[i].id == OPTION_WARNING && !diag_settings_apply(settings, value))
            return command_usage(inv, "'-W%s' names no warning", value);
        if (arguments->options[i].id != OPTION_DEFINE)
            continue;
        const char *equals = strchr(value, '=');
        double number;
        if (!equals || equals == value ||
            number_parse(equals + 1, strlen(equals + 1), &number) == NUMBER_MALFORMED ||
            !isfinite(number))
            return command_usage(inv, "'-D%s' is not NAME=VALUE with a finite number", value);
        const char *name = arena_strndup(inv->arena, value, (size_t)(equals - value));
        for (uint32_t k = 0; k < count; k++)
            if (!strcmp(defines[k].name, name))
                return command_usage(inv, "'-D%s' is given twice", name);
        defines[count++] = (struct sema_define){name, number};
    }
    options->defines = defines;
    options->define_count = count;
    options->warnings = settings;
    return EXIT_CODE_OK;
}

int command_exit_code(const struct unit *unit, const char *path)
{
    switch (unit->result) {
    case PIPELINE_OK:
        return EXIT_CODE_OK;
    case PIPELINE_CELL:
        return EXIT_CODE_CELL;
    case PIPELINE_IO:
        return EXIT_CODE_IO;
    case PIPELINE_LIMIT:
    case PIPELINE_NOMEM:
        return EXIT_CODE_LIMIT;
    case PIPELINE_INTERNAL:
        break;
    }
    output_complain("'%s': internal error, %s; please report it with this file", path,
                    unit->internal);
    return EXIT_CODE_INTERNAL;
}

int command_load(struct invocation *inv, struct unit **out, const char *path,
                 const struct pipeline_options *options)
{
    struct unit *unit;
    const enum pipeline_class result = pipeline_load_file(&unit, path, options);
    *out = NULL;
    if (result == PIPELINE_NOMEM) {
        output_complain("'%s': memory has ended", path);
        return EXIT_CODE_LIMIT;
    }
    if (unit->diag->messages) {
        struct textbuf text;
        textbuf_init(&text, inv->arena);
        diag_print(unit->diag, &text, output_is_coloured() ? DIAG_COLOURED : DIAG_PLAIN);
        output_messages(text.text, text.length);
    }
    const int code = command_exit_code(unit, path);
    if (code == EXIT_CODE_OK)
        *out = unit;
    else
        unit_free(unit);
    return code;
}

struct report_subject command_report_subject(const struct unit *unit)
{
    return (struct report_subject){unit->ast,     unit->ir,       &unit->structure,
                                   &unit->ranges, &unit->forward, &unit->backward};
}

int command_status(prnn_status status, const char *what)
{
    if (status >= 0)
        return EXIT_CODE_OK;
    output_complain("%s: %s", what, prnn_last_error());
    switch (status) {
    case PRNN_E_CELL:
        return EXIT_CODE_CELL;
    case PRNN_E_INVALID:
        return EXIT_CODE_USAGE;
    case PRNN_E_IO:
        return EXIT_CODE_IO;
    case PRNN_E_LIMIT:
    case PRNN_E_NOMEM:
        return EXIT_CODE_LIMIT;
    case PRNN_E_UNSUPPORTED:
    case PRNN_E_BACKEND:
    case PRNN_E_STICKY:
        return EXIT_CODE_ENVIRONMENT;
    default:
        return EXIT_CODE_INTERNAL;
    }
}

int command_integer(struct invocation *inv, int id, const char *name, int64_t least, int64_t most,
                    int64_t missing, int64_t *out)
{
    const char *text = arguments_value(&inv->arguments, id, NULL);
    *out = missing;
    if (!text)
        return EXIT_CODE_OK;
    int64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && value <= (INT64_MAX - 9) / 10; at++)
        value = value * 10 + (*at - '0');
    if (at == text || *at || value < least || value > most)
        return command_usage(
            inv, "option '--%s' takes an integer from %" PRId64 " to %" PRId64 ", found '%s'", name,
            least, most, text);
    *out = value;
    return EXIT_CODE_OK;
}
