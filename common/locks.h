/* SPDX-License-Identifier: MPL-2.0 */
/* A lock with a condition. Deadlines are times of the monotonic clock (clock.h). */
#ifndef KV_COMMON_LOCKS_H
#define KV_COMMON_LOCKS_H

#include <pthread.h>
#include <stdint.h>

#include "common/status.h"

/* Makes both. If the system refuses one, returns false and makes neither. */
KV_MUST_USE bool locks_init(pthread_mutex_t *lock, pthread_cond_t *condition);
void locks_destroy(pthread_mutex_t *lock, pthread_cond_t *condition);

/* Waits for CONDITION until UNTIL_MS (INT64_MAX = for ever). It can wake up early, like any wait for a
 * condition. */
void locks_wait(pthread_mutex_t *lock, pthread_cond_t *condition, int64_t until_ms);

#endif
