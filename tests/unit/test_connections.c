/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about the table of connections where memory is refused. What it tells of connections that come and
 * go is in tests/interop/test_dead_peers.py. */
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

enum { WAIT_MS = 60000 }; /* only a hang lasts so long */

typedef struct fixture {
    void *context;
    void *socket;
    char endpoints[1][ENDPOINT_SIZE];
    connections_t *connections;
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

/* Drains the monitor, where GRANTED allocations are granted, until FD has something to read. Returns how many
 * bytes that is; 0 = the other end has closed it. */
static ssize_t drain_until_read(fixture_t *fixture, int fd, int granted)
{
    zmq_pollitem_t items[] = {
        {.socket = connections_socket(fixture->connections), .events = ZMQ_POLLIN},
        {.fd = fd, .events = ZMQ_POLLIN},
    };
    do {
        assert_true(zmq_poll(items, 2, WAIT_MS) > 0);
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
    /* At first the row of the table is refused, then the record. */
    for (int i = 0; i < 4; i++) {
        int fd = tcp_connect(fixture->endpoints[0]);
        refused = 0;
        while (drain_until_read(fixture, fd, 0) > 0)
            continue;
        assert_true(refused > 0);
        close(fd);
        fd = tcp_connect(fixture->endpoints[0]);
        assert_true(drain_until_read(fixture, fd, REFUSE_NEVER) > 0); /* the greeting: this one is served */
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(connection__without_memory_for_its_record__is_closed, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("connections", tests, NULL, NULL);
}
