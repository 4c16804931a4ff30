#include "small_run.h"

#include <stdio.h>
#include <string.h>

const char small_gru[] =
    "cell gru { state h; input u_z, u_r, u_c; param a_z, a_r, a_c in [-1, 1];\n"
    "z = sigmoid(a_z*h + u_z); r = sigmoid(a_r*h + u_r);\n"
    "c = tanh(a_c*(r*h) + u_c); h' = (1 - z)*h + z*c; }\n";
const char small_lstm[] =
    "cell lstm { state c = 0.25, h = -0.5; input u_f, u_z, u_o; param a_f, a_z, a_o, p_f;\n"
    "f = sigmoid(a_f*h + p_f*c + u_f); z = tanh(a_z*h + u_z); c' = f*c + (1 - f)*z;\n"
    "o = sigmoid(a_o*h + u_o); h' = o*tanh(c'); output h'; output y = exp(-c'*c')*u_o; }\n";

/* Per thread, so that threads may solve at once. */
struct room {
    _Alignas(256) float reals[16384];
    size_t used, written_from;
    _Alignas(256) unsigned char workspace[1 << 17];
    prnn_tensor args[PRNN_MAX_ARGS], grads[PRNN_MAX_ARGS];
};

static _Thread_local struct room room;

prnn_problem small_problem(void)
{
    prnn_problem problem = PRNN_PROBLEM_INIT;
    problem.batch = SMALL_BATCH;
    problem.seq_len = SMALL_STEPS;
    problem.channels = SMALL_CHANNELS;
    problem.write = PRNN_WRITE_STATES;
    problem.backward = true;
    problem.threads = 1;
    return problem;
}

static void room_clear(void)
{
    memset(&room, 0, sizeof room);
}

/* Values of some size between -1 and 1 that repeat on every run. */
static float *taken(size_t count, bool is_filled)
{
    float *memory = room.reals + room.used;
    const size_t padded = (count + 63) / 64 * 64;
    if (room.used + padded > sizeof room.reals / sizeof *room.reals)
        return NULL;
    for (size_t i = 0; is_filled && i < count; i++)
        memory[i] = (float)((room.used + i) * 2654435761u % 1999) / 1000.0f - 0.9995f;
    room.used += padded;
    return memory;
}

static prnn_status bind(const prnn_plan *plan, prnn_tensor *array, const char *prefix,
                        const prnn_value_info *value, bool is_filled, bool is_step)
{
    char name[96];
    const size_t rows = value->role == PRNN_PARAM ? 1
                        : *prefix || is_step      ? SMALL_BATCH
                                                  : SMALL_BATCH * SMALL_STEPS;
    float *memory = taken(rows * value->count * (value->is_shared ? 1 : SMALL_CHANNELS), is_filled);
    snprintf(name, sizeof name, "%s%s", prefix, value->name);
    if (!memory)
        return PRNN_E_LIMIT; /* a fault of the test */
    return prnn_plan_bind(plan, array, name, memory, PRNN_DENSE, PRNN_DENSE);
}

/* Whether an output is a state's trajectory under the same name. */
static bool is_state(const prnn_cell *cell, const char *name)
{
    prnn_value_info found = PRNN_VALUE_INFO_INIT;
    return prnn_cell_find(cell, name, &found) == PRNN_OK && found.role == PRNN_STATE;
}

/* What is read comes first in the room, what is written behind it. */
static prnn_status bind_all(const prnn_plan *plan, const prnn_cell *cell, bool is_written,
                            bool is_step)
{
    static const prnn_role roles[] = {PRNN_INPUT, PRNN_PARAM, PRNN_STATE, PRNN_OUTPUT};
    prnn_status st = PRNN_OK;
    for (size_t r = 0; r < sizeof roles / sizeof *roles; r++) {
        prnn_value_info value = PRNN_VALUE_INFO_INIT;
        for (uint32_t i = 0; prnn_cell_value(cell, roles[r], i, &value) == PRNN_OK && st >= 0;
             i++) {
            const prnn_role role = roles[r];
            if (role == PRNN_OUTPUT && is_state(cell, value.name))
                continue;
            const bool is_result = role == PRNN_STATE || role == PRNN_OUTPUT;
            if (is_result == is_written)
                st = bind(plan, room.args, "", &value, !is_written, is_step);
            if (st >= 0 && role == PRNN_STATE)
                st =
                    bind(plan, room.args, is_written ? "hT:" : "h0:", &value, !is_written, is_step);
            if (st < 0 || is_step)
                continue;
            if (is_result != is_written)
                st = bind(plan, room.grads, "", &value, !is_written, false);
            if (st >= 0 && role == PRNN_STATE)
                st = bind(plan, room.grads, is_written ? "h0:" : "hT:", &value, !is_written, false);
        }
        if (st < 0)
            return st;
    }
    return st;
}

static uint64_t digest_of(void)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    const unsigned char *bytes = (const unsigned char *)(room.reals + room.written_from);
    for (size_t i = 0; i < (room.used - room.written_from) * sizeof *room.reals; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

static prnn_status prepare(const prnn_plan *plan, const prnn_cell *cell, bool is_step)
{
    prnn_status st;
    room_clear();
    if (prnn_plan_workspace_size(plan) > sizeof room.workspace)
        return PRNN_E_LIMIT;
    if ((st = bind_all(plan, cell, false, is_step)) < 0)
        return st;
    room.written_from = room.used;
    return bind_all(plan, cell, true, is_step);
}

prnn_status small_solve(const prnn_plan *plan, const prnn_cell *cell, uint64_t *digest)
{
    prnn_certificate certificate = PRNN_CERTIFICATE_INIT;
    prnn_status st = prepare(plan, cell, false);
    if (st == PRNN_OK)
        st = prnn_forward(plan, room.args, room.workspace, NULL);
    if (st == PRNN_OK)
        st = prnn_plan_certificate(plan, room.workspace, &certificate, NULL);
    if (st == PRNN_OK)
        st = prnn_backward(plan, room.args, room.grads, room.workspace, NULL);
    *digest = digest_of();
    return st;
}

prnn_status small_steps(const prnn_plan *plan, const prnn_cell *cell, uint64_t *digest)
{
    prnn_status st = prepare(plan, cell, true);
    for (int i = 0; i < 3 && st == PRNN_OK; i++)
        st = prnn_step(plan, room.args, room.workspace, NULL);
    *digest = digest_of();
    return st;
}

prnn_status small_scan(prnn_context *ctx, uint64_t *digest)
{
    static const char *const names[] = {"J", "r", "h0:h", "h", "hT:h"};
    enum { BLOCK = 2, READ = 3, ALL = 5 };
    prnn_scan_problem problem = PRNN_SCAN_PROBLEM_INIT;
    prnn_plan *plan;
    problem.batch = SMALL_BATCH;
    problem.seq_len = SMALL_STEPS;
    problem.channels = SMALL_CHANNELS;
    problem.block = BLOCK;
    problem.threads = 1;
    prnn_status st = prnn_scan_plan_create(&plan, ctx, &problem);
    room_clear();
    for (int i = 0; i < ALL && st == PRNN_OK; i++) {
        if (i == READ)
            room.written_from = room.used;
        float *memory = taken(SMALL_BATCH * SMALL_STEPS * SMALL_CHANNELS * BLOCK, i < READ);
        st = prnn_plan_bind(plan, room.args, names[i], memory, PRNN_DENSE, PRNN_DENSE);
    }
    if (st == PRNN_OK)
        st = prnn_scan(plan, room.args, room.workspace, NULL);
    *digest = digest_of();
    prnn_plan_free(plan);
    return st;
}
