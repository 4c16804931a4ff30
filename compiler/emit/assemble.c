#include "assemble.h"

#include "cost.h"

#include "embedded.h"
#include "textcheck.h"

#include <math.h>
#include <string.h>

/* Files of a text, in order. NULL stands for the emitted half. */
static const char *const common_files[] = {"storage.h", "math_strict.h", "math_accurate.h",
                                           "math_fast.h"};
enum { KERNEL_FILES = 16 };
static const char *const kernel_files[ASSEMBLE_KERNEL_COUNT][KERNEL_FILES] = {
    [ASSEMBLE_CPU] = {"place.h", "cpu_forward.h", "cpu_backward.h", "cpu_entries.h"},
    [ASSEMBLE_FORWARD] = {"place.h", "affine.h", "ring.h", "rows_out.h", "chunk.h",
                          "chunk_inputs.h", "chunk_run.h", "chunk_tangent.h", "chunk_record.h",
                          "tile.h", "witness.h", "scan.h", "tile_newton.h", "block_report.h",
                          "forward.h"},
    [ASSEMBLE_BACKWARD] = {"place.h", "affine.h", "ring.h", "rows_out.h", "chunk.h",
                           "shared_inputs.h", "scan.h", "backward_run.h", "backward_sums.h",
                           "backward.h", "reduce_partials.h"},
    [ASSEMBLE_DECODE] = {"place.h", "decode.h"},
    [ASSEMBLE_SCAN] = {"place.h", "affine.h", "scan.h", "scan_given.h"},
    [ASSEMBLE_COMPARE] = {"place.h", "compare_arrays.h"},
};
static const char *const long_backward_files[KERNEL_FILES] = {
    "place.h",        "affine.h",        "ring.h",          "rows_out.h",
    "chunk.h",        "shared_inputs.h", "tile.h",          "scan.h",
    "backward_run.h", "backward_sums.h", "backward_long.h", "reduce_partials.h"};
static const char *const guessing_forward_files[KERNEL_FILES] = {
    "place.h",     "affine.h",     "ring.h",         "rows_out.h", "chunk.h", "chunk_inputs.h",
    "chunk_run.h", "tile.h",       "witness.h",      "scan.h",     "lane.h",  "lane_rows.h",
    "lanes_run.h", "tile_guess.h", "block_report.h", "forward.h"};
static const char *const kernel_names[ASSEMBLE_KERNEL_COUNT] = {
    [ASSEMBLE_CPU] = "cpu",       [ASSEMBLE_FORWARD] = "forward", [ASSEMBLE_BACKWARD] = "backward",
    [ASSEMBLE_DECODE] = "decode", [ASSEMBLE_SCAN] = "scan",       [ASSEMBLE_COMPARE] = "compare",
};

enum { REPORT_ALIGN = 16, SHARED_MAX = 227 * 1024, THREADS_MAX = 1024 };

/* The kernel's own counts, from the cell or from the block of a given scan. */
struct counts {
    const struct ir *ir; /* NULL: no cell */
    uint32_t states, inputs, shared_inputs, shared_gradients, params, outputs, gradients, jacobian;
};

static uint32_t bit_count(uint32_t bits)
{
    uint32_t count = 0;
    for (; bits; bits &= bits - 1)
        count++;
    return count;
}

static uint32_t power_of_two_from(uint32_t least)
{
    uint32_t power = 1;
    while (power < least)
        power *= 2;
    return power;
}

static struct counts counts_of(const struct ir *ir, const struct assemble_options *o)
{
    struct counts n = {0};
    if (o->kernel == ASSEMBLE_COMPARE) {
        n.states = 1;
        n.inputs = 2;
        return n;
    }
    if (o->kernel == ASSEMBLE_SCAN) {
        n.states = o->scan_block;
        n.jacobian = o->scan_is_diagonal ? o->scan_block : o->scan_block * o->scan_block;
        n.inputs = n.jacobian + n.states;
        return n;
    }
    n.ir = ir;
    n.states = ir->states;
    n.inputs = ir->inputs;
    n.params = ir->params;
    n.outputs = ir_expression_count(ir);
    n.gradients = bit_count(o->state_gradient);
    for (uint32_t i = 0; i < ir->decl_count; i++) {
        const struct ir_decl *decl = &ir->decls[i];
        if (decl->role != IR_ROLE_INPUT || !decl->is_shared)
            continue;
        n.shared_inputs += decl->count;
        n.shared_gradients += decl->no_gradient ? 0 : decl->count;
    }
    return n;
}

/* Rows that a step of a cell's kernel reads. */
static uint32_t rows_of(const struct counts *n, const struct assemble_options *o)
{
    const bool is_backward = o->kernel == ASSEMBLE_BACKWARD;
    return n->inputs - n->shared_inputs + (is_backward ? n->states + n->gradients + n->outputs : 0);
}

bool assemble_is_long(const struct assemble_options *o)
{
    enum { LONG = 32 };
    return o->kernel == ASSEMBLE_BACKWARD && o->strategy.tile_chunks > 1 &&
           o->strategy.chunk >= LONG;
}

bool assemble_is_guessing(const struct assemble_options *o)
{
    return o->kernel == ASSEMBLE_FORWARD && !o->strategy.stages && o->strategy.tile_chunks > 1;
}

/* Steps of a chunk that a stage of the ring holds. */
static uint32_t slice_of(const struct assemble_options *o)
{
    return assemble_is_long(o) ? ASSEMBLE_SLICE : o->strategy.chunk;
}

/* Loops over steps are unrolled by 4, but for large cells, of which every copy keeps NVRTC busy.
 * Without a ring by 8, for so many steps are on their way; fewer where their rows and the
 * parameters would need more registers than there are. */
static uint32_t unrolled_steps(const struct counts *n, const struct assemble_options *o)
{
    enum { WEIGHT_MOST = 1500, AHEAD_MOST = 8, WORDS_MOST = 96 };
    const struct strategy *s = &o->strategy;
    const bool is_large = n->ir && cost_weight(n->ir) > WEIGHT_MOST;
    const uint32_t slice = slice_of(o);
    uint32_t most = is_large ? 1 : s->stages ? 4 : AHEAD_MOST;
    while (!s->stages && most > 1 && (n->params + n->inputs * most) * s->vc > WORDS_MOST)
        most /= 2;
    uint32_t steps = slice < 1 ? 1 : slice < most ? slice : most;
    while (slice % steps)
        steps--;
    return steps;
}

/* log2 of the parts of a chunk that can be run again each alone: short, for they are run at the
 * same time, but long enough that asking for the first rows does not count, and as far as there is
 * room for the states before them. */
static uint32_t log2_parts_of(const struct counts *n, const struct assemble_options *o)
{
    enum { MOST = 3, SHORTEST = 16, ROOM = 64 * 1024 };
    const struct strategy *s = &o->strategy;
    const uint64_t real = o->storage == ASSEMBLE_F64 ? 8 : 4;
    const uint64_t states = (uint64_t)n->states * s->lanes * s->vc * s->tile_chunks * real;
    uint32_t log2_parts = MOST;
    while (log2_parts > 0 && (s->chunk >> log2_parts < SHORTEST || states << log2_parts > ROOM))
        log2_parts--;
    return log2_parts;
}

static uint32_t parts_of(const struct counts *n, const struct assemble_options *o)
{
    return assemble_is_guessing(o) ? 1u << log2_parts_of(n, o) : 0;
}

static uint64_t lane_row_bytes(const struct counts *n, const struct assemble_options *o)
{
    const uint64_t word = o->storage == ASSEMBLE_F64 ? 8 : 4;
    return n->inputs * o->strategy.tile_chunks * o->strategy.lanes * word;
}

/* Shared memory of a kernel: byte offsets of its arrays. */
struct layout {
    uint64_t ring, common, entries, parts, exits, tangents, sizes, lefts, wanted, rows, carry, maps,
        public_maps, flags, report, bytes;
    uint64_t ring_pad;   /* elements behind each chunk of the ring */
    uint32_t lane_ahead; /* steps that a lane asks for ahead */
};

/* Chunks of one warp would begin in the same banks: move each by a row. */
static uint64_t ring_pad(const struct assemble_options *o, uint64_t rows, uint64_t row_bytes,
                         uint64_t element)
{
    enum { BANKS_BYTES = 128 };
    if (!row_bytes || row_bytes >= BANKS_BYTES || o->strategy.tile_chunks == 1)
        return 0;
    return (BANKS_BYTES + row_bytes - slice_of(o) * rows * row_bytes % BANKS_BYTES) % BANKS_BYTES /
           element;
}

/* As many steps ahead as take 'room'. */
static uint32_t lane_ahead(const struct counts *n, const struct assemble_options *o, uint64_t room)
{
    enum { LEAST = 2, MOST = 18 };
    const uint64_t bytes = lane_row_bytes(n, o), fit = bytes ? room / bytes : MOST;
    return fit < LEAST ? LEAST : fit < MOST ? (uint32_t)fit : MOST;
}

static struct layout layout_with(const struct counts *n, const struct assemble_options *o,
                                 uint64_t lane_room)
{
    const struct strategy *s = &o->strategy;
    const uint64_t real = o->storage == ASSEMBLE_F64 ? 8 : 4,
                   element = assemble_element_bytes(o->storage);
    const uint64_t channels = (uint64_t)s->lanes * s->vc, w = s->tile_chunks;
    const bool is_forward = o->kernel == ASSEMBLE_FORWARD;
    const uint64_t rows = rows_of(n, o);
    const uint64_t vector = n->states * channels * real, map = vector + n->states * vector;
    const uint64_t group =
        s->lanes && s->lanes < 32 ? 32 / s->lanes : 1; /* chunks of a warp, as in scan.h */
    const bool is_scanned = w * s->cluster > 1;
    struct layout at = {0};
    if (o->kernel == ASSEMBLE_DECODE)
        return at;
    if (o->kernel == ASSEMBLE_COMPARE) {
        at.bytes = w * s->lanes * real;
        return at;
    }
    if (o->kernel != ASSEMBLE_SCAN) {
        at.ring_pad = ring_pad(o, rows, channels * element, element);
        at.common = s->stages * w * (slice_of(o) * rows * channels + at.ring_pad) * element;
        at.common = (at.common + 15) / 16 * 16;
        at.entries = at.common + s->stages * w * slice_of(o) * n->shared_inputs * element;
        at.entries = (at.entries + 15) / 16 * 16;
    }
    at.parts = at.entries + (is_scanned && (is_forward || assemble_is_long(o)) ? w * vector : 0);
    at.exits = at.parts + parts_of(n, o) * w * vector;
    const uint64_t threads = assemble_is_guessing(o) ? w * s->lanes : 0;
    const uint64_t slots = s->vc * threads * real;
    at.tangents = at.exits + n->states * slots;
    at.sizes = at.tangents + n->states * n->states * slots;
    at.lefts = at.sizes + slots;
    at.wanted = at.lefts + slots;
    /* A multiple of 8 bytes, so that what follows is aligned. */
    at.rows = at.wanted + (s->vc * (threads / 32) * 4 + 7) / 8 * 8;
    at.lane_ahead = lane_ahead(n, o, lane_room);
    at.carry = at.rows + (threads ? at.lane_ahead * lane_row_bytes(n, o) : 0);
    const uint64_t parities = assemble_is_guessing(o) ? 1 : 2;
    at.maps = at.carry + (is_scanned && !is_forward ? vector : 0);
    at.public_maps = at.maps + (is_scanned ? w / group * map : 0);
    at.flags = at.public_maps + (s->cluster == 1 ? 0 : parities * s->cluster * map);
    at.report = (at.flags + (s->cluster == 1 ? 0 : 4 * s->cluster) + REPORT_ALIGN - 1) /
                REPORT_ALIGN * REPORT_ALIGN;
    at.bytes = at.report + (is_forward && is_scanned ? s->lanes * w * (real + 4) : 0);
    if (o->kernel == ASSEMBLE_BACKWARD && at.bytes < 8 * 32 * real)
        at.bytes = 8 * 32 * real; /* prnn_reduce */
    return at;
}

/* The further ahead lanes ask for their rows, the less they wait. But shared memory is taken from
 * the first-level cache, which the first run needs, and registers that are spilled, as where there
 * are so many inputs that few steps fit. */
static struct layout layout_of(const struct counts *n, const struct assemble_options *o)
{
    enum { ENOUGH = 28 * 1024, MUCH = 56 * 1024, LEAVES_HALF = 128 * 1024, FEW_STEPS = 4 };
    const struct layout much = layout_with(n, o, MUCH);
    return much.bytes <= LEAVES_HALF && much.lane_ahead > FEW_STEPS ? much
                                                                    : layout_with(n, o, ENOUGH);
}

/* Thread blocks of a multiprocessor of 64 Ki registers, as many as shared memory and registers let
 * in. */
static uint64_t blocks_of(uint32_t threads, uint64_t registers, uint64_t shared_bytes)
{
    const uint64_t by_memory = SHARED_MAX / (shared_bytes + 1024);
    const uint64_t by_registers = 65536 / (registers * threads);
    const uint64_t blocks = by_memory < by_registers ? by_memory : by_registers;
    return blocks < 1 ? 1 : blocks > 16 ? 16 : blocks;
}

/* About the fewest that ptxas needs without spills. */
static uint32_t registers_of(const struct counts *n, const struct assemble_options *o,
                             uint32_t recorded, uint32_t saved)
{
    const struct strategy *s = &o->strategy;
    const uint64_t states = n->states, vc = s->vc;
    /* What is counted for a state holds some parameters, too; backward each has a gradient. */
    const uint64_t params = n->params > 4 * states ? n->params - 4 * states : 0;
    uint64_t wanted = 48 + 16 * states * vc;
    if (o->kernel == ASSEMBLE_DECODE || o->kernel == ASSEMBLE_COMPARE || o->kernel == ASSEMBLE_SCAN)
        return 64;
    if (assemble_is_long(o))
        wanted += 4 * states * vc;
    else if (o->kernel == ASSEMBLE_BACKWARD && s->tile_chunks > 1)
        wanted += saved * s->chunk * vc;
    else if (recorded)
        wanted = 48 + (12 * states + 2 * states * states) * vc + recorded;
    else if (s->tile_chunks * s->cluster > 1)
        wanted += 4 * states * states * vc;
    else
        wanted += (o->kernel == ASSEMBLE_BACKWARD ? 3 : 1) * params * vc;
    if (!s->stages)
        wanted += 8 + (uint64_t)rows_of(n, o) * unrolled_steps(n, o) * vc;
    wanted *= o->storage == ASSEMBLE_F64 ? 2 : 1;
    return wanted > 240 ? 240 : (uint32_t)wanted;
}

static struct assemble_tile tile_of(const struct counts *n, const struct assemble_options *o,
                                    const struct structure *structure, uint64_t shared_bytes)
{
    const struct strategy *s = &o->strategy;
    const uint32_t threads = s->lanes * s->tile_chunks;
    const uint32_t unrolled = unrolled_steps(n, o);
    struct assemble_tile tile = {.registers = registers_of(n, o, 0, 0),
                                 .ahead = s->stages ? 0 : unrolled};
    if (assemble_is_long(o) && o->storage != ASSEMBLE_F64) {
        const struct settle_steps most =
            settle_trusted_steps(assemble_rounding(o->storage), s->guess);
        tile.warm_steps = most.all / slice_of(o) * slice_of(o);
        return tile;
    }
    if (o->kernel != ASSEMBLE_FORWARD || !structure || s->tile_chunks * s->cluster == 1)
        return tile;
    if (!n->outputs && o->storage != ASSEMBLE_F64 && s->stages) {
        const uint32_t words = structure_record_words(structure, n->ir, s->chunk * s->vc, false);
        const uint32_t halves = structure_record_words(structure, n->ir, s->chunk * s->vc, true);
        const uint32_t with_words = registers_of(n, o, words, 0),
                       with_halves = registers_of(n, o, halves, 0);
        tile.in_halves =
            halves > 0 && (!words || blocks_of(threads, with_words, shared_bytes) <
                                         blocks_of(threads, with_halves, shared_bytes));
        tile.recorded = tile.in_halves ? halves : words;
        if (tile.recorded)
            tile.registers = tile.in_halves ? with_halves : with_words;
    }
    if (!s->stages) {
        const enum settle_rounding rounding = assemble_rounding(o->storage);
        struct settle_steps most = settle_trusted_steps(rounding, s->guess);
        /* A double has 2.2 times the digits, and no approximation is as good. */
        if (o->storage == ASSEMBLE_F64)
            most.all = most.exact = most.all * 5 / 2;
        tile.warm_steps = s->chunk < most.all ? s->chunk : most.all / unrolled * unrolled;
        /* Where functions approximate anyway there is one kind of steps. */
        const uint32_t exact = o->mode == ASSEMBLE_ACCURATE ? most.exact : most.all;
        tile.warm_exact = s->chunk < exact ? s->chunk : exact / unrolled * unrolled;
        return tile;
    }
    /* Only nonlinear cells in single precision gain from a rough guess. */
    if (o->mode != ASSEMBLE_STRICT && o->storage != ASSEMBLE_F64 && !structure->is_affine) {
        const uint32_t most = settle_warm_steps(assemble_rounding(o->storage), tile.recorded > 0);
        tile.warm_steps = s->chunk < most ? s->chunk : most;
        tile.is_warm_ahead = tile.recorded > 0 && s->stages > 2;
    }
    return tile;
}

struct assemble_tile assemble_tile(const struct ir *ir, const struct structure *structure,
                                   const struct assemble_options *options)
{
    const struct counts n = counts_of(ir, options);
    return tile_of(&n, options, structure, layout_of(&n, options).bytes);
}

uint32_t assemble_shared_bytes(const struct ir *ir, const struct assemble_options *options)
{
    const struct counts n = counts_of(ir, options);
    const uint64_t bytes = layout_of(&n, options).bytes;
    return bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
}

static const char *refuse(const struct counts *n, const struct assemble_options *o)
{
    const struct strategy *s = &o->strategy;
    if (o->kernel == ASSEMBLE_CPU || o->kernel == ASSEMBLE_DECODE)
        return NULL;
    if (!s->lanes || !s->tile_chunks || !s->chunk || !s->cluster || s->vc < 1 || s->vc > 2)
        return "a strategy needs lanes, chunks, steps and a cluster of at least 1, and 1 or 2 "
               "channels a thread";
    if (s->lanes & (s->lanes - 1))
        return "lanes must be a power of two";
    if (s->lanes * s->tile_chunks > THREADS_MAX || s->lanes * s->tile_chunks % 32)
        return "lanes * chunks must be a multiple of 32 up to 1024";
    if (o->kernel == ASSEMBLE_SCAN || o->kernel == ASSEMBLE_COMPARE)
        return NULL;
    if (s->guess % SETTLE_GUESS_EVERY)
        return "an entry must be guessed from a multiple of 8 steps";
    if (s->stages == 1)
        return "the ring needs at least 2 stages, or 0 for none";
    if (!s->stages && o->kernel == ASSEMBLE_BACKWARD)
        return "the backward pass needs a ring of at least 2 stages";
    if (s->lanes * s->vc * assemble_element_bytes(o->storage) % 16)
        return "the channels of a thread block must fill 16 bytes";
    if (assemble_is_long(o) &&
        (s->chunk % slice_of(o) ||
         s->tile_chunks * (16 / assemble_element_bytes(o->storage)) / s->vc % slice_of(o)))
        return "long chunks of the backward pass need a multiple of 8 steps, and more chunks in a "
               "thread block";
    if (s->cluster > 1 && s->tile_chunks < 2)
        return "a cluster needs at least 2 chunks in a thread block";
    if (layout_of(n, o).bytes > SHARED_MAX)
        return "the strategy needs more than 227 KiB of shared memory";
    return NULL;
}

/* A linear recurrence may remember for thousands of steps, and then roundings to float are what is
 * wrong with its answer. On a CPU it waits for memory whatever the width of its arithmetic. Sums of
 * many parameters would need more room in cpu_backward.h. */
static bool is_in_double(const struct counts *n, const struct assemble_options *o,
                         const struct structure *structure)
{
    enum { PARAMS_MOST = 8 };
    return o->kernel == ASSEMBLE_CPU && o->storage == ASSEMBLE_F32 && o->mode != ASSEMBLE_STRICT &&
           structure && structure->is_bare_linear && n->params <= PARAMS_MOST;
}

static void add_file(struct textbuf *out, const char *name)
{
    for (const struct embedded_text *file = embedded_texts; file->name; file++)
        if (!strcmp(file->name, name)) {
            textbuf_printf(out, "// Start of %s\n", name);
            textbuf_add_n(out, file->text, file->length);
            return;
        }
    textbuf_printf(out, "#error %s is not embedded\n", name);
}

static void define(struct textbuf *out, const char *name, uint64_t value)
{
    textbuf_printf(out, "#define PRNN_%s %llu\n", name, (unsigned long long)value);
}

static void add_ring_rows(struct textbuf *out, const struct counts *n,
                          const struct assemble_options *o, const struct ir *ir)
{
    const bool is_forward = o->kernel == ASSEMBLE_FORWARD;
    const uint32_t inputs = n->inputs - n->shared_inputs;
    uint32_t row = 0, common = 0;
    /* Of those that are one for all channels their number among each other. */
    textbuf_add(out, "PRNN_CONST_FN int cell_input_row(int k)\n{\n    return ");
    for (uint32_t k = 0; k < n->inputs; k++) {
        uint32_t element;
        const bool is_shared = ir_decl_of(ir, IR_ROLE_INPUT, k, &element)->is_shared;
        textbuf_printf(out, "k == %u ? %u : ", k, is_shared ? common++ : row++);
    }
    textbuf_add(out, "-1;\n}\n\nPRNN_CONST_FN int ring_common_arg(int row)\n{\n    return ");
    common = 0;
    for (uint32_t k = 0; k < n->inputs; k++) {
        uint32_t element;
        if (ir_decl_of(ir, IR_ROLE_INPUT, k, &element)->is_shared)
            textbuf_printf(out, "row == %u ? PRNN_ARG_X + %u : ", common++, k);
    }
    textbuf_add(out, "-1;\n}\n\nPRNN_CONST_FN int ring_arg(int row)\n{\n    return ");
    row = 0;
    for (uint32_t k = 0; k < n->inputs; k++) {
        uint32_t element;
        if (!ir_decl_of(ir, IR_ROLE_INPUT, k, &element)->is_shared)
            textbuf_printf(out, "row == %u ? PRNN_ARG_X + %u : ", row++, k);
    }
    if (!is_forward) {
        for (uint32_t i = 0; i < n->states; i++)
            textbuf_printf(out, "row == %u ? PRNN_ARG_H + %u : ", row++, i);
        for (uint32_t i = 0; i < n->states; i++)
            if (o->state_gradient >> i & 1)
                textbuf_printf(out, "row == %u ? PRNN_ARG_GH + %u : ", row++, i);
        for (uint32_t k = 0; k < n->outputs; k++)
            textbuf_printf(out, "row == %u ? PRNN_ARG_GY + %u : ", row++, k);
    }
    textbuf_add(out, "-1;\n}\n\n");
    if (is_forward) {
        textbuf_add(out, "PRNN_CONST_FN int ring_shift(int row)\n{\n    return 0 * row;\n}\n\n");
        return;
    }
    /* The state before a step is the row of the step before. */
    textbuf_printf(
        out,
        "PRNN_CONST_FN int ring_shift(int row)\n{\n    return row >= %u && row < %u ? -1 "
        ": 0;\n}\n\n",
        inputs, inputs + n->states);
    textbuf_add(out, "PRNN_CONST_FN int ring_gradient_row(int i)\n{\n    return ");
    row = inputs + n->states;
    for (uint32_t i = 0; i < n->states; i++)
        if (o->state_gradient >> i & 1)
            textbuf_printf(out, "i == %u ? %u : ", i, row++);
    textbuf_add(out, "-1;\n}\n\n");
}

/* The constant functions of a cell, for a text without one. */
static void add_scan_half(struct textbuf *out, const struct assemble_options *o)
{
    const char *pattern = o->scan_is_diagonal ? "i == j" : "1 + 0 * i * j";
    textbuf_printf(out,
                   "PRNN_CONST_FN int cell_jac_nonzero(int i, int j)\n{\n    return %s;\n}\n\n"
                   "PRNN_CONST_FN int cell_closed(int i, int j)\n{\n    return %s;\n}\n\n"
                   "PRNN_CONST_FN prnn_real cell_initial(int i)\n{\n    return (prnn_real)(0 * "
                   "i);\n}\n\n"
                   "PRNN_CONST_FN int cell_input_is_shared(int k)\n{\n    return 0 * k;\n}\n\n"
                   "PRNN_CONST_FN int cell_param_is_shared(int k)\n{\n    return 0 * k;\n}\n\n"
                   "PRNN_CONST_FN int cell_input_has_gradient(int k)\n{\n    return 0 * k;\n}\n\n",
                   pattern, pattern);
}

static uint64_t fnv1a(const char *text, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
    return hash;
}

const char *assemble(struct assembled *out, const struct ir *ir, const struct structure *structure,
                     const struct assemble_options *o, struct arena *arena)
{
    const struct strategy *s = &o->strategy;
    const struct counts n = counts_of(ir, o);
    const char *wrong = refuse(&n, o);
    out->fault = wrong ? ASSEMBLE_STRATEGY : ASSEMBLE_FINE;
    if (wrong)
        return wrong;
    const bool is_cpu = o->kernel == ASSEMBLE_CPU;
    const bool is_backward = o->kernel == ASSEMBLE_BACKWARD || is_cpu;
    const bool is_f64 = o->storage == ASSEMBLE_F64 || is_in_double(&n, o, structure);
    const struct layout at = layout_of(&n, o);

    struct textbuf half, text;
    uint32_t saved = 0;
    textbuf_init(&half, arena);
    if (o->kernel == ASSEMBLE_SCAN || o->kernel == ASSEMBLE_COMPARE) {
        add_scan_half(&half, o);
    } else {
        const struct emit_options emit = {.is_f64 = is_f64, .is_backward = is_backward};
        saved = emit_half(&half, ir, structure, &emit);
        if (o->kernel == ASSEMBLE_FORWARD || o->kernel == ASSEMBLE_BACKWARD)
            add_ring_rows(&half, &n, o, ir);
    }
    wrong = textcheck(half.text, half.length);
    if (wrong) {
        out->fault = wrong == textcheck_too_long ? ASSEMBLE_CELL : ASSEMBLE_TEXT;
        return wrong;
    }

    textbuf_init(&text, arena);
    if (is_f64)
        textbuf_add(&text, "#define PRNN_REAL_F64\n");
    define(&text,
           o->mode == ASSEMBLE_STRICT ? "MATH_STRICT"
           : o->mode == ASSEMBLE_FAST ? "MATH_FAST"
                                      : "MATH_ACCURATE",
           1);
    static const uint32_t storage_code[] = {32, 64, 16, 116};
    define(&text, "STORAGE", storage_code[o->storage]);
    define(&text, "STATES", n.states);
    define(&text, "INPUTS", n.inputs);
    define(&text, "PARAMS", n.params);
    define(&text, "OUTPUTS", n.outputs);
    define(&text, "STATE_WRITTEN", o->state_written);
    define(&text, "STATE_GRADIENT", o->state_gradient);
    define(&text, "RESETS", o->has_resets);
    define(&text, "PACKED", o->is_packed || is_cpu);
    define(&text, "SAVED", saved);
    define(&text, "NONFINITE_LASTS", structure && structure->nonfinite_lasts);
    define(&text, "AFFINE", structure && structure->is_affine);
    textbuf_printf(&text, "#define PRNN_ARGS PRNN_%s_ARGS\n", is_backward ? "BACKWARD" : "FORWARD");
    if (is_cpu) {
        define(&text, "CLUSTER", 1);
        define(&text, "CPU_BACKWARD", 1);
    } else {
        const uint32_t threads = o->kernel == ASSEMBLE_DECODE ? 128 : s->lanes * s->tile_chunks;
        const uint32_t rows = n.inputs - n.shared_inputs;
        out->threads = threads;
        define(&text, "THREADS", threads);
        const struct assemble_tile tile = tile_of(&n, o, structure, at.bytes);
        const bool is_forward = o->kernel == ASSEMBLE_FORWARD;
        const uint32_t registers = is_forward ? tile.registers : registers_of(&n, o, 0, saved);
        define(&text, "MIN_BLOCKS", blocks_of(threads, registers, at.bytes));
        define(&text, "LANES", s->lanes);
        define(&text, "VC", s->vc);
        define(&text, "TILE_CHUNKS", s->tile_chunks);
        define(&text, "CHUNK", s->chunk);
        define(&text, "SLICE", slice_of(o));
        define(&text, "STAGES", s->stages);
        define(&text, "CLUSTER", o->kernel == ASSEMBLE_DECODE ? 1 : s->cluster);
        define(&text, "TILE_STEPS", (uint64_t)s->tile_chunks * s->chunk);
        define(&text, "BLOCK_CHANNELS", (uint64_t)s->lanes * s->vc);
        define(&text, "UNROLL_STEPS", unrolled_steps(&n, o));
        define(&text, "ROUGH_FIRST", tile.warm_steps > 0 && !tile.warm_exact);
        define(&text, "WARM_STEPS", tile.warm_steps);
        define(&text, "WARM_EXACT", tile.warm_exact);
        define(&text, "WARM_AHEAD", tile.is_warm_ahead);
        define(&text, "LOG2_PARTS", log2_parts_of(&n, o));
        define(&text, "PARTS", parts_of(&n, o));
        define(&text, "LANE_AHEAD", at.lane_ahead);
        define(&text, "RING_ROWS", rows_of(&n, o));
        define(&text, "ROW_STATES", rows);
        define(&text, "ROW_OUTPUTS", rows + n.states + n.gradients);
        define(&text, "SCAN_JACOBIANS", n.jacobian);
        define(&text, "RECORDED", tile.recorded > 0);
        define(&text, "RECORD_HALVES", tile.in_halves);
        define(&text, "TRANSPOSED", o->kernel == ASSEMBLE_BACKWARD);
        define(&text, "RING_COMMON", s->stages ? n.shared_inputs : 0);
        define(&text, "RING_PAD", at.ring_pad);
        define(&text, "SHARED_GRADIENTS", n.shared_gradients);
        define(&text, "SHARED_SLOTS", power_of_two_from(n.shared_gradients));
        define(&text, "S_RING", at.ring);
        define(&text, "S_COMMON", at.common);
        define(&text, "S_ENTRY", at.entries);
        define(&text, "S_PART", at.parts);
        define(&text, "S_EXIT", at.exits);
        define(&text, "S_TANGENT", at.tangents);
        define(&text, "S_SIZE", at.sizes);
        define(&text, "S_LEFT", at.lefts);
        define(&text, "S_WANTED", at.wanted);
        define(&text, "S_ROWS", at.rows);
        define(&text, "S_CARRY", at.carry);
        define(&text, "S_MAP", at.maps);
        define(&text, "S_PUBLIC", at.public_maps);
        define(&text, "S_FLAG", at.flags);
        define(&text, "S_REPORT", at.report);
    }
    const uint64_t half_hash = fnv1a(half.text, half.length);
    const uint64_t hash = fnv1a(text.text, text.length) ^ half_hash;
    out->entry =
        arena_printf(arena, "prnn_%s_%016llx", kernel_names[o->kernel], (unsigned long long)hash);
    out->reduce_entry = NULL;
    textbuf_printf(&text, "#define PRNN_ENTRY %s\n", out->entry);
    if (o->kernel == ASSEMBLE_BACKWARD) {
        out->reduce_entry = arena_printf(arena, "prnn_reduce_%016llx", (unsigned long long)hash);
        textbuf_printf(&text, "#define PRNN_REDUCE_ENTRY %s\n", out->reduce_entry);
    }

    add_file(&text, "abi.h");
    if (o->target == ASSEMBLE_SHIM)
        textbuf_add(&text, "#include \"prelude_shim.h\"\n");
    else
        add_file(&text, o->target == ASSEMBLE_CUDA ? "prelude_cuda.h" : "prelude_host.h");
    for (size_t i = 0; i < sizeof common_files / sizeof *common_files; i++)
        add_file(&text, common_files[i]);
    textbuf_add(&text, "// Start of the cell\n");
    textbuf_add_n(&text, half.text, half.length);
    const char *const *files = assemble_is_long(o)       ? long_backward_files
                               : assemble_is_guessing(o) ? guessing_forward_files
                                                         : kernel_files[o->kernel];
    for (size_t i = 0; i < KERNEL_FILES && files[i]; i++)
        add_file(&text, files[i]);

    out->text = text.text;
    out->length = text.length;
    out->shared_bytes = (uint32_t)at.bytes;
    out->block_channels = s->lanes * s->vc;
    out->segment_channels = (s->lanes < 32 ? s->lanes : 32) * s->vc;
    out->half_hash = half_hash;
    return NULL;
}
