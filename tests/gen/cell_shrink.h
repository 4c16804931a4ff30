/* Makes a failing cell smaller while it still fails. */
#ifndef PRNN_CELL_SHRINK_H
#define PRNN_CELL_SHRINK_H

#include "cell_tree.h"

/**
 * Drop lines, states and declarations, put a child in the place of its parent and a number in the
 * place of a subtree, write definitions out, for as long as 'fails' says that the cell still fails.
 *
 * @param fails  true as well only for cells that are well formed: edits do not keep them so
 * @param tries  calls of 'fails' at most
 */
void cell_shrink(struct cell_tree *tree, bool (*fails)(const struct cell_tree *tree, void *context),
                 void *context, int tries);

#endif
