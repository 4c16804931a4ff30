/* A character language model, trained through the public interface of pararnnc. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gradcheck.h"
#include "markov.h"
#include "model.h"
#include "options.h"
#include "plot.h"
#include "safetensors.h"
#include "text.h"
#include "train.h"

/* A few generated headers of megabytes would be most of the text otherwise. */
enum { HEADER_SHARE = 32 << 10, HEADER_BYTES = 3 << 20 };
enum { EXIT_CELL = 1, EXIT_USAGE, EXIT_FILE, EXIT_LIMIT, EXIT_DEVICE };

static int exit_code(prnn_status st)
{
    switch (st) {
    case PRNN_E_CELL:
        return EXIT_CELL;
    case PRNN_E_IO:
        return EXIT_FILE;
    case PRNN_E_LIMIT:
    case PRNN_E_NOMEM:
        return EXIT_LIMIT;
    case PRNN_E_INVALID:
    case PRNN_E_UNSUPPORTED:
        return EXIT_USAGE;
    case PRNN_E_BACKEND:
    case PRNN_E_STICKY:
        return EXIT_DEVICE;
    default:
        return st < 0 ? 70 : 0;
    }
}

static int fail(prnn_status st)
{
    const char *words = prnn_last_error();
    /* What this program does not take it has said itself. */
    if (*words || st != PRNN_E_UNSUPPORTED)
        fprintf(stderr, "charlm: %s%s%s\n", prnn_status_name(st), *words ? ": " : "", words);
    return exit_code(st);
}

static bool text_load(struct corpus *corpus, const struct options *options)
{
    const char *path = options->text ? options->text : "/usr/include";
    if (options->text ? corpus_read_file(corpus, path)
                      : corpus_read_headers(corpus, path, HEADER_SHARE, HEADER_BYTES)) {
        printf("text       %s: %zu characters of %zu file%s, %zu for validation\n", path,
               corpus->training.length + corpus->validation.length, corpus->files,
               corpus->files == 1 ? "" : "s", corpus->validation.length);
        return true;
    }
    fprintf(stderr, "charlm: '%s': %s\n", path,
            errno ? strerror(errno) : "too short: name a longer text with --text");
    return false;
}

static int check_gradients(const struct machine *machine, const prnn_cell *cell,
                           const struct options *options)
{
    struct gradcheck check;
    prnn_status st = gradcheck_run(&check, machine, cell, options->layers, options->seed);
    if (st < 0)
        return fail(st);
    printf("gradients  %zu parameters of a small model in f64: off central differences by %.1e, "
           "allowed %.0e\n",
           check.params, check.largest_error, check.tolerance);
    if (check.passed)
        return 0;
    fprintf(stderr, "charlm: the gradient of '%s' is wrong\n", check.worst);
    return EXIT_CELL;
}

static bool plot(const struct options *options, const struct training *training, double markov,
                 double bits)
{
    const struct plot_line lines[] = {{markov, "Markov model of order 3, validation"},
                                      {bits, "this model, validation"}};
    if (!strcmp(options->plot, "out/loss.svg") && mkdir("out", 0777) && errno != EEXIST) {
        fprintf(stderr, "charlm: cannot make folder 'out': %s\n", strerror(errno));
        return false;
    }
    if (!plot_write(options->plot, training->losses, training->steps, options->cell, lines, 2)) {
        fprintf(stderr, "charlm: cannot write '%s': %s\n", options->plot, strerror(errno));
        return false;
    }
    printf("loss curve %s\n", options->plot);
    return true;
}

static int sample(const struct machine *machine, const prnn_cell *cell, const struct model *model,
                  const struct options *options)
{
    struct model *decoder;
    const struct model_shape shape = {.batch = 1,
                                      .seq_len = 1,
                                      .width = options->channels,
                                      .layers = options->layers,
                                      .decode = true,
                                      .storage = PRNN_F32};
    prnn_status st = model_create(&decoder, machine, cell, &shape);
    if (st < 0)
        return fail(st);
    printf("\n-- %d characters from the model, by prnn_step():\n", options->sample);
    st = train_sample(decoder, model, options->sample, options->seed);
    model_free(decoder);
    return st < 0 ? fail(st) : 0;
}

/* Everything after the cell is loaded. */
static int work(const struct machine *machine, const prnn_cell *cell, const struct corpus *corpus,
                const struct options *options)
{
    int code;
    prnn_status st;
    double bits, markov;
    struct training training = {.losses = NULL};
    const struct model_shape shape = {.batch = options->batch,
                                      .seq_len = options->seq_len,
                                      .width = options->channels,
                                      .layers = options->layers,
                                      .storage = PRNN_F32};
    struct model *model;
    if ((st = model_create(&model, machine, cell, &shape)) < 0)
        return fail(st);
    printf("model      %d layers of %d channels, %zu parameters\n", options->layers,
           options->channels, model_param_count(model));
    code = EXIT_FILE;
    if ((st = model_init(model, options->seed)) < 0) {
        code = fail(st);
        goto end;
    }
    if (options->load && !safetensors_load(options->load, model))
        goto end;
    if ((code = check_gradients(machine, cell, options)))
        goto end;
    fflush(stdout);
    if ((st = train_run(&training, machine, model, &corpus->training, options)) < 0 ||
        (st = train_evaluate(model, &corpus->validation, &bits)) < 0) {
        code = fail(st);
        goto end;
    }
    markov = markov_bits(&corpus->training, &corpus->validation);
    printf("trained    %zu steps, %.0f characters in %.1f s\n", training.steps,
           (double)training.steps * options->batch * options->seq_len, training.seconds);
    printf("validation %.3f bits per character; Markov model of order 3 with back-off: %.3f\n",
           bits, markov);
    code = EXIT_FILE;
    if (training.steps && !plot(options, &training, markov, bits))
        goto end;
    if (options->save && !safetensors_save(options->save, model))
        goto end;
    code = options->sample ? sample(machine, cell, model, options) : 0;
end:
    free(training.losses);
    model_free(model);
    return code;
}

/* What runs the dense parts. NULL in machine->accelerator without a device; PRNN_E_BACKEND where
 * the context has one and a part is missing, with the words in accelerator->fault. */
static prnn_status accelerator_open(struct machine *machine, struct accelerator *accelerator,
                                    const struct options *options)
{
    const char *device = prnn_context_device(machine->ctx);
    machine->accelerator = NULL;
    if (!strcmp(options->dense, "stand-in")) {
        accelerator_stand_in(accelerator);
        machine->accelerator = accelerator;
    } else if (strcmp(device, "cpu") != 0) {
        if (!accelerator_cuda(accelerator, device))
            return PRNN_E_BACKEND;
        machine->accelerator = accelerator;
    }
    return PRNN_OK;
}

/* The device that was asked for, or the CPU and why. */
static prnn_status machine_open(struct machine *machine, struct accelerator *accelerator,
                                const struct options *options)
{
    const char *why = NULL;
    prnn_status st = prnn_context_create(&machine->ctx, options->device);
    if (st == PRNN_E_BACKEND || st == PRNN_E_UNSUPPORTED) {
        why = prnn_last_error();
    } else if (st < 0) {
        return st;
    } else if ((st = accelerator_open(machine, accelerator, options)) < 0) {
        prnn_context_free(machine->ctx);
        machine->ctx = NULL;
        why = accelerator->fault;
    } else {
        return st;
    }
    fprintf(stderr, "charlm: %s cannot be used: %s; running on the CPU\n", options->device, why);
    machine->accelerator = NULL;
    return prnn_context_create(&machine->ctx, "cpu");
}

int main(int argc, char **argv)
{
    int code = EXIT_FILE;
    prnn_status st;
    struct options options;
    struct corpus corpus = {.files = 0};
    struct accelerator accelerator = {.self = NULL};
    struct machine machine = {.ctx = NULL};
    prnn_cell *cell = NULL;
    if (!options_read(&options, argc, argv))
        return EXIT_USAGE;
    if (options.help) {
        options_help();
        return 0;
    }
    dense_host_start();
    if ((st = machine_open(&machine, &accelerator, &options)) < 0) {
        code = fail(st);
        goto end;
    }
    if ((st = prnn_cell_load(&cell, machine.ctx, options.cell, NULL)) < 0) {
        fputs(prnn_last_diagnostics(), stderr);
        code = st == PRNN_E_CELL ? EXIT_CELL : fail(st);
        goto end;
    }
    printf("cell       %s on %s\n", options.cell, prnn_context_describe(machine.ctx));
    if (text_load(&corpus, &options))
        code = work(&machine, cell, &corpus, &options);
end:
    corpus_free(&corpus);
    prnn_cell_free(cell);
    if (machine.accelerator)
        machine.accelerator->close(machine.accelerator);
    prnn_context_free(machine.ctx);
    return code;
}
