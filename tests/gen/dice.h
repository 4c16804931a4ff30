/* Random numbers that are the same on every machine (splitmix64, Steele, Lea, Flood 2014). */
#ifndef PRNN_DICE_H
#define PRNN_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

static inline uint64_t dice_bits(struct dice *dice)
{
    uint64_t z = (dice->state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* 0 .. count - 1 */
static inline int dice_below(struct dice *dice, int count)
{
    return (int)(dice_bits(dice) % (uint64_t)count);
}

static inline bool dice_chance(struct dice *dice, int percent)
{
    return dice_below(dice, 100) < percent;
}

static inline double dice_real(struct dice *dice, double lo, double hi)
{
    return lo + (hi - lo) * ((double)(dice_bits(dice) >> 11) * 0x1p-53);
}

#endif
