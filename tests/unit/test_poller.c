/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about poller.h, with real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>

#include "broker/net/poller.h"
#include "common/clock.h"
#include "tests/support/waiting.h"

enum {
    PAIRS = 2,
    DESCRIPTOR = 1 << PAIRS /* its bit */
};

typedef struct fixture {
    void *context;
    void *readers[PAIRS]; /* sockets 0 and 1 of the poller */
    void *writers[PAIRS];
    int fd;
    poller_t poller;
} fixture_t;

static void *socket_new(const fixture_t *fixture)
{
    void *socket = zmq_socket(fixture->context, ZMQ_PAIR);
    assert_non_null(socket);
    return socket;
}

static int setup(void **state)
{
    static const char *const endpoints[PAIRS] = {"inproc://first", "inproc://second"};
    static fixture_t fixture;
    fixture = (fixture_t){.context = zmq_ctx_new(), .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    for (unsigned i = 0; i < PAIRS; i++) {
        fixture.readers[i] = socket_new(&fixture);
        fixture.writers[i] = socket_new(&fixture);
        assert_int_equal(zmq_bind(fixture.readers[i], endpoints[i]), 0);
        assert_int_equal(zmq_connect(fixture.writers[i], endpoints[i]), 0);
        assert_true(poller_add(&fixture.poller, fixture.readers[i]));
    }
    poller_add_fd(&fixture.poller, fixture.fd);
    (void)!poller_wait(&fixture.poller, 3, 0); /* takes what binding has signalled */
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;
    for (unsigned i = 0; i < PAIRS; i++) {
        zmq_close(fixture->readers[i]);
        zmq_close(fixture->writers[i]);
    }
    close(fixture->fd);
    return zmq_ctx_term(fixture->context);
}

/* Reads a socket until it is empty. Returns how many messages there were. */
static unsigned drain(void *socket)
{
    unsigned count = 0;
    while (zmq_recv(socket, NULL, 0, ZMQ_DONTWAIT) >= 0)
        count++;
    return count;
}

static void send_one(void *socket)
{
    assert_int_equal(zmq_send(socket, "", 0, 0), 0);
}

static void wait__no_news__lasts_as_long_as_it_may(void **state)
{
    fixture_t *fixture = *state;
    assert_int_equal(poller_wait(&fixture->poller, 3, 0), 0);
    int64_t begin_ms = clock_monotonic_ms();
    assert_int_equal(poller_wait(&fixture->poller, 3, 20), 0);
    assert_true(clock_monotonic_ms() - begin_ms >= 19);
}

static void wait__message__is_news_of_its_socket(void **state)
{
    fixture_t *fixture = *state;
    for (unsigned i = 0; i < PAIRS; i++) {
        send_one(fixture->writers[i]);
        assert_int_equal(poller_wait(&fixture->poller, 0, TIMEOUT_MS), 1U << i);
        assert_int_equal(drain(fixture->readers[i]), 1);
        assert_int_equal(poller_wait(&fixture->poller, 0, 0), 0);
    }
}

static void wait__message_whose_signal_another_call_took__is_news_if_asked(void **state)
{
    fixture_t *fixture = *state;
    int events = 0;
    size_t size = sizeof events;
    send_one(fixture->writers[1]);
    assert_int_equal(zmq_getsockopt(fixture->readers[1], ZMQ_EVENTS, &events, &size), 0);
    assert_int_equal(poller_wait(&fixture->poller, 0, 0), 0); /* the trap */
    assert_int_equal(poller_wait(&fixture->poller, 3, TIMEOUT_MS), 2);
    assert_int_equal(poller_wait(&fixture->poller, 3, TIMEOUT_MS), 2);
    assert_int_equal(drain(fixture->readers[1]), 1);
    assert_int_equal(poller_wait(&fixture->poller, 3, 0), 0);
}

static void wait__descriptor__is_news_until_it_is_read(void **state)
{
    fixture_t *fixture = *state;
    uint64_t one = 1;
    assert_int_equal(write(fixture->fd, &one, sizeof one), sizeof one);
    send_one(fixture->writers[0]);
    assert_int_equal(poller_wait(&fixture->poller, 1, TIMEOUT_MS), DESCRIPTOR | 1);
    assert_int_equal(drain(fixture->readers[0]), 1);
    assert_int_equal(poller_wait(&fixture->poller, 3, TIMEOUT_MS), DESCRIPTOR);
    assert_int_equal(read(fixture->fd, &one, sizeof one), sizeof one);
    assert_int_equal(poller_wait(&fixture->poller, 3, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(wait__no_news__lasts_as_long_as_it_may, setup, teardown),
        cmocka_unit_test_setup_teardown(wait__message__is_news_of_its_socket, setup, teardown),
        cmocka_unit_test_setup_teardown(wait__message_whose_signal_another_call_took__is_news_if_asked, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(wait__descriptor__is_news_until_it_is_read, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
