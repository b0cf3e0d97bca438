/* SPDX-License-Identifier: MPL-2.0 */
/* Events that are to be told, oldest first: those that one call on a follow_t leads to. */
#ifndef KV_CLIENT_WATCH_OUTBOX_H
#define KV_CLIENT_WATCH_OUTBOX_H

#include "client/include/kvzmq.h"
#include "common/status.h"

enum { OUTBOX_MAX = 4 }; /* AGAIN, RESET, READY, and an event or a POSITION */

typedef char epoch_t[sizeof((kvzmq_position_t *)0)->epoch];

/* Copies the epoch TEXT. One that does not fit is cut, which makes it another epoch: nothing worse. */
void epoch_copy(epoch_t out, const char *text);

typedef struct outbox_item {
    kvzmq_event_t event; /* what it points to is borrowed, but for its epoch */
    epoch_t epoch;
} outbox_item_t;

typedef struct outbox {
    outbox_item_t items[OUTBOX_MAX];
    unsigned first; /* the next */
    unsigned count; /* up to here; 0 = none */
} outbox_t;

/* Appends EVENT, of EPOCH. There must be room. */
void outbox_add(outbox_t *outbox, const kvzmq_event_t *event, const char *epoch);
/* The next one, which stays. False: there is none. */
KV_MUST_USE bool outbox_next(const outbox_t *outbox, kvzmq_event_t *event);
/* The same, and it goes; its epoch is borrowed until another one is added. */
KV_MUST_USE bool outbox_take(outbox_t *outbox, kvzmq_event_t *event);

#endif
