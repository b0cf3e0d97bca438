/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the XPUB socket, and a table of its connections by descriptor. */
#include "broker/net/event_socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

#include "broker/net/event_guard.h"
#include "broker/net/fd_table.h"
#include "broker/net/listeners.h"
#include "broker/net/monitor.h"
#include "broker/net/zap.h"
#include "common/log.h"
#include "common/number.h"

enum {
    FRAME_BYTES = 512,        /* of a frame from a subscriber; if one is larger, libzmq ends the connection */
    SUBSCRIPTION_BYTES = 256, /* of a subscription, PROTOCOL.md 6.1 */
    SUBSCRIPTIONS_MAX = 1024, /* messages that a connection may send */
    ROOM_EVERY = 64,          /* messages published between two calls of room_look that act */
    UNREAD_BYTES = 16384      /* the system's receive buffer: about what is still read after a cut */
};

typedef struct subscriber {
    bool open;
    bool cut;        /* closed by the broker */
    uint64_t since;  /* number of the drain that saw it accepted; messages that the same drain reads may be
                        from the connection that had the descriptor before */
    uint64_t ticket; /* id of the ticket that it is tied to; 0 = none yet */
    unsigned subscriptions; /* messages that it sent */
} subscriber_t;

struct event_socket {
    void *socket;
    monitor_t monitor;
    event_guard_t *guard;
    fd_table_t subscribers; /* subscriber_t */
    size_t open;            /* connections */
    uint64_t drains;        /* how many there were */
    uint64_t suspects;  /* connections accepted before this drain may be under a ticket that is now void */
    unsigned published; /* messages since room_look last acted */
    listeners_t listeners;
    char *const *advertised; /* endpoints to advertise instead of the real ones; borrowed from the settings */
    unsigned advertised_count; /* 0 = advertise the real ones */
};

static bool options_set(void *socket)
{
    int64_t frame = FRAME_BYTES;
    const socket_option_t options[] = {
        {ZMQ_PLAIN_SERVER, 1},
        {ZMQ_RCVHWM, 0}, /* SUBSCRIPTIONS_MAX is the bound instead. At a high-water mark libzmq stops reading
                            a connection, and 4.3.4 aborts if that is then reset behind a PING */
        {ZMQ_RCVBUF, UNREAD_BYTES},
        {ZMQ_HANDSHAKE_IVL, SOCKET_HANDSHAKE_MS},
        {ZMQ_XPUB_VERBOSE, 1}, /* passes up every subscription, not only the first to a topic: each ties a
                                  connection to its ticket */
        {ZMQ_LINGER, 0},
    };
    return socket_options_set(socket, options, sizeof options / sizeof options[0]) &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame, sizeof frame) == 0 &&
           zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN_EVENTS, strlen(ZAP_DOMAIN_EVENTS)) == 0;
}

event_socket_t *event_socket_new(void *zmq_context, const settings_t *settings, const endpoint_list_t *listen,
                                 char *problem, size_t problem_size)
{
    event_socket_t *events = calloc(1, sizeof *events);
    if (events != NULL)
        fd_table_init(&events->subscribers, sizeof(subscriber_t));
    if (events == NULL || !listeners_init(&events->listeners, "events", listen->count, settings)) {
        snprintf(problem, problem_size, "out of memory");
        event_socket_destroy(&events, 0);
        return NULL;
    }
    events->advertised = settings->advertised;
    events->advertised_count = settings->advertised_count;
    events->socket = zmq_socket(zmq_context, ZMQ_XPUB);
    if (events->socket == NULL || !options_set(events->socket) ||
        !monitor_open(&events->monitor, zmq_context, events->socket, "inproc://events.monitor")) {
        snprintf(problem, problem_size, "the event socket cannot be made: %s", zmq_strerror(errno));
        event_socket_destroy(&events, 0);
        return NULL;
    }
    if (!listeners_bind(events->socket, &events->listeners, listen->endpoints, problem, problem_size)) {
        event_socket_destroy(&events, 0);
        return NULL;
    }
    events->guard = event_guard_new(events->listeners.real, events->listeners.count);
    if (events->guard == NULL) {
        snprintf(problem, problem_size, "the event socket cannot be guarded: out of memory or threads");
        event_socket_destroy(&events, 0);
    }
    return events;
}

void event_socket_destroy(event_socket_t **self, int linger_ms)
{
    event_socket_t *events = *self;
    if (events == NULL)
        return;
    event_guard_destroy(&events->guard);
    monitor_close(&events->monitor);
    if (events->socket != NULL) {
        zmq_setsockopt(events->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
        zmq_close(events->socket);
    }
    fd_table_release(&events->subscribers);
    listeners_release(&events->listeners);
    free(events);
    *self = NULL;
}

void *event_socket_socket(event_socket_t *events)
{
    return events->socket;
}

void *event_socket_monitor(event_socket_t *events)
{
    return events->monitor.socket;
}

void event_socket_enter(event_socket_t *events)
{
    event_guard_enter(events->guard);
}

void event_socket_leave(event_socket_t *events)
{
    event_guard_leave(events->guard);
}

bool event_socket_flooded(event_socket_t *events)
{
    return event_guard_fired(events->guard);
}

size_t event_socket_peers(void *context)
{
    const event_socket_t *events = context;
    return events->open;
}

/* ---- Connections ------------------------------------------------------------------------------ */

/* Drains the monitor. A descriptor that was accepted or closed is no longer tied to a ticket. */
static void monitor_drain(event_socket_t *events)
{
    bool accepted;
    int fd;
    while (monitor_next(&events->monitor, &accepted, &fd)) {
        subscriber_t *subscriber = fd_table_at(&events->subscribers, fd);
        if (subscriber == NULL)
            continue;
        events->open += accepted;
        events->open -= subscriber->open;
        *subscriber = (subscriber_t){.open = accepted, .since = events->drains};
    }
    event_guard_rest(events->guard, events->open == 0);
}

/* Closes a connection that was accepted in an earlier drain, from the broker's side, if that was not done
 * yet. What it sent before is still read. FD may belong to another connection by now. libzmq reports that the
 * old one is gone before it closes FD: so if the monitor shows no such report after dup(2), `held` is the
 * right connection. */
static void connection_shut(event_socket_t *events, int fd)
{
    const subscriber_t *subscriber = fd_table_at(&events->subscribers, fd);
    if (subscriber == NULL || subscriber->cut)
        return;
    uint64_t since = subscriber->since;
    int held = dup(fd);
    monitor_drain(events);
    subscriber_t *now = fd_table_at(&events->subscribers, fd);
    if (now != NULL && now->open && now->since == since) {
        listeners_shut(events->listeners.real, events->listeners.count, held < 0 ? fd : held);
        now->cut = true;
    }
    if (held >= 0)
        close(held);
}

/* Ties a connection to the ticket of the subscription in MESSAGE, or closes it if the ticket is void or a
 * bound is exceeded. Returns whether MESSAGE is a new subscription. */
static bool subscription_take(event_socket_t *events, const tickets_t *tickets, zmq_msg_t *message)
{
    int fd = zmq_msg_get(message, ZMQ_SRCFD);
    const char *user_id = zmq_msg_gets(message, "User-Id");
    const uint8_t *data = zmq_msg_data(message);
    size_t size = zmq_msg_size(message);
    subscriber_t *subscriber = user_id != NULL ? fd_table_at(&events->subscribers, fd) : NULL;
    if (subscriber == NULL || !subscriber->open || subscriber->cut || subscriber->since == events->drains)
        return false; /* made by libzmq for a peer that is gone, or of a cut or an earlier connection */
    uint64_t ticket = 0;
    bool allowed = number_parse(bytes_from_text(user_id), &ticket) && tickets_valid(tickets, ticket) &&
                   size <= SUBSCRIPTION_BYTES + 1 && ++subscriber->subscriptions <= SUBSCRIPTIONS_MAX;
    if (!allowed) {
        connection_shut(events, fd);
        return false;
    }
    subscriber->ticket = ticket;
    return size > 0 && data[0] == 1;
}

bool event_socket_drain(event_socket_t *events, const tickets_t *tickets)
{
    monitor_drain(events);
    bool subscribed = false;
    zmq_msg_t message;
    zmq_msg_init(&message);
    event_guard_enter(events->guard); /* around the whole loop: one flood can follow another */
    while (zmq_msg_recv(&message, events->socket, ZMQ_DONTWAIT) >= 0) {
        subscribed |= subscription_take(events, tickets, &message);
        zmq_msg_close(&message);
        zmq_msg_init(&message);
    }
    event_guard_leave(events->guard);
    zmq_msg_close(&message);
    events->drains++; /* a connection that event_socket_cut finds accepted counts to the next drain */
    return subscribed;
}

/* Closes the connections that are tied to a void ticket; if STRICT, also the suspects. */
static void connections_cut(event_socket_t *events, const tickets_t *tickets, bool strict)
{
    monitor_drain(events);
    for (size_t fd = 0; fd < events->subscribers.count; fd++) {
        const subscriber_t *subscriber = (subscriber_t *)events->subscribers.rows + fd;
        bool cut = subscriber->ticket == 0 ? strict && subscriber->since < events->suspects
                                           : !tickets_valid(tickets, subscriber->ticket);
        if (subscriber->open && cut)
            connection_shut(events, (int)fd);
    }
}

void event_socket_cut(void *context, const tickets_t *tickets, bool strict)
{
    event_socket_t *events = context;
    events->suspects = events->drains;
    connections_cut(events, tickets, strict);
}

void event_socket_sweep(void *context, const tickets_t *tickets)
{
    event_socket_t *events = context;
    connections_cut(events, tickets, true);
}

/* ---- Sending ---------------------------------------------------------------------------------- */

static void payload_free(void *data, void *hint)
{
    (void)hint;
    free(data);
}

/* libzmq checks what has left the subscribers' queues only about once a millisecond (by the processor's
 * counter). Within that time, a burst of events makes it believe that queues are full which are nearly empty.
 * zmq_getsockopt makes it check at once. */
static void room_look(event_socket_t *events)
{
    int state;
    size_t size = sizeof state;
    if (++events->published < ROOM_EVERY)
        return;
    events->published = 0;
    (void)zmq_getsockopt(events->socket, ZMQ_EVENTS, &state, &size);
}

void event_socket_publish(void *context, bytes_t topic, buffer_t *payload)
{
    event_socket_t *events = context;
    size_t size = 0;
    uint8_t *data = buffer_take(payload, &size);
    zmq_msg_t message;
    if (zmq_msg_init_data(&message, data, size, payload_free, NULL) != 0) {
        free(data);
        log_memory("an event is not published; subscribers find it by `replay`");
        return;
    }
    event_guard_enter(events->guard);
    room_look(events);
    if (zmq_send(events->socket, topic.data, topic.size, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0 ||
        zmq_msg_send(&message, events->socket, ZMQ_DONTWAIT) < 0)
        zmq_msg_close(&message);
    event_guard_leave(events->guard);
}

/* Returns the Ith endpoint to advertise; NULL after the last. */
static const char *endpoint_told(const event_socket_t *events, unsigned i)
{
    if (events->advertised_count > 0)
        return i < events->advertised_count ? events->advertised[i] : NULL;
    return i < events->listeners.count ? events->listeners.real[i] : NULL;
}

void event_socket_endpoint(const event_socket_t *events, bytes_t local, char *text, size_t text_size)
{
    const char *chosen = NULL;
    const char *transport = local.size > 0 ? "tcp:" : "ipc:";
    const char *told;
    for (unsigned i = 0; chosen == NULL && (told = endpoint_told(events, i)) != NULL; i++) {
        if (strncmp(told, transport, strlen(transport)) == 0)
            chosen = told;
    }
    if (chosen == NULL)
        chosen = endpoint_told(events, 0);
    const char *port = strrchr(chosen, ':');
    bool wildcard = strncmp(chosen, "tcp://0.0.0.0:", 14) == 0 || strncmp(chosen, "tcp://[::]:", 11) == 0;
    /* A peer that came over ipc is on this machine. */
    bytes_t host = local.size > 0 ? local : bytes_from_text("127.0.0.1");
    if (wildcard)
        snprintf(text, text_size, "tcp://%.*s%s", (int)host.size, (const char *)host.data, port);
    else
        snprintf(text, text_size, "%s", chosen);
}
