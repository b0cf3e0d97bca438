/* SPDX-License-Identifier: MPL-2.0 */
/* Tests of event_socket.h with a real subscriber. tests/interop has more tests of connections and tickets,
 * with the whole broker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>

#include "tests/support/tcp.h"
#include "tests/support/volume.h"
#include "tests/unit/event_side.h"

enum {
    BURST = 400, /* well below the 1,000 messages that fit in a subscriber's queue */
    BURSTS = 300,
    BURSTS_VALGRIND = 30
};

typedef struct fixture {
    event_side_t side;
    void *subscriber;
} fixture_t;

static void set_text(void *socket, int option, const char *text)
{
    assert_int_equal(zmq_setsockopt(socket, option, text, strlen(text)), 0);
}

static void subscriber_connect(fixture_t *fixture)
{
    int patience_ms = TIMEOUT_MS;
    int zero = 0;
    fixture->subscriber = zmq_socket(fixture->side.context, ZMQ_SUB);
    assert_non_null(fixture->subscriber);
    set_text(fixture->subscriber, ZMQ_PLAIN_USERNAME, fixture->side.ticket->username);
    set_text(fixture->subscriber, ZMQ_PLAIN_PASSWORD, fixture->side.ticket->password);
    set_text(fixture->subscriber, ZMQ_SUBSCRIBE, "");
    zmq_setsockopt(fixture->subscriber, ZMQ_RCVHWM, &zero, sizeof zero);
    zmq_setsockopt(fixture->subscriber, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(fixture->subscriber, ZMQ_RCVTIMEO, &patience_ms, sizeof patience_ms);
    assert_int_equal(zmq_connect(fixture->subscriber, fixture->side.endpoint), 0);
}

static int setup(void **state)
{
    static fixture_t fixture;
    event_side_open(&fixture.side);
    subscriber_connect(&fixture);
    event_side_subscription_wait(&fixture.side);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;
    zmq_close(fixture->subscriber);
    event_side_close(&fixture->side);
    return 0;
}

static void publish(fixture_t *fixture, uint32_t number)
{
    event_side_publish(&fixture->side, "lamp/", bytes_of(&number, sizeof number));
}

static uint32_t receive(fixture_t *fixture)
{
    char topic[16];
    uint32_t number = 0;
    if (zmq_recv(fixture->subscriber, topic, sizeof topic, 0) < 0)
        fail_msg("nothing more came");
    assert_int_equal(zmq_recv(fixture->subscriber, &number, sizeof number, 0), sizeof number);
    return number;
}

/* All within one turn of the loop, so only publishing itself can notice that the queue has room again. */
static void publish__subscriber_a_few_hundred_events_behind__misses_nothing(void **state)
{
    fixture_t *fixture = *state;
    uint32_t published = 0;
    uint32_t received = 0;
    for (size_t burst = volume(BURSTS, BURSTS_VALGRIND); burst > 0; burst--) {
        for (unsigned i = 0; i < BURST; i++)
            publish(fixture, published++);
        while (received < published)
            assert_int_equal(receive(fixture), received++);
    }
}

/* ---- Which connections are cut ---------------------------------------------------------------- */

/* Makes a TCP connection that has not sent anything, so its ZMTP handshake is not finished. */
static int raw_connect(fixture_t *fixture)
{
    const struct timeval patience = {.tv_sec = TIMEOUT_MS / 1000};
    int fd = tcp_connect(fixture->side.endpoint);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    return fd;
}

/* Returns whether the broker's side still continues with the handshake. Closes FD. */
static bool raw_goes_on(int fd)
{
    static const uint8_t greeting[64] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1, 'P', 'L', 'A', 'I', 'N'};
    uint8_t answer[sizeof greeting];
    (void)send(fd, greeting, sizeof greeting, MSG_NOSIGNAL);
    ssize_t got = recv(fd, answer, sizeof answer, MSG_WAITALL);
    close(fd);
    return got == (ssize_t)sizeof answer;
}

static int raw_connect_accepted(fixture_t *fixture)
{
    int fd = raw_connect(fixture);
    while (event_socket_peers(fixture->side.events) < 2)
        (void)event_side_turn(&fixture->side);
    return fd;
}

static void cut__connection_that_may_have_been_let_in__ends_if_it_is_strict(void **state)
{
    fixture_t *fixture = *state;
    int fd = raw_connect_accepted(fixture);
    event_socket_cut(fixture->side.events, fixture->side.tickets, true);
    assert_false(raw_goes_on(fd));
}

static void cut__connection_accepted_after_the_last_drain__goes_on(void **state)
{
    fixture_t *fixture = *state;
    int fd = raw_connect(fixture);
    zmq_pollitem_t accepted = {.socket = event_socket_monitor(fixture->side.events), .events = ZMQ_POLLIN};
    assert_int_equal(zmq_poll(&accepted, 1, TIMEOUT_MS), 1);
    event_socket_cut(fixture->side.events, fixture->side.tickets, true);
    assert_int_equal(event_socket_peers(fixture->side.events), 2); /* the cut drained its ACCEPTED event */
    assert_true(raw_goes_on(fd));
}

static void sweep__connection_of_before_the_cut_without_a_subscription__ends(void **state)
{
    fixture_t *fixture = *state;
    int fd = raw_connect_accepted(fixture);
    event_socket_cut(fixture->side.events, fixture->side.tickets, false);
    event_socket_sweep(fixture->side.events, fixture->side.tickets);
    assert_false(raw_goes_on(fd));
}

static void sweep__connection_of_after_the_cut__goes_on(void **state)
{
    fixture_t *fixture = *state;
    event_socket_cut(fixture->side.events, fixture->side.tickets, false);
    int fd = raw_connect_accepted(fixture);
    event_socket_sweep(fixture->side.events, fixture->side.tickets);
    assert_true(raw_goes_on(fd));
}

#define CUT_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CUT_TEST(cut__connection_that_may_have_been_let_in__ends_if_it_is_strict),
        CUT_TEST(cut__connection_accepted_after_the_last_drain__goes_on),
        CUT_TEST(sweep__connection_of_before_the_cut_without_a_subscription__ends),
        CUT_TEST(sweep__connection_of_after_the_cut__goes_on),
        cmocka_unit_test_setup_teardown(publish__subscriber_a_few_hundred_events_behind__misses_nothing,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
