/* SPDX-License-Identifier: MPL-2.0 */
/* A thread that follows a broker's events. It drives follow.h with its own request connection and event
 * connection, and reports events by call-backs in this thread. */
#ifndef KV_CLIENT_WATCH_WATCHER_H
#define KV_CLIENT_WATCH_WATCHER_H

#include "client/watch/follow.h"

typedef struct watcher watcher_t;

/* What the receiver did with a reported event. */
typedef enum watcher_taking {
    WATCHER_TAKEN,
    WATCHER_FULL,   /* there is no room now: report it again */
    WATCHER_REFUSED /* memory was refused */
} watcher_taking_t;

typedef struct watcher_config {
    const kvzmq_options_t *connection; /* copied; NULL = the defaults */
    follow_config_t follow;            /* copied */
    bool large_values;                 /* read values that events leave out */
    int receive_hwm;                   /* ZMQ_RCVHWM of the event connection; 0 = ZeroMQ's default */
    /* Takes EVENT, borrowed until it returns. This and the functions below are called in the watcher's
     * thread. */
    watcher_taking_t (*tell)(void *context, const kvzmq_event_t *event);
    /* Waits until there is room, TIMEOUT_MS at most. NULL if `tell` never returns WATCHER_FULL. */
    void (*wait)(void *context, int timeout_ms);
    /* Called once if the watcher fails for good. TEXT is borrowed until it returns. */
    void (*ended)(void *context, kvzmq_status_t status, const char *text);
    void *context; /* for these functions */
} watcher_config_t;

/* Starts the thread. False, with *WATCHER NULL, if memory, a thread or descriptors are refused. */
KV_MUST_USE bool watcher_new(const watcher_config_t *config, watcher_t **watcher);
/* Ends the thread and waits for it, which includes its current call. Not for a watcher of a parent process:
 * see watcher_foreign. */
void watcher_destroy(watcher_t **watcher);
/* Whether it belongs to a parent process. Then call only watcher_abandon, and do not use what its thread
 * uses: the thread does not exist here and may have left data half changed. */
bool watcher_foreign(const watcher_t *watcher);
/* Closes this process's copies of the parent's descriptors; call it once. While the child holds the session's
 * descriptor, the broker cannot notice that the parent has ended. The memory is not freed. */
void watcher_abandon(watcher_t *watcher);

void watcher_counts(watcher_t *watcher, kvzmq_watch_counts_t *counts);

#endif
