/* SPDX-License-Identifier: MPL-2.0 */
/* Owns a DEALER socket and its monitor. */
#include "client/lib/link.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/lib/system.h"
#include "common/monitor_frame.h"

enum {
    /* The monitor events that a link needs. Without CONNECT_RETRIED: a link never retries. */
    MONITOR_EVENTS = ZMQ_EVENT_ALL & ~ZMQ_EVENT_MONITOR_STOPPED & ~ZMQ_EVENT_CONNECT_RETRIED,
    /* Milliseconds before libzmq reconnects: 24 days. The next call closes a broken link long before. Not -1
       (never reconnect): libzmq would then discard messages that it has received when the connection ends,
       such as an answer that was sent right before. */
    RECONNECT_MS = INT_MAX
};

struct link {
    void *socket;       /* the DEALER */
    void *monitor;      /* PAIR, receives the DEALER's monitor events */
    int wake;           /* epoll of the descriptors of both sockets */
    link_state_t state; /* after the monitor events read so far */
    bool begun;         /* an event has come */
    int fd;             /* the connection's descriptor, libzmq's; -1 = none */
    struct stat file;   /* identifies the file of `fd` */
};

/* The state after a monitor event, for a link that is connecting and for one that is up. Other events change
 * nothing. */
static const struct {
    uint16_t event;
    link_state_t connecting;
    link_state_t up;
} transitions[] = {
    {ZMQ_EVENT_CONNECTED, LINK_ACCEPTED, LINK_UP},
    {ZMQ_EVENT_HANDSHAKE_SUCCEEDED, LINK_UP, LINK_UP},
    {ZMQ_EVENT_CLOSED, LINK_REFUSED, LINK_BROKEN},
    {ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, LINK_FOREIGN, LINK_BROKEN},
    {ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, LINK_FOREIGN, LINK_BROKEN},
    {ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, LINK_FOREIGN, LINK_BROKEN},
    {ZMQ_EVENT_DISCONNECTED, LINK_FOREIGN, LINK_BROKEN},
};

static bool dealer_prepare(void *socket, bytes_t identity, unsigned answers)
{
    return socket_prepare(socket) && socket_set_int(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS) &&
           socket_set_int(socket, ZMQ_SNDHWM, 0) && /* the connection bounds what is in flight */
           socket_set_int(socket, ZMQ_RCVHWM, (int)answers + LINK_PUSHES) &&
           (identity.size == 0 || socket_set_bytes(socket, ZMQ_ROUTING_ID, identity));
}

/* The monitor's address must be unique in the context; the socket's address in memory is unique while the
 * socket exists. Make the reading socket first: a monitor without a reader cannot be stopped, because its
 * last event waits to be read. */
static bool monitor_open(void *context, link_t *link)
{
    char address[64];
    (void)snprintf(address, sizeof address, "inproc://kvzmq-monitor-%p", link->socket);
    link->monitor = zmq_socket(context, ZMQ_PAIR);
    return link->monitor != NULL && socket_set_int(link->monitor, ZMQ_LINGER, 0) &&
           zmq_socket_monitor(link->socket, address, MONITOR_EVENTS) == 0 &&
           zmq_connect(link->monitor, address) == 0;
}

/* Adds the descriptor of SOCKET to `wake`. */
static bool wake_add(link_t *link, void *socket)
{
    int fd;
    size_t size = sizeof fd;
    struct epoll_event event = {.events = EPOLLIN};
    return zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0 &&
           epoll_ctl(link->wake, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* One descriptor for both sockets: that of the DEALER alone does not show that the connection broke. */
static bool wake_open(link_t *link)
{
    link->wake = epoll_create1(EPOLL_CLOEXEC);
    return link->wake >= 0 && wake_add(link, link->socket) && wake_add(link, link->monitor);
}

/* Call it with signals blocked: a signal would make libzmq's calls fail with EINTR, half done. */
static status_t open_link(void *context, const char *endpoint, bytes_t identity, unsigned answers,
                          link_t **link)
{
    status_t status = STATUS_RESOURCE_EXHAUSTED;
    link_t *made = calloc(1, sizeof *made);
    if (made == NULL)
        goto cleanup;
    made->fd = -1;
    made->wake = -1;
    made->socket = zmq_socket(context, ZMQ_DEALER);
    if (made->socket == NULL || !dealer_prepare(made->socket, identity, answers) ||
        !socket_address_family(made->socket, endpoint) || !monitor_open(context, made) || !wake_open(made))
        goto cleanup;
    if (zmq_connect(made->socket, endpoint) != 0) {
        bool refused = errno == ENOMEM || errno == EMFILE || errno == EMTHREAD;
        status = refused ? STATUS_RESOURCE_EXHAUSTED : STATUS_INVALID_ARGUMENT;
        goto cleanup;
    }
    *link = made;
    return STATUS_OK;

cleanup:
    link_destroy(&made);
    return status;
}

status_t link_new(void *context, const char *endpoint, bytes_t identity, unsigned answers, link_t **link)
{
    sigset_t before;
    system_signals_block(&before);
    status_t status = open_link(context, endpoint, identity, answers, link);
    system_signals_restore(&before);
    return status;
}

void link_destroy(link_t **link)
{
    link_t *gone = *link;
    sigset_t before;
    *link = NULL;
    if (gone == NULL)
        return;
    system_signals_block(&before);
    if (gone->wake >= 0)
        (void)close(gone->wake);
    if (gone->socket != NULL) {
        (void)zmq_socket_monitor(gone->socket, NULL, 0);
        (void)zmq_close(gone->socket);
    }
    if (gone->monitor != NULL)
        (void)zmq_close(gone->monitor);
    system_signals_restore(&before);
    free(gone);
}

/* Remembers the connection's descriptor, which is in the event CONNECTED. */
static void note_descriptor(link_t *link, uint16_t event, int32_t number)
{
    if (event == ZMQ_EVENT_CONNECTED && fstat(number, &link->file) == 0)
        link->fd = number;
    else if (event == ZMQ_EVENT_DISCONNECTED || event == ZMQ_EVENT_CLOSED)
        link->fd = -1;
}

void link_abandon(link_t **link)
{
    link_t *gone = *link;
    struct stat file;
    *link = NULL;
    if (gone == NULL)
        return;
    (void)close(gone->wake);
    /* The number may already belong to another file: libzmq closes a descriptor before it reports that. */
    if (gone->fd >= 0 && fstat(gone->fd, &file) == 0 && S_ISSOCK(file.st_mode) &&
        file.st_dev == gone->file.st_dev && file.st_ino == gone->file.st_ino)
        (void)close(gone->fd);
    system_abandon(gone);
}

static void apply(link_t *link, uint16_t event)
{
    if (link->state >= LINK_REFUSED)
        return;
    for (size_t i = 0; i < sizeof transitions / sizeof transitions[0]; i++)
        if (transitions[i].event == event) {
            link->state = link->state == LINK_UP ? transitions[i].up : transitions[i].connecting;
            return;
        }
}

/* Takes the monitor's next event. False if there is none. */
static bool monitor_next(link_t *link, uint16_t *event, int32_t *number)
{
    payload_t frame;
    if (!socket_receive(link->monitor, &frame))
        return false;
    bool read = monitor_frame_read(payload_bytes(&frame), event, number);
    payload_release(&frame);
    if (socket_receive(link->monitor, &frame)) /* the address */
        payload_release(&frame);
    return read;
}

link_state_t link_state(link_t *link)
{
    uint16_t event;
    int32_t number;
    while (monitor_next(link, &event, &number)) {
        link->begun = true;
        note_descriptor(link, event, number);
        apply(link, event);
    }
    return link->state;
}

bool link_stillborn(const link_t *link)
{
    return !link->begun;
}

bool link_wait(link_t *link, int64_t timeout_ms)
{
    zmq_pollitem_t items[] = {{.socket = link->socket, .events = ZMQ_POLLIN},
                              {.socket = link->monitor, .events = ZMQ_POLLIN}};
    return zmq_poll(items, 2, system_poll_ms(timeout_ms)) >= 0 || errno != EINTR;
}

bool link_pause(int64_t timeout_ms)
{
    return poll(NULL, 0, system_poll_ms(timeout_ms)) >= 0 || errno != EINTR;
}

status_t link_send(link_t *link, bytes_t payload)
{
    zmq_msg_t message;
    if (zmq_msg_init_size(&message, payload.size) != 0)
        return STATUS_RESOURCE_EXHAUSTED;
    if (payload.size > 0)
        memcpy(zmq_msg_data(&message), payload.data, payload.size);
    int sent;
    do
        sent = zmq_msg_send(&message, link->socket, ZMQ_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return STATUS_OK;
    (void)zmq_msg_close(&message);
    return STATUS_UNAVAILABLE;
}

bool link_receive(link_t *link, payload_t *payload)
{
    bool part = false; /* reading a message of several frames */
    while (socket_receive(link->socket, payload)) {
        bool more = payload_more(payload);
        if (!part && !more)
            return true;
        part = more;
        payload_release(payload);
    }
    return false;
}

int link_fd(const link_t *link)
{
    return link->wake;
}

bool link_readable(link_t *link)
{
    int events = 0;
    size_t size = sizeof events;
    int failed;
    do
        failed = zmq_getsockopt(link->socket, ZMQ_EVENTS, &events, &size);
    while (failed != 0 && errno == EINTR);
    return failed == 0 && (events & ZMQ_POLLIN) != 0;
}
