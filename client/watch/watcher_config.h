/* SPDX-License-Identifier: MPL-2.0 */
/* What a watcher follows, and the receiver of its events. */
#ifndef KV_CLIENT_WATCH_WATCHER_CONFIG_H
#define KV_CLIENT_WATCH_WATCHER_CONFIG_H

#include "client/watch/follow_config.h"

typedef struct watcher watcher_t; /* a thread: see watcher.h */

/* What the receiver did with a reported event. */
typedef enum watcher_taking {
    WATCHER_TAKEN,
    WATCHER_FULL,   /* there was no room in time: report it again */
    WATCHER_REFUSED /* memory was refused */
} watcher_taking_t;

typedef struct watcher_config {
    const kvzmq_options_t *connection; /* copied; NULL = the defaults */
    follow_config_t follow;            /* copied */
    bool large_values;                 /* read values that events leave out */
    int receive_hwm;                   /* ZMQ_RCVHWM of the event connection; 0 = ZeroMQ's default */
    /* Takes EVENT, borrowed until it returns. If there is no room, waits for it until UNTIL_MS (monotonic).
     * This and the function below are called in the watcher's thread. */
    watcher_taking_t (*tell)(void *context, const kvzmq_event_t *event, int64_t until_ms);
    /* Called once if the watcher fails for good. TEXT is borrowed until it returns. */
    void (*ended)(void *context, kvzmq_status_t status, const char *text);
    void *context; /* for these functions */
} watcher_config_t;

#endif
