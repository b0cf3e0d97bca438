/* SPDX-License-Identifier: MPL-2.0 */
/* Private to the engine in memory: one client's entries, their count, bytes and digest. Knows how an entry is
 * kept, but nothing about the sequence, limits or changes.
 *
 * Each entry is one record. The index finds it by the hash of its key, the tree keeps the order. */
#ifndef KV_BROKER_ENGINE_STORE_H
#define KV_BROKER_ENGINE_STORE_H

#include "broker/engine/entry.h"
#include "broker/engine/expiry.h"
#include "broker/engine/index.h"
#include "broker/engine/record.h"
#include "broker/engine/tree.h"
#include "common/status.h"

/* Most stores are never asked for their digest, and updating it costs as much as a put itself. So it is made
 * at the first request for it, and updated from then on. */
typedef enum digest_state { DIGEST_NONE, DIGEST_GROWING, DIGEST_KEPT } digest_state_t;

struct store {
    slab_t *slab;     /* the engine's */
    expiry_t *expiry; /* the engine's */
    void *owner;      /* belongs to the engine's caller */
    index_t index;
    tree_t tree;
    uint64_t bytes; /* of keys and values */
    digest_state_t digest_state;
    uint16_t edge_size; /* bytes of `edge` */
    uint8_t *edge;      /* while the digest grows: it covers the keys up to this one; owned */
    uint64_t digest;    /* PROTOCOL.md section 7, over the entries that it covers */
    unsigned dropped;   /* records given back so far, of a closed store */
    bool closed;        /* closed: its memory is being freed */
    store_t *previous;  /* in the engine's list of open or of closed stores */
    store_t *next;
};

/* Borrows EXPIRY and SLAB; takes its memory from SLAB. NULL if memory is refused. */
store_t *store_new(expiry_t *expiry, slab_t *slab, void *owner);
/* Frees up to *BUDGET pieces of the store (each takes some microseconds at most) and counts *BUDGET down.
 * When nothing is left, frees the store itself and sets *STORE to NULL. */
void store_drain(store_t **store, unsigned *budget);

/* An entry: its record and the record's handle. Valid until the entry is written or removed. */
typedef index_found_t found_t;

/* The entry with the record HANDLE. */
static inline found_t store_entry(const store_t *store, uint32_t handle)
{
    return (found_t){.record = record_at(store->slab, handle), .handle = handle};
}

/* The parts of store_find that are not inline: for any key, and for an entry that is only in the tree. */
found_t store_find_any(const store_t *store, bytes_t key, lookup_t lookup);
found_t store_find_in_tree(const store_t *store, bytes_t key);

/* The entry KEY; its record is NULL if there is none. The caller must check whether it is due. */
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

/* Adds an entry. Its key must not be in the store. False if memory is refused: nothing has changed then. */
KV_MUST_USE bool store_add(store_t *store, const put_t *put, uint64_t revision, int64_t due_ms);
/* Writes PUT over the entry OLD. False if memory is refused: nothing has changed then. */
KV_MUST_USE bool store_change(store_t *store, const put_t *put, uint64_t revision, int64_t due_ms,
                              found_t old);
/* As store_change, for the most frequent case: a new value of the same size, and nothing else. False if it is
 * another case: nothing has changed then. */
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

/* Adds up to *BUDGET entries to the digest and counts *BUDGET down. Returns whether the digest is complete;
 * from then on each change updates it. */
KV_MUST_USE bool store_digest_grow(store_t *store, unsigned *budget);

#endif
