/* SPDX-License-Identifier: MPL-2.0 */
/* An event connection: a SUB socket with a ticket and its subscriptions, for the life of the ticket. It
 * reconnects by itself while the ticket is valid. Does not interpret messages. */
#ifndef KV_CLIENT_WATCH_EVENT_LINK_H
#define KV_CLIENT_WATCH_EVENT_LINK_H

#include "client/include/kvzmq.h"
#include "client/lib/socket.h"

enum { EVENT_LINK_DESCRIPTORS = 2 }; /* an event link opens: the socket and the connection */

typedef struct event_link event_link_t;

/* Borrowed until event_link_new returns. */
typedef struct event_link_options {
    const char *endpoint;    /* numeric (resolve.h); event_link_endpoint accepts it */
    kvzmq_slice_t mechanism; /* "PLAIN" */
    kvzmq_slice_t username;
    kvzmq_slice_t password;
    const char *client; /* receive this client's events; NULL = all */
    int receive_hwm;    /* ZMQ_RCVHWM; 0 = ZeroMQ's default */
} event_link_options_t;

/* Whether the library may connect to ENDPOINT, which a broker sent. Refuses inproc: a broker must not reach
 * sockets inside the application. */
KV_MUST_USE bool event_link_endpoint(kvzmq_slice_t endpoint);

/* KVZMQ_UNIMPLEMENTED: the mechanism is not PLAIN. KVZMQ_PROTOCOL: not an endpoint. Or KVZMQ_NO_MEMORY. */
KV_MUST_USE kvzmq_status_t event_link_new(void *context, const event_link_options_t *options,
                                          event_link_t **link);
void event_link_destroy(event_link_t **link);

/* Takes the next message without waiting, and returns its payload (the frame after the topic); owned
 * (payload_release). False if there is none. */
KV_MUST_USE bool event_link_receive(event_link_t *link, payload_t *payload);

/* Waits at most TIMEOUT_MS for a message, or until the descriptor WAKE is readable. Returns whether there may
 * be a message. */
bool event_link_wait(event_link_t *link, int wake, int64_t timeout_ms);

#endif
