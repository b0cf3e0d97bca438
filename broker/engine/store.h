/* SPDX-License-Identifier: MPL-2.0 */
/* Private to the engine in memory: one client's entries, their count, bytes and digest. Knows how an entry is
 * kept, but nothing of the sequence, limits or changes.
 *
 * Each entry is one record. The index finds it by the hash of its key, the tree has the order. */
#ifndef KV_BROKER_ENGINE_STORE_H
#define KV_BROKER_ENGINE_STORE_H

#include "broker/engine/entry.h"
#include "broker/engine/expiry.h"
#include "broker/engine/index.h"
#include "broker/engine/record.h"
#include "broker/engine/tree.h"
#include "common/status.h"

/* Most stores are never asked for their digest, and keeping it costs as much as a put itself: it begins with
 * the first question. */
typedef enum digest_state { DIGEST_NONE, DIGEST_GROWING, DIGEST_KEPT } digest_state_t;

struct store {
    slab_t *slab;     /* the engine's */
    expiry_t *expiry; /* the engine's */
    void *owner;      /* the engine's caller's */
    index_t index;
    tree_t tree;
    uint64_t bytes; /* of keys and values */
    digest_state_t digest_state;
    uint16_t edge_size; /* bytes of `edge` */
    uint8_t *edge;      /* while the digest grows: it covers the keys up to this one; owned */
    uint64_t digest;    /* PROTOCOL.md section 7, over the entries that it covers */
    unsigned dropped;   /* records given back so far, of a closed store */
    bool closed;        /* waits for its memory to be given back */
    store_t *previous;  /* in the engine's list of open or of closed stores */
    store_t *next;
};

/* NULL if memory is refused. What it keeps comes from SLAB. */
store_t *store_new(expiry_t *expiry, slab_t *slab, void *owner);
/* Frees up to *BUDGET pieces (each some microseconds at most), counts *BUDGET down, and, when none is left,
 * the store itself: *STORE is NULL then. */
void store_drain(store_t **store, unsigned *budget);

/* An entry: its record, and that one's handle. Valid until it is written or removed. */
typedef index_found_t found_t;

/* The entry with the record HANDLE. */
static inline found_t store_entry(const store_t *store, uint32_t handle)
{
    return (found_t){.record = record_at(store->slab, handle), .handle = handle};
}

/* As store_find, by calls: of any entry, and of one that is left to the tree. */
found_t store_find_any(const store_t *store, bytes_t key, lookup_t lookup);
found_t store_find_in_tree(const store_t *store, bytes_t key);

/* The entry KEY; its record is NULL if there is none. Whether its time has come is the caller's question. */
static inline __attribute__((always_inline)) found_t store_find(const store_t *store, bytes_t key,
                                                                lookup_t lookup)
{
    if (__builtin_expect(!record_key_short(key), 0))
        return store_find_any(store, key, lookup);
    found_t found = index_find_short(&store->index, lookup, key);
    if (__builtin_expect(found.record == NULL && found.handle == INDEX_IN_TREE, 0))
        return store_find_in_tree(store, key);
    return found;
}

/* Adds an entry, whose key is not there and has HASH. False if memory is refused: nothing has changed then.
 */
KV_MUST_USE bool store_add(store_t *store, const put_t *put, uint64_t hash, uint64_t revision,
                           int64_t due_ms);
/* Writes PUT over the entry OLD. False if memory is refused: nothing has changed then. */
KV_MUST_USE bool store_change(store_t *store, const put_t *put, uint64_t hash, uint64_t revision,
                              int64_t due_ms, found_t old);
/* As store_change, over an entry's RECORD, if that is nothing but another value of the same size, as it
 * mostly is.
 */
KV_MUST_USE static inline bool store_overwrite(const store_t *store, const put_t *put, uint64_t revision,
                                               record_t *record)
{
    if ((record->head & RECORD_PARTS) != 0 || put->ttl_ms != 0 || put->value.size != record->value_size ||
        store->digest_state != DIGEST_NONE)
        return false;
    record->head = revision << RECORD_REVISION_SHIFT | (put->binary ? RECORD_BINARY : 0);
    record_copy(record->data + record->key_size, put->value);
    return true;
}

/* Removes ENTRY. Its record stays as it is until store_free. */
void store_remove(store_t *store, found_t entry);
/* Frees ENTRY, which has been removed. */
void store_free(store_t *store, found_t entry);

/* Does up to *BUDGET entries' worth of the work of making the digest, counts *BUDGET down, and returns
 * whether it is there; from then on each change keeps it up to date. */
KV_MUST_USE bool store_digest_grow(store_t *store, unsigned *budget);

#endif
