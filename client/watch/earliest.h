/* SPDX-License-Identifier: MPL-2.0 */
/* How to begin with the oldest event that the broker keeps, while its log may move on. */
#ifndef KV_CLIENT_WATCH_EARLIEST_H
#define KV_CLIENT_WATCH_EARLIEST_H

#include <stdint.h>

enum {
    EARLIEST_TRIES = 100, /* positions that are tried; then the newest is taken */
    EARLIEST_EXACT = 10   /* tries with just the oldest position that the broker named */
};

/* The position to try after the broker refused ASKED, because its oldest is OLDEST now; TRIES have failed. A
 * busy broker with a short log drops events faster than a request takes. So later tries are as far ahead of
 * OLDEST as the log moved on last time. */
static inline uint64_t earliest_next(uint64_t asked, uint64_t oldest, unsigned tries)
{
    if (tries < EARLIEST_EXACT || oldest <= asked)
        return oldest;
    return oldest + (oldest - asked);
}

#endif
