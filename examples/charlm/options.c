#include "options.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { TEXT, NUMBER, REAL, SEED };

static const struct option {
    const char *name;
    enum kind kind;
    size_t place;
    double lo, hi;
    const char *value, *help;
} options[] = {
    {"--cell", TEXT, offsetof(struct options, cell), 0, 0, "FILE",
     "cell with one output (cells/paragru.cell)"},
    {"--text", TEXT, offsetof(struct options, text), 0, 0, "FILE",
     "text to learn (the headers in /usr/include, 3 MB)"},
    {"--device", TEXT, offsetof(struct options, device), 0, 0, "NAME",
     "auto, cpu, cuda:0, ...; without such a device the CPU (auto)"},
    {"--dense", TEXT, offsetof(struct options, dense), 0, 0, "NAME",
     "auto, or stand-in: a device's kernels, on the CPU (auto)"},
    {"--steps", NUMBER, offsetof(struct options, steps), 0, 1e8, "N", "updates (3000)"},
    {"--seconds", NUMBER, offsetof(struct options, seconds), 1, 1e6, "N",
     "stop updating after that time, if it comes first (65)"},
    {"--tune", NUMBER, offsetof(struct options, tune), 0, 1e8, "N",
     "on a GPU, find the fastest kernels after N updates; 0: do not (0)"},
    {"--batch", NUMBER, offsetof(struct options, batch), 1, 4096, "N", "sequences (32)"},
    {"--seq-len", NUMBER, offsetof(struct options, seq_len), 1, 65536, "N",
     "characters of a sequence in one update (64)"},
    {"--channels", NUMBER, offsetof(struct options, channels), 1, 8192, "N",
     "width of the layers (256)"},
    {"--layers", NUMBER, offsetof(struct options, layers), 1, 16, "N", "layers (2)"},
    {"--rate", REAL, offsetof(struct options, rate), 0, 1, "X", "highest learning rate (0.004)"},
    {"--seed", SEED, offsetof(struct options, seed), 0, 0, "N", "of all random numbers (1)"},
    {"--load", TEXT, offsetof(struct options, load), 0, 0, "FILE",
     "start from these parameters (safetensors)"},
    {"--save", TEXT, offsetof(struct options, save), 0, 0, "FILE", "write the parameters"},
    {"--plot", TEXT, offsetof(struct options, plot), 0, 0, "FILE",
     "loss curve as SVG (out/loss.svg)"},
    {"--sample", NUMBER, offsetof(struct options, sample), 0, 1e6, "N",
     "characters to write at the end (400)"},
};
enum { OPTION_COUNT = sizeof options / sizeof *options };

static bool value_set(const struct option *option, struct options *out, const char *text)
{
    char *end = NULL, *place = (char *)out + option->place;
    errno = 0;
    if (option->kind == TEXT) {
        memcpy(place, &text, sizeof text);
        return true;
    }
    if (option->kind == SEED) {
        uint64_t seed = strtoull(text, &end, 10);
        memcpy(place, &seed, sizeof seed);
        if (*text >= '0' && *text <= '9' && !*end && !errno)
            return true;
        fprintf(stderr, "charlm: %s is '%s', needed is a whole number\n", option->name, text);
        return false;
    }
    double value = strtod(text, &end);
    bool is_number = *text && !*end && !errno && value >= option->lo && value <= option->hi;
    if (!is_number || (option->kind == NUMBER && value != floor(value))) {
        fprintf(stderr, "charlm: %s is '%s', needed is a %s from %g to %g\n", option->name, text,
                option->kind == NUMBER ? "whole number" : "number", option->lo, option->hi);
        return false;
    }
    int number = (int)value;
    if (option->kind == NUMBER)
        memcpy(place, &number, sizeof number);
    else
        memcpy(place, &value, sizeof value);
    return true;
}

static bool dense_check(const struct options *given)
{
    if (!strcmp(given->dense, "auto"))
        return true;
    if (!strcmp(given->dense, "stand-in") && !strcmp(given->device, "cpu"))
        return true;
    fprintf(stderr, "charlm: --dense is '%s', needed is auto, or stand-in with --device cpu\n",
            given->dense);
    return false;
}

bool options_read(struct options *out, int argc, char **argv)
{
    *out = (struct options){.cell = "cells/paragru.cell",
                            .device = "auto",
                            .dense = "auto",
                            .plot = "out/loss.svg",
                            .steps = 3000,
                            .seconds = 65,
                            .batch = 32,
                            .seq_len = 64,
                            .channels = 256,
                            .layers = 2,
                            .sample = 400,
                            .rate = 0.004,
                            .seed = 1};
    for (int i = 1; i < argc; i++) {
        const struct option *option = NULL;
        if (!strcmp(argv[i], "--help")) {
            out->help = true;
            continue;
        }
        for (size_t j = 0; j < OPTION_COUNT; j++)
            if (!strcmp(argv[i], options[j].name))
                option = &options[j];
        if (!option || i + 1 == argc) {
            fprintf(stderr, "charlm: %s '%s'; --help lists the options\n",
                    option ? "a value is missing behind" : "unknown option", argv[i]);
            return false;
        }
        if (!value_set(option, out, argv[++i]))
            return false;
    }
    return dense_check(out);
}

void options_help(void)
{
    printf("charlm [OPTION VALUE]...: train a character language model on a recurrence\n\n");
    for (size_t j = 0; j < OPTION_COUNT; j++) {
        char left[40];
        snprintf(left, sizeof left, "%s %s", options[j].name, options[j].value);
        printf("  %-20s %s\n", left, options[j].help);
    }
    printf("\nExit: 0 done, 1 the cell or the gradients are wrong, 2 the command line, 3 a file,\n"
           "4 memory or a limit, 5 device or compiler. Bytes that are neither printable ASCII nor\n"
           "newline or tab are one symbol.\n");
}
