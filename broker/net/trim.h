/* SPDX-License-Identifier: MPL-2.0 */
/* Gives free memory back to the system. The C library keeps freed memory that lies below memory in use, which
 * can be gigabytes after many clients left. malloc_trim(3) gives it back, but it is slow (up to 1 ms per MiB
 * was measured on a busy machine). So it is called only if there is something to gain and the loop is idle,
 * and it may use only a small part of the time. */
#ifndef KV_BROKER_NET_TRIM_H
#define KV_BROKER_NET_TRIM_H

#include <stdbool.h>
#include <stdint.h>

typedef struct trim {
    uint64_t freed;        /* FREED of trim_turn at the last look */
    uint64_t moved;        /* MOVED of trim_turn at the last look */
    uint64_t resident;     /* bytes of memory that the process used after the last trim; 0 before the first */
    int64_t due_ms;        /* monotonic: time of the next look; INT64_MAX = none is due */
    int64_t not_before_ms; /* monotonic: the next look is not earlier, because the last trim took long */
} trim_t;

enum {
    TRIM_BYTES = 64 << 20, /* a look becomes due when this much was freed or moved since the last one */
    TRIM_DELAY_MS = 500,   /* wait before a look that became due, so that one trim does for many frees */
    TRIM_SHARE = 100       /* trims take at most 1/TRIM_SHARE of a processor's time */
};

void trim_init(trim_t *trim);

/* Call this once a turn. Both counts are since the start: FREED is the bytes that were in use for a while and
 * then freed; MOVED is the bytes of requests and answers, some of which may be free now. IDLE says that no
 * work waits for the loop. */
void trim_turn(trim_t *trim, uint64_t freed, uint64_t moved, bool idle);

#endif
