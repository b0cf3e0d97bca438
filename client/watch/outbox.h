/* SPDX-License-Identifier: MPL-2.0 */
/* Events to report, oldest first: those that one call on a follow_t causes. */
#ifndef KV_CLIENT_WATCH_OUTBOX_H
#define KV_CLIENT_WATCH_OUTBOX_H

#include "client/include/kvzmq.h"
#include "common/status.h"

enum { OUTBOX_MAX = 4 }; /* AGAIN, RESET, READY, and an event or a POSITION */

typedef char epoch_t[sizeof((kvzmq_position_t *)0)->epoch];

/* Copies the epoch TEXT. Cuts one that does not fit; it is then treated as another epoch. */
void epoch_copy(epoch_t out, const char *text);

typedef struct outbox_item {
    kvzmq_event_t event; /* borrows what it points to, except its epoch */
    epoch_t epoch;
} outbox_item_t;

typedef struct outbox {
    outbox_item_t items[OUTBOX_MAX];
    unsigned first; /* index of the next event */
    unsigned count; /* end of the events; 0 = none */
} outbox_t;

/* Appends EVENT, of EPOCH. There must be room. */
void outbox_add(outbox_t *outbox, const kvzmq_event_t *event, const char *epoch);
/* Gets the next event without removing it. False: there is none. */
KV_MUST_USE bool outbox_next(const outbox_t *outbox, kvzmq_event_t *event);
/* Removes and returns the next event. Its epoch is borrowed until another event is added. */
KV_MUST_USE bool outbox_take(outbox_t *outbox, kvzmq_event_t *event);

#endif
