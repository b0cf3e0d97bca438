/* SPDX-License-Identifier: MPL-2.0 */
/* The event connection of a watcher: makes it, and passes on its messages. Private to watcher*.c. */
#ifndef KV_CLIENT_WATCH_WATCHER_EVENTS_H
#define KV_CLIENT_WATCH_WATCHER_EVENTS_H

#include "client/watch/follow_request.h"
#include "client/watch/watcher_state.h"

/* Connects with TICKET, for the events of CLIENT (NULL = all). There must be no event connection. On failure
 * *PROBLEM says why. */
KV_MUST_USE kvzmq_status_t watcher_events_connect(watcher_t *watcher, const ticket_t *ticket,
                                                  const char *client, const char **problem);
/* Passes on messages that have arrived, a bounded number, as long as the next action takes them. Returns how
 * many. */
unsigned watcher_events_take(watcher_t *watcher);

#endif
