/* What a test sees of the compiler in fake_libnvrtc.c. */
#ifndef PRNN_FAKE_LIBNVRTC_H
#define PRNN_FAKE_LIBNVRTC_H

#include "dynload.h"

struct fake_nvrtc {
    int fail_at, fail_code; /* the call of this number fails; 0: none */
    const char *failed;     /* the function of fake_libnvrtc.c that it was */
    int calls;
    int programs;     /* alive */
    int misused;      /* calls with a program that is not alive */
    int major, minor; /* what it says of itself */
    int compile_code; /* of every nvrtcCompileProgram() */
    const char *log;
};

#endif
