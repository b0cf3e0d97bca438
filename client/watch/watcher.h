/* SPDX-License-Identifier: MPL-2.0 */
/* A thread that follows a broker's events: does what follow.h wants over a request connection and an event
 * connection of its own, and tells what comes of it in that thread. Knows nothing of who is told. */
#ifndef KV_CLIENT_WATCH_WATCHER_H
#define KV_CLIENT_WATCH_WATCHER_H

#include "client/watch/follow.h"

typedef struct watcher watcher_t;

/* What becomes of an event that is told. */
typedef enum watcher_taking {
    WATCHER_TAKEN,
    WATCHER_FULL,   /* there is no room now: it will be told again */
    WATCHER_REFUSED /* memory is refused */
} watcher_taking_t;

typedef struct watcher_config {
    const kvzmq_options_t *connection; /* copied; NULL = the defaults */
    follow_config_t follow;            /* copied */
    bool large_values;                 /* values that events leave out are read */
    int receive_hwm;                   /* ZMQ_RCVHWM of the event connection; 0 = ZeroMQ's default */
    /* Takes EVENT, which is borrowed until it returns. Called in the thread, as all that follows. */
    watcher_taking_t (*tell)(void *context, const kvzmq_event_t *event);
    /* Waits until there is room again, TIMEOUT_MS at most. NULL: `tell` never says WATCHER_FULL. */
    void (*wait)(void *context, int timeout_ms);
    /* Once, when it gives up for good; TEXT is borrowed until it returns. */
    void (*ended)(void *context, kvzmq_status_t status, const char *text);
    void *context; /* given to all */
} watcher_config_t;

/* Starts the thread. False, *WATCHER NULL, where memory, a thread or descriptors are refused. */
KV_MUST_USE bool watcher_new(const watcher_config_t *config, watcher_t **watcher);
/* Ends the thread and waits for it, which takes as long as a call under way. Not one of a parent process, see
 * watcher_foreign. */
void watcher_destroy(watcher_t **watcher);
/* Whether it is a parent process's. Then nothing but watcher_abandon may be done with it, nor with what its
 * thread uses: that is not here, and may have left anything half done. */
bool watcher_foreign(const watcher_t *watcher);
/* Closes this process's copies of a parent's descriptors, once: the session's, without which the broker would
 * not see that the parent has ended, and the eventfd. The memory stays. */
void watcher_abandon(watcher_t *watcher);

void watcher_counts(watcher_t *watcher, kvzmq_watch_counts_t *counts);

#endif
