#include "library_net.h"

#include "element.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRY(call)                                                                                  \
    do {                                                                                           \
        if ((call) != PRNN_OK)                                                                     \
            return prnn_last_error();                                                              \
    } while (0)

static const char *tensor_add(struct net *net, const char *prefix, const prnn_value_info *info,
                              int group, int offset)
{
    const prnn_problem *problem = &net->problem;
    const bool is_state = prefix[0] != 0;
    const bool is_real = is_state || info->role == PRNN_PARAM;
    const int64_t width = info->is_shared ? 1 : problem->channels;
    if (net->tensors == NET_TENSORS)
        return "the cell has too many tensors for this test";
    struct net_tensor *t = &net->tensor[net->tensors++];
    *t = (struct net_tensor){.group = group};
    t->format = !is_real ? problem->storage : problem->storage == PRNN_F64 ? PRNN_F64 : PRNN_F32;
    t->element = t->format == PRNN_F64 ? 8 : t->format == PRNN_F32 ? 4 : 2;
    t->count =
        (size_t)(width * info->count) * (size_t)(info->role == PRNN_PARAM ? 1
                                                 : is_state               ? problem->batch
                                                            : problem->batch * problem->seq_len);
    t->offset = is_real ? 0 : (size_t)offset * t->element;
    snprintf(t->name, sizeof t->name, "%s%s", prefix, info->name);
    TRY(prnn_memory_alloc(net->context, &t->block, t->count * t->element + t->offset));
    t->data = (char *)t->block + t->offset;
    if (group >= 2)
        net->result_bytes += t->count * t->element;
    TRY(prnn_plan_bind(net->plan, group == 1 || group == 3 ? net->grads : net->args, t->name,
                       t->data, PRNN_DENSE, PRNN_DENSE));
    return NULL;
}

const char *net_create(struct net *net, const char *device, const char *path,
                       const prnn_problem *problem, int offset)
{
    static const prnn_role roles[] = {PRNN_INPUT, PRNN_PARAM, PRNN_STATE};
    const bool has_backward = problem->backward;
    const char *wrong = NULL;
    memset(net, 0, sizeof *net);
    net->problem = *problem;
    TRY(prnn_context_create(&net->context, device));
    TRY(prnn_cell_load(&net->cell, net->context, path, NULL));
    TRY(prnn_plan_create(&net->plan, net->cell, problem));
    for (int r = 0; r < 3; r++)
        for (uint32_t i = 0; !wrong; i++) {
            prnn_value_info info = PRNN_VALUE_INFO_INIT;
            if (prnn_cell_value(net->cell, roles[r], i, &info) != PRNN_OK)
                break;
            if (roles[r] != PRNN_STATE) {
                wrong = tensor_add(net, "", &info, 0, offset);
                if (!wrong && has_backward && info.has_gradient)
                    wrong = tensor_add(net, "", &info, 3, offset);
                continue;
            }
            wrong = tensor_add(net, "", &info, 2, offset);
            if (!wrong)
                wrong = tensor_add(net, "h0:", &info, 0, 0);
            if (!wrong)
                wrong = tensor_add(net, "hT:", &info, 2, 0);
            if (!wrong && has_backward)
                wrong = tensor_add(net, "", &info, 1, offset);
            if (!wrong && has_backward)
                wrong = tensor_add(net, "hT:", &info, 1, 0);
            if (!wrong && has_backward)
                wrong = tensor_add(net, "h0:", &info, 3, 0);
        }
    if (wrong)
        return wrong;
    TRY(prnn_memory_alloc(net->context, &net->workspace, prnn_plan_workspace_size(net->plan)));
    return NULL;
}

void net_free(struct net *net)
{
    for (int i = 0; i < net->tensors; i++)
        prnn_memory_free(net->context, net->tensor[i].block);
    prnn_memory_free(net->context, net->workspace);
    prnn_plan_free(net->plan);
    prnn_cell_free(net->cell);
    prnn_context_free(net->context);
}

struct net_tensor *net_find(struct net *net, const char *name, int group)
{
    for (int i = 0; i < net->tensors; i++)
        if (net->tensor[i].group == group && strcmp(net->tensor[i].name, name) == 0)
            return &net->tensor[i];
    return NULL;
}

static double random_real(uint64_t *seed)
{
    uint64_t z = (*seed += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)(int64_t)(z ^ z >> 31) * 0x1p-63;
}

const char *net_fill(struct net *net, uint64_t seed, void *stream)
{
    for (int i = 0; i < net->tensors; i++) {
        struct net_tensor *t = &net->tensor[i];
        char *host = malloc(t->count * t->element + 1);
        if (!host)
            return "no memory";
        if (t->group >= 2)
            memset(host, 0xff, t->count * t->element);
        else
            for (size_t k = 0; k < t->count; k++)
                element_store(t->format, host, (int64_t)k, 0.9 * random_real(&seed));
        const prnn_status status =
            prnn_memory_upload(net->context, t->data, host, t->count * t->element, stream);
        free(host);
        TRY(status);
    }
    return NULL;
}

const char *net_run(struct net *net, void *stream)
{
    TRY(prnn_forward(net->plan, net->args, net->workspace, stream));
    if (net->problem.backward)
        TRY(prnn_backward(net->plan, net->args, net->grads, net->workspace, stream));
    return NULL;
}

const char *net_results(struct net *net, void *results, void *stream)
{
    char *at = results;
    for (int i = 0; i < net->tensors; i++) {
        const struct net_tensor *t = &net->tensor[i];
        if (t->group < 2)
            continue;
        TRY(prnn_memory_download(net->context, at, t->data, t->count * t->element, stream));
        at += t->count * t->element;
    }
    return NULL;
}
