/* SPDX-License-Identifier: MPL-2.0 */
/* libkvzmq in a process with few descriptors left. It must report that, within its time limits, and continue
 * when there are more. libzmq alone would abort the process, or wait for ever. */
#include "tests/support/client_fixture.h"

#include <fcntl.h>

#include "common/clock.h"
#include "tests/support/own_process.h"

enum {
    FREE_MAX = 12, /* descriptors left; each number up to this is tried */
    NEEDED = 10,   /* descriptors that a connection takes, according to kvzmq.h */
    CALL_MS = 3000,
    SLACK_MS = 20000 /* only a call that hangs takes longer */
};

/* Lowers the limit so that COUNT descriptors are free. Returns the old limit, for restore. */
static struct rlimit leave_free(unsigned count)
{
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    /* The limit applies to descriptor numbers, so set it just above the lowest COUNT free ones. */
    int highest = -1;
    int free_fds[FREE_MAX + 1];
    for (unsigned i = 0; i <= count; i++) {
        free_fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_true(free_fds[i] >= 0);
        highest = free_fds[i];
    }
    for (unsigned i = 0; i <= count; i++)
        (void)close(free_fds[i]);
    struct rlimit low = {.rlim_cur = (rlim_t)highest, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    return before;
}

static void restore(struct rlimit before)
{
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* Makes a connection while descriptors are few (or MADE_BEFORE), and uses it with few and then with enough.
 */
static void try_connection(const broker_process_t *broker, unsigned count, bool made_before)
{
    kvzmq_options_t options = options_for(broker, NULL);
    options.connect_ms = CALL_MS;
    options.call_ms = CALL_MS;
    kvzmq_t *conn = made_before ? kvzmq_new(&options) : NULL;
    struct rlimit before = leave_free(count);
    int64_t start_ms = clock_monotonic_ms();
    if (!made_before)
        conn = kvzmq_new(&options);
    kvzmq_status_t status = conn != NULL ? kvzmq_ping(conn) : KVZMQ_NO_MEMORY;
    int64_t took_ms = clock_monotonic_ms() - start_ms;
    restore(before);
    /* A connection that was made before already has the descriptor of its context. */
    kvzmq_status_t wanted = count + made_before >= NEEDED ? KVZMQ_OK : KVZMQ_NO_MEMORY;
    if (status != wanted || took_ms > SLACK_MS)
        fail_msg("with %u descriptors: %s after %lld ms", count, kvzmq_status_text(status),
                 (long long)took_ms);
    if (conn != NULL)
        assert_ok(conn, kvzmq_ping(conn));
    kvzmq_destroy(&conn);
}

static void
ping__each_number_of_free_descriptors__is_ok_if_they_are_enough_else_no_memory_in_time(void **state)
{
    for (unsigned count = 0; count <= FREE_MAX; count++) {
        try_connection(*state, count, false);
        try_connection(*state, count, true);
    }
}

static void reconnect__few_descriptors__is_no_memory_and_ok_when_there_are_more(void **state)
{
    broker_process_t *broker = *state;
    kvzmq_options_t options = options_for(broker, NULL);
    kvzmq_t *conn = connect_to(broker, &options);
    int held[64];
    unsigned count = 0;
    assert_ok(conn, kvzmq_bye(conn)); /* ends the connection, but not libzmq's threads */
    struct rlimit before = leave_free(3);
    while (count < sizeof held / sizeof *held && (held[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++; /* takes all that are free, also those that the connection had */
    assert_status(conn, KVZMQ_NO_MEMORY, kvzmq_ping(conn));
    assert_non_null(strstr(kvzmq_error(conn), "descriptors"));
    for (unsigned i = 0; i < count; i++)
        (void)close(held[i]);
    restore(before);
    assert_ok(conn, kvzmq_ping(conn));
    kvzmq_destroy(&conn);
}

static void watch__each_number_of_free_descriptors__is_refused_or_ready_later(void **state)
{
    broker_process_t *broker = *state;
    kvzmq_options_t options = manager_options(broker);
    unsigned made = 0;
    for (unsigned count = 0; count <= FREE_MAX; count++) {
        struct rlimit before = leave_free(count);
        kvzmq_watch_t *watch = kvzmq_watch_new(&options, NULL);
        kvzmq_mirror_t *mirror = kvzmq_mirror_new(&options, NULL, (kvzmq_slice_t){0});
        restore(before);
        made += watch != NULL;
        /* One that was begun with few descriptors continues when there are enough. */
        kvzmq_event_t event = {0};
        while (watch != NULL && event.kind != KVZMQ_EVENT_READY)
            assert_int_equal(kvzmq_watch_next(watch, TIMEOUT_MS, &event), KVZMQ_OK);
        if (mirror != NULL)
            assert_int_equal(kvzmq_mirror_wait(mirror, 0, TIMEOUT_MS), KVZMQ_OK);
        kvzmq_mirror_destroy(&mirror);
        kvzmq_watch_destroy(&watch);
    }
    assert_true(made > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            ping__each_number_of_free_descriptors__is_ok_if_they_are_enough_else_no_memory_in_time, setup_tcp,
            teardown),
        cmocka_unit_test_setup_teardown(reconnect__few_descriptors__is_no_memory_and_ok_when_there_are_more,
                                        setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(watch__each_number_of_free_descriptors__is_refused_or_ready_later,
                                        setup_tcp, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
