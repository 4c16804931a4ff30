#include "cell_tree.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tree_add(struct cell_tree *tree, struct tree_node node)
{
    if (tree->nodes == TREE_NODES)
        return -1;
    tree->node[tree->nodes] = node;
    return tree->nodes++;
}

int tree_number(struct cell_tree *tree, double number)
{
    return tree_add(
        tree,
        (struct tree_node){
            .kind = TREE_NUMBER, .rows = 1, .cols = 1, .number = number, .child = {-1, -1, -1}});
}

int tree_symbol_of(struct cell_tree *tree, int symbol, bool is_next)
{
    const struct tree_symbol *s = &tree->symbol[symbol];
    return tree_add(tree, (struct tree_node){.kind = is_next ? TREE_NEXT : TREE_NAME_OF,
                                             .rank = s->rank,
                                             .rows = s->rows,
                                             .cols = s->cols,
                                             .is_condition = s->is_condition,
                                             .symbol = symbol,
                                             .child = {-1, -1, -1}});
}

static bool is_word(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (!strcmp(word, *words))
            return true;
    return false;
}

int tree_make(struct cell_tree *tree, enum tree_kind kind, const char *word, int a, int b, int c)
{
    static const char *const scalars[] = {"sum", "dot", NULL};
    static const char *const conditions[] = {
        "<", "<=", ">", ">=", "==", "!=", "and", "or", "not", NULL};
    struct tree_node node = {.kind = kind, .word = word, .rows = 1, .cols = 1, .child = {a, b, c}};
    if (a == -1 || b == -1 || c == -1)
        return -1;
    for (int i = 0; i < 3; i++)
        if (node.child[i] == TREE_NONE)
            node.child[i] = -1;
    if (kind == TREE_ARGUMENT)
        return tree_add(tree, node);
    /* Elementwise: the shape of the operand that has one. */
    for (int i = 0; i < 3; i++)
        if (node.child[i] >= 0 && tree->node[node.child[i]].rank > node.rank) {
            node.rank = tree->node[node.child[i]].rank;
            node.rows = tree->node[node.child[i]].rows;
            node.cols = tree->node[node.child[i]].cols;
        }
    const struct tree_node *first = &tree->node[a], *second = b >= 0 ? &tree->node[b] : NULL;
    if (kind == TREE_ELEMENT || (word && is_word(word, scalars)) ||
        (word && !strcmp(word, "logsumexp") && !second)) {
        node.rank = 0;
        node.rows = node.cols = 1;
    } else if (word && !strcmp(word, "@")) {
        assert(second && first->cols == second->rows);
        node.rank = second->rank;
        node.rows = first->rows;
        node.cols = second->cols;
    } else if (word && !strcmp(word, "outer")) {
        assert(second);
        node.rank = 2;
        node.rows = first->rows;
        node.cols = second->rows;
    } else if (word && !strcmp(word, "transpose")) {
        node.rank = 2;
        node.rows = first->cols;
        node.cols = first->rows;
    }
    node.is_condition = kind == TREE_OPERATOR && is_word(word, conditions);
    return tree_add(tree, node);
}

int tree_copy(struct cell_tree *tree, int root, const int *arguments)
{
    if (root < 0)
        return -1;
    struct tree_node node = tree->node[root];
    if (node.kind == TREE_ARGUMENT && arguments)
        return tree_copy(tree, arguments[node.index], NULL);
    for (int i = 0; i < 3; i++)
        if (node.child[i] >= 0 && (node.child[i] = tree_copy(tree, node.child[i], arguments)) < 0)
            return -1;
    return tree_add(tree, node);
}

int tree_symbol_add(struct cell_tree *tree, enum tree_role role, const char *name, int rank,
                    int rows, int cols)
{
    assert(tree->symbols < TREE_SYMBOLS);
    struct tree_symbol *s = &tree->symbol[tree->symbols];
    *s = (struct tree_symbol){.role = role, .rank = rank, .rows = rows, .cols = cols};
    snprintf(s->name, sizeof s->name, "%s", name);
    return tree->symbols++;
}

void tree_line_remove(struct cell_tree *tree, int l)
{
    memmove(&tree->line[l], &tree->line[l + 1],
            (size_t)(tree->lines - l - 1) * sizeof tree->line[0]);
    tree->lines--;
}

void tree_symbol_remove(struct cell_tree *tree, int symbol)
{
    for (int l = tree->lines - 1; l >= 0; l--)
        if (tree->line[l].symbol == symbol)
            tree_line_remove(tree, l);
        else if (tree->line[l].symbol > symbol)
            tree->line[l].symbol--;
    for (int n = 0; n < tree->nodes; n++)
        if (tree->node[n].symbol > symbol)
            tree->node[n].symbol--;
    memmove(&tree->symbol[symbol], &tree->symbol[symbol + 1],
            (size_t)(tree->symbols - symbol - 1) * sizeof tree->symbol[0]);
    tree->symbols--;
}

int tree_elements(const struct tree_node *node)
{
    return node->rows * node->cols;
}

bool tree_reads(const struct cell_tree *tree, int root, int symbol)
{
    if (root < 0)
        return false;
    const struct tree_node *node = &tree->node[root];
    if ((node->kind == TREE_NAME_OF || node->kind == TREE_NEXT) && node->symbol == symbol)
        return true;
    for (int i = 0; i < 3; i++)
        if (tree_reads(tree, node->child[i], symbol))
            return true;
    return false;
}

int tree_size(const struct cell_tree *tree, int root)
{
    int size = 1;
    if (root < 0)
        return 0;
    for (int i = 0; i < 3; i++)
        size += tree_size(tree, tree->node[root].child[i]);
    return size;
}

/* -- text -------------------------------------------------------------------------------------- */

struct printer {
    const struct cell_tree *tree;
    char *text;
    size_t length, room;
};

__attribute__((format(printf, 2, 3))) static void put(struct printer *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (out->room - out->length < 256) {
        out->room = 2 * out->room + 1024;
        out->text = realloc(out->text, out->room);
        if (!out->text)
            abort();
    }
    out->length += (size_t)vsnprintf(out->text + out->length, 256, format, args);
    va_end(args);
}

static const char *stem_of(const struct cell_tree *tree)
{
    return tree->stem[0] ? tree->stem : "a";
}

/* As short as it reads back to the same double. */
static void put_number(struct printer *out, double number)
{
    char text[32];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    put(out, number < 0 ? "(%s)" : "%s", text);
}

static void put_node(struct printer *out, int root);

static void put_children(struct printer *out, const struct tree_node *node)
{
    for (int i = 0; i < 3 && node->child[i] >= 0; i++) {
        put(out, i ? ", " : "(");
        put_node(out, node->child[i]);
    }
    put(out, ")");
}

static void put_node(struct printer *out, int root)
{
    const struct cell_tree *tree = out->tree;
    const struct tree_node *node = &tree->node[root];
    switch (node->kind) {
    case TREE_NUMBER:
        put_number(out, node->number);
        break;
    case TREE_NAME_OF:
        put(out, "%s", tree->symbol[node->symbol].name);
        break;
    case TREE_NEXT:
        put(out, "%s'", tree->symbol[node->symbol].name);
        break;
    case TREE_ARGUMENT:
        put(out, "%s%d", stem_of(tree), node->index);
        break;
    case TREE_OPERATOR:
        put(out, "(");
        if (node->child[1] < 0) {
            put(out, "%s ", node->word);
            put_node(out, node->child[0]);
        } else {
            put_node(out, node->child[0]);
            put(out, " %s ", node->word);
            put_node(out, node->child[1]);
        }
        put(out, ")");
        break;
    case TREE_BUILTIN:
        put(out, "%s", node->word);
        put_children(out, node);
        break;
    case TREE_CALL:
        put(out, "%s", tree->fn[node->index].name);
        put_children(out, node);
        break;
    case TREE_ELEMENT: {
        const struct tree_node *of = &tree->node[node->child[0]];
        put_node(out, node->child[0]);
        if (of->rank == 1)
            put(out, "[%d]", node->index);
        else
            put(out, "[%d, %d]", node->index / of->cols, node->index % of->cols);
        break;
    }
    }
}

static void put_declaration(struct printer *out, const struct tree_symbol *s)
{
    static const char *const words[] = {"state", "input", "param", "const", NULL, NULL};
    if (!words[s->role])
        return;
    put(out, "    %s %s", words[s->role], s->name);
    if (s->rank == 1)
        put(out, "[%d]", s->rows);
    if (s->rank == 2)
        put(out, "[%d, %d]", s->rows, s->cols);
    if (s->role == TREE_CONST || s->has_initial) {
        put(out, " = ");
        put_number(out, s->value);
    }
    if (s->is_shared)
        put(out, " : shared");
    if (s->has_range) {
        put(out, " in [");
        put_number(out, s->lo);
        put(out, ", ");
        put_number(out, s->hi);
        put(out, "]");
    }
    put(out, "%s;\n", s->no_gradient ? " nograd" : "");
}

static void put_line(struct printer *out, const struct tree_line *line)
{
    const struct cell_tree *tree = out->tree;
    const char *name = tree->symbol[line->symbol].name;
    if (line->kind == TREE_WRITE && tree->symbol[line->symbol].role == TREE_STATE) {
        put(out, "    output %s';\n", name);
        return;
    }
    put(out, "    %s%s%s = ",
        line->kind == TREE_WRITE   ? "output "
        : line->kind == TREE_GUESS ? "guess "
                                   : "",
        name, line->kind == TREE_UPDATE ? "'" : "");
    put_node(out, line->root);
    put(out, ";\n");
}

char *tree_text(const struct cell_tree *tree)
{
    struct printer out = {.tree = tree};
    for (int f = 0; f < tree->fns; f++) {
        put(&out, "fn %s(", tree->fn[f].name);
        for (int i = 0; i < tree->fn[f].arguments; i++)
            put(&out, "%s%s%d", i ? ", " : "", stem_of(tree), i);
        put(&out, ") = ");
        put_node(&out, tree->fn[f].root);
        put(&out, ";\n");
    }
    put(&out, "cell %s {\n", tree->name);
    for (int s = 0; s < tree->symbols; s++)
        put_declaration(&out, &tree->symbol[s]);
    for (int l = 0; l < tree->lines; l++)
        put_line(&out, &tree->line[l]);
    put(&out, "}\n");
    return out.text;
}
