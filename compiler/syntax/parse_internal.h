/* What scanner, grammar and parse.c share. */
#ifndef PRNN_PARSE_INTERNAL_H
#define PRNN_PARSE_INTERNAL_H

#include "arena.h"
#include "ast.h"
#include "diag.h"
#include "intern.h"
#include "source.h"

/* A growing list of expressions. */
struct expr_list {
    struct ast_expr **items;
    uint32_t count, room;
};

struct name_list {
    const char **names;
    struct span *spans;
    uint32_t count, room;
};

/* Names of a statement in order. */
struct decl_list {
    struct ast_decl *first, *last;
};

struct parser {
    struct arena *arena;
    struct diag *diag;
    const struct source *source;
    struct intern names;
    struct ast *ast;
    struct ast_fn *last_fn;
    struct ast_statement *last_statement;
    void *scanner;

    uint32_t offset;     /* of the next byte to scan */
    bool line_has_token; /* something but a comment stands on this line */
    uint32_t bad_end;    /* where the last unexpected character ended */
    struct ast_comment *comments;
    uint32_t comment_count, comment_room;

    uint32_t token_count;
    uint32_t bracket_depth;
    struct span last, before; /* the newest token and the one before it */
    bool is_stopped;          /* a limit was met: the rest of the file is not read */

    /* Going on behind a fault: see cell_lex(). */
    int token;            /* the newest one */
    const char *name;     /* ... if it is a name */
    bool is_skipping;     /* up to the ';' that ends the statement, or to the next statement */
    uint32_t open_braces; /* among what is skipped */
    enum { REPLAY_NOTHING, REPLAY_SEMICOLON, REPLAY_TOKEN } replay; /* what comes next */
};

/* Scanner side. */
void scan_add_comment(struct parser *cx, struct span span, bool is_doc);
struct ast_expr *scan_number(struct parser *cx, const char *text, size_t length, struct span span);
const char *scan_name(struct parser *cx, const char *text, size_t length, struct span span);
/* True if this is a new fault and not the next character of the last one. */
bool scan_bad_character(struct parser *cx, const char *text, size_t length, struct span span,
                        const char *fix);

/* Grammar side: each makes a node, checks nothing but limits. */
struct ast_expr *make_name(struct parser *cx, enum ast_kind kind, const char *name,
                           struct span span);
struct ast_expr *make_unary(struct parser *cx, enum ast_kind kind, struct ast_expr *operand,
                            struct span span);
struct ast_expr *make_binary(struct parser *cx, enum ast_kind kind, struct ast_expr *left,
                             struct ast_expr *right, struct span span);
struct ast_expr *make_call(struct parser *cx, const char *name, struct span name_span,
                           struct expr_list args, struct span span);
struct ast_expr *make_index(struct parser *cx, struct ast_expr *operand, struct expr_list places,
                            struct span span);
struct expr_list expr_list_add(struct parser *cx, struct expr_list list, struct ast_expr *expr);
struct name_list name_list_add(struct parser *cx, struct name_list list, const char *name,
                               struct span span);
struct ast_decl *make_decl(struct parser *cx, const char *name, struct span name_span,
                           struct expr_list sizes, struct ast_expr *value, struct span span);
struct decl_list decl_list_add(struct decl_list list, struct ast_decl *decl);
void add_statement(struct parser *cx, enum ast_statement_kind kind, struct decl_list decls,
                   struct ast_attributes *attributes, struct span span);
void add_fn(struct parser *cx, const char *name, struct span name_span, struct name_list params,
            struct ast_expr *body, struct span span);
struct ast_attributes *make_attributes(struct parser *cx);
void attribute_storage(struct ast_attributes *attributes, const char *word, struct span span);
void attribute_range(struct ast_attributes *attributes, struct ast_expr *lo, struct ast_expr *hi,
                     struct span span);
void attribute_init(struct ast_attributes *attributes, const char *word, struct expr_list args,
                    bool has_parens, struct span span);
void attribute_nograd(struct ast_attributes *attributes, struct span span);

/* "nested too deep", once; the rest of the file is not read. */
void report_too_deep(struct parser *cx, struct span span);

#endif
