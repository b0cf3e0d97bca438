/* SPDX-License-Identifier: MPL-2.0 */
/* One ZeroMQ connection to a broker: a DEALER and its monitor. A link is one connection and never reconnects.
 * If ZeroMQ reconnected, a client without a name would become another client unnoticed. Does not know
 * messages and sessions. */
#ifndef KV_CLIENT_LIB_LINK_H
#define KV_CLIENT_LIB_LINK_H

#include "client/lib/socket.h"

enum {
    LINK_PUSHES = 64,    /* unread messages besides the expected answers */
    LINK_DESCRIPTORS = 5 /* a link opens: socket, two ends of the monitor, connection, link_fd */
};

typedef struct link link_t;

typedef enum link_state {
    LINK_CONNECTING, /* no result yet */
    LINK_ACCEPTED,   /* connected, but no ZeroMQ handshake yet */
    LINK_UP,         /* messages can be sent and received */
    LINK_REFUSED,    /* nobody listens. Final, like the two below */
    LINK_FOREIGN,    /* the peer does not speak ZeroMQ, or rejects the connection */
    LINK_BROKEN      /* the connection was up and broke */
} link_state_t;

/* Begins to connect a socket with the routing id IDENTITY (size 0 = none). ANSWERS: the most unread answers
 * at a time. ENDPOINT is numeric (resolve.h). CONTEXT is libzmq's; call context_prepare with LINK_DESCRIPTORS
 * before. STATUS_INVALID_ARGUMENT if ZeroMQ refuses ENDPOINT, STATUS_RESOURCE_EXHAUSTED if memory or
 * descriptors are refused. */
KV_MUST_USE status_t link_new(void *context, const char *endpoint, bytes_t identity, unsigned answers,
                              link_t **link);

/* Closes the connection at once. Unsent messages are discarded. */
void link_destroy(link_t **link);
/* In the child of a fork: releases a link that the parent made, and closes the child's copy of the
 * connection. The parent continues with its own. Do nothing else with such a link: libzmq would wait for
 * threads that do not exist in the child. */
void link_abandon(link_t **link);

/* Reads the monitor's events and returns the state. A broken link may still have messages: get the state
 * first, then receive. */
link_state_t link_state(link_t *link);
/* Whether libzmq has not begun to connect, because it could not open a descriptor. For a link that is still
 * connecting. */
bool link_stillborn(const link_t *link);

/* Waits at most TIMEOUT_MS for a message or a change of state. May return early. False if a signal handler
 * ended the wait. */
KV_MUST_USE bool link_wait(link_t *link, int64_t timeout_ms);
/* Waits TIMEOUT_MS. Returns false as link_wait does. */
KV_MUST_USE bool link_pause(int64_t timeout_ms);

/* Queues a copy of PAYLOAD for sending. Not queued: STATUS_UNAVAILABLE if there is no connection,
 * STATUS_RESOURCE_EXHAUSTED if memory is refused. */
KV_MUST_USE status_t link_send(link_t *link, bytes_t payload);

/* Takes the next payload without waiting; owned (payload_release). False if there is none. Discards messages
 * of several frames: a broker does not send them. */
KV_MUST_USE bool link_receive(link_t *link, payload_t *payload);

/* Whether there is something to receive. Like any use of the socket, it may consume an edge of link_fd. */
bool link_readable(link_t *link);

/* A descriptor for an event loop: readable if there may be a message or a change of state. Edge-triggered, as
 * ZeroMQ's. */
int link_fd(const link_t *link);

#endif
