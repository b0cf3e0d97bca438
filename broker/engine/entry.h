/* SPDX-License-Identifier: MPL-2.0 */
/* What goes into a store and comes out of it: the types that the engine and its stores share. */
#ifndef KV_BROKER_ENGINE_ENTRY_H
#define KV_BROKER_ENGINE_ENTRY_H

#include "common/bytes.h"

typedef struct store store_t; /* one client's entries, PROTOCOL.md section 4 */

/* An entry as read. Slices are borrowed until the engine is next called. */
typedef struct entry {
    bytes_t key;
    bytes_t value;
    bool binary;       /* bin, else str */
    uint64_t revision; /* seq of the put that wrote it */
    int64_t ttl_ms;    /* what is left, at least 1; -1 = permanent */
} entry_t;

/* An entry's value, borrowed like the slices of an entry_t. */
typedef struct value {
    bytes_t bytes;
    bool binary; /* bin, else str */
} value_t;

/* What engine_lookup makes of a key: its hash, and, after engine_prepare, where its record is. */
typedef struct lookup {
    uint64_t hash;
    uint32_t seen;  /* a record's handle, 0 = none. Private to the engine, like `frees` */
    uint32_t frees; /* slab_t.frees at that time: `seen` is valid as long as that has not changed */
} lookup_t;

#define REVISION_ANY UINT64_MAX /* no condition */

typedef struct put {
    bytes_t key;
    lookup_t lookup; /* of the key */
    bytes_t value;
    bool binary;
    uint64_t ttl_ms;      /* 0 = permanent */
    uint64_t if_revision; /* REVISION_ANY, 0 = only if absent, else only if this is its revision */
} put_t;

#endif
