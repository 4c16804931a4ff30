#include "extent.h"

/* Bytes that a tensor may reach: as far as no process has addresses. */
#define REACH_MAX ((int64_t)1 << 55)

bool extent_bound(struct extent *extent)
{
    int64_t below = 0, above = extent->width;
    for (int axis = 0; axis < EXTENT_AXES; axis++) {
        int64_t reach;
        if (__builtin_mul_overflow(extent->count[axis] - 1, extent->stride[axis], &reach) ||
            reach > REACH_MAX || reach < -REACH_MAX)
            return false;
        *(reach < 0 ? &below : &above) += reach;
    }
    if (above > REACH_MAX || below < -REACH_MAX ||
        __builtin_add_overflow(extent->base, above, &extent->hi) ||
        __builtin_add_overflow(extent->base, below, &extent->lo) || extent->hi > INT64_MAX)
        return false;
    return true;
}

static int64_t magnitude(int64_t value)
{
    return value < 0 ? -value : value;
}

/* Dense: every byte between its ends belongs to it. Then its axes, in some order, continue each
 * other. */
static bool is_solid(const struct extent *extent)
{
    int64_t bytes = extent->width;
    for (int turn = 0; turn < EXTENT_AXES; turn++)
        for (int axis = 0; axis < EXTENT_AXES; axis++)
            if (extent->count[axis] > 1 && magnitude(extent->stride[axis]) == bytes)
                bytes *= extent->count[axis];
    return (uint64_t)bytes == extent->hi - extent->lo;
}

static bool is_within(uintptr_t address, const struct extent *extent)
{
    return address >= extent->lo && address < extent->hi;
}

static int64_t divide_down(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

/* Integers k of [*first, *last] with least <= k * stride <= most; false: there are none. */
static bool narrow(int64_t *first, int64_t *last, int64_t stride, int64_t least, int64_t most)
{
    if (stride == 0)
        return *first <= *last && least <= 0 && most >= 0;
    const int64_t low = stride > 0 ? least : most, high = stride > 0 ? most : least;
    const int64_t from = -divide_down(-low, stride), to = divide_down(high, stride);
    *first = from > *first ? from : *first;
    *last = to < *last ? to : *last;
    return *first <= *last;
}

/* One axis of the distance between a row of one tensor and a row of the other: k * stride for k
 * from 'first' to 'last'. */
struct axis {
    int64_t stride, first, last;
};

/* Whether distance + i * outer.stride + j * inner.stride falls on [least, most] for some i and j of
 * their axes. */
static bool falls_on(int64_t distance, struct axis outer, struct axis inner, int64_t least,
                     int64_t most)
{
    enum { TRIES_MAX = 64 };
    if (magnitude(outer.stride) < magnitude(inner.stride)) {
        const struct axis kept = outer;
        outer = inner;
        inner = kept;
    }
    const int64_t one = inner.first * inner.stride, other = inner.last * inner.stride;
    const int64_t under = one < other ? one : other, over = one < other ? other : one;
    if (!narrow(&outer.first, &outer.last, outer.stride, least - distance - over,
                most - distance - under))
        return false;
    if (outer.stride == 0)
        outer.last = outer.first;
    if (outer.last - outer.first > TRIES_MAX)
        return false;
    for (int64_t i = outer.first; i <= outer.last; i++) {
        const int64_t rest = distance + i * outer.stride;
        struct axis j = inner;
        if (narrow(&j.first, &j.last, j.stride, least - rest, most - rest))
            return true;
    }
    return false;
}

bool extent_meet(const struct extent *a, const struct extent *b)
{
    struct axis axes[EXTENT_ELEMENT];
    if (a->hi <= b->lo || b->hi <= a->lo)
        return false;
    if (is_solid(a) && (is_within(b->lo, a) || is_within(b->hi - 1, a)))
        return true;
    if (is_solid(b) && (is_within(a->lo, b) || is_within(a->hi - 1, b)))
        return true;
    for (int k = 0; k < EXTENT_ELEMENT; k++) {
        if (a->count[k] > 1 && b->count[k] > 1 && a->stride[k] != b->stride[k])
            return false;
        axes[k] = (struct axis){a->count[k] > 1 ? a->stride[k] : b->stride[k], 1 - b->count[k],
                                a->count[k] - 1};
        if (axes[k].first == axes[k].last)
            axes[k].stride = 0;
    }
    for (int64_t e = 0; e < a->count[EXTENT_ELEMENT]; e++)
        for (int64_t f = 0; f < b->count[EXTENT_ELEMENT]; f++) {
            const int64_t distance = (int64_t)a->base + e * a->stride[EXTENT_ELEMENT] -
                                     ((int64_t)b->base + f * b->stride[EXTENT_ELEMENT]);
            /* A row of b begins before a's ends, and ends behind a's beginning. */
            if (falls_on(distance, axes[0], axes[1], 1 - a->width, b->width - 1))
                return true;
        }
    return false;
}

/* Each axis steps over all that the shorter ones reach, as in every ordinary layout. */
static bool is_nested(const struct extent *extent)
{
    int64_t reach = extent->width;
    bool is_done[EXTENT_AXES] = {false};
    for (int turn = 0; turn < EXTENT_AXES; turn++) {
        int shortest = -1;
        for (int axis = 0; axis < EXTENT_AXES; axis++)
            if (!is_done[axis] && (shortest < 0 || magnitude(extent->stride[axis]) <
                                                       magnitude(extent->stride[shortest])))
                shortest = axis;
        is_done[shortest] = true;
        if (extent->count[shortest] < 2)
            continue;
        if (magnitude(extent->stride[shortest]) < reach)
            return false;
        reach += (extent->count[shortest] - 1) * magnitude(extent->stride[shortest]);
    }
    return true;
}

bool extent_folds(const struct extent *extent)
{
    if (is_nested(extent))
        return false;
    const int64_t most = extent->width - 1, last[] = {extent->count[0] - 1, extent->count[1] - 1};
    const struct axis all[] = {{last[0] ? extent->stride[0] : 0, -last[0], last[0]},
                               {last[1] ? extent->stride[1] : 0, -last[1], last[1]}};
    /* Every pair of rows once: another element; else a later batch; else a later step. */
    for (int64_t e = 1; e < extent->count[EXTENT_ELEMENT]; e++)
        if (falls_on(e * extent->stride[EXTENT_ELEMENT], all[0], all[1], -most, most))
            return true;
    return (last[0] > 0 &&
            falls_on(0, (struct axis){extent->stride[0], 1, last[0]}, all[1], -most, most)) ||
           (last[1] > 0 && falls_on(0, (struct axis){0, 0, 0},
                                    (struct axis){extent->stride[1], 1, last[1]}, -most, most));
}
