/* SPDX-License-Identifier: MPL-2.0 */
/* libkvzmq in a program with an interval timer. A signal comes every millisecond, and its handler makes every
 * waiting system call return EINTR. */
#include "tests/support/client_fixture.h"

#include <pthread.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "tests/support/own_process.h"
#include "tests/support/tcp.h"

enum {
    INTERVAL_US = 1000,
    ROUNDS = 150,      /* connections that are made and ended */
    WATCH_ROUNDS = 15, /* watches and mirrors; each has a thread that must end */
};

/* Resources that must not grow. */
typedef struct usage {
    unsigned threads;
    unsigned descriptors;
} usage_t;

static usage_t usage_now(void)
{
    return (usage_t){.threads = own_threads(), .descriptors = own_descriptors()};
}

static void assert_nothing_left(usage_t before)
{
    assert_int_equal(own_threads_at_most(before.threads), before.threads);
    assert_int_equal(own_descriptors(), before.descriptors);
}

static void new_ping_destroy__a_thousand_signals_a_second__is_ok_and_leaves_nothing(void **state)
{
    broker_process_t *broker = *state;
    kvzmq_options_t options = options_for(broker, NULL);
    struct sigaction handler;
    usage_t before = usage_now();
    own_alarms_begin(INTERVAL_US, &handler);
    for (unsigned i = 0; i < ROUNDS; i++) {
        options.name = i % 2 == 0 ? NULL : "lamp";
        kvzmq_t *conn = kvzmq_new(&options);
        assert_non_null(conn);
        assert_ok(conn, kvzmq_ping(conn));
        if (i % 3 == 0)
            assert_ok(conn, kvzmq_bye(conn));
        kvzmq_destroy(&conn);
    }
    own_alarms_end(&handler);
    assert_true(atomic_load(&own_alarm_count) > 0);
    assert_nothing_left(before);
}

static void watch__a_thousand_signals_a_second__is_ready_and_leaves_nothing(void **state)
{
    broker_process_t *broker = *state;
    kvzmq_options_t options = manager_options(broker);
    struct sigaction handler;
    usage_t before = usage_now();
    own_alarms_begin(INTERVAL_US, &handler);
    for (unsigned i = 0; i < WATCH_ROUNDS; i++) {
        kvzmq_event_t event;
        kvzmq_watch_t *watch = kvzmq_watch_new(&options, NULL);
        kvzmq_mirror_t *mirror = kvzmq_mirror_new(&options, NULL, (kvzmq_slice_t){0});
        assert_non_null(watch);
        assert_non_null(mirror);
        assert_int_equal(kvzmq_watch_next(watch, TIMEOUT_MS, &event), KVZMQ_OK);
        assert_int_equal(event.kind, KVZMQ_EVENT_READY);
        assert_int_equal(kvzmq_mirror_wait(mirror, 0, TIMEOUT_MS), KVZMQ_OK);
        kvzmq_mirror_destroy(&mirror);
        kvzmq_watch_destroy(&watch);
    }
    own_alarms_end(&handler);
    assert_nothing_left(before);
}

/* A listener, and how many connections it accepted. */
typedef struct closer {
    int fd;
    unsigned count;
} closer_t;

/* Accepts and closes connections until the socket is shut down. */
static void *accept_and_close(void *context)
{
    closer_t *closer = context;
    for (int fd = accept(closer->fd, NULL, NULL); fd >= 0; fd = accept(closer->fd, NULL, NULL)) {
        closer->count++;
        (void)close(fd);
    }
    return NULL;
}

static void connect__a_thousand_signals_a_second__pauses_between_attempts(void **state)
{
    (void)state;
    enum { LIMIT_MS = 400, ATTEMPTS_MAX = 10 }; /* with pauses of 20, 40, 80 and 160 ms there are 5 */
    char endpoint[64];
    pthread_t thread;
    sigset_t alarm;
    closer_t closer = {.fd = tcp_bind(true, endpoint)};
    (void)sigemptyset(&alarm);
    (void)sigaddset(&alarm, SIGALRM);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &alarm, NULL), 0); /* only this thread gets the signals */
    assert_int_equal(pthread_create(&thread, NULL, accept_and_close, &closer), 0);
    assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &alarm, NULL), 0);

    kvzmq_options_t options;
    kvzmq_options_init(&options);
    options.endpoint = endpoint;
    options.connect_ms = LIMIT_MS;
    kvzmq_t *conn = kvzmq_new(&options);
    assert_non_null(conn);
    struct sigaction handler;
    own_alarms_begin(INTERVAL_US, &handler);
    int64_t start_ms = clock_monotonic_ms();
    assert_status(conn, KVZMQ_UNREACHABLE, kvzmq_connect(conn));
    int64_t took_ms = clock_monotonic_ms() - start_ms;
    own_alarms_end(&handler);
    kvzmq_destroy(&conn);
    assert_int_equal(shutdown(closer.fd, SHUT_RDWR), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)close(closer.fd);
    assert_true(took_ms >= LIMIT_MS - 10);
    assert_in_range(closer.count, 1, ATTEMPTS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            new_ping_destroy__a_thousand_signals_a_second__is_ok_and_leaves_nothing, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(watch__a_thousand_signals_a_second__is_ready_and_leaves_nothing,
                                        setup_tcp, teardown),
        cmocka_unit_test(connect__a_thousand_signals_a_second__pauses_between_attempts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
