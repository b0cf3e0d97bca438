/* SPDX-License-Identifier: MPL-2.0 */
/* The entries of one or many stores, in order, with each store's digest. A data structure without locks. */
#ifndef KV_CLIENT_WATCH_MIRROR_STORE_H
#define KV_CLIENT_WATCH_MIRROR_STORE_H

#include "client/include/kvzmq.h"
#include "common/bytes.h"
#include "common/status.h"

typedef struct mirror_store mirror_store_t;

/* An entry. Borrowed until the next change. */
typedef struct mirror_entry {
    bytes_t key;
    bytes_t value;
    bool binary;    /* the value is bin */
    bool has_value; /* false: only its revision is known */
    uint64_t revision;
    int64_t due_ms; /* when it expires (monotonic ms); INT64_MAX = never */
} mirror_entry_t;

/* Summary of one store. */
typedef struct mirror_summary {
    uint64_t digest; /* PROTOCOL.md section 7, of the entries with a value */
    uint64_t keys;
    uint64_t hollow; /* keys whose value is not known */
} mirror_summary_t;

/* NULL if memory is refused. */
KV_MUST_USE mirror_store_t *mirror_store_new(void);
void mirror_store_destroy(mirror_store_t **store);

/* Stores a copy of ENTRY, replacing one with the same key. False if memory is refused; nothing is changed
 * then. */
KV_MUST_USE bool mirror_store_put(mirror_store_t *store, bytes_t client, const mirror_entry_t *entry);
/* These do nothing if there is no such key or client. */
void mirror_store_del(mirror_store_t *store, bytes_t client, bytes_t key);
void mirror_store_drop(mirror_store_t *store, bytes_t client);
void mirror_store_clear(mirror_store_t *store);

/* Each returns false if there is no such entry or client. */
KV_MUST_USE bool mirror_store_get(const mirror_store_t *store, bytes_t client, bytes_t key,
                                  mirror_entry_t *entry);
/* The first entry of CLIENT whose key sorts after AFTER, or with INCLUSIVE is AFTER itself. */
KV_MUST_USE bool mirror_store_next(const mirror_store_t *store, bytes_t client, bytes_t after, bool inclusive,
                                   mirror_entry_t *entry);
/* The first client with keys whose id sorts after AFTER. *CLIENT is borrowed until the next change. */
KV_MUST_USE bool mirror_store_next_client(const mirror_store_t *store, bytes_t after, bytes_t *client);

/* All zero if there is no such client. */
void mirror_store_summary(const mirror_store_t *store, bytes_t client, mirror_summary_t *summary);
/* The number of stores with keys, and of keys in all stores. */
void mirror_store_totals(const mirror_store_t *store, uint64_t *clients, uint64_t *keys);

#endif
