/* SPDX-License-Identifier: MPL-2.0 */
/* Private to the engine in memory: one client's entries, their count, bytes and digest. Knows how an entry is
 * kept, but nothing of the sequence, limits or changes.
 *
 * A small permanent entry is one record of the store's map: 8 bytes of head (flags and revision) and the
 * value. A long value, and an entry with a deadline, which must know its key and not move, are an allocation
 * of their own that the record points to. */
#ifndef KV_BROKER_ENGINE_STORE_H
#define KV_BROKER_ENGINE_STORE_H

#include "broker/engine/entry.h"
#include "broker/engine/expiry.h"
#include "broker/engine/omap.h"
#include "common/status.h"

enum { STORE_INLINE_MAX = 248 }; /* bytes of the longest value that is kept in its record */

/* An entry outside of its record. */
typedef struct external {
    deadline_t deadline; /* where it has one */
    store_t *store;
    uint32_t value_size;
    uint16_t key_size;
    uint8_t data[]; /* key and value */
} external_t;

/* Most stores are never asked for their digest, and keeping it costs as much as a put itself: it begins with
 * the first question. */
typedef enum digest_state { DIGEST_NONE, DIGEST_GROWING, DIGEST_KEPT } digest_state_t;

struct store {
    omap_t map;
    expiry_t *expiry; /* the engine's */
    void *owner;      /* the engine's caller's */
    uint64_t bytes;   /* of keys and values */
    digest_state_t digest_state;
    uint16_t edge_size; /* bytes of `edge` */
    uint8_t *edge;      /* while the digest grows: it covers the keys up to this one; owned */
    uint64_t digest;    /* PROTOCOL.md section 7, over the entries that it covers */
    bool closed;        /* waits for its memory to be given back */
    store_t *previous;  /* in the engine's list of open or of closed stores */
    store_t *next;
};

/* A record's head: flags in the low byte, the revision above. */
typedef uint64_t head_t;
enum { FLAG_BINARY = 1, FLAG_EXTERNAL = 2, FLAG_MORTAL = 4, REVISION_SHIFT = 8 };

/* An entry as it is kept; valid until the store is next changed. */
typedef struct kept {
    uint8_t *payload;     /* of its record */
    size_t payload_size;  /* bytes */
    external_t *external; /* NULL = it is all in its record */
    bytes_t value;
    uint64_t revision;
    bool binary;
    bool mortal; /* has a deadline */
} kept_t;

/* NULL if memory is refused. SEED is that of the map, its nodes come from POOL. */
store_t *store_new(expiry_t *expiry, pool_t *pool, void *owner, uint64_t seed);
/* Frees up to *BUDGET pieces (nodes and external entries), counts *BUDGET down, and, when none is left, the
 * store itself: *STORE is NULL then. */
void store_drain(store_t **store, unsigned *budget);

/* Makes out of a map's payload what is kept. */
static inline void store_read(void *payload, size_t size, kept_t *kept)
{
    head_t head;
    memcpy(&head, payload, sizeof head);
    kept->payload = payload;
    kept->payload_size = size;
    kept->revision = head >> REVISION_SHIFT;
    kept->binary = (head & FLAG_BINARY) != 0;
    if ((head & FLAG_EXTERNAL) == 0) {
        kept->external = NULL;
        kept->mortal = false;
        kept->value = bytes_of(kept->payload + sizeof head, size - sizeof head);
        return;
    }
    memcpy(&kept->external, kept->payload + sizeof head, sizeof(void *));
    kept->mortal = (head & FLAG_MORTAL) != 0;
    const external_t *external = kept->external;
    kept->value = bytes_of(external->data + external->key_size, external->value_size);
}

/* The entry KEY, or false where there is none; whether its time has come is the caller's question. */
KV_MUST_USE static inline bool store_find(const store_t *store, bytes_t key, kept_t *kept)
{
    size_t size;
    void *payload = omap_find(&store->map, key, &size);
    if (payload == NULL)
        return false;
    store_read(payload, size, kept);
    return true;
}

/* Writes an entry in place of OLD (as found, or NULL if there is none). False if memory is refused:
 * nothing has changed then. */
KV_MUST_USE bool store_write(store_t *store, const put_t *put, uint64_t revision, int64_t due_ms,
                             const kept_t *old);

/* Removes the entry KEY, which was found as KEPT. Its external part (or NULL) is returned owned: free it. */
KV_MUST_USE external_t *store_remove(store_t *store, bytes_t key, const kept_t *kept);

/* Does up to *BUDGET entries' worth of the work of making the digest, counts *BUDGET down, and returns
 * whether it is there; from then on each change keeps it up to date. */
KV_MUST_USE bool store_digest_grow(store_t *store, unsigned *budget);

static inline bytes_t external_key(const external_t *external)
{
    return bytes_of(external->data, external->key_size);
}

static inline external_t *external_of(deadline_t *deadline)
{
    return (external_t *)(void *)((uint8_t *)deadline - offsetof(external_t, deadline));
}

#endif
