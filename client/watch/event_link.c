/* SPDX-License-Identifier: MPL-2.0 */
/* Owns a SUB socket. */
#include "client/watch/event_link.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/lib/system.h"
#include "client/slice.h"
#include "common/limits.h"

struct event_link {
    void *socket; /* the SUB */
};

static bool set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static bool set_bytes(void *socket, int option, kvzmq_slice_t value)
{
    return zmq_setsockopt(socket, option, value.data, value.size) == 0;
}

/* Everything; or one client's topic, then the syncs': a sync then tells that both are in force. */
static bool subscribe(void *socket, const char *client)
{
    char topic[LIMIT_NAME + 2];
    if (client == NULL)
        return zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0) == 0;
    int size = snprintf(topic, sizeof topic, "%s/", client);
    return size > 0 && (size_t)size < sizeof topic &&
           zmq_setsockopt(socket, ZMQ_SUBSCRIBE, topic, (size_t)size) == 0 &&
           zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "/", 1) == 0;
}

static bool prepare(void *socket, const event_link_options_t *options)
{
    int64_t message_max = LINK_MESSAGE_MAX;
    return set_int(socket, ZMQ_LINGER, 0) && set_int(socket, ZMQ_TCP_KEEPALIVE, 1) &&
           set_int(socket, ZMQ_TCP_KEEPALIVE_IDLE, LINK_KEEPALIVE_S) &&
           set_int(socket, ZMQ_TCP_KEEPALIVE_INTVL, LINK_KEEPALIVE_S) &&
           set_int(socket, ZMQ_TCP_KEEPALIVE_CNT, LINK_KEEPALIVE_PROBES) &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &message_max, sizeof message_max) == 0 &&
           (options->receive_hwm <= 0 || set_int(socket, ZMQ_RCVHWM, options->receive_hwm)) &&
           set_bytes(socket, ZMQ_PLAIN_USERNAME, options->username) &&
           set_bytes(socket, ZMQ_PLAIN_PASSWORD, options->password) && subscribe(socket, options->client);
}

bool event_link_endpoint(kvzmq_slice_t endpoint)
{
    bytes_t text = slice_bytes(endpoint);
    return endpoint.size <= EVENT_LINK_ENDPOINT_MAX && (bytes_starts_with(text, bytes_from_text("tcp://")) ||
                                                        bytes_starts_with(text, bytes_from_text("ipc://")));
}

kvzmq_status_t event_link_new(void *context, const event_link_options_t *options, event_link_t **link)
{
    bytes_t mechanism = slice_bytes(options->mechanism);
    if (!bytes_equal(mechanism, bytes_from_text("PLAIN")))
        return KVZMQ_UNIMPLEMENTED;
    event_link_t *made = calloc(1, sizeof *made);
    if (made == NULL || !system_descriptors_free(EVENT_LINK_DESCRIPTORS)) {
        free(made);
        return KVZMQ_NO_MEMORY;
    }
    made->socket = zmq_socket(context, ZMQ_SUB);
    bool ready = made->socket != NULL && link_address_family(made->socket, options->endpoint) &&
                 prepare(made->socket, options);
    if (!ready || zmq_connect(made->socket, options->endpoint) != 0) {
        event_link_destroy(&made);
        return ready ? KVZMQ_PROTOCOL : KVZMQ_NO_MEMORY;
    }
    *link = made;
    return KVZMQ_OK;
}

void event_link_destroy(event_link_t **link)
{
    event_link_t *gone = *link;
    *link = NULL;
    if (gone == NULL)
        return;
    if (gone->socket != NULL)
        (void)zmq_close(gone->socket);
    free(gone);
}

/* The next frame, without waiting. */
static bool receive_frame(event_link_t *link, payload_t *frame)
{
    (void)zmq_msg_init(&frame->message);
    int received;
    do
        received = zmq_msg_recv(&frame->message, link->socket, ZMQ_DONTWAIT);
    while (received < 0 && errno == EINTR);
    if (received < 0)
        payload_release(frame);
    return received >= 0;
}

bool event_link_receive(event_link_t *link, payload_t *payload)
{
    payload_t topic;
    while (receive_frame(link, &topic)) {
        bool has_payload = zmq_msg_more(&topic.message) != 0;
        payload_release(&topic);
        if (!has_payload || !receive_frame(link, payload))
            continue;
        bool more = zmq_msg_more(&payload->message) != 0;
        if (!more)
            return true;
        while (more) { /* no message of a broker's: dropped whole */
            payload_release(payload);
            more = receive_frame(link, payload) && zmq_msg_more(&payload->message) != 0;
        }
        payload_release(payload);
    }
    return false;
}

bool event_link_wait(event_link_t *link, int wake, int64_t timeout_ms)
{
    long limit_ms = timeout_ms > INT_MAX ? INT_MAX : (long)timeout_ms;
    zmq_pollitem_t items[] = {{.socket = link->socket, .events = ZMQ_POLLIN},
                              {.fd = wake, .events = ZMQ_POLLIN}};
    return zmq_poll(items, 2, limit_ms < 0 ? 0 : limit_ms) > 0 && (items[0].revents & ZMQ_POLLIN) != 0;
}
