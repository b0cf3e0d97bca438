/* SPDX-License-Identifier: MPL-2.0 */
/* The event socket: an XPUB behind ZeroMQ's PLAIN mechanism. Admission lets nobody in yet, so nothing is
 * published. */
#ifndef KV_BROKER_EVENT_SOCKET_H
#define KV_BROKER_EVENT_SOCKET_H

#include "broker/settings.h"
#include "common/status.h"

typedef struct event_socket event_socket_t;

/* Makes the socket and binds it to the endpoints in SETTINGS. NULL, and one line in PROBLEM, where that
 * fails. */
KV_MUST_USE event_socket_t *event_socket_new(void *zmq_context, const settings_t *settings, char *problem,
                                             size_t problem_size);
void event_socket_destroy(event_socket_t **events);

#endif
