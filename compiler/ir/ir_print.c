#include "ir_text.h"

static const char *const role_names[] = {
    [IR_ROLE_STATE] = "state",
    [IR_ROLE_INPUT] = "input",
    [IR_ROLE_PARAM] = "param",
    [IR_ROLE_OUTPUT] = "output",
};

static void print_number(struct textbuf *out, double number)
{
    textbuf_add(out, " ");
    textbuf_add_number(out, number);
}

static void print_init(struct textbuf *out, const struct ir_decl *decl)
{
    switch (decl->init) {
    case IR_INIT_DEFAULT:
        break;
    case IR_INIT_ZEROS:
        textbuf_add(out, " init zeros");
        break;
    case IR_INIT_ONES:
        textbuf_add(out, " init ones");
        break;
    case IR_INIT_CONSTANT:
        textbuf_add(out, " init constant");
        print_number(out, decl->init_a);
        break;
    case IR_INIT_NORMAL:
        textbuf_add(out, " init normal");
        print_number(out, decl->init_a);
        print_number(out, decl->init_b);
        break;
    case IR_INIT_UNIFORM:
        textbuf_add(out, " init uniform");
        print_number(out, decl->init_a);
        print_number(out, decl->init_b);
        break;
    }
}

static void print_decl(struct textbuf *out, const struct ir_decl *decl)
{
    textbuf_printf(out, "%s %s", role_names[decl->role], decl->name);
    if (decl->rank == 1)
        textbuf_printf(out, "[%u]", decl->rows);
    else if (decl->rank == 2)
        textbuf_printf(out, "[%u,%u]", decl->rows, decl->cols);
    if (decl->role == IR_ROLE_STATE)
        print_number(out, decl->initial);
    if (decl->has_range) {
        textbuf_add(out, " in");
        print_number(out, decl->lo);
        print_number(out, decl->hi);
    }
    print_init(out, decl);
    if (decl->is_shared)
        textbuf_add(out, " shared");
    if (decl->no_gradient)
        textbuf_add(out, " nograd");
    if (decl->doc) {
        textbuf_add(out, " doc ");
        textbuf_add_json_string(out, decl->doc);
    }
    textbuf_add(out, "\n");
}

static void print_ref(struct textbuf *out, const struct ir *ir, ir_ref ref)
{
    switch (ir_kind(ref)) {
    case IR_NONE:
        textbuf_add(out, "none");
        break;
    case IR_VALUE:
        textbuf_printf(out, "%%%u", ir_index(ref));
        break;
    case IR_CONSTANT:
        textbuf_add_number(out, ir_constant_value(ir, ref));
        break;
    case IR_STATE:
        textbuf_printf(out, "h%u", ir_index(ref));
        break;
    case IR_INPUT:
        textbuf_printf(out, "x%u", ir_index(ref));
        break;
    case IR_PARAM:
        textbuf_printf(out, "p%u", ir_index(ref));
        break;
    case IR_COTANGENT:
        textbuf_printf(out, "c%u", ir_index(ref));
        break;
    }
}

static void print_insn(struct textbuf *out, const struct ir *ir, uint32_t index)
{
    const struct ir_insn *insn = &ir->insns[index];
    const ir_ref operand[3] = {insn->a, insn->b, insn->c};
    textbuf_printf(out, "%%%u = %s", index, ir_op_name((enum ir_op)insn->op));
    for (unsigned i = 0; i < ir_op_arity((enum ir_op)insn->op); i++) {
        textbuf_add(out, i ? ", " : " ");
        print_ref(out, ir, operand[i]);
    }
    textbuf_add(out, "\n");
}

static void print_out(struct textbuf *out, const struct ir *ir, const struct ir_out *value)
{
    textbuf_printf(out, "out %s.%u", ir_out_kind_name((enum ir_out_kind)value->kind), value->i);
    if (value->kind == IR_OUT_JACOBIAN || value->kind == IR_OUT_ADJACOBIAN)
        textbuf_printf(out, ".%u", value->j);
    textbuf_add(out, " = ");
    print_ref(out, ir, value->value);
    textbuf_add(out, "\n");
}

void ir_print(struct textbuf *out, const struct ir *ir)
{
    textbuf_add(out, "ir 1 cell ");
    textbuf_add_json_string(out, ir->name);
    if (ir->doc) {
        textbuf_add(out, " doc ");
        textbuf_add_json_string(out, ir->doc);
    }
    textbuf_add(out, "\n");
    for (uint32_t i = 0; i < ir->decl_count; i++)
        print_decl(out, &ir->decls[i]);
    for (uint32_t i = 0; i < ir->insn_count; i++)
        print_insn(out, ir, i);
    for (uint32_t i = 0; i < ir->out_count; i++)
        print_out(out, ir, &ir->outs[i]);
}
