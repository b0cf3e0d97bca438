/* SPDX-License-Identifier: MPL-2.0 */
/* Makes monitors and reads their messages. */
#include "broker/net/monitor.h"

#include <zmq.h>

#include "common/monitor_frame.h"

bool monitor_open(monitor_t *monitor, void *zmq_context, void *socket, const char *endpoint)
{
    /* A high-water mark of 0 means no bound: events wait in memory instead of stopping the I/O thread. */
    const int none = 0;
    *monitor = (monitor_t){.watched = socket};
    if (zmq_socket_monitor(socket, endpoint, ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED) != 0)
        return false;
    monitor->socket = zmq_socket(zmq_context, ZMQ_PAIR);
    return monitor->socket != NULL && zmq_setsockopt(monitor->socket, ZMQ_RCVHWM, &none, sizeof none) == 0 &&
           zmq_setsockopt(monitor->socket, ZMQ_LINGER, &none, sizeof none) == 0 &&
           zmq_connect(monitor->socket, endpoint) == 0;
}

void monitor_close(monitor_t *monitor)
{
    if (monitor->watched == NULL)
        return;
    zmq_socket_monitor(monitor->watched, NULL, 0);
    if (monitor->socket != NULL)
        zmq_close(monitor->socket);
    *monitor = (monitor_t){0};
}

/* Skips the remaining frames of a message if there are MORE. */
static void frames_skip(void *socket, int more)
{
    while (more) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        more = zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT) >= 0 && zmq_msg_more(&frame);
        zmq_msg_close(&frame);
    }
}

bool monitor_next(monitor_t *monitor, bool *accepted, int *fd)
{
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    if (zmq_msg_recv(&frame, monitor->socket, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&frame);
        return false;
    }
    uint16_t event = 0;
    int32_t value = -1;
    (void)!monitor_frame_read(bytes_of(zmq_msg_data(&frame), zmq_msg_size(&frame)), &event, &value);
    frames_skip(monitor->socket, zmq_msg_more(&frame));
    zmq_msg_close(&frame);
    *accepted = event == ZMQ_EVENT_ACCEPTED;
    *fd = value;
    return true;
}
