/* SPDX-License-Identifier: MPL-2.0 */
/* What the library's sockets (DEALER and SUB) have in common: their options, and receiving frames. */
#ifndef KV_CLIENT_LIB_SOCKET_H
#define KV_CLIENT_LIB_SOCKET_H

#include <zmq.h>

#include "common/bytes.h"
#include "common/status.h"

enum {
    SOCKET_MESSAGE_MAX =
        64 * 1024 * 1024, /* bytes of a frame; ZeroMQ closes the connection for a longer one */
    /* TCP keepalive in place of ZMTP heartbeats: libzmq 4.3.4 aborts if a heartbeat meets a connection that
       the peer reset while its queue was full. */
    SOCKET_KEEPALIVE_S = 10,     /* seconds of silence before a keepalive probe, and between probes */
    SOCKET_KEEPALIVE_PROBES = 3, /* unanswered probes after which the connection is closed */
};

KV_MUST_USE bool socket_set_int(void *socket, int option, int value);
KV_MUST_USE bool socket_set_bytes(void *socket, int option, bytes_t bytes);

/* Sets the options that all sockets have: the bounds above, and no linger, so that closing does not wait. */
KV_MUST_USE bool socket_prepare(void *socket);
/* Enables IPv6 if ENDPOINT is an IPv6 address, in brackets. ENDPOINT is numeric (resolve.h). */
KV_MUST_USE bool socket_address_family(void *socket, const char *endpoint);

/* A received payload, owned. */
typedef struct payload {
    zmq_msg_t message;
} payload_t;

/* Takes the next frame without waiting, owned (payload_release). False if there is none. */
KV_MUST_USE bool socket_receive(void *socket, payload_t *frame);

/* Whether more frames of its message follow FRAME. */
static inline bool payload_more(const payload_t *frame)
{
    return zmq_msg_more(&frame->message) != 0;
}

static inline bytes_t payload_bytes(payload_t *payload)
{
    return bytes_of(zmq_msg_data(&payload->message), zmq_msg_size(&payload->message));
}

static inline void payload_release(payload_t *payload)
{
    (void)zmq_msg_close(&payload->message);
}

/* Moves FROM to TO, which must be empty or uninitialised. */
static inline void payload_move(payload_t *to, payload_t *from)
{
    (void)zmq_msg_init(&to->message);
    (void)zmq_msg_move(&to->message, &from->message);
    payload_release(from);
}

#endif
