/* What may follow the names of a declaration, and what it means. */
#ifndef PRNN_ATTRIBUTES_H
#define PRNN_ATTRIBUTES_H

#include "ast.h"
#include "diag.h"
#include "scope.h"

/* Unknown, repeated and misplaced attributes, and the number of values of 'init'. */
void attributes_check_words(struct diag *diag, const struct ast_statement *statement);
/* Of a word that attributes_check_words() accepted. */
enum symbol_init attributes_init(const char *word);

#endif
