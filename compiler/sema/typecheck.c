#include "typecheck.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "attributes.h"
#include "constant.h"
#include "limits.h"
#include "unused.h"

static const struct ast_shape SCALAR = {0, 1, 1};

struct checker {
    struct arena *arena;
    struct diag *diag;
    struct sema *sema;
};

/* ---- Words of messages ---- */

/* The expression as the user wrote it, if that is short. */
static const char *describe(struct checker *cx, const struct ast_expr *expr)
{
    const uint32_t length = expr->span.end - expr->span.begin;
    const char *text = cx->sema->ast->source->text + expr->span.begin;
    if (length > 30 || memchr(text, '\n', length))
        return "the value";
    return arena_printf(cx->arena, "'%.*s'", (int)length, text);
}

static const char *number_text(struct checker *cx, double number)
{
    struct textbuf out;
    textbuf_init(&out, cx->arena);
    textbuf_add_number(&out, number);
    return out.text;
}

/* "'+'", "'tanh'": what takes the operands. */
static const char *operation_text(struct checker *cx, const struct ast_expr *expr)
{
    if (expr->kind == AST_CALL)
        return arena_printf(cx->arena, "'%s'", expr->name);
    if (expr->kind == AST_INDEX)
        return "an index";
    return arena_printf(cx->arena, "'%s'", ast_operator_text(expr->kind));
}

/* ---- Conditions and shapes ---- */

static void need_number(struct checker *cx, const char *who, struct ast_expr *expr)
{
    if (expr->is_error || !expr->is_condition)
        return;
    struct diag_message *message = diag_add(cx->diag, DIAG_ID_CONDITION_VALUE, expr->span, who);
    diag_note_bare(cx->diag, message, "'where(condition, a, b)' makes a number of it");
    expr->is_error = true;
}

static void need_condition(struct checker *cx, const char *who, struct ast_expr *expr)
{
    if (expr->is_error || expr->is_condition)
        return;
    struct diag_message *message = diag_add(cx->diag, DIAG_ID_NOT_A_CONDITION, expr->span, who);
    diag_note_bare(cx->diag, message, "a comparison makes a condition, as in '%s'", "x > 0");
    expr->is_error = true;
}

static void report_shapes(struct checker *cx, struct span span, const char *left,
                          struct ast_shape left_shape, const char *right,
                          struct ast_shape right_shape)
{
    diag_add(cx->diag, DIAG_ID_SHAPE_MISMATCH, span, left, ast_shape_text(left_shape, cx->arena),
             right, ast_shape_text(right_shape, cx->arena));
}

/* Arguments from 'first' on: scalars broadcast, all others have one shape, which is the result's.
 */
static void broadcast(struct checker *cx, struct ast_expr *expr, uint32_t first)
{
    const struct ast_expr *widest = NULL;
    expr->shape = SCALAR;
    for (uint32_t i = first; i < expr->arg_count; i++) {
        struct ast_expr *arg = expr->args[i];
        if (arg->is_error || arg->shape.rank == 0)
            continue;
        if (widest && !ast_shape_equal(widest->shape, arg->shape)) {
            report_shapes(cx, expr->span, describe(cx, widest), widest->shape, describe(cx, arg),
                          arg->shape);
            expr->is_error = true;
            return;
        }
        widest = arg;
        expr->shape = arg->shape;
    }
}

static void report_needed(struct checker *cx, struct ast_expr *expr, const struct ast_expr *arg,
                          const char *needed)
{
    diag_add(cx->diag, DIAG_ID_SHAPE_NEEDED, arg->span, operation_text(cx, expr), needed,
             ast_shape_text(arg->shape, cx->arena));
    expr->is_error = true;
}

static bool has_error(const struct ast_expr *expr)
{
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (expr->args[i]->is_error)
            return true;
    return false;
}

static void type_matmul(struct checker *cx, struct ast_expr *expr)
{
    struct ast_expr *left = expr->args[0], *right = expr->args[1];
    if (left->shape.rank != 2) {
        report_needed(cx, expr, left, "a matrix on its left");
    } else if (right->shape.rank == 0) {
        report_needed(cx, expr, right, "a vector or a matrix on its right");
    } else if (left->shape.cols != right->shape.rows) {
        report_shapes(cx, expr->span, describe(cx, left), left->shape, describe(cx, right),
                      right->shape);
        expr->is_error = true;
    } else {
        expr->shape = (struct ast_shape){right->shape.rank, left->shape.rows, right->shape.cols};
    }
}

static void type_dot(struct checker *cx, struct ast_expr *expr)
{
    struct ast_expr *left = expr->args[0], *right = expr->args[1];
    expr->shape = SCALAR;
    if (left->shape.rank != 1) {
        report_needed(cx, expr, left, "two vectors");
    } else if (right->shape.rank != 1) {
        report_needed(cx, expr, right, "two vectors");
    } else if (!ast_shape_equal(left->shape, right->shape)) {
        report_shapes(cx, expr->span, describe(cx, left), left->shape, describe(cx, right),
                      right->shape);
        expr->is_error = true;
    }
}

static void type_outer(struct checker *cx, struct ast_expr *expr)
{
    const struct ast_expr *left = expr->args[0], *right = expr->args[1];
    if (left->shape.rank != 1)
        report_needed(cx, expr, left, "two vectors");
    else if (right->shape.rank != 1)
        report_needed(cx, expr, right, "two vectors");
    else
        expr->shape = (struct ast_shape){2, left->shape.rows, right->shape.rows};
}

static void type_built_in(struct checker *cx, struct ast_expr *expr)
{
    struct ast_expr *arg = expr->args[0];
    switch (ast_function_kind(expr->function)) {
    case AST_ELEMENTWISE:
    case AST_WHERE:
        broadcast(cx, expr, 0);
        break;
    case AST_LOGSUMEXP:
        if (expr->arg_count == 2)
            broadcast(cx, expr, 0);
        else if (arg->shape.rank != 1)
            report_needed(cx, expr, arg, "a vector or two numbers");
        else
            expr->shape = SCALAR;
        break;
    case AST_REDUCE:
        expr->shape = SCALAR;
        if (arg->shape.rank == 0)
            report_needed(cx, expr, arg, "a vector or a matrix");
        break;
    case AST_VECTOR:
        expr->shape = arg->shape;
        if (arg->shape.rank != 1)
            report_needed(cx, expr, arg, "a vector");
        break;
    case AST_DOT:
        type_dot(cx, expr);
        break;
    case AST_OUTER:
        type_outer(cx, expr);
        break;
    case AST_TRANSPOSE:
        expr->shape = (struct ast_shape){2, arg->shape.cols, arg->shape.rows};
        if (arg->shape.rank != 2)
            report_needed(cx, expr, arg, "a matrix");
        break;
    }
}

static void type_call(struct checker *cx, struct ast_expr *expr)
{
    const bool is_where = !expr->symbol && expr->function == AST_FN_WHERE;
    const char *who = operation_text(cx, expr);
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (is_where && i == 0)
            need_condition(cx, who, expr->args[i]);
        else
            need_number(cx, who, expr->args[i]);
    }
    if (has_error(expr)) {
        expr->is_error = true;
    } else if (expr->symbol) {
        expr->function = AST_FN_USER;
        broadcast(cx, expr, 0);
        expr->is_condition = expr->symbol->is_condition;
        expr->is_error |= expr->symbol->is_error;
    } else {
        type_built_in(cx, expr);
    }
}

static void type_index(struct checker *cx, struct ast_expr *expr)
{
    const struct ast_expr *operand = expr->args[0];
    const uint32_t found = expr->arg_count - 1, needed = operand->shape.rank;
    const uint32_t room[2] = {operand->shape.rows, operand->shape.cols};
    expr->shape = SCALAR;
    expr->is_condition = operand->is_condition;
    if (found != needed) {
        static const char *const NEEDED[] = {"no index", "1 index", "2 indices"};
        diag_add(cx->diag, DIAG_ID_INDEX_COUNT, expr->span, describe(cx, operand),
                 ast_shape_text(operand->shape, cx->arena), NEEDED[needed],
                 found > 2 ? arena_printf(cx->arena, "%u", found) : NEEDED[found]);
        expr->is_error = true;
        return;
    }
    for (uint32_t i = 0; i < found; i++) {
        const struct ast_expr *place = expr->args[i + 1];
        expr->is_error = true;
        if (!place->is_constant)
            diag_add(cx->diag, DIAG_ID_NOT_CONSTANT, place->span, "an index");
        else if (!(place->value == floor(place->value)))
            diag_add(cx->diag, DIAG_ID_INDEX_INTEGER, place->span, number_text(cx, place->value));
        else if (!(place->value >= 0 && place->value < room[i]))
            diag_add(cx->diag, DIAG_ID_INDEX_RANGE, place->span, number_text(cx, place->value),
                     arena_printf(cx->arena, "%u", room[i]),
                     arena_printf(cx->arena, "%u", room[i] - 1));
        else
            expr->is_error = false;
        if (expr->is_error)
            return;
        expr->places[i] = (uint32_t)place->value;
    }
}

/* ---- Expressions ---- */

static void type_symbol(struct ast_expr *expr)
{
    const struct symbol *symbol = expr->symbol;
    expr->shape = symbol->shape;
    expr->is_condition = symbol->is_condition;
    expr->is_error = symbol->is_error;
    if (symbol->kind == SYMBOL_CONST && !symbol->is_error) {
        expr->is_constant = true;
        expr->value = symbol->value;
    }
}

static void type_operator(struct checker *cx, struct ast_expr *expr)
{
    const bool is_logic = expr->kind == AST_AND || expr->kind == AST_OR || expr->kind == AST_NOT;
    const char *who = operation_text(cx, expr);
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (is_logic)
            need_condition(cx, who, expr->args[i]);
        else
            need_number(cx, who, expr->args[i]);
    }
    expr->is_condition = is_logic || ast_is_comparison(expr->kind);
    if (has_error(expr))
        expr->is_error = true;
    else if (expr->kind == AST_MATMUL)
        type_matmul(cx, expr);
    else
        broadcast(cx, expr, 0);
}

static void fold(struct checker *cx, struct ast_expr *expr)
{
    bool has_nan = false;
    if (expr->is_error || expr->is_condition || expr->shape.rank != 0 || expr->is_constant)
        return;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (!expr->args[i]->is_constant)
            return;
        has_nan |= isnan(expr->args[i]->value);
    }
    expr->is_constant = constant_evaluate(expr, &expr->value);
    if (expr->is_constant && isnan(expr->value) && !has_nan)
        diag_add(cx->diag, DIAG_ID_CONSTANT_NAN, expr->span);
}

static void type_expr(struct checker *cx, struct ast_expr *expr)
{
    expr->shape = SCALAR;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        type_expr(cx, expr->args[i]);
    switch (expr->kind) {
    case AST_NUMBER:
        break;
    case AST_NAME:
    case AST_NEXT:
        type_symbol(expr);
        break;
    case AST_CALL:
        type_call(cx, expr);
        break;
    case AST_INDEX:
        for (uint32_t i = 1; i < expr->arg_count; i++)
            need_number(cx, "an index", expr->args[i]);
        if (has_error(expr))
            expr->is_error = true;
        else
            type_index(cx, expr);
        break;
    default:
        type_operator(cx, expr);
        break;
    }
    if (!expr->is_error && ast_shape_count(expr->shape) > LIMIT_OPERATIONS) {
        diag_add(cx->diag, DIAG_ID_TOO_MANY_OPERATIONS, expr->span,
                 arena_printf(cx->arena, "%d", LIMIT_OPERATIONS));
        expr->is_error = true;
    }
    fold(cx, expr);
}

/* The value of an expression that must be known now and finite; false, with a message, if not. */
static bool constant_of(struct checker *cx, struct ast_expr *expr, const char *what, double *value)
{
    type_expr(cx, expr);
    need_number(cx, what, expr);
    if (expr->is_error)
        return false;
    if (!expr->is_constant) {
        diag_add(cx->diag, DIAG_ID_NOT_CONSTANT, expr->span, what);
        return false;
    }
    if (!isfinite(expr->value)) {
        diag_add(cx->diag, DIAG_ID_NOT_FINITE, expr->span, what, number_text(cx, expr->value));
        return false;
    }
    *value = expr->value;
    return true;
}

/* ---- Statements ---- */

static bool size_of(struct checker *cx, struct ast_expr *expr, const char *name, uint32_t *size)
{
    double value = 0;
    if (!constant_of(cx, expr, arena_printf(cx->arena, "the size of '%s'", name), &value))
        return false;
    if (!(value >= 1) || value != floor(value)) {
        diag_add(cx->diag, DIAG_ID_BAD_SIZE, expr->span, number_text(cx, value));
        return false;
    }
    *size = value > LIMIT_SCALARS ? LIMIT_SCALARS + 1 : (uint32_t)value;
    return true;
}

/* The sizes of a state, an input or a param. 'total' counts the scalars of its kind. */
static void check_sizes(struct checker *cx, struct ast_decl *decl, uint32_t *total)
{
    struct symbol *symbol = decl->symbol;
    uint32_t sizes[2] = {1, 1};
    symbol->shape = SCALAR;
    for (uint32_t i = 0; i < decl->size_count; i++)
        if (!size_of(cx, decl->sizes[i], decl->name, &sizes[i]))
            symbol->is_error = true;
    if (symbol->is_error)
        return;
    /* Each size is at most LIMIT_SCALARS + 1, so the product fits. */
    symbol->shape = (struct ast_shape){decl->size_count, sizes[0], sizes[1]};
    const uint32_t count = ast_shape_count(symbol->shape);
    if (count > LIMIT_SCALARS - *total) {
        diag_add(cx->diag, DIAG_ID_TOO_MANY_SCALARS, decl->span, decl->name,
                 sizes[0] > LIMIT_SCALARS || sizes[1] > LIMIT_SCALARS
                     ? "too many"
                     : arena_printf(cx->arena, "%u", count),
                 arena_printf(cx->arena, "%ss", symbol_kind_name(symbol->kind)),
                 arena_printf(cx->arena, "%d", LIMIT_SCALARS));
        symbol->is_error = true;
        return;
    }
    *total += count;
}

static void check_range(struct checker *cx, const struct ast_attributes *attributes,
                        struct symbol *symbol)
{
    double lo = 0, hi = 0;
    const bool has_lo = constant_of(cx, attributes->lo, "a bound", &lo);
    const bool has_hi = constant_of(cx, attributes->hi, "a bound", &hi);
    if (!has_lo || !has_hi)
        return;
    if (lo > hi) {
        diag_add(cx->diag, DIAG_ID_EMPTY_RANGE, attributes->range_span, number_text(cx, lo),
                 number_text(cx, hi));
        return;
    }
    symbol->has_range = true;
    symbol->lo = lo;
    symbol->hi = hi;
}

static void check_init(struct checker *cx, const struct ast_attributes *attributes,
                       struct symbol *symbol)
{
    double values[2] = {0, 0};
    for (uint32_t i = 0; i < attributes->init_arg_count; i++)
        if (!constant_of(cx, attributes->init_args[i], "an initial value", &values[i]))
            return;
    symbol->init = attributes_init(attributes->init);
    symbol->init_a = values[0];
    symbol->init_b = values[1];
    if (symbol->init == SYMBOL_INIT_NORMAL && values[1] < 0)
        diag_add(cx->diag, DIAG_ID_BAD_INIT, attributes->init_span, "normal",
                 "a standard deviation that is not negative", number_text(cx, values[1]));
    if (symbol->init == SYMBOL_INIT_UNIFORM && values[0] > values[1])
        diag_add(cx->diag, DIAG_ID_BAD_INIT, attributes->init_span, "uniform",
                 "its lower bound first",
                 arena_printf(cx->arena, "%s before %s", number_text(cx, values[0]),
                              number_text(cx, values[1])));
}

/* The attributes hold for all names of the statement; their expressions are checked once. */
static void check_attributes(struct checker *cx, const struct ast_statement *statement)
{
    const struct ast_attributes *attributes = statement->attributes;
    assert(statement->decls); /* the grammar has no statement without a name */
    struct symbol *first = statement->decls->symbol;
    first->is_shared = attributes->storage != NULL;
    first->no_gradient = attributes->nograd_span.end > 0;
    if (attributes->lo)
        check_range(cx, attributes, first);
    if (attributes->init)
        check_init(cx, attributes, first);
    for (const struct ast_decl *decl = statement->decls->next; decl; decl = decl->next) {
        struct symbol *symbol = decl->symbol;
        symbol->is_shared = first->is_shared;
        symbol->no_gradient = first->no_gradient;
        symbol->has_range = first->has_range;
        symbol->lo = first->lo;
        symbol->hi = first->hi;
        symbol->init = first->init;
        symbol->init_a = first->init_a;
        symbol->init_b = first->init_b;
    }
}

static void check_const(struct checker *cx, struct ast_decl *decl)
{
    struct symbol *symbol = decl->symbol;
    symbol->shape = SCALAR;
    const char *what = arena_printf(cx->arena, "const '%s'", decl->name);
    symbol->is_error = !constant_of(cx, decl->value, what, &symbol->value);
    for (uint32_t i = 0; i < cx->sema->define_count; i++) {
        if (strcmp(cx->sema->defines[i].name, decl->name) != 0)
            continue;
        symbol->value = cx->sema->defines[i].value;
        if (!isfinite(symbol->value)) {
            diag_add(cx->diag, DIAG_ID_NOT_FINITE, decl->name_span, what,
                     number_text(cx, symbol->value));
            symbol->is_error = true;
        }
    }
}

/* What "h' =" and 'guess h =' get: a scalar, or the shape of h. */
static void check_fits(struct checker *cx, struct ast_decl *decl, const char *who)
{
    const struct symbol *state = decl->symbol;
    struct ast_expr *value = decl->value;
    type_expr(cx, value);
    need_number(cx, who, value);
    if (value->is_error || state->is_error || value->shape.rank == 0 ||
        ast_shape_equal(value->shape, state->shape))
        return;
    struct diag_message *message = diag_add(cx->diag, DIAG_ID_SHAPE_MISMATCH, decl->span,
                                            arena_printf(cx->arena, "state '%s'", state->name),
                                            ast_shape_text(state->shape, cx->arena), "its value",
                                            ast_shape_text(value->shape, cx->arena));
    diag_note(cx->diag, message, state->span, "'%s' is declared here", state->name);
}

static void check_decl(struct checker *cx, struct ast_decl *decl, uint32_t *totals)
{
    struct symbol *symbol = decl->symbol;
    switch (decl->kind) {
    case AST_STATE:
    case AST_INPUT:
    case AST_PARAM:
        check_sizes(cx, decl, &totals[decl->kind]);
        if (decl->value)
            constant_of(cx, decl->value, arena_printf(cx->arena, "the start of '%s'", decl->name),
                        &symbol->value);
        break;
    case AST_CONST:
        check_const(cx, decl);
        break;
    case AST_DEFINE:
        type_expr(cx, decl->value);
        symbol->shape = decl->value->shape;
        symbol->is_condition = decl->value->is_condition;
        symbol->is_error = decl->value->is_error;
        break;
    case AST_UPDATE:
        check_fits(cx, decl, arena_printf(cx->arena, "'%s''", decl->name));
        break;
    case AST_GUESS:
        check_fits(cx, decl, arena_printf(cx->arena, "guess '%s'", decl->name));
        break;
    case AST_OUTPUT:
        type_expr(cx, decl->value);
        need_number(cx, arena_printf(cx->arena, "output '%s'", decl->name), decl->value);
        if (!decl->is_reference) {
            symbol->shape = decl->value->shape;
            symbol->is_error = decl->value->is_error;
        }
        break;
    case AST_STATEMENT_COUNT:
        assert(decl->kind != AST_STATEMENT_COUNT);
    }
}

static void check_outputs(struct checker *cx)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < cx->sema->output_count; i++) {
        const struct sema_output *output = &cx->sema->outputs[i];
        if (output->value->shape.rows == 0) /* made by resolve(): h' of every state */
            type_symbol(output->value);
        if (output->value->is_error)
            continue;
        const uint32_t count = ast_shape_count(output->value->shape);
        if (count > LIMIT_SCALARS - total) {
            diag_add(cx->diag, DIAG_ID_TOO_MANY_SCALARS, output->span, output->name,
                     arena_printf(cx->arena, "%u", count), "outputs",
                     arena_printf(cx->arena, "%d", LIMIT_SCALARS));
            return;
        }
        total += count;
    }
}

static void check_fn(struct checker *cx, struct ast_fn *fn)
{
    for (uint32_t i = 0; i < fn->param_count; i++)
        fn->param_symbols[i]->shape = SCALAR;
    type_expr(cx, fn->body);
    fn->symbol->shape = SCALAR;
    fn->symbol->is_condition = fn->body->is_condition;
    fn->symbol->is_error = fn->body->is_error;
    if (!fn->body->is_error && fn->body->shape.rank != 0) {
        diag_add(cx->diag, DIAG_ID_SHAPE_NEEDED, fn->body->span,
                 arena_printf(cx->arena, "fn '%s'", fn->name), "a scalar value",
                 ast_shape_text(fn->body->shape, cx->arena));
        fn->symbol->is_error = true;
    }
}

bool typecheck(struct arena *arena, struct diag *diag, struct sema *sema)
{
    struct checker cx = {.arena = arena, .diag = diag, .sema = sema};
    const uint32_t errors = diag->error_count;
    uint32_t totals[AST_STATEMENT_COUNT] = {0};
    for (struct ast_fn *fn = sema->ast->fns; fn; fn = fn->next)
        check_fn(&cx, fn);
    for (struct ast_statement *s = sema->ast->statements; s; s = s->next) {
        for (struct ast_decl *decl = s->decls; decl; decl = decl->next)
            check_decl(&cx, decl, totals);
        if (s->kind <= AST_PARAM)
            check_attributes(&cx, s);
    }
    check_outputs(&cx);
    if (diag->error_count > errors)
        return false;
    unused_warn(diag, sema);
    return true;
}
