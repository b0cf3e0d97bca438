/* SPDX-License-Identifier: MPL-2.0 */
/* Pseudo-random numbers from a seed, uniform and zipfian. */
#ifndef KV_CLIENT_CLI_BENCH_DICE_H
#define KV_CLIENT_CLI_BENCH_DICE_H

#include <stdint.h>

typedef struct dice {
    uint64_t state;
} dice_t;

/* A bijective mix: each bit of the result depends on all bits of X. */
static inline uint64_t dice_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* splitmix64 */
static inline uint64_t dice_next(dice_t *dice)
{
    return dice_mix(dice->state += UINT64_C(0x9e3779b97f4a7c15));
}

/* From 0 up to, but not including, 1. */
static inline double dice_real(dice_t *dice)
{
    return (double)(dice_next(dice) >> 11) * 0x1p-53;
}

/* From 0 to LIMIT - 1; LIMIT is from 1 to 2^53. */
static inline uint64_t dice_below(dice_t *dice, uint64_t limit)
{
    return (uint64_t)(dice_real(dice) * (double)limit);
}

/* Zipf's distribution: rank k (from 1) is drawn with a probability proportional to k^-0.99, as in YCSB. */
typedef struct zipf {
    uint64_t count; /* ranks */
    double first;   /* lower end of the integral that is inverted */
    double last;    /* upper end */
    double accept;  /* accept a rank at most this much above the inverse at once */
} zipf_t;

/* For COUNT ranks (at least 1). Takes constant time, whatever COUNT. */
void zipf_init(zipf_t *zipf, uint64_t count);

/* A rank from 0 to count - 1; 0 is the most frequent. */
uint64_t zipf_next(const zipf_t *zipf, dice_t *dice);

/* A permutation of the numbers below COUNT (up to 2^32). It spreads ranks, so that frequent keys are not
 * neighbours. */
typedef struct scatter {
    uint64_t count;
    uint64_t step; /* coprime to `count` */
} scatter_t;

void scatter_init(scatter_t *scatter, uint64_t count);

static inline uint64_t scatter_of(const scatter_t *scatter, uint64_t rank)
{
    return rank * scatter->step % scatter->count;
}

#endif
