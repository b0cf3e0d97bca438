/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about zap.h, with real connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <zmq.h>

#include <cmocka.h>

#include "broker/net/serial.h"
#include "broker/net/zap.h"
#include "tests/support/waiting.h"

typedef struct fixture {
    void *context;
    zap_t *zap;
    tickets_t *tickets;
    void *server;
    char endpoint[64];
    void *peers[3];
    unsigned count; /* number of peers */
} fixture_t;

static int setup(void **state)
{
    static fixture_t fixture;
    fixture = (fixture_t){.context = zmq_ctx_new()};
    fixture.zap = zap_new(fixture.context);
    assert_non_null(fixture.zap);
    fixture.tickets = tickets_new();
    assert_non_null(fixture.tickets);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;
    for (unsigned i = 0; i < fixture->count; i++)
        zmq_close(fixture->peers[i]);
    zmq_close(fixture->server);
    zap_destroy(&fixture->zap);
    tickets_destroy(&fixture->tickets);
    return zmq_ctx_term(fixture->context);
}

static void serve(fixture_t *fixture, int type, const char *domain, int plain)
{
    size_t size = sizeof fixture->endpoint;
    fixture->server = zmq_socket(fixture->context, type);
    assert_non_null(fixture->server);
    assert_int_equal(zmq_setsockopt(fixture->server, ZMQ_PLAIN_SERVER, &plain, sizeof plain), 0);
    assert_int_equal(zmq_setsockopt(fixture->server, ZMQ_ZAP_DOMAIN, domain, strlen(domain)), 0);
    assert_int_equal(zmq_bind(fixture->server, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(fixture->server, ZMQ_LAST_ENDPOINT, fixture->endpoint, &size), 0);
}

/* Makes a peer that connects, with PLAIN credentials unless USER is NULL. */
static void *peer_new(fixture_t *fixture, int type, const char *user, const char *password)
{
    int zero = 0;
    int never = -1;
    void *peer = zmq_socket(fixture->context, type);
    assert_non_null(peer);
    fixture->peers[fixture->count++] = peer;
    assert_int_equal(zmq_setsockopt(peer, ZMQ_LINGER, &zero, sizeof zero), 0);
    assert_int_equal(zmq_setsockopt(peer, ZMQ_RECONNECT_IVL, &never, sizeof never), 0);
    if (user != NULL) {
        assert_int_equal(zmq_setsockopt(peer, ZMQ_PLAIN_USERNAME, user, strlen(user)), 0);
        assert_int_equal(zmq_setsockopt(peer, ZMQ_PLAIN_PASSWORD, password, strlen(password)), 0);
    }
    assert_int_equal(zmq_connect(peer, fixture->endpoint), 0);
    return peer;
}

/* Waits for a request and answers it. Returns how many were refused. */
static unsigned answer(fixture_t *fixture)
{
    zmq_pollitem_t item = {.socket = zap_socket(fixture->zap), .events = ZMQ_POLLIN};
    assert_int_equal(zmq_poll(&item, 1, TIMEOUT_MS), 1);
    assert_false(zap_take(fixture->zap));
    return zap_answer(fixture->zap);
}

/* PEER sends a message. Asserts that its User-Id is ID. */
static void assert_user_id(fixture_t *fixture, void *peer, const char *id)
{
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    assert_int_equal(zmq_send(peer, "x", 1, 0), 1);
    do
        assert_true(zmq_msg_recv(&frame, fixture->server, 0) >= 0);
    while (zmq_msg_more(&frame));
    assert_string_equal(zmq_msg_gets(&frame, "User-Id"), id);
    zmq_msg_close(&frame);
}

/* The same if the User-Id is the text of SERIAL. */
static void assert_serial(fixture_t *fixture, void *peer, uint64_t serial)
{
    char text[SERIAL_SIZE];
    serial_write(serial, text);
    assert_user_id(fixture, peer, text);
}

static void answer__connections_for_requests__are_let_in_and_numbered(void **state)
{
    fixture_t *fixture = *state;
    serve(fixture, ZMQ_ROUTER, ZAP_DOMAIN_REQUESTS, 0);
    assert_int_equal(zap_last_serial(fixture->zap), 0);
    void *one = peer_new(fixture, ZMQ_DEALER, NULL, NULL);
    assert_int_equal(answer(fixture), 0);
    assert_int_equal(zap_last_serial(fixture->zap), 1);
    void *other = peer_new(fixture, ZMQ_DEALER, NULL, NULL);
    assert_int_equal(answer(fixture), 0);
    assert_int_equal(zap_last_serial(fixture->zap), 2);
    assert_serial(fixture, other, 2);
    assert_serial(fixture, one, 1);
}

static void answer__connections_for_events__need_a_ticket_that_is_valid(void **state)
{
    fixture_t *fixture = *state;
    serve(fixture, ZMQ_XPUB, ZAP_DOMAIN_EVENTS, 1);
    const ticket_t *ticket = tickets_issue(fixture->tickets);
    assert_non_null(ticket);
    const ticket_t given = *ticket;
    (void)peer_new(fixture, ZMQ_SUB, given.username, given.password);
    assert_int_equal(answer(fixture), 1); /* zap_use was not called yet */
    zmq_close(fixture->peers[--fixture->count]);
    zap_use(fixture->zap, fixture->tickets);
    (void)peer_new(fixture, ZMQ_SUB, given.username, given.password);
    assert_int_equal(answer(fixture), 0);
    (void)peer_new(fixture, ZMQ_SUB, given.username, "another");
    assert_int_equal(answer(fixture), 1);
    zmq_close(fixture->peers[--fixture->count]);
    tickets_void(fixture->tickets, &ticket);
    (void)peer_new(fixture, ZMQ_SUB, given.username, given.password);
    assert_int_equal(answer(fixture), 1);
    assert_int_equal(zap_last_serial(fixture->zap), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answer__connections_for_requests__are_let_in_and_numbered, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(answer__connections_for_events__need_a_ticket_that_is_valid, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("zap", tests, NULL, NULL);
}
