#include "interpreter.h"

#include "element.h"

#include <math.h>

/* What one call works on. */
struct call {
    const struct interpreter *interpreter;
    const struct backend_shape *shape;
    const struct launch_places *places;
    const struct prnn_launch_head *head;
    const struct prnn_arg *args;
};

/* One sequence: step t stands at row first + sign*t. */
struct walk {
    int64_t sequence, row, first, sign, length;
};

static struct walk walk_of(const struct prnn_launch_head *head, int64_t sequence)
{
    struct walk walk = {sequence, sequence, 0, 1, head->seq_len};
    if (head->cu_seqlens) {
        const int64_t begin = head->cu_seqlens[sequence], end = head->cu_seqlens[sequence + 1];
        walk.row = 0;
        walk.length = end - begin;
        walk.first = head->is_reversed ? end - 1 : begin;
        walk.sign = head->is_reversed ? -1 : 1;
    }
    return walk;
}

static int64_t offset(const struct prnn_arg *arg, const struct walk *walk, int64_t t)
{
    return walk->row * arg->stride_b + (walk->first + walk->sign * t) * arg->stride_t;
}

static bool is_reset(const struct call *call, const struct walk *walk, int64_t t)
{
    const struct prnn_launch_head *head = call->head;
    return head->reset && head->reset[walk->row * head->reset_stride_b +
                                      (walk->first + walk->sign * t) * head->reset_stride_t];
}

/* An absent tensor reads as zero and takes what is stored to it. */
static double load(const struct call *call, uint32_t index, const struct walk *walk, int64_t t,
                   int64_t c)
{
    const struct prnn_arg *arg = &call->args[index];
    return arg->base ? element_load(call->shape->storage, arg->base, offset(arg, walk, t) + c) : 0;
}

static void store(const struct call *call, uint32_t index, const struct walk *walk, int64_t t,
                  int64_t c, double value)
{
    const struct prnn_arg *arg = &call->args[index];
    if (arg->base)
        element_store(call->shape->storage, arg->base, offset(arg, walk, t) + c, value);
}

#define real float
#define NAMED(name) name##_f32
#define LEAVES ir_leaves_f32
#define EVALUATE ir_eval_f32
#include "interpreter_body.h"
#undef real
#undef NAMED
#undef LEAVES
#undef EVALUATE

#define real double
#define NAMED(name) name##_f64
#define LEAVES ir_leaves_f64
#define EVALUATE ir_eval_f64
#include "interpreter_body.h"
#undef real
#undef NAMED
#undef LEAVES
#undef EVALUATE

size_t interpreter_scratch(const struct interpreter *in, prnn_storage storage)
{
    const size_t program = ir_program_scratch(in->step);
    const size_t adjoint = in->adjoint ? ir_program_scratch(in->adjoint) : 0;
    return real_bytes(storage) *
           (5 * (size_t)in->ir->states + 2 * (size_t)in->ir->inputs + 2 * (size_t)in->ir->params +
            2 * (size_t)in->ir->outputs + (program > adjoint ? program : adjoint) + 1);
}

static struct call call_of(const struct interpreter *interpreter, const struct backend_shape *shape,
                           const struct prnn_launch_head *head)
{
    return (struct call){interpreter, shape, &shape->places, head,
                         ((const struct launch *)(const void *)head)->args};
}

void interpreter_forward(const struct interpreter *interpreter, const struct backend_shape *shape,
                         const struct prnn_launch_head *head, int64_t b0, int64_t b1, int64_t c0,
                         int64_t c1, void *scratch)
{
    const struct call call = call_of(interpreter, shape, head);
    for (int64_t b = b0; b < b1; b++) {
        const struct walk walk = walk_of(head, b);
        for (int64_t c = c0; c < c1; c++) {
            if (shape->storage == PRNN_F64)
                forward_f64(&call, &walk, c, scratch);
            else
                forward_f32(&call, &walk, c, scratch);
        }
    }
}

void interpreter_backward(const struct interpreter *interpreter, const struct backend_shape *shape,
                          const struct prnn_launch_head *head, int64_t b0, int64_t b1, int64_t c0,
                          int64_t c1, void *partial, void *scratch)
{
    const struct call call = call_of(interpreter, shape, head);
    const int64_t channels = c1 - c0, rows = head->cu_seqlens ? 1 : b1 - b0;
    const int64_t shared = (int64_t)shape->counts.params * channels;
    for (int64_t b = b0; b < b1; b++) {
        const struct walk walk = walk_of(head, b);
        const int64_t first = shared + (head->cu_seqlens ? 0 : b - b0) * head->seq_len;
        for (int64_t c = c0; c < c1; c++) {
            if (shape->storage == PRNN_F64)
                backward_f64(&call, &walk, c, (double *)partial + (c - c0), channels,
                             (double *)partial + first, rows * head->seq_len, scratch);
            else
                backward_f32(&call, &walk, c, (float *)partial + (c - c0), channels,
                             (float *)partial + first, rows * head->seq_len, scratch);
        }
    }
}
