#include "train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "adamw.h"
#include "random.h"

static const double ln2 = 0.6931471805599453, pi = 3.141592653589793;

double train_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* ------------------------------------------------------------------------------------- progress */

struct progress {
    double started, shown;
    int tenth;
    bool is_terminal;
};

/* On a terminal a line that is rewritten; in a file ten lines. */
static void progress_show(struct progress *progress, double share, size_t step, double bits,
                          double characters)
{
    const double now = train_now(), spent = now - progress->started;
    const double left = share > 0 ? spent * (1 - share) / share : 0;
    enum { CELLS = 24 };
    if (progress->is_terminal ? share < 1 && now - progress->shown < 0.2
                              : (int)(share * 10) <= progress->tenth)
        return;
    progress->shown = now;
    progress->tenth = (int)(share * 10);
    char bar[CELLS + 1];
    for (int i = 0; i < CELLS; i++)
        bar[i] = i < (int)(share * CELLS + 0.5) ? '#' : '.';
    bar[CELLS] = '\0';
    printf("%s[%s] %3.0f%%  step %zu  %.3f bits/char  %.0f char/s  left %d:%02d%s",
           progress->is_terminal ? "\r" : "", bar, 100 * share, step, bits, characters / spent,
           (int)left / 60, (int)left % 60, progress->is_terminal && share < 1 ? " \033[K" : "\n");
    fflush(stdout);
}

/* ------------------------------------------------------------------------------------- stretches
 */

struct reader {
    const struct text *text;
    int batch, seq_len;
    size_t stretch, place; /* characters of one sequence; where in it the next steps begin */
    unsigned char *symbols, *targets;
};

static bool reader_make(struct reader *out, const struct text *text, int batch, int seq_len)
{
    const size_t rows = (size_t)batch * (size_t)seq_len;
    *out = (struct reader){.text = text, .batch = batch, .seq_len = seq_len};
    out->stretch = (text->length - 1) / (size_t)batch;
    out->symbols = malloc(2 * rows);
    out->targets = out->symbols ? out->symbols + rows : NULL;
    return out->symbols;
}

/* The symbols of the next steps; false where the stretch has ended. */
static bool reader_next(struct reader *reader)
{
    const size_t seq_len = (size_t)reader->seq_len;
    if (reader->place + seq_len > reader->stretch)
        return false;
    for (size_t b = 0; b < (size_t)reader->batch; b++) {
        const unsigned char *from = reader->text->symbols + b * reader->stretch + reader->place;
        memcpy(reader->symbols + b * seq_len, from, seq_len);
        memcpy(reader->targets + b * seq_len, from + 1, seq_len);
    }
    reader->place += seq_len;
    return true;
}

static bool is_long_enough(const struct reader *reader)
{
    if (reader->stretch >= (size_t)reader->seq_len)
        return true;
    fprintf(stderr, "charlm: a text of %zu characters is too short for %d sequences of %d\n",
            reader->text->length, reader->batch, reader->seq_len);
    return false;
}

/* ------------------------------------------------------------------------------------- training */

static double rate_at(double share, double highest)
{
    const double warm_up = 0.05, lowest = 0.02;
    if (share < warm_up)
        return highest * (share + 0.002) / warm_up;
    const double fall = (share - warm_up) / (1 - warm_up);
    return highest * (lowest + (1 - lowest) * 0.5 * (1 + cos(pi * fall)));
}

/* The lines of a plan's description that say which kernels it has and how long they take. */
static void tuned_print(const struct model *model, size_t step, double seconds)
{
    static const char *const wanted[] = {
        "strategy: ", "expected: ", "backward strategy: ", "backward expected: "};
    printf("tuned      after %zu updates, in %.1f s\n", step, seconds);
    for (int l = 0; l < model_shape_of(model)->layers; l++)
        for (const char *line = model_plan_describe(model, l); line;) {
            for (int i = 0; i < 4; i++)
                if (!strncmp(line, wanted[i], strlen(wanted[i])))
                    printf("           layer %d %.*s\n", l, (int)strcspn(line, "\n"), line);
            line = strchr(line, '\n');
            line = line ? line + 1 : NULL;
        }
    fflush(stdout);
}

prnn_status train_run(struct training *out, const struct machine *machine, struct model *model,
                      const struct text *text, const struct options *options)
{
    prnn_status st;
    struct reader reader = {.symbols = NULL};
    const size_t steps = (size_t)options->steps;
    const double rows = (double)options->batch * (double)options->seq_len;
    struct adamw *adamw;
    struct progress progress = {.started = train_now(), .is_terminal = isatty(1)};
    double recent = 0.0, share = 0.0;
    *out = (struct training){.losses = malloc((steps + 1) * sizeof *out->losses)};
    if ((st = adamw_create(&adamw, machine, model)) < 0)
        return st;
    st = PRNN_E_NOMEM;
    if (!reader_make(&reader, text, options->batch, options->seq_len) || !out->losses)
        goto end;
    st = PRNN_E_INVALID;
    if (!is_long_enough(&reader))
        goto end;
    st = PRNN_OK;
    model_forget(model);
    while (out->steps < steps && share < 1) {
        double loss;
        if (!reader_next(&reader)) {
            reader.place = 0;
            reader_next(&reader);
            model_forget(model);
        }
        if ((st = model_loss(model, reader.symbols, reader.targets, true, &loss)) < 0)
            goto end;
        model_carry(model);
        adamw_update(adamw, model, rate_at(share, options->rate));
        if (options->tune && machine->accelerator && out->steps + 1 == (size_t)options->tune) {
            const double begin = train_now();
            if ((st = model_tune(model)) < 0)
                goto end;
            tuned_print(model, out->steps + 1, train_now() - begin);
        }
        const double bits = loss / ln2;
        recent = out->steps ? 0.98 * recent + 0.02 * bits : bits;
        out->losses[out->steps++] = (float)bits;
        out->seconds = train_now() - progress.started;
        share = fmax((double)out->steps / (double)steps, out->seconds / options->seconds);
        share = fmin(share, 1.0);
        progress_show(&progress, share, out->steps, recent, rows * (double)out->steps);
    }
end:
    free(reader.symbols);
    adamw_free(adamw);
    return st;
}

prnn_status train_evaluate(struct model *model, const struct text *text, double *bits)
{
    prnn_status st = PRNN_E_NOMEM;
    struct reader reader;
    const struct model_shape *shape = model_shape_of(model);
    size_t calls = 0;
    double sum = 0.0, loss;
    if (!reader_make(&reader, text, shape->batch, shape->seq_len))
        return st;
    st = PRNN_E_INVALID;
    if (!is_long_enough(&reader))
        goto end;
    model_forget(model);
    for (; reader_next(&reader); calls++) {
        if ((st = model_loss(model, reader.symbols, reader.targets, false, &loss)) < 0)
            goto end;
        model_carry(model);
        sum += loss;
    }
    *bits = sum / (double)calls / ln2;
end:
    free(reader.symbols);
    return st;
}

/* --------------------------------------------------------------------------------------- sample */

static unsigned char draw(const float *logits, struct random *random)
{
    const double temperature = 0.7;
    double weights[TEXT_SYMBOLS], sum = 0.0, largest = -INFINITY;
    for (size_t i = 0; i < TEXT_SYMBOLS; i++)
        largest = fmax(largest, (double)logits[i]);
    for (size_t i = 0; i < TEXT_SYMBOLS; i++)
        sum += weights[i] = exp(((double)logits[i] - largest) / temperature);
    double point = random_uniform(random) * sum;
    for (unsigned char i = 0; i + 1 < TEXT_SYMBOLS; i++)
        if ((point -= weights[i]) < 0)
            return i;
    return TEXT_SYMBOLS - 1;
}

prnn_status train_sample(struct model *decoder, const struct model *model, int count, uint64_t seed)
{
    prnn_status st = PRNN_OK;
    struct random random = {seed};
    float logits[TEXT_SYMBOLS];
    unsigned char symbol = text_symbol('\n');
    model_copy(decoder, model);
    model_prepare(decoder);
    model_forget(decoder);
    for (int i = 0; i < count; i++) {
        if ((st = model_step(decoder, &symbol, logits)) < 0)
            return st;
        symbol = draw(logits, &random);
        putchar(text_byte(symbol));
    }
    putchar('\n');
    return st;
}
