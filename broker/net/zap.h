/* SPDX-License-Identifier: MPL-2.0 */
/* The ZAP handler (ZeroMQ RFC 27): decides in the loop who may connect. It lets in every connection of the
 * request socket and gives it a serial number, which libzmq attaches to each of its messages as User-Id. So
 * connections can be told apart even if they share a socket identity or a descriptor. On the event socket it
 * lets in only connections with a ticket (tickets.h), whose id is then the User-Id.
 *
 * If the ZAP socket, a monitor or the event socket may have messages, a turn of the loop calls zap_take, then
 * drains both sockets' monitors, then calls zap_answer. It does all of this or nothing, and the order
 * matters. A connection's ACCEPTED event comes before its ZAP request, so it is drained before the request is
 * answered. So the connection's serial is above zap_last_serial as of that drain, and the serials of earlier
 * connections on the same descriptor are not. */
#ifndef KV_BROKER_NET_ZAP_H
#define KV_BROKER_NET_ZAP_H

#include "broker/core/tickets.h"
#include "common/status.h"

typedef struct zap zap_t;

#define ZAP_DOMAIN_REQUESTS "requests"
#define ZAP_DOMAIN_EVENTS   "events"

/* Makes the handler in ZMQ_CONTEXT. Call this before a socket of that context is bound. Returns NULL on
 * failure. */
KV_MUST_USE zap_t *zap_new(void *zmq_context);
/* Sets the TICKETS (borrowed) that say who may subscribe. Before this call nobody may. */
void zap_use(zap_t *zap, const tickets_t *tickets);
void zap_destroy(zap_t **zap);

/* The libzmq socket to poll. */
void *zap_socket(zap_t *zap);

/* Reads the requests that are there, up to a bound. Returns whether there may be more. */
bool zap_take(zap_t *zap);
/* Answers the requests that zap_take read. Returns how many connections of the event socket were refused. */
unsigned zap_answer(zap_t *zap);

/* The serial that was given last. Serials are counted from 1. */
uint64_t zap_last_serial(const zap_t *zap);

#endif
