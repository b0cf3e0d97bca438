/* SPDX-License-Identifier: MPL-2.0 */
/* Owns a SUB socket. */
#include "client/watch/event_link.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/lib/system.h"
#include "client/slice.h"
#include "common/limits.h"

struct event_link {
    void *socket; /* the SUB */
};

/* Subscribes to everything, or to one client's topic and then to the syncs. In this order, the first sync
 * shows that both subscriptions are active. */
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

static bool subscriber_prepare(void *socket, const event_link_options_t *options)
{
    return socket_prepare(socket) &&
           (options->receive_hwm <= 0 || socket_set_int(socket, ZMQ_RCVHWM, options->receive_hwm)) &&
           socket_set_bytes(socket, ZMQ_PLAIN_USERNAME, slice_bytes(options->username)) &&
           socket_set_bytes(socket, ZMQ_PLAIN_PASSWORD, slice_bytes(options->password)) &&
           subscribe(socket, options->client);
}

bool event_link_endpoint(kvzmq_slice_t endpoint)
{
    bytes_t text = slice_bytes(endpoint);
    return endpoint.size <= LIMIT_ENDPOINT && (bytes_starts_with(text, bytes_from_text("tcp://")) ||
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
    bool ready = made->socket != NULL && socket_address_family(made->socket, options->endpoint) &&
                 subscriber_prepare(made->socket, options);
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

bool event_link_receive(event_link_t *link, payload_t *payload)
{
    payload_t topic;
    while (socket_receive(link->socket, &topic)) {
        bool has_payload = payload_more(&topic);
        payload_release(&topic);
        if (!has_payload || !socket_receive(link->socket, payload))
            continue;
        bool more = payload_more(payload);
        if (!more)
            return true;
        while (more) { /* not a broker's message: discard all its frames */
            payload_release(payload);
            more = socket_receive(link->socket, payload) && payload_more(payload);
        }
        payload_release(payload);
    }
    return false;
}

bool event_link_wait(event_link_t *link, int wake, int64_t timeout_ms)
{
    zmq_pollitem_t items[] = {{.socket = link->socket, .events = ZMQ_POLLIN},
                              {.fd = wake, .events = ZMQ_POLLIN}};
    return zmq_poll(items, 2, system_poll_ms(timeout_ms)) > 0 && (items[0].revents & ZMQ_POLLIN) != 0;
}
