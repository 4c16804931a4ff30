/* From what the compiler has assembled to what the cuda backend loads. */
#ifndef PRNN_KERNEL_TEXT_H
#define PRNN_KERNEL_TEXT_H

#include "assemble.h"
#include "backend.h"

/* Borrowed from 'made'; 'cluster' of its strategy. */
static inline struct backend_text kernel_text_of(const struct assembled *made, uint32_t cluster)
{
    return (struct backend_text){.text = made->text,
                                 .length = made->length,
                                 .entry = made->entry,
                                 .reduce_entry = made->reduce_entry,
                                 .threads = made->threads,
                                 .shared_bytes = made->shared_bytes,
                                 .block_channels = made->block_channels,
                                 .segment_channels = made->segment_channels,
                                 .cluster = cluster};
}

#endif
