/** The command line of charlm. */
#ifndef CHARLM_OPTIONS_H
#define CHARLM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct options {
    const char *cell, *text, *device, *dense, *save, *load, *plot;
    int steps, seconds, tune, batch, seq_len, channels, layers, sample;
    double rate;
    uint64_t seed;
    bool help;
};

/** False: the message is on stderr. */
bool options_read(struct options *out, int argc, char **argv);
void options_help(void);

#endif
