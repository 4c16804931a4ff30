#include "ast.h"

#include <assert.h>
#include <string.h>

static const struct function_row {
    const char *name;
    uint32_t fewest, most;
    enum ast_function_kind kind;
} FUNCTIONS[] = {
    {"fn", 0, 0, AST_ELEMENTWISE},
#define FUNCTION(ID, name, fewest, most, kind) {name, fewest, most, AST_##kind},
#include "functions.def"
#undef FUNCTION
};

const char *ast_function_name(enum ast_function function)
{
    return FUNCTIONS[function].name;
}

enum ast_function_kind ast_function_kind(enum ast_function function)
{
    return FUNCTIONS[function].kind;
}

uint32_t ast_function_fewest(enum ast_function function)
{
    return FUNCTIONS[function].fewest;
}

uint32_t ast_function_most(enum ast_function function)
{
    return FUNCTIONS[function].most;
}

enum ast_function ast_function_find(const char *name)
{
    for (int i = AST_FN_USER + 1; i < AST_FN_COUNT; i++)
        if (strcmp(FUNCTIONS[i].name, name) == 0)
            return (enum ast_function)i;
    return AST_FN_USER;
}

const char *ast_operator_text(enum ast_kind kind)
{
    static const char *const TEXTS[AST_KIND_COUNT] = {
        [AST_NEG] = "-", [AST_NOT] = "not", [AST_ADD] = "+",    [AST_SUB] = "-",
        [AST_MUL] = "*", [AST_DIV] = "/",   [AST_MATMUL] = "@", [AST_POW] = "^",
        [AST_LT] = "<",  [AST_LE] = "<=",   [AST_GT] = ">",     [AST_GE] = ">=",
        [AST_EQ] = "==", [AST_NE] = "!=",   [AST_AND] = "and",  [AST_OR] = "or",
    };
    return TEXTS[kind];
}

bool ast_is_comparison(enum ast_kind kind)
{
    return kind >= AST_LT && kind <= AST_NE;
}

static struct ast_expr *make(struct arena *arena, enum ast_kind kind, struct span span)
{
    struct ast_expr *expr = arena_alloc(arena, sizeof *expr);
    expr->kind = kind;
    expr->span = span;
    expr->height = 1;
    return expr;
}

struct ast_expr *ast_number(struct arena *arena, double value, const char *text, struct span span)
{
    struct ast_expr *expr = make(arena, AST_NUMBER, span);
    expr->number = value;
    expr->text = text;
    return expr;
}

struct ast_expr *ast_name(struct arena *arena, enum ast_kind kind, const char *name,
                          struct span span)
{
    assert(kind == AST_NAME || kind == AST_NEXT);
    struct ast_expr *expr = make(arena, kind, span);
    expr->name = name;
    expr->name_span = span;
    return expr;
}

struct ast_expr *ast_many(struct arena *arena, enum ast_kind kind, struct ast_expr **args,
                          uint32_t arg_count, struct span span)
{
    struct ast_expr *expr = make(arena, kind, span);
    expr->args = args;
    expr->arg_count = arg_count;
    for (uint32_t i = 0; i < arg_count; i++)
        if (args[i]->height >= expr->height)
            expr->height = args[i]->height + 1;
    return expr;
}

struct ast_expr *ast_unary(struct arena *arena, enum ast_kind kind, struct ast_expr *operand,
                           struct span span)
{
    struct ast_expr **args = arena_array(arena, 1, sizeof *args);
    args[0] = operand;
    return ast_many(arena, kind, args, 1, span);
}

struct ast_expr *ast_binary(struct arena *arena, enum ast_kind kind, struct ast_expr *left,
                            struct ast_expr *right, struct span span)
{
    struct ast_expr **args = arena_array(arena, 2, sizeof *args);
    args[0] = left;
    args[1] = right;
    return ast_many(arena, kind, args, 2, span);
}

bool ast_shape_equal(struct ast_shape a, struct ast_shape b)
{
    return a.rank == b.rank && a.rows == b.rows && a.cols == b.cols;
}

uint32_t ast_shape_count(struct ast_shape shape)
{
    return shape.rows * shape.cols;
}

const char *ast_shape_text(struct ast_shape shape, struct arena *arena)
{
    if (shape.rank == 0)
        return "a scalar";
    if (shape.rank == 1)
        return arena_printf(arena, "[%u]", shape.rows);
    return arena_printf(arena, "[%u, %u]", shape.rows, shape.cols);
}
