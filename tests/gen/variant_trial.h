#ifndef PRNN_VARIANT_TRIAL_H
#define PRNN_VARIANT_TRIAL_H

#include "cell_tree.h"
#include "trial.h"

/* The cell against its variants; 'trial->text' is the text of 'tree'. Failures are Check's. */
void trial_variants(const struct trial *trial, const struct cell_tree *tree);

#endif
