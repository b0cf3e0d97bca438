/* SPDX-License-Identifier: MPL-2.0 */
/* A lock and a condition for it, with deadlines of the monotonic clock (clock.h). */
#ifndef KV_COMMON_LOCKS_H
#define KV_COMMON_LOCKS_H

#include <pthread.h>
#include <stdint.h>

#include "common/status.h"

/* Makes both. False if the system refuses it; then there is none of them. */
KV_MUST_USE bool locks_init(pthread_mutex_t *lock, pthread_cond_t *condition);
void locks_destroy(pthread_mutex_t *lock, pthread_cond_t *condition);

/* Waits for CONDITION until UNTIL_MS, INT64_MAX = without end. It can return early, as any such wait. */
void locks_wait(pthread_mutex_t *lock, pthread_cond_t *condition, int64_t until_ms);

#endif
