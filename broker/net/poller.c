/* SPDX-License-Identifier: MPL-2.0 */
/* Owns what is waited for. */
#include "broker/net/poller.h"

#include <assert.h>
#include <errno.h>
#include <zmq.h>

void poller_add_fd(poller_t *poller, int fd)
{
    assert(poller->count < POLLER_MAX);
    poller->fds[poller->count++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

bool poller_add(poller_t *poller, void *socket)
{
    int fd;
    size_t size = sizeof fd;
    if (zmq_getsockopt(socket, ZMQ_FD, &fd, &size) != 0)
        return false;
    poller->sockets[poller->count] = socket;
    poller_add_fd(poller, fd);
    return true;
}

static bool has_message(void *socket)
{
    int events = 0;
    size_t size = sizeof events;
    return zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN) != 0;
}

unsigned poller_wait(poller_t *poller, unsigned ask, long limit_ms)
{
    unsigned news = 0;
    for (; ask != 0; ask &= ask - 1) {
        unsigned i = (unsigned)__builtin_ctz(ask);
        if (has_message(poller->sockets[i]))
            news |= 1U << i;
    }
    int ready = poll(poller->fds, poller->count, news != 0 ? 0 : (int)limit_ms);
    assert(ready >= 0 || errno == EINTR);
    for (unsigned i = 0; ready > 0 && i < poller->count; i++) {
        if (poller->fds[i].revents != 0)
            news |= 1U << i;
    }
    return news;
}
