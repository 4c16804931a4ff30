/* The syntax tree of one .cell file.
 *
 * The parser builds it; resolve() then links names to symbols and typecheck() writes shapes. The
 * fields of each are marked [resolve] and [typecheck] and are zero before. All nodes live in the
 * arena of the compilation and are reached from struct ast. Trees of expressions are never higher
 * than LIMIT_NESTING, so recursive walks are safe. */
#ifndef PRNN_AST_H
#define PRNN_AST_H

#include "arena.h"
#include "source.h"
#include "span.h"
#include "textbuf.h"

#include <stdbool.h>
#include <stdint.h>

struct symbol; /* sema/scope.h */

/* Rank 0: scalar, rows = cols = 1. Rank 1: vector [rows], cols = 1. Rank 2: matrix [rows, cols].
 * Elements are in row-major order; there are rows * cols of them. */
struct ast_shape {
    uint32_t rank, rows, cols;
};

enum ast_kind {
    AST_NUMBER, /* number                                                             0.5 */
    AST_NAME,   /* name, symbol: input, param, const, definition, output, fn parameter, or the
                   state BEFORE the step                                               h */
    AST_NEXT,   /* name, symbol: the state AFTER the step                              h' */
    AST_NEG,    /* args[0] */
    AST_NOT,    /* args[0], a condition */
    AST_ADD,    /* this and all below: args[0], args[1] */
    AST_SUB,
    AST_MUL,
    AST_DIV,
    AST_MATMUL, /* matrix @ vector, matrix @ matrix */
    AST_POW,    /* args[1]->is_constant with an integer value: repeated multiplication */
    AST_LT,     /* comparisons make conditions */
    AST_LE,
    AST_GT,
    AST_GE,
    AST_EQ,
    AST_NE,
    AST_AND, /* conditions of conditions */
    AST_OR,
    AST_CALL,  /* name, arguments; function, or symbol of a 'fn' when function is AST_FN_USER */
    AST_INDEX, /* args[0] is indexed by args[1] and, for a matrix, args[2]; places [typecheck] */
    AST_KIND_COUNT
};

enum ast_function {
    AST_FN_USER, /* a 'fn' of the file: its symbol->fn */
#define FUNCTION(ID, name, fewest, most, kind) AST_FN_##ID,
#include "functions.def"
#undef FUNCTION
    AST_FN_COUNT
};

/* The rule that gives a function's shape; see functions.def. */
enum ast_function_kind {
    AST_ELEMENTWISE,
    AST_WHERE,
    AST_REDUCE,
    AST_VECTOR,
    AST_DOT,
    AST_OUTER,
    AST_TRANSPOSE,
    AST_LOGSUMEXP,
};

struct ast_expr {
    enum ast_kind kind;
    uint32_t height; /* 1 for a leaf */
    struct span span;
    struct span name_span; /* of 'name' in a call */
    bool has_parens;       /* written in parentheses; only printing cares */
    double number;
    const char *text; /* AST_NUMBER: as written, for printing */
    const char *name;
    struct ast_expr **args;
    uint32_t arg_count;

    struct symbol *symbol;      /* [resolve] */
    enum ast_function function; /* [resolve] of a call */

    struct ast_shape shape; /* [typecheck] */
    bool is_condition;      /* [typecheck] else it is a number */
    bool is_error;          /* [typecheck] already reported; accepted by every later check */
    bool is_constant;       /* [typecheck] a scalar number known now: literals, consts, and what is
                               computed from them */
    double value;           /* [typecheck] if is_constant */
    uint32_t places[2];     /* [typecheck] of AST_INDEX: the element, counted from 0 */
};

enum ast_statement_kind {
    AST_STATE,  /* state h[d] = 0.5, c; */
    AST_INPUT,  /* input u, v[d] : shared in [0, 1] nograd; */
    AST_PARAM,  /* param R[d, d] init normal(0, 0.1); */
    AST_CONST,  /* const d = 4; */
    AST_DEFINE, /* z = expr; */
    AST_UPDATE, /* h' = expr; */
    AST_OUTPUT, /* output y = expr, h', z; */
    AST_GUESS,  /* guess h = expr; */
    AST_STATEMENT_COUNT
};

/* One name of a statement. */
struct ast_decl {
    enum ast_statement_kind kind;
    const char *name;
    struct span name_span; /* with the prime, if there is one */
    struct span span;
    struct ast_expr *sizes[2]; /* of a state, input or param */
    uint32_t size_count;       /* 0, 1 or 2 */
    struct ast_expr *value;    /* initial state, or what stands after '='; NULL: none.
                                  'output z' and "output h'" have it too: the name itself */
    bool is_reference;         /* 'output z' or "output h'": no new name */
    const char *doc;           /* lines of the ## comments, joined with newlines; or NULL */
    struct ast_statement *statement;
    struct ast_decl *next;

    struct symbol *symbol; /* [resolve] what is declared, defined, updated or guessed; for a
                              reference, what it names */
};

/* What follows the names of a statement and holds for all of them. Empty spans: not written. */
struct ast_attributes {
    struct span shared_span;
    const char *storage; /* the word after ':' */
    struct span range_span;
    struct ast_expr *lo, *hi;
    struct span init_span;
    const char *init; /* the word after 'init' */
    struct ast_expr **init_args;
    uint32_t init_arg_count;
    bool init_has_parens;
    struct span nograd_span;
    struct span repeated_span; /* of an attribute written twice */
};

struct ast_statement {
    enum ast_statement_kind kind;
    struct span span; /* with its ';' */
    struct ast_decl *decls;
    struct ast_attributes *attributes; /* never NULL */
    struct ast_statement *next;
};

/* fn name(params) = body; */
struct ast_fn {
    const char *name;
    struct span name_span;
    struct span span;
    const char *doc;
    const char **params;
    struct span *param_spans;
    uint32_t param_count;
    struct ast_expr *body; /* typed with scalar parameters; a call on vectors is elementwise */
    struct ast_fn *next;

    struct symbol *symbol; /* [resolve] */
    struct symbol *
        *param_symbols; /* [resolve] one for each parameter: names in the body point there */
};

struct ast_comment {
    struct span span; /* from the '#' up to the end of the line */
    bool is_doc;      /* ## */
    bool is_alone;    /* nothing before it on its line */
};

struct ast {
    const struct source *source;
    struct ast_fn *fns;
    const char *name; /* of the cell */
    struct span name_span;
    struct span cell_span; /* from 'cell' to '}' */
    struct span open_span; /* of '{' */
    const char *doc;
    struct ast_statement *statements;
    const struct ast_comment *comments; /* in order */
    uint32_t comment_count;
};

const char *ast_function_name(enum ast_function function);
enum ast_function_kind ast_function_kind(enum ast_function function);
uint32_t ast_function_fewest(enum ast_function function);
uint32_t ast_function_most(enum ast_function function);
/* AST_FN_USER (no built-in function has this name). */
enum ast_function ast_function_find(const char *name);
/* "+", "@", "and", "<="; of unary operators too. NULL for what is not an operator. */
const char *ast_operator_text(enum ast_kind kind);
bool ast_is_comparison(enum ast_kind kind);

/* Makers, for the parser and tests. 'args' is borrowed; it is in the arena. */
struct ast_expr *ast_number(struct arena *arena, double value, const char *text, struct span span);
struct ast_expr *ast_name(struct arena *arena, enum ast_kind kind, const char *name,
                          struct span span);
struct ast_expr *ast_unary(struct arena *arena, enum ast_kind kind, struct ast_expr *operand,
                           struct span span);
struct ast_expr *ast_binary(struct arena *arena, enum ast_kind kind, struct ast_expr *left,
                            struct ast_expr *right, struct span span);
struct ast_expr *ast_many(struct arena *arena, enum ast_kind kind, struct ast_expr **args,
                          uint32_t arg_count, struct span span);

/* Shapes. */
bool ast_shape_equal(struct ast_shape a, struct ast_shape b);
uint32_t ast_shape_count(struct ast_shape shape);
/* "a scalar", "[3]", "[3, 4]". */
const char *ast_shape_text(struct ast_shape shape, struct arena *arena);

/* The canonical text of the file: what 'pararnnc fmt' writes. Comments keep their places; the
 * result parses to the same tree, and printing that gives the same text. */
void ast_print(const struct ast *ast, struct textbuf *out);
void ast_print_expr(const struct ast_expr *expr, struct textbuf *out);
/* The tree, one node a line, for people: --dump-after=parse, and with shapes after typecheck. */
void ast_dump(const struct ast *ast, struct textbuf *out);

#endif
