/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about the table of connections: which message belongs to which connection, when a connection is
 * gone, and what happens if memory is refused. tests/interop/test_dead_peers.py tests many ways in which
 * peers go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <unistd.h>
#include <zmq.h>

#include "broker/net/connections.h"
#include "tests/support/refuse_memory.h"
#include "tests/support/tcp.h"
#include "tests/support/waiting.h"

enum { ROUNDS = 2 }; /* as in connections.c */

typedef struct fixture {
    void *context;
    void *socket;
    char endpoints[1][ENDPOINT_SIZE];
    connections_t *connections;
    uint64_t last_serial;
    unsigned lost;          /* number of lost connections */
    connection_t last_lost; /* a copy of the last one */
} fixture_t;

static int setup(void **state)
{
    fixture_t *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->context = zmq_ctx_new();
    fixture->socket = zmq_socket(fixture->context, ZMQ_ROUTER);
    fixture->connections = connections_new(fixture->context, fixture->socket, fixture->endpoints, 1);
    assert_non_null(fixture->connections);
    assert_int_equal(zmq_bind(fixture->socket, "tcp://127.0.0.1:*"), 0);
    size_t size = sizeof fixture->endpoints[0];
    assert_int_equal(zmq_getsockopt(fixture->socket, ZMQ_LAST_ENDPOINT, fixture->endpoints[0], &size), 0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;
    connections_destroy(&fixture->connections);
    zmq_close(fixture->socket);
    zmq_ctx_term(fixture->context);
    free(fixture);
    return 0;
}

/* Drains the monitor until FD has something to read. Each drain is granted GRANTED allocations. Returns the
 * number of bytes read; 0 = the other end has closed the connection. */
static ssize_t drain_until_read(fixture_t *fixture, int fd, int granted)
{
    zmq_pollitem_t items[] = {
        {.socket = connections_socket(fixture->connections), .events = ZMQ_POLLIN},
        {.fd = fd, .events = ZMQ_POLLIN},
    };
    do {
        assert_true(zmq_poll(items, 2, TIMEOUT_MS) > 0);
        refuse_after = granted;
        connections_drain(fixture->connections, 0);
        refuse_after = REFUSE_NEVER;
    } while (items[1].revents == 0);
    char bytes[256];
    return recv(fd, bytes, sizeof bytes, 0);
}

static void connection__without_memory_for_its_record__is_closed(void **state)
{
    fixture_t *fixture = *state;
    /* In the first round the row of the table is refused, later the record. */
    for (int i = 0; i < 4; i++) {
        int fd = tcp_connect(fixture->endpoints[0]);
        refused = 0;
        while (drain_until_read(fixture, fd, 0) > 0)
            continue;
        assert_true(refused > 0);
        close(fd);
        fd = tcp_connect(fixture->endpoints[0]);
        assert_true(drain_until_read(fixture, fd, REFUSE_NEVER) > 0); /* the greeting: it is served */
        close(fd);
    }
}

/* ---- Which connection is gone ----------------------------------------------------------------- */

/* Makes a peer that does not reconnect when its connection ends. */
static void *peer_new(fixture_t *fixture)
{
    int zero = 0;
    int never = -1;
    void *peer = zmq_socket(fixture->context, ZMQ_DEALER);
    assert_non_null(peer);
    assert_int_equal(zmq_setsockopt(peer, ZMQ_LINGER, &zero, sizeof zero), 0);
    assert_int_equal(zmq_setsockopt(peer, ZMQ_RECONNECT_IVL, &never, sizeof never), 0);
    assert_int_equal(zmq_connect(peer, fixture->endpoints[0]), 0);
    return peer;
}

/* Waits for an event of the monitor, then drains it. */
static void drain(fixture_t *fixture)
{
    zmq_pollitem_t item = {.socket = connections_socket(fixture->connections), .events = ZMQ_POLLIN};
    assert_int_equal(zmq_poll(&item, 1, TIMEOUT_MS), 1);
    connections_drain(fixture->connections, fixture->last_serial);
}

/* PEER sends a message. Returns its connection. SERIAL is the one it was given, or 0 to give it a new one. */
static connection_t *hear(fixture_t *fixture, void *peer, uint64_t serial)
{
    zmq_pollitem_t item = {.socket = fixture->socket, .events = ZMQ_POLLIN};
    zmq_msg_t frame;
    int fd;
    assert_int_equal(zmq_send(peer, "x", 1, 0), 1);
    assert_int_equal(zmq_poll(&item, 1, TIMEOUT_MS), 1);
    connections_drain(fixture->connections, fixture->last_serial);
    zmq_msg_init(&frame);
    do {
        assert_true(zmq_msg_recv(&frame, fixture->socket, 0) >= 0);
        fd = zmq_msg_get(&frame, ZMQ_SRCFD);
    } while (zmq_msg_more(&frame));
    zmq_msg_close(&frame);
    if (serial == 0)
        serial = ++fixture->last_serial;
    connection_t *connection = connections_of_message(fixture->connections, fd, serial);
    assert_non_null(connection);
    assert_int_equal(connection->serial, serial);
    return connection;
}

static void lose(void *context, connection_t *connection)
{
    fixture_t *fixture = context;
    fixture->lost++;
    fixture->last_lost = *connection;
}

/* Returns whether connections are still leaving or gone. */
static bool settle(fixture_t *fixture, bool empty)
{
    connections_settle(fixture->connections, empty, lose, fixture);
    return connections_ending(fixture->connections);
}

static void of_message__each_peer__has_its_own_connection(void **state)
{
    fixture_t *fixture = *state;
    char local[64];
    void *one = peer_new(fixture);
    connection_t *first = hear(fixture, one, 0);
    void *other = peer_new(fixture);
    connection_t *second = hear(fixture, other, 0);
    assert_ptr_not_equal(first, second);
    assert_ptr_equal(hear(fixture, one, 1), first);
    assert_ptr_equal(hear(fixture, other, 2), second);
    assert_int_equal(first->state, CONNECTION_OPEN);
    connection_local(first, local, sizeof local);
    assert_string_equal(local, "127.0.0.1");
    assert_false(settle(fixture, true));
    assert_int_equal(fixture->lost, 0);
    zmq_close(one);
    zmq_close(other);
}

static void settle__socket_was_read_empty__loses_who_left_and_nobody_else(void **state)
{
    fixture_t *fixture = *state;
    void *one = peer_new(fixture);
    (void)hear(fixture, one, 0);
    void *other = peer_new(fixture);
    connection_t *second = hear(fixture, other, 0);
    zmq_close(one);
    while (fixture->lost == 0) {
        drain(fixture);
        while (settle(fixture, true)) /* it is leaving; its descriptor is about to be closed */
            connections_drain(fixture->connections, fixture->last_serial);
    }
    assert_int_equal(fixture->lost, 1);
    assert_int_equal(fixture->last_lost.serial, 1);
    assert_ptr_equal(hear(fixture, other, 2), second);
    zmq_close(other);
}

static void settle__messages_go_on__loses_who_left_after_two_rounds_of_all(void **state)
{
    fixture_t *fixture = *state;
    void *one = peer_new(fixture);
    connection_t *first = hear(fixture, one, 0);
    void *other = peer_new(fixture);
    (void)hear(fixture, other, 0);
    zmq_close(one);
    drain(fixture);
    while (first->state != CONNECTION_GONE)
        connections_drain(fixture->connections, fixture->last_serial);
    for (unsigned i = 0; i < ROUNDS * 2; i++) { /* there are two connections */
        assert_true(settle(fixture, false));
        assert_int_equal(fixture->lost, 0);
        (void)hear(fixture, other, 2);
    }
    assert_true(settle(fixture, false));
    assert_int_equal(fixture->lost, 0);
    (void)hear(fixture, other, 2);
    assert_false(settle(fixture, false));
    assert_int_equal(fixture->lost, 1);
    zmq_close(other);
}

/* As if the broker cut another connection after it had settled them. */
static void drain__after_settle_takes_the_event_of_who_left__they_are_ending(void **state)
{
    fixture_t *fixture = *state;
    void *peer = peer_new(fixture);
    (void)hear(fixture, peer, 0);
    assert_false(settle(fixture, true));
    zmq_close(peer);
    drain(fixture);
    assert_true(connections_ending(fixture->connections));
    while (settle(fixture, true)) /* no event follows */
        connections_drain(fixture->connections, fixture->last_serial);
    assert_int_equal(fixture->lost, 1);
    assert_false(connections_ending(fixture->connections));
}

static void cut__open_connection__is_lost(void **state)
{
    fixture_t *fixture = *state;
    void *peer = peer_new(fixture);
    connection_cut(hear(fixture, peer, 0));
    while (fixture->lost == 0) {
        drain(fixture);
        while (settle(fixture, true))
            connections_drain(fixture->connections, fixture->last_serial);
    }
    assert_true(fixture->last_lost.cut);
    zmq_close(peer);
}

static void unheard__from_its_event_to_its_first_message_or_its_end(void **state)
{
    fixture_t *fixture = *state;
    assert_false(connections_unheard(fixture->connections));
    void *one = peer_new(fixture);
    drain(fixture);
    assert_true(connections_unheard(fixture->connections));
    (void)hear(fixture, one, 0);
    assert_false(connections_unheard(fixture->connections));
    void *silent = peer_new(fixture);
    drain(fixture);
    assert_true(connections_unheard(fixture->connections));
    zmq_close(silent);
    while (fixture->lost == 0) {
        drain(fixture);
        while (settle(fixture, true))
            connections_drain(fixture->connections, fixture->last_serial);
    }
    assert_false(connections_unheard(fixture->connections));
    zmq_close(one);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(connection__without_memory_for_its_record__is_closed),
        TEST(of_message__each_peer__has_its_own_connection),
        TEST(settle__socket_was_read_empty__loses_who_left_and_nobody_else),
        TEST(settle__messages_go_on__loses_who_left_after_two_rounds_of_all),
        TEST(drain__after_settle_takes_the_event_of_who_left__they_are_ending),
        TEST(cut__open_connection__is_lost),
        TEST(unheard__from_its_event_to_its_first_message_or_its_end),
    };
    return cmocka_run_group_tests_name("connections", tests, NULL, NULL);
}
