#include "embed.h"

#include "emit.h"

#include <ctype.h>
#include <string.h>

static const char *const role_words[] = {"state", "input", "param", "output"};

/* The comment of a user in a comment of ours: what would end it, or is not plain text, is changed.
 */
static void add_comment(struct textbuf *out, const char *text)
{
    for (; *text; text++) {
        const bool ends = text[0] == '*' && text[1] == '/';
        const bool is_plain = (unsigned char)*text >= ' ' && (unsigned char)*text < 127;
        textbuf_add_n(out, is_plain && *text != '\\' ? text : "?", 1);
        if (ends || (text[0] == '/' && text[1] == '*'))
            textbuf_add(out, " ");
    }
}

static const char *upper(const char *name, struct arena *arena)
{
    char *text = arena_strdup(arena, name);
    for (char *at = text; *at; at++)
        *at = (char)toupper((unsigned char)*at);
    return text;
}

static const char *element_type(enum assemble_storage storage)
{
    return storage == ASSEMBLE_F32   ? "float"
           : storage == ASSEMBLE_F64 ? "double"
                                     : "unsigned short";
}

static const char *real_type(enum assemble_storage storage)
{
    return storage == ASSEMBLE_F64 ? "double" : "float";
}

/* Whether a declared output is plainly a state: then it has no memory of its own. */
static bool is_state_output(const struct ir *ir, const struct ir_decl *decl)
{
    return decl->role == IR_ROLE_OUTPUT && ir_output_state(ir, decl->first) >= 0;
}

static uint32_t count_of(const struct ir *ir, enum ir_role role)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < ir->decl_count; i++)
        count += ir->decls[i].role == role && !is_state_output(ir, &ir->decls[i]);
    return count;
}

static void add_places(struct textbuf *out, const struct ir *ir, enum ir_role role)
{
    uint32_t index = 0;
    for (uint32_t i = 0; i < ir->decl_count; i++) {
        const struct ir_decl *decl = &ir->decls[i];
        if (decl->role != role || is_state_output(ir, decl))
            continue;
        textbuf_printf(out, "    %s_%s_%s = %u,", ir->name, role_words[role], decl->name, index++);
        const bool has_shape = decl->count > 1 || decl->rank > 0;
        if (has_shape || decl->is_shared || decl->doc)
            textbuf_add(out, " /*");
        if (has_shape)
            textbuf_printf(out, " %u elements", decl->count);
        if (decl->is_shared)
            textbuf_add(out, " shared");
        if (decl->doc) {
            textbuf_add(out, " ");
            add_comment(out, decl->doc);
        }
        if (has_shape || decl->is_shared || decl->doc)
            textbuf_add(out, " */");
        textbuf_add(out, "\n");
    }
    textbuf_printf(out, "    %s_%s_count = %u\n", ir->name, role_words[role], index);
}

/* An array of pointers; C has no empty ones. */
static uint32_t room(uint32_t count)
{
    return count ? count : 1;
}

void embed_header(struct textbuf *out, const struct unit *unit, enum assemble_storage storage)
{
    const struct ir *ir = unit->ir;
    const char *name = ir->name;
    const char *elem = element_type(storage), *real = real_type(storage);
    const char *guard = upper(name, out->arena);
    textbuf_printf(out, "/* cell %s: made by pararnnc %s", name, "from its description");
    if (ir->doc) {
        textbuf_add(out, ".\n * ");
        add_comment(out, ir->doc);
    }
    textbuf_printf(out,
                   " */\n#ifndef CELL_%s_H\n#define CELL_%s_H\n\n#ifdef __cplusplus\nextern \"C\" "
                   "{\n#endif\n\n"
                   "/* Places in the arrays of struct %s_tensors. */\n",
                   guard, guard, name);
    static const enum ir_role roles[] = {IR_ROLE_STATE, IR_ROLE_INPUT, IR_ROLE_PARAM,
                                         IR_ROLE_OUTPUT};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        textbuf_add(out, "enum {\n");
        add_places(out, ir, roles[i]);
        textbuf_add(out, "};\n");
    }
    textbuf_printf(
        out,
        "\n/* Memory of a call, all dense, slowest axis first; [e] counts the elements of vectors\n"
        " * and matrices row by row and is 1 for scalars:\n"
        " *   state, input, output   [batch, seq_len, e, channels], shared input [batch, seq_len, "
        "e]\n"
        " *   h0, hT                 [batch, e, channels]\n"
        " *   param                  [e, channels], shared [e]\n"
        " * A state's trajectory is its value after each step. An output that is plainly a state "
        "is\n"
        " * that trajectory and has no place of its own. */\n"
        "struct %s_tensors {\n"
        "    const %s *input[%u];\n"
        "    const %s *param[%u];\n"
        "    const %s *h0[%u]; /* before the first step; NULL: the default of the cell */\n"
        "    %s *state[%u];    /* NULL: not wanted; the backward pass reads all of them */\n"
        "    %s *output[%u];   /* NULL: not wanted */\n"
        "    %s *hT[%u];       /* after the last step; NULL: not wanted; may be h0 */\n"
        "};\n\n",
        name, elem, room(count_of(ir, IR_ROLE_INPUT)), real, room(count_of(ir, IR_ROLE_PARAM)),
        real, room(count_of(ir, IR_ROLE_STATE)), elem, room(count_of(ir, IR_ROLE_STATE)), elem,
        room(count_of(ir, IR_ROLE_OUTPUT)), real, room(count_of(ir, IR_ROLE_STATE)));
    textbuf_printf(out,
                   "/* Gradients of the same things and in the same shapes. */\n"
                   "struct %s_gradients {\n"
                   "    const %s *state[%u];  /* incoming; NULL: zero */\n"
                   "    const %s *output[%u]; /* incoming; NULL: zero */\n"
                   "    const %s *hT[%u];     /* incoming; NULL: zero */\n"
                   "    %s *input[%u];        /* written; NULL: not wanted */\n"
                   "    %s *param[%u];        /* written; NULL: not wanted */\n"
                   "    %s *h0[%u];           /* written; NULL: not wanted */\n"
                   "};\n\n",
                   name, elem, room(count_of(ir, IR_ROLE_STATE)), elem,
                   room(count_of(ir, IR_ROLE_OUTPUT)), real, room(count_of(ir, IR_ROLE_STATE)),
                   elem, room(count_of(ir, IR_ROLE_INPUT)), real, room(count_of(ir, IR_ROLE_PARAM)),
                   real, room(count_of(ir, IR_ROLE_STATE)));
    textbuf_printf(
        out,
        "/* Solve the recurrence. Returns 1 if a state became infinite or NaN, else 0. */\n"
        "int %s_forward(long long batch, long long seq_len, long long channels,\n"
        "    const struct %s_tensors *tensors);\n\n"
        "/* Elements of the scratch memory of %s_backward(). */\n"
        "long long %s_scratch(long long batch, long long seq_len, long long channels);\n\n"
        "/* Gradients, after %s_forward() has written the trajectories of all states. */\n"
        "void %s_backward(long long batch, long long seq_len, long long channels,\n"
        "    const struct %s_tensors *tensors, const struct %s_gradients *gradients, "
        "%s *scratch);\n\n"
        "/* One step: inputs and outputs are [batch, e, channels], from h0 to hT. */\n"
        "int %s_step(long long batch, long long channels, const struct %s_tensors *tensors);\n\n"
        "#ifdef __cplusplus\n}\n#endif\n\n#endif\n",
        name, name, name, name, name, name, name, name, real, name, name);
}

struct assemble_options embed_options(const struct unit *unit, enum assemble_storage storage,
                                      enum assemble_mode mode)
{
    const uint32_t all = (uint32_t)(((uint64_t)1 << unit->ir->states) - 1);
    return (struct assemble_options){.kernel = ASSEMBLE_CPU,
                                     .target = ASSEMBLE_HOST,
                                     .storage = storage,
                                     .mode = mode,
                                     .state_written = all,
                                     .state_gradient = all};
}

/* "set_sequence(&launch.arg[PRNN_ARG_X + 0], (void *)tensors->input[0], ...)" for each scalar of
 * the names of a role. */
enum shape { SHAPE_SEQUENCE, SHAPE_STATE, SHAPE_PARAM };

static void add_bindings(struct textbuf *out, const struct ir *ir, enum ir_role role,
                         const char *place, const char *from, enum shape shape)
{
    static const char *const setters[] = {"set_sequence", "set_state", "set_param"};
    uint32_t index = 0;
    for (uint32_t i = 0; i < ir->decl_count; i++) {
        const struct ir_decl *decl = &ir->decls[i];
        if (decl->role != role || is_state_output(ir, decl))
            continue;
        uint32_t first = decl->first;
        if (role == IR_ROLE_OUTPUT)
            emit_output_state(ir, decl->first, &first);
        for (uint32_t e = 0; e < decl->count; e++)
            textbuf_printf(out, "    %s(launch, %s + %u, %s[%u], %u, %u, %s);\n", setters[shape],
                           place, first + e, from, index, e, decl->count,
                           decl->is_shared ? "1" : "channels");
        index++;
    }
}

static const char setters[] =
    "static void set_sequence(struct prnn_launch *launch, int place, const void *base,\n"
    "                         int element, int elements, long long width)\n"
    "{\n"
    "    struct prnn_arg *arg = &launch->arg[place];\n"
    "    arg->stride_t = elements * width;\n"
    "    arg->stride_b = launch->head.seq_len * arg->stride_t;\n"
    "    arg->base = base ? (void *)((const prnn_elem *)base + element * width) : 0;\n"
    "}\n\n"
    "static void set_state(struct prnn_launch *launch, int place, const void *base,\n"
    "                      int element, int elements, long long width)\n"
    "{\n"
    "    struct prnn_arg *arg = &launch->arg[place];\n"
    "    arg->stride_b = elements * width;\n"
    "    arg->base = base ? (void *)((const prnn_real *)base + element * width) : 0;\n"
    "}\n\n"
    "PRNN_FN void set_param(struct prnn_launch *launch, int place, const void *base,\n"
    "                       int element, int elements, long long width)\n"
    "{\n"
    "    (void)elements;\n"
    "    launch->arg[place].base = base ? (void *)((const prnn_real *)base + element * width) : "
    "0;\n"
    "}\n\n";

/* Gradients that are sums come in 'scratch': of parameters, then of shared inputs. */
static void add_sums(struct textbuf *out, const struct ir *ir)
{
    uint32_t index = 0;
    for (uint32_t i = 0; i < ir->decl_count; i++) {
        const struct ir_decl *decl = &ir->decls[i];
        if (decl->role != IR_ROLE_PARAM)
            continue;
        for (uint32_t e = 0; e < decl->count; e++)
            textbuf_printf(out,
                           "    if (gradients->param[%u])\n        "
                           "%s(gradients->param[%u] + %u * %s, scratch + %u * channels, "
                           "channels);\n",
                           index, decl->is_shared ? "add_channels" : "copy_reals", index, e,
                           decl->is_shared ? "1" : "channels", decl->first + e);
        index++;
    }
    uint32_t shared = 0;
    index = 0;
    for (uint32_t i = 0; i < ir->decl_count; i++) {
        const struct ir_decl *decl = &ir->decls[i];
        if (decl->role != IR_ROLE_INPUT)
            continue;
        for (uint32_t e = 0; decl->is_shared && e < decl->count; e++)
            textbuf_printf(out,
                           "    if (gradients->input[%u])\n        "
                           "for (long long i = 0; i < rows; i++)\n            "
                           "gradients->input[%u][i * %u + %u] = "
                           "PRNN_TO_ELEM(scratch[%u * channels + %u * rows + i]);\n",
                           index, index, decl->count, e, ir->params, shared++);
        index++;
    }
}

static uint32_t shared_scalars(const struct ir *ir)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < ir->decl_count; i++)
        if (ir->decls[i].role == IR_ROLE_INPUT && ir->decls[i].is_shared)
            count += ir->decls[i].count;
    return count;
}

void embed_source(struct textbuf *out, const struct unit *unit, enum assemble_storage storage,
                  const char *kernel, size_t kernel_length)
{
    const struct ir *ir = unit->ir;
    const char *name = ir->name, *real = real_type(storage);
    embed_header(out, unit, storage);
    /* Two cells may be linked into one program, and no OpenMP is needed. */
    textbuf_printf(
        out,
        "\n/* The kernels. Compile with -O3 -ffp-contract=off; link with the mathematics "
        "library where the\n * machine has no fused multiply-add. */\n"
        "#define prnn_cpu_entries %s_cpu_entries\n"
        "#if defined(__GNUC__)\n"
        "#pragma GCC diagnostic push\n"
        "#pragma GCC diagnostic ignored \"-Wunknown-pragmas\"\n"
        "#pragma GCC diagnostic ignored \"-Wunused-parameter\"\n"
        "#pragma GCC diagnostic ignored \"-Wunused-variable\"\n"
        "#pragma GCC diagnostic ignored \"-Wparentheses\"\n"
        "#pragma GCC diagnostic ignored \"-Wtype-limits\"\n"
        "#if !defined(__clang__)\n"
        "#pragma GCC diagnostic ignored \"-Wmaybe-uninitialized\"\n"
        "#endif\n#endif\n",
        name);
    textbuf_add_n(out, kernel, kernel_length);
    textbuf_add(out, "\n#if defined(__GNUC__)\n"
                     "#pragma GCC diagnostic pop\n#endif\n\n"
                     "/* The functions of the header. */\n");
    textbuf_add(out, setters);
    textbuf_printf(out,
                   "static void bind(struct prnn_launch *launch, long long batch, long long "
                   "seq_len,\n                 long long channels, const struct %s_tensors "
                   "*tensors)\n{\n"
                   "    static const struct prnn_launch empty;\n"
                   "    *launch = empty;\n"
                   "    launch->head.batch = batch;\n"
                   "    launch->head.seq_len = seq_len;\n"
                   "    launch->head.channels = channels;\n",
                   name);
    add_bindings(out, ir, IR_ROLE_INPUT, "PRNN_ARG_X", "tensors->input", SHAPE_SEQUENCE);
    add_bindings(out, ir, IR_ROLE_STATE, "PRNN_ARG_H", "tensors->state", SHAPE_SEQUENCE);
    add_bindings(out, ir, IR_ROLE_OUTPUT, "PRNN_ARG_Y", "tensors->output", SHAPE_SEQUENCE);
    add_bindings(out, ir, IR_ROLE_PARAM, "PRNN_ARG_P", "tensors->param", SHAPE_PARAM);
    add_bindings(out, ir, IR_ROLE_STATE, "PRNN_ARG_H0", "tensors->h0", SHAPE_STATE);
    add_bindings(out, ir, IR_ROLE_STATE, "PRNN_ARG_HT", "tensors->hT", SHAPE_STATE);
    textbuf_printf(
        out,
        "}\n\nint %s_forward(long long batch, long long seq_len, long long channels,\n"
        "    const struct %s_tensors *tensors)\n{\n"
        "    static const struct prnn_block_report clean;\n"
        "    struct prnn_block_report report = clean;\n"
        "    struct prnn_launch launch;\n"
        "    bind(&launch, batch, seq_len, channels, tensors);\n"
        "    launch.head.report = &report;\n"
        "    cpu_forward(&launch.head, 0, batch, 0, channels);\n"
        "    return report.nonfinite != 0;\n}\n\n"
        "int %s_step(long long batch, long long channels, const struct %s_tensors *tensors)\n{\n"
        "    return %s_forward(batch, 1, channels, tensors);\n}\n\n"
        "long long %s_scratch(long long batch, long long seq_len, long long channels)\n{\n"
        "    return %u * channels + %u * (batch * seq_len);\n}\n\n"
        "PRNN_FN void copy_reals(%s *to, const %s *from, long long count)\n{\n"
        "    for (long long i = 0; i < count; i++)\n        to[i] = from[i];\n}\n\n"
        "PRNN_FN void add_channels(%s *to, const %s *from, long long count)\n{\n"
        "    double sum = 0;\n"
        "    for (long long i = 0; i < count; i++)\n        sum += from[i];\n"
        "    *to = (%s)sum;\n}\n\n",
        name, name, name, name, name, name, ir->params, shared_scalars(ir), real, real, real, real,
        real);
    textbuf_printf(
        out,
        "void %s_backward(long long batch, long long seq_len, long long channels,\n"
        "    const struct %s_tensors *tensors, const struct %s_gradients *gradients, %s *scratch)\n"
        "{\n"
        "    const long long rows = batch * seq_len;\n"
        "    struct prnn_launch whole, *launch = &whole;\n"
        "    bind(launch, batch, seq_len, channels, tensors);\n",
        name, name, name, real);
    add_bindings(out, ir, IR_ROLE_STATE, "PRNN_ARG_GH", "gradients->state", SHAPE_SEQUENCE);
    add_bindings(out, ir, IR_ROLE_OUTPUT, "PRNN_ARG_GY", "gradients->output", SHAPE_SEQUENCE);
    add_bindings(out, ir, IR_ROLE_STATE, "PRNN_ARG_GHT", "gradients->hT", SHAPE_STATE);
    add_bindings(out, ir, IR_ROLE_INPUT, "PRNN_ARG_DX", "gradients->input", SHAPE_SEQUENCE);
    add_bindings(out, ir, IR_ROLE_STATE, "PRNN_ARG_DH0", "gradients->h0", SHAPE_STATE);
    textbuf_printf(out,
                   "    for (long long i = 0; i < %u * channels + %u * rows; i++)\n"
                   "        scratch[i] = 0;\n"
                   "    cpu_backward(&launch->head, 0, batch, 0, channels, scratch);\n",
                   ir->params, shared_scalars(ir));
    add_sums(out, ir);
    textbuf_add(out, "}\n");
}
