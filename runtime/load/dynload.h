/* The CUDA driver and NVRTC, loaded when they are first asked for: the library is linked with
 * neither, and the same binary runs where there is none. Types and constants are declared here, so
 * that building needs no toolkit. */
#ifndef PRNN_DYNLOAD_H
#define PRNN_DYNLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The driver's types. */
typedef int cuda_result;
typedef int cuda_device_id;
typedef unsigned long long cuda_pointer;
typedef struct cuda_context_opaque *cuda_context;
typedef struct cuda_module_opaque *cuda_module;
typedef struct cuda_function_opaque *cuda_function;
typedef struct cuda_stream_opaque *cuda_stream;
typedef struct cuda_event_opaque *cuda_event;
typedef struct cuda_graph_opaque *cuda_graph;
typedef struct cuda_graph_exec_opaque *cuda_graph_exec;

struct cuda_launch_attribute {
    int id;
    char pad[4];
    union {
        char bytes[64];
        struct {
            unsigned x, y, z;
        } cluster;
        uint64_t alignment;
    } value;
};

struct cuda_launch_config {
    unsigned grid_x, grid_y, grid_z;
    unsigned block_x, block_y, block_z;
    unsigned shared_bytes;
    cuda_stream stream;
    struct cuda_launch_attribute *attributes;
    unsigned attribute_count;
};

enum {
    CUDA_LAUNCH_CLUSTER_DIMENSION = 4, /* of struct cuda_launch_attribute */

    CUDA_FUNC_SHARED_STATIC = 1, /* of functions */
    CUDA_FUNC_LOCAL_BYTES = 3,
    CUDA_FUNC_REGISTERS = 4,
    CUDA_FUNC_MAX_DYNAMIC_SHARED = 8,
    CUDA_FUNC_CLUSTER_NON_PORTABLE = 14,

    CUDA_DEVICE_CLOCK_KHZ = 13, /* of devices */
    CUDA_DEVICE_MULTIPROCESSORS = 16,
    CUDA_DEVICE_MAX_GRID_X = 5,
    CUDA_DEVICE_MEMORY_CLOCK_KHZ = 36,
    CUDA_DEVICE_MEMORY_BUS_BITS = 37,
    CUDA_DEVICE_L2_BYTES = 38,
    CUDA_DEVICE_MAX_THREADS_SM = 39,
    CUDA_DEVICE_MAJOR = 75,
    CUDA_DEVICE_MINOR = 76,
    CUDA_DEVICE_SHARED_SM = 81,
    CUDA_DEVICE_REGISTERS_SM = 82,
    CUDA_DEVICE_SHARED_OPTIN = 97,
    CUDA_DEVICE_CLUSTER_LAUNCH = 120,

    CUDA_SUCCESS_CODE = 0,
    CUDA_OUT_OF_MEMORY = 2,
    CUDA_NO_DEVICE = 100,
    CUDA_INVALID_IMAGE = 200,
    CUDA_NO_BINARY_FOR_GPU = 209,
    CUDA_INVALID_PTX = 218
};

struct cuda_api {
#define CUDA_API(field, symbol, need, arguments) cuda_result(*field) arguments;
#include "cuda_api.def"
#undef CUDA_API
};

/* NVRTC's types. */
typedef int nvrtc_code;
typedef struct nvrtc_program_opaque *nvrtc_program;

struct nvrtc_api {
#define NVRTC_API(field, symbol, result, arguments) result(*field) arguments;
#include "nvrtc_api.def"
#undef NVRTC_API
};

/* What was found of a library. */
struct dynload_found {
    bool is_there;
    char path[4096];    /* of the file; "" where there is none */
    char missing[1536]; /* not there: the library, what was searched and what the loader said */
    int64_t bytes, seconds, nanoseconds; /* size and time of the file: its identity */
};

/* The tables, or NULL where the library or a needed function is missing. Loaded once for the life
 * of the process; a failure is remembered too. Any thread. */
const struct cuda_api *dynload_cuda(void);   /* libcuda.so.1 only */
const struct nvrtc_api *dynload_nvrtc(void); /* see docs/cache.md for the places */

/* What the calls above have found. They load if nobody has. */
const struct dynload_found *dynload_cuda_found(void);
const struct dynload_found *dynload_nvrtc_found(void);

#endif
