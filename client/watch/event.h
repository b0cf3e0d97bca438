/* SPDX-License-Identifier: MPL-2.0 */
/* Events: decoding and copying. */
#ifndef KV_CLIENT_WATCH_EVENT_H
#define KV_CLIENT_WATCH_EVENT_H

#include "client/include/kvzmq.h"
#include "common/bytes.h"
#include "common/status.h"

/* Reads the event map at *AT in BODY and moves *AT past it. *EVENT borrows from BODY; its epoch is empty.
 * False if the map is not a valid event. A kind that this library does not know becomes KVZMQ_EVENT_OTHER. */
KV_MUST_USE bool event_read(bytes_t body, size_t *at, kvzmq_event_t *event);
/* The same for a notification's params: an array of one map. */
KV_MUST_USE bool event_read_params(bytes_t params, kvzmq_event_t *event);

/* The params of a sync. EPOCH borrows from them. */
typedef struct sync {
    kvzmq_slice_t epoch;
    uint64_t seq;
} sync_t;

KV_MUST_USE bool event_read_sync(bytes_t params, sync_t *sync);

/* Whether KIND changes an entry: put, del, expire. */
bool event_changes_entry(kvzmq_event_kind_t kind);

/* An event in one block of memory with everything that it points to. Free with free. Its texts are
 * zero-terminated. */
typedef struct event_copy {
    struct event_copy *next; /* for the owner's list */
    size_t size;             /* bytes of the block */
    kvzmq_event_t event;
} event_copy_t;

/* NULL if memory is refused. */
KV_MUST_USE event_copy_t *event_copy_new(const kvzmq_event_t *event);

#endif
