/* Every limit of the compiler, with its reason. */
#ifndef PRNN_LIMITS_H
#define PRNN_LIMITS_H

enum {
    LIMIT_SOURCE_BYTES = 1 << 20,  /* a cell is ten lines; spans are 32 bits */
    LIMIT_TOKENS = 100000,         /* bounds the work of every later stage */
    LIMIT_NESTING = 256,           /* every recursive walk stays on a small stack */
    LIMIT_NAME_BYTES = 63,         /* names fit messages and tables */
    LIMIT_STATES = 16,             /* scalar states of a fused solve: tangents are n*n per thread */
    LIMIT_SCALARS = 1024,          /* scalar inputs, parameters or outputs: launch arguments */
    LIMIT_TENSORS = 64,            /* declarations of each kind */
    LIMIT_OPERATIONS = 20000,      /* instructions after sharing */
    LIMIT_STATEMENTS = 2000,       /* in one emitted function; NVRTC becomes slow far beyond */
    LIMIT_ERRORS = 20,             /* then "too many errors" */
};

#endif
