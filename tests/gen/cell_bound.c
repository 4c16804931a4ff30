#include "cell_bound.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double bound_magnitude(const struct bound *b)
{
    return fmax(fabs(b->lo), fabs(b->hi));
}

double bound_norm(const struct bound *b)
{
    double sum = 0;
    for (int j = 0; j < BOUND_STATES; j++)
        sum += b->slope[j];
    return sum;
}

struct bounds bounds_of_interval(double lo, double hi)
{
    struct bounds all;
    memset(&all, 0, sizeof all);
    for (int i = 0; i < BOUND_ELEMENTS; i++) {
        all.element[i].lo = lo;
        all.element[i].hi = hi;
    }
    return all;
}

struct bounds bounds_of_state(double lo, double hi, int first)
{
    struct bounds all = bounds_of_interval(lo, hi);
    for (int i = 0; i < BOUND_ELEMENTS && first + i < BOUND_STATES; i++) {
        all.element[i].slope[first + i] = 1;
        all.element[i].reads = 1u << (first + i);
    }
    return all;
}

struct bound bounds_hull(const struct bounds *bounds, int count)
{
    struct bound hull = bounds->element[0];
    for (int i = 1; i < count; i++) {
        const struct bound *b = &bounds->element[i];
        hull.lo = fmin(hull.lo, b->lo);
        hull.hi = fmax(hull.hi, b->hi);
        hull.error = fmax(hull.error, b->error);
        hull.reads |= b->reads;
        hull.is_curved |= b->is_curved;
        if (bound_norm(b) > bound_norm(&hull))
            memcpy(hull.slope, b->slope, sizeof hull.slope);
    }
    return hull;
}

/* y = f(operands) with |df/d operand| <= partial: slopes and errors by the chain rule, and the
 * rounding of y itself, which a function of the library makes 'roundings' of. */
static struct bound chain(double lo, double hi, double roundings, bool is_curved, int count,
                          const struct bound *const *operand, const double *partial)
{
    struct bound y = {.lo = fmin(lo, hi), .hi = fmax(lo, hi)};
    y.error = roundings * bound_magnitude(&y);
    for (int i = 0; i < count; i++) {
        y.reads |= operand[i]->reads;
        y.error += partial[i] * operand[i]->error;
        y.is_curved |= operand[i]->is_curved;
        for (int j = 0; j < BOUND_STATES; j++)
            if (operand[i]->slope[j] > 0)
                y.slope[j] += partial[i] * operand[i]->slope[j];
    }
    y.is_curved |= is_curved && y.reads;
    return y;
}

static double nearest_zero(const struct bound *a)
{
    return a->lo > 0 ? a->lo : a->hi < 0 ? a->hi : 0;
}

static double logistic(double v)
{
    return 1 / (1 + exp(-v));
}

static double silu(double v)
{
    return v * logistic(v);
}

static double gelu(double v)
{
    return v * (1 + erf(v * sqrt(0.5))) / 2;
}

static struct bound one(const struct bound *a, double lo, double hi, double roundings,
                        double partial)
{
    return chain(lo, hi, roundings, true, 1, &a, &partial);
}

/* The largest sine between lo and hi. */
static double sine_most(double lo, double hi)
{
    const double peak = M_PI_2 + 2 * M_PI * ceil((lo - M_PI_2) / (2 * M_PI)); /* from lo on */
    return peak <= hi ? 1 : fmax(sin(lo), sin(hi));
}

static struct bound unary(const char *word, const struct bound *a)
{
    const double m = nearest_zero(a);
#define IS(name) (!strcmp(word, name))
    if (IS("sigmoid"))
        return one(a, logistic(a->lo), logistic(a->hi), 4, logistic(m) * (1 - logistic(m)));
    if (IS("tanh"))
        return one(a, tanh(a->lo), tanh(a->hi), 4, 1 - tanh(m) * tanh(m));
    if (IS("exp"))
        return one(a, exp(a->lo), exp(a->hi), 4, exp(a->hi));
    if (IS("expm1"))
        return one(a, expm1(a->lo), expm1(a->hi), 4, exp(a->hi));
    if (IS("log"))
        return one(a, log(a->lo), log(a->hi), 4, a->lo > 0 ? 1 / a->lo : INFINITY);
    if (IS("log1p"))
        return one(a, log1p(a->lo), log1p(a->hi), 4, a->lo > -1 ? 1 / (1 + a->lo) : INFINITY);
    if (IS("sqrt"))
        return one(a, sqrt(a->lo), sqrt(a->hi), 1, a->lo > 0 ? 0.5 / sqrt(a->lo) : INFINITY);
    if (IS("rsqrt"))
        return one(a, 1 / sqrt(a->lo), 1 / sqrt(a->hi), 2,
                   a->lo > 0 ? 0.5 / (a->lo * sqrt(a->lo)) : INFINITY);
    if (IS("sin"))
        return one(a, -sine_most(-a->hi, -a->lo), sine_most(a->lo, a->hi), 4, 1);
    if (IS("cos"))
        return one(a, -sine_most(-a->hi - M_PI_2, -a->lo - M_PI_2),
                   sine_most(a->lo + M_PI_2, a->hi + M_PI_2), 4, 1);
    if (IS("erf"))
        return one(a, erf(a->lo), erf(a->hi), 4, 1.1284 * exp(-m * m));
    if (IS("softplus"))
        return one(a, log1p(exp(a->lo)), log1p(exp(a->hi)), 6, logistic(a->hi));
    if (IS("silu"))
        return one(a, a->hi > -1.2 && a->lo < -1.2 ? -0.2785 : fmin(silu(a->lo), silu(a->hi)),
                   fmax(silu(a->lo), silu(a->hi)), 6, 1.1);
    if (IS("gelu"))
        return one(a, a->hi > -0.7 && a->lo < -0.7 ? -0.1701 : fmin(gelu(a->lo), gelu(a->hi)),
                   fmax(gelu(a->lo), gelu(a->hi)), 8, 1.13);
    if (IS("abs"))
        return one(a, fabs(m), bound_magnitude(a), 0, 1);
    if (IS("relu"))
        return one(a, fmax(a->lo, 0), fmax(a->hi, 0), 0, 1);
    if (IS("sign"))
        return one(a, a->lo > 0 ? 1 : -1, a->hi < 0 ? -1 : 1, 0, 0);
    if (IS("detach"))
        return *a;
    abort(); /* a word that is not in the list */
}

static struct bound negated(const struct bound *a)
{
    struct bound y = *a;
    y.lo = -a->hi;
    y.hi = -a->lo;
    return y;
}

static struct bound add(const struct bound *a, const struct bound *b)
{
    const struct bound *const operand[] = {a, b};
    const double partial[] = {1, 1};
    return chain(a->lo + b->lo, a->hi + b->hi, 1, false, 2, operand, partial);
}

static double least4(const double *v)
{
    return fmin(fmin(v[0], v[1]), fmin(v[2], v[3]));
}

static double most4(const double *v)
{
    return fmax(fmax(v[0], v[1]), fmax(v[2], v[3]));
}

static struct bound multiply(const struct bound *a, const struct bound *b)
{
    const double corner[] = {a->lo * b->lo, a->lo * b->hi, a->hi * b->lo, a->hi * b->hi};
    const struct bound *const operand[] = {a, b};
    const double partial[] = {bound_magnitude(b), bound_magnitude(a)};
    return chain(least4(corner), most4(corner), 1, a->reads && b->reads, 2, operand, partial);
}

static struct bound divide(const struct bound *a, const struct bound *b)
{
    const double least = fabs(nearest_zero(b));
    const struct bound *const operand[] = {a, b};
    if (!(least > 0)) {
        const double partial[] = {INFINITY, INFINITY};
        return chain(-INFINITY, INFINITY, 1, true, 2, operand, partial);
    }
    const double corner[] = {a->lo / b->lo, a->lo / b->hi, a->hi / b->lo, a->hi / b->hi};
    const double partial[] = {1 / least, bound_magnitude(a) / (least * least)};
    return chain(least4(corner), most4(corner), 1, b->reads, 2, operand, partial);
}

/* a^b with a > 0 */
static struct bound power(const struct bound *a, const struct bound *b)
{
    const double corner[] = {pow(a->lo, b->lo), pow(a->lo, b->hi), pow(a->hi, b->lo),
                             pow(a->hi, b->hi)};
    const double before[] = {pow(a->lo, b->lo - 1), pow(a->lo, b->hi - 1), pow(a->hi, b->lo - 1),
                             pow(a->hi, b->hi - 1)};
    const struct bound *const operand[] = {a, b};
    const double logarithm = fmax(fabs(log(a->lo)), fabs(log(a->hi)));
    const double partial[] = {bound_magnitude(b) * most4(before), most4(corner) * logarithm};
    if (!(a->lo > 0)) {
        const double endless[] = {INFINITY, INFINITY};
        return chain(-INFINITY, INFINITY, 1, true, 2, operand, endless);
    }
    return chain(least4(corner), most4(corner), 8, true, 2, operand, partial);
}

static struct bound whole_power(const struct bound *a, int n)
{
    const struct bound unit = {.lo = 1, .hi = 1};
    struct bound y = *a;
    for (int i = 1; i < abs(n); i++)
        y = multiply(&y, a);
    return n < 0 ? divide(&unit, &y) : y;
}

static struct bound join(const struct bound *a, const struct bound *b)
{
    struct bound y = *a;
    y.lo = fmin(a->lo, b->lo);
    y.hi = fmax(a->hi, b->hi);
    y.error = fmax(a->error, b->error);
    y.reads |= b->reads;
    y.is_curved = a->is_curved || b->is_curved;
    for (int j = 0; j < BOUND_STATES; j++)
        y.slope[j] = fmax(a->slope[j], b->slope[j]);
    return y;
}

static struct bound binary(const char *word, const struct bound *a, const struct bound *b)
{
    if (IS("+"))
        return add(a, b);
    if (IS("-")) {
        const struct bound minus = negated(b);
        return add(a, &minus);
    }
    if (IS("*"))
        return multiply(a, b);
    if (IS("/"))
        return divide(a, b);
    if (IS("pow"))
        return power(a, b);
    struct bound y = join(a, b);
    y.is_curved |= y.reads != 0;
    if (IS("min")) {
        y.hi = fmin(a->hi, b->hi);
    } else if (IS("max")) {
        y.lo = fmax(a->lo, b->lo);
    } else { /* logsumexp */
        y.lo = log(exp(a->lo) + exp(b->lo));
        y.hi = log(exp(a->hi) + exp(b->hi));
        y.error += 8 * bound_magnitude(&y) + 4;
    }
    return y;
}

static struct bound dot(const struct bound *a, int a_step, const struct bound *b, int b_step, int n)
{
    struct bound sum = multiply(a, b);
    for (int i = 1; i < n; i++) {
        const struct bound term = multiply(a + i * a_step, b + i * b_step);
        sum = add(&sum, &term);
    }
    return sum;
}

/* exp(v - largest)/sum: between 0 and 1, derivative p_i (1 - p_j) <= 1/4. */
static void softmax(struct bounds *y, const struct bounds *v, int n)
{
    const struct bound *operand[BOUND_ELEMENTS];
    double partial[BOUND_ELEMENTS];
    for (int i = 0; i < n; i++) {
        operand[i] = &v->element[i];
        partial[i] = 0.25;
    }
    for (int i = 0; i < n; i++)
        y->element[i] = chain(0, 1, 8, true, n, operand, partial);
}

static void products(struct bounds *y, const struct cell_tree *tree, const struct tree_node *node,
                     const struct bounds *a, const struct bounds *b)
{
    const struct tree_node *left = &tree->node[node->child[0]],
                           *right = &tree->node[node->child[1]];
    for (int i = 0; i < node->rows; i++)
        for (int k = 0; k < node->cols; k++)
            y->element[i * node->cols + k] =
                dot(&a->element[i * left->cols], 1, &b->element[k], right->cols, left->cols);
}

static struct bounds builtin(const struct cell_tree *tree, const struct tree_node *node,
                             const struct bounds *operand)
{
    const char *word = node->word;
    const struct tree_node *first = &tree->node[node->child[0]];
    const int count = tree_elements(node), n = tree_elements(first);
    struct bounds y = operand[0];
    const struct bounds *a = &operand[0], *b = &operand[1], *c = &operand[2];
    /* A scalar operand stands for every element. */
    int step[3] = {0, 0, 0};
    for (int k = 0; k < 3; k++)
        step[k] = node->child[k] >= 0 && tree->node[node->child[k]].rank > 0;

    if (IS("sum")) {
        for (int i = 1; i < n; i++)
            y.element[0] = add(&y.element[0], &a->element[i]);
    } else if (IS("dot")) {
        y.element[0] = dot(a->element, 1, b->element, 1, n);
    } else if (IS("logsumexp") && node->child[1] < 0) {
        for (int i = 1; i < n; i++)
            y.element[0] = binary(word, &y.element[0], &a->element[i]);
    } else if (IS("softmax")) {
        softmax(&y, a, n);
    } else if (IS("outer")) {
        for (int i = 0; i < count; i++)
            y.element[i] = multiply(&a->element[i / node->cols], &b->element[i % node->cols]);
    } else if (IS("transpose")) {
        for (int i = 0; i < count; i++)
            y.element[i] = a->element[i % node->cols * first->cols + i / node->cols];
    } else if (IS("clamp")) {
        for (int i = 0; i < count; i++) {
            const struct bound upper =
                binary("max", &a->element[i * step[0]], &b->element[i * step[1]]);
            y.element[i] = binary("min", &upper, &c->element[i * step[2]]);
        }
    } else if (IS("where")) {
        for (int i = 0; i < count; i++) {
            y.element[i] = join(&b->element[i * step[1]], &c->element[i * step[2]]);
            y.element[i].reads |= a->element[i * step[0]].reads;
            y.element[i].is_curved |= a->element[i * step[0]].reads != 0;
        }
    } else if (node->child[1] >= 0) {
        for (int i = 0; i < count; i++)
            y.element[i] = binary(word, &a->element[i * step[0]], &b->element[i * step[1]]);
    } else {
        for (int i = 0; i < count; i++)
            y.element[i] = unary(word, &a->element[i]);
    }
    return y;
}

static struct bounds operator_of(const struct cell_tree *tree, const struct tree_node *node,
                                 const struct bounds *operand)
{
    const char *word = node->word;
    const int count = tree_elements(node);
    struct bounds y = operand[0];
    const struct bounds *a = &operand[0], *b = &operand[1];
    const int left = tree->node[node->child[0]].rank > 0;
    const int right = node->child[1] >= 0 && tree->node[node->child[1]].rank > 0;
    if (node->is_condition) {
        for (int i = 0; i < count; i++) {
            const uint32_t reads = a->element[i * left].reads |
                                   (node->child[1] >= 0 ? b->element[i * right].reads : 0);
            y.element[i] = (struct bound){.lo = 0, .hi = 1, .reads = reads};
        }
    } else if (IS("@")) {
        products(&y, tree, node, a, b);
    } else if (node->child[1] < 0) {
        for (int i = 0; i < count; i++)
            y.element[i] = negated(&a->element[i]);
    } else if (IS("^")) {
        for (int i = 0; i < count; i++)
            y.element[i] =
                whole_power(&a->element[i * left], (int)tree->node[node->child[1]].number);
    } else {
        for (int i = 0; i < count; i++)
            y.element[i] = binary(word, &a->element[i * left], &b->element[i * right]);
    }
    return y;
}
#undef IS

struct bounds bounds_of(const struct cell_tree *tree, int root, const struct bound_leaves *leaves,
                        const struct bounds *arguments)
{
    const struct tree_node *node = &tree->node[root];
    struct bounds operand[3];
    if (node->kind == TREE_NUMBER) {
        struct bounds y = bounds_of_interval(node->number, node->number);
        y.element[0].error = fabs(node->number); /* to the arithmetic type */
        return y;
    }
    if (node->kind == TREE_NAME_OF)
        return leaves->symbol[node->symbol];
    if (node->kind == TREE_NEXT)
        return leaves->next[node->symbol];
    if (node->kind == TREE_ARGUMENT)
        return arguments[node->index];
    for (int i = 0; i < 3; i++)
        if (node->child[i] >= 0)
            operand[i] = bounds_of(tree, node->child[i], leaves, arguments);
    if (node->kind == TREE_CALL)
        return bounds_of(tree, tree->fn[node->index].root, leaves, operand);
    if (node->kind == TREE_ELEMENT) {
        operand[0].element[0] = operand[0].element[node->index];
        return operand[0];
    }
    return node->kind == TREE_OPERATOR ? operator_of(tree, node, operand)
                                       : builtin(tree, node, operand);
}
