/* SPDX-License-Identifier: MPL-2.0 */
/* Who may connect where: the ZAP handler (ZeroMQ RFC 27), answered in the loop. Every connection of the
 * request socket is let in and given a serial number, which libzmq then attaches to each of its messages as
 * User-Id: so connections are told apart whatever socket identity or descriptor they share. The event socket
 * lets in who has a ticket (tickets.h), whose id is then the User-Id.
 *
 * A turn of the loop calls, in this order: admission_take, then drains the sockets' monitors, then
 * admission_answer. A connection's ACCEPTED event is there before its ZAP request; so the serials given in a
 * turn are above admission_last_serial as it was when that ACCEPTED was drained, and those of earlier
 * connections on the same descriptor are not. */
#ifndef KV_BROKER_NET_ADMISSION_H
#define KV_BROKER_NET_ADMISSION_H

#include "broker/core/tickets.h"
#include "common/status.h"

typedef struct admission admission_t;

#define ADMISSION_DOMAIN_REQUESTS "requests"
#define ADMISSION_DOMAIN_EVENTS   "events"

/* Makes the handler in the libzmq context ZMQ_CONTEXT: before any socket of it is bound. NULL if that
 * fails. */
KV_MUST_USE admission_t *admission_new(void *zmq_context);
/* From here on TICKETS (borrowed) say who may subscribe; before, nobody. */
void admission_use(admission_t *admission, const tickets_t *tickets);
void admission_destroy(admission_t **admission);

/* The libzmq socket to poll. */
void *admission_socket(admission_t *admission);

/* Takes the requests that are there, a bounded number. Returns whether there may be more. */
bool admission_take(admission_t *admission);
/* Answers what was taken. Returns how many connections of the event socket were refused. */
unsigned admission_answer(admission_t *admission);

/* The serial given last; serials grow from 1. */
uint64_t admission_last_serial(const admission_t *admission);

#endif
