#include "lower.h"

#include "clean.h"
#include "lower_internal.h"
#include "lower_order.h"

static const enum ir_init inits[] = {
    [SYMBOL_INIT_DEFAULT] = IR_INIT_DEFAULT, [SYMBOL_INIT_ZEROS] = IR_INIT_ZEROS,
    [SYMBOL_INIT_ONES] = IR_INIT_ONES,       [SYMBOL_INIT_CONSTANT] = IR_INIT_CONSTANT,
    [SYMBOL_INIT_NORMAL] = IR_INIT_NORMAL,   [SYMBOL_INIT_UNIFORM] = IR_INIT_UNIFORM,
};

static void add_decl(struct ir *ir, enum ir_role role, uint32_t *scalars, const char *name,
                     const char *doc, struct ast_shape shape, struct span span)
{
    struct ir_decl *decl = &ir->decls[ir->decl_count++];
    *decl = (struct ir_decl){
        .name = name,
        .doc = doc,
        .role = role,
        .rank = shape.rank,
        .rows = shape.rows,
        .cols = shape.cols,
        .first = *scalars,
        .count = ast_shape_count(shape),
        .span = span,
    };
    *scalars += decl->count;
}

/* Declare the symbols of a role; their elements are leaves of the IR. */
static ir_ref **declare(struct lowering *lw, enum ir_role role, enum ir_kind kind,
                        uint32_t *scalars, struct symbol *const *symbols, uint32_t count)
{
    ir_ref **elements = arena_array(lw->arena, count, sizeof *elements);
    for (uint32_t i = 0; i < count; i++) {
        const struct symbol *symbol = symbols[i];
        const char *doc = symbol->decl ? symbol->decl->doc : NULL;
        add_decl(lw->ir, role, scalars, symbol->name, doc, symbol->shape, symbol->span);
        struct ir_decl *decl = &lw->ir->decls[lw->ir->decl_count - 1];
        decl->is_shared = symbol->is_shared;
        decl->no_gradient = symbol->no_gradient;
        decl->has_range = symbol->has_range;
        decl->lo = symbol->lo;
        decl->hi = symbol->hi;
        decl->init = inits[symbol->init];
        decl->init_a = symbol->init_a;
        decl->init_b = symbol->init_b;
        decl->initial = role == IR_ROLE_STATE ? symbol->value : 0;

        elements[i] = arena_array(lw->arena, decl->count, sizeof *elements[i]);
        for (uint32_t k = 0; k < decl->count; k++)
            elements[i][k] = IR_REF(kind, decl->first + k);
    }
    return elements;
}

/* The value of a statement, a scalar repeated for every element of 'shape'. */
static ir_ref *lower_value(struct lowering *lw, const struct ast_expr *value,
                           struct ast_shape shape)
{
    const ir_ref *elements = lower_expr(lw, value);
    const uint32_t count = ast_shape_count(shape);
    ir_ref *out = arena_array(lw->arena, count, sizeof *out);
    for (uint32_t i = 0; i < count; i++)
        out[i] = elements[value->shape.rank == 0 ? 0 : i];
    return out;
}

static void add_outs(struct ir *ir, enum ir_out_kind kind, uint32_t first, const ir_ref *values,
                     uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        ir_add_out(ir, kind, first + i, 0, values[i]);
}

static void lower_statement(struct lowering *lw, const struct ast_decl *decl)
{
    const struct symbol *symbol = decl->symbol;
    switch (decl->kind) {
    case AST_DEFINE:
        lw->definitions[symbol->index] = lower_value(lw, decl->value, symbol->shape);
        break;
    case AST_UPDATE:
        lw->nexts[symbol->index] = lower_value(lw, decl->value, symbol->shape);
        add_outs(lw->ir, IR_OUT_NEXT, ir_index(lw->states[symbol->index][0]),
                 lw->nexts[symbol->index], ast_shape_count(symbol->shape));
        break;
    case AST_GUESS:
        add_outs(lw->ir, IR_OUT_GUESS, ir_index(lw->states[symbol->index][0]),
                 lower_value(lw, decl->value, symbol->shape), ast_shape_count(symbol->shape));
        break;
    case AST_OUTPUT:
        if (!decl->is_reference)
            lw->outputs[symbol->index] = lower_value(lw, decl->value, symbol->shape);
        break;
    default: /* declarations */
        break;
    }
}

static void lower_outputs(struct lowering *lw, const struct sema *sema)
{
    for (uint32_t i = 0; i < sema->output_count; i++) {
        const struct sema_output *output = &sema->outputs[i];
        const struct ast_shape shape = output->value->shape;
        const uint32_t first = lw->ir->outputs;
        add_decl(lw->ir, IR_ROLE_OUTPUT, &lw->ir->outputs, output->name, output->doc, shape,
                 output->span);
        const ir_ref *values = output->symbol->kind == SYMBOL_OUTPUT
                                   ? lw->outputs[output->symbol->index]
                                   : lower_expr(lw, output->value);
        add_outs(lw->ir, IR_OUT_OUTPUT, first, values, ast_shape_count(shape));
    }
}

struct ir *lower(struct arena *arena, struct diag *diag, const struct sema *sema)
{
    const uint32_t names = sema->values.count;
    struct ir *ir = ir_create(arena);
    struct lowering lw = {
        .arena = arena,
        .diag = diag,
        .ir = ir,
        .nexts = arena_array(arena, sema->state_count, sizeof *lw.nexts),
        .definitions = arena_array(arena, names, sizeof *lw.definitions),
        .outputs = arena_array(arena, names, sizeof *lw.outputs),
    };
    ir->is_as_written = true;
    ir->name = sema->ast->name;
    ir->doc = sema->ast->doc;
    ir->decls = arena_array(arena, (size_t)names + sema->output_count, sizeof *ir->decls);
    lw.states = declare(&lw, IR_ROLE_STATE, IR_STATE, &ir->states, sema->states, sema->state_count);
    lw.inputs = declare(&lw, IR_ROLE_INPUT, IR_INPUT, &ir->inputs, sema->inputs, sema->input_count);
    lw.params = declare(&lw, IR_ROLE_PARAM, IR_PARAM, &ir->params, sema->params, sema->param_count);

    uint32_t count;
    struct ast_decl **const order = lower_order(arena, sema, &count);
    for (uint32_t i = 0; i < count && !ir->is_full; i++)
        lower_statement(&lw, order[i]);
    if (!ir->is_full)
        lower_outputs(&lw, sema);
    if (ir->is_full)
        return NULL;
    ir->span = (struct span){0, 0};
    ir_number(ir);
    return ir;
}
