#include "cell_shrink.h"

#include <stdlib.h>
#include <string.h>

struct shrinker {
    struct cell_tree best, candidate;
    bool (*fails)(const struct cell_tree *tree, void *context);
    void *context;
    int tries;
};

/* Takes the candidate over if it fails. */
static bool keep(struct shrinker *s)
{
    if (s->tries-- <= 0 || !s->fails(&s->candidate, s->context))
        return false;
    s->best = s->candidate;
    return true;
}

static bool is_read(const struct cell_tree *tree, int symbol)
{
    for (int l = 0; l < tree->lines; l++)
        if (tree_reads(tree, tree->line[l].root, symbol))
            return true;
    return false;
}

/* Every reading of a symbol becomes 'number', or the expression that defines it. */
static void symbol_replace(struct cell_tree *tree, int symbol, double number, int root)
{
    const int nodes = tree->nodes;
    for (int n = 0; n < nodes; n++) {
        struct tree_node *node = &tree->node[n];
        if ((node->kind != TREE_NAME_OF && node->kind != TREE_NEXT) || node->symbol != symbol)
            continue;
        const int copy = root < 0 ? -1 : tree_copy(tree, root, NULL);
        *node = copy >= 0 ? tree->node[copy]
                          : (struct tree_node){.kind = TREE_NUMBER,
                                               .rows = 1,
                                               .cols = 1,
                                               .number = number,
                                               .child = {-1, -1, -1}};
    }
}

static bool try_lines(struct shrinker *s)
{
    bool any = false;
    for (int l = s->best.lines - 1; l >= 0; l--) {
        const struct tree_line line = s->best.line[l];
        s->candidate = s->best;
        tree_line_remove(&s->candidate, l);
        if (line.kind == TREE_DEFINE) {
            symbol_replace(&s->candidate, line.symbol, 0.5, -1);
            tree_symbol_remove(&s->candidate, line.symbol);
        } else if (line.kind == TREE_UPDATE) {
            symbol_replace(&s->candidate, line.symbol, 0.5, -1);
            tree_symbol_remove(&s->candidate, line.symbol);
        } else if (line.kind == TREE_WRITE && s->best.symbol[line.symbol].role == TREE_OUTPUT) {
            tree_symbol_remove(&s->candidate, line.symbol);
        }
        if (keep(s)) {
            any = true;
            if (l > s->best.lines)
                l = s->best.lines;
            continue;
        }
        /* Written out, a definition may yet become smaller. */
        if (line.kind == TREE_DEFINE && tree_size(&s->best, line.root) < 40) {
            s->candidate = s->best;
            symbol_replace(&s->candidate, line.symbol, 0.5, line.root);
            tree_symbol_remove(&s->candidate, line.symbol);
            any |= keep(s);
        }
    }
    return any;
}

static bool try_symbols(struct shrinker *s)
{
    bool any = false;
    for (int k = s->best.symbols - 1; k >= 0; k--) {
        struct tree_symbol *symbol;
        const enum tree_role role = s->best.symbol[k].role;
        s->candidate = s->best;
        if (role == TREE_INPUT || role == TREE_PARAM || role == TREE_CONST) {
            symbol_replace(&s->candidate, k, 0.5, -1);
            tree_symbol_remove(&s->candidate, k);
            if (keep(s)) {
                any = true;
                continue;
            }
        }
        if (!is_read(&s->best, k) && role != TREE_STATE && role != TREE_OUTPUT)
            continue;
        s->candidate = s->best;
        symbol = &s->candidate.symbol[k];
        if (symbol->is_shared || symbol->no_gradient || symbol->has_range || symbol->has_initial) {
            symbol->is_shared = symbol->no_gradient = symbol->has_range = false;
            symbol->has_initial = false;
            any |= keep(s);
        }
    }
    if (s->best.fns) {
        /* Called nowhere? Then the text is well formed without them. */
        s->candidate = s->best;
        s->candidate.fns = 0;
        any |= keep(s);
    }
    return any;
}

static bool is_alike(const struct tree_node *a, const struct tree_node *b)
{
    return a->rank == b->rank && a->rows == b->rows && a->cols == b->cols &&
           a->is_condition == b->is_condition && b->kind != TREE_ARGUMENT;
}

/* A child or a number in the place of node n; the larger subtrees first, as they are met first. */
static bool try_node(struct shrinker *s, int n)
{
    const struct tree_node node = s->best.node[n];
    if (node.kind == TREE_NUMBER)
        return false;
    if (node.kind == TREE_CALL) {
        s->candidate = s->best;
        const int body = tree_copy(&s->candidate, s->best.fn[node.index].root, node.child);
        if (body >= 0) {
            s->candidate.node[n] = s->candidate.node[body];
            if (keep(s))
                return true;
        }
    }
    if (node.rank == 0 && !node.is_condition) {
        s->candidate = s->best;
        s->candidate.node[n] = (struct tree_node){
            .kind = TREE_NUMBER, .rows = 1, .cols = 1, .number = 0.5, .child = {-1, -1, -1}};
        if (keep(s))
            return true;
    }
    for (int i = 0; i < 3; i++) {
        if (node.child[i] < 0 || !is_alike(&node, &s->best.node[node.child[i]]))
            continue;
        s->candidate = s->best;
        s->candidate.node[n] = s->best.node[node.child[i]];
        if (keep(s))
            return true;
    }
    return false;
}

static bool try_tree(struct shrinker *s, int root)
{
    bool any = false;
    while (try_node(s, root))
        any = true;
    for (int i = 0; i < 3; i++)
        if (s->best.node[root].child[i] >= 0)
            any |= try_tree(s, s->best.node[root].child[i]);
    return any;
}

void cell_shrink(struct cell_tree *tree, bool (*fails)(const struct cell_tree *tree, void *context),
                 void *context, int tries)
{
    struct shrinker *s = malloc(sizeof *s);
    bool any = true;
    if (!s)
        abort();
    s->best = *tree;
    s->fails = fails;
    s->context = context;
    s->tries = tries;
    while (any && s->tries > 0) {
        any = try_lines(s);
        any |= try_symbols(s);
        for (int l = 0; l < s->best.lines; l++)
            any |= try_tree(s, s->best.line[l].root);
    }
    *tree = s->best;
    free(s);
}
