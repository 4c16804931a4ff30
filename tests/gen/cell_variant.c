#include "cell_variant.h"

#include <stdio.h>
#include <string.h>

const char *cell_variant_name(enum cell_variant variant)
{
    static const char *const names[VARIANT_COUNT] = {"renamed", "inlined", "reordered", "dead",
                                                     "expanded"};
    return names[variant];
}

/* A value may be called as a function is, and as anything in C or CUDA. */
static void rename_all(struct cell_tree *tree, struct dice *dice)
{
    static const char *const words[] = {"class",    "threadIdx",  "float", "asm",  "tanh",
                                        "template", "__global__", "v",     "next", "goto",
                                        "NAN",      "x",          "h",     "main", "PRNN_FN",
                                        "p",        "sizeof",     "e",     "_",    "void"};
    enum { WORDS = sizeof words / sizeof *words };
    const int from = dice_below(dice, WORDS);
    snprintf(tree->name, sizeof tree->name, "struct");
    snprintf(tree->stem, sizeof tree->stem, "int");
    for (int s = 0; s < tree->symbols; s++) {
        const char *word = words[(from + s) % WORDS];
        if (s < WORDS)
            snprintf(tree->symbol[s].name, TREE_NAME, "%s", word);
        else
            snprintf(tree->symbol[s].name, TREE_NAME, "%.10s%c", word, 'A' + s / WORDS);
    }
    for (int f = 0; f < tree->fns; f++)
        snprintf(tree->fn[f].name, TREE_NAME, "__device__%c", 'a' + f);
}

static bool body_reads(const struct cell_tree *tree, int root, int argument)
{
    const struct tree_node *node = &tree->node[root];
    if (node->kind == TREE_ARGUMENT)
        return node->index == argument;
    for (int k = 0; k < 3; k++)
        if (node->child[k] >= 0 && body_reads(tree, node->child[k], argument))
            return true;
    return false;
}

/* A call has the shape of its arguments; its body, written out, that of the arguments it reads. */
static bool body_has_shape_of_call(const struct cell_tree *tree, const struct tree_node *call)
{
    if (call->rank == 0)
        return true;
    for (int k = 0; k < tree->fn[call->index].arguments; k++) {
        const struct tree_node *argument = &tree->node[call->child[k]];
        if (argument->rank == call->rank && body_reads(tree, tree->fn[call->index].root, k))
            return true;
    }
    return false;
}

static bool inline_calls(struct cell_tree *tree)
{
    /* Bodies call nothing, so one pass over the nodes of the lines is enough; the copies hold no
     * calls but those in arguments, which are met on the way down. */
    for (int n = 0; n < tree->nodes; n++) {
        const struct tree_node node = tree->node[n];
        if (node.kind != TREE_CALL)
            continue;
        if (!body_has_shape_of_call(tree, &node))
            return false;
        const int body = tree_copy(tree, tree->fn[node.index].root, node.child);
        if (body < 0)
            return false;
        tree->node[n] = tree->node[body];
    }
    tree->fns = 0;
    return true;
}

/* Must line b come after line a? */
static bool is_after(const struct cell_tree *tree, int a, int b)
{
    const struct tree_line *first = &tree->line[a], *second = &tree->line[b];
    if (first->kind == TREE_WRITE && second->kind == TREE_WRITE)
        return a < b; /* outputs are written in the order of their lines */
    if (first->kind == TREE_DEFINE)
        return tree_reads(tree, second->root, first->symbol);
    return first->kind == TREE_UPDATE && second->kind != TREE_GUESS &&
           tree_reads(tree, second->root, first->symbol) && a < b;
}

static void reorder(struct cell_tree *tree, struct dice *dice)
{
    struct tree_line line[TREE_LINES];
    bool is_placed[TREE_LINES] = {false};
    for (int k = 0; k < tree->lines; k++) {
        int ready[TREE_LINES], count = 0;
        for (int b = 0; b < tree->lines; b++) {
            bool waits = is_placed[b];
            for (int a = 0; a < tree->lines; a++)
                waits = waits || (!is_placed[a] && a != b && is_after(tree, a, b));
            if (!waits)
                ready[count++] = b;
        }
        const int chosen = ready[dice_below(dice, count)];
        is_placed[chosen] = true;
        line[k] = tree->line[chosen];
    }
    memcpy(tree->line, line, sizeof line);
}

static bool add_dead(struct cell_tree *tree, struct dice *dice)
{
    for (int k = 0; k < 3; k++) {
        char name[TREE_NAME];
        const int l = dice_below(dice, tree->lines);
        if (tree->symbols == TREE_SYMBOLS || tree->lines == TREE_LINES)
            return false;
        if (tree->line[l].kind == TREE_GUESS) /* in a guess a state is the initial one */
            continue;
        int root = tree_copy(tree, tree->line[l].root, NULL);
        if (root >= 0 && !tree->node[root].is_condition)
            root = tree_make(tree, TREE_BUILTIN, dice_chance(dice, 50) ? "tanh" : "cos", root,
                             TREE_NONE, TREE_NONE);
        if (root < 0)
            return false;
        snprintf(name, sizeof name, "dead%d", k);
        const struct tree_node *node = &tree->node[root];
        const int s = tree_symbol_add(tree, TREE_LOCAL, name, node->rank, node->rows, node->cols);
        tree->symbol[s].is_condition = node->is_condition;
        memmove(&tree->line[l + 2], &tree->line[l + 1],
                (size_t)(tree->lines - l - 1) * sizeof tree->line[0]);
        tree->line[l + 1] = (struct tree_line){TREE_DEFINE, s, root};
        tree->lines++;
    }
    if (tree->fns < TREE_FNS) {
        struct tree_fn *fn = &tree->fn[tree->fns];
        const int argument = tree_make(tree, TREE_ARGUMENT, NULL, TREE_NONE, TREE_NONE, TREE_NONE);
        fn->arguments = 1;
        fn->root = tree_make(tree, TREE_BUILTIN, "exp", argument, TREE_NONE, TREE_NONE);
        snprintf(fn->name, sizeof fn->name, "deadf");
        if (fn->root < 0)
            return false;
        tree->fns++;
    }
    return true;
}

static void expand_consts(struct cell_tree *tree)
{
    for (int n = 0; n < tree->nodes; n++) {
        struct tree_node *node = &tree->node[n];
        if (node->kind == TREE_NAME_OF && tree->symbol[node->symbol].role == TREE_CONST) {
            node->kind = TREE_NUMBER;
            node->number = tree->symbol[node->symbol].value;
        }
    }
    for (int s = tree->symbols - 1; s >= 0; s--)
        if (tree->symbol[s].role == TREE_CONST)
            tree_symbol_remove(tree, s);
}

bool cell_variant_make(struct cell_tree *out, const struct cell_tree *tree,
                       enum cell_variant variant, struct dice *dice)
{
    *out = *tree;
    switch (variant) {
    case VARIANT_RENAMED:
        rename_all(out, dice);
        return true;
    case VARIANT_INLINED:
        return inline_calls(out);
    case VARIANT_REORDERED:
        reorder(out, dice);
        return true;
    case VARIANT_DEAD:
        return add_dead(out, dice);
    case VARIANT_EXPANDED:
        expand_consts(out);
        return true;
    case VARIANT_COUNT:
        break;
    }
    return false;
}

void cell_variant_permute(struct cell_tree *out, const struct cell_tree *tree, struct dice *dice,
                          int *place)
{
    int order[TREE_SYMBOLS] = {0}, count = 0, goes_to[TREE_SYMBOLS], first[TREE_SYMBOLS];
    for (int s = 0; s < tree->symbols; s++)
        if (tree->symbol[s].role == TREE_STATE)
            order[count++] = s;
    int slots[TREE_SYMBOLS];
    memcpy(slots, order, sizeof slots);
    for (int k = count - 1; k > 0; k--) {
        const int j = dice_below(dice, k + 1), swapped = order[k];
        order[k] = order[j];
        order[j] = swapped;
    }
    /* State order[k] is declared where the k-th one was. */
    *out = *tree;
    for (int s = 0; s < tree->symbols; s++)
        goes_to[s] = s;
    for (int k = 0; k < count; k++) {
        out->symbol[slots[k]] = tree->symbol[order[k]];
        goes_to[order[k]] = slots[k];
    }
    for (int n = 0; n < out->nodes; n++)
        out->node[n].symbol = goes_to[out->node[n].symbol];
    for (int l = 0; l < out->lines; l++)
        out->line[l].symbol = goes_to[out->line[l].symbol];
    int scalars = 0;
    for (int k = 0; k < count; k++) {
        first[slots[k]] = scalars;
        scalars += out->symbol[slots[k]].rows * out->symbol[slots[k]].cols;
    }
    int i = 0;
    for (int k = 0; k < count; k++) {
        const struct tree_symbol *symbol = &tree->symbol[slots[k]];
        for (int e = 0; e < symbol->rows * symbol->cols; e++)
            place[i++] = first[goes_to[slots[k]]] + e;
    }
}
