/* SPDX-License-Identifier: MPL-2.0 */
/* The request socket: a ROUTER that turns frames into arrivals for the hub, and answers into frames. */
#ifndef KV_BROKER_NET_REQUEST_SOCKET_H
#define KV_BROKER_NET_REQUEST_SOCKET_H

#include "broker/core/hub.h"
#include "broker/net/connections.h"
#include "broker/net/zap.h"

typedef struct request_socket request_socket_t;

/* Makes the socket and binds it to LISTEN. Borrows SETTINGS, ZAP and, until ZMQ_CONTEXT has terminated,
 * SPARES. Returns NULL with one line in PROBLEM on failure. */
KV_MUST_USE request_socket_t *request_socket_new(void *zmq_context, const settings_t *settings,
                                                 const endpoint_list_t *listen, const zap_t *zap,
                                                 spares_t *spares, char *problem, size_t problem_size);
/* Switches to SETTINGS (borrowed). The endpoints and limits/message stay as they are. */
void request_socket_configure(request_socket_t *requests, const settings_t *settings);
/* Closes it. Messages on their way have LINGER_MS to leave. */
void request_socket_destroy(request_socket_t **requests, int linger_ms);

/* The libzmq socket, to poll and to bind. */
void *request_socket_socket(request_socket_t *requests);
connections_t *request_socket_connections(request_socket_t *requests);

/* Drains the monitor: zap.h says when to call this. */
void request_socket_drain(request_socket_t *requests);

/* Bytes of payloads and answers since the start. */
uint64_t request_socket_moved(const request_socket_t *requests);

/* Hands one payload to HUB. Returns false if there was none. Reads several small ones at once, so that what
 * they ask for can be fetched together. */
bool request_socket_receive(request_socket_t *requests, hub_t *hub, int64_t now_ms);
/* Sends the answers and pushes that request_socket_send has collected. Call it before the loop sleeps.
 * request_socket_receive does it after the last payload that was read ahead. */
void request_socket_flush(request_socket_t *requests);
/* Whether payloads were read that are not handed over yet. Their connections must not be settled. */
bool request_socket_ahead(const request_socket_t *requests);

/* As in transport_t; CONTEXT is the request_socket_t. */
status_t request_socket_send(void *context, connection_t *connection, bytes_t identity, bytes_t envelope,
                             buffer_t *answer);
bool request_socket_congested(void *context, connection_t *connection);
void request_socket_release(void *context, connection_t *connection, bool cut);

#endif
