/** The loops over a text: updates, validation, and text from the model. */
#ifndef CHARLM_TRAIN_H
#define CHARLM_TRAIN_H

#include "model.h"
#include "options.h"
#include "text.h"

struct training {
    float *losses; /* bits per character of each step; to be freed */
    size_t steps;
    double seconds;
};

/**
 * Truncated backpropagation: each sequence of the batch reads its own stretch of the text, and the
 * states of one stretch of steps begin the next. The rate rises for a while, then follows a cosine.
 */
prnn_status train_run(struct training *out, const struct machine *machine, struct model *model,
                      const struct text *text, const struct options *options);

/** Bits per character over a text, in as many stretches as the model has sequences. */
prnn_status train_evaluate(struct model *model, const struct text *text, double *bits);

/** Write 'count' characters to stdout, drawn one by one from a 'decode' model of one sequence. */
prnn_status train_sample(struct model *decoder, const struct model *model, int count,
                         uint64_t seed);

double train_now(void); /* seconds on a steady clock */

#endif
