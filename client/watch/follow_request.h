/* SPDX-License-Identifier: MPL-2.0 */
/* The two requests that only a watch makes, `events` and `replay` (PROTOCOL.md 5), and their answers. */
#ifndef KV_CLIENT_WATCH_FOLLOW_REQUEST_H
#define KV_CLIENT_WATCH_FOLLOW_REQUEST_H

#include "client/watch/follow.h"

typedef struct ticket {
    kvzmq_slice_t endpoint;
    kvzmq_slice_t mechanism;
    kvzmq_slice_t username;
    kvzmq_slice_t password;
    kvzmq_slice_t epoch;
    uint64_t seq;
    uint64_t oldest;
} ticket_t;

/* Requests `events`. *RESULT is owned by the caller, also after a failure; *TICKET borrows from it. */
KV_MUST_USE kvzmq_status_t ticket_ask(kvzmq_t *conn, kvzmq_value_t *result, ticket_t *ticket);

/* Requests the `replay` of ACTION (FOLLOW_REPLAY). *RESULT is owned by the caller. */
KV_MUST_USE kvzmq_status_t replay_ask(kvzmq_t *conn, const follow_action_t *action, kvzmq_value_t *result);

/* Reads the events of an answer one by one. Borrows from the answer. */
typedef struct replay {
    bytes_t events; /* an array */
    size_t at;      /* offset of the next event */
    uint32_t left;  /* events not yet read */
    uint64_t seq;   /* how far the answer is complete */
} replay_t;

/* Begins to read BODY, the result of `replay`. False if it is not valid. */
KV_MUST_USE bool replay_read(bytes_t body, replay_t *replay);
/* Reads the next event; `left` must not be 0. False if the event is not valid. */
KV_MUST_USE bool replay_next(replay_t *replay, kvzmq_event_t *event);

#endif
