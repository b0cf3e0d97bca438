/* SPDX-License-Identifier: MPL-2.0 */
/* A thread that does a small task from time to time while the application does other work. A lock separates
 * the two: each call of the application holds it from beginning to end. */
#ifndef KV_CLIENT_LIB_KEEPER_H
#define KV_CLIENT_LIB_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/status.h"

typedef struct keeper keeper_t;

/* Called in the thread, with the lock held. Returns when to call it again (monotonic ms); INT64_MAX = after
 * the application's next call. */
typedef int64_t keeper_fn(void *context);

/* Starts the thread, and returns with the lock held. False if memory, a thread or a lock is refused. */
KV_MUST_USE bool keeper_new(keeper_fn *keep, void *context, keeper_t **keeper);
/* Ends the thread and waits for it. The caller must not hold the lock. */
void keeper_destroy(keeper_t **keeper);

void keeper_lock(keeper_t *keeper);
void keeper_unlock(keeper_t *keeper);

/* For event loops. FD, the link's descriptor, is edge-triggered, and the thread may consume an edge when it
 * uses the socket. So keeper_fd returns another descriptor: it is readable when FD is, and from keeper_nudge
 * to the next keeper_lock. Negative if memory or descriptors are refused. Call both with the lock held. */
int keeper_fd(keeper_t *keeper, int fd);
void keeper_nudge(keeper_t *keeper);

#endif
