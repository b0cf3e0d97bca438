/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about link.h, with real sockets at the other end. */
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/exact.h"
#include "tests/unit/router.h"

#include "client/lib/link.h"
#include "tests/support/tcp.h"

enum { ANSWERS = 4 };

typedef struct fixture {
    void *context; /* the link's */
    router_t router;
    link_t *link;
} fixture_t;

static int setup(void **state)
{
    static fixture_t fixture;
    fixture = (fixture_t){.context = zmq_ctx_new()};
    router_open(&fixture.router);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;
    link_destroy(&fixture->link);
    router_close(&fixture->router);
    return zmq_ctx_term(fixture->context);
}

static void link_make(fixture_t *fixture, const char *endpoint)
{
    assert_int_equal(link_new(fixture->context, endpoint, BYTES("lamp/1"), ANSWERS, &fixture->link),
                     STATUS_OK);
}

/* Makes a link that is up and whose peer has received a message. */
static void link_make_up(fixture_t *fixture)
{
    link_make(fixture, fixture->router.endpoint);
    link_wait_state(fixture->link, LINK_UP);
    assert_int_equal(link_send(fixture->link, BYTES("hello")), STATUS_OK);
    router_take(&fixture->router, BYTES("hello"));
}

static void assert_receives(link_t *link, bytes_t wanted)
{
    payload_t payload;
    int64_t deadline = clock_monotonic_ms() + TIMEOUT_MS;
    while (!link_receive(link, &payload)) {
        assert_true(clock_monotonic_ms() < deadline);
        (void)!link_wait(link, deadline - clock_monotonic_ms());
    }
    assert_true(bytes_equal(payload_bytes(&payload), wanted));
    payload_release(&payload);
}

static void link__router_listens__has_its_routing_id_and_carries_payloads(void **state)
{
    fixture_t *fixture = *state;
    payload_t none;
    link_make_up(fixture);
    assert_true(bytes_equal(bytes_of(fixture->router.peer, fixture->router.peer_size), BYTES("lamp/1")));
    assert_false(link_receive(fixture->link, &none));
    router_give(&fixture->router, BYTES("one"));
    router_give(&fixture->router, BYTES(""));
    assert_receives(fixture->link, BYTES("one"));
    assert_receives(fixture->link, BYTES(""));
    assert_int_equal(link_state(fixture->link), LINK_UP);
}

static void receive__message_of_several_frames__is_dropped_whole(void **state)
{
    fixture_t *fixture = *state;
    link_make_up(fixture);
    router_give_frame(&fixture->router, BYTES("a"), true, true);
    router_give_frame(&fixture->router, BYTES("b"), false, true);
    router_give_frame(&fixture->router, BYTES("c"), false, false);
    router_give(&fixture->router, BYTES("whole"));
    assert_receives(fixture->link, BYTES("whole"));
}

static void state__nobody_listens__is_refused(void **state)
{
    fixture_t *fixture = *state;
    char endpoint[64];
    int fd = tcp_bind(false, endpoint); /* keeps others from listening there */
    link_make(fixture, endpoint);
    link_wait_state(fixture->link, LINK_REFUSED);
    assert_false(link_stillborn(fixture->link));
    close(fd);
}

static void state__peer_that_speaks_no_zeromq__is_accepted_then_foreign(void **state)
{
    fixture_t *fixture = *state;
    char endpoint[64];
    int listener = tcp_bind(true, endpoint);
    link_make(fixture, endpoint);
    int peer = accept(listener, NULL, NULL);
    assert_true(peer >= 0);
    link_wait_state(fixture->link, LINK_ACCEPTED);
    assert_true(send(peer, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, MSG_NOSIGNAL) > 0);
    close(peer);
    link_wait_state(fixture->link, LINK_FOREIGN);
    close(listener);
}

static void state__router_goes__is_broken_and_its_last_words_are_received(void **state)
{
    fixture_t *fixture = *state;
    link_make_up(fixture);
    router_give(&fixture->router, BYTES("last"));
    router_close(&fixture->router);
    link_wait_state(fixture->link, LINK_BROKEN);
    assert_receives(fixture->link, BYTES("last"));
    assert_int_equal(link_state(fixture->link), LINK_BROKEN);
}

static void fd__after_all_was_taken__is_readable_with_the_next_message_or_end(void **state)
{
    fixture_t *fixture = *state;
    payload_t none;
    link_make_up(fixture);
    struct pollfd item = {.fd = link_fd(fixture->link), .events = POLLIN};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(link_state(fixture->link), LINK_UP);
        assert_false(link_receive(fixture->link, &none));
        router_give(&fixture->router, BYTES("news"));
        assert_int_equal(poll(&item, 1, TIMEOUT_MS), 1);
        assert_receives(fixture->link, BYTES("news"));
    }
    router_close(&fixture->router);
    while (link_state(fixture->link) == LINK_UP)
        assert_int_equal(poll(&item, 1, TIMEOUT_MS), 1);
    assert_int_equal(link_state(fixture->link), LINK_BROKEN);
}

static void new__text_that_is_no_endpoint__is_invalid(void **state)
{
    fixture_t *fixture = *state;
    static const char *const texts[] = {"", "127.0.0.1:5000", "tcp://", "tcp://127.0.0.1",
                                        "udp://127.0.0.1:5"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        link_t *link = NULL;
        assert_int_equal(link_new(fixture->context, texts[i], (bytes_t){0}, ANSWERS, &link),
                         STATUS_INVALID_ARGUMENT);
        assert_null(link);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(link__router_listens__has_its_routing_id_and_carries_payloads),
        TEST(receive__message_of_several_frames__is_dropped_whole),
        TEST(state__nobody_listens__is_refused),
        TEST(state__peer_that_speaks_no_zeromq__is_accepted_then_foreign),
        TEST(state__router_goes__is_broken_and_its_last_words_are_received),
        TEST(fd__after_all_was_taken__is_readable_with_the_next_message_or_end),
        TEST(new__text_that_is_no_endpoint__is_invalid),
    };
    return cmocka_run_group_tests_name("client_link", tests, NULL, NULL);
}
