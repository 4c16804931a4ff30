/* pararnnc compile: what is made from a cell, as files. */
#include "command.h"

#include "bundle.h"
#include "embed.h"
#include "ir_text.h"

#include <string.h>

enum { OPTION_OUT = 1, OPTION_EMIT, OPTION_DTYPE, OPTION_MATH, OPTION_KERNEL };

static const struct option options[] = {
    {OPTION_OUT, 'o', "output", "OUT", NULL, false,
     "the file to write ('-' is standard output); with several kinds the beginning of their names"},
    {OPTION_EMIT, 0, "emit", "KIND[,KIND...]", NULL, false,
     "what to write: c, header, bundle, cuda, ir, ast, latex, dot; by default what the ending of "
     "OUT says (.c .h .prnn .cu .ir .ast .tex .dot)"},
    {OPTION_DTYPE, 0, "dtype", "TYPE", "f32|f64|bf16|f16", false,
     "element type of sequence tensors in c, header, bundle and cuda; default f32"},
    {OPTION_MATH, 0, "math", "MODE", "accurate|fast|strict", false,
     "elementary functions in c, bundle and cuda; default accurate"},
    {OPTION_KERNEL, 0, "kernel", "NAME", "forward|backward|decode", false,
     "which kernel cuda is; default forward"},
    COMMAND_CELL_OPTIONS,
    {0, 0, NULL, NULL, NULL, false, NULL},
};

enum kind {
    KIND_C,
    KIND_HEADER,
    KIND_BUNDLE,
    KIND_CUDA,
    KIND_IR,
    KIND_AST,
    KIND_LATEX,
    KIND_DOT,
    KIND_COUNT
};

static const struct {
    const char *name, *ending;
} kinds[KIND_COUNT] = {
    {"c", ".c"},   {"header", ".h"}, {"bundle", ".prnn"}, {"cuda", ".cu"},
    {"ir", ".ir"}, {"ast", ".ast"},  {"latex", ".tex"},   {"dot", ".dot"},
};

struct job {
    struct invocation *inv;
    struct unit *unit;
    const char *out;
    enum assemble_storage storage;
    enum assemble_mode mode;
    enum assemble_kernel kernel;
    bool is_wanted[KIND_COUNT];
    uint32_t wanted_count;
    struct textbuf text[KIND_COUNT];
};

static int choose_kinds(struct job *job)
{
    const char *list = arguments_value(&job->inv->arguments, OPTION_EMIT, NULL);
    if (!list) {
        const char *ending = strrchr(job->out, '.');
        for (int kind = 0; ending && kind < KIND_COUNT; kind++)
            if (!strcmp(ending, kinds[kind].ending))
                job->is_wanted[kind] = true;
        for (int kind = 0; kind < KIND_COUNT; kind++)
            job->wanted_count += job->is_wanted[kind];
        if (!job->wanted_count)
            return command_usage(job->inv, "the ending of '%s' says nothing, '--emit' is missing",
                                 job->out);
        return EXIT_CODE_OK;
    }
    while (*list) {
        const size_t length = strcspn(list, ",");
        bool is_known = false;
        for (int kind = 0; kind < KIND_COUNT; kind++) {
            if (strlen(kinds[kind].name) != length || memcmp(kinds[kind].name, list, length) != 0)
                continue;
            job->wanted_count += !job->is_wanted[kind];
            is_known = job->is_wanted[kind] = true;
        }
        if (!is_known)
            return command_usage(job->inv, "'%.*s' is nothing that can be emitted", (int)length,
                                 list);
        list += length + (list[length] == ',');
    }
    if (!job->wanted_count)
        return command_usage(job->inv, "'--emit' names nothing");
    if (job->wanted_count > 1 && !strcmp(job->out, "-"))
        return command_usage(job->inv, "standard output takes one kind only");
    return EXIT_CODE_OK;
}

/* A text of the assembler, or the exit code of a refusal. */
static int assemble_text(struct job *job, struct pipeline_text *text,
                         const struct assemble_options *assemble_options)
{
    if (pipeline_assemble(text, job->unit, assemble_options) != PIPELINE_OK) {
        output_complain("memory has ended");
        return EXIT_CODE_LIMIT;
    }
    if (!text->refusal)
        return EXIT_CODE_OK;
    output_complain("'%s': %s", job->inv->arguments.operands[0], text->refusal);
    pipeline_text_free(text);
    return EXIT_CODE_LIMIT;
}

/* The widest tile that fits the shared memory of a thread block. */
static int assemble_cuda(struct job *job, struct pipeline_text *text)
{
    struct assemble_options o = {
        .kernel = job->kernel,
        .target = ASSEMBLE_CUDA,
        .storage = job->storage,
        .mode = job->mode,
        .state_written = (uint32_t)(((uint64_t)1 << job->unit->ir->states) - 1),
        .state_gradient = (uint32_t)(((uint64_t)1 << job->unit->ir->states) - 1),
        .strategy =
            {.lanes = 32, .vc = 1, .tile_chunks = 8, .chunk = 16, .stages = 2, .cluster = 1},
    };
    struct strategy *s = &o.strategy;
    while (s->chunk > 1 && assemble_shared_bytes(job->unit->ir, &o) > 227 * 1024)
        *(s->tile_chunks > 1 ? &s->tile_chunks : &s->chunk) /= 2;
    return assemble_text(job, text, &o);
}

static int make_c(struct job *job, struct textbuf *out)
{
    const struct assemble_options o = embed_options(job->unit, job->storage, job->mode);
    struct pipeline_text text;
    const int code = assemble_text(job, &text, &o);
    if (code)
        return code;
    embed_source(out, job->unit, job->storage, text.assembled.text, text.assembled.length);
    pipeline_text_free(&text);
    return EXIT_CODE_OK;
}

static int make_cuda(struct job *job, struct textbuf *out)
{
    struct pipeline_text text;
    const int code = assemble_cuda(job, &text);
    if (code)
        return code;
    textbuf_add_n(out, text.assembled.text, text.assembled.length);
    pipeline_text_free(&text);
    return EXIT_CODE_OK;
}

static int make_bundle(struct job *job, struct textbuf *out)
{
    struct arena *arena = job->inv->arena;
    struct textbuf cell, defines, ir;
    textbuf_init(&cell, arena);
    ast_print(job->unit->ast, &cell);
    textbuf_init(&defines, arena);
    for (uint32_t i = 0; i < job->unit->define_count; i++) {
        textbuf_printf(&defines, "%s=", job->unit->defines[i].name);
        textbuf_add_number(&defines, job->unit->defines[i].value);
        textbuf_add(&defines, "\n");
    }
    textbuf_init(&ir, arena);
    ir_print(&ir, job->unit->ir);
    const struct assemble_options o = embed_options(job->unit, job->storage, job->mode);
    struct pipeline_text text;
    const int code = assemble_text(job, &text, &o);
    if (code)
        return code;
    const struct bundle_part parts[] = {
        {BUNDLE_CELL, job->unit->ir->name, cell.text, cell.length},
        {BUNDLE_DEFINES, "", defines.text, defines.length},
        {BUNDLE_IR, "", ir.text, ir.length},
        {BUNDLE_TEXT,
         arena_printf(arena, "cpu %s %s",
                      arguments_value(&job->inv->arguments, OPTION_DTYPE, "f32"),
                      arguments_value(&job->inv->arguments, OPTION_MATH, "accurate")),
         text.assembled.text, text.assembled.length},
    };
    bundle_write(out, parts, sizeof parts / sizeof *parts);
    pipeline_text_free(&text);
    return EXIT_CODE_OK;
}

static int make(struct job *job, enum kind kind)
{
    struct textbuf *out = &job->text[kind];
    const struct report_subject subject = command_report_subject(job->unit);
    textbuf_init(out, job->inv->arena);
    switch (kind) {
    case KIND_C:
        return make_c(job, out);
    case KIND_HEADER:
        embed_header(out, job->unit, job->storage);
        break;
    case KIND_BUNDLE:
        return make_bundle(job, out);
    case KIND_CUDA:
        return make_cuda(job, out);
    case KIND_IR:
        ir_print(out, job->unit->ir);
        break;
    case KIND_AST:
        ast_dump(job->unit->ast, out);
        break;
    case KIND_LATEX:
        report_latex(out, &subject);
        break;
    case KIND_DOT:
        report_dot(out, &subject);
        break;
    case KIND_COUNT:
        break;
    }
    return EXIT_CODE_OK;
}

static int write_all(struct job *job)
{
    const size_t length = strlen(job->out);
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        if (!job->is_wanted[kind])
            continue;
        const char *ending = kinds[kind].ending;
        const bool has_ending =
            length > strlen(ending) && !strcmp(job->out + length - strlen(ending), ending);
        const char *path = job->out;
        if (job->wanted_count > 1 && !has_ending)
            path = arena_printf(job->inv->arena, "%s%s", job->out, ending);
        if (!output_file(path, job->text[kind].text, job->text[kind].length))
            return EXIT_CODE_IO;
    }
    return EXIT_CODE_OK;
}

static int choice(struct invocation *inv, int id, const char *const *names, int missing)
{
    const char *value = arguments_value(&inv->arguments, id, NULL);
    for (int i = 0; value && names[i]; i++)
        if (!strcmp(value, names[i]))
            return i;
    return missing;
}

static int run(struct invocation *inv)
{
    struct pipeline_options load_options = PIPELINE_OPTIONS_INIT;
    struct job job = {.inv = inv, .out = arguments_value(&inv->arguments, OPTION_OUT, NULL)};
    int code = command_cell_options(inv, &load_options);
    if (code)
        return code;
    if (!job.out)
        return command_usage(inv, "'-o OUT' is missing");
    if ((code = choose_kinds(&job)) != 0)
        return code;
    job.storage = (enum assemble_storage)choice(
        inv, OPTION_DTYPE, (const char *const[]){"f32", "f64", "bf16", "f16", NULL}, ASSEMBLE_F32);
    job.mode = (enum assemble_mode)choice(inv, OPTION_MATH,
                                          (const char *const[]){"accurate", "fast", "strict", NULL},
                                          ASSEMBLE_ACCURATE);
    job.kernel = (enum assemble_kernel)(
        ASSEMBLE_FORWARD + choice(inv, OPTION_KERNEL,
                                  (const char *const[]){"forward", "backward", "decode", NULL}, 0));
    if ((code = command_load(inv, &job.unit, inv->arguments.operands[0], &load_options)) != 0)
        return code;
    /* Everything is made before anything is written. */
    for (int kind = 0; kind < KIND_COUNT && !code; kind++)
        if (job.is_wanted[kind])
            code = make(&job, (enum kind)kind);
    if (!code)
        code = write_all(&job);
    unit_free(job.unit);
    return code;
}

const struct command command_compile = {
    .name = "compile",
    .operands = "FILE",
    .fewest = 1,
    .most = 1,
    .summary = "write code and other forms of a cell",
    .text = "Write what is made from a cell: a self-contained C file with its header, a bundle "
            "that holds the cell with its texts, the text of a CUDA kernel, the IR, the syntax "
            "tree, equations for LaTeX, a Graphviz picture. Files are written whole or not at all, "
            "and not at all if the cell is wrong.\n\n"
            "With several kinds, OUT is the beginning of their names: each gets its own ending.",
    .options = options,
    .examples = "pararnnc compile cells/paragru.cell -o paragru.c\n"
                "pararnnc compile cells/paragru.cell -o build/paragru --emit=c,header\n"
                "pararnnc compile cells/paragru.cell -o paragru.prnn",
    .run = run,
};
