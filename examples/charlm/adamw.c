#include "adamw.h"

#include <math.h>
#include <stdlib.h>

struct adamw {
    float *mean, *square;
    size_t count;
    int steps;
};

struct adamw *adamw_create(size_t param_count)
{
    struct adamw *adamw = calloc(1, sizeof *adamw);
    if (!adamw)
        return NULL;
    adamw->count = param_count;
    adamw->mean = calloc(param_count, sizeof *adamw->mean);
    adamw->square = calloc(param_count, sizeof *adamw->square);
    if (!adamw->mean || !adamw->square) {
        adamw_free(adamw);
        return NULL;
    }
    return adamw;
}

void adamw_free(struct adamw *adamw)
{
    if (!adamw)
        return;
    free(adamw->mean);
    free(adamw->square);
    free(adamw);
}

double adamw_update(struct adamw *adamw, struct model *model, double rate)
{
    const double beta1 = 0.9, beta2 = 0.99, decay = 0.01, largest_norm = 1.0;
    const float *grads = model_grads(model);
    float *params = model_params(model);
    double norm = 0.0;
    for (size_t i = 0; i < adamw->count; i++)
        norm += (double)grads[i] * (double)grads[i];
    norm = sqrt(norm);
    adamw->steps++;
    const float clip = norm > largest_norm ? (float)(largest_norm / norm) : 1.0f;
    const float b1 = (float)beta1, b2 = (float)beta2, epsilon = 1e-8f;
    const float root = (float)(1.0 / sqrt(1.0 - pow(beta2, adamw->steps)));
    const float pace = (float)(rate / (1.0 - pow(beta1, adamw->steps)));
    size_t group_count;
    const struct model_group *groups = model_groups(model, &group_count);
    for (size_t g = 0; g < group_count; g++) {
        const size_t begin = groups[g].offset;
        const size_t end = begin + (size_t)groups[g].rows * (size_t)groups[g].columns;
        const float keep = groups[g].decays ? (float)(1.0 - rate * decay) : 1.0f;
#pragma omp parallel for simd
        for (size_t i = begin; i < end; i++) {
            const float slope = clip * grads[i];
            adamw->mean[i] = b1 * adamw->mean[i] + (1 - b1) * slope;
            adamw->square[i] = b2 * adamw->square[i] + (1 - b2) * slope * slope;
            params[i] = keep * params[i] -
                        pace * adamw->mean[i] / (sqrtf(adamw->square[i]) * root + epsilon);
        }
    }
    return norm;
}
