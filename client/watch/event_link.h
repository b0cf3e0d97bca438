/* SPDX-License-Identifier: MPL-2.0 */
/* An event connection: a SUB socket with a ticket and its subscriptions, for the life of the ticket. It
 * reconnects by itself while that is valid. Knows nothing of what the messages say. */
#ifndef KV_CLIENT_WATCH_EVENT_LINK_H
#define KV_CLIENT_WATCH_EVENT_LINK_H

#include "client/include/kvzmq.h"
#include "client/lib/socket.h"

enum { EVENT_LINK_DESCRIPTORS = 2 }; /* that it opens: the socket and the connection */

typedef struct event_link event_link_t;

/* Borrowed until event_link_new returns. */
typedef struct event_link_options {
    const char *endpoint;    /* numeric (resolve.h), of event_link_endpoint's kind */
    kvzmq_slice_t mechanism; /* "PLAIN" */
    kvzmq_slice_t username;
    kvzmq_slice_t password;
    const char *client; /* whose events; NULL = all */
    int receive_hwm;    /* ZMQ_RCVHWM; 0 = ZeroMQ's default */
} event_link_options_t;

/* Whether ENDPOINT is of a kind to connect to. A broker's answer must not reach what is inside of the
 * application (inproc). */
KV_MUST_USE bool event_link_endpoint(kvzmq_slice_t endpoint);

/* KVZMQ_UNIMPLEMENTED: another mechanism than PLAIN. KVZMQ_PROTOCOL: not an endpoint. KVZMQ_NO_MEMORY. */
KV_MUST_USE kvzmq_status_t event_link_new(void *context, const event_link_options_t *options,
                                          event_link_t **link);
void event_link_destroy(event_link_t **link);

/* Takes the payload of the next message, behind its topic, without waiting; owned (payload_release). False
 * if there is none. */
KV_MUST_USE bool event_link_receive(event_link_t *link, payload_t *payload);

/* Waits for a message or for the descriptor WAKE to be readable, TIMEOUT_MS at most. Whether a message may be
 * there. */
bool event_link_wait(event_link_t *link, int wake, int64_t timeout_ms);

#endif
