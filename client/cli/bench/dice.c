/* SPDX-License-Identifier: MPL-2.0 */
/* Zipf's distribution by rejection-inversion (Hörmann and Derflinger, 1996): exact, and without a table or a
 * sum over all ranks. */
#include "client/cli/bench/dice.h"

#include <math.h>

#define EXPONENT 0.99
#define REST     (1 - EXPONENT)

/* The weight of a rank. */
static double weight(double rank)
{
    return exp(-EXPONENT * log(rank));
}

/* The integral of the weight from 1 to X, and its inverse. */
static double integral(double x)
{
    return expm1(REST * log(x)) / REST;
}

static double inverse(double y)
{
    return exp(log1p(REST * y) / REST);
}

void zipf_init(zipf_t *zipf, uint64_t count)
{
    *zipf = (zipf_t){
        .count = count,
        .first = integral(1.5) - 1,
        .last = integral((double)count + 0.5),
        .accept = 2 - inverse(integral(2.5) - weight(2)),
    };
}

uint64_t zipf_next(const zipf_t *zipf, dice_t *dice)
{
    for (;;) {
        double drawn = zipf->last + dice_real(dice) * (zipf->first - zipf->last);
        double x = inverse(drawn);
        double rank = floor(x + 0.5);
        if (rank < 1)
            rank = 1;
        if (rank > (double)zipf->count)
            rank = (double)zipf->count;
        if (rank - x <= zipf->accept || drawn >= integral(rank + 0.5) - weight(rank))
            return (uint64_t)rank - 1;
    }
}

static uint64_t divisor_of(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The step is near the golden ratio, so that consecutive ranks are far apart. */
void scatter_init(scatter_t *scatter, uint64_t count)
{
    uint64_t step = (uint64_t)((double)count * 0.6180339887498949);
    while (step < 1 || divisor_of(step, count) != 1)
        step++;
    *scatter = (scatter_t){.count = count, .step = step};
}
