#include "handles.h"

#include "messages.h"
#include "number.h"
#include "status.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void cell_retain(prnn_cell *cell)
{
    atomic_fetch_add(&cell->owners, 1);
}

void prnn_cell_free(prnn_cell *cell)
{
    if (!cell || atomic_fetch_sub(&cell->owners, 1) > 1)
        return;
    free(cell->output_expression);
    free(cell->input_is_shared);
    unit_free(cell->unit);
    free(cell);
}

/* Options as the pipeline takes them. Names of defines are copied, since they end at '='. */
struct settings {
    struct sema_define *defines;
    char *names;
    struct diag_settings warnings;
    struct pipeline_options options;
};

static void settings_free(struct settings *settings)
{
    free(settings->defines);
    free(settings->names);
}

static prnn_status read_define(struct sema_define *out, char **names, const char *text)
{
    const char *equals = text ? strchr(text, '=') : NULL;
    if (!equals || equals == text)
        return status_set(PRNN_E_INVALID, "define '%.80s' is not of the form name=value",
                          text ? text : "(null)");
    const size_t length = (size_t)(equals - text);
    if (number_parse(equals + 1, strlen(equals + 1), &out->value) != NUMBER_OK)
        return status_set(PRNN_E_INVALID, "define '%.80s' has no number behind '='", text);
    memcpy(*names, text, length);
    (*names)[length] = '\0';
    out->name = *names;
    *names += length + 1;
    return PRNN_OK;
}

static prnn_status settings_make(struct settings *out, const prnn_cell_options *options)
{
    prnn_status st = PRNN_OK;
    memset(out, 0, sizeof *out);
    out->options = PIPELINE_OPTIONS_INIT;
    if (!options)
        return PRNN_OK;
    if (options->struct_size != sizeof *options)
        return status_set(PRNN_E_INVALID, "'options' has struct_size %zu, needed is %zu",
                          options->struct_size, sizeof *options);
    if ((options->define_count && !options->defines) ||
        (options->warning_count && !options->warnings))
        return status_set(PRNN_E_INVALID, "'options' counts defines or warnings that are NULL");
    size_t room = 1;
    for (size_t i = 0; i < options->define_count; i++)
        room += options->defines[i] ? strlen(options->defines[i]) + 1 : 0;
    out->defines = calloc(options->define_count + 1, sizeof *out->defines);
    out->names = malloc(room);
    if (!out->defines || !out->names)
        st = status_set(PRNN_E_NOMEM, "no memory for the options of a cell");
    char *names = out->names;
    for (size_t i = 0; st == PRNN_OK && i < options->define_count; i++)
        st = read_define(&out->defines[i], &names, options->defines[i]);
    for (size_t i = 0; st == PRNN_OK && i < options->warning_count; i++)
        if (!options->warnings[i] || !diag_settings_apply(&out->warnings, options->warnings[i]))
            st = status_set(PRNN_E_INVALID, "'%.80s' names no warning",
                            options->warnings[i] ? options->warnings[i] : "(null)");
    if (st < 0) {
        settings_free(out);
        return st;
    }
    out->options.defines = out->defines;
    out->options.define_count = (uint32_t)options->define_count;
    out->options.warnings = &out->warnings;
    return PRNN_OK;
}

/* What plans ask again and again. */
static prnn_status find_tables(prnn_cell *cell)
{
    const struct ir *ir = cell->unit->ir;
    const size_t inputs = ir->inputs, params = ir->params, outputs = ir->outputs;
    cell->counts =
        (struct prnn_counts){ir->states, ir->inputs, ir->params, ir_expression_count(ir)};
    cell->input_is_shared = calloc(2 * inputs + 2 * params + 1, sizeof(bool));
    cell->output_expression = calloc(2 * outputs + 1, sizeof(int32_t));
    if (!cell->input_is_shared || !cell->output_expression)
        return status_set(PRNN_E_NOMEM, "no memory for cell '%s'", ir->name);
    cell->input_has_gradient = cell->input_is_shared + inputs;
    cell->param_is_shared = cell->input_has_gradient + inputs;
    cell->param_has_gradient = cell->param_is_shared + params;
    cell->output_state = cell->output_expression + outputs;
    for (uint32_t d = 0; d < ir->decl_count; d++) {
        const struct ir_decl *decl = &ir->decls[d];
        for (uint32_t i = decl->first; i < decl->first + decl->count; i++) {
            switch (decl->role) {
            case IR_ROLE_STATE:
                cell->initial[i] = decl->initial;
                break;
            case IR_ROLE_INPUT:
                cell->input_is_shared[i] = decl->is_shared;
                cell->input_has_gradient[i] = !decl->no_gradient;
                break;
            case IR_ROLE_PARAM:
                cell->param_is_shared[i] = decl->is_shared;
                cell->param_has_gradient[i] = !decl->no_gradient;
                break;
            case IR_ROLE_OUTPUT:
                break;
            }
        }
    }
    for (uint32_t k = 0; k < ir->outputs; k++) {
        uint32_t expression;
        cell->output_state[k] = emit_output_state(ir, k, &expression);
        cell->output_expression[k] = cell->output_state[k] < 0 ? (int32_t)expression : -1;
        if (cell->output_state[k] >= 0)
            cell->output_states |= 1u << cell->output_state[k];
    }
    return PRNN_OK;
}

static prnn_status status_of(const struct unit *unit, enum pipeline_class result, const char *name)
{
    const char *words =
        unit && unit->diag && unit->diag->messages ? unit->diag->messages->text : "";
    switch (result) {
    case PIPELINE_OK:
        return PRNN_OK;
    case PIPELINE_CELL:
        assert(unit && unit->diag);
        return status_set(PRNN_E_CELL, "cell '%s' has %u errors: %s", name, unit->diag->error_count,
                          words);
    case PIPELINE_IO:
        return status_set(PRNN_E_IO, "cell '%s': %s", name, words);
    case PIPELINE_LIMIT:
        return status_set(PRNN_E_LIMIT, "cell '%s': %s", name, words);
    case PIPELINE_NOMEM:
        return status_set(PRNN_E_NOMEM, "no memory to compile cell '%s'", name);
    case PIPELINE_INTERNAL:
        assert(unit);
        return status_set(PRNN_E_INTERNAL, "cell '%s': %s; please report it", name,
                          unit->internal ? unit->internal : "a stage failed");
    }
    return PRNN_E_INTERNAL;
}

static prnn_status load(prnn_cell **out, prnn_context *ctx, const char *name, const char *text,
                        size_t length, const prnn_cell_options *options)
{
    struct settings settings;
    struct unit *unit = NULL;
    prnn_status st = settings_make(&settings, options);
    if (st < 0)
        return st;
    const enum pipeline_class result =
        text ? pipeline_load_text(&unit, name, text, length, &settings.options)
             : pipeline_load_file(&unit, name, &settings.options);
    settings_free(&settings);
    /* Errors that nobody can read are no answer. */
    st = messages_keep(unit) || result == PIPELINE_NOMEM
             ? status_of(unit, result, name)
             : status_set(PRNN_E_NOMEM, "no memory for the messages of cell '%s'", name);
    if (st < 0) {
        unit_free(unit);
        return st;
    }
    prnn_cell *cell = calloc(1, sizeof *cell);
    if (!cell) {
        unit_free(unit);
        return status_set(PRNN_E_NOMEM, "no memory for cell '%s'", name);
    }
    atomic_init(&cell->owners, 1);
    cell->ctx = ctx;
    cell->unit = unit;
    if ((st = find_tables(cell)) < 0)
        prnn_cell_free(cell);
    else
        *out = cell;
    return st;
}

static prnn_status check_load(prnn_cell **out, const prnn_context *ctx)
{
    if (!out)
        return status_set(PRNN_E_INVALID, "'out' is NULL, needed is the place of a handle");
    *out = NULL;
    return ctx ? PRNN_OK : status_set(PRNN_E_INVALID, "'ctx' is NULL, needed is a context");
}

prnn_status prnn_cell_load(prnn_cell **out, prnn_context *ctx, const char *path,
                           const prnn_cell_options *options)
{
    if (check_load(out, ctx) < 0)
        return PRNN_E_INVALID;
    if (!path)
        return status_set(PRNN_E_INVALID, "'path' is NULL, needed is a .cell or .prnn file");
    return load(out, ctx, path, NULL, 0, options);
}

prnn_status prnn_cell_load_text(prnn_cell **out, prnn_context *ctx, const char *name,
                                const char *text, size_t length, const prnn_cell_options *options)
{
    if (check_load(out, ctx) < 0)
        return PRNN_E_INVALID;
    if (!text)
        return status_set(PRNN_E_INVALID, "'text' is NULL, needed is the text of a cell");
    return load(out, ctx, name ? name : "<text>", text, length, options);
}

/* Introspection. */

static enum ir_role role_of(prnn_role role)
{
    switch (role) {
    case PRNN_STATE:
        return IR_ROLE_STATE;
    case PRNN_INPUT:
        return IR_ROLE_INPUT;
    case PRNN_PARAM:
        return IR_ROLE_PARAM;
    case PRNN_OUTPUT:
        break;
    }
    return IR_ROLE_OUTPUT;
}

static void fill_value(const struct ir_decl *decl, prnn_value_info *out)
{
    static const prnn_role roles[] = {[IR_ROLE_STATE] = PRNN_STATE,
                                      [IR_ROLE_INPUT] = PRNN_INPUT,
                                      [IR_ROLE_PARAM] = PRNN_PARAM,
                                      [IR_ROLE_OUTPUT] = PRNN_OUTPUT};
    *out = (prnn_value_info){
        .struct_size = sizeof *out,
        .name = decl->name,
        .doc = decl->doc,
        .role = roles[decl->role],
        .rank = decl->rank,
        .rows = decl->rows,
        .cols = decl->cols,
        .count = decl->count,
        .is_shared = decl->is_shared,
        .has_gradient = !decl->no_gradient,
        .has_range = decl->has_range,
        .lo = decl->has_range ? decl->lo : -INFINITY,
        .hi = decl->has_range ? decl->hi : INFINITY,
        .initial = decl->role == IR_ROLE_STATE ? decl->initial : 0,
    };
}

static prnn_status check_info(const prnn_cell *cell, const void *out, size_t found, size_t needed)
{
    if (!cell)
        return status_set(PRNN_E_INVALID, "'cell' is NULL, needed is a cell");
    if (!out || found != needed)
        return status_set(PRNN_E_INVALID, "'out' has struct_size %zu, needed is %zu", found,
                          needed);
    return PRNN_OK;
}

prnn_status prnn_cell_describe(const prnn_cell *cell, prnn_cell_info *out)
{
    if (check_info(cell, out, out ? out->struct_size : 0, sizeof *out) < 0)
        return PRNN_E_INVALID;
    const struct unit *unit = cell->unit;
    const struct ir *ir = unit->ir;
    *out = (prnn_cell_info){.struct_size = sizeof *out, .name = ir->name, .doc = ir->doc};
    for (uint32_t d = 0; d < ir->decl_count; d++) {
        uint32_t *const count[] = {[IR_ROLE_STATE] = &out->states,
                                   [IR_ROLE_INPUT] = &out->inputs,
                                   [IR_ROLE_PARAM] = &out->params,
                                   [IR_ROLE_OUTPUT] = &out->outputs};
        ++*count[ir->decls[d].role];
    }
    out->state_scalars = ir->states;
    out->input_scalars = ir->inputs;
    out->param_scalars = ir->params;
    out->output_scalars = ir->outputs;
    out->block_count = unit->structure.block_count;
    for (uint32_t b = 0; b < unit->structure.block_count; b++)
        if (unit->structure.block[b].count > out->largest_block)
            out->largest_block = unit->structure.block[b].count;
    out->is_affine = unit->structure.is_affine;
    out->is_contraction = unit->ranges.is_contraction;
    out->jacobian_bound = unit->ranges.jacobian_bound;
    return PRNN_OK;
}

prnn_status prnn_cell_value(const prnn_cell *cell, prnn_role role, uint32_t index,
                            prnn_value_info *out)
{
    if (check_info(cell, out, out ? out->struct_size : 0, sizeof *out) < 0)
        return PRNN_E_INVALID;
    if ((int)role < PRNN_STATE || role > PRNN_OUTPUT)
        return status_set(PRNN_E_INVALID, "role is %d, needed is one of prnn_role", (int)role);
    const struct ir *ir = cell->unit->ir;
    uint32_t left = index;
    for (uint32_t d = 0; d < ir->decl_count; d++)
        if (ir->decls[d].role == role_of(role) && left-- == 0) {
            fill_value(&ir->decls[d], out);
            return PRNN_OK;
        }
    return status_set(PRNN_E_INVALID, "cell '%s' has no value %u of that role", ir->name, index);
}

prnn_status prnn_cell_find(const prnn_cell *cell, const char *name, prnn_value_info *out)
{
    if (check_info(cell, out, out ? out->struct_size : 0, sizeof *out) < 0)
        return PRNN_E_INVALID;
    if (!name)
        return status_set(PRNN_E_INVALID, "'name' is NULL, needed is a name of the cell");
    const struct ir *ir = cell->unit->ir;
    for (uint32_t d = 0; d < ir->decl_count; d++) /* states come first */
        if (!strcmp(ir->decls[d].name, name)) {
            fill_value(&ir->decls[d], out);
            return PRNN_OK;
        }
    return status_set(PRNN_E_INVALID, "cell '%s' has no state, input, parameter or output '%.80s'",
                      ir->name, name);
}
