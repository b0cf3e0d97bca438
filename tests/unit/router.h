/* SPDX-License-Identifier: MPL-2.0 */
/* A ROUTER in the test's own thread: the other end of a client's socket. */
#ifndef KV_TESTS_UNIT_ROUTER_H
#define KV_TESTS_UNIT_ROUTER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

#include <cmocka.h>

#include "client/lib/link.h"
#include "common/clock.h"
#include "tests/support/waiting.h"

typedef struct router {
    void *context;
    void *socket;
    char endpoint[64];
    uint8_t peer[256]; /* routing id of the peer that sent the last message */
    size_t peer_size;
} router_t;

static inline void router_open(router_t *router)
{
    int zero = 0;
    int wait_ms = TIMEOUT_MS;
    size_t size = sizeof router->endpoint;
    *router = (router_t){.context = zmq_ctx_new()};
    router->socket = zmq_socket(router->context, ZMQ_ROUTER);
    assert_non_null(router->socket);
    assert_int_equal(zmq_setsockopt(router->socket, ZMQ_LINGER, &zero, sizeof zero), 0);
    assert_int_equal(zmq_setsockopt(router->socket, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms), 0);
    assert_int_equal(zmq_bind(router->socket, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(router->socket, ZMQ_LAST_ENDPOINT, router->endpoint, &size), 0);
}

/* Closes it after the messages that were sent have left. */
static inline void router_close(router_t *router)
{
    int wait_ms = TIMEOUT_MS;
    if (router->context == NULL)
        return;
    zmq_setsockopt(router->socket, ZMQ_LINGER, &wait_ms, sizeof wait_ms);
    zmq_close(router->socket);
    zmq_ctx_term(router->context);
    *router = (router_t){0};
}

/* Receives a message of one frame, which must be PAYLOAD. */
static inline void router_take(router_t *router, bytes_t payload)
{
    uint8_t got[256];
    int peer_size = zmq_recv(router->socket, router->peer, sizeof router->peer, 0);
    assert_true(peer_size > 0 && (size_t)peer_size <= sizeof router->peer);
    router->peer_size = (size_t)peer_size;
    int size = zmq_recv(router->socket, got, sizeof got, 0);
    assert_true(size >= 0 && bytes_equal(bytes_of(got, (size_t)size), payload));
}

/* Sends one frame of a message to the peer that sent the last message. */
static inline void router_give_frame(router_t *router, bytes_t frame, bool begins, bool more)
{
    if (begins)
        assert_int_equal(zmq_send(router->socket, router->peer, router->peer_size, ZMQ_SNDMORE),
                         router->peer_size);
    assert_int_equal(zmq_send(router->socket, frame.data, frame.size, more ? ZMQ_SNDMORE : 0), frame.size);
}

/* Sends PAYLOAD to the peer that sent the last message. */
static inline void router_give(router_t *router, bytes_t payload)
{
    router_give_frame(router, payload, true, false);
}

/* Waits until LINK is in STATE. Fails if it reaches another final state before. */
static inline void link_wait_state(link_t *link, link_state_t state)
{
    int64_t deadline = clock_monotonic_ms() + TIMEOUT_MS;
    for (link_state_t now = link_state(link); now != state; now = link_state(link)) {
        assert_true(now < LINK_REFUSED && clock_monotonic_ms() < deadline);
        (void)!link_wait(link, deadline - clock_monotonic_ms());
    }
}

#endif
