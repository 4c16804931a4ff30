#include "pipeline.h"

#include "bundle.h"
#include "clean.h"
#include "diff.h"
#include "ir_text.h"
#include "lower.h"
#include "number.h"
#include "parse.h"
#include "typecheck.h"
#include "warnings.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A bundle holds texts and machine code of many plans; more than this is no bundle of ours. */
enum { BUNDLE_BYTES = 64 << 20 };

static const char *const stage_names[PIPELINE_STAGE_COUNT] = {
    [PIPELINE_SOURCE] = "source",       [PIPELINE_TOKENS] = "tokens",
    [PIPELINE_PARSE] = "parse",         [PIPELINE_RESOLVE] = "resolve",
    [PIPELINE_TYPECHECK] = "typecheck", [PIPELINE_LOWER] = "lower",
    [PIPELINE_STRUCTURE] = "structure", [PIPELINE_JACOBIAN] = "jacobian",
    [PIPELINE_ADJOINT] = "adjoint",     [PIPELINE_RANGE] = "range",
    [PIPELINE_SCHEDULE] = "schedule",
};

const char *pipeline_stage_name(enum pipeline_stage stage)
{
    return stage_names[stage];
}

/* Where the text of a unit comes from: a path to load, or memory. */
struct origin {
    const char *name;
    bool is_file;
    const char *text; /* not of a file */
    size_t length;
    const char *fault; /* NULL, or why the file that should be in memory could not be read */
};

/* The stage is done: let the caller see it, and say whether to go on. */
static bool stage_done(struct unit *unit, enum pipeline_stage stage,
                       const struct pipeline_options *options)
{
    unit->reached = stage;
    if (options->after)
        options->after(options->context, unit, stage);
    return unit->diag->error_count == 0 && stage < options->last;
}

/* False when a pass broke the IR. */
static bool ir_is_sound(struct unit *unit, enum pipeline_stage stage, bool is_clean,
                        const struct pipeline_options *options)
{
#ifdef NDEBUG
    if (!options->verify)
        return true;
#else
    (void)options;
#endif
    const char *fault = ir_verify(unit->ir, is_clean, unit->arena);
    if (fault)
        unit->internal =
            arena_printf(unit->arena, "stage '%s': %s", pipeline_stage_name(stage), fault);
    return !fault;
}

/* Refusal of too many states. A large block is the better news, since it names what to change. */
static void refuse_states(struct unit *unit)
{
    struct ir *ir = unit->ir;
    uint32_t member = 0;
    const uint32_t largest = structure_largest_component(ir, &member, unit->arena);
    if (largest <= LIMIT_STATES) {
        diag_add(unit->diag, DIAG_ID_TOO_MANY_STATES, unit->ast->name_span,
                 arena_printf(unit->arena, "%u", ir->states),
                 arena_printf(unit->arena, "%d", LIMIT_STATES));
        return;
    }
    uint32_t element;
    const struct ir_decl *decl = ir_decl_of(ir, IR_ROLE_STATE, member, &element);
    const struct symbol *state = scope_find(&unit->sema->values, decl->name);
    const struct span update = state->update->statement->span;
    struct diag_message *message = diag_add(unit->diag, DIAG_ID_BLOCK_TOO_LARGE, update, decl->name,
                                            arena_printf(unit->arena, "%u", largest),
                                            arena_printf(unit->arena, "%d", LIMIT_STATES));

    /* The states of a long cycle tell no more than its first ones. */
    enum { SHOWN = 6 };
    uint32_t *path = arena_array(unit->arena, ir->states + 1, sizeof *path);
    const uint32_t length = structure_cycle(ir, member, path, ir->states + 1, unit->arena);
    if (length < 2)
        return;
    struct textbuf words;
    textbuf_init(&words, unit->arena);
    textbuf_add(&words, ir_scalar_name(ir, IR_ROLE_STATE, path[0], unit->arena));
    for (uint32_t i = 1; i < length; i++) {
        if (i == SHOWN && length > SHOWN + 1) {
            textbuf_add(&words, " -> ...");
            i = length - 1;
        }
        const char *name = ir_scalar_name(ir, IR_ROLE_STATE, path[i], unit->arena);
        const int base = (int)strcspn(name, "[");
        textbuf_printf(&words, " -> %.*s'%s", base, name, name + base);
        if (i + 1 < length)
            textbuf_printf(&words, " -> %s", name);
    }
    diag_note(unit->diag, message, state->update->value->span, "%s, through this expression",
              words.text);
}

/* Stages behind the front end. */
static void compile_ir(struct unit *unit, const struct pipeline_options *options)
{
    unit->ir = lower(unit->arena, unit->diag, unit->sema);
    if (!unit->ir || !ir_is_sound(unit, PIPELINE_LOWER, false, options) ||
        !stage_done(unit, PIPELINE_LOWER, options))
        return;
    struct ir *ir = unit->ir;
    if (ir->states > LIMIT_STATES) {
        refuse_states(unit);
        return;
    }
    structure_find(&unit->structure, ir, unit->arena);
    if (!stage_done(unit, PIPELINE_STRUCTURE, options))
        return;

    /* The step gets its fused operations before derivatives are built on it, and theirs are made
     * behind it alone: every function that contains the step computes the same bits. */
    const uint32_t step_count = ir_contract(ir, 0);
    if (!ir_is_sound(unit, PIPELINE_STRUCTURE, false, options))
        return;
    jacobian_build(ir, &unit->structure);
    if (!ir_is_sound(unit, PIPELINE_JACOBIAN, false, options) ||
        !stage_done(unit, PIPELINE_JACOBIAN, options))
        return;
    adjoint_build(ir, &unit->structure);
    if (ir->is_full) {
        diag_add(unit->diag, DIAG_ID_TOO_MANY_OPERATIONS, unit->ast->name_span,
                 arena_printf(unit->arena, "%d", LIMIT_OPERATIONS));
        return;
    }
    if (!ir_is_sound(unit, PIPELINE_ADJOINT, false, options) ||
        !stage_done(unit, PIPELINE_ADJOINT, options))
        return;

    range_find(&unit->ranges, ir, &unit->structure, unit->arena);
    warn_ranges(unit);
    if (!stage_done(unit, PIPELINE_RANGE, options))
        return;
    unit->ranges.value = NULL; /* indexed by instructions that move from here on */

    ir_contract(ir, step_count);
    if (!ir_is_sound(unit, PIPELINE_SCHEDULE, false, options))
        return;
    ir_remove_dead(ir);
    if (!ir_is_sound(unit, PIPELINE_SCHEDULE, true, options))
        return;
    ir_schedule(ir);
    if (!ir_is_sound(unit, PIPELINE_SCHEDULE, true, options))
        return;
    cost_forward(&unit->forward, ir, &unit->structure);
    cost_backward(&unit->backward, ir);
    stage_done(unit, PIPELINE_SCHEDULE, options);
}

static void compile(struct unit *unit, const struct pipeline_options *options)
{
    if (!stage_done(unit, PIPELINE_SOURCE, options) || !stage_done(unit, PIPELINE_TOKENS, options))
        return;
    unit->ast = parse(unit->arena, unit->diag, unit->source);
    if (!unit->ast || !stage_done(unit, PIPELINE_PARSE, options))
        return;
    unit->sema = resolve(unit->arena, unit->diag, unit->ast, unit->defines, unit->define_count);
    if (!unit->sema || !stage_done(unit, PIPELINE_RESOLVE, options))
        return;
    if (!typecheck(unit->arena, unit->diag, unit->sema) ||
        !stage_done(unit, PIPELINE_TYPECHECK, options))
        return;
    compile_ir(unit, options);
}

/* Append name=value lines of a bundle to the defines; the caller's own come first and win. */
static void read_defines(struct unit *unit, const struct bundle_part *part)
{
    uint32_t lines = 0;
    for (size_t i = 0; i < part->length; i++)
        lines += part->bytes[i] == '\n';
    struct sema_define *defines = arena_grow(unit->arena, unit->defines, unit->define_count,
                                             unit->define_count + lines, sizeof *defines);
    uint32_t count = unit->define_count;
    for (const char *line = part->bytes, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        const char *equals = memchr(line, '=', (size_t)(end - line));
        double value;
        if (!equals || number_parse(equals + 1, (size_t)(end - equals - 1), &value) != NUMBER_OK)
            continue;
        const char *name = arena_strndup(unit->arena, line, (size_t)(equals - line));
        bool is_given = false;
        for (uint32_t i = 0; i < unit->define_count; i++)
            is_given |= !strcmp(unit->defines[i].name, name);
        if (!is_given)
            defines[count++] = (struct sema_define){name, value};
    }
    unit->defines = defines;
    unit->define_count = count;
}

static void load_source(struct unit *unit, const struct origin *origin)
{
    if (origin->is_file) {
        unit->source = source_load(unit->arena, unit->diag, origin->name);
        return;
    }
    if (origin->fault) {
        diag_add_bare(unit->diag, DIAG_ID_UNREADABLE, origin->fault);
        return;
    }
    const char *text = origin->text;
    size_t length = origin->length;
    if (bundle_is(text, length)) {
        struct bundle bundle;
        const char *fault = bundle_read(&bundle, text, length, unit->arena);
        if (fault) {
            diag_add_bare(unit->diag, DIAG_ID_UNREADABLE, fault);
            return;
        }
        const struct bundle_part *defines = bundle_find(&bundle, BUNDLE_DEFINES);
        if (defines)
            read_defines(unit, defines);
        text = bundle.parts[0].bytes;
        length = bundle.parts[0].length;
    }
    unit->source = source_from_memory(unit->arena, unit->diag, origin->name, text, length);
}

static void run(struct unit *unit, const struct origin *origin,
                const struct pipeline_options *options)
{
    unit->messages = "";
    unit->diag = diag_create(unit->arena, options->warnings);
    unit->diag->name = arena_strdup(unit->arena, origin->name);
    struct sema_define *defines = arena_array(unit->arena, options->define_count, sizeof *defines);
    for (uint32_t i = 0; i < options->define_count; i++)
        defines[i] = (struct sema_define){arena_strdup(unit->arena, options->defines[i].name),
                                          options->defines[i].value};
    unit->defines = defines;
    unit->define_count = options->define_count;

    load_source(unit, origin);
    if (unit->source)
        compile(unit, options);

    if (unit->diag->messages) {
        struct textbuf text;
        textbuf_init(&text, unit->arena);
        diag_print(unit->diag, &text, DIAG_PLAIN);
        unit->messages = text.text;
    }
    static const enum pipeline_class class_of[] = {
        [DIAG_CELL] = PIPELINE_CELL, [DIAG_IO] = PIPELINE_IO, [DIAG_LIMIT] = PIPELINE_LIMIT};
    if (unit->internal)
        unit->result = PIPELINE_INTERNAL;
    else if (unit->diag->error_count > 0)
        unit->result = class_of[diag_worst(unit->diag)];
    else if (unit->reached < options->last) {
        unit->result = PIPELINE_INTERNAL;
        unit->internal = "a stage ended without a result and without a message";
    } else
        unit->result = PIPELINE_OK;
}

/* run() with a place to jump to; a function of its own, so that no variable of the caller is lost
 * in the jump. */
static bool run_guarded(struct unit *unit, const struct origin *origin,
                        const struct pipeline_options *options)
{
    jmp_buf escape;
    if (setjmp(escape))
        return false;
    arena_set_escape(unit->arena, &escape);
    run(unit, origin, options);
    arena_set_escape(unit->arena, NULL);
    return true;
}

static enum pipeline_class load(struct unit **out, const struct origin *origin,
                                const struct pipeline_options *options)
{
    static const struct pipeline_options defaults = {.last = PIPELINE_SCHEDULE};
    *out = NULL;
    struct unit *unit = calloc(1, sizeof *unit);
    if (!unit)
        return PIPELINE_NOMEM;
    unit->arena = arena_create(NULL);
    if (!unit->arena || !run_guarded(unit, origin, options ? options : &defaults)) {
        unit_free(unit);
        return PIPELINE_NOMEM;
    }
    *out = unit;
    return unit->result;
}

enum pipeline_class pipeline_load_text(struct unit **out, const char *name, const char *text,
                                       size_t length, const struct pipeline_options *options)
{
    return load(out, &(struct origin){name, false, text, length, NULL}, options);
}

/* All bytes of a file, at most BUNDLE_BYTES, in one block to be freed; NULL with *error set. */
static char *read_bytes(const char *path, size_t *length, int *error)
{
    FILE *file;
    do {
        errno = 0;
        file = fopen(path, "rb");
    } while (!file && errno == EINTR);
    *error = errno;
    if (!file)
        return NULL;
    size_t room = 1 << 16, used = 0;
    char *bytes = malloc(room);
    *error = bytes ? 0 : ENOMEM;
    while (!*error) {
        errno = 0;
        used += fread(bytes + used, 1, room - used, file);
        if (used < room && ferror(file) && errno == EINTR) {
            clearerr(file);
            continue;
        }
        if (ferror(file))
            *error = errno ? errno : EIO;
        if (used < room)
            break;
        char *larger = room < BUNDLE_BYTES ? realloc(bytes, room * 2) : NULL;
        if (larger) {
            bytes = larger;
            room *= 2;
        } else
            *error = room < BUNDLE_BYTES ? ENOMEM : EFBIG;
    }
    fclose(file);
    if (*error) {
        free(bytes);
        return NULL;
    }
    *length = used;
    return bytes;
}

enum pipeline_class pipeline_load_file(struct unit **out, const char *path,
                                       const struct pipeline_options *options)
{
    const struct origin file = {path, true, NULL, 0, NULL};
    const size_t name_length = strlen(path);
    if (name_length < 5 || strcmp(path + name_length - 5, ".prnn") != 0)
        return load(out, &file, options);
    size_t length = 0;
    int error;
    char *bytes = read_bytes(path, &length, &error);
    if (error == ENOMEM) {
        *out = NULL;
        return PIPELINE_NOMEM;
    }
    if (error == EFBIG) /* the loader of sources has the words for that */
        return load(out, &file, options);
    /* Not read again: what failed once may work the second time, as the text of a cell then. */
    const enum pipeline_class result = load(
        out, &(struct origin){path, false, bytes, length, error ? strerror(error) : NULL}, options);
    free(bytes);
    return result;
}

void unit_free(struct unit *unit)
{
    if (!unit)
        return;
    arena_destroy(unit->arena);
    free(unit);
}

/* Dumps. */

static void dump_structure(const struct unit *unit, struct textbuf *out)
{
    const struct structure *s = &unit->structure;
    for (uint32_t b = 0; b < s->block_count; b++) {
        const struct structure_block *block = &s->block[b];
        textbuf_printf(out, "block %u:", b);
        for (uint32_t i = 0; i < block->count; i++)
            textbuf_printf(out, " %s",
                           ir_scalar_name(unit->ir, IR_ROLE_STATE, block->state[i], unit->arena));
        textbuf_printf(out, "%s%s\n", block->is_affine ? " affine" : "",
                       block->is_readout ? " readout" : "");
    }
    for (uint32_t i = 0; i < s->states; i++) {
        textbuf_printf(out, "row %s: ", ir_scalar_name(unit->ir, IR_ROLE_STATE, i, unit->arena));
        for (uint32_t j = 0; j < s->states; j++)
            textbuf_add(out, s->nonlinear[i] >> j & 1 ? "n"
                             : s->depends[i] >> j & 1 ? "a"
                             : s->closed[i] >> j & 1  ? "+"
                                                      : ".");
        textbuf_add(out, "\n");
    }
}

static void add_range(struct textbuf *out, const struct range *range)
{
    textbuf_add(out, "[");
    textbuf_add_number(out, range->lo);
    textbuf_add(out, ", ");
    textbuf_add_number(out, range->hi);
    textbuf_add(out, range->may_be_nan ? "] or nan\n" : "]\n");
}

static void dump_ranges(const struct unit *unit, struct textbuf *out)
{
    for (uint32_t i = 0; i < unit->ir->states; i++) {
        textbuf_printf(out, "h%u in ", i);
        add_range(out, &unit->ranges.state[i]);
    }
    for (uint32_t i = 0; i < unit->ir->insn_count; i++) {
        textbuf_printf(out, "%%%u in ", i);
        add_range(out, &unit->ranges.value[i]);
    }
    textbuf_add(out, "jacobian ");
    textbuf_add_number(out, unit->ranges.jacobian_bound);
    textbuf_add(out, unit->ranges.is_contraction ? " contraction\n" : "\n");
}

void pipeline_dump(struct unit *unit, enum pipeline_stage stage, struct textbuf *out)
{
    switch (stage) {
    case PIPELINE_SOURCE:
        textbuf_add_n(out, unit->source->text, unit->source->length);
        break;
    case PIPELINE_TOKENS:
        parse_dump_tokens(unit->arena, unit->diag, unit->source, out);
        break;
    case PIPELINE_PARSE:
    case PIPELINE_RESOLVE:
    case PIPELINE_TYPECHECK:
        ast_dump(unit->ast, out);
        break;
    case PIPELINE_STRUCTURE:
        dump_structure(unit, out);
        break;
    case PIPELINE_RANGE:
        dump_ranges(unit, out);
        break;
    default:
        ir_print(out, unit->ir);
        break;
    }
}

/* Guarded work on finished units. */

enum pipeline_class pipeline_guard(struct arena **keep, void (*work)(struct arena *, void *),
                                   void *context)
{
    if (keep)
        *keep = NULL;
    jmp_buf escape;
    struct arena *const arena = arena_create(&escape);
    if (!arena)
        return PIPELINE_NOMEM;
    if (setjmp(escape)) {
        arena_destroy(arena);
        return PIPELINE_NOMEM;
    }
    work(arena, context);
    arena_set_escape(arena, NULL);
    if (keep)
        *keep = arena;
    else
        arena_destroy(arena);
    return PIPELINE_OK;
}

struct assembly {
    struct pipeline_text *out;
    const struct unit *unit;
    const struct assemble_options *options;
};

static void assemble_text(struct arena *arena, void *context)
{
    const struct assembly *job = context;
    const struct unit *unit = job->unit;
    job->out->refusal = assemble(&job->out->assembled, unit ? unit->ir : NULL,
                                 unit ? &unit->structure : NULL, job->options, arena);
}

enum pipeline_class pipeline_assemble(struct pipeline_text *out, const struct unit *unit,
                                      const struct assemble_options *options)
{
    *out = (struct pipeline_text){0};
    struct assembly job = {out, unit, options};
    const enum pipeline_class result = pipeline_guard(&out->arena, assemble_text, &job);
    if (result != PIPELINE_OK)
        *out = (struct pipeline_text){0};
    return result;
}

void pipeline_text_free(struct pipeline_text *text)
{
    arena_destroy(text->arena);
    *text = (struct pipeline_text){0};
}
