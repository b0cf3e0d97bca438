/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the XPUB socket. */
#include "broker/event_socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "broker/admission.h"
#include "broker/endpoints.h"

enum {
    SUBSCRIPTION_BYTES = 512, /* of a frame from a subscriber: a subscription has at most 256 */
    SUBSCRIPTION_QUEUE = 8,   /* unread subscriptions a connection */
    HANDSHAKE_MS = 5000
};

struct event_socket {
    void *socket;
};

event_socket_t *event_socket_new(void *zmq_context, const settings_t *settings, char *problem,
                                 size_t problem_size)
{
    event_socket_t *events = calloc(1, sizeof *events);
    if (!events) {
        snprintf(problem, problem_size, "out of memory");
        return NULL;
    }
    events->socket = zmq_socket(zmq_context, ZMQ_XPUB);
    int64_t subscription = SUBSCRIPTION_BYTES;
    const socket_option_t options[] = {
        {ZMQ_PLAIN_SERVER, 1},
        {ZMQ_RCVHWM, SUBSCRIPTION_QUEUE},
        {ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS},
        {ZMQ_LINGER, 0},
    };
    if (!events->socket || !socket_options_set(events->socket, options, sizeof options / sizeof options[0]) ||
        zmq_setsockopt(events->socket, ZMQ_MAXMSGSIZE, &subscription, sizeof subscription) != 0 ||
        zmq_setsockopt(events->socket, ZMQ_ZAP_DOMAIN, ADMISSION_DOMAIN_EVENTS,
                       strlen(ADMISSION_DOMAIN_EVENTS)) != 0) {
        snprintf(problem, problem_size, "the event socket cannot be made: %s", zmq_strerror(errno));
        event_socket_destroy(&events);
        return NULL;
    }
    if (!endpoints_bind(events->socket, settings->events, settings->event_count, "events", problem,
                        problem_size))
        event_socket_destroy(&events);
    return events;
}

void event_socket_destroy(event_socket_t **events)
{
    if (!*events)
        return;
    if ((*events)->socket)
        zmq_close((*events)->socket);
    free(*events);
    *events = NULL;
}
