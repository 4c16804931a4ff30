/* One self-contained C file for a cell, and its header: the CPU kernel text with plain functions
 * around it. docs/command-line.md describes the interface. */
#ifndef PRNN_EMBED_H
#define PRNN_EMBED_H

#include "pipeline.h"
#include "textbuf.h"

/* The declarations, between include guards; also the first part of the C file. */
void embed_header(struct textbuf *out, const struct unit *unit, enum assemble_storage storage);
/* 'kernel' is the text of ASSEMBLE_CPU for all states written and with gradients, without resets.
 */
void embed_source(struct textbuf *out, const struct unit *unit, enum assemble_storage storage,
                  const char *kernel, size_t kernel_length);
/* What embed_source() needs. */
struct assemble_options embed_options(const struct unit *unit, enum assemble_storage storage,
                                      enum assemble_mode mode);

#endif
