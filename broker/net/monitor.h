/* SPDX-License-Identifier: MPL-2.0 */
/* A socket's monitor, zmq_socket_monitor(3): which of its connections come and go. It must be read each turn:
 * one that is not read stalls all I/O. */
#ifndef KV_BROKER_NET_MONITOR_H
#define KV_BROKER_NET_MONITOR_H

#include "common/status.h"

typedef struct monitor {
    void *watched; /* the socket whose events these are; borrowed */
    void *socket;  /* PAIR that they come from; to poll */
} monitor_t;

/* Watches SOCKET, not bound yet, for ACCEPTED and DISCONNECTED. ENDPOINT: inproc, one of its own. False, with
 * errno set, where that fails; the monitor is then to be closed all the same. */
KV_MUST_USE bool monitor_open(monitor_t *monitor, void *zmq_context, void *socket, const char *endpoint);
/* Before the watched socket is closed. */
void monitor_close(monitor_t *monitor);

/* Takes the next event: a connection on descriptor *FD was *ACCEPTED, or is gone. False if there is none.
 */
KV_MUST_USE bool monitor_next(monitor_t *monitor, bool *accepted, int *fd);

#endif
