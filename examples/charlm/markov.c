#include "markov.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

enum { ORDER = 3, V = TEXT_SYMBOLS };

/* Counts of order k are a full table of V^(k+1) numbers while that is small, which it is up to
 * order 2; of order 3 it is 92 million, mostly zero, but untouched pages cost nothing. */
struct markov {
    uint32_t *counts[ORDER + 1];   /* [V^k][V] */
    uint32_t *totals[ORDER + 1];   /* [V^k] */
    uint32_t *distinct[ORDER + 1]; /* [V^k] */
};

static void markov_free(struct markov *model)
{
    for (int k = 0; k <= ORDER; k++) {
        free(model->counts[k]);
        free(model->totals[k]);
        free(model->distinct[k]);
    }
}

static size_t context_of(const unsigned char *end, int order)
{
    size_t context = 0;
    for (int i = order; i >= 1; i--)
        context = context * V + end[-i];
    return context;
}

static void markov_count(struct markov *model, const struct text *text)
{
    for (size_t i = 0; i < text->length; i++) {
        for (int k = 0; k <= ORDER && (size_t)k <= i; k++) {
            size_t context = context_of(text->symbols + i, k);
            if (model->counts[k][context * V + text->symbols[i]]++ == 0)
                model->distinct[k][context]++;
            model->totals[k][context]++;
        }
    }
}

double markov_bits(const struct text *training, const struct text *validation)
{
    struct markov model = {.counts = {NULL}};
    double bits = -1.0;
    size_t contexts = 1;
    for (int k = 0; k <= ORDER; k++, contexts *= V) {
        model.counts[k] = calloc(contexts * V, sizeof *model.counts[k]);
        model.totals[k] = calloc(contexts, sizeof *model.totals[k]);
        model.distinct[k] = calloc(contexts, sizeof *model.distinct[k]);
        if (!model.counts[k] || !model.totals[k] || !model.distinct[k])
            goto end;
    }
    markov_count(&model, training);
    bits = 0.0;
    for (size_t i = 0; i < validation->length; i++) {
        double p = 1.0 / V;
        for (int k = 0; k <= ORDER && (size_t)k <= i; k++) {
            size_t context = context_of(validation->symbols + i, k);
            double n = model.totals[k][context], distinct = model.distinct[k][context];
            if (n > 0)
                p = (model.counts[k][context * V + validation->symbols[i]] + distinct * p) /
                    (n + distinct);
        }
        bits -= log2(p);
    }
    bits /= (double)validation->length;
end:
    markov_free(&model);
    return bits;
}
