/* What a cell declares of its parameters: initial values and ranges. */
#include "handles.h"

#include "element.h"
#include "status.h"

#include <math.h>
#include <string.h>

/* Default spread of parameters without 'init'. */
#define DEFAULT_DEVIATION 0.1

/* A counter-based generator (the finaliser of splitmix64, Steele, Lea, Flood 2014): value i of a
 * stream depends on nothing but the seed and i. */
static uint64_t random_bits(uint64_t seed, uint64_t i)
{
    uint64_t z = seed + (i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* In (0, 1). */
static double random_unit(uint64_t seed, uint64_t i)
{
    return ((double)(random_bits(seed, i) >> 11) + 0.5) * 0x1p-53;
}

/* Box and Muller 1958. */
static double random_normal(uint64_t seed, uint64_t i)
{
    const double radius = sqrt(-2 * log(random_unit(seed, 2 * i)));
    return radius * cos(6.283185307179586 * random_unit(seed, 2 * i + 1));
}

static uint64_t seed_of(uint64_t seed, const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    return random_bits(seed ^ hash, 0);
}

static double clip(const struct ir_decl *decl, double value)
{
    if (decl->has_range && value < decl->lo)
        return decl->lo;
    if (decl->has_range && value > decl->hi)
        return decl->hi;
    return value;
}

static double initial_value(const struct ir_decl *decl, uint64_t seed, uint64_t i)
{
    switch (decl->init) {
    case IR_INIT_ZEROS:
        return 0;
    case IR_INIT_ONES:
        return 1;
    case IR_INIT_CONSTANT:
        return decl->init_a;
    case IR_INIT_NORMAL:
        return decl->init_a + decl->init_b * random_normal(seed, i);
    case IR_INIT_UNIFORM:
        return decl->init_a + (decl->init_b - decl->init_a) * random_unit(seed, i);
    case IR_INIT_DEFAULT:
        break;
    }
    return decl->role == IR_ROLE_STATE ? decl->initial : DEFAULT_DEVIATION * random_normal(seed, i);
}

/* The declaration of 'name' among parameters and, with 'or_state', states. */
static prnn_status find(const struct ir_decl **out, const prnn_cell *cell, const char *name,
                        bool or_state, int64_t channels, prnn_storage storage, const void *values)
{
    if (!cell || !name)
        return status_set(PRNN_E_INVALID, "'%s' is NULL", !cell ? "cell" : "name");
    if (storage != PRNN_F32 && storage != PRNN_F64)
        return status_set(PRNN_E_INVALID, "storage is %d, needed is PRNN_F32 or PRNN_F64",
                          (int)storage);
    if (channels < 0)
        return status_set(PRNN_E_INVALID, "channels is %lld, needed is 0 or more",
                          (long long)channels);
    const struct ir *ir = cell->unit->ir;
    for (uint32_t d = 0; d < ir->decl_count; d++) {
        const struct ir_decl *decl = &ir->decls[d];
        if (strcmp(decl->name, name) ||
            !(decl->role == IR_ROLE_PARAM || (or_state && decl->role == IR_ROLE_STATE)))
            continue;
        if (!values && (channels || decl->is_shared))
            return status_set(PRNN_E_INVALID, "the memory for '%s' is NULL", name);
        *out = decl;
        return PRNN_OK;
    }
    return status_set(PRNN_E_INVALID, "cell '%s' has no parameter%s '%.80s'", ir->name,
                      or_state ? " or state" : "", name);
}

prnn_status prnn_params_init(const prnn_cell *cell, const char *name, uint64_t seed,
                             int64_t channels, prnn_storage storage, void *out, int64_t stride_e)
{
    const struct ir_decl *decl;
    const prnn_status st = find(&decl, cell, name, true, channels, storage, out);
    if (st < 0)
        return st;
    const int64_t width = decl->is_shared ? 1 : channels;
    const int64_t stride = stride_e == PRNN_DENSE ? width : stride_e;
    const uint64_t stream = seed_of(seed, name);
    for (int64_t e = 0; e < decl->count; e++)
        for (int64_t c = 0; c < width; c++)
            element_store(storage, out, e * stride + c,
                          clip(decl, initial_value(decl, stream, (uint64_t)(e * width + c))));
    return PRNN_OK;
}

prnn_status prnn_params_clip(const prnn_cell *cell, const char *name, int64_t channels,
                             prnn_storage storage, void *values, int64_t stride_e)
{
    const struct ir_decl *decl;
    const prnn_status st = find(&decl, cell, name, false, channels, storage, values);
    if (st < 0 || !decl->has_range)
        return st;
    const int64_t width = decl->is_shared ? 1 : channels;
    const int64_t stride = stride_e == PRNN_DENSE ? width : stride_e;
    for (int64_t e = 0; e < decl->count; e++)
        for (int64_t c = 0; c < width; c++) {
            const int64_t at = e * stride + c;
            element_store(storage, values, at, clip(decl, element_load(storage, values, at)));
        }
    return PRNN_OK;
}
