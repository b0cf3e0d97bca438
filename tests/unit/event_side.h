/* SPDX-License-Identifier: MPL-2.0 */
/* The broker's side of the events, in the test's own thread: the event socket, one ticket, and the ZAP
 * handler. */
#ifndef KV_TESTS_UNIT_EVENT_SIDE_H
#define KV_TESTS_UNIT_EVENT_SIDE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

#include <cmocka.h>

#include "broker/net/event_socket.h"
#include "broker/net/zap.h"
#include "tests/support/waiting.h"

typedef struct event_side {
    void *context;
    zap_t *zap;
    tickets_t *tickets;
    event_socket_t *events;
    const ticket_t *ticket;
    char endpoint[ENDPOINT_SIZE];
} event_side_t;

static inline void event_side_open(event_side_t *side)
{
    static char endpoint[] = "tcp://127.0.0.1:*";
    static char *endpoints[] = {endpoint};
    const settings_t settings = {.events = endpoints, .event_count = 1};
    const endpoint_list_t listen = {settings.events, settings.event_count};
    char problem[256];
    *side = (event_side_t){.context = zmq_ctx_new()};
    side->zap = zap_new(side->context);
    side->tickets = tickets_new();
    assert_non_null(side->tickets);
    side->ticket = tickets_issue(side->tickets);
    side->events = event_socket_new(side->context, &settings, &listen, problem, sizeof problem);
    assert_non_null(side->events);
    zap_use(side->zap, side->tickets);
    event_socket_endpoint(side->events, (bytes_t){0}, side->endpoint, sizeof side->endpoint);
}

static inline void event_side_close(event_side_t *side)
{
    event_socket_destroy(&side->events, 0);
    tickets_void(side->tickets, &side->ticket);
    tickets_destroy(&side->tickets);
    zap_destroy(&side->zap);
    zmq_ctx_term(side->context);
}

enum { EVENT_SIDE_ITEMS = 3 };

/* What to poll for. */
static inline void event_side_items(event_side_t *side, zmq_pollitem_t items[EVENT_SIDE_ITEMS])
{
    void *const sockets[EVENT_SIDE_ITEMS] = {zap_socket(side->zap), event_socket_socket(side->events),
                                             event_socket_monitor(side->events)};
    for (int i = 0; i < EVENT_SIDE_ITEMS; i++)
        items[i] = (zmq_pollitem_t){.socket = sockets[i], .events = ZMQ_POLLIN};
}

/* Handles what has come, like a turn of the broker's loop. Returns whether there was a new subscription. */
static inline bool event_side_take(event_side_t *side)
{
    (void)zap_take(side->zap);
    bool subscribed = event_socket_drain(side->events, side->tickets);
    assert_int_equal(zap_answer(side->zap), 0);
    return subscribed;
}

/* The same, after waiting for something to come. */
static inline bool event_side_turn(event_side_t *side)
{
    zmq_pollitem_t items[EVENT_SIDE_ITEMS];
    event_side_items(side, items);
    if (zmq_poll(items, EVENT_SIDE_ITEMS, TIMEOUT_MS) <= 0)
        fail_msg("nothing happens");
    return event_side_take(side);
}

static inline void event_side_subscription_wait(event_side_t *side)
{
    while (!event_side_turn(side))
        ;
}

static inline void event_side_publish(event_side_t *side, const char *topic, bytes_t content)
{
    buffer_t payload;
    buffer_init(&payload, content.size);
    buffer_append(&payload, content.data, content.size);
    event_socket_publish(side->events, bytes_from_text(topic), &payload);
    buffer_release(&payload);
}

#endif
