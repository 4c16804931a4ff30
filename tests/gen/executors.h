/* Everything that can run a cell: kernel texts on the shim, the CPU text compiled plainly or as the
 * product does it, the interpreter; and NVRTC, which only compiles. Failures are Check's. */
#ifndef PRNN_EXECUTORS_H
#define PRNN_EXECUTORS_H

#include "../kernels/kernel_case.h"
#include "dice.h"
#include "trial.h"

/* Options of strategy number 'strategy' of kernel_strategies. */
struct assemble_options executor_options(enum assemble_kernel kernel, enum assemble_mode mode,
                                         enum assemble_storage storage, int strategy,
                                         const struct kernel_shape *shape);
/* False: the cell is too large for the strategy. */
bool executor_load(const struct trial *trial, struct kernel_plan *plan,
                   const struct assemble_options *options);
/* Random sizes, among them the edges of a tile. */
struct kernel_shape executor_shape(const struct trial *trial, struct dice *dice,
                                   const struct strategy *strategy);
enum assemble_storage executor_storage(const struct trial *trial, struct dice *dice);

/* On the shim. */
void executor_run(const struct trial *trial, struct kernel_data *data, enum shim_order order);
bool executor_has_nonfinite(struct kernel_data *data);

/* The CPU text of the same storage and mode as a plan's. */
void executor_cpu_text(const struct kernel_plan *like, struct pipeline_text *text);
/* Its forward entry, compiled as text_library_load() does it. */
void executor_plain(struct kernel_data *data, const struct pipeline_text *text,
                    const char *const *compiler);
/* The CPU backend, forward or backward as the plan of 'data' is: with 'text' compiled as the
 * product compiles it; NULL: interpreted. */
void executor_backend(struct kernel_data *data, const struct pipeline_text *text);

/* Compile the device's text of a plan. */
void executor_nvrtc(const struct trial *trial, const struct kernel_plan *plan);

#endif
