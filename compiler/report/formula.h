/* Values of the IR as formulas that a person reads: names of the cell where a definition computes
 * the value, t1, t2, ... for what is used more than once, infix for the rest. */
#ifndef PRNN_FORMULA_H
#define PRNN_FORMULA_H

#include "ast.h"
#include "ir.h"
#include "textbuf.h"

enum formula_style { FORMULA_PLAIN, FORMULA_LATEX };

struct formula {
    const struct ir *ir;
    struct arena *arena;
    enum formula_style style;
    const char **names; /* per instruction; NULL: it is written out */
    uint32_t *shared;   /* instructions named t1, t2, ... in their order */
    uint32_t shared_count;
};

/* Names for what the outs of kind 'kind' reach. */
void formula_init(struct formula *formula, const struct ast *ast, const struct ir *ir,
                  enum ir_out_kind kind, enum formula_style style, struct arena *arena);
void formula_print(struct textbuf *out, const struct formula *formula, ir_ref value);
/* The right side of shared value 'index' (of formula->shared), its name left out. */
void formula_print_insn(struct textbuf *out, const struct formula *formula, uint32_t insn);

/* The state after the step: "h'", "h'[2]". */
const char *formula_next_name(const struct ir *ir, uint32_t state, struct arena *arena);

/* A name of the cell for LaTeX: "u_z" is u_{z}, "dt" is \mathrm{dt}; primes and places stay. */
void formula_latex_name(struct textbuf *out, const char *name);

#endif
