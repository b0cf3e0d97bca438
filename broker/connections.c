/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the table of descriptors and the monitor. */
#include "broker/connections.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/fd_table.h"
#include "broker/monitor.h"

enum {
    SETTLE_MAX =
        256, /* connections that are ended in one turn: some milliseconds, with a line of the log each */
    QUIET_FLOOR = 64 /* see connections_settle */
};

static const char monitor_endpoint[] = "inproc://requests.monitor";

typedef struct descriptor {
    bool open;
    uint64_t floor;            /* last serial given when its present connection was accepted */
    connection_t *connections; /* newest first; at most one is not lost */
} descriptor_t;

struct connections {
    monitor_t monitor;      /* of the request socket */
    fd_table_t descriptors; /* descriptor_t */
    size_t open;            /* accepted and not closed */
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
    fd_table_init(&connections->descriptors, sizeof(descriptor_t));
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
    descriptor_t *descriptors = connections->descriptors.rows;
    for (size_t i = 0; i < connections->descriptors.count; i++) {
        while (descriptors[i].connections) {
            connection_t *connection = descriptors[i].connections;
            descriptors[i].connections = connection->next;
            connection_free(connection);
        }
    }
    fd_table_release(&connections->descriptors);
    free(connections);
    *self = NULL;
}

void *connections_socket(connections_t *connections)
{
    return connections->monitor.socket;
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
    descriptor_t *descriptor = fd_table_at(&connections->descriptors, fd);
    if (!descriptor)
        return;
    descriptor_lose(connections, descriptor);
    connections->open += open;
    connections->open -= descriptor->open;
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
    descriptor_t *descriptor = fd_table_at(&connections->descriptors, fd);
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
    descriptor_t *descriptors = connections->descriptors.rows;
    connection_t **link = &descriptors[connection->fd].connections;
    while (*link != connection)
        link = &(*link)->next;
    *link = connection->next;
}

bool connections_settle(connections_t *connections, bool empty, connections_lost_fn *lost, void *context)
{
    /* libzmq takes one message from each connection in turn: one that was not served while all the others
     * could have been, twice, has nothing left. */
    uint64_t quiet = 2 * connections->open + QUIET_FLOOR;
    unsigned ended = 0;
    connection_t **link = &connections->lost;
    while (*link && ended < SETTLE_MAX) {
        connection_t *connection = *link;
        if (!empty && connections->messages - connection->quiet_since <= quiet) {
            link = &connection->next_lost;
            continue;
        }
        *link = connection->next_lost;
        lost(context, connection);
        connection_unlink(connections, connection);
        connection_free(connection);
        ended++;
    }
    return connections->lost != NULL;
}

void connection_cut(connection_t *connection)
{
    connection->cut = true;
    if (!connection->lost)
        shutdown(connection->fd, SHUT_RDWR);
}

void connection_local(const connection_t *connection, char *text, size_t text_size)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    char host[INET6_ADDRSTRLEN] = "";
    text[0] = '\0';
    if (connection->lost || getsockname(connection->fd, (struct sockaddr *)&address, &size) != 0)
        return;
    const struct in6_addr *wide = &((struct sockaddr_in6 *)&address)->sin6_addr;
    const void *narrow = NULL; /* an IPv4 address, also where the socket takes both kinds */
    if (address.ss_family == AF_INET)
        narrow = &((struct sockaddr_in *)&address)->sin_addr;
    else if (address.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(wide))
        narrow = &wide->s6_addr[12];
    if (narrow && inet_ntop(AF_INET, narrow, host, sizeof host))
        snprintf(text, text_size, "%s", host);
    else if (address.ss_family == AF_INET6 && inet_ntop(AF_INET6, wide, host, sizeof host))
        snprintf(text, text_size, "[%s]", host);
}
