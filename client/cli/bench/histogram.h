/* SPDX-License-Identifier: MPL-2.0 */
/* A log-linear histogram: how often each value occurred, in buckets that grow with the value. Recording takes
 * constant time and no memory. A quantile is never below the exact one, and above it by at most 1/128 of it
 * (0.8 %). Values below 256 are exact. */
#ifndef KV_CLIENT_CLI_BENCH_HISTOGRAM_H
#define KV_CLIENT_CLI_BENCH_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_BITS = 7,                       /* 2^7 buckets for each power of two */
    HISTOGRAM_PARTS = 1 << HISTOGRAM_BITS,    /* a bucket is at most its lower bound / this wide */
    HISTOGRAM_ROWS = 64 - HISTOGRAM_BITS + 1, /* powers of two; the first row holds all below PARTS */
    HISTOGRAM_BUCKETS = HISTOGRAM_ROWS * HISTOGRAM_PARTS
};

typedef struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t count; /* values */
    uint64_t max;   /* the largest, exactly */
} histogram_t;      /* if all zero: empty */

void histogram_record(histogram_t *histogram, uint64_t value);

/* Adds all values of OTHER. */
void histogram_add(histogram_t *histogram, const histogram_t *other);

/* The quantile PART (above 0, up to 1): the value that this part of the values does not exceed; 0 if there
 * are none. */
uint64_t histogram_quantile(const histogram_t *histogram, double part);

#endif
