#include "contraction.h"

#include "box.h"

#include <assert.h>
#include <string.h>

enum {
    BOXES_MAX = 500,
    WORK_MAX = 40000,     /* instructions times boxes: large cells must not load slowly */
    BOXES_UNBOUNDED = 50, /* as many without a finite bound, and there is none */
    PASSES = 4            /* over one box, while its faces shrink */
};

/* Bound and largest value found this near, relative, are as good as equal. */
static const double NEAR = 0.02;

/* Any inner point; the middle where there is one. */
static double middle(struct interval side)
{
    if (isinf(side.lo) && isinf(side.hi))
        return 0;
    if (isinf(side.hi))
        return fmax(1, 2 * side.lo + 1);
    if (isinf(side.lo))
        return fmin(-1, 2 * side.hi - 1);
    return side.lo + (side.hi - side.lo) / 2;
}

/* Value at the middle and the most that the gradient can add to it. */
static double mean_value(const struct freedom *freedom, const struct box *box, double at_middle)
{
    double bound = at_middle;
    for (uint32_t k = 0; k < freedom->count; k++) {
        const struct interval side = box->side[k];
        if (side.lo == side.hi)
            continue;
        const double m = middle(side);
        const struct interval rest = add(side, point(-m));
        bound = upper(bound + multiply(freedom->gradient[k], rest).hi, 1);
    }
    return isnan(bound) ? INFINITY : bound;
}

/* Sides along which the sum does not fall become their upper face, and likewise the other way. */
static bool shrink(const struct freedom *freedom, struct box *box)
{
    bool is_changed = false;
    for (uint32_t k = 0; k < freedom->count; k++) {
        struct interval *side = &box->side[k];
        if (side->lo == side->hi)
            continue;
        if (freedom->gradient[k].lo >= 0 && !isinf(side->hi))
            *side = point(side->hi);
        else if (freedom->gradient[k].hi <= 0 && !isinf(side->lo))
            *side = point(side->lo);
        else
            continue;
        is_changed = true;
    }
    return is_changed;
}

struct search {
    struct freedom *freedom;
    struct contraction *out;
    uint32_t row;
    struct box *heap;
    uint32_t count, boxes, room;
    bool is_decision; /* only whether 1 is exceeded is asked */
};

/* The sum at a point: an upper bound there, and but for roundings a value that is met. */
static double sample(struct search *search, const struct box *at)
{
    struct freedom *freedom = search->freedom;
    box_evaluate(freedom, at);
    const double sum = box_row_sum(freedom, at, search->row);
    if (isfinite(sum) && sum > search->out->found) {
        search->out->found = sum;
        search->out->row = search->row;
        search->out->place_count = freedom->count;
        for (uint32_t k = 0; k < freedom->count; k++)
            search->out->place[k] = (struct contraction_place){freedom->ref[k], at->side[k].lo};
    }
    return sum;
}

static double sample_middle(struct search *search, const struct box *box)
{
    struct box mid;
    for (uint32_t k = 0; k < search->freedom->count; k++)
        mid.side[k] = point(middle(box->side[k]));
    return sample(search, &mid);
}

/* From the best point of this row along one side after the other, by steps that become smaller:
 * what is found early lets boxes go early. */
static void climb(struct search *search)
{
    const struct freedom *freedom = search->freedom;
    if (!search->out->place_count || search->out->row != search->row)
        return;
    double share = 0.25;
    for (int halving = 0; halving < 8; halving++, share /= 2)
        for (uint32_t k = 0; k < 2 * freedom->count; k++) {
            const struct interval side = freedom->range[k / 2];
            struct box at;
            if (isinf(side.lo) || isinf(side.hi))
                continue;
            for (uint32_t n = 0; n < freedom->count; n++)
                at.side[n] = point(search->out->place[n].value);
            const double step = (k % 2 ? -share : share) * (side.hi - side.lo);
            at.side[k / 2] = point(fmin(fmax(at.side[k / 2].lo + step, side.lo), side.hi));
            sample(search, &at);
        }
}

/* The side that the sum varies most along; an unbounded one goes first. */
static int32_t widest(const struct freedom *freedom, const struct box *box)
{
    int32_t best = -1;
    double most = 0;
    for (uint32_t k = 0; k < freedom->count; k++) {
        const struct interval side = box->side[k];
        const double width = side.hi - side.lo;
        double score = freedom->has_jump ? width : width * magnitude(freedom->gradient[k]);
        if (!(width > 1e-9 * fmax(1, magnitude(side))))
            continue;
        if (isnan(score) || isinf(width))
            score = INFINITY;
        if (score > most || best < 0) {
            most = score;
            best = (int32_t)k;
        }
    }
    return best;
}

/* Shrinks the box and lowers its bound. */
static void bound_box(struct search *search, struct box *box)
{
    struct freedom *freedom = search->freedom;
    for (int pass = 0; pass < PASSES; pass++) {
        const double at_middle = sample_middle(search, box);
        box_evaluate(freedom, box);
        box->bound = fmin(box->bound, box_row_sum(freedom, box, search->row));
        box_differentiate(freedom, box, search->row);
        if (freedom->has_jump)
            break;
        box->bound = fmin(box->bound, mean_value(freedom, box, at_middle));
        if (!shrink(freedom, box))
            break;
    }
    box->widest = widest(freedom, box);
}

/* ---- Boxes, the one with the largest bound first ---- */

static void push(struct search *search, const struct box *box)
{
    uint32_t at = search->count++;
    for (; at > 0 && search->heap[(at - 1) / 2].bound < box->bound; at = (at - 1) / 2)
        search->heap[at] = search->heap[(at - 1) / 2];
    search->heap[at] = *box;
}

static struct box pop(struct search *search)
{
    const struct box top = search->heap[0];
    const struct box last = search->heap[--search->count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= search->count)
            break;
        if (child + 1 < search->count && search->heap[child + 1].bound > search->heap[child].bound)
            child++;
        if (search->heap[child].bound <= last.bound)
            break;
        search->heap[at] = search->heap[child];
        at = child;
    }
    search->heap[at] = last;
    return top;
}

static void split(struct search *search, const struct box *box)
{
    const int32_t k = box->widest;
    if (k < 0) {
        search->out->bound = fmax(search->out->bound, box->bound); /* nothing is left to halve */
        return;
    }
    const struct interval side = box->side[k];
    const bool has_ends = !isinf(side.lo) && !isinf(side.hi);
    const bool is_convex = has_ends && !(search->freedom->is_curved[search->row] >> k & 1);
    const double m = middle(side);
    for (int half = 0; half < 2; half++) {
        struct box part = *box;
        part.side[k] = is_convex ? point(half ? side.hi : side.lo)
                       : half    ? (struct interval){m, side.hi}
                                 : (struct interval){side.lo, m};
        bound_box(search, &part);
        push(search, &part);
    }
    search->boxes += 2;
}

static void search_row(struct search *search)
{
    struct contraction *out = search->out;
    struct box root = {.bound = INFINITY};
    memcpy(root.side, search->freedom->range, sizeof root.side);
    search->count = search->boxes = 0;
    bound_box(search, &root);
    push(search, &root);
    while (search->count > 0) {
        const struct box top = pop(search);
        const bool is_open = out->found <= CONTRACTION_ONE && top.bound > CONTRACTION_ONE;
        const bool is_near = (top.bound <= out->found * (1 + NEAR) && !is_open) ||
                             top.bound <= out->bound || (search->is_decision && !is_open);
        const bool is_out_of_time =
            search->boxes >= search->room || (isinf(top.bound) && search->boxes >= BOXES_UNBOUNDED);
        if (is_near || is_out_of_time) {
            out->bound = fmax(out->bound, top.bound); /* no other is larger */
            return;
        }
        split(search, &top);
        if (search->boxes == 32 || search->boxes == 256)
            climb(search);
    }
}

static void find(struct contraction *out, const struct ir *ir, const struct range *state,
                 double scale, bool is_decision, struct arena *arena)
{
    struct freedom freedom;
    *out = (struct contraction){.place = NULL};
    for (uint32_t i = 0; i < ir->states; i++)
        if (state[i].may_be_nan) {
            out->bound = INFINITY;
            return;
        }
    freedom_find(&freedom, ir, state, scale, arena);
    if (freedom.is_large) {
        out->bound = INFINITY;
        return;
    }
    out->place = arena_array(arena, FREEDOM_MAX, sizeof *out->place);
    assert(ir->states > 0);
    const uint32_t boxes = WORK_MAX / (freedom.insn_count + 1);
    struct search search = {.freedom = &freedom,
                            .out = out,
                            .room = (boxes < BOXES_MAX ? boxes : BOXES_MAX) / ir->states,
                            .is_decision = is_decision};
    search.heap = arena_array(arena, search.room + 4, sizeof *search.heap);
    for (search.row = 0; search.row < ir->states; search.row++)
        search_row(&search);
}

void contraction_find(struct contraction *out, const struct ir *ir, const struct range *state,
                      struct arena *arena)
{
    find(out, ir, state, 1, false, arena);
}

double contraction_scale(const struct ir *ir, const struct range *state, struct arena *arena)
{
    enum { PARTS = 64 };
    int lo = 0, hi = PARTS + 1;
    bool has_scale = false;
    for (uint32_t i = 0; i < ir->decl_count; i++) {
        const struct ir_decl *decl = &ir->decls[i];
        has_scale |= decl->role == IR_ROLE_PARAM && decl->has_range && decl->lo == -decl->hi;
    }
    while (has_scale && hi - lo > 1) {
        const int part = (lo + hi) / 2;
        struct contraction found;
        find(&found, ir, state, (double)part / PARTS, true, arena);
        if (found.bound <= CONTRACTION_ONE)
            lo = part;
        else
            hi = part;
    }
    return (double)lo / PARTS;
}
