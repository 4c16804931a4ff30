/* The instruction set of this machine, as far as a compiler told to use it all looks at it. */
#ifndef PRNN_HOST_ISA_H
#define PRNN_HOST_ISA_H

#include "sha256.h"

struct host_isa {
    char name[64];                      /* for a person: "x86_64 avx2 fma" */
    unsigned char digest[SHA256_BYTES]; /* of everything known: vendor, model, features */
};

/* Read anew on every call: a few tens of microseconds. */
void host_isa_get(struct host_isa *isa);

#endif
