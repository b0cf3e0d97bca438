/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about monitor.h, with real connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>

#include "broker/net/monitor.h"
#include "tests/support/tcp.h"
#include "tests/support/waiting.h"

typedef struct fixture {
    void *context;
    void *socket;
    char endpoint[64];
    monitor_t monitor;
} fixture_t;

static int setup(void **state)
{
    static fixture_t fixture;
    size_t size = sizeof fixture.endpoint;
    fixture = (fixture_t){.context = zmq_ctx_new()};
    fixture.socket = zmq_socket(fixture.context, ZMQ_ROUTER);
    assert_true(monitor_open(&fixture.monitor, fixture.context, fixture.socket, "inproc://test.monitor"));
    assert_int_equal(zmq_bind(fixture.socket, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(fixture.socket, ZMQ_LAST_ENDPOINT, fixture.endpoint, &size), 0);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;
    monitor_close(&fixture->monitor);
    zmq_close(fixture->socket);
    return zmq_ctx_term(fixture->context);
}

/* Waits for the next event, which must be of the wanted kind. Returns its descriptor. */
static int event_wait(fixture_t *fixture, bool wanted_accepted)
{
    bool accepted;
    int fd;
    zmq_pollitem_t item = {.socket = fixture->monitor.socket, .events = ZMQ_POLLIN};
    assert_int_equal(zmq_poll(&item, 1, TIMEOUT_MS), 1);
    assert_true(monitor_next(&fixture->monitor, &accepted, &fd));
    assert_int_equal(accepted, wanted_accepted);
    return fd;
}

static void next__connections_come_and_go__tells_their_descriptors(void **state)
{
    fixture_t *fixture = *state;
    int first = tcp_connect(fixture->endpoint);
    int first_fd = event_wait(fixture, true);
    int second = tcp_connect(fixture->endpoint);
    int second_fd = event_wait(fixture, true);
    assert_true(first_fd >= 0 && second_fd >= 0 && first_fd != second_fd);
    close(second);
    assert_int_equal(event_wait(fixture, false), second_fd);
    close(first);
    assert_int_equal(event_wait(fixture, false), first_fd);
}

static void next__nothing_happened__is_false(void **state)
{
    fixture_t *fixture = *state;
    bool accepted;
    int fd;
    assert_false(monitor_next(&fixture->monitor, &accepted, &fd));
    int peer = tcp_connect(fixture->endpoint);
    (void)event_wait(fixture, true);
    assert_false(monitor_next(&fixture->monitor, &accepted, &fd));
    close(peer);
}

static void open__endpoint_in_use__fails_and_can_be_closed(void **state)
{
    fixture_t *fixture = *state;
    monitor_t other;
    void *socket = zmq_socket(fixture->context, ZMQ_ROUTER);
    assert_false(monitor_open(&other, fixture->context, socket, "inproc://test.monitor"));
    monitor_close(&other);
    zmq_close(socket);
    int peer = tcp_connect(fixture->endpoint); /* the first monitor still works */
    (void)event_wait(fixture, true);
    close(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(next__connections_come_and_go__tells_their_descriptors, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(next__nothing_happened__is_false, setup, teardown),
        cmocka_unit_test_setup_teardown(open__endpoint_in_use__fails_and_can_be_closed, setup, teardown),
    };
    return cmocka_run_group_tests_name("monitor", tests, NULL, NULL);
}
