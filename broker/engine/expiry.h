/* SPDX-License-Identifier: MPL-2.0 */
/* Which entry expires next, over all stores: a heap of deadlines. Knows nothing about what has these
 * deadlines. Grows and shrinks by chunks, so it is never copied as a whole. Time is monotonic
 * milliseconds. */
#ifndef KV_BROKER_ENGINE_EXPIRY_H
#define KV_BROKER_ENGINE_EXPIRY_H

#include "common/bytes.h"
#include "common/status.h"

/* One deadline, embedded in what it belongs to, which must not move while it is in a heap. */
typedef struct deadline {
    int64_t due_ms;
    uint64_t order; /* of those with the same due_ms, the lowest comes first */
    uint32_t owner; /* for the caller: what has this deadline */
    uint32_t place; /* in the heap. Private */
} deadline_t;

enum { EXPIRY_CHUNK = 4096 };     /* deadlines a chunk */
#define EXPIRY_NOWHERE UINT32_MAX /* the place of a deadline that was removed */

typedef struct expiry {
    struct expiry_slot **chunks; /* of EXPIRY_CHUNK slots each. Private, as all here */
    size_t chunk_count;          /* chunks allocated */
    size_t chunk_room;           /* chunks that `chunks` has room for */
    uint32_t count;              /* deadlines in the heap */
} expiry_t;

/* Makes an empty heap. Allocates nothing. */
void expiry_init(expiry_t *expiry);
/* Frees the heap, not the deadlines in it, which are its caller's. */
void expiry_release(expiry_t *expiry);

/* Puts DEADLINE (borrowed until it is removed), whose due_ms and order are set, into the heap. False if
 * memory is refused. */
KV_MUST_USE bool expiry_add(expiry_t *expiry, deadline_t *deadline);
/* Changes the time of DEADLINE, which is in the heap. Never fails. */
void expiry_change(expiry_t *expiry, deadline_t *deadline, int64_t due_ms, uint64_t order);
/* Removes DEADLINE, which was added, from the heap. Does nothing if it was removed before. */
void expiry_remove(expiry_t *expiry, deadline_t *deadline);
/* The deadline that is due first, or NULL if there is none. */
deadline_t *expiry_first(const expiry_t *expiry);

#endif
