/* SPDX-License-Identifier: MPL-2.0 */
/* Decides when memory is given back. */
#include "broker/net/trim.h"

#include <malloc.h>
#include <unistd.h>

#include "broker/net/resident.h"
#include "common/clock.h"

void trim_init(trim_t *trim)
{
    *trim = (trim_t){.due_ms = INT64_MAX};
}

/* Bytes of memory that the process uses; 0 if they are unknown. */
static uint64_t memory_resident(void)
{
    int file = resident_open();
    int64_t bytes = resident_bytes(file);
    if (file >= 0)
        close(file);
    return (uint64_t)bytes;
}

void trim_turn(trim_t *trim, uint64_t freed, uint64_t moved, bool idle)
{
    bool much_freed = freed - trim->freed >= TRIM_BYTES;
    if (!much_freed && moved - trim->moved < TRIM_BYTES)
        return;
    int64_t now_ms = clock_monotonic_ms();
    if (trim->due_ms == INT64_MAX) {
        trim->due_ms = now_ms + TRIM_DELAY_MS;
        if (trim->due_ms < trim->not_before_ms)
            trim->due_ms = trim->not_before_ms;
    }
    if (!idle || now_ms < trim->due_ms)
        return;
    trim->due_ms = INT64_MAX;
    trim->freed = freed;
    trim->moved = moved;
    if (!much_freed && memory_resident() < trim->resident + TRIM_BYTES)
        return; /* new requests and answers reuse the memory of earlier ones */
    int64_t begin_ms = clock_thread_ms();
    malloc_trim(0);
    int64_t took_ms = clock_thread_ms() - begin_ms;
    trim->resident = memory_resident();
    trim->not_before_ms = clock_monotonic_ms() + took_ms * TRIM_SHARE;
}
