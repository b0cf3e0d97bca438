/* SPDX-License-Identifier: MPL-2.0 */
/* The event socket: an XPUB that publishes to connections with a ticket (zap.h) and to nobody else.
 *
 * A connection is tied to its ticket by its subscriptions, which carry the ticket's id and the descriptor.
 * When a ticket goes void its connections are cut. A connection that has not subscribed yet, or whose
 * subscription was not read yet, cannot be told from any other; so a strict cut closes every connection that
 * may have been let in under the void ticket, innocent ones too, which come back by themselves. (zmq_send(3)
 * applies subscriptions that were never read: cutting the known ones alone leaks.) A connection whose
 * handshake is answered after the ticket went void cannot be under it, and is spared: one that was accepted
 * after the last drain.
 *
 * A turn of the loop calls event_socket_drain after zap_take and before zap_answer (zap.h):
 * tie and handshake then cannot be of a descriptor's next connection. */
#ifndef KV_BROKER_NET_EVENT_SOCKET_H
#define KV_BROKER_NET_EVENT_SOCKET_H

#include "broker/core/settings.h"
#include "broker/core/tickets.h"
#include "broker/net/listeners.h"
#include "common/buffer.h"

typedef struct event_socket event_socket_t;

/* Makes the socket and binds it to LISTEN. SETTINGS are borrowed. NULL, and one line in PROBLEM,
 * if that fails. */
KV_MUST_USE event_socket_t *event_socket_new(void *zmq_context, const settings_t *settings,
                                             const endpoint_list_t *listen, char *problem,
                                             size_t problem_size);
/* Closes it; what is on its way is given LINGER_MS to leave. */
void event_socket_destroy(event_socket_t **events, int linger_ms);

/* The libzmq sockets, to poll: subscriptions, and who comes and goes. */
void *event_socket_socket(event_socket_t *events);
void *event_socket_monitor(event_socket_t *events);

/* Before and after a call of libzmq's on that socket that is made elsewhere: zmq_poll(3) takes subscriptions
 * in too (event_guard.h). */
void event_socket_enter(event_socket_t *events);
void event_socket_leave(event_socket_t *events);
/* Whether all connections were closed, since this was asked last, because subscriptions came faster than they
 * could be taken. */
KV_MUST_USE bool event_socket_flooded(event_socket_t *events);

/* Takes note of who came and went, then reads the subscriptions that are there; those under a ticket that is
 * not in TICKETS, and those beyond their bounds, cost their connection. Returns whether there was a new
 * subscription. */
bool event_socket_drain(event_socket_t *events, const tickets_t *tickets);

/* The next four are as in publisher_t; CONTEXT is the event_socket_t. */

/* Connections there are: without any nothing need be published. */
size_t event_socket_peers(void *context);

/* Publishes PAYLOAD (taken) under TOPIC. Never waits: a subscriber that does not take it misses it. */
void event_socket_publish(void *context, bytes_t topic, buffer_t *payload);

/* A ticket of TICKETS went void since the last drain: closes the connections that are tied to a void ticket;
 * where STRICT also the suspects, which are tied to none and may have been let in before. */
void event_socket_cut(void *context, const tickets_t *tickets, bool strict);
/* Closes also the suspects of the last cut that are still tied to no ticket. */
void event_socket_sweep(void *context, const tickets_t *tickets);

/* Writes the endpoint that a peer should connect to who reached the request socket over ipc (LOCAL empty), or
 * over tcp at the address LOCAL: the first of that transport, else the first of all; LOCAL in place of a
 * wildcard host, over ipc 127.0.0.1. Where settings have `advertised`, those are told instead. */
void event_socket_endpoint(const event_socket_t *events, bytes_t local, char *text, size_t text_size);

#endif
