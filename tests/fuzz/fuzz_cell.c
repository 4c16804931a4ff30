/* The whole compiler on one cell text: load to emitted text, printing on the way. Whatever parses
 * must pass every later stage or be refused in words. */
#include "fuzz_target.h"

#include "half_words.h"
#include "ir_text.h"
#include "limits.h"
#include "parse.h"
#include "pipeline.h"
#include "rename_cell.h"
#include "report.h"

#include <string.h>

static void check_messages(const struct unit *unit)
{
    for (const char *c = unit->messages; *c; c++)
        FUZZ_PROMISE(*c == '\n' || (*c >= ' ' && *c <= '~'), "messages are printable ASCII");
    FUZZ_PROMISE(unit->result == PIPELINE_OK || *unit->messages, "a refusal has words");
}

/* What 'fmt' writes is read as the same tree. */
static void check_printing(struct unit *unit)
{
    struct textbuf once, twice;
    textbuf_init(&once, unit->arena);
    ast_print(unit->ast, &once);
    struct diag *diag = diag_create(unit->arena, NULL);
    const struct source *source =
        source_from_memory(unit->arena, diag, "printed", once.text, once.length);
    /* Printing breaks lines and puts blanks, so a text at the limit may end beyond it. */
    if (!source && once.length > LIMIT_SOURCE_BYTES)
        return;
    const struct ast *ast = source ? parse(unit->arena, diag, source) : NULL;
    FUZZ_PROMISE(ast, "printed cells parse");
    textbuf_init(&twice, unit->arena);
    ast_print(ast, &twice);
    FUZZ_PROMISE(once.length == twice.length && !memcmp(once.text, twice.text, once.length),
                 "printing again changes nothing");
}

static void check_ir(struct unit *unit)
{
    struct textbuf once, twice;
    uint32_t line;
    const char *message;
    textbuf_init(&once, unit->arena);
    ir_print(&once, unit->ir);
    const struct ir *again = ir_read(unit->arena, once.text, &line, &message);
    FUZZ_PROMISE(again, "the IR of a cell reads back");
    textbuf_init(&twice, unit->arena);
    ir_print(&twice, again);
    FUZZ_PROMISE(!strcmp(once.text, twice.text), "the IR that was read prints as before");
}

static void after(void *context, struct unit *unit, enum pipeline_stage stage)
{
    (void)context;
    if (stage == PIPELINE_PARSE)
        check_printing(unit);
    if (stage == PIPELINE_SCHEDULE)
        check_ir(unit);
}

static void report(struct arena *arena, void *context)
{
    const struct unit *unit = context;
    const struct report_subject subject = {unit->ast,     unit->ir,       &unit->structure,
                                           &unit->ranges, &unit->forward, &unit->backward};
    static void (*const writers[])(struct textbuf *, const struct report_subject *) = {
        report_text, report_json, report_html, report_latex, report_dot};
    for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
        struct textbuf out;
        textbuf_init(&out, arena);
        writers[i](&out, &subject);
        FUZZ_PROMISE(out.length > 0, "a report says something");
    }
}

/* One kernel of the unit, another one for each size of the input. */
static struct assemble_options options_of(const struct unit *unit, size_t size)
{
    static const enum assemble_kernel kernels[] = {ASSEMBLE_CPU, ASSEMBLE_FORWARD,
                                                   ASSEMBLE_BACKWARD, ASSEMBLE_DECODE};
    struct assemble_options options = {
        .kernel = kernels[size % 4],
        .target = size % 4 ? ASSEMBLE_CUDA : ASSEMBLE_HOST,
        .storage = (enum assemble_storage)(size / 4 % 4),
        .mode = (enum assemble_mode)(size / 16 % 3),
        .state_written = (1u << unit->ir->states) - 1,
        .state_gradient = (1u << unit->ir->states) - 1,
    };
    if (size % 4)
        options.strategy = (struct strategy){
            .lanes = 32, .vc = 1, .tile_chunks = 4, .chunk = 4, .stages = 2, .cluster = 1};
    return options;
}

static void check_text(const struct unit *unit, size_t size)
{
    const struct assemble_options options = options_of(unit, size);
    struct pipeline_text text;
    if (pipeline_assemble(&text, unit, &options) != PIPELINE_OK)
        return;
    if (!text.refusal) {
        size_t length, word_length;
        const char *half = half_find(text.assembled.text, &length);
        FUZZ_PROMISE(half, "a text has an emitted half");
        const char *foreign = half_foreign(half, length, &word_length);
        if (foreign)
            fprintf(stderr, "'%.*s'\n", (int)word_length, foreign);
        FUZZ_PROMISE(!foreign, "no user byte is emitted");
    } else {
        FUZZ_PROMISE(strstr(text.refusal, "statements") || strstr(text.refusal, "shared memory"),
                     "only a limit refuses a text");
    }
    pipeline_text_free(&text);
}

/* Other names, same text: no name leaks, not even one that looks like ours. */
static void check_renaming(const struct unit *unit, size_t size)
{
    struct unit *other;
    size_t length;
    char *renamed = rename_cell(unit, &length);
    const enum pipeline_class result = pipeline_load_text(&other, "b.cell", renamed, length, NULL);
    free(renamed);
    if (result == PIPELINE_NOMEM)
        return;
    /* Longer names may take the text over its limits. */
    if (result == PIPELINE_LIMIT) {
        unit_free(other);
        return;
    }
    FUZZ_PROMISE(result == PIPELINE_OK, "renaming changes no verdict");
    const struct assemble_options options = options_of(unit, size);
    struct pipeline_text a, b;
    if (pipeline_assemble(&a, unit, &options) == PIPELINE_OK &&
        pipeline_assemble(&b, other, &options) == PIPELINE_OK) {
        FUZZ_PROMISE(!a.refusal == !b.refusal, "renaming changes no refusal");
        FUZZ_PROMISE(a.refusal || (a.assembled.length == b.assembled.length &&
                                   !memcmp(a.assembled.text, b.assembled.text, a.assembled.length)),
                     "renaming changes no emitted byte");
        pipeline_text_free(&b);
    }
    pipeline_text_free(&a);
    unit_free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pipeline_options options = PIPELINE_OPTIONS_INIT;
    struct unit *unit;
    options.verify = true;
    options.after = after;
    const enum pipeline_class result =
        pipeline_load_text(&unit, "a.cell", (const char *)data, size, &options);
    if (result == PIPELINE_NOMEM)
        return 0;
    if (result == PIPELINE_INTERNAL)
        fprintf(stderr, "%s\n", unit->internal);
    FUZZ_PROMISE(result != PIPELINE_INTERNAL, "no cell is an internal error");
    check_messages(unit);
    if (result == PIPELINE_OK) {
        (void)pipeline_guard(NULL, report, unit);
        check_text(unit, size);
        if (size % 3 == 0)
            check_renaming(unit, size);
    }
    unit_free(unit);
    return 0;
}
