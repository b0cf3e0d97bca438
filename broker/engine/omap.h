/* SPDX-License-Identifier: MPL-2.0 */
/* An ordered map from byte strings to small payloads, kept within the records of a B+tree's leaves. Any table
 * of the broker that needs order, millions of entries, or no pause while it grows is one of these: a store's
 * entries, the clients, the sessions.
 *
 * Nothing is ever rehashed or copied as a whole: the longest piece of work is the split of a leaf and of the
 * inner nodes above it, some microseconds at any size. A map without entries has allocated nothing, one with
 * a few entries one block of their size. It knows nothing of what the payloads mean. Not thread-safe. */
#ifndef KV_BROKER_ENGINE_OMAP_H
#define KV_BROKER_ENGINE_OMAP_H

#include "broker/engine/pool.h"
#include "common/bytes.h"
#include "common/status.h"

enum {
    OMAP_KEY_MAX = 1024,    /* bytes of a key; an empty key is valid */
    OMAP_PAYLOAD_MAX = 512, /* bytes of a payload */
    OMAP_DEPTH_MAX = 12     /* levels of inner nodes; 6 hold more entries than memory can */
};

typedef struct omap {
    void *root;      /* a leaf where height is 0, else an inner node; NULL = empty. Private */
    uint64_t count;  /* entries */
    uint64_t seed;   /* of the hash that makes fingerprints. Private */
    unsigned height; /* levels of inner nodes. Private */
    pool_t *pool;    /* where its nodes come from, NULL = malloc. Private */
} omap_t;

/* Makes an empty map. SEED: random, so that nobody can choose keys with equal fingerprints (they would cost
 * up to a leaf's worth of comparisons a lookup, no more). Allocates nothing. */
void omap_init(omap_t *map, uint64_t seed);
/* The same, for maps that may grow large: their nodes come from POOL (borrowed for the map's life). */
void omap_init_pooled(omap_t *map, uint64_t seed, pool_t *pool);
/* Frees all nodes. The map is empty and usable again. Time grows with the map: omap_drain a large one. */
void omap_release(omap_t *map);

/* The payload of KEY, at most OMAP_KEY_MAX bytes, and its *SIZE, or NULL if there is none. It may be
 * written to, is not aligned (use memcpy), and is valid until the map is next changed. */
void *omap_find(const omap_t *map, bytes_t key, size_t *size);

/* Makes sure that there is an entry KEY whose payload has SIZE bytes, at most OMAP_PAYLOAD_MAX, and returns
 * the payload to be written, as omap_find does. *ADDED tells whether the entry is new: its payload is
 * undefined then. Else the payload keeps the first bytes it had, as far as they fit. NULL if memory is
 * refused: nothing has changed then. */
KV_MUST_USE void *omap_put(omap_t *map, bytes_t key, size_t size, bool *added);

/* Removes the entry KEY. Returns whether there was one. Never fails for want of memory. KEY may be borrowed
 * from the entry itself. */
bool omap_remove(omap_t *map, bytes_t key);

/* ---- In order --------------------------------------------------------------------------------- */

typedef struct omap_entry {
    bytes_t key;   /* borrowed until the map is next changed */
    void *payload; /* as from omap_find */
    size_t size;   /* bytes of the payload */
} omap_entry_t;

/* A place between two entries. Valid until the map is next changed: seek anew after that. All private. */
typedef struct omap_cursor {
    const omap_t *map;
    void *leaf;    /* NULL = behind the last entry */
    unsigned slot; /* of the next entry in the leaf */
    struct omap_step {
        void *inner;
        unsigned index;     /* of the child that the path goes through */
    } path[OMAP_DEPTH_MAX]; /* from the root down to the leaf's parent */
} omap_cursor_t;

/* Places CURSOR before the first entry whose key is FROM or sorts after it; where AFTER, before the first
 * whose key sorts after FROM. */
void omap_seek(const omap_t *map, bytes_t from, bool after, omap_cursor_t *cursor);
/* Gives the entry behind the cursor and moves past it, or returns false at the end. */
KV_MUST_USE bool omap_next(omap_cursor_t *cursor, omap_entry_t *entry);

/* ---- Taking a large map apart ----------------------------------------------------------------- */

/* Called for each entry that goes; must not touch the map. Returns how many pieces of work it was besides the
 * node's own. */
typedef unsigned omap_drop_fn(void *context, const omap_entry_t *entry);

/* Frees the map piece by piece: a node (of some 60 entries) is one, and what DROP (may be NULL) returns for
 * each entry. Does at most *BUDGET of them, which is counted down. Returns whether the map is empty now.
 * Until it is, nothing but omap_drain may use the map. */
bool omap_drain(omap_t *map, unsigned *budget, omap_drop_fn *drop, void *context);

/* ---- Payloads that are one pointer ------------------------------------------------------------ */

/* The pointer kept under KEY, or NULL. */
static inline void *omap_find_pointer(const omap_t *map, bytes_t key)
{
    void *pointer = NULL;
    size_t size;
    const void *payload = omap_find(map, key, &size);
    if (payload != NULL)
        memcpy(&pointer, payload, sizeof pointer);
    return pointer;
}

/* Keeps POINTER under KEY, in place of what was kept there. False if memory is refused. */
KV_MUST_USE static inline bool omap_put_pointer(omap_t *map, bytes_t key, void *pointer)
{
    bool added;
    void *payload = omap_put(map, key, sizeof pointer, &added);
    if (payload != NULL)
        memcpy(payload, &pointer, sizeof pointer);
    return payload != NULL;
}

/* The pointer that ENTRY holds. */
static inline void *omap_entry_pointer(const omap_entry_t *entry)
{
    void *pointer;
    memcpy(&pointer, entry->payload, sizeof pointer);
    return pointer;
}

#endif
