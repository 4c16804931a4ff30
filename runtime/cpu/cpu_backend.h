/* Plans on the CPU: a compiled object or the interpreter, spread over threads. In order over time,
 * so the answer is the sequential recurrence itself. */
#ifndef PRNN_CPU_BACKEND_H
#define PRNN_CPU_BACKEND_H

#include "backend.h"
#include "interpreter.h"

struct cache;
struct cpu_plan;

/**
 * Compile 'text' (ASSEMBLE_CPU), or find it in the cache, and load it.
 *
 * @param shape       copied; what it points to is borrowed as long as the plan lives
 * @param text        NULL: the interpreter
 * @param cache       NULL: none
 * @param interpreter borrowed as long as the plan lives; what runs where nothing can be compiled
 *
 * @return PRNN_OK; PRNN_FALLBACK (the interpreter; why is in status_text()); PRNN_E_NOMEM;
 * PRNN_E_LIMIT (the workspace would not fit an address space)
 */
prnn_status cpu_plan_create(struct cpu_plan **out, const struct backend_shape *shape,
                            const char *text, size_t length, struct cache *cache,
                            const struct interpreter *interpreter);
void cpu_plan_free(struct cpu_plan *plan); /* NULL is fine */

size_t cpu_plan_workspace(const struct cpu_plan *plan);
bool cpu_plan_is_compiled(const struct cpu_plan *plan);
/* Where the object came from, in words: "compiled in 0.31 s", "from the cache", "interpreted". */
const char *cpu_plan_origin(const struct cpu_plan *plan);
int cpu_plan_threads(const struct cpu_plan *plan);
/* 'count' evaluations of one step's functions, without memory traffic, on one thread; false:
 * interpreted. For the benchmark. */
bool cpu_plan_evaluate(const struct cpu_plan *plan, int64_t count);

/* The launch's lengths may be smaller than the shape's (a step is a launch with seq_len 1). Return
 * PRNN_OK or PRNN_NONFINITE. */
prnn_status cpu_plan_forward(const struct cpu_plan *plan, struct launch *launch, void *workspace);
prnn_status cpu_plan_backward(const struct cpu_plan *plan, struct launch *launch, void *workspace);
/* What the last forward that used 'workspace' found. */
void cpu_plan_certificate(const struct cpu_plan *plan, const void *workspace,
                          prnn_certificate *out);

/* Threads to use for 'work' element steps: 1 when it is not worth more. */
int cpu_threads(int wanted, int64_t work);

#endif
