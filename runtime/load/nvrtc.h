/* CUDA text -> cubin, by NVRTC, through the cache. Needs neither device nor driver.
 *
 * Options are fixed here. Never fast math, and no contraction: the emitter writes every fused
 * multiply-add. Texts are our own, of bounded size and nesting; see
 * docs/decisions/0003-nvrtc-in-process.md. Any thread. */
#ifndef PRNN_NVRTC_H
#define PRNN_NVRTC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache.h"

enum nvrtc_status {
    NVRTC_OK,
    NVRTC_MISSING,     /* no library, or not its builtins: the log says where it was looked for */
    NVRTC_UNSUPPORTED, /* this NVRTC knows no architecture that the device can run */
    NVRTC_REJECTED,    /* our text does not compile: a fault of this library */
    NVRTC_TROUBLE,     /* another failure of NVRTC */
    NVRTC_NOMEM
};

enum { NVRTC_KERNELS_MAX = 4, NVRTC_NAME_MAX = 95 };

/* What ptxas says about one kernel. */
struct nvrtc_usage {
    char kernel[NVRTC_NAME_MAX + 1];
    uint32_t registers, barriers;
    uint32_t spill_store_bytes, spill_load_bytes;
    uint32_t stack_bytes, shared_bytes; /* shared: static only */
};

struct nvrtc_request {
    const char *text; /* ends with 0 */
    size_t length;
    const char *arch;  /* "sm_90" for a cubin, "compute_90" for PTX */
    const char *label; /* for the list of the cache: the name of the kernel */
};

/* Zeroed by nvrtc_compile(); free with nvrtc_result_free(). */
struct nvrtc_result {
    enum nvrtc_status status;
    void *image; /* cubin, or PTX with its final 0; malloc'd, NULL on failure */
    size_t size;
    char *log; /* on failure: words for a person with NVRTC's whole log; may be NULL */
    uint32_t usage_count;
    struct nvrtc_usage usage[NVRTC_KERNELS_MAX]; /* of a cubin */
    bool from_cache;
    double seconds; /* of the compilation; 0 from the cache */
};

/**
 * Compile texts, several at once, each on a thread with a large stack.
 *
 * @param         cache   NULL: none
 * @param[out]    results 'count' of them
 *
 * @return the first status that is not NVRTC_OK, else NVRTC_OK
 */
enum nvrtc_status nvrtc_compile(struct nvrtc_result *results, const struct nvrtc_request *requests,
                                size_t count, struct cache *cache);
void nvrtc_result_free(struct nvrtc_result *result);

/* The same once more after the driver has refused what came from the cache: compiles, and replaces
 * the entry. */
enum nvrtc_status nvrtc_compile_again(struct nvrtc_result *result,
                                      const struct nvrtc_request *request, struct cache *cache);

/**
 * The best target for a device of compute capability major.minor: its own architecture as a cubin,
 * else the highest PTX that this NVRTC makes and the device can run.
 *
 * @param[out] arch for nvrtc_request
 * @param[out] log  on failure: malloc'd words, may be NULL
 */
enum nvrtc_status nvrtc_arch(char arch[24], int major, int minor, char **log);

/* Version, and the architectures it can make, as numbers like 90; false: NVRTC is not there. */
struct nvrtc_info {
    int major, minor;
    int archs[64];
    size_t arch_count;
};
bool nvrtc_info_get(struct nvrtc_info *info);

#endif
