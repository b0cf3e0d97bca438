/* SPDX-License-Identifier: MPL-2.0 */
/* Reports events and failures to the receiver of a watcher. Private to watcher*.c. */
#ifndef KV_CLIENT_WATCH_WATCHER_TELL_H
#define KV_CLIENT_WATCH_WATCHER_TELL_H

#include "client/watch/watcher_state.h"

/* Reports all events of `follow`. False: one was not taken, because the thread is to end, its value could not
 * be read, or memory was refused. The last two are handled as failures. */
bool watcher_tell(watcher_t *watcher);

/* A request failed with STATUS, or its answer is not valid. TEXT says why, for people. Ends the watcher if
 * trying again is useless. */
void watcher_fail(watcher_t *watcher, kvzmq_status_t status, const char *text);
/* The same, with the connection's error text. */
void watcher_fail_call(watcher_t *watcher, kvzmq_status_t status);

#endif
