/* A cell as a tree that can be copied by assignment, changed and printed as .cell text. Of the
 * tests alone: it knows nothing of the compiler's own tree. */
#ifndef PRNN_CELL_TREE_H
#define PRNN_CELL_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TREE_NONE = -2 };
enum { TREE_NODES = 1200, TREE_SYMBOLS = 56, TREE_LINES = 40, TREE_FNS = 3, TREE_NAME = 16 };

enum tree_role { TREE_STATE, TREE_INPUT, TREE_PARAM, TREE_CONST, TREE_LOCAL, TREE_OUTPUT };

struct tree_symbol {
    enum tree_role role;
    char name[TREE_NAME];
    int rank, rows, cols; /* rows and cols are 1 where the rank has none */
    bool is_shared, no_gradient, has_range, has_initial, is_condition;
    double lo, hi;
    double value; /* of a const; the initial value of a state */
};

enum tree_kind {
    TREE_NUMBER,
    TREE_NAME_OF,  /* a symbol */
    TREE_NEXT,     /* a state after the step */
    TREE_ARGUMENT, /* number 'index' of the fn that holds it */
    TREE_OPERATOR, /* 'word' between two children, or before one */
    TREE_BUILTIN,  /* 'word' and children */
    TREE_CALL,     /* fn number 'index' */
    TREE_ELEMENT   /* child[0][index / cols, index % cols] */
};

struct tree_node {
    enum tree_kind kind;
    int rank, rows, cols;
    bool is_condition;
    int symbol, index;
    const char *word;
    double number;
    int child[3]; /* -1: none */
};

enum tree_line_kind { TREE_DEFINE, TREE_UPDATE, TREE_WRITE, TREE_GUESS };

struct tree_line {
    enum tree_line_kind kind;
    int symbol, root;
};

struct tree_fn {
    char name[TREE_NAME];
    int arguments, root;
};

struct cell_tree {
    char name[TREE_NAME];
    char stem[TREE_NAME]; /* of the names of arguments; "": a */
    struct tree_symbol symbol[TREE_SYMBOLS];
    struct tree_node node[TREE_NODES];
    struct tree_line line[TREE_LINES];
    struct tree_fn fn[TREE_FNS];
    int symbols, nodes, lines, fns;
    bool is_hard; /* expanding, chaotic, singular or kinked: no promise about its values */
};

/* Each gives the place of a new node, or -1 when the tree is full or an operand is -1. An operand
 * that is not there is TREE_NONE. */
int tree_number(struct cell_tree *tree, double number);
int tree_symbol_of(struct cell_tree *tree, int symbol, bool is_next);
int tree_make(struct cell_tree *tree, enum tree_kind kind, const char *word, int a, int b, int c);
/* A copy of a whole subtree; with 'arguments' not NULL, TREE_ARGUMENT i becomes a copy of
 * arguments[i]. */
int tree_copy(struct cell_tree *tree, int root, const int *arguments);

int tree_symbol_add(struct cell_tree *tree, enum tree_role role, const char *name, int rank,
                    int rows, int cols);
/* With the lines that are about it; nothing may read it. */
void tree_symbol_remove(struct cell_tree *tree, int symbol);
void tree_line_remove(struct cell_tree *tree, int line);
int tree_elements(const struct tree_node *node);
/* Does a subtree read this symbol (before or after the step)? */
bool tree_reads(const struct cell_tree *tree, int root, int symbol);
int tree_size(const struct cell_tree *tree, int root);

/* The text; malloc'd. */
char *tree_text(const struct cell_tree *tree);

#endif
