/** Random numbers that are the same on every machine: splitmix64 (Steele, Lea, Flood 2014). */
#ifndef CHARLM_RANDOM_H
#define CHARLM_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state;
};

double random_uniform(struct random *random); /* in [0, 1) */
double random_normal(struct random *random);  /* mean 0, variance 1 */

#endif
