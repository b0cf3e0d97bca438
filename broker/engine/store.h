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

/* The entry KEY, whose hash is HASH, or 0; whether its time has come is the caller's question. Valid until it
 * is written or removed. */
KV_MUST_USE static inline uint32_t store_find(const store_t *store, bytes_t key, uint64_t hash)
{
    bool in_tree;
    uint32_t entry = index_find(&store->index, hash, key, &in_tree);
    return __builtin_expect(in_tree, 0) ? tree_find(&store->tree, key) : entry;
}

static inline record_t *store_record(const store_t *store, uint32_t entry)
{
    return record_at(store->slab, entry);
}

/* A hint: the entries KEYS with HASHES, 64 at most, are about to be used. */
void store_prepare(const store_t *store, const bytes_t *keys, const uint64_t *hashes, unsigned count);

/* Writes an entry, whose key has HASH, in place of OLD (as found, or 0 if there is none). False if memory is
 * refused: nothing has changed then. */
KV_MUST_USE bool store_write(store_t *store, const put_t *put, uint64_t hash, uint64_t revision,
                             int64_t due_ms, uint32_t old);

/* Removes ENTRY. Its record stays as it is until store_free. */
void store_remove(store_t *store, uint32_t entry);
/* Frees ENTRY, which has been removed. */
void store_free(store_t *store, uint32_t entry);

/* Does up to *BUDGET entries' worth of the work of making the digest, counts *BUDGET down, and returns
 * whether it is there; from then on each change keeps it up to date. */
KV_MUST_USE bool store_digest_grow(store_t *store, unsigned *budget);

#endif
