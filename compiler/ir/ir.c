#include "ir.h"

#include "ir_build.h"
#include "limits.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const struct {
    const char *name, *text;
    uint8_t arity, cost;
} ops[IR_OP_COUNT] = {
#define OP1(ID, name, da, cost, text, eval) {name, text, 1, COST_##cost},
#define OP2(ID, name, da, db, cost, text, eval) {name, text, 2, COST_##cost},
#define OP3(ID, name, da, db, dc, cost, text, eval) {name, text, 3, COST_##cost},
#include "ops.def"
#undef OP1
#undef OP2
#undef OP3
};

const char *ir_op_name(enum ir_op op)
{
    return ops[op].name;
}

unsigned ir_op_arity(enum ir_op op)
{
    return ops[op].arity;
}

enum ir_cost ir_op_cost(enum ir_op op)
{
    return (enum ir_cost)ops[op].cost;
}

const char *ir_op_text(enum ir_op op)
{
    return ops[op].text;
}

enum ir_type ir_op_type(enum ir_op op)
{
    switch (op) {
    case IR_LT:
    case IR_LE:
    case IR_GT:
    case IR_GE:
    case IR_EQ:
    case IR_NE:
    case IR_AND:
    case IR_OR:
    case IR_NOT:
        return IR_CONDITION;
    default:
        return IR_REAL;
    }
}

enum ir_type ir_op_operand_type(enum ir_op op, unsigned operand)
{
    switch (op) {
    case IR_AND:
    case IR_OR:
    case IR_NOT:
        return IR_CONDITION;
    case IR_WHERE:
        return operand == 0 ? IR_CONDITION : IR_REAL;
    default:
        return IR_REAL;
    }
}

const char *ir_out_kind_name(enum ir_out_kind kind)
{
    static const char *const names[IR_OUT_KIND_COUNT] = {
        [IR_OUT_NEXT] = "next",       [IR_OUT_OUTPUT] = "out",       [IR_OUT_GUESS] = "guess",
        [IR_OUT_JACOBIAN] = "jac",    [IR_OUT_ADJACOBIAN] = "adjac", [IR_OUT_SOURCE] = "src",
        [IR_OUT_ADJ_STATE] = "adj_h", [IR_OUT_ADJ_INPUT] = "adj_x",  [IR_OUT_ADJ_PARAM] = "adj_p",
    };
    return names[kind];
}

enum ir_type ir_type_of(const struct ir *ir, ir_ref ref)
{
    if (ir_kind(ref) == IR_VALUE)
        return (enum ir_type)ir->insns[ir_index(ref)].type;
    return IR_REAL;
}

double ir_constant_value(const struct ir *ir, ir_ref ref)
{
    assert(ir_kind(ref) == IR_CONSTANT && ir_index(ref) < ir->constant_count);
    return ir->constants[ir_index(ref)];
}

static uint64_t double_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

bool ir_is_constant(const struct ir *ir, ir_ref ref, double value)
{
    return ir_kind(ref) == IR_CONSTANT &&
           double_bits(ir->constants[ir_index(ref)]) == double_bits(value);
}

struct ir *ir_create(struct arena *arena)
{
    struct ir *ir = arena_alloc(arena, sizeof *ir);
    ir->arena = arena;
    ir->name = "";
    return ir;
}

/* The table holds references of instructions and constants; 0 (IR_REF_NONE) is an empty place. */

static uint32_t hash_mix(uint32_t hash, uint32_t word)
{
    hash = (hash ^ word) * 0x9e3779b1u;
    return hash ^ hash >> 15;
}

static uint32_t hash_insn(enum ir_op op, ir_ref a, ir_ref b, ir_ref c)
{
    return hash_mix(hash_mix(hash_mix(hash_mix(0, (uint32_t)op + 1), a), b), c);
}

static uint32_t hash_constant(double value)
{
    const uint64_t bits = double_bits(value);
    return hash_mix(hash_mix(0x5bd1e995u, (uint32_t)bits), (uint32_t)(bits >> 32));
}

static uint32_t hash_ref(const struct ir *ir, ir_ref ref)
{
    if (ir_kind(ref) == IR_CONSTANT)
        return hash_constant(ir->constants[ir_index(ref)]);
    const struct ir_insn *insn = &ir->insns[ir_index(ref)];
    return hash_insn((enum ir_op)insn->op, insn->a, insn->b, insn->c);
}

static void table_put(struct ir *ir, ir_ref ref)
{
    uint32_t place = hash_ref(ir, ref) & (ir->table_size - 1);
    while (ir->table[place])
        place = (place + 1) & (ir->table_size - 1);
    ir->table[place] = ref;
}

/* Room for one more entry, at most half full. The table is made again in order of index, so that of
 * two equal instructions (a text may hold them) the earlier one is found. */
static void table_reserve(struct ir *ir)
{
    const uint32_t used = ir->insn_count + ir->constant_count;
    if (ir->table && used < ir->table_size / 2)
        return;
    ir->table_size = ir->table_size ? ir->table_size : 256;
    while (used >= ir->table_size / 2)
        ir->table_size *= 2;
    ir->table = arena_array(ir->arena, ir->table_size, sizeof *ir->table);
    for (uint32_t i = 0; i < ir->constant_count; i++)
        table_put(ir, IR_REF(IR_CONSTANT, i));
    for (uint32_t i = 0; i < ir->insn_count; i++)
        table_put(ir, IR_REF(IR_VALUE, i));
}

/* There is one NaN, so that equal constants print alike and are shared. */
static double canonical_nan(double value)
{
    return value == value ? value : (double)NAN;
}

ir_ref ir_constant(struct ir *ir, double value)
{
    value = canonical_nan(value);
    table_reserve(ir);
    uint32_t place = hash_constant(value) & (ir->table_size - 1);
    for (; ir->table[place]; place = (place + 1) & (ir->table_size - 1)) {
        if (ir_is_constant(ir, ir->table[place], value))
            return ir->table[place];
    }
    if (ir->constant_count == ir->constant_room) {
        ir->constant_room = ir->constant_room ? 2 * ir->constant_room : 16;
        ir->constants = arena_grow(ir->arena, ir->constants, ir->constant_count, ir->constant_room,
                                   sizeof *ir->constants);
    }
    ir->constants[ir->constant_count] = value;
    ir->table[place] = IR_REF(IR_CONSTANT, ir->constant_count++);
    return ir->table[place];
}

ir_ref ir_append(struct ir *ir, enum ir_op op, ir_ref a, ir_ref b, ir_ref c)
{
    table_reserve(ir);
    if (ir->insn_count == ir->insn_room) {
        ir->insn_room = ir->insn_room ? 2 * ir->insn_room : 64;
        ir->insns =
            arena_grow(ir->arena, ir->insns, ir->insn_count, ir->insn_room, sizeof *ir->insns);
    }
    const ir_ref ref = IR_REF(IR_VALUE, ir->insn_count++);
    ir->insns[ir_index(ref)] = (struct ir_insn){
        .op = (uint8_t)op,
        .type = (uint8_t)ir_op_type(op),
        .a = a,
        .b = b,
        .c = c,
        .span = ir->span,
    };
    table_put(ir, ref);
    return ref;
}

static ir_ref find_shared(const struct ir *ir, enum ir_op op, ir_ref a, ir_ref b, ir_ref c)
{
    if (!ir->table)
        return IR_REF_NONE;
    uint32_t place = hash_insn(op, a, b, c) & (ir->table_size - 1);
    for (; ir->table[place]; place = (place + 1) & (ir->table_size - 1)) {
        if (ir_kind(ir->table[place]) != IR_VALUE)
            continue;
        const struct ir_insn *insn = &ir->insns[ir_index(ir->table[place])];
        if (insn->op == op && insn->a == a && insn->b == b && insn->c == c)
            return ir->table[place];
    }
    return IR_REF_NONE;
}

ir_ref ir_share(struct ir *ir, enum ir_op op, ir_ref a, ir_ref b, ir_ref c)
{
    const ir_ref found = find_shared(ir, op, a, b, c);
    return found ? found : ir_append(ir, op, a, b, c);
}

bool ir_is_commutative(enum ir_op op)
{
    switch (op) {
    case IR_ADD:
    case IR_MUL:
    case IR_FMA: /* in its factors */
    case IR_EQ:
    case IR_NE:
    case IR_AND:
    case IR_OR:
        return true;
    default: /* min and max give the derivative of a tie to the first operand */
        return false;
    }
}

static bool operand_fits(const struct ir *ir, enum ir_op op, unsigned operand, ir_ref ref)
{
    if (operand >= ir_op_arity(op))
        return ref == IR_REF_NONE;
    if (ref == IR_REF_NONE)
        return false;
    /* A folded condition is a constant, and a full IR gives any operand back. */
    return ir->is_full || ir_kind(ref) == IR_CONSTANT ||
           ir_type_of(ir, ref) == ir_op_operand_type(op, operand);
}

ir_ref ir_make(struct ir *ir, enum ir_op op, ir_ref a, ir_ref b, ir_ref c)
{
    assert(operand_fits(ir, op, 0, a));
    assert(operand_fits(ir, op, 1, b));
    assert(operand_fits(ir, op, 2, c));
    (void)operand_fits;
    if (ir->is_full)
        return a;
    const ir_ref folded = ir_fold(ir, op, a, b, c);
    if (folded)
        return folded;
    const bool are_values = ir_kind(a) == IR_VALUE && ir_kind(b) == IR_VALUE;
    if (ir_is_commutative(op) && b < a && !(are_values && ir->is_as_written)) {
        const ir_ref first = b;
        b = a;
        a = first;
    }
    ir_ref found = find_shared(ir, op, a, b, c);
    if (!found && ir_is_commutative(op) && ir->is_as_written)
        found = find_shared(ir, op, b, a, c);
    if (found)
        return found;
    if (ir->insn_count >= LIMIT_OPERATIONS) {
        ir->is_full = true;
        return a;
    }
    return ir_append(ir, op, a, b, c);
}

/* Position of the first out that is not before (kind, i, j). */
static uint32_t out_place(const struct ir *ir, enum ir_out_kind kind, uint32_t i, uint32_t j)
{
    uint32_t low = 0, high = ir->out_count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const struct ir_out *out = &ir->outs[middle];
        const bool is_before = out->kind != kind ? out->kind < kind
                               : out->i != i     ? out->i < i
                                                 : out->j < j;
        if (is_before)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool out_is(const struct ir *ir, uint32_t place, enum ir_out_kind kind, uint32_t i,
                   uint32_t j)
{
    return place < ir->out_count && ir->outs[place].kind == kind && ir->outs[place].i == i &&
           ir->outs[place].j == j;
}

void ir_add_out(struct ir *ir, enum ir_out_kind kind, uint32_t i, uint32_t j, ir_ref value)
{
    assert(kind < IR_OUT_KIND_COUNT && i <= UINT16_MAX && j <= UINT16_MAX && value);
    const uint32_t place = out_place(ir, kind, i, j);
    assert(!out_is(ir, place, kind, i, j));
    if (ir->out_count == ir->out_room) {
        ir->out_room = ir->out_room ? 2 * ir->out_room : 16;
        ir->outs = arena_grow(ir->arena, ir->outs, ir->out_count, ir->out_room, sizeof *ir->outs);
    }
    memmove(&ir->outs[place + 1], &ir->outs[place], (ir->out_count - place) * sizeof ir->outs[0]);
    ir->outs[place] = (struct ir_out){
        .kind = (uint8_t)kind,
        .i = (uint16_t)i,
        .j = (uint16_t)j,
        .value = value,
    };
    ir->out_count++;
}

ir_ref ir_find_out(const struct ir *ir, enum ir_out_kind kind, uint32_t i, uint32_t j)
{
    const uint32_t place = out_place(ir, kind, i, j);
    return out_is(ir, place, kind, i, j) ? ir->outs[place].value : IR_REF_NONE;
}

int ir_output_state(const struct ir *ir, uint32_t k)
{
    const ir_ref value = ir_find_out(ir, IR_OUT_OUTPUT, k, 0);
    for (uint32_t i = 0; i < ir->states; i++)
        if (ir_find_out(ir, IR_OUT_NEXT, i, 0) == value)
            return (int)i;
    return -1;
}

uint32_t ir_expression_count(const struct ir *ir)
{
    uint32_t count = 0;
    for (uint32_t k = 0; k < ir->outputs; k++)
        count += ir_output_state(ir, k) < 0;
    return count;
}

const struct ir_decl *ir_decl_of(const struct ir *ir, enum ir_role role, uint32_t index,
                                 uint32_t *element)
{
    for (uint32_t i = 0; i < ir->decl_count; i++) {
        const struct ir_decl *decl = &ir->decls[i];
        if (decl->role == role && index >= decl->first && index - decl->first < decl->count) {
            if (element)
                *element = index - decl->first;
            return decl;
        }
    }
    return NULL;
}

const char *ir_scalar_name(const struct ir *ir, enum ir_role role, uint32_t index,
                           struct arena *arena)
{
    uint32_t element = 0;
    const struct ir_decl *decl = ir_decl_of(ir, role, index, &element);
    if (!decl)
        return arena_printf(arena, "%c%u", "hxpy"[role], index);
    if (decl->rank == 0)
        return decl->name;
    if (decl->rank == 1)
        return arena_printf(arena, "%s[%u]", decl->name, element);
    return arena_printf(arena, "%s[%u, %u]", decl->name, element / decl->cols,
                        element % decl->cols);
}

uint32_t ir_kind_count(const struct ir *ir, enum ir_kind kind)
{
    switch (kind) {
    case IR_VALUE:
        return ir->insn_count;
    case IR_CONSTANT:
        return ir->constant_count;
    case IR_STATE:
        return ir->states;
    case IR_INPUT:
        return ir->inputs;
    case IR_PARAM:
        return ir->params;
    case IR_COTANGENT:
        return ir->states + ir->outputs;
    case IR_NONE:
        break;
    }
    return 0;
}

uint32_t ir_reach(const struct ir *ir, uint32_t mask, uint8_t *live)
{
    memset(live, 0, ir->insn_count);
    for (uint32_t i = 0; i < ir->out_count; i++) {
        const struct ir_out *out = &ir->outs[i];
        if (mask & IR_MASK(out->kind) && ir_kind(out->value) == IR_VALUE)
            live[ir_index(out->value)] = 1;
    }
    uint32_t count = 0;
    for (uint32_t i = ir->insn_count; i-- > 0;) {
        if (!live[i])
            continue;
        count++;
        for (unsigned operand = 0; operand < 3; operand++) {
            const ir_ref ref = ir_operand(&ir->insns[i], operand);
            if (ir_kind(ref) == IR_VALUE)
                live[ir_index(ref)] = 1;
        }
    }
    return count;
}

const struct ir_insn *ir_restart(struct ir *ir)
{
    const struct ir_insn *old = ir->insns;
    ir->insns = NULL;
    ir->insn_count = ir->insn_room = 0;
    ir->table = NULL;
    ir->table_size = 0;
    return old;
}

void ir_reorder(struct ir *ir, const uint32_t *order, uint32_t count)
{
    ir_ref *map = arena_array(ir->arena, ir->insn_count, sizeof *map);
    const struct span span = ir->span;
    const struct ir_insn *old = ir_restart(ir);
    for (uint32_t i = 0; i < count; i++) {
        const struct ir_insn *insn = &old[order[i]];
        ir_ref operand[3];
        for (unsigned k = 0; k < 3; k++) {
            operand[k] = ir_operand(insn, k);
            if (ir_kind(operand[k]) == IR_VALUE)
                operand[k] = map[ir_index(operand[k])];
        }
        ir->span = insn->span;
        map[order[i]] = ir_append(ir, (enum ir_op)insn->op, operand[0], operand[1], operand[2]);
    }
    ir->span = span;
    for (uint32_t i = 0; i < ir->out_count; i++) {
        ir_ref *value = &ir->outs[i].value;
        if (ir_kind(*value) == IR_VALUE)
            *value = map[ir_index(*value)];
    }
}
