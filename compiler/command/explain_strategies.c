#include "explain_strategies.h"

#include "handles.h"
#include "profile.h"
#include "strategy_grid.h"

#include <inttypes.h>
#include <math.h>

/* An NVIDIA H100 SXM as published. */
static const struct cuda_properties h100 = {.name = "NVIDIA H100",
                                            .major = 9,
                                            .multiprocessors = 132,
                                            .clock_khz = 1980000,
                                            .memory_clock_khz = 2619000,
                                            .memory_bus_bits = 5120,
                                            .l2_bytes = 50 << 20,
                                            .shared_optin = 232448,
                                            .shared_sm = 233472,
                                            .registers_sm = 65536,
                                            .threads_sm = 2048,
                                            .has_clusters = true};

static void add_ms(struct textbuf *out, double seconds)
{
    struct textbuf digits;
    textbuf_init(&digits, out->arena);
    if (isfinite(seconds))
        textbuf_add_short(&digits, 1e3 * seconds, 3);
    else
        textbuf_add(&digits, "-");
    textbuf_printf(out, "  %8s", digits.text);
}

static void add_row(struct textbuf *out, const struct model_problem *problem)
{
    struct strategy s, in_order;
    struct prediction p, p_in_order;
    strategy_choose(&s, &p, problem);
    strategy_in_order(&in_order, problem);
    model_predict(&p_in_order, problem, &in_order);
    textbuf_printf(out, "%5" PRId64 "  %8" PRId64 "  %6" PRId64 "  %-9s", problem->batch,
                   problem->seq_len, problem->channels,
                   problem->options.kernel == ASSEMBLE_BACKWARD ? "backward" : "forward");
    add_ms(out, p.seconds);
    add_ms(out, p_in_order.seconds);
    add_ms(out, p.memory);
    add_ms(out, p.issue);
    add_ms(out, p.special);
    add_ms(out, p.latency);
    struct textbuf digits;
    textbuf_init(&digits, out->arena);
    textbuf_add_short(&digits, p.corrections, 2);
    char strategy[STRATEGY_TEXT_ROOM];
    strategy_print(strategy, &s);
    textbuf_printf(out, "  %11s  %s\n",
                   problem->options.kernel == ASSEMBLE_BACKWARD ? "-" : digits.text, strategy);
}

int explain_strategies(struct textbuf *out, struct invocation *inv, const struct unit *unit,
                       const struct explain_request *request)
{
    prnn_context *ctx = NULL;
    struct profile profile;
    struct cache *cache = NULL;
    int code = EXIT_CODE_OK;
    if (request->device)
        code = command_status(prnn_context_create(&ctx, request->device), request->device);
    if (!code && ctx && !ctx->cuda)
        code = command_usage(inv, "'%s' is no CUDA device: a CPU runs in order", request->device);
    if (!code) {
        cache = ctx ? ctx->cache : cache_open(NULL);
        code = command_status(profile_find(&profile, unit,
                                           assemble_rounding(assemble_storage_of(request->storage)),
                                           cache),
                              unit->ir->name);
    }
    if (!code) {
        const struct cuda_properties *device = ctx ? cuda_device_properties(ctx->cuda) : &h100;
        const uint32_t all = (1u << unit->ir->states) - 1;
        textbuf_printf(
            out,
            "\nstrategies, as predicted for %s, %s; ms\n"
            "    B         T       N  direction     whole  in order    memory     issue   "
            "special   latency  corrections  strategy\n",
            device->name, dtype_word(request->storage));
        for (uint32_t i = 0; i < request->shapes.count; i++)
            for (int is_backward = 0; is_backward < 2; is_backward++) {
                const struct shape *s = &request->shapes.shapes[i];
                const struct assemble_options options = {
                    .kernel = is_backward ? ASSEMBLE_BACKWARD : ASSEMBLE_FORWARD,
                    .target = ASSEMBLE_CUDA,
                    .storage = assemble_storage_of(request->storage),
                    .mode = assemble_mode_of(request->math),
                    .state_written = all,
                    .state_gradient = all};
                const struct backend_shape shape = {
                    .batch = s->batch, .seq_len = s->seq_len, .channels = s->channels};
                const struct model_problem problem =
                    ctx ? profile_problem_on(ctx->cuda, cache, &profile, unit, &shape, &options)
                        : profile_problem(&profile, unit, device, &shape, &options);
                add_row(out, &problem);
            }
        textbuf_add(out, "whole: the parts overlap; in order: the strategy for running in order\n");
    }
    if (!ctx)
        cache_close(cache);
    prnn_context_free(ctx);
    return code;
}
