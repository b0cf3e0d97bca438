/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about locks.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/locks.h"

enum {
    SHORT_MS = 20,
    EARLY_MAX = 100 /* early returns; if the deadline were for another clock, there would be many more */
};

static void wait__nobody_signals__returns_at_the_deadline_of_the_monotonic_clock(void **state)
{
    (void)state;
    pthread_mutex_t lock;
    pthread_cond_t condition;
    assert_true(locks_init(&lock, &condition));
    pthread_mutex_lock(&lock);
    int64_t until_ms = clock_monotonic_ms() + SHORT_MS;
    for (unsigned returns = 0; clock_monotonic_ms() < until_ms; returns++) {
        assert_true(returns < EARLY_MAX);
        locks_wait(&lock, &condition, until_ms);
    }
    pthread_mutex_unlock(&lock);
    locks_destroy(&lock, &condition);
}

typedef struct shared {
    pthread_mutex_t lock;
    pthread_cond_t condition;
    bool set;
} shared_t;

static void *set(void *argument)
{
    shared_t *shared = argument;
    pthread_mutex_lock(&shared->lock);
    shared->set = true;
    pthread_cond_signal(&shared->condition);
    pthread_mutex_unlock(&shared->lock);
    return NULL;
}

static void wait__without_end__returns_when_signalled(void **state)
{
    (void)state;
    shared_t shared = {.set = false};
    pthread_t thread;
    assert_true(locks_init(&shared.lock, &shared.condition));
    pthread_mutex_lock(&shared.lock);
    assert_int_equal(pthread_create(&thread, NULL, set, &shared), 0);
    while (!shared.set)
        locks_wait(&shared.lock, &shared.condition, INT64_MAX);
    pthread_mutex_unlock(&shared.lock);
    pthread_join(thread, NULL);
    locks_destroy(&shared.lock, &shared.condition);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wait__nobody_signals__returns_at_the_deadline_of_the_monotonic_clock),
        cmocka_unit_test(wait__without_end__returns_when_signalled),
    };
    return cmocka_run_group_tests_name("locks", tests, NULL, NULL);
}
