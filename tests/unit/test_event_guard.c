/* SPDX-License-Identifier: MPL-2.0 */
/* What the guard of the event socket treats as a flood. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "broker/net/event_guard.h"
#include "common/clock.h"

/* A call of the guarded thread, and the memory that another thread fills meanwhile. */
typedef struct call {
    char *taken; /* TAKEN_MAX bytes */
    atomic_bool whole;
} call_t;

typedef struct world {
    event_guard_t *guard;
    call_t call;
} world_t;

enum {
    TAKEN_MAX =
        256 << 20,  /* bytes that the other thread fills; the guard must notice a flood before the end */
    STEP = 8 << 20, /* bytes filled between two pauses */
    PAGE = 4096,    /* bytes, at most a page of the system */
    STEP_MS = 20,
    SPIN_MS = 5,
    LITTLE_MS = 150, /* CPU time of a call that is too short to be a flood by itself */
    TRIES = 10
};

/* Fills memory, like libzmq's own thread during a flood. */
static void *take_in(void *context)
{
    call_t *call = context;
    for (size_t size = 0; size < TAKEN_MAX; size += PAGE) {
        call->taken[size] = 1;
        if (size % STEP == 0)
            (void)poll(NULL, 0, STEP_MS);
    }
    atomic_store(&call->whole, true);
    return NULL;
}

/* Makes a call in the guarded thread while another thread fills TAKEN_MAX bytes. The call uses at most
 * CALL_MS of CPU time, in short pieces. */
static void call_made(event_guard_t *guard, call_t *call, int64_t call_ms)
{
    pthread_t thread;
    event_guard_enter(guard);
    atomic_store(&call->whole, false);
    assert_int_equal(pthread_create(&thread, NULL, take_in, call), 0);
    int64_t end_ms = clock_thread_ms() + call_ms;
    while (!atomic_load(&call->whole)) {
        int64_t until_ms = clock_thread_ms() + SPIN_MS;
        while (clock_thread_ms() < until_ms && until_ms <= end_ms)
            ;
        (void)poll(NULL, 0, STEP_MS);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    event_guard_leave(guard);
    assert_int_equal(madvise(call->taken, TAKEN_MAX, MADV_DONTNEED), 0);
}

static int setup(void **state)
{
    static char endpoints[1][ENDPOINT_SIZE] = {"tcp://127.0.0.1:9"};
    static world_t world;
    world.guard = event_guard_new(endpoints, 1);
    world.call.taken = mmap(NULL, TAKEN_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (world.guard == NULL || world.call.taken == MAP_FAILED)
        return -1;
    event_guard_rest(world.guard, false);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    world_t *world = *state;
    event_guard_destroy(&world->guard);
    return world->guard == NULL ? munmap(world->call.taken, TAKEN_MAX) : -1;
}

/* A busy machine gives the guarded thread little CPU time. */
static void guard__call_in_which_memory_grows__is_ended_though_it_takes_little_cpu(void **state)
{
    world_t *world = *state;
    bool fired = false;
    for (int i = 0; i < TRIES && !fired; i++) { /* one is enough if the guard's thread gets CPU time */
        call_made(world->guard, &world->call, LITTLE_MS);
        fired = event_guard_fired(world->guard);
    }
    assert_true(fired);
}

/* Verifying a password, for example, takes memory too. */
static void guard__memory_that_grows_while_the_call_waits__is_not_its_flood(void **state)
{
    world_t *world = *state;
    for (int i = 0; i < 2; i++) {
        call_made(world->guard, &world->call, 0);
        assert_false(event_guard_fired(world->guard));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            guard__call_in_which_memory_grows__is_ended_though_it_takes_little_cpu, setup, teardown),
        cmocka_unit_test_setup_teardown(guard__memory_that_grows_while_the_call_waits__is_not_its_flood,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
