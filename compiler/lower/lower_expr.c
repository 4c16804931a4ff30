#include "lower_internal.h"

#include "limits.h"

#include <assert.h>
#include <math.h>

/* No function of the language takes more; a 'fn' may, and has an array of its own. */
enum { ARGUMENTS = 3 };

static bool is_nan(const struct lowering *lw, ir_ref ref)
{
    return ir_kind(ref) == IR_CONSTANT && isnan(ir_constant_value(lw->ir, ref));
}

/* Once a place: vectors and inlined copies come here again. */
static void warn_nan(struct lowering *lw, struct span span)
{
    for (const struct diag_message *m = lw->diag->messages; m; m = m->next) {
        if (m->id == DIAG_ID_CONSTANT_NAN && m->span.begin == span.begin && m->span.end == span.end)
            return;
    }
    diag_add(lw->diag, DIAG_ID_CONSTANT_NAN, span);
}

/* Nothing more is made; the error is added once, here. */
static void stop(struct lowering *lw, struct span span)
{
    if (lw->ir->is_full)
        return;
    lw->ir->is_full = true;
    diag_add(lw->diag, DIAG_ID_TOO_MANY_OPERATIONS, span,
             arena_printf(lw->arena, "%d", LIMIT_OPERATIONS));
}

ir_ref lower_op(struct lowering *lw, enum ir_op op, ir_ref a, ir_ref b, ir_ref c)
{
    const bool was_full = lw->ir->is_full;
    const ir_ref result = ir_make(lw->ir, op, a, b, c);
    if (lw->ir->is_full && !was_full) {
        lw->ir->is_full = false;
        stop(lw, lw->ir->span);
    }
    if (is_nan(lw, result) && !is_nan(lw, a) && !is_nan(lw, b) && !is_nan(lw, c))
        warn_nan(lw, lw->ir->span);
    return result;
}

ir_ref lower_op1(struct lowering *lw, enum ir_op op, ir_ref a)
{
    return lower_op(lw, op, a, IR_REF_NONE, IR_REF_NONE);
}

ir_ref lower_op2(struct lowering *lw, enum ir_op op, ir_ref a, ir_ref b)
{
    return lower_op(lw, op, a, b, IR_REF_NONE);
}

static const ir_ref *lower_name(const struct lowering *lw, const struct ast_expr *expr)
{
    const struct symbol *symbol = expr->symbol;
    switch (symbol->kind) {
    case SYMBOL_STATE:
        return (expr->kind == AST_NEXT ? lw->nexts : lw->states)[symbol->index];
    case SYMBOL_INPUT:
        return lw->inputs[symbol->index];
    case SYMBOL_PARAM:
        return lw->params[symbol->index];
    case SYMBOL_DEFINITION:
        return lw->definitions[symbol->index];
    case SYMBOL_OUTPUT:
        return lw->outputs[symbol->index];
    case SYMBOL_FN_PARAM:
        return &lw->arguments[symbol->index];
    default: /* a const is a constant, and none of the others is left after sema */
        assert(false && "a name without a value");
        return NULL;
    }
}

static enum ir_op operator_op(enum ast_kind kind)
{
    switch (kind) {
    case AST_NEG:
        return IR_NEG;
    case AST_NOT:
        return IR_NOT;
    case AST_ADD:
        return IR_ADD;
    case AST_SUB:
        return IR_SUB;
    case AST_MUL:
        return IR_MUL;
    case AST_DIV:
        return IR_DIV;
    case AST_LT:
        return IR_LT;
    case AST_LE:
        return IR_LE;
    case AST_GT:
        return IR_GT;
    case AST_GE:
        return IR_GE;
    case AST_EQ:
        return IR_EQ;
    case AST_NE:
        return IR_NE;
    case AST_AND:
        return IR_AND;
    case AST_OR:
        return IR_OR;
    default:
        assert(false && "not an operator");
        return IR_NEG;
    }
}

/* The elements of all arguments. */
static const ir_ref **lower_args(struct lowering *lw, const struct ast_expr *expr)
{
    const ir_ref **values = arena_array(lw->arena, expr->arg_count, sizeof *values);
    for (uint32_t i = 0; i < expr->arg_count; i++)
        values[i] = lower_expr(lw, expr->args[i]);
    lw->ir->span = expr->span;
    return values;
}

/* Element i of an argument that may be a scalar standing for all of them. */
static ir_ref broadcast(const struct ast_expr *arg, const ir_ref *values, uint32_t i)
{
    return values[arg->shape.rank == 0 ? 0 : i];
}

static void lower_operator(struct lowering *lw, const struct ast_expr *expr, ir_ref *out)
{
    const ir_ref **values = lower_args(lw, expr);
    const uint32_t count = ast_shape_count(expr->shape);
    for (uint32_t i = 0; i < count; i++) {
        const ir_ref a = broadcast(expr->args[0], values[0], i);
        const ir_ref b = expr->arg_count > 1 ? broadcast(expr->args[1], values[1], i) : IR_REF_NONE;
        out[i] = expr->kind == AST_POW ? lower_power(lw, a, b)
                                       : lower_op2(lw, operator_op(expr->kind), a, b);
    }
}

/* [rows, inner] @ [inner, cols]; a vector is a matrix of one column. */
static void lower_product(struct lowering *lw, const struct ast_shape left,
                          const struct ast_shape right, const ir_ref *a, const ir_ref *b,
                          ir_ref *out)
{
    const uint32_t inner = left.cols;
    for (uint32_t i = 0; i < left.rows; i++) {
        for (uint32_t j = 0; j < right.cols; j++) {
            ir_ref sum = IR_REF_NONE;
            for (uint32_t k = 0; k < inner; k++) {
                const ir_ref term = lower_op2(lw, IR_MUL, a[i * inner + k], b[k * right.cols + j]);
                sum = sum ? lower_op2(lw, IR_ADD, sum, term) : term;
            }
            out[i * right.cols + j] = sum;
        }
    }
}

static void lower_inlined(struct lowering *lw, const struct ast_expr *expr, ir_ref *out)
{
    const ir_ref **values = lower_args(lw, expr);
    const struct ast_fn *fn = expr->symbol->fn;
    const uint32_t count = ast_shape_count(expr->shape);
    const ir_ref *outer = lw->arguments;
    for (uint32_t i = 0; i < count; i++) {
        ir_ref *arguments = arena_array(lw->arena, expr->arg_count, sizeof *arguments);
        for (uint32_t k = 0; k < expr->arg_count; k++)
            arguments[k] = broadcast(expr->args[k], values[k], i);
        lw->arguments = arguments;
        out[i] = lower_expr(lw, fn->body)[0];
        lw->arguments = outer;
    }
}

static void lower_elements(struct lowering *lw, const struct ast_expr *expr,
                           const ir_ref *const *values, ir_ref *out)
{
    const uint32_t count = ast_shape_count(expr->shape);
    for (uint32_t i = 0; i < count; i++) {
        ir_ref element[ARGUMENTS] = {IR_REF_NONE, IR_REF_NONE, IR_REF_NONE};
        for (uint32_t k = 0; k < expr->arg_count && k < ARGUMENTS; k++)
            element[k] = broadcast(expr->args[k], values[k], i);
        out[i] = lower_elementwise(lw, expr->function, element);
    }
}

static void lower_call(struct lowering *lw, const struct ast_expr *expr, ir_ref *out)
{
    if (expr->function == AST_FN_USER) {
        lower_inlined(lw, expr, out);
        return;
    }
    const ir_ref *const *values = lower_args(lw, expr);
    const struct ast_shape shape = expr->args[0]->shape;
    const uint32_t count = ast_shape_count(shape);
    switch (ast_function_kind(expr->function)) {
    case AST_ELEMENTWISE:
    case AST_WHERE:
        lower_elements(lw, expr, values, out);
        break;
    case AST_REDUCE:
        out[0] = lower_sum(lw, values[0], count);
        break;
    case AST_VECTOR:
        lower_softmax(lw, values[0], count, out);
        break;
    case AST_DOT:
        lower_product(lw, (struct ast_shape){2, 1, count}, expr->args[1]->shape, values[0],
                      values[1], out);
        break;
    case AST_OUTER:
        for (uint32_t i = 0, cols = expr->shape.cols; i < expr->shape.rows * cols; i++)
            out[i] = lower_op2(lw, IR_MUL, values[0][i / cols], values[1][i % cols]);
        break;
    case AST_TRANSPOSE:
        for (uint32_t i = 0; i < count; i++)
            out[i % shape.cols * shape.rows + i / shape.cols] = values[0][i];
        break;
    case AST_LOGSUMEXP:
        if (expr->arg_count == 1)
            out[0] = lower_logsumexp(lw, values[0], count);
        else
            lower_elements(lw, expr, values, out);
        break;
    }
}

static const ir_ref *lower_kind(struct lowering *lw, const struct ast_expr *expr)
{
    if (expr->kind == AST_NAME || expr->kind == AST_NEXT)
        return lower_name(lw, expr);
    if (expr->kind == AST_INDEX) {
        const ir_ref *values = lower_expr(lw, expr->args[0]);
        const struct ast_shape shape = expr->args[0]->shape;
        const uint32_t row = expr->places[0], column = expr->places[1];
        return &values[shape.rank == 2 ? row * shape.cols + column : row];
    }
    ir_ref *out = arena_array(lw->arena, ast_shape_count(expr->shape), sizeof *out);
    if (expr->kind == AST_CALL)
        lower_call(lw, expr, out);
    else if (expr->kind == AST_MATMUL)
        lower_product(lw, expr->args[0]->shape, expr->args[1]->shape, lower_expr(lw, expr->args[0]),
                      lower_expr(lw, expr->args[1]), out);
    else
        lower_operator(lw, expr, out);
    return out;
}

static const ir_ref *lower_constant(struct lowering *lw, const struct ast_expr *expr)
{
    ir_ref *out = arena_alloc(lw->arena, sizeof *out);
    *out = ir_constant(lw->ir, expr->value);
    return out;
}

/* After a stop: elements that nobody looks at. */
static const ir_ref *lower_nothing(struct lowering *lw, const struct ast_expr *expr)
{
    const uint32_t count = ast_shape_count(expr->shape);
    ir_ref *out = arena_array(lw->arena, count, sizeof *out);
    for (uint32_t i = 0; i < count; i++)
        out[i] = ir_constant(lw->ir, 0);
    return out;
}

const ir_ref *lower_expr(struct lowering *lw, const struct ast_expr *expr)
{
    lw->visits += ast_shape_count(expr->shape);
    if (lw->visits > LOWER_VISITS)
        stop(lw, expr->span);
    if (lw->ir->is_full)
        return lower_nothing(lw, expr);
    /* A constant that is NaN is computed anew, so that the warning finds its cause. */
    if (expr->is_constant &&
        (!isnan(expr->value) || expr->kind == AST_NUMBER || expr->kind == AST_NAME))
        return lower_constant(lw, expr);

    const struct span span = lw->ir->span;
    lw->ir->span = expr->span;
    const ir_ref *values = lower_kind(lw, expr);
    lw->ir->span = span;
    return values;
}
