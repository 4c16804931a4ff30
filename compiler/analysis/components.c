#include "components.h"

enum { UNSEEN = 0 };

/* Tarjan's algorithm (SIAM J. Comput. 1, 1972) with a stack of its own: a chain of states may be as
 * long as the cell, longer than a C stack should be deep. Walking from the reader to what it reads
 * completes components in the order in which they can be computed. */
struct tarjan {
    const struct pattern *reads;
    struct components *out;
    uint32_t *number; /* order of discovery from 1, UNSEEN */
    uint32_t *low;    /* smallest number reached from the node's subtree */
    uint32_t *open;   /* nodes whose component is not complete */
    bool *is_open;
    uint32_t *walk;      /* the path from the root ... */
    uint32_t *next_edge; /* ... and for each node the column to look at next */
    uint32_t open_count, walk_count, counter;
};

static void enter(struct tarjan *t, uint32_t node)
{
    t->number[node] = t->low[node] = ++t->counter;
    t->open[t->open_count++] = node;
    t->is_open[node] = true;
    t->walk[t->walk_count++] = node;
}

static void take_low(struct tarjan *t, uint32_t node, uint32_t low)
{
    if (low < t->low[node])
        t->low[node] = low;
}

static void leave(struct tarjan *t, uint32_t node)
{
    t->walk_count--;
    if (t->walk_count > 0)
        take_low(t, t->walk[t->walk_count - 1], t->low[node]);
    if (t->low[node] != t->number[node])
        return;
    for (uint32_t member = UINT32_MAX; member != node;) {
        member = t->open[--t->open_count];
        t->is_open[member] = false;
        t->out->of[member] = t->out->count;
    }
    t->out->count++;
}

static void walk_from(struct tarjan *t, uint32_t root)
{
    enter(t, root);
    while (t->walk_count > 0) {
        const uint32_t node = t->walk[t->walk_count - 1];
        if (t->next_edge[node] == t->reads->columns) {
            leave(t, node);
            continue;
        }
        const uint32_t read = t->next_edge[node]++;
        if (!pattern_has(t->reads, node, read))
            continue;
        if (t->number[read] == UNSEEN)
            enter(t, read);
        else if (t->is_open[read])
            take_low(t, node, t->number[read]);
    }
}

void components_find(struct components *out, const struct pattern *reads, struct arena *arena)
{
    const uint32_t n = reads->rows;
    struct tarjan t = {
        .reads = reads,
        .out = out,
        .number = arena_array(arena, n, sizeof *t.number),
        .low = arena_array(arena, n, sizeof *t.low),
        .open = arena_array(arena, n, sizeof *t.open),
        .is_open = arena_array(arena, n, sizeof *t.is_open),
        .walk = arena_array(arena, n, sizeof *t.walk),
        .next_edge = arena_array(arena, n, sizeof *t.next_edge),
    };
    out->count = 0;
    out->of = arena_array(arena, n, sizeof *out->of);
    for (uint32_t i = 0; i < n; i++)
        if (t.number[i] == UNSEEN)
            walk_from(&t, i);

    /* Sort the nodes by component, ascending within each. */
    out->first = arena_array(arena, (size_t)out->count + 1, sizeof *out->first);
    out->node = arena_array(arena, n, sizeof *out->node);
    uint32_t *fill = arena_array(arena, (size_t)out->count + 1, sizeof *fill);
    for (uint32_t i = 0; i < n; i++)
        out->first[out->of[i] + 1]++;
    for (uint32_t c = 0; c < out->count; c++) {
        out->first[c + 1] += out->first[c];
        fill[c] = out->first[c];
    }
    for (uint32_t i = 0; i < n; i++)
        out->node[fill[out->of[i]]++] = i;
}

static uint32_t trace_back(const uint32_t *before, uint32_t from, uint32_t last, uint32_t *path,
                           uint32_t room)
{
    uint32_t length = 2;
    for (uint32_t node = last; node != from; node = before[node])
        length++;
    uint32_t place = length - 1;
    if (place < room)
        path[place] = from;
    for (uint32_t node = last; place-- > 0; node = before[node])
        if (place < room)
            path[place] = node;
    return length;
}

/* Breadth first from 'from' to its readers; the first that is read by 'from' closes the cycle. */
uint32_t components_cycle(const struct pattern *reads, uint32_t from, bool is_self_enough,
                          uint32_t *path, uint32_t room, struct arena *arena)
{
    const uint32_t n = reads->rows;
    uint32_t *before = arena_array(arena, n, sizeof *before);
    uint32_t *queue = arena_array(arena, n, sizeof *queue);
    bool *is_seen = arena_array(arena, n, sizeof *is_seen);
    uint32_t head = 0, tail = 0;

    queue[tail++] = from;
    is_seen[from] = true;
    while (head < tail) {
        const uint32_t node = queue[head++];
        if (pattern_has(reads, from, node) && (node != from || is_self_enough))
            return trace_back(before, from, node, path, room);
        for (uint32_t reader = 0; reader < n; reader++)
            if (!is_seen[reader] && pattern_has(reads, reader, node)) {
                is_seen[reader] = true;
                before[reader] = node;
                queue[tail++] = reader;
            }
    }
    return 0;
}
