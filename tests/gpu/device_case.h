/* A kernel_data run on a CUDA device instead of the shim: the same text for another target, the
 * same argument with addresses of the device, the same grids. Everything here stops the test when
 * something fails. */
#ifndef PRNN_DEVICE_CASE_H
#define PRNN_DEVICE_CASE_H

#include "cuda_module.h"
#include "kernel_case.h"

struct device_text {
    const struct kernel_plan *plan;
    struct cuda_compiled module;
};

/* How the cases are run. */
struct device_settings {
    bool is_shim;      /* on the shim: to work on the suite where there is no device */
    bool leaves_holes; /* what a kernel has to write is not poisoned: for initcheck */
};

/* Whether the driver counts any device; false: 'reason' says why not. 'forks': ask in another
 * process, so that this one may still fork. */
bool device_is_there(bool forks, char *reason, size_t room);
/* The first device. One that is there but fails stops the suite. */
void device_open(const struct device_settings *settings);
void device_close(void);
struct cuda_device *device_handle(void); /* NULL on the shim */
/* "NVIDIA H100 80GB HBM3<TAB>13.0<TAB>13.0": device, driver, NVRTC. */
const char *device_words(void);

/* The target that plans have to be assembled for. */
enum assemble_target device_target(void);

/* Compile all at once, on all cores, and load. 'plans' stay borrowed. */
void device_texts_load(struct device_text *out, struct kernel_plan *plans, size_t count);
void device_texts_unload(struct device_text *texts, size_t count);

/* Run, wait, and bring back what was written. */
void device_run(struct device_text *text, struct kernel_data *data);

/* Seconds spent in compiling and in running so far. */
double device_compile_seconds(void);
double device_run_seconds(void);

#endif
