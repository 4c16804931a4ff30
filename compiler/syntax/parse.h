/* Text -> tree. */
#ifndef PRNN_PARSE_H
#define PRNN_PARSE_H

#include "arena.h"
#include "ast.h"
#include "diag.h"
#include "source.h"
#include "textbuf.h"

/* The tree of the file, or NULL if errors were added to 'diag'. Keeps no state. */
struct ast *parse(struct arena *arena, struct diag *diag, const struct source *source);

/* The tokens, one a line with their places: --dump-after=tokens. */
void parse_dump_tokens(struct arena *arena, struct diag *diag, const struct source *source,
                       struct textbuf *out);

#endif
