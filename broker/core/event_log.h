/* SPDX-License-Identifier: MPL-2.0 */
/* The latest events, PROTOCOL.md 6.1: a ring bounded in events and in bytes, from which `replay` and pushes
 * read. Each event is one compact record; event_wire.h makes its map when it is needed. Knows nothing about
 * its readers. */
#ifndef KV_BROKER_CORE_EVENT_LOG_H
#define KV_BROKER_CORE_EVENT_LOG_H

#include "broker/engine/engine.h"

typedef struct event_log event_log_t;

typedef struct event {
    uint64_t seq;
    uint64_t prev;   /* seq of the event before it about the same client; 0 = none since its store began */
    int64_t time_ms; /* Unix */
    change_kind_t kind;
    bytes_t client;   /* its id */
    bytes_t key;      /* of put, del, expire; else empty */
    bytes_t value;    /* of put, disconnect, role; else empty */
    bool has_value;   /* false: no value, or one longer than events/inline */
    bool binary;      /* the value is bin */
    uint64_t size;    /* bytes of the value of a put */
    uint64_t ttl_ms;  /* of a put; 0 = none */
    bytes_t by;       /* id of the client whose session did it; empty = the broker */
    bytes_t user;     /* the account that made that session a manager; empty = none */
    uint64_t session; /* id of the session that did it, 0 = none; not for the wire */
} event_t;

#define EVENT_LOG_BYTES_MAX (UINT64_C(1) << 36) /* of a log */

/* KEEP events and KEEP_BYTES bytes at most, both above 0, the latter at most EVENT_LOG_BYTES_MAX. NULL if
 * memory is refused. */
KV_MUST_USE event_log_t *event_log_new(uint64_t keep, uint64_t keep_bytes);
void event_log_destroy(event_log_t **log);

/* Appends a copy of CHANGE, about the client with the id CLIENT, with its value only if HAS_VALUE. Its seq
 * must follow that of the change before. The oldest events make room. A change that does not fit at all
 * empties the log: its seq becomes the oldest. */
void event_log_append(event_log_t *log, const change_t *change, bytes_t client, bool has_value);

/* The lowest seq after which every event is kept. */
uint64_t event_log_oldest(const event_log_t *log);

/* Reads the event with this seq, which must be above event_log_oldest and at most that of the newest. Slices
 * are borrowed until the next append. */
void event_log_read(const event_log_t *log, uint64_t seq, event_t *event);

#endif
