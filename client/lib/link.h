/* SPDX-License-Identifier: MPL-2.0 */
/* One ZeroMQ connection to a broker: a DEALER, and the monitor that tells how it fares. It lives for one
 * connection only and never reconnects by itself: ZeroMQ's own reconnecting would make a client without a
 * name another client without anybody noticing. Knows nothing of messages and sessions. */
#ifndef KV_CLIENT_LIB_LINK_H
#define KV_CLIENT_LIB_LINK_H

#include "client/lib/socket.h"

enum {
    LINK_PUSHES = 64,    /* messages beyond the expected answers that wait to be read */
    LINK_DESCRIPTORS = 5 /* that a link opens: the socket, two ends of its monitor, the connection, link_fd */
};

typedef struct link link_t;

typedef enum link_state {
    LINK_CONNECTING, /* nothing has come of it yet */
    LINK_ACCEPTED,   /* something listens, but has not spoken ZeroMQ so far */
    LINK_UP,         /* messages can pass */
    LINK_REFUSED,    /* nobody listens. Final, as all that follow */
    LINK_FOREIGN,    /* what listens does not speak ZeroMQ, or turns us away */
    LINK_BROKEN      /* the connection was up and is lost */
} link_state_t;

/* Begins to connect a socket with the routing id IDENTITY (size 0 = none). ANSWERS is how many unread answers
 * there can be. ENDPOINT is numeric (resolve.h). CONTEXT is libzmq's, which is ready for LINK_DESCRIPTORS
 * (context_prepare). Returns STATUS_INVALID_ARGUMENT if ZeroMQ does not take ENDPOINT,
 * STATUS_RESOURCE_EXHAUSTED where memory or descriptors are refused. */
KV_MUST_USE status_t link_new(void *context, const char *endpoint, bytes_t identity, unsigned answers,
                              link_t **link);

/* Closes the connection at once; what was not sent yet is dropped. */
void link_destroy(link_t **link);
/* Releases a link that a parent process made, in its child. Closes this process's copy of the connection; the
 * parent continues with its own. Do nothing else with such a link: libzmq would wait for threads that are not
 * here. */
void link_abandon(link_t **link);

/* Reads the monitor's events and returns the state. A lost link may still have messages to receive: ask for
 * the state first, then receive. */
link_state_t link_state(link_t *link);
/* Whether libzmq has not even begun: it could not open a descriptor. Of a link that is still connecting. */
bool link_stillborn(const link_t *link);

/* Waits until there may be a message or news of the state, TIMEOUT_MS at most. Returns false if a signal
 * handler ended the wait. */
KV_MUST_USE bool link_wait(link_t *link, int64_t timeout_ms);
/* Waits TIMEOUT_MS, for nothing. Returns false as link_wait. */
KV_MUST_USE bool link_pause(int64_t timeout_ms);

/* Queues a copy of PAYLOAD. STATUS_UNAVAILABLE: there is no connection, it was not sent.
 * STATUS_RESOURCE_EXHAUSTED: no memory, likewise. */
KV_MUST_USE status_t link_send(link_t *link, bytes_t payload);

/* Takes the next payload without waiting, owned (payload_release). False if there is none. A message of
 * several frames is no answer of a broker's and is dropped. */
KV_MUST_USE bool link_receive(link_t *link, payload_t *payload);

/* Whether there is something to receive. Like any other use of a socket it may take the edge of link_fd. */
bool link_readable(link_t *link);

/* A descriptor for an event loop: readable when there may be a message or news of the state. Edge-triggered,
 * as ZeroMQ's are. */
int link_fd(const link_t *link);

#endif
