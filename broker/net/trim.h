/* SPDX-License-Identifier: MPL-2.0 */
/* Gives free memory back to the system. The C library keeps freed memory that lies below memory in use:
 * gigabytes, after many clients left. malloc_trim(3) gives it back, but takes time (up to 1 ms per MiB was
 * measured, on a busy machine). So it is called only if there is something to gain and the loop is idle, and
 * for at most a small part of the time. */
#ifndef KV_BROKER_NET_TRIM_H
#define KV_BROKER_NET_TRIM_H

#include <stdbool.h>
#include <stdint.h>

typedef struct trim {
    uint64_t freed;        /* as given to trim_turn, at the last look */
    uint64_t moved;        /* the same */
    uint64_t resident;     /* bytes of memory that the process had after the last trim; 0 before the first */
    int64_t due_ms;        /* monotonic: of the next look; INT64_MAX = none is due */
    int64_t not_before_ms; /* monotonic: a trim that took long is not repeated soon */
} trim_t;

enum {
    TRIM_BYTES = 64 << 20, /* freed or moved since the last look, from which on the next is due */
    TRIM_DELAY_MS = 500,   /* from then until the look, to trim together what is freed together */
    TRIM_SHARE = 100       /* trims take one part in so many of a processor's time at most */
};

void trim_init(trim_t *trim);

/* Call once a turn. Both count from the start: FREED, bytes that were in use for a while and were freed;
 * MOVED, bytes of requests and answers, of which some may be free now. IDLE: nothing waits for the loop. */
void trim_turn(trim_t *trim, uint64_t freed, uint64_t moved, bool idle);

#endif
