/* What 'explain' says about a compiled cell: text, JSON, HTML, LaTeX, Graphviz. */
#ifndef PRNN_REPORT_H
#define PRNN_REPORT_H

#include "ast.h"
#include "cost.h"
#include "ir.h"
#include "range.h"
#include "structure.h"
#include "textbuf.h"

/* Results of all stages; everything is borrowed. */
struct report_subject {
    const struct ast *ast; /* resolved and typed */
    const struct ir *ir;   /* final */
    const struct structure *structure;
    const struct range_report *ranges; /* 'value' is not read */
    const struct cost *forward, *backward;
};

void report_text(struct textbuf *out, const struct report_subject *subject);
/* One object; docs/command-line.md lists its members. */
void report_json(struct textbuf *out, const struct report_subject *subject);
/* One page that needs nothing else: style and pictures are in it. */
void report_html(struct textbuf *out, const struct report_subject *subject);
/* The equations and the Jacobian, each in an align* of amsmath. */
void report_latex(struct textbuf *out, const struct report_subject *subject);
/* What is read by what, as a digraph. */
void report_dot(struct textbuf *out, const struct report_subject *subject);

#endif
