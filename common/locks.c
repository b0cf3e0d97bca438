/* SPDX-License-Identifier: MPL-2.0 */
/* Locks and conditions. */
#include "common/locks.h"

#include <time.h>

bool locks_init(pthread_mutex_t *lock, pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    bool made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(condition, &attributes) == 0;
    (void)pthread_condattr_destroy(&attributes);
    if (!made || pthread_mutex_init(lock, NULL) == 0)
        return made;
    (void)pthread_cond_destroy(condition);
    return false;
}

void locks_destroy(pthread_mutex_t *lock, pthread_cond_t *condition)
{
    (void)pthread_cond_destroy(condition);
    (void)pthread_mutex_destroy(lock);
}

void locks_wait(pthread_mutex_t *lock, pthread_cond_t *condition, int64_t until_ms)
{
    const struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    if (until_ms == INT64_MAX)
        (void)pthread_cond_wait(condition, lock);
    else
        (void)pthread_cond_timedwait(condition, lock, &until);
}
