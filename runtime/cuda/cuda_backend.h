/* Plans of a CUDA device: texts compiled and loaded when the plan is made, launches on the caller's
 * stream afterwards.
 *
 * The workspace of a plan:
 *     partial sums of gradients, as kernels-gen/backward.h lays them out (backward plans only):
 *         [batch * cluster][params][channels], then for each shared input with a gradient
 *         [sequence rows][channels], in the arithmetic type
 *     at the next multiple of 256 bytes, unless the plan is of a scan: a row of zeros and a row that
 *         nobody reads, [channels] of the storage type, each up to a multiple of 256 bytes. They stand
 *         for gradients and outputs that are not bound: kernels read and write their rows at every step
 *     struct prnn_block_report [thread blocks of the forward grid]
 */
#ifndef PRNN_CUDA_BACKEND_H
#define PRNN_CUDA_BACKEND_H

#include "backend.h"
#include "cache.h"
#include "cuda_device.h"
#include "launch_args.h"

enum cuda_kernel {
    CUDA_FORWARD,
    CUDA_BACKWARD,
    CUDA_STEP,
    CUDA_SCAN,
    CUDA_COMPARE,
    CUDA_KERNEL_COUNT
};

enum { CUDA_WORKSPACE_ALIGNMENT = 256 };

struct cuda_plan;

/**
 * Compile the texts (several at once, or from the cache), load them, and ask the driver whether
 * each kernel can run. The only slow function of this file.
 *
 * @param device borrowed as long as the plan lives
 * @param shape  copied, with the arrays it points to
 * @param texts  NULL: this plan has no such kernel
 * @param cache  NULL: none
 *
 * @return PRNN_OK; PRNN_E_BACKEND (NVRTC is not there, the driver refuses; with its words);
 * PRNN_E_UNSUPPORTED (no architecture in common, no clusters); PRNN_E_LIMIT (shared memory, size of
 * the launch argument, size of the grid); PRNN_E_INTERNAL (our text is rejected: with the log);
 * PRNN_E_NOMEM; PRNN_E_STICKY
 */
prnn_status cuda_plan_create(struct cuda_plan **out, struct cuda_device *device,
                             const struct backend_shape *shape,
                             const struct backend_text *const texts[CUDA_KERNEL_COUNT],
                             struct cache *cache);
void cuda_plan_free(struct cuda_plan *plan); /* NULL is fine; waits for nothing */

/* One "name: value" a line: kernels, registers, spills, shared memory, grids, where they came from;
 * owned by the plan. */
const char *cuda_plan_describe(const struct cuda_plan *plan);

/* The same figures as numbers; false: the plan has no such kernel. */
struct cuda_kernel_facts {
    uint32_t grid, threads, cluster, shared_bytes;
    int registers, local_bytes;
    uint32_t spill_bytes;
    bool from_cache;
    double seconds; /* of NVRTC */
};
bool cuda_plan_facts(const struct cuda_plan *plan, enum cuda_kernel kernel,
                     struct cuda_kernel_facts *out);

size_t cuda_plan_workspace_size(const struct cuda_plan *plan);

/* Another tolerance for the launches that follow; not while another thread launches. */
void cuda_plan_tolerance(struct cuda_plan *plan, double tolerance);

/**
 * Enqueue one kernel (backward: two): nothing is allocated, loaded or waited for, so it may be
 * captured in a graph. Any thread, each call with a workspace of its own.
 *
 * @param launch    made by 'api'; workspace, report, tolerance, is_near and is_aligned are filled
 * in here
 * @param workspace cuda_plan_workspace_size() bytes of device memory, aligned to
 *                  CUDA_WORKSPACE_ALIGNMENT; used by CUDA_FORWARD and CUDA_BACKWARD only
 * @param stream    a CUstream, or NULL
 *
 * @return PRNN_OK; PRNN_E_INVALID (the plan has no such kernel; workspace missing or misaligned);
 * PRNN_E_BACKEND; PRNN_E_STICKY
 */
prnn_status cuda_plan_launch(const struct cuda_plan *plan, enum cuda_kernel kernel,
                             struct launch *launch, void *workspace, void *stream);

/**
 * What the thread blocks of the last forward launch on this workspace have reported. Waits for the
 * stream.
 *
 * @return PRNN_OK; PRNN_NONFINITE; PRNN_E_INVALID; PRNN_E_NOMEM; PRNN_E_BACKEND; PRNN_E_STICKY
 */
prnn_status cuda_plan_certificate(const struct cuda_plan *plan, const void *workspace,
                                  prnn_certificate *out, void *stream);

#endif
