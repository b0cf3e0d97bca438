/* SPDX-License-Identifier: MPL-2.0 */
/* Owns nothing. */
#include "client/lib/socket.h"

#include <errno.h>

bool socket_set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

bool socket_set_bytes(void *socket, int option, bytes_t bytes)
{
    return zmq_setsockopt(socket, option, bytes.data, bytes.size) == 0;
}

bool socket_prepare(void *socket)
{
    int64_t message_max = SOCKET_MESSAGE_MAX;
    return socket_set_int(socket, ZMQ_LINGER, 0) && socket_set_int(socket, ZMQ_TCP_KEEPALIVE, 1) &&
           socket_set_int(socket, ZMQ_TCP_KEEPALIVE_IDLE, SOCKET_KEEPALIVE_S) &&
           socket_set_int(socket, ZMQ_TCP_KEEPALIVE_INTVL, SOCKET_KEEPALIVE_S) &&
           socket_set_int(socket, ZMQ_TCP_KEEPALIVE_CNT, SOCKET_KEEPALIVE_PROBES) &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &message_max, sizeof message_max) == 0;
}

bool socket_address_family(void *socket, const char *endpoint)
{
    return strchr(endpoint, '[') == NULL || socket_set_int(socket, ZMQ_IPV6, 1);
}

bool socket_receive(void *socket, payload_t *frame)
{
    (void)zmq_msg_init(&frame->message);
    int received;
    do
        received = zmq_msg_recv(&frame->message, socket, ZMQ_DONTWAIT);
    while (received < 0 && errno == EINTR);
    if (received < 0)
        payload_release(frame);
    return received >= 0;
}
