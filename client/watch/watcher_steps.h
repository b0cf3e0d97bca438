/* SPDX-License-Identifier: MPL-2.0 */
/* Does what `follow` wants next: one function for each follow_want_t. Private to watcher*.c. */
#ifndef KV_CLIENT_WATCH_WATCHER_STEPS_H
#define KV_CLIENT_WATCH_WATCHER_STEPS_H

#include "client/watch/watcher_state.h"

/* Does the next step, and reports what follows from it. */
void watcher_step(watcher_t *watcher);

#endif
