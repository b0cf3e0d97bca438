/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the table of descriptors and the monitor. */
#include "broker/connections.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/monitor.h"

enum {
    DESCRIPTORS_STEP = 1024, /* the table grows by so many */
    QUIET_FLOOR = 64         /* see connections_settle */
};

static const char monitor_endpoint[] = "inproc://requests.monitor";

typedef struct descriptor {
    bool open;
    uint64_t floor;            /* last serial given when its present connection was accepted */
    connection_t *connections; /* newest first; at most one is not lost */
} descriptor_t;

struct connections {
    monitor_t monitor;         /* of the request socket */
    descriptor_t *descriptors; /* by number */
    size_t size;               /* of `descriptors` */
    size_t open;               /* accepted and not closed */
    connection_t *lost;
    uint64_t messages; /* payloads read in all */
};

void outlet_release(outlet_t *outlet)
{
    if (atomic_fetch_sub(&outlet->holders, 1) == 1)
        free(outlet);
}

connections_t *connections_new(void *zmq_context, void *socket)
{
    connections_t *connections = calloc(1, sizeof *connections);
    if (!connections)
        return NULL;
    if (!monitor_open(&connections->monitor, zmq_context, socket, monitor_endpoint))
        connections_destroy(&connections);
    return connections;
}

static void connection_free(connection_t *connection)
{
    outlet_release(connection->outlet);
    free(connection);
}

void connections_destroy(connections_t **self)
{
    connections_t *connections = *self;
    if (!connections)
        return;
    monitor_close(&connections->monitor);
    for (size_t i = 0; i < connections->size; i++) {
        while (connections->descriptors[i].connections) {
            connection_t *connection = connections->descriptors[i].connections;
            connections->descriptors[i].connections = connection->next;
            connection_free(connection);
        }
    }
    free(connections->descriptors);
    free(connections);
    *self = NULL;
}

void *connections_socket(connections_t *connections)
{
    return connections->monitor.socket;
}

/* The descriptor numbered FD, its row made where the table is too short. NULL where memory is refused. */
static descriptor_t *descriptor_at(connections_t *connections, int fd)
{
    size_t index = (size_t)fd;
    if (index >= connections->size) {
        size_t size = (index / DESCRIPTORS_STEP + 1) * DESCRIPTORS_STEP;
        descriptor_t *grown = realloc(connections->descriptors, size * sizeof *grown);
        if (!grown)
            return NULL;
        memset(grown + connections->size, 0, (size - connections->size) * sizeof *grown);
        connections->descriptors = grown;
        connections->size = size;
    }
    return &connections->descriptors[index];
}

static void connection_lose(connections_t *connections, connection_t *connection)
{
    connection->lost = true;
    connection->quiet_since = connections->messages;
    connection->next_lost = connections->lost;
    connections->lost = connection;
}

static void descriptor_lose(connections_t *connections, descriptor_t *descriptor)
{
    for (connection_t *connection = descriptor->connections; connection; connection = connection->next) {
        if (!connection->lost)
            connection_lose(connections, connection);
    }
}

static void event_apply(connections_t *connections, bool open, int fd, uint64_t last_serial)
{
    descriptor_t *descriptor = fd >= 0 ? descriptor_at(connections, fd) : NULL;
    if (!descriptor)
        return;
    descriptor_lose(connections, descriptor);
    if (descriptor->open != open)
        connections->open += open ? 1 : (size_t)-1;
    descriptor->open = open;
    if (open)
        descriptor->floor = last_serial;
}

void connections_drain(connections_t *connections, uint64_t last_serial)
{
    bool accepted;
    int fd;
    while (monitor_next(&connections->monitor, &accepted, &fd))
        event_apply(connections, accepted, fd, last_serial);
}

connection_t *connections_of_message(connections_t *connections, int fd, uint64_t serial)
{
    connections->messages++;
    descriptor_t *descriptor = fd >= 0 ? descriptor_at(connections, fd) : NULL;
    if (!descriptor)
        return NULL;
    connection_t *connection = descriptor->connections;
    while (connection && connection->serial != serial)
        connection = connection->next;
    if (connection) {
        connection->quiet_since = connections->messages;
        return connection;
    }
    connection = calloc(1, sizeof *connection);
    outlet_t *outlet = calloc(1, sizeof *outlet);
    if (!connection || !outlet) {
        free(connection);
        free(outlet);
        return NULL;
    }
    atomic_init(&outlet->holders, 1);
    *connection =
        (connection_t){.serial = serial, .fd = fd, .outlet = outlet, .next = descriptor->connections};
    if (!descriptor->open || serial <= descriptor->floor)
        connection_lose(connections, connection);
    else
        descriptor_lose(connections, descriptor);
    descriptor->connections = connection;
    return connection;
}

static void connection_unlink(connections_t *connections, connection_t *connection)
{
    connection_t **link = &connections->descriptors[connection->fd].connections;
    while (*link != connection)
        link = &(*link)->next;
    *link = connection->next;
}

void connections_settle(connections_t *connections, bool empty, connections_lost_fn *lost, void *context)
{
    /* libzmq takes one message from each connection in turn: one that was not served while all the others
     * could have been, twice, has nothing left. */
    uint64_t quiet = 2 * connections->open + QUIET_FLOOR;
    connection_t **link = &connections->lost;
    while (*link) {
        connection_t *connection = *link;
        if (!empty && connections->messages - connection->quiet_since <= quiet) {
            link = &connection->next_lost;
            continue;
        }
        *link = connection->next_lost;
        lost(context, connection);
        connection_unlink(connections, connection);
        connection_free(connection);
    }
}

void connection_cut(connection_t *connection)
{
    connection->cut = true;
    if (!connection->lost)
        shutdown(connection->fd, SHUT_RDWR);
}
