/* SPDX-License-Identifier: MPL-2.0 */
/* Events that are to be told, oldest first: those that one call on a follow_t leads to. */
#ifndef KV_CLIENT_WATCH_TELLINGS_H
#define KV_CLIENT_WATCH_TELLINGS_H

#include "client/include/kvzmq.h"
#include "common/status.h"

enum { TELLINGS_MAX = 4 }; /* AGAIN, RESET, READY, and an event or a POSITION */

typedef char epoch_t[sizeof((kvzmq_position_t *)0)->epoch];

/* Copies the epoch TEXT. One that does not fit is cut, which makes it another epoch: nothing worse. */
void epoch_copy(epoch_t out, const char *text);

typedef struct telling {
    kvzmq_event_t event; /* what it points to is borrowed, but for its epoch */
    epoch_t epoch;
} telling_t;

typedef struct tellings {
    telling_t items[TELLINGS_MAX];
    unsigned first; /* the next */
    unsigned count; /* up to here; 0 = none */
} tellings_t;

/* Appends EVENT, of EPOCH. There must be room. */
void tellings_add(tellings_t *tellings, const kvzmq_event_t *event, const char *epoch);
/* The next one, which stays. False: there is none. */
KV_MUST_USE bool tellings_next(const tellings_t *tellings, kvzmq_event_t *event);
/* The same, and it goes; its epoch is borrowed until another one is added. */
KV_MUST_USE bool tellings_take(tellings_t *tellings, kvzmq_event_t *event);

#endif
