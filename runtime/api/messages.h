/* The messages of this thread's last prnn_cell_load(), copied out of the compiler's memory. */
#ifndef PRNN_MESSAGES_H
#define PRNN_MESSAGES_H

#include "pipeline.h"

/* Keep the messages of 'unit'; NULL: there are none. False: memory has ended, and none are kept. */
bool messages_keep(const struct unit *unit);

#endif
