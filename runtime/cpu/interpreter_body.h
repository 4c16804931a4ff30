/* Included twice by interpreter.c: 'real' is float or double, NAMED(x) appends its suffix. */

/* Places in the scratch of one call; reals. */
struct NAMED(scratch) {
    real *h, *next, *x, *p, *output, *cotangent, *adj_h, *adj_x, *adj_p, *dh0, *program;
};

static void NAMED(scratch_find)(struct NAMED(scratch) * out, const struct ir *ir, real *at)
{
    out->h = at;
    out->next = out->h + ir->states;
    out->x = out->next + ir->states;
    out->p = out->x + ir->inputs;
    out->output = out->p + ir->params;
    out->cotangent = out->output + ir->outputs;
    out->adj_h = out->cotangent + ir->states + ir->outputs;
    out->adj_x = out->adj_h + ir->states;
    out->adj_p = out->adj_x + ir->inputs;
    out->dh0 = out->adj_p + ir->params;
    out->program = out->dh0 + ir->states;
}

static void NAMED(read_initial)(const struct call *call, const struct walk *walk, int64_t c,
                                real *h)
{
    for (uint32_t i = 0; i < call->shape->counts.states; i++) {
        const struct prnn_arg *arg = &call->args[call->places->h0 + i];
        h[i] = arg->base ? ((const real *)arg->base)[walk->sequence * arg->stride_b + c]
                         : (real)call->interpreter->initial[i];
    }
}

static void NAMED(read_params)(const struct call *call, int64_t c, real *p)
{
    for (uint32_t k = 0; k < call->shape->counts.params; k++)
        p[k] = ((const real *)call->args[call->places->p + k]
                    .base)[call->shape->param_is_shared[k] ? 0 : c];
}

static void NAMED(read_inputs)(const struct call *call, const struct walk *walk, int64_t t,
                               int64_t c, real *x)
{
    for (uint32_t k = 0; k < call->shape->counts.inputs; k++)
        x[k] =
            (real)load(call, call->places->x + k, walk, t, call->shape->input_is_shared[k] ? 0 : c);
}

/* One channel of one sequence. */
static void NAMED(forward)(const struct call *call, const struct walk *walk, int64_t c,
                           real *memory)
{
    const struct interpreter *in = call->interpreter;
    const struct prnn_counts *n = &call->shape->counts;
    struct NAMED(scratch) s;
    bool is_finite = true;

    NAMED(scratch_find)(&s, in->ir, memory);
    struct LEAVES leaves = {.h = s.h, .x = s.x, .p = s.p};
    leaves.out[IR_OUT_NEXT] = s.next;
    leaves.out[IR_OUT_OUTPUT] = s.output;
    NAMED(read_params)(call, c, s.p);
    NAMED(read_initial)(call, walk, c, s.h);
    for (int64_t t = 0; t < walk->length; t++) {
        if (t > 0 && is_reset(call, walk, t))
            NAMED(read_initial)(call, walk, c, s.h);
        NAMED(read_inputs)(call, walk, t, c, s.x);
        EVALUATE(in->step, &leaves, s.program);
        for (uint32_t i = 0; i < n->states; i++) {
            s.h[i] = s.next[i];
            is_finite = is_finite && isfinite(s.h[i]);
            if (call->shape->state_written >> i & 1)
                store(call, call->places->h + i, walk, t, c, (double)s.h[i]);
        }
        for (uint32_t k = 0; k < in->ir->outputs; k++)
            if (in->expression[k] >= 0)
                store(call, call->places->y + (uint32_t)in->expression[k], walk, t, c,
                      (double)s.output[k]);
    }
    for (uint32_t i = 0; i < n->states; i++) {
        const struct prnn_arg *arg = &call->args[call->places->ht + i];
        if (arg->base)
            ((real *)arg->base)[walk->sequence * arg->stride_b + c] = s.h[i];
    }
    if (!is_finite && call->head->report)
        __atomic_store_n(&call->head->report->nonfinite, 1u, __ATOMIC_RELAXED);
}

/* 'partial': of this channel; 'shared': of this sequence's first step. */
static void NAMED(backward)(const struct call *call, const struct walk *walk, int64_t c,
                            real *partial, int64_t channels, real *shared, int64_t shared_stride,
                            real *memory)
{
    const struct interpreter *in = call->interpreter;
    const struct prnn_counts *n = &call->shape->counts;
    const struct launch_places *at = call->places;
    struct NAMED(scratch) s;

    NAMED(scratch_find)(&s, in->ir, memory);
    struct LEAVES leaves = {.h = s.h, .x = s.x, .p = s.p, .cotangent = s.cotangent};
    leaves.out[IR_OUT_ADJ_STATE] = s.adj_h;
    leaves.out[IR_OUT_ADJ_INPUT] = s.adj_x;
    leaves.out[IR_OUT_ADJ_PARAM] = s.adj_p;
    NAMED(read_params)(call, c, s.p);
    for (uint32_t i = 0; i < n->states; i++) {
        const struct prnn_arg *arg = &call->args[at->ght + i];
        s.adj_h[i] = arg->base ? ((const real *)arg->base)[walk->sequence * arg->stride_b + c] : 0;
        s.dh0[i] = walk->length ? 0 : s.adj_h[i];
    }
    for (int64_t t = walk->length; t-- > 0;) {
        const bool is_initial = t == 0 || is_reset(call, walk, t);
        NAMED(read_inputs)(call, walk, t, c, s.x);
        if (is_initial)
            NAMED(read_initial)(call, walk, c, s.h);
        for (uint32_t i = 0; i < n->states; i++) {
            if (!is_initial)
                s.h[i] = (real)load(call, at->h + i, walk, t - 1, c);
            s.cotangent[i] = s.adj_h[i];
            if (call->shape->state_gradient >> i & 1)
                s.cotangent[i] += (real)load(call, at->gh + i, walk, t, c);
        }
        for (uint32_t k = 0; k < in->ir->outputs; k++)
            s.cotangent[n->states + k] =
                in->expression[k] < 0
                    ? 0
                    : (real)load(call, at->gy + (uint32_t)in->expression[k], walk, t, c);
        EVALUATE(in->adjoint, &leaves, s.program);
        for (uint32_t k = 0, index = 0; k < n->inputs; k++) {
            if (call->shape->input_is_shared[k])
                shared[index++ * shared_stride + walk->first + walk->sign * t] += s.adj_x[k];
            else if (call->shape->input_has_gradient[k])
                store(call, at->dx + k, walk, t, c, (double)s.adj_x[k]);
        }
        for (uint32_t k = 0; k < n->params; k++)
            partial[k * channels] += s.adj_p[k];
        for (uint32_t i = 0; is_initial && i < n->states; i++) {
            s.dh0[i] += s.adj_h[i];
            s.adj_h[i] = 0;
        }
    }
    for (uint32_t i = 0; i < n->states; i++) {
        const struct prnn_arg *arg = &call->args[at->dh0 + i];
        if (arg->base)
            ((real *)arg->base)[walk->sequence * arg->stride_b + c] = s.dh0[i];
    }
}
