/* SPDX-License-Identifier: MPL-2.0 */
/* Which entry's time comes first, over all stores: a heap of deadlines that knows nothing of what they are
 * the deadlines of. Grows and shrinks by chunks: no copy of the whole at any size. Time is monotonic
 * milliseconds. */
#ifndef KV_BROKER_ENGINE_EXPIRY_H
#define KV_BROKER_ENGINE_EXPIRY_H

#include "common/bytes.h"
#include "common/status.h"

/* One deadline, embedded in what it belongs to, which must not move while it is in a heap. */
typedef struct deadline {
    int64_t due_ms;
    uint64_t order; /* of those with one due_ms the lowest comes first */
    uint32_t owner; /* what it is the deadline of: its caller's */
    uint32_t place; /* in the heap. Private */
} deadline_t;

enum { EXPIRY_CHUNK = 4096 };     /* deadlines a chunk */
#define EXPIRY_NOWHERE UINT32_MAX /* the place of a deadline that has been taken out */

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
/* Gives DEADLINE, which is in the heap, another time. Never fails. */
void expiry_change(expiry_t *expiry, deadline_t *deadline, int64_t due_ms, uint64_t order);
/* Takes DEADLINE, which has been added, out of the heap; does nothing where it has been taken out before. */
void expiry_remove(expiry_t *expiry, deadline_t *deadline);
/* The deadline that is due first, or NULL if there is none. */
deadline_t *expiry_first(const expiry_t *expiry);

#endif
