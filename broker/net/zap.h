/* SPDX-License-Identifier: MPL-2.0 */
/* Who may connect where: the ZAP handler (ZeroMQ RFC 27), answered in the loop. Every connection of the
 * request socket is let in and given a serial number, which libzmq then attaches to each of its messages as
 * User-Id: so connections are told apart whatever socket identity or descriptor they share. The event socket
 * lets in who has a ticket (tickets.h), whose id is then the User-Id.
 *
 * A turn of the loop calls, in this order: zap_take, then drains the sockets' monitors, then
 * zap_answer. A connection's ACCEPTED event is there before its ZAP request; so the serials given in a
 * turn are above zap_last_serial as it was when that ACCEPTED was drained, and those of earlier
 * connections on the same descriptor are not. */
#ifndef KV_BROKER_NET_ZAP_H
#define KV_BROKER_NET_ZAP_H

#include "broker/core/tickets.h"
#include "common/status.h"

typedef struct zap zap_t;

#define ZAP_DOMAIN_REQUESTS "requests"
#define ZAP_DOMAIN_EVENTS   "events"

/* Makes the handler in the libzmq context ZMQ_CONTEXT: before any socket of it is bound. NULL if that
 * fails. */
KV_MUST_USE zap_t *zap_new(void *zmq_context);
/* From here on TICKETS (borrowed) say who may subscribe; before, nobody. */
void zap_use(zap_t *zap, const tickets_t *tickets);
void zap_destroy(zap_t **zap);

/* The libzmq socket to poll. */
void *zap_socket(zap_t *zap);

/* Takes the requests that are there, a bounded number. Returns whether there may be more. */
bool zap_take(zap_t *zap);
/* Answers what was taken. Returns how many connections of the event socket were refused. */
unsigned zap_answer(zap_t *zap);

/* The serial given last; serials grow from 1. */
uint64_t zap_last_serial(const zap_t *zap);

#endif
