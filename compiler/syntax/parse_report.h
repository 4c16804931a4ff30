/* What the parser says about text it does not understand. */
#ifndef PRNN_PARSE_REPORT_H
#define PRNN_PARSE_REPORT_H

#include "parse_internal.h"

/* Note a token; false, with a message, when a limit is met. */
bool report_limits(struct parser *cx, struct span span);
/* Whether the name at 'span' is first on its line and has '=' or "' =" behind it. */
bool report_is_assignment(const struct parser *cx, struct span span);
/* 'found' and 'expected' are aliases of the grammar: "name", ";", "cell", "end of file". */
void report_syntax(struct parser *cx, struct span span, const char *found,
                   const char *const *expected, uint32_t count);

#endif
