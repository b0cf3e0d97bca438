/* SPDX-License-Identifier: MPL-2.0 */
/* A thread that does a small task from time to time while the application does other work, and the lock
 * between the two: a call of the application holds it from beginning to end. Does not know connections. */
#ifndef KV_CLIENT_LIB_KEEPER_H
#define KV_CLIENT_LIB_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/status.h"

typedef struct keeper keeper_t;

/* Called in the thread, with the lock held. Returns when to call it again, monotonic ms; INT64_MAX: not
 * before the application has made another call. */
typedef int64_t keeper_fn(void *context);

/* Starts the thread. The caller holds the lock then. False if memory, a thread or a lock are refused. */
KV_MUST_USE bool keeper_new(keeper_fn *keep, void *context, keeper_t **keeper);
/* Ends the thread and waits for it. The caller does not hold the lock. */
void keeper_destroy(keeper_t **keeper);

void keeper_lock(keeper_t *keeper);
void keeper_unlock(keeper_t *keeper);

/* For event loops. The link's descriptor FD is edge-triggered, and the thread's use of the socket may take
 * the edge. Returns one that is readable as FD is, and also from keeper_nudge on until the next keeper_lock;
 * below 0 if memory or descriptors are refused. With the lock held, as keeper_nudge. */
int keeper_fd(keeper_t *keeper, int fd);
void keeper_nudge(keeper_t *keeper);

#endif
