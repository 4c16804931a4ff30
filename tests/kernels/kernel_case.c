#include "kernel_case.h"

#include "ir_eval.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char kernel_cell_gru[] =
    "cell gru { state h; input u_z, u_r, u_c; param a_z, a_r, a_c;\n"
    "z = sigmoid(a_z*h + u_z); r = sigmoid(a_r*h + u_r); c = tanh(a_c*(r*h) + u_c);\n"
    "h' = (1 - z)*h + z*c; }\n";
const char kernel_cell_lstm[] =
    "cell lstm { state c, h; input u_f, u_z, u_o; param a_f, a_z, a_o, p_f, p_o;\n"
    "f = sigmoid(a_f*h + p_f*c + u_f); z = tanh(a_z*h + u_z); c' = f*c + (1 - f)*z;\n"
    "o = sigmoid(a_o*h + p_o*c' + u_o); h' = o*tanh(c'); output h'; }\n";
const char kernel_cell_affine[] = "cell affine { state h = 0.25; input u, g; param a;\n"
                                  "h' = sigmoid(g + a)*h + u; }\n";
/* The pattern of the Jacobian is not closed, and one state remembers nothing. */
const char kernel_cell_chain[] = "cell chain { state f, g, h, k; input u; param a;\n"
                                 "f' = tanh(a*f + g); g' = sigmoid(0.5*g + h) + u;\n"
                                 "h' = 0.9*h*sigmoid(a*h) + tanh(k); k' = u*u; }\n";
const char kernel_cell_affine_chain[] = "cell chain { state f, g, h, k; input u; param a;\n"
                                        "f' = 0.75*f + g; g' = a*g - 0.5*h + u;\n"
                                        "h' = 0.5*h + u*k; k' = u*u; }\n";
const char kernel_cell_output[] = "cell read { state h; input u, v; param a;\n"
                                  "h' = tanh(a*h + u); output y = h'*sigmoid(v); }\n";
const char kernel_cell_shared[] =
    "cell both { state h; input u; input dt : shared; param a; param k : shared;\n"
    "h' = h + sigmoid(dt)*(tanh(a*h + u) - k*h); }\n";
const char kernel_cell_detach[] = "cell held { state h; input u; param a;\n"
                                  "h' = tanh(a*h + u) + 0.25*detach(tanh(h)); }\n";
const char kernel_cell_chaotic[] = "cell logistic { state h = 0.3; input u; param r;\n"
                                   "h' = 3.9*h*(1 - h) + 0*(u + r); }\n";
const char kernel_cell_dense[] = "cell head { const d = 4; state h[d]; input u[d]; param R[d, d];\n"
                                 "h' = tanh(R @ h + u); }\n";

#define STRATEGY(l, v, w, s, r, c)                                                                 \
    {                                                                                              \
        .lanes = l, .vc = v, .tile_chunks = w, .chunk = s, .stages = r, .cluster = c               \
    }
const struct kernel_strategy kernel_strategies[KERNEL_STRATEGIES] = {
    {"W=1", STRATEGY(32, 1, 1, 4, 2, 1)},
    {"W=4 S=4", STRATEGY(8, 1, 4, 4, 2, 1)},
    {"W=8 S=2 lanes 8", STRATEGY(8, 1, 8, 2, 2, 1)},
    {"W=8 vc=2", STRATEGY(8, 2, 8, 3, 2, 1)},
    {"cluster 2", STRATEGY(8, 1, 4, 2, 2, 2)},
    {"cluster 4 W=8 vc=2", STRATEGY(8, 2, 8, 2, 2, 4)},
    {"no ring", STRATEGY(8, 1, 4, 8, 0, 1)},
    {"no ring, cluster 2 vc=2", STRATEGY(8, 2, 4, 6, 0, 2)},
};
#undef STRATEGY

void kernel_strategy_fit(struct assemble_options *options)
{
    struct strategy *s = &options->strategy;
    /* The backward pass has no kernels without a ring; in their place it has long chunks. */
    if (options->kernel == ASSEMBLE_BACKWARD && !s->stages) {
        s->stages = 2;
        s->chunk = 32;
        s->vc = options->storage == ASSEMBLE_F64 ? 1 : s->vc;
    }
    while (s->lanes * s->vc * assemble_element_bytes(options->storage) % 16)
        s->lanes *= 2;
}

/* -- numbers ----------------------------------------------------------------------------------- */

static size_t format_bytes(enum assemble_storage format)
{
    return format == ASSEMBLE_F64 ? 8 : format == ASSEMBLE_F32 ? 4 : 2;
}

/* The largest relative error of rounding to a format. */
static double format_epsilon(enum assemble_storage format)
{
    static const double epsilon[] = {FLT_EPSILON / 2, DBL_EPSILON / 2, 0x1p-8, 0x1p-11};
    return epsilon[format];
}

/* To a binary format of 'bits' significant bits, ties to even; none of the tests' values leave the
 * range of exponents, but tiny ones lose bits below 2^least. */
static double round_bits(double v, int bits, int least)
{
    int exponent;
    if (v == 0 || !isfinite(v))
        return v;
    frexp(v, &exponent);
    const int unit = exponent - bits > least ? exponent - bits : least;
    return ldexp(nearbyint(ldexp(v, -unit)), unit);
}

static double format_round(enum assemble_storage format, double v)
{
    return format == ASSEMBLE_F64    ? v
           : format == ASSEMBLE_F32  ? (double)(float)v
           : format == ASSEMBLE_BF16 ? round_bits(v, 8, -133)
                                     : round_bits(v, 11, -24);
}

double kernel_get(const struct kernel_tensor *tensor, size_t i)
{
    const char *at = (const char *)tensor->data + i * tensor->element;
    if (tensor->format == ASSEMBLE_F64) {
        double v;
        memcpy(&v, at, sizeof v);
        return v;
    }
    float v;
    if (tensor->format == ASSEMBLE_F32) {
        memcpy(&v, at, sizeof v);
        return (double)v;
    }
    uint16_t half;
    memcpy(&half, at, sizeof half);
    if (tensor->format == ASSEMBLE_BF16) {
        const uint32_t bits = (uint32_t)half << 16;
        memcpy(&v, &bits, sizeof v);
        return (double)v;
    }
    const int exponent = half >> 10 & 31, fraction = half & 1023;
    const double size = exponent == 31  ? (fraction ? (double)NAN : (double)INFINITY)
                        : exponent == 0 ? ldexp(fraction, -24)
                                        : ldexp(1024 + fraction, exponent - 25);
    return half & 0x8000 ? -size : size;
}

void kernel_set(struct kernel_tensor *tensor, size_t i, double v)
{
    char *at = (char *)tensor->data + i * tensor->element;
    const double rounded = format_round(tensor->format, v);
    const float narrow = (float)rounded;
    uint16_t half;
    if (tensor->format == ASSEMBLE_F64) {
        memcpy(at, &rounded, sizeof rounded);
    } else if (tensor->format == ASSEMBLE_F32) {
        memcpy(at, &narrow, sizeof narrow);
    } else if (tensor->format == ASSEMBLE_BF16) {
        uint32_t bits;
        memcpy(&bits, &narrow, sizeof bits);
        half = (uint16_t)(bits >> 16);
        memcpy(at, &half, sizeof half);
    } else {
        int exponent;
        const double size = fabs(rounded);
        frexp(size, &exponent);
        unsigned bits = isnan(rounded)   ? 0x7e00u
                        : size >= 65520  ? 0x7c00u
                        : size < 0x1p-14 ? (unsigned)ldexp(size, 24)
                                         : (unsigned)(ldexp(size, 11 - exponent)) - 1024u +
                                               ((unsigned)(exponent + 14) << 10);
        half = (uint16_t)(bits | (signbit(rounded) ? 0x8000u : 0));
        memcpy(at, &half, sizeof half);
    }
}

static uint64_t random_bits(uint64_t *seed)
{
    uint64_t z = (*seed += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double random_real(uint64_t *seed)
{
    return (double)(int64_t)random_bits(seed) * 0x1p-63;
}

/* -- plan -------------------------------------------------------------------------------------- */

/* 'text' with every 'from' replaced; the caller frees it. */
static char *text_edited(const char *text, const struct kernel_edit *edit)
{
    const size_t from = strlen(edit->from), to = strlen(edit->to);
    size_t count = 0, length = 0;
    for (const char *at = text; (at = strstr(at, edit->from)); at += from)
        count++;
    ck_assert_msg(count > 0, "the text has no '%s'", edit->from);
    char *out = malloc(strlen(text) + count * to + 1);
    ck_assert_ptr_nonnull(out);
    for (const char *at = text;;) {
        const char *next = strstr(at, edit->from);
        const size_t kept = next ? (size_t)(next - at) : strlen(at);
        memcpy(out + length, at, kept);
        length += kept;
        if (!next)
            break;
        memcpy(out + length, edit->to, to);
        length += to;
        at = next + from;
    }
    out[length] = 0;
    return out;
}

void kernel_plan_assemble(struct kernel_plan *plan, const char *cell,
                          const struct assemble_options *options)
{
    memset(plan, 0, sizeof *plan);
    plan->options = *options;
    kernel_strategy_fit(&plan->options);
    if (cell) {
        const enum pipeline_class result =
            pipeline_load_text(&plan->unit, "test.cell", cell, strlen(cell), NULL);
        ck_assert_msg(result == PIPELINE_OK, "%s", plan->unit ? plan->unit->messages : "memory");
        plan->options.state_written = plan->options.state_gradient =
            (1u << plan->unit->ir->states) - 1u;
    }
    ck_assert_int_eq(pipeline_assemble(&plan->text, plan->unit, &plan->options), PIPELINE_OK);
    ck_assert_msg(!plan->text.refusal, "kernel %d, W %u lanes %u: %s", (int)plan->options.kernel,
                  (unsigned)plan->options.strategy.tile_chunks,
                  (unsigned)plan->options.strategy.lanes, plan->text.refusal);
}

static void plan_load(struct kernel_plan *plan, const char *cell,
                      const struct assemble_options *options, const char *const *compiler,
                      const struct kernel_edit *edits)
{
    struct assemble_options of_shim = *options;
    of_shim.target = ASSEMBLE_SHIM;
    kernel_plan_assemble(plan, cell, &of_shim);
    const struct assembled *made = &plan->text.assembled;
    char *text = strdup(made->text);
    for (; edits && edits->from; edits++) {
        char *edited = text_edited(text, edits);
        free(text);
        text = edited;
    }
    plan->library = text_library_load(text, strlen(text), "text", compiler);
    free(text);
    ck_assert_ptr_nonnull(plan->library);
    plan->kernel = text_library_kernel(plan->library, made->entry);
    ck_assert(plan->kernel != NULL);
    if (options->kernel == ASSEMBLE_BACKWARD) {
        plan->reduce = text_library_kernel(plan->library, made->reduce_entry);
        ck_assert(plan->reduce != NULL);
    }
}

void kernel_plan_load(struct kernel_plan *plan, const char *cell,
                      const struct assemble_options *options, const char *const *compiler)
{
    plan_load(plan, cell, options, compiler, NULL);
}

void kernel_plan_load_edited(struct kernel_plan *plan, const char *cell,
                             const struct assemble_options *options,
                             const struct kernel_edit *edits)
{
    plan_load(plan, cell, options, NULL, edits);
}

void kernel_plan_free(struct kernel_plan *plan)
{
    text_library_free(plan->library);
    pipeline_text_free(&plan->text);
    unit_free(plan->unit);
}

/* -- tensors ----------------------------------------------------------------------------------- */

bool kernel_group_is_used(const struct kernel_plan *plan, enum kernel_group group)
{
    return group < GROUP_GH || plan->options.kernel == ASSEMBLE_BACKWARD;
}

struct kernel_tensor *kernel_tensor_of(struct kernel_data *data, enum kernel_group group,
                                       uint32_t index)
{
    return &data->tensor[data->start[group] + index];
}

int64_t kernel_row(const struct kernel_data *data, int64_t b, int64_t t)
{
    return data->begin[b] + (data->shape.is_reversed ? data->length[b] - 1 - t : t);
}

bool kernel_group_is_sequence(enum kernel_group g)
{
    return g == GROUP_X || g == GROUP_H || g == GROUP_Y || g == GROUP_GH || g == GROUP_GY ||
           g == GROUP_DX;
}

static bool is_shared(const struct ir *ir, enum kernel_group g, uint32_t k)
{
    uint32_t element;
    if (ir && (g == GROUP_X || g == GROUP_DX))
        return ir_decl_of(ir, IR_ROLE_INPUT, k, &element)->is_shared;
    if (ir && (g == GROUP_P || g == GROUP_DP))
        return ir_decl_of(ir, IR_ROLE_PARAM, k, &element)->is_shared;
    return false;
}

static bool has_gradient(const struct ir *ir, enum ir_role role, uint32_t k)
{
    uint32_t element;
    return !ir_decl_of(ir, role, k, &element)->no_gradient;
}

uint32_t kernel_shared_gradients(const struct kernel_plan *plan)
{
    const struct ir *ir = plan->unit ? plan->unit->ir : NULL;
    uint32_t count = 0;
    for (uint32_t k = 0; ir && k < ir->inputs; k++)
        count += is_shared(ir, GROUP_X, k) && has_gradient(ir, IR_ROLE_INPUT, k);
    return count;
}

static bool is_output(const struct kernel_plan *plan, enum kernel_group g)
{
    return plan->options.kernel == ASSEMBLE_BACKWARD
               ? g >= GROUP_DX
               : g == GROUP_H || g == GROUP_Y || g == GROUP_HT;
}

/* The declared range of an input or parameter, or NULL. */
static const struct ir_decl *range_of(const struct ir *ir, enum kernel_group g, uint32_t k)
{
    uint32_t element;
    if (!ir || (g != GROUP_X && g != GROUP_P))
        return NULL;
    const struct ir_decl *decl =
        ir_decl_of(ir, g == GROUP_X ? IR_ROLE_INPUT : IR_ROLE_PARAM, k, &element);
    return decl->has_range ? decl : NULL;
}

static void tensor_create(struct kernel_data *d, enum kernel_group g, uint32_t k, uint64_t *seed)
{
    const struct kernel_plan *plan = d->plan;
    const struct ir *ir = plan->unit ? plan->unit->ir : NULL;
    const int64_t n = d->shape.channels;
    struct kernel_tensor *t = kernel_tensor_of(d, g, k);
    const enum assemble_storage real =
        plan->options.storage == ASSEMBLE_F64 ? ASSEMBLE_F64 : ASSEMBLE_F32;
    const bool shared = is_shared(ir, g, k);
    const int64_t width = shared ? 1 : n;
    const struct ir_decl *range = range_of(ir, g, k);
    t->is_written = is_output(plan, g);
    t->is_present = (g != GROUP_H0 || d->shape.has_h0) &&
                    !(g == GROUP_DX && !has_gradient(ir, IR_ROLE_INPUT, k)) &&
                    !(g == GROUP_DP && !has_gradient(ir, IR_ROLE_PARAM, k)) &&
                    !(g == GROUP_HT && plan->options.kernel == ASSEMBLE_BACKWARD);
    t->is_written &= t->is_present;
    t->format = kernel_group_is_sequence(g) ? plan->options.storage : real;
    t->element = format_bytes(t->format);
    t->count = (size_t)(kernel_group_is_sequence(g)     ? d->rows * width
                        : g == GROUP_P || g == GROUP_DP ? width
                                                        : d->shape.batch * n);
    /* Rows that are not aligned start one element late. */
    t->block = calloc(t->count + 2, t->element);
    t->data = (char *)t->block + (d->shape.is_aligned ? 0 : t->element);
    t->want = calloc(t->count + 1, sizeof *t->want);
    t->bound = calloc(t->count + 1, sizeof *t->bound);
    t->stride_t = kernel_group_is_sequence(g) ? width : 0;
    t->stride_b = kernel_group_is_sequence(g) ? d->shape.steps * width : n;
    for (size_t i = 0; i < t->count && !t->is_written; i++) {
        const double gain = g == GROUP_P ? d->shape.gain : g == GROUP_H0 ? 0.5 : 1;
        const double drawn = random_real(seed);
        double v = format_round(t->format, gain * drawn);
        if (g == GROUP_H0 && d->shape.gain < 0)
            v = fabs(v) + 0.1; /* the logistic map stays in [0, 1] */
        if (range)
            v = range->lo + (range->hi - range->lo) * (drawn + 1) / 2;
        t->want[i] = format_round(t->format, v);
        kernel_set(t, i, t->want[i]);
    }
}

static void sequences_create(struct kernel_data *d)
{
    const struct kernel_shape *s = &d->shape;
    d->rows = 0;
    for (int64_t b = 0; b < s->batch; b++) {
        d->begin[b] = d->rows;
        d->length[b] = !s->is_packed ? s->steps : b == 1 ? 0 : s->steps - b;
        d->rows += d->length[b];
        d->cu_seqlens[b + 1] = d->rows;
    }
}

/* -- oracle ------------------------------------------------------------------------------------ */

/* The longest path of a step: how many roundings stand between its operands and its result. */
static double longest_path(const struct ir *ir)
{
    uint32_t *depth = calloc(ir->insn_count + 1, sizeof *depth), longest = 1;
    for (uint32_t i = 0; i < ir->insn_count; i++) {
        const ir_ref operand[3] = {ir->insns[i].a, ir->insns[i].b, ir->insns[i].c};
        for (int k = 0; k < 3; k++)
            if (ir_kind(operand[k]) == IR_VALUE && depth[ir_index(operand[k])] > depth[i])
                depth[i] = depth[ir_index(operand[k])];
        depth[i]++;
        longest = depth[i] > longest ? depth[i] : longest;
    }
    free(depth);
    return (double)longest;
}

/* LAPACK's: a result within 30 of its unit passes. */
#define RATIO 30.0

struct oracle {
    struct ir_program *step, *adjoint;
    double *scratch, h[16], x[64], p[64], cot[32];
    double approximate; /* error of one step of mode fast: not to be multiplied by RATIO */
    double next[16], output[16], jac[256], adj_h[16], adj_x[64], adj_p[64];
};

static void leaves_load(struct kernel_data *d, struct oracle *o, int64_t row, int64_t n)
{
    const struct ir *ir = d->plan->unit->ir;
    for (uint32_t k = 0; k < ir->inputs; k++)
        o->x[k] = kernel_tensor_of(d, GROUP_X, k)
                      ->want[is_shared(ir, GROUP_X, k) ? row : row * d->shape.channels + n];
    for (uint32_t k = 0; k < ir->params; k++)
        o->p[k] = kernel_tensor_of(d, GROUP_P, k)->want[is_shared(ir, GROUP_P, k) ? 0 : n];
}

static double initial_of(struct kernel_data *d, uint32_t i, int64_t b, int64_t n)
{
    uint32_t element;
    if (d->shape.has_h0)
        return kernel_tensor_of(d, GROUP_H0, i)->want[b * d->shape.channels + n];
    const double v = ir_decl_of(d->plan->unit->ir, IR_ROLE_STATE, i, &element)->initial;
    return d->plan->options.storage == ASSEMBLE_F64 ? v : (double)(float)v;
}

static double norm_of(const double *m, uint32_t n, bool is_transposed)
{
    double largest = 0;
    for (uint32_t i = 0; i < n; i++) {
        double sum = 0;
        for (uint32_t j = 0; j < n; j++)
            sum += fabs(is_transposed ? m[j * n + i] : m[i * n + j]);
        largest = sum > largest ? sum : largest;
    }
    return largest;
}

static void oracle_forward(struct kernel_data *d, struct oracle *o, double unit, int64_t b,
                           int64_t n)
{
    const struct ir *ir = d->plan->unit->ir;
    const int64_t channels = d->shape.channels;
    const double stored = format_epsilon(d->plan->options.storage);
    double growth = 0, scale = 1, bound = 0;
    struct ir_leaves_f64 leaves = {.h = o->h, .x = o->x, .p = o->p};
    leaves.out[IR_OUT_NEXT] = o->next;
    leaves.out[IR_OUT_OUTPUT] = o->output;
    leaves.out[IR_OUT_JACOBIAN] = o->jac;
    for (uint32_t i = 0; i < ir->states; i++)
        o->next[i] = initial_of(d, i, b, n);
    for (int64_t t = 0; t < d->length[b]; t++) {
        const int64_t row = kernel_row(d, b, t), at = row * channels + n;
        const bool is_reset = d->shape.has_resets && d->reset[row];
        for (uint32_t i = 0; i < ir->states; i++)
            o->h[i] = is_reset ? initial_of(d, i, b, n) : o->next[i];
        leaves_load(d, o, row, n);
        ir_eval_f64(o->step, &leaves, o->scratch);
        growth = (is_reset ? 0 : norm_of(o->jac, ir->states, false) * growth) + 1;
        for (uint32_t i = 0; i < ir->states; i++)
            scale = fmax(scale, fabs(o->next[i]));
        bound = (RATIO * unit + o->approximate + d->shape.tolerance) * scale * growth;
        for (uint32_t i = 0; i < ir->states; i++) {
            struct kernel_tensor *h = kernel_tensor_of(d, GROUP_H, i);
            h->want[at] = o->next[i];
            h->bound[at] = bound + stored * fabs(o->next[i]) + 0x1p-24 * (stored > 1e-6);
        }
        for (uint32_t k = 0; k < ir->outputs; k++) {
            uint32_t expression;
            if (emit_output_state(ir, k, &expression) >= 0)
                continue;
            struct kernel_tensor *y = kernel_tensor_of(d, GROUP_Y, expression);
            y->want[at] = o->output[k];
            y->bound[at] = bound + stored * fabs(o->output[k]) + 0x1p-24 * (stored > 1e-6);
        }
    }
    for (uint32_t i = 0; i < ir->states; i++) {
        struct kernel_tensor *last = kernel_tensor_of(d, GROUP_HT, i);
        last->want[b * channels + n] = o->next[i];
        last->bound[b * channels + n] = bound;
    }
}

static void add_to(struct kernel_tensor *t, int64_t i, double v, double bound)
{
    t->want[i] += v;
    t->bound[i] += bound;
}

/* From the states that the kernel reads, so that only the backward pass is judged. */
static void oracle_backward(struct kernel_data *d, struct oracle *o, double unit, int64_t b,
                            int64_t n)
{
    const struct ir *ir = d->plan->unit->ir;
    const int64_t channels = d->shape.channels;
    const double stored = format_epsilon(d->plan->options.storage);
    double lambda[16], growth = 1, scale = 1;
    struct ir_leaves_f64 leaves = {.h = o->h, .x = o->x, .p = o->p, .cotangent = o->cot};
    leaves.out[IR_OUT_ADJACOBIAN] = o->jac;
    leaves.out[IR_OUT_ADJ_STATE] = o->adj_h;
    leaves.out[IR_OUT_ADJ_INPUT] = o->adj_x;
    leaves.out[IR_OUT_ADJ_PARAM] = o->adj_p;
    for (uint32_t i = 0; i < ir->states; i++)
        lambda[i] = kernel_tensor_of(d, GROUP_GHT, i)->want[b * channels + n];
    for (int64_t t = d->length[b] - 1; t >= 0; t--) {
        const int64_t row = kernel_row(d, b, t), at = row * channels + n;
        const bool is_initial = t == 0 || (d->shape.has_resets && d->reset[row]);
        leaves_load(d, o, row, n);
        for (uint32_t i = 0; i < ir->states; i++) {
            o->h[i] =
                is_initial
                    ? initial_of(d, i, b, n)
                    : kernel_tensor_of(d, GROUP_H, i)->want[kernel_row(d, b, t - 1) * channels + n];
            o->cot[i] = lambda[i] + kernel_tensor_of(d, GROUP_GH, i)->want[at];
            scale = fmax(scale, fabs(o->cot[i]));
        }
        for (uint32_t k = 0; k < ir->outputs; k++) {
            uint32_t expression;
            const bool is_state = emit_output_state(ir, k, &expression) >= 0;
            o->cot[ir->states + k] =
                is_state ? 0 : kernel_tensor_of(d, GROUP_GY, expression)->want[at];
        }
        ir_eval_f64(o->adjoint, &leaves, o->scratch);
        growth = norm_of(o->jac, ir->states, true) * growth + 1;
        const double guessed = assemble_is_long(&d->plan->options) ? d->shape.tolerance : 0;
        const double bound = (RATIO * unit + o->approximate + guessed) * scale * growth;
        for (uint32_t k = 0; k < ir->inputs; k++)
            if (has_gradient(ir, IR_ROLE_INPUT, k))
                add_to(kernel_tensor_of(d, GROUP_DX, k), is_shared(ir, GROUP_X, k) ? row : at,
                       o->adj_x[k], bound + stored * fabs(o->adj_x[k]) + 0x1p-24 * (stored > 1e-6));
        for (uint32_t k = 0; k < ir->params; k++)
            if (has_gradient(ir, IR_ROLE_PARAM, k))
                add_to(kernel_tensor_of(d, GROUP_DP, k), is_shared(ir, GROUP_P, k) ? 0 : n,
                       o->adj_p[k], bound);
        for (uint32_t i = 0; i < ir->states; i++) {
            if (is_initial)
                add_to(kernel_tensor_of(d, GROUP_DH0, i), b * channels + n, o->adj_h[i], bound);
            lambda[i] = is_initial ? 0 : o->adj_h[i];
        }
        if (is_initial)
            growth = 1;
    }
    if (d->length[b] == 0)
        for (uint32_t i = 0; i < ir->states; i++)
            add_to(kernel_tensor_of(d, GROUP_DH0, i), b * channels + n, lambda[i], 0);
}

struct programs {
    const struct ir *ir;
    struct oracle *oracle;
};

static void programs_create(struct arena *arena, void *context)
{
    const struct programs *p = context;
    p->oracle->step = ir_program_create(
        p->ir, IR_MASK(IR_OUT_NEXT) | IR_MASK(IR_OUT_OUTPUT) | IR_MASK(IR_OUT_JACOBIAN), arena);
    p->oracle->adjoint =
        ir_program_create(p->ir,
                          IR_MASK(IR_OUT_ADJACOBIAN) | IR_MASK(IR_OUT_ADJ_STATE) |
                              IR_MASK(IR_OUT_ADJ_INPUT) | IR_MASK(IR_OUT_ADJ_PARAM),
                          arena);
}

static void oracle_run(struct kernel_data *d)
{
    const struct ir *ir = d->plan->unit->ir;
    struct oracle o = {0};
    struct arena *arena;
    struct programs programs = {ir, &o};
    ck_assert_int_eq(pipeline_guard(&arena, programs_create, &programs), PIPELINE_OK);
    const size_t a = ir_program_scratch(o.step), b = ir_program_scratch(o.adjoint);
    o.scratch = calloc((a > b ? a : b) + 1, sizeof *o.scratch);
    const double epsilon = d->plan->options.storage == ASSEMBLE_F64 ? DBL_EPSILON : FLT_EPSILON;
    const double unit = epsilon * longest_path(ir);
    /* Each function of the path is off by 2^-11 at most: math_fast.h. */
    if (d->plan->options.mode == ASSEMBLE_FAST && d->plan->options.storage != ASSEMBLE_F64)
        o.approximate = 0x1p-11 * longest_path(ir);
    const bool is_backward = d->plan->options.kernel == ASSEMBLE_BACKWARD;
    for (int64_t sequence = 0; sequence < d->shape.batch; sequence++)
        for (int64_t n = 0; n < d->shape.channels; n++)
            oracle_forward(d, &o, unit, sequence, n);
    for (uint32_t i = 0; i < ir->states && is_backward; i++) {
        struct kernel_tensor *h = kernel_tensor_of(d, GROUP_H, i);
        for (size_t k = 0; k < h->count; k++) {
            h->want[k] = format_round(h->format, h->want[k]);
            kernel_set(h, k, h->want[k]);
        }
    }
    for (int64_t sequence = 0; sequence < d->shape.batch && is_backward; sequence++)
        for (int64_t n = 0; n < d->shape.channels; n++)
            oracle_backward(d, &o, unit, sequence, n);
    free(o.scratch);
    arena_destroy(arena);
}

/* -- data ---------------------------------------------------------------------------------------
 */

void kernel_data_poison(struct kernel_data *d)
{
    for (uint32_t k = 0; k < d->start[GROUP_COUNT]; k++)
        for (size_t i = 0; i < d->tensor[k].count && d->tensor[k].is_written; i++)
            kernel_set(&d->tensor[k], i, (double)NAN);
    memset(d->workspace, 0xff, d->workspace_bytes);
    memset(d->report, 0xff, (size_t)d->grid * sizeof *d->report);
}

void kernel_data_create(struct kernel_data *d, const struct kernel_plan *plan,
                        const struct kernel_shape *shape)
{
    const struct ir *ir = plan->unit ? plan->unit->ir : NULL;
    const struct strategy *s = &plan->options.strategy;
    memset(d, 0, sizeof *d);
    d->plan = plan;
    d->shape = *shape;
    if (d->shape.gain == 0)
        d->shape.gain = 0.5;
    ck_assert_int_le(shape->batch, KERNEL_BATCH);
    sequences_create(d);
    const uint32_t states = ir ? ir->states : plan->options.scan_block;
    const uint32_t inputs = ir                               ? ir->inputs
                            : plan->options.scan_is_diagonal ? 2 * states
                                                             : states * states + states;
    const uint32_t outputs = ir ? ir_expression_count(ir) : 0, params = ir ? ir->params : 0;
    const uint32_t counts[GROUP_COUNT] = {inputs, states,  outputs, params, states, states,
                                          states, outputs, states,  inputs, params, states};
    uint64_t seed = shape->seed + 1;
    for (int g = 0; g < GROUP_COUNT; g++) {
        d->counts[g] = kernel_group_is_used(plan, (enum kernel_group)g) ? counts[g] : 0;
        d->start[g + 1] = d->start[g] + d->counts[g];
        ck_assert_uint_le(d->start[g + 1], KERNEL_TENSORS);
        for (uint32_t k = 0; k < d->counts[g]; k++)
            tensor_create(d, (enum kernel_group)g, k, &seed);
    }
    d->reset = calloc((size_t)d->rows + 1, 1);
    for (int64_t row = 0; row < d->rows && shape->has_resets; row++)
        d->reset[row] = random_bits(&seed) % 5 == 0;
    int64_t reals = shape->channels * shape->batch * s->cluster * params;
    if (plan->options.kernel == ASSEMBLE_BACKWARD) {
        const int64_t width = plan->text.assembled.segment_channels;
        const int64_t segments = (shape->channels + width - 1) / width;
        reals += segments * (int64_t)kernel_shared_gradients(plan) * d->rows;
    }
    d->workspace_bytes = (size_t)reals * (plan->options.storage == ASSEMBLE_F64 ? 8 : 4);
    d->workspace = calloc(d->workspace_bytes + 1, 1);
    const int64_t width = plan->text.assembled.block_channels;
    d->grid = plan->options.kernel == ASSEMBLE_DECODE
                  ? (int)((shape->batch * shape->channels + 127) / 128)
                  : (int)(shape->batch * ((shape->channels + width - 1) / width) * s->cluster);
    d->report = calloc((size_t)d->grid + 1, sizeof *d->report);
    if (ir)
        oracle_run(d);
    kernel_data_poison(d);
}

void kernel_data_free(struct kernel_data *d)
{
    for (uint32_t k = 0; k < d->start[GROUP_COUNT]; k++) {
        free(d->tensor[k].block);
        free(d->tensor[k].want);
        free(d->tensor[k].bound);
    }
    free(d->reset);
    free(d->workspace);
    free(d->report);
}

static const char *const group_names[GROUP_COUNT] = {"x",  "h",  "y",   "p",  "h0", "hT",
                                                     "gh", "gy", "ghT", "dx", "dp", "dh0"};

void kernel_data_check(struct kernel_data *d)
{
    for (int g = 0; g < GROUP_COUNT; g++)
        for (uint32_t k = 0; k < d->counts[g]; k++) {
            const struct kernel_tensor *t = kernel_tensor_of(d, (enum kernel_group)g, k);
            for (size_t i = 0; i < t->count && t->is_written; i++) {
                const double got = kernel_get(t, i), error = fabs(got - t->want[i]);
                if (isnan(t->want[i]) ? !isnan(got) : !(error <= t->bound[i]))
                    ck_abort_msg("%s %u at %zu of %zu (channels %lld): %.9g, oracle %.9g, bound "
                                 "%.3g",
                                 group_names[g], k, i, t->count, (long long)d->shape.channels, got,
                                 t->want[i], t->bound[i]);
                if (t->bound[i] > 0)
                    d->largest_ratio = fmax(d->largest_ratio, RATIO * error / t->bound[i]);
            }
        }
}

void kernel_data_check_same(struct kernel_data *a, struct kernel_data *b)
{
    for (int g = 0; g < GROUP_COUNT; g++)
        for (uint32_t k = 0; k < a->counts[g]; k++) {
            const struct kernel_tensor *t = kernel_tensor_of(a, (enum kernel_group)g, k);
            const struct kernel_tensor *u = kernel_tensor_of(b, (enum kernel_group)g, k);
            ck_assert_uint_eq(t->count, u->count);
            for (size_t i = 0; i < t->count && t->is_written; i++)
                ck_assert_msg(memcmp((char *)t->data + i * t->element,
                                     (char *)u->data + i * u->element, t->element) == 0 ||
                                  (isnan(kernel_get(t, i)) && isnan(kernel_get(u, i))),
                              "%s %u at %zu of %zu: %a and %a", group_names[g], k, i, t->count,
                              kernel_get(t, i), kernel_get(u, i));
        }
}

uint64_t kernel_data_hash(struct kernel_data *d)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (uint32_t k = 0; k < d->start[GROUP_COUNT]; k++) {
        const struct kernel_tensor *t = &d->tensor[k];
        for (size_t i = 0; i < t->count * t->element && t->is_written; i++)
            hash = (hash ^ ((const unsigned char *)t->data)[i]) * 0x100000001b3u;
    }
    return hash;
}
