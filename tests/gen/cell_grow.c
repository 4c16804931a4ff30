#include "cell_grow.h"

#include "cell_bound.h"
#include "dice.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a grown value may reach before it is scaled down. */
static const double LARGEST = 4;

struct grower {
    struct cell_tree *tree;
    struct dice dice;
    struct bound_leaves leaves;
    struct bounds argument[2];
    bool is_fn;        /* leaves are the arguments */
    bool is_affine;    /* no function of a state */
    uint32_t readable; /* scalar states that leaves may depend on */
    bool has_next;     /* states after the step may be read */
    bool is_updated[TREE_SYMBOLS];
    int first[TREE_SYMBOLS]; /* scalar of a state */
};

struct shape {
    int rank, rows, cols;
};

static int grow(struct grower *g, struct shape shape, int depth);

/* -- building blocks --------------------------------------------------------------------------- */

static struct bounds all_of(const struct grower *g, int node)
{
    return bounds_of(g->tree, node, &g->leaves, g->is_fn ? g->argument : NULL);
}

static struct bound hull_of(const struct grower *g, int node)
{
    const struct bounds all = all_of(g, node);
    return bounds_hull(&all, tree_elements(&g->tree->node[node]));
}

/* Three digits, towards 0. */
static double few_digits(double v)
{
    if (v == 0 || !isfinite(v))
        return 0;
    const double unit = pow(10, floor(log10(fabs(v))) - 2);
    const double rounded = trunc(v / unit) * unit;
    char text[32];
    snprintf(text, sizeof text, "%.3g", rounded);
    return strtod(text, NULL);
}

static int number(struct grower *g, double lo, double hi)
{
    return tree_number(g->tree, few_digits(dice_real(&g->dice, lo, hi)));
}

static int operation(struct grower *g, const char *word, int a, int b)
{
    return tree_make(g->tree, TREE_OPERATOR, word, a, b, TREE_NONE);
}

static int call1(struct grower *g, const char *word, int a)
{
    return tree_make(g->tree, TREE_BUILTIN, word, a, TREE_NONE, TREE_NONE);
}

/* An affine map of the value that brings it into [lo, hi]; nothing where it is there. */
static int bring(struct grower *g, int node, double lo, double hi)
{
    if (node < 0)
        return node;
    const struct bound b = hull_of(g, node);
    if (b.lo >= lo && b.hi <= hi)
        return node;
    if (!isfinite(b.lo) || !isfinite(b.hi))
        return tree_number(g->tree, few_digits((lo + hi) / 2));
    double gain = 1, shift = 0;
    if ((b.hi - b.lo) * 1.02 > hi - lo)
        gain = few_digits((hi - lo) / (b.hi - b.lo) * 0.98);
    if (gain * b.lo < lo || gain * b.hi > hi)
        shift = few_digits((lo + hi) / 2 - gain * (b.lo + b.hi) / 2);
    if (gain != 1)
        node = operation(g, "*", tree_number(g->tree, gain), node);
    if (shift != 0)
        node = operation(g, "+", tree_number(g->tree, shift), node);
    return node;
}

static bool is_affine(const struct grower *g, int node)
{
    return !hull_of(g, node).is_curved;
}

/* -- conditions -------------------------------------------------------------------------------- */

/* Inputs and parameters, whose comparison with a number is exact in every arithmetic. */
static int exact_leaf(struct grower *g)
{
    int found[TREE_SYMBOLS], count = 0;
    for (int s = 0; s < g->tree->symbols; s++)
        if (g->tree->symbol[s].rank == 0 &&
            (g->tree->symbol[s].role == TREE_INPUT || g->tree->symbol[s].role == TREE_PARAM))
            found[count++] = s;
    return count ? tree_symbol_of(g->tree, found[dice_below(&g->dice, count)], false) : -1;
}

static int exact_condition(struct grower *g, int depth)
{
    static const char *const words[] = {">", "<", ">=", "<=", "!=", "=="};
    const int leaf = exact_leaf(g);
    if (leaf < 0 || g->is_fn)
        return -1;
    for (int s = 0; s < g->tree->symbols && dice_chance(&g->dice, 30); s++)
        if (g->tree->symbol[s].is_condition)
            return tree_symbol_of(g->tree, s, false);
    if (depth > 0 && dice_chance(&g->dice, 30)) {
        const int a = exact_condition(g, depth - 1);
        if (dice_chance(&g->dice, 30))
            return operation(g, "not", a, TREE_NONE);
        return operation(g, dice_chance(&g->dice, 50) ? "and" : "or", a,
                         exact_condition(g, depth - 1));
    }
    const double threshold = 0.125 * dice_below(&g->dice, 5) - 0.25;
    const int constant = tree_number(g->tree, threshold);
    const char *word = words[dice_below(&g->dice, dice_chance(&g->dice, 85) ? 4 : 6)];
    return dice_chance(&g->dice, 80) ? operation(g, word, leaf, constant)
                                     : operation(g, word, constant, leaf);
}

/* A number in [-half, half] from 'node', moved to one of two sides by an exact condition. */
static int sided(struct grower *g, int node, double half, double below, double above)
{
    const int condition = exact_condition(g, 1);
    node = bring(g, node, -half, half);
    if (condition < 0)
        return operation(g, "+", tree_number(g->tree, above), node);
    const int side = tree_make(g->tree, TREE_BUILTIN, "where", condition,
                               tree_number(g->tree, above), tree_number(g->tree, below));
    return operation(g, "+", side, node);
}

/* -- expressions ------------------------------------------------------------------------------- */

static bool symbol_is_readable(const struct grower *g, int s, bool is_next)
{
    const struct tree_symbol *symbol = &g->tree->symbol[s];
    if (symbol->role == TREE_OUTPUT || symbol->is_condition || is_next != (is_next && g->has_next))
        return false;
    if (is_next && (symbol->role != TREE_STATE || !g->is_updated[s]))
        return false;
    const struct bounds *b = is_next ? &g->leaves.next[s] : &g->leaves.symbol[s];
    const struct bound hull = bounds_hull(b, symbol->rows * symbol->cols);
    return (hull.reads & ~g->readable) == 0 && !(g->is_affine && hull.is_curved);
}

static bool has_shape(const struct tree_symbol *symbol, struct shape shape)
{
    return symbol->rank == shape.rank && symbol->rows == shape.rows && symbol->cols == shape.cols;
}

/* A name of this shape, or -1. States are drawn more often than what stands by. */
static int named_leaf(struct grower *g, struct shape shape)
{
    int found[6 * TREE_SYMBOLS], count = 0;
    for (int s = 0; s < g->tree->symbols; s++) {
        if (!has_shape(&g->tree->symbol[s], shape))
            continue;
        const int weight = g->tree->symbol[s].role == TREE_STATE   ? 3
                           : g->tree->symbol[s].role == TREE_LOCAL ? 2
                                                                   : 1;
        for (int k = 0; k < weight && symbol_is_readable(g, s, false); k++)
            found[count++] = s;
        if (symbol_is_readable(g, s, true))
            found[count++] = s + TREE_SYMBOLS;
    }
    if (!count)
        return -1;
    const int s = found[dice_below(&g->dice, count)];
    return tree_symbol_of(g->tree, s % TREE_SYMBOLS, s >= TREE_SYMBOLS);
}

/* A scalar made of a vector or matrix, or -1. */
static int reduced_leaf(struct grower *g)
{
    static const struct shape vectors[] = {{1, 2, 1}, {1, 3, 1}, {1, 4, 1}, {2, 2, 2}};
    const int from = dice_below(&g->dice, 4);
    for (int k = 0; k < 4; k++) {
        const struct shape shape = vectors[(from + k) % 4];
        const int v = named_leaf(g, shape);
        if (v < 0)
            continue;
        const int kind = dice_below(&g->dice, 4);
        if (kind == 0 || shape.rank == 2) {
            const int e = tree_make(g->tree, TREE_ELEMENT, NULL, v, TREE_NONE, TREE_NONE);
            if (e >= 0)
                g->tree->node[e].index = dice_below(&g->dice, shape.rows * shape.cols);
            return e;
        }
        if (kind == 1)
            return call1(g, "sum", v);
        if (kind == 2 && !g->is_affine)
            return call1(g, "logsumexp", v);
        const int w = g->is_affine ? -1 : named_leaf(g, shape);
        return w < 0 ? call1(g, "sum", v)
                     : bring(g, tree_make(g->tree, TREE_BUILTIN, "dot", v, w, TREE_NONE), -2, 2);
    }
    return -1;
}

static int leaf(struct grower *g, struct shape shape)
{
    if (g->is_fn) {
        const int argument =
            tree_make(g->tree, TREE_ARGUMENT, NULL, TREE_NONE, TREE_NONE, TREE_NONE);
        if (argument < 0)
            return argument;
        g->tree->node[argument].index = dice_below(&g->dice, g->tree->fn[g->tree->fns].arguments);
        return dice_chance(&g->dice, 80) ? argument : number(g, -2, 2);
    }
    if (shape.rank == 0 && dice_chance(&g->dice, 15)) {
        const int reduced = reduced_leaf(g);
        if (reduced >= 0)
            return reduced;
    }
    const int named = named_leaf(g, shape);
    if (shape.rank == 0 && (named < 0 || dice_chance(&g->dice, 10)))
        return number(g, -2, 2);
    return named;
}

/* Every function of one argument, and where its argument is brought first. */
static const struct {
    const char *word;
    double lo, hi;
} unaries[] = {
    {"sigmoid", -4, 4}, {"tanh", -4, 4},    {"exp", -3, 1.25},   {"expm1", -3, 1.25},
    {"log", 0.25, 4},   {"log1p", -0.6, 4}, {"sqrt", 0.25, 4},   {"rsqrt", 0.25, 4},
    {"sin", -4, 4},     {"cos", -4, 4},     {"softplus", -4, 4}, {"silu", -4, 4},
    {"gelu", -3, 3},    {"erf", -3, 3},     {"detach", -4, 4},   {"tanh", -4, 4},
    {"sigmoid", -4, 4}, {"sigmoid", -4, 4},
};

static int grow_unary(struct grower *g, struct shape shape, int depth)
{
    const int k = dice_below(&g->dice, sizeof unaries / sizeof *unaries);
    return call1(g, unaries[k].word,
                 bring(g, grow(g, shape, depth - 1), unaries[k].lo, unaries[k].hi));
}

/* Kinks, each with its side chosen by what does not round. */
static int grow_kinked(struct grower *g, struct shape shape, int depth)
{
    const int a = grow(g, shape, depth - 1);
    switch (dice_below(&g->dice, 6)) {
    case 0:
        return call1(g, "abs", sided(g, a, 0.5, -0.75, 0.75));
    case 1:
        return call1(g, "relu", sided(g, a, 0.75, -1, 1));
    case 2:
        return operation(g, "*", number(g, 0.2, 1), call1(g, "sign", sided(g, a, 0.25, -0.5, 0.5)));
    case 3:
    case 4: {
        const int b = bring(g, grow(g, shape, depth - 1), -0.5, 0.5);
        return tree_make(g->tree, TREE_BUILTIN, dice_chance(&g->dice, 50) ? "min" : "max",
                         sided(g, a, 0.5, -1.5, 1.5), b, TREE_NONE);
    }
    default:
        return tree_make(g->tree, TREE_BUILTIN, "clamp", sided(g, a, 0.5, 0, 1.5),
                         tree_number(g->tree, -0.75), tree_number(g->tree, 0.75));
    }
}

static int grow_binary(struct grower *g, struct shape shape, int depth)
{
    const struct shape scalar = {0, 1, 1};
    const struct shape other = dice_chance(&g->dice, 30) ? scalar : shape;
    int a = grow(g, shape, depth - 1);
    switch (dice_below(&g->dice, 10)) {
    case 0:
    case 1:
        return operation(g, "+", a, grow(g, other, depth - 1));
    case 2:
        return operation(g, "-", grow(g, other, depth - 1), a);
    case 3:
    case 4:
        return operation(g, "*", bring(g, a, -2, 2), bring(g, grow(g, other, depth - 1), -2, 2));
    case 5:
        return operation(g, "/", bring(g, a, -2, 2),
                         dice_chance(&g->dice, 50) ? bring(g, grow(g, other, depth - 1), 0.5, 3)
                                                   : bring(g, grow(g, other, depth - 1), -3, -0.5));
    case 6: {
        const int n = dice_below(&g->dice, 6) - 2; /* -2 .. 3 */
        a = n < 0 ? bring(g, a, 0.5, 2) : bring(g, a, -1.5, 1.5);
        return operation(g, "^", a, tree_number(g->tree, n == 0 ? 4 : n));
    }
    case 7:
        return tree_make(g->tree, TREE_BUILTIN, "pow", bring(g, a, 0.4, 2),
                         bring(g, grow(g, other, depth - 1), -1.5, 1.5), TREE_NONE);
    case 8:
        return tree_make(g->tree, TREE_BUILTIN, "logsumexp", bring(g, a, -2, 2),
                         bring(g, grow(g, other, depth - 1), -2, 2), TREE_NONE);
    default:
        return operation(g, "-", a, TREE_NONE);
    }
}

static int grow_where(struct grower *g, struct shape shape, int depth)
{
    const int condition = exact_condition(g, 2);
    const int a = grow(g, shape, depth - 1), b = grow(g, shape, depth - 1);
    return condition < 0 ? operation(g, "+", a, b)
                         : tree_make(g->tree, TREE_BUILTIN, "where", condition, a, b);
}

/* z*a + (1 - z)*b, what gated cells are made of. */
static int grow_gated(struct grower *g, struct shape shape, int depth)
{
    const int z = call1(g, "sigmoid", bring(g, grow(g, shape, depth - 1), -4, 4));
    const int a = grow(g, shape, depth - 1), b = grow(g, shape, depth - 1);
    const int rest = operation(g, "-", tree_number(g->tree, 1), tree_copy(g->tree, z, NULL));
    return operation(g, "+", operation(g, "*", z, a), operation(g, "*", rest, b));
}

static int grow_fn_call(struct grower *g, struct shape shape, int depth)
{
    const int f = dice_below(&g->dice, g->tree->fns);
    int argument[2] = {TREE_NONE, TREE_NONE};
    for (int i = 0; i < g->tree->fn[f].arguments; i++)
        argument[i] = bring(g, grow(g, shape, depth - 1), -2, 2);
    const int call = tree_make(g->tree, TREE_CALL, NULL, argument[0], argument[1], TREE_NONE);
    if (call >= 0)
        g->tree->node[call].index = f;
    return call;
}

/* Where nothing bounds a vector or a matrix a number takes its place, which broadcasts, but is no
 * operand of these. */
static bool has_rank(const struct grower *g, int node, int rank)
{
    return node >= 0 && g->tree->node[node].rank == rank;
}

static int call_linear(struct grower *g, const char *word, int a, int rank)
{
    return has_rank(g, a, rank) ? call1(g, word, a) : a;
}

static int product(struct grower *g, int m, int a, int rank)
{
    return has_rank(g, m, 2) && has_rank(g, a, rank) ? operation(g, "@", m, a) : a;
}

/* What only vectors and matrices have; -1 where there is nothing of the right shape. */
static int grow_linear(struct grower *g, struct shape shape, int depth)
{
    const struct shape square = {2, shape.rows, shape.rows};
    if (shape.rank == 1) {
        if (dice_chance(&g->dice, 25) && !g->is_affine)
            return call_linear(g, "softmax", bring(g, grow(g, shape, depth - 1), -3, 3), 1);
        int m = named_leaf(g, square);
        if (m < 0)
            return -1;
        if (dice_chance(&g->dice, 25))
            m = call1(g, "transpose", m);
        return product(g, m, grow(g, shape, depth - 1), 1);
    }
    if (shape.rank == 2) {
        const struct shape row = {1, shape.rows, 1}, column = {1, shape.cols, 1};
        const int v = named_leaf(g, row), w = named_leaf(g, column);
        if (v >= 0 && w >= 0 && dice_chance(&g->dice, 50))
            return tree_make(g->tree, TREE_BUILTIN, "outer", v, w, TREE_NONE);
        if (shape.rows == shape.cols)
            return dice_chance(&g->dice, 50)
                       ? call_linear(g, "transpose", grow(g, shape, depth - 1), 2)
                       : product(g, bring(g, grow(g, shape, depth - 1), -1, 1),
                                 bring(g, grow(g, shape, depth - 1), -1, 1), 2);
    }
    return -1;
}

static int grow_once(struct grower *g, struct shape shape, int depth)
{
    if (depth <= 0 || g->tree->nodes > TREE_NODES * 2 / 3)
        return leaf(g, shape);
    const int kind = dice_below(&g->dice, 100);
    if (kind < 12)
        return leaf(g, shape);
    if (shape.rank > 0 && kind < 32) {
        const int linear = grow_linear(g, shape, depth);
        if (linear >= 0)
            return linear;
    }
    if (kind < 50)
        return grow_unary(g, shape, depth);
    if (kind < 82)
        return grow_binary(g, shape, depth);
    if (g->is_fn)
        return leaf(g, shape);
    if (kind < 88)
        return grow_kinked(g, shape, depth);
    if (kind < 92)
        return grow_where(g, shape, depth);
    if (kind < 96 && g->tree->fns)
        return grow_fn_call(g, shape, depth);
    return grow_gated(g, shape, depth);
}

/* A value of this shape within LARGEST, its errors and slopes moderate; affine where asked. */
static int grow(struct grower *g, struct shape shape, int depth)
{
    int node = grow_once(g, shape, depth);
    if (node < 0)
        node = leaf(g, shape);
    if (node < 0)
        return node;
    if (g->tree->node[node].rank != shape.rank || (g->is_affine && !is_affine(g, node)))
        node = leaf(g, shape);
    struct bound b = hull_of(g, node);
    if (!(bound_magnitude(&b) <= LARGEST))
        node = bring(g, node, -LARGEST / 2, LARGEST / 2);
    b = hull_of(g, node);
    if (!(b.error <= 60) || !(bound_norm(&b) <= 20))
        node = leaf(g, shape);
    return node;
}

/* -- the cell ---------------------------------------------------------------------------------- */

static void declare(struct grower *g, enum tree_role role, const char *stem, struct shape shape)
{
    char name[TREE_NAME];
    snprintf(name, sizeof name, "%s%d", stem, g->tree->symbols);
    const int s = tree_symbol_add(g->tree, role, name, shape.rank, shape.rows, shape.cols);
    struct tree_symbol *symbol = &g->tree->symbol[s];
    double lo = role == TREE_PARAM ? -0.5 : -1, hi = -lo;
    if ((role == TREE_INPUT || role == TREE_PARAM) && dice_chance(&g->dice, 40)) {
        static const double ranges[][2] = {{-1, 1}, {0, 1}, {0.25, 0.75}, {-0.75, 0.25}, {0.5, 2}};
        const int k = dice_below(&g->dice, 5);
        symbol->has_range = true;
        symbol->lo = lo = ranges[k][0];
        symbol->hi = hi = ranges[k][1];
    }
    if (role == TREE_INPUT || role == TREE_PARAM) {
        symbol->is_shared = dice_chance(&g->dice, 15);
        symbol->no_gradient = dice_chance(&g->dice, 10);
    }
    if (role == TREE_CONST) {
        symbol->value = few_digits(dice_real(&g->dice, -2, 2));
        lo = hi = symbol->value;
    }
    if (role == TREE_STATE && dice_chance(&g->dice, 30)) {
        symbol->has_initial = true;
        symbol->value = few_digits(dice_real(&g->dice, -0.5, 0.5));
    }
    g->leaves.symbol[s] = role == TREE_STATE ? bounds_of_state(-GROW_STATE, GROW_STATE, g->first[s])
                                             : bounds_of_interval(lo, hi);
}

static void declare_states(struct grower *g)
{
    static const struct shape shapes[] = {{1, 2, 1}, {1, 3, 1}, {1, 4, 1}, {2, 2, 2}};
    const int wanted = dice_chance(&g->dice, 60) ? 1 + dice_below(&g->dice, 3)
                                                 : 1 + dice_below(&g->dice, GROW_SCALAR_STATES);
    int scalars = 0;
    const int percent = dice_chance(&g->dice, 30) ? 60 : 0; /* vectors at all? */
    while (scalars < wanted) {
        struct shape shape = {0, 1, 1};
        if (dice_chance(&g->dice, percent))
            shape = shapes[dice_below(&g->dice, 4)];
        if (scalars + shape.rows * shape.cols > GROW_SCALAR_STATES)
            shape = (struct shape){0, 1, 1};
        g->first[g->tree->symbols] = scalars;
        scalars += shape.rows * shape.cols;
        declare(g, TREE_STATE, "h", shape);
        if (shape.rank && dice_chance(&g->dice, 60))
            declare(g, TREE_INPUT, "v", shape);
        if (shape.rank == 1 && dice_chance(&g->dice, 60))
            declare(g, TREE_PARAM, "R", (struct shape){2, shape.rows, shape.rows});
    }
}

static int line_add(struct grower *g, enum tree_line_kind kind, int symbol, int root)
{
    if (root < 0 || g->tree->lines == TREE_LINES)
        return -1;
    g->tree->line[g->tree->lines] = (struct tree_line){kind, symbol, root};
    return g->tree->lines++;
}

static void grow_fns(struct grower *g)
{
    const int count = dice_chance(&g->dice, 40) ? 1 + dice_below(&g->dice, 2) : 0;
    g->is_fn = true;
    for (int f = 0; f < count; f++) {
        struct tree_fn *fn = &g->tree->fn[f];
        snprintf(fn->name, sizeof fn->name, "f%d", f);
        fn->arguments = 1 + dice_below(&g->dice, 2);
        g->argument[0] = g->argument[1] = bounds_of_interval(-2, 2);
        fn->root = bring(g, grow(g, (struct shape){0, 1, 1}, 3), -2, 2);
        g->tree->fns++;
    }
    g->is_fn = false;
}

static void grow_local(struct grower *g)
{
    char name[TREE_NAME];
    struct shape shape = {0, 1, 1};
    snprintf(name, sizeof name, "d%d", g->tree->symbols);
    if (dice_chance(&g->dice, 10)) {
        const int condition = exact_condition(g, 2);
        if (condition < 0)
            return;
        const int s = tree_symbol_add(g->tree, TREE_LOCAL, name, 0, 1, 1);
        g->tree->symbol[s].is_condition = true;
        g->leaves.symbol[s] = bounds_of_interval(0, 1);
        line_add(g, TREE_DEFINE, s, condition);
        return;
    }
    for (int s = 0; s < g->tree->symbols && dice_chance(&g->dice, 60); s++)
        if (g->tree->symbol[s].role == TREE_STATE && g->tree->symbol[s].rank)
            shape = (struct shape){g->tree->symbol[s].rank, g->tree->symbol[s].rows,
                                   g->tree->symbol[s].cols};
    const int root = grow(g, shape, 2 + dice_below(&g->dice, 3));
    if (root < 0)
        return;
    const struct tree_node *node = &g->tree->node[root];
    const int s = tree_symbol_add(g->tree, TREE_LOCAL, name, node->rank, node->rows, node->cols);
    g->leaves.symbol[s] = all_of(g, root);
    line_add(g, TREE_DEFINE, s, root);
}

/* Scale an update until the row of the Jacobian, the range of the state and the rounding are small
 * enough. */
static int tame(struct grower *g, int root)
{
    for (int round = 0; round < 8; round++) {
        const struct bound b = hull_of(g, root);
        const double norm = bound_norm(&b);
        if (norm > GROW_JACOBIAN || b.error > 30) {
            const double gain = few_digits(fmin(0.98 * GROW_JACOBIAN / norm, 28 / b.error));
            root = operation(g, "*", tree_number(g->tree, gain), root);
        }
        root = bring(g, root, -GROW_STATE, GROW_STATE);
    }
    const struct bound b = hull_of(g, root);
    if (!(bound_norm(&b) <= GROW_JACOBIAN) || !(bound_magnitude(&b) <= GROW_STATE))
        abort(); /* the growth breaks its promise */
    return root;
}

/* Without any promise: what a solver must still end on, with the bits of the run in order. */
static int grow_hard(struct grower *g, int state)
{
    const struct tree_symbol *symbol = &g->tree->symbol[state];
    const struct shape shape = {symbol->rank, symbol->rows, symbol->cols};
    const int h = tree_symbol_of(g->tree, state, false);
    const int e = grow(g, shape, 3);
    switch (dice_below(&g->dice, 7)) {
    case 0: /* the logistic map, chaotic for h in [0, 1], leaving for infinity elsewhere */
        return operation(
            g, "*", operation(g, "*", number(g, 3.6, 4), h),
            operation(g, "-", tree_number(g->tree, 1), tree_symbol_of(g->tree, state, false)));
    case 1: /* chaotic and bounded */
        return call1(g, "sin", operation(g, "+", operation(g, "*", number(g, 3, 9), h), e));
    case 2: /* expanding */
        return operation(g, "+", operation(g, "*", number(g, 1.05, 4), h), e);
    case 3: /* expanding, then held */
        return tree_make(g->tree, TREE_BUILTIN, "clamp",
                         operation(g, "+", operation(g, "*", number(g, 1.5, 4), h), e),
                         tree_number(g->tree, -1), tree_number(g->tree, 1));
    case 4: /* near-singular */
        return operation(g, "/", e, operation(g, "+", h, number(g, -0.05, 0.05)));
    case 5: /* kinked and discontinuous */
        return tree_make(
            g->tree, TREE_BUILTIN, "where",
            operation(g, dice_chance(&g->dice, 50) ? ">" : "<=", h, number(g, -0.3, 0.3)),
            operation(g, "-", operation(g, "*", number(g, 1, 2), h), tree_number(g->tree, 0.5)),
            operation(g, "+",
                      operation(g, "*", number(g, 1, 2),
                                call1(g, "abs", tree_symbol_of(g->tree, state, false))),
                      e));
    default: /* outside the domain now and then */
        return call1(g, dice_chance(&g->dice, 50) ? "log" : "sqrt",
                     operation(g, "+", operation(g, "*", number(g, 1, 2), h),
                               operation(g, "+", number(g, 0.3, 1), e)));
    }
}

/* Which states the update of scalar state i may read: what gives the Jacobian its structure. */
static uint32_t readable_of(struct grower *g, int manner, int first, int count, int states)
{
    const uint32_t own = ((1u << count) - 1u) << first, all = (1u << states) - 1u;
    switch (manner) {
    case 0:
        return own; /* diagonal */
    case 1:
        return all & ((1u << (first + count)) - 1u); /* triangular */
    case 2:
        return all;
    case 3: /* each may read any others; some are read by none */
        return (own | (uint32_t)dice_bits(&g->dice)) & all;
    default:
        return ((uint32_t)dice_bits(&g->dice) & (uint32_t)dice_bits(&g->dice)) & all;
    }
}

static void grow_update(struct grower *g, int s, int manner, int states)
{
    const struct tree_symbol *symbol = &g->tree->symbol[s];
    const struct shape shape = {symbol->rank, symbol->rows, symbol->cols};
    g->readable = readable_of(g, manner, g->first[s], shape.rows * shape.cols, states);
    int root = g->tree->is_hard && dice_chance(&g->dice, 70) ? grow_hard(g, s)
                                                             : grow(g, shape, GROW_DEPTH - 1);
    if (root < 0 || g->tree->node[root].rank != shape.rank) /* nothing of this shape may be read */
        root = tree_symbol_of(g->tree, s, false);
    if (!g->tree->is_hard)
        root = tame(g, root);
    g->leaves.next[s] = all_of(g, root);
    g->is_updated[s] = line_add(g, TREE_UPDATE, s, root) >= 0;
}

static void grow_outputs(struct grower *g, int states)
{
    const int count = dice_chance(&g->dice, 50) ? 0 : 1 + dice_below(&g->dice, 3);
    g->readable = (1u << states) - 1u;
    g->has_next = true;
    for (int k = 0; k < count; k++) {
        char name[TREE_NAME];
        int state = dice_below(&g->dice, g->tree->symbols);
        bool is_there = false;
        for (int l = 0; l < g->tree->lines; l++)
            is_there |= g->tree->line[l].kind == TREE_WRITE && g->tree->line[l].symbol == state;
        if (g->tree->symbol[state].role == TREE_STATE && !is_there) {
            line_add(g, TREE_WRITE, state, tree_symbol_of(g->tree, state, true));
            continue;
        }
        const int root = bring(g, grow(g, (struct shape){0, 1, 1}, 3), -2, 2);
        if (root < 0)
            continue;
        snprintf(name, sizeof name, "y%d", g->tree->symbols);
        const int s = tree_symbol_add(g->tree, TREE_OUTPUT, name, 0, 1, 1);
        line_add(g, TREE_WRITE, s, root);
    }
    g->has_next = false;
}

static void grow_guesses(struct grower *g, int declared)
{
    for (int s = 0; s < declared; s++) {
        const struct tree_symbol *symbol = &g->tree->symbol[s];
        if (symbol->role != TREE_STATE || !dice_chance(&g->dice, 10))
            continue;
        /* Locals and states after the step are not known to a guess. */
        struct cell_tree *tree = g->tree;
        const int symbols = tree->symbols;
        tree->symbols = declared;
        g->readable = UINT32_MAX;
        const int root = grow(g, (struct shape){symbol->rank, symbol->rows, symbol->cols}, 2);
        tree->symbols = symbols;
        line_add(g, TREE_GUESS, s, root);
    }
}

void cell_grow(struct cell_tree *tree, uint64_t seed, enum grow_kind kind)
{
    struct grower *g = calloc(1, sizeof *g);
    if (!g)
        abort();
    memset(tree, 0, sizeof *tree);
    g->tree = tree;
    g->dice.state = seed;
    dice_bits(&g->dice);
    snprintf(tree->name, sizeof tree->name, "grown");
    tree->is_hard = kind == GROW_HARD || (kind == GROW_ANY && dice_chance(&g->dice, 10));
    g->is_affine = !tree->is_hard && dice_chance(&g->dice, 12);
    grow_fns(g);
    declare_states(g);
    int states = 0;
    for (int s = 0; s < tree->symbols; s++)
        if (tree->symbol[s].role == TREE_STATE)
            states += tree->symbol[s].rows * tree->symbol[s].cols;
    const struct shape scalar = {0, 1, 1};
    for (int k = 1 + dice_below(&g->dice, 4); k > 0; k--)
        declare(g, TREE_INPUT, "u", scalar);
    for (int k = dice_below(&g->dice, 5); k > 0; k--)
        declare(g, TREE_PARAM, "p", scalar);
    for (int k = dice_below(&g->dice, 2); k > 0; k--)
        declare(g, TREE_CONST, "c", scalar);
    const int declared = tree->symbols;

    const int manner = dice_below(&g->dice, 5);
    int locals = dice_below(&g->dice, 9);
    g->has_next = manner == 2;
    for (int s = 0; s < declared; s++) {
        for (; locals > 0 && dice_chance(&g->dice, 60); locals--) {
            g->readable = readable_of(g, manner, g->first[s], 1, states);
            grow_local(g);
        }
        if (tree->symbol[s].role == TREE_STATE)
            grow_update(g, s, manner, states);
    }
    g->has_next = false;
    grow_outputs(g, states);
    if (!g->is_affine)
        grow_guesses(g, declared);
    free(g);
}
