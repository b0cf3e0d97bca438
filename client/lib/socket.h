/* SPDX-License-Identifier: MPL-2.0 */
/* What the library's sockets, DEALER and SUB, have in common: their options, and how frames are received.
 * Knows nothing of connections. */
#ifndef KV_CLIENT_LIB_SOCKET_H
#define KV_CLIENT_LIB_SOCKET_H

#include <zmq.h>

#include "common/bytes.h"
#include "common/status.h"

enum {
    SOCKET_MESSAGE_MAX =
        64 * 1024 * 1024, /* bytes of a frame that is taken; ZeroMQ ends the connection above it */
    /* No ZMTP heartbeats: libzmq 4.3.4 aborts on one to a peer that reset the connection while its queue was
       full. */
    SOCKET_KEEPALIVE_S = 10,     /* a TCP keepalive probe to a silent peer, and between probes */
    SOCKET_KEEPALIVE_PROBES = 3, /* without an answer to so many, the connection is given up */
};

KV_MUST_USE bool socket_set_int(void *socket, int option, int value);
KV_MUST_USE bool socket_set_bytes(void *socket, int option, bytes_t bytes);

/* Sets the options that all sockets have: the bounds above, and nothing that could make closing wait. */
KV_MUST_USE bool socket_prepare(void *socket);
/* Has SOCKET take ENDPOINT where it is an IPv6 address, in brackets. It is no host's name (resolve.h). */
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

/* Makes TO, which holds nothing, the payload that FROM was. */
static inline void payload_move(payload_t *to, payload_t *from)
{
    (void)zmq_msg_init(&to->message);
    (void)zmq_msg_move(&to->message, &from->message);
    payload_release(from);
}

#endif
