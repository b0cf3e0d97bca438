/* SPDX-License-Identifier: MPL-2.0 */
/* Computes the bounds of the buckets. */
#include "client/cli/bench/histogram.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>

/* Row 0 has the values below PARTS, each in its own bucket. Row R has the values with HISTOGRAM_BITS + R
 * bits; the HISTOGRAM_BITS bits after the highest one select the bucket. */
static size_t bucket_of(uint64_t value)
{
    if (value < HISTOGRAM_PARTS)
        return (size_t)value;
    unsigned row = 64 - (unsigned)__builtin_clzll(value) - HISTOGRAM_BITS;
    return (size_t)row * HISTOGRAM_PARTS + (size_t)((value >> (row - 1)) - HISTOGRAM_PARTS);
}

/* The largest value of a bucket. */
static uint64_t bucket_last(size_t bucket)
{
    size_t row = bucket / HISTOGRAM_PARTS;
    if (row == 0)
        return bucket;
    uint64_t first = (uint64_t)(bucket % HISTOGRAM_PARTS + HISTOGRAM_PARTS) << (row - 1);
    return first + ((UINT64_C(1) << (row - 1)) - 1);
}

void histogram_record(histogram_t *histogram, uint64_t value)
{
    histogram->counts[bucket_of(value)]++;
    histogram->count++;
    if (value > histogram->max)
        histogram->max = value;
}

void histogram_add(histogram_t *histogram, const histogram_t *other)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        histogram->counts[i] += other->counts[i];
    histogram->count += other->count;
    if (other->max > histogram->max)
        histogram->max = other->max;
}

uint64_t histogram_quantile(const histogram_t *histogram, double part)
{
    assert(part > 0 && part <= 1);
    uint64_t wanted = (uint64_t)ceil(part * (double)histogram->count);
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen >= wanted && seen > 0)
            return bucket_last(i) < histogram->max ? bucket_last(i) : histogram->max;
    }
    return histogram->max;
}
