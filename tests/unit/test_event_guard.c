/* SPDX-License-Identifier: MPL-2.0 */
/* What the guard of the event socket takes for a flood. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>

#include "broker/event_guard.h"

enum {
    TAKEN_MAX = 256 << 20, /* bytes of memory; a flood is to be seen before it fills so many */
    STEP = 8 << 20,
    PAGE = 4096, /* or a part of one */
    LOOK_MS = 20,
    TRIES = 10
};

/* What libzmq's own thread does with a flood. */
static void *take_in(void *context)
{
    char *taken = context;
    for (size_t size = 0; size < TAKEN_MAX; size += PAGE) {
        taken[size] = 1;
        if (size % STEP == 0)
            (void)poll(NULL, 0, LOOK_MS);
    }
    return NULL;
}

/* A busy machine gives the guarded thread no CPU. */
static void guard__call_in_which_memory_grows__is_ended_though_it_takes_no_cpu(void **state)
{
    (void)state;
    char endpoints[1][ENDPOINT_SIZE] = {"tcp://127.0.0.1:9"};
    event_guard_t *guard = event_guard_new(endpoints, 1);
    char *taken = mmap(NULL, TAKEN_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool fired = false;
    assert_non_null(guard);
    assert_ptr_not_equal(taken, MAP_FAILED);
    event_guard_rest(guard, false);
    for (int i = 0; i < TRIES && !fired; i++) { /* one will do, if the guard's own thread gets any */
        pthread_t thread;
        event_guard_enter(guard);
        assert_int_equal(pthread_create(&thread, NULL, take_in, taken), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        event_guard_leave(guard);
        fired = event_guard_fired(guard);
        assert_int_equal(madvise(taken, TAKEN_MAX, MADV_DONTNEED), 0);
    }
    assert_true(fired);
    assert_int_equal(munmap(taken, TAKEN_MAX), 0);
    event_guard_destroy(&guard);
    assert_null(guard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guard__call_in_which_memory_grows__is_ended_though_it_takes_no_cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
