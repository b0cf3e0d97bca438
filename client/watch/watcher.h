/* SPDX-License-Identifier: MPL-2.0 */
/* A thread that follows a broker's events. It drives follow.h with its own request connection and event
 * connection, and reports events by call-backs in this thread. */
#ifndef KV_CLIENT_WATCH_WATCHER_H
#define KV_CLIENT_WATCH_WATCHER_H

#include "client/watch/watcher_config.h"
#include "common/status.h"

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
