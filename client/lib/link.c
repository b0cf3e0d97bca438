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
    /* The monitor's events that a link needs. Not an attempt to connect again: its time never comes. */
    MONITOR_EVENTS = ZMQ_EVENT_ALL & ~ZMQ_EVENT_MONITOR_STOPPED & ~ZMQ_EVENT_CONNECT_RETRIED,
    /* Milliseconds before libzmq connects again: 24 days, and a link that broke is closed with the next call.
       It cannot be told never to (-1): it then drops what it has received when the connection ends, an
       answer sent right before that. */
    RECONNECT_MS = INT_MAX
};

struct link {
    void *socket;       /* the DEALER */
    void *monitor;      /* PAIR, reads the DEALER's events */
    int wake;           /* epoll, readable as the descriptors of both are */
    link_state_t state; /* as far as the monitor was read */
    bool begun;         /* there was an event */
    int fd;             /* the connection's descriptor, libzmq's; -1 = none */
    struct stat file;   /* what is behind it */
};

/* What an event of the monitor makes of a link that is connecting and of one that is up. An event that is not
 * here changes nothing. */
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

/* Each socket's monitor needs an address of its own in the context: the socket's place in memory is one, as
 * nothing else has it while the socket lives. The reader is made first: a monitor that has none can never be
 * stopped, as its last event waits to be read. */
static bool monitor_open(void *context, link_t *link)
{
    char address[64];
    (void)snprintf(address, sizeof address, "inproc://kvzmq-monitor-%p", link->socket);
    link->monitor = zmq_socket(context, ZMQ_PAIR);
    return link->monitor != NULL && socket_set_int(link->monitor, ZMQ_LINGER, 0) &&
           zmq_socket_monitor(link->socket, address, MONITOR_EVENTS) == 0 &&
           zmq_connect(link->monitor, address) == 0;
}

/* Adds the descriptor of SOCKET, libzmq's. */
static bool wake_add(link_t *link, void *socket)
{
    int fd;
    size_t size = sizeof fd;
    struct epoll_event event = {.events = EPOLLIN};
    return zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0 &&
           epoll_ctl(link->wake, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* One descriptor for both sockets: the DEALER's does not tell that the connection broke. */
static bool wake_open(link_t *link)
{
    link->wake = epoll_create1(EPOLL_CLOEXEC);
    return link->wake >= 0 && wake_add(link, link->socket) && wake_add(link, link->monitor);
}

/* With signals blocked: a signal would make any of libzmq's calls here fail with EINTR, half done. */
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

/* Notes which descriptor the connection has: an event that says it was opened carries it. */
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
    /* The number may belong to another file by now: libzmq reports later than it closes. */
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
    bool part = false; /* of a message of several frames */
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
