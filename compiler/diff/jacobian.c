#include "jacobian.h"

#include "diff.h"
#include "partial.h"

#include <assert.h>
#include <string.h>

/* Vertex elimination on the linearised computational graph (Griewank and Walther 2008, Evaluating
 * Derivatives, 2nd edition, sections 9.2 and 10.1). Vertices are the states, the instructions of
 * the step that depend on one, and a sink for each next state; an edge carries a local partial.
 * Eliminating an instruction multiplies each edge into it with each edge out of it and adds where
 * there is an edge already; what is left leads from states to sinks: the Jacobian. In order of the
 * instructions this is forward mode, in reverse order reverse mode; the order of Markowitz, the
 * vertex of the fewest products first, sums what meets at a vertex before it goes on from there. */

enum { NONE = UINT32_MAX, GREEDY_MOST = 2048, EDGES_FIRST = 64 };

struct edge {
    uint32_t from, to;
    uint32_t next_in, next_out; /* further edges into 'to' and out of 'from' */
    struct partial partial;
    bool is_gone;
};

struct graph {
    struct ir *ir;
    uint32_t *first_in, *first_out; /* per vertex: an edge or NONE */
    struct edge *edges;
    uint32_t edge_count, edge_room;
    uint64_t products; /* that are no multiplication by 1, so far */
};

static bool is_one(const struct graph *graph, struct partial partial)
{
    return ir_is_constant(graph->ir, partial.value, 1.0);
}

static uint32_t first_alive(const struct graph *graph, uint32_t edge, bool is_in)
{
    while (edge != NONE && graph->edges[edge].is_gone)
        edge = is_in ? graph->edges[edge].next_in : graph->edges[edge].next_out;
    return edge;
}

static uint32_t in_first(const struct graph *graph, uint32_t vertex)
{
    return first_alive(graph, graph->first_in[vertex], true);
}

static uint32_t in_next(const struct graph *graph, uint32_t edge)
{
    return first_alive(graph, graph->edges[edge].next_in, true);
}

static uint32_t out_first(const struct graph *graph, uint32_t vertex)
{
    return first_alive(graph, graph->first_out[vertex], false);
}

static uint32_t out_next(const struct graph *graph, uint32_t edge)
{
    return first_alive(graph, graph->edges[edge].next_out, false);
}

static void edge_append(struct graph *graph, uint32_t from, uint32_t to, struct partial partial)
{
    if (graph->edge_count == graph->edge_room) {
        const struct edge *old = graph->edges;
        graph->edge_room *= 2;
        graph->edges = arena_array(graph->ir->arena, graph->edge_room, sizeof *graph->edges);
        memcpy(graph->edges, old, graph->edge_count * sizeof *old);
    }
    const uint32_t edge = graph->edge_count++;
    graph->edges[edge] = (struct edge){.from = from,
                                       .to = to,
                                       .next_in = graph->first_in[to],
                                       .next_out = graph->first_out[from],
                                       .partial = partial};
    graph->first_in[to] = graph->first_out[from] = edge;
}

static void edge_add(struct graph *graph, uint32_t from, uint32_t to, struct partial partial)
{
    if (partial_is_zero(partial))
        return;
    for (uint32_t e = in_first(graph, to); e != NONE; e = in_next(graph, e))
        if (graph->edges[e].from == from) {
            graph->edges[e].partial = partial_sum(graph->ir, graph->edges[e].partial, partial);
            return;
        }
    edge_append(graph, from, to, partial);
}

/* Products of the elimination: those that make an instruction first, then all. */
static uint64_t markowitz(const struct graph *graph, uint32_t vertex)
{
    uint64_t in = 0, out = 0, in_ones = 0, out_ones = 0;
    for (uint32_t e = in_first(graph, vertex); e != NONE; e = in_next(graph, e)) {
        in++;
        in_ones += is_one(graph, graph->edges[e].partial);
    }
    for (uint32_t e = out_first(graph, vertex); e != NONE; e = out_next(graph, e)) {
        out++;
        out_ones += is_one(graph, graph->edges[e].partial);
    }
    return (in - in_ones) * (out - out_ones) << 32 | (in * out);
}

static void eliminate(struct graph *graph, uint32_t vertex)
{
    graph->products += markowitz(graph, vertex) >> 32;
    for (uint32_t a = in_first(graph, vertex); a != NONE; a = in_next(graph, a))
        for (uint32_t b = out_first(graph, vertex); b != NONE; b = out_next(graph, b)) {
            const struct edge in = graph->edges[a], out = graph->edges[b];
            edge_add(graph, in.from, out.to, partial_chain(graph->ir, in.partial, out.partial));
        }
    for (uint32_t e = graph->first_in[vertex]; e != NONE; e = graph->edges[e].next_in)
        graph->edges[e].is_gone = true;
    for (uint32_t e = graph->first_out[vertex]; e != NONE; e = graph->edges[e].next_out)
        graph->edges[e].is_gone = true;
}

/* The vertex of a value, or NONE where no state is in it. States come first, then instructions. */
static uint32_t vertex_of(const struct graph *graph, ir_ref ref)
{
    if (ir_kind(ref) == IR_STATE)
        return ir_index(ref);
    if (ir_kind(ref) != IR_VALUE)
        return NONE;
    const uint32_t vertex = graph->ir->states + ir_index(ref);
    return graph->first_in[vertex] == NONE ? NONE : vertex;
}

/* Edges into instruction i of the step. */
static void linearise(struct graph *graph, uint32_t i, enum jacobian_detach detach)
{
    struct ir *ir = graph->ir;
    const struct ir_insn insn = ir->insns[i];
    const ir_ref operand[3] = {insn.a, insn.b, insn.c};
    const unsigned arity = ir_op_arity((enum ir_op)insn.op);

    assert(arity <= 3);
    if (insn.op == IR_DETACH && detach == DETACH_IS_CONSTANT)
        return;
    ir->span = insn.span;
    for (unsigned k = 0; k < arity; k++) {
        const uint32_t from = vertex_of(graph, operand[k]);
        if (from != NONE)
            edge_add(graph, from, ir->states + i, partial_of(ir, i, k));
    }
}

static void reckon_neighbours(const struct graph *graph, uint32_t vertex, uint64_t *cost)
{
    for (uint32_t e = graph->first_in[vertex]; e != NONE; e = graph->edges[e].next_in)
        cost[graph->edges[e].from] = markowitz(graph, graph->edges[e].from);
    for (uint32_t e = graph->first_out[vertex]; e != NONE; e = graph->edges[e].next_out)
        cost[graph->edges[e].to] = markowitz(graph, graph->edges[e].to);
}

static uint32_t cheapest(const uint32_t *vertices, uint32_t count, const uint64_t *cost)
{
    uint32_t best = 0;
    for (uint32_t at = 1; at < count; at++)
        if (cost[vertices[at]] < cost[vertices[best]])
            best = at;
    return best;
}

/* In the order of Markowitz as long as that takes no more products than forward mode can; the rest,
 * and large steps, in order. 'cost': room for each vertex. */
static void eliminate_all(struct graph *graph, uint32_t *vertices, uint32_t count, uint64_t *cost)
{
    const uint64_t products_most = (uint64_t)graph->ir->states * graph->edge_count;
    for (uint32_t at = 0; at < count; at++)
        cost[vertices[at]] = markowitz(graph, vertices[at]);
    for (uint32_t left = count; left > 0; left--) {
        const bool is_greedy = count <= GREEDY_MOST && graph->products <= products_most;
        const uint32_t at = is_greedy ? cheapest(vertices, left, cost) : 0, vertex = vertices[at];
        graph->ir->span = graph->ir->insns[vertex - graph->ir->states].span;
        eliminate(graph, vertex);
        reckon_neighbours(graph, vertex, cost);
        memmove(vertices + at, vertices + at + 1, (left - at - 1) * sizeof *vertices);
    }
}

void jacobian_add(struct ir *ir, const struct structure *structure, enum ir_out_kind kind,
                  enum jacobian_detach detach)
{
    const uint32_t count = ir->insn_count, sinks = ir->states + count, all = sinks + ir->states;
    const struct span span = ir->span;
    uint8_t *live = arena_alloc(ir->arena, count);
    uint32_t *vertices = arena_array(ir->arena, count, sizeof *vertices), vertex_count = 0;
    struct graph graph = {.ir = ir,
                          .first_in = arena_array(ir->arena, all, sizeof *graph.first_in),
                          .first_out = arena_array(ir->arena, all, sizeof *graph.first_out),
                          .edges = arena_array(ir->arena, EDGES_FIRST, sizeof *graph.edges),
                          .edge_room = EDGES_FIRST};

    memset(graph.first_in, 0xff, all * sizeof *graph.first_in);
    memset(graph.first_out, 0xff, all * sizeof *graph.first_out);
    ir_reach(ir, IR_MASK(IR_OUT_NEXT), live);
    for (uint32_t i = 0; i < count; i++) {
        if (!live[i])
            continue;
        linearise(&graph, i, detach);
        if (graph.first_in[ir->states + i] != NONE)
            vertices[vertex_count++] = ir->states + i;
    }
    for (uint32_t i = 0; i < ir->states; i++) {
        const uint32_t from = vertex_of(&graph, ir_find_out(ir, IR_OUT_NEXT, i, 0));
        if (from != NONE)
            edge_add(&graph, from, sinks + i, partial_from(ir_constant(ir, 1.0)));
    }
    eliminate_all(&graph, vertices, vertex_count, arena_array(ir->arena, all, sizeof(uint64_t)));
    ir->span = span;
    for (uint32_t j = 0; j < ir->states; j++)
        for (uint32_t i = 0; i < ir->states; i++)
            for (uint32_t e = in_first(&graph, sinks + i); e != NONE; e = in_next(&graph, e))
                if (graph.edges[e].from == j) {
                    assert(structure->depends[i] >> j & 1);
                    ir_add_out(ir, kind, i, j, partial_value(ir, graph.edges[e].partial));
                }
    (void)structure;
}

void jacobian_build(struct ir *ir, const struct structure *structure)
{
    jacobian_add(ir, structure, IR_OUT_JACOBIAN, DETACH_IS_TRANSPARENT);
}
