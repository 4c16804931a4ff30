#include "bench_compile.h"

#include "cuda_backend.h"
#include "handles.h"
#include "measure.h"
#include "shape_list.h"

#include <math.h>

static int make_plan(prnn_plan **out, double *seconds, prnn_cell *cell, const char *path,
                     const prnn_problem *problem)
{
    const double begin = measure_now();
    const prnn_status status = prnn_plan_create(out, cell, problem);
    *seconds = measure_now() - begin;
    return command_status(status, path);
}

static void list_kernels(struct compile_times *out, const prnn_plan *plan)
{
    static const struct {
        enum cuda_kernel kernel;
        const char *name;
    } kernels[] = {{CUDA_FORWARD, "forward"}, {CUDA_BACKWARD, "backward"}, {CUDA_STEP, "step"}};
    int count = 0;
    for (size_t i = 0; plan->cuda && i < sizeof kernels / sizeof *kernels; i++) {
        struct cuda_kernel_facts facts;
        if (!cuda_plan_facts(plan->cuda, kernels[i].kernel, &facts))
            continue;
        out->kernels[count].name = kernels[i].name;
        out->kernels[count++].seconds = facts.seconds;
    }
}

int bench_compile(struct compile_times *out, struct invocation *inv, const struct unit *unit,
                  const char *path, const struct trial_options *options)
{
    char folder[4096];
    prnn_context *ctx = NULL;
    prnn_cell *cell = NULL;
    prnn_plan *plan = NULL;
    *out = (struct compile_times){.cell = arena_strdup(inv->arena, unit->ir->name),
                                  .dtype = dtype_word(options->problem.storage)};
    int code = command_status(prnn_context_create(&ctx, options->device), options->device);
    if (code)
        return code;
    if (!cache_scratch(NULL, folder, sizeof folder)) {
        output_complain("no directory for an empty cache can be made");
        prnn_context_free(ctx);
        return EXIT_CODE_IO;
    }
    struct cache *const usual = ctx->cache;
    ctx->cache = cache_open(&(struct cache_options){.path = folder});
    code = command_status(trial_load_cell(&cell, inv, ctx, unit, path), path);
    if (!code)
        code = make_plan(&plan, &out->cold, cell, path, &options->problem);
    if (!code) {
        list_kernels(out, plan);
        prnn_plan_free(plan);
        plan = NULL;
        code = make_plan(&plan, &out->warm, cell, path, &options->problem);
    }
    prnn_plan_free(plan);
    prnn_cell_free(cell);
    cache_close(ctx->cache);
    cache_scratch_remove(folder);
    ctx->cache = usual;
    prnn_context_free(ctx);
    return code;
}

static void add_ms(struct textbuf *out, double seconds, int width)
{
    struct textbuf text;
    textbuf_init(&text, out->arena);
    textbuf_add_short(&text, 1e3 * seconds, 3);
    textbuf_printf(out, "  %*s", width, text.text);
}

void bench_compile_table(struct textbuf *out, const struct compile_times *times, uint32_t count)
{
    textbuf_add(out, "cell              dtype   cold ms   warm ms  kernels, each\n");
    for (uint32_t i = 0; i < count; i++) {
        textbuf_printf(out, "%-16.16s  %-5s", times[i].cell, times[i].dtype);
        add_ms(out, times[i].cold, 8);
        add_ms(out, times[i].warm, 8);
        for (int k = 0; k < 4 && times[i].kernels[k].name; k++) {
            textbuf_printf(out, "%s%s", k ? ", " : "  ", times[i].kernels[k].name);
            struct textbuf text;
            textbuf_init(&text, out->arena);
            textbuf_add_short(&text, 1e3 * times[i].kernels[k].seconds, 3);
            textbuf_printf(out, " %s ms", text.text);
        }
        textbuf_add(out, "\n");
    }
    textbuf_add(out, "\ncold: making a plan with an empty cache; warm: once more\n");
}
