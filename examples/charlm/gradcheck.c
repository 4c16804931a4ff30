#include "gradcheck.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "random.h"
#include "text.h"

enum { BATCH = 2, STEPS = 5, CHANNELS = 4 };

/* The central difference of a loss near log 98 with step h has an error of h^2 |f'''| / 6 from its
 * series and of about 1e-15 / h from rounding: with h = 1e-5, 1e-10 each where derivatives are near
 * 1. The largest derivatives of this model are near 0.1, so 1e-7 of them leaves room of a hundred.
 */
static const double step = 1e-5, tolerance = 1e-7;

/* The states before these steps are those after one call on other symbols: not zero. */
static prnn_status start(struct model *model, const unsigned char *symbols)
{
    double loss;
    model_forget(model);
    prnn_status st = model_loss(model, symbols + 1, symbols, false, &loss);
    model_carry(model);
    return st;
}

static void worst_name(struct gradcheck *check, const struct model *model, size_t index)
{
    size_t count;
    const struct model_group *groups = model_groups(model, &count);
    for (size_t g = 0; g < count; g++)
        if (index >= groups[g].offset)
            snprintf(check->worst, sizeof check->worst, "%s[%zu]", groups[g].name,
                     index - groups[g].offset);
}

/* The loss with one parameter moved. */
static prnn_status loss_at(struct model *model, const unsigned char *symbols, size_t index,
                           double value, double *loss)
{
    struct memory *place = memory_at(model_dense(model), model_params(model), index);
    prnn_status st = model_upload(model, place, &value, 1);
    return st < 0 ? st : model_loss(model, symbols, symbols + 1, false, loss);
}

static prnn_status compare(struct gradcheck *check, struct model *model,
                           const unsigned char *symbols, double *params, double *grads)
{
    prnn_status st;
    double loss, largest = 0.0;
    size_t worst = 0;
    const size_t count = model_param_count(model);
    if ((st = start(model, symbols)) < 0 ||
        (st = model_loss(model, symbols, symbols + 1, true, &loss)) < 0 ||
        (st = model_download(model, params, model_params(model), count)) < 0 ||
        (st = model_download(model, grads, model_grads(model), count)) < 0)
        return st;
    check->largest_error = 0.0;
    check->params = count;
    for (size_t i = 0; i < count; i++) {
        double above, below;
        if ((st = loss_at(model, symbols, i, params[i] + step, &above)) < 0 ||
            (st = loss_at(model, symbols, i, params[i] - step, &below)) < 0 ||
            (st = model_upload(model, memory_at(model_dense(model), model_params(model), i),
                               &params[i], 1)) < 0)
            return st;
        const double difference = (above - below) / (2 * step);
        const double error = fabs(difference - grads[i]);
        largest = fmax(largest, fabs(difference));
        if (!(error <= check->largest_error)) {
            check->largest_error = error;
            worst = i;
        }
    }
    check->largest_error /= largest;
    worst_name(check, model, worst);
    check->tolerance = tolerance;
    check->passed = check->largest_error <= tolerance;
    return st;
}

prnn_status gradcheck_run(struct gradcheck *out, const struct machine *machine,
                          const prnn_cell *cell, int layers, uint64_t seed)
{
    prnn_status st;
    struct model *model;
    prnn_value_info output = PRNN_VALUE_INFO_INIT;
    if ((st = prnn_cell_value(cell, PRNN_OUTPUT, 0, &output)) < 0)
        return st;
    const struct model_shape shape = {.batch = BATCH,
                                      .seq_len = STEPS,
                                      .width = CHANNELS * (int)output.count,
                                      .layers = layers < 2 ? layers : 2,
                                      .storage = PRNN_F64};
    unsigned char symbols[BATCH * STEPS + 1];
    struct random random = {seed};
    for (size_t i = 0; i < sizeof symbols; i++)
        symbols[i] = (unsigned char)(random_uniform(&random) * TEXT_SYMBOLS);
    *out = (struct gradcheck){.passed = false};
    if ((st = model_create(&model, machine, cell, &shape)) < 0)
        return st;
    double *room = malloc(2 * model_param_count(model) * sizeof *room);
    st = room ? model_init(model, seed) : PRNN_E_NOMEM;
    if (st >= 0)
        st = compare(out, model, symbols, room, room + model_param_count(model));
    free(room);
    model_free(model);
    return st;
}
