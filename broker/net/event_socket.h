/* SPDX-License-Identifier: MPL-2.0 */
/* The event socket: an XPUB that publishes to connections with a ticket (zap.h) and to nobody else.
 *
 * Subscriptions carry the ticket's id and the descriptor, so the first one ties a connection to its ticket.
 * When a ticket becomes void, its connections are cut. But the ticket of a connection is unknown until its
 * first subscription is read. So a strict cut closes every connection that may have been let in under the
 * void ticket. These include innocent ones, which reconnect by themselves. (Cutting only the known ones would
 * leak events, because zmq_send(3) applies subscriptions that the broker has not read.) A connection that was
 * accepted after the last drain is spared: its handshake is answered only after the ticket became void.
 *
 * The loop calls event_socket_drain after zap_take and before zap_answer (zap.h). So a subscription
 * or a handshake is never taken for one of the descriptor's next connection. */
#ifndef KV_BROKER_NET_EVENT_SOCKET_H
#define KV_BROKER_NET_EVENT_SOCKET_H

#include "broker/core/settings.h"
#include "broker/core/tickets.h"
#include "broker/net/listeners.h"
#include "common/buffer.h"

typedef struct event_socket event_socket_t;

/* Makes the socket and binds it to LISTEN. Borrows SETTINGS. Returns NULL with one line in PROBLEM on
 * failure. */
KV_MUST_USE event_socket_t *event_socket_new(void *zmq_context, const settings_t *settings,
                                             const endpoint_list_t *listen, char *problem,
                                             size_t problem_size);
/* Closes it. Messages on their way have LINGER_MS to leave. */
void event_socket_destroy(event_socket_t **events, int linger_ms);

/* The libzmq sockets to poll: for subscriptions, and for the monitor's events. */
void *event_socket_socket(event_socket_t *events);
void *event_socket_monitor(event_socket_t *events);

/* Call these before and after a call of libzmq on that socket outside this module: libzmq reads
 * subscriptions too (event_guard.h). */
void event_socket_enter(event_socket_t *events);
void event_socket_leave(event_socket_t *events);
/* Whether, since the last call, all connections were closed because of a flood of subscriptions. */
KV_MUST_USE bool event_socket_flooded(event_socket_t *events);

/* Drains the monitor, then reads the subscriptions that are there. Closes a connection if its ticket is not
 * in TICKETS, or if a subscription exceeds a bound. Returns whether there was a new subscription. */
bool event_socket_drain(event_socket_t *events, const tickets_t *tickets);

/* The next four are as in publisher_t; CONTEXT is the event_socket_t. */

/* The number of connections. If there is none, nothing need be published. */
size_t event_socket_peers(void *context);

/* Publishes PAYLOAD (taken) under TOPIC. Never waits: a subscriber whose queue is full misses it. */
void event_socket_publish(void *context, bytes_t topic, buffer_t *payload);

/* Call this when a ticket of TICKETS becomes void. Closes the connections that are tied to a void ticket. If
 * STRICT, also closes the suspects: those tied to no ticket that may have been let in before. */
void event_socket_cut(void *context, const tickets_t *tickets, bool strict);
/* Does the same again, and closes the suspects of the last cut that are still tied to no ticket. */
void event_socket_sweep(void *context, const tickets_t *tickets);

/* Writes the endpoint that a peer should connect to. LOCAL is the address at which the peer reached the
 * request socket, or empty for ipc. The result is the first endpoint of that transport, or else the first of
 * all. A wildcard host is replaced by LOCAL, or by 127.0.0.1 for ipc. If the settings have `advertised`, only
 * those endpoints count. */
void event_socket_endpoint(const event_socket_t *events, bytes_t local, char *text, size_t text_size);

#endif
