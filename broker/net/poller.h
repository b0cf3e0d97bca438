/* SPDX-License-Identifier: MPL-2.0 */
/* Sleeps until one of a few libzmq sockets has messages, with one poll(2). zmq_poll(3) asks libzmq about
 * every socket twice each time, which takes thousands of instructions and a system call for each.
 *
 * libzmq makes a socket's descriptor (ZMQ_FD) readable when there is news, but any call on the socket may
 * take that news away, zmq_send(3) too. So a socket that was used since it was last read until it was empty
 * must be asked (ZMQ_EVENTS) before a thread sleeps on its descriptor: zmq_getsockopt(3), ZMQ_FD. */
#ifndef KV_BROKER_NET_POLLER_H
#define KV_BROKER_NET_POLLER_H

#include <poll.h>

#include "common/status.h"

enum { POLLER_MAX = 8 }; /* sockets and descriptors */

/* All zero: empty. */
typedef struct poller {
    struct pollfd fds[POLLER_MAX];
    void *sockets[POLLER_MAX]; /* borrowed; NULL if only a descriptor was added */
    unsigned count;
} poller_t;

/* Adds a libzmq SOCKET (borrowed). The first that is added is number 0, and so on. False if libzmq does not
 * give its descriptor. */
KV_MUST_USE bool poller_add(poller_t *poller, void *socket);
/* Adds the descriptor FD (borrowed), which is not a libzmq socket's. */
void poller_add_fd(poller_t *poller, int fd);

/* Waits at most LIMIT_MS, or until one of them has news or a signal comes. ASK: bit I tells that socket I
 * must be asked, see above. Returns those with news: a socket of ASK has a message to read; any other one, or
 * a descriptor, may have. */
KV_MUST_USE unsigned poller_wait(poller_t *poller, unsigned ask, long limit_ms);

#endif
