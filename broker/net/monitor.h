/* SPDX-License-Identifier: MPL-2.0 */
/* A socket's monitor, zmq_socket_monitor(3): reports which of its connections are made and closed. Read it
 * whenever it has messages: a monitor that is not read stalls all I/O. */
#ifndef KV_BROKER_NET_MONITOR_H
#define KV_BROKER_NET_MONITOR_H

#include "common/status.h"

typedef struct monitor {
    void *watched; /* the socket that is monitored; borrowed */
    void *socket;  /* the PAIR that receives its events; to poll */
} monitor_t;

/* Watches SOCKET, which is not bound yet, for ACCEPTED and DISCONNECTED. ENDPOINT is an inproc endpoint that
 * nothing else uses. Returns false with errno set on failure. Call monitor_close even then. */
KV_MUST_USE bool monitor_open(monitor_t *monitor, void *zmq_context, void *socket, const char *endpoint);
/* Call this before the watched socket is closed. */
void monitor_close(monitor_t *monitor);

/* Reads the next event: the connection on descriptor *FD was accepted (*ACCEPTED) or is gone. Returns false
 * if there is no event. */
KV_MUST_USE bool monitor_next(monitor_t *monitor, bool *accepted, int *fd);

#endif
