/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the ring. */
#include "broker/core/pending.h"

#include <assert.h>
#include <stdlib.h>

bool pending_ready(pending_ring_t *ring)
{
    if (ring->count == 0)
        return true;
    if (ring->others == NULL)
        ring->others = malloc(PENDING_MAX * sizeof *ring->others);
    return ring->others != NULL && ring->count < PENDING_MAX;
}

void pending_add(pending_ring_t *ring, pending_t pending)
{
    assert(ring->count == 0 || (ring->others != NULL && ring->count < PENDING_MAX));
    if (ring->count == 0)
        ring->oldest = pending;
    else
        ring->others[(ring->first + ring->count - 1) % PENDING_MAX] = pending;
    ring->count++;
}

pending_t pending_take(pending_ring_t *ring)
{
    assert(ring->count > 0);
    pending_t taken = ring->oldest;
    ring->count--;
    if (ring->count > 0) {
        ring->oldest = ring->others[ring->first];
        ring->first = (ring->first + 1) % PENDING_MAX;
    }
    return taken;
}

void pending_release(pending_ring_t *ring)
{
    free(ring->others);
    *ring = (pending_ring_t){0};
}
