/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the table of descriptors and the monitor. */
#include "broker/net/connections.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <zmq.h>

#include "broker/net/fd_table.h"
#include "broker/net/monitor.h"
#include "common/log.h"

enum {
    SETTLE_MAX = 256, /* connections that one turn ends: some milliseconds, with a log line for each */
    TABLE_MIN = 64,   /* places of the first table of serials */
    ROUNDS = 2        /* rounds of libzmq in which every connection with messages is served: connections.h */
};

static const char monitor_endpoint[] = "inproc://requests.monitor";

typedef struct descriptor {
    bool open;
    uint64_t floor;            /* the last serial given before its present connection was accepted */
    connection_t *connections; /* newest first; at most one is open */
} descriptor_t;

struct connections {
    monitor_t monitor;                /* of the request socket */
    char (*endpoints)[ENDPOINT_SIZE]; /* of the request socket; borrowed */
    unsigned endpoint_count;
    fd_table_t descriptors; /* descriptor_t */
    connection_t **table;   /* hash table of connections by serial, with lists; NULL = none was needed yet */
    size_t places;          /* lists in the table: a power of 2 */
    size_t hashed;          /* connections in the table */
    size_t count;           /* connections of every state */
    size_t unheard;         /* of them, those without a serial */
    connection_t *leaving;
    connection_t *gone;
    uint64_t messages; /* payloads read since the start */
    uint64_t dropped;  /* bytes that peers left unread when they went, since the start */
};

void send_budget_release(send_budget_t *budget)
{
    if (atomic_fetch_sub(&budget->holders, 1) == 1)
        free(budget);
}

connections_t *connections_new(void *zmq_context, void *socket, char (*endpoints)[ENDPOINT_SIZE],
                               unsigned count)
{
    connections_t *connections = calloc(1, sizeof *connections);
    if (connections == NULL)
        return NULL;
    connections->endpoints = endpoints;
    connections->endpoint_count = count;
    fd_table_init(&connections->descriptors, sizeof(descriptor_t));
    if (!monitor_open(&connections->monitor, zmq_context, socket, monitor_endpoint))
        connections_destroy(&connections);
    return connections;
}

/* ---- Serials ---------------------------------------------------------------------------------- */

/* Serials are consecutive, so their low bits are a good hash. */
static connection_t **place_of(const connections_t *connections, uint64_t serial)
{
    return &connections->table[serial & (connections->places - 1)];
}

/* Doubles the table. If memory is refused, its lists only become longer. */
static void table_grow(connections_t *connections)
{
    size_t places = connections->places == 0 ? TABLE_MIN : connections->places * 2;
    connection_t **table = calloc(places, sizeof *table);
    if (table == NULL)
        return;
    for (size_t i = 0; i < connections->places; i++) {
        for (connection_t *next, *connection = connections->table[i]; connection != NULL; connection = next) {
            next = connection->next_hashed;
            connection->next_hashed = table[connection->serial & (places - 1)];
            table[connection->serial & (places - 1)] = connection;
        }
    }
    free(connections->table);
    connections->table = table;
    connections->places = places;
}

static void table_add(connections_t *connections, connection_t *connection)
{
    if (connections->hashed >= connections->places)
        table_grow(connections);
    if (connections->table == NULL)
        return; /* connections_of_message still finds it by its descriptor */
    connection_t **place = place_of(connections, connection->serial);
    connection->next_hashed = *place;
    *place = connection;
    connections->hashed++;
}

static void table_remove(connections_t *connections, const connection_t *connection)
{
    if (connections->table == NULL)
        return;
    connection_t **link = place_of(connections, connection->serial);
    while (*link != NULL && *link != connection)
        link = &(*link)->next_hashed;
    if (*link == NULL)
        return;
    *link = connection->next_hashed;
    connections->hashed--;
}

connection_t *connections_of_serial(connections_t *connections, uint64_t serial)
{
    if (connections->table == NULL)
        return NULL;
    connection_t *connection = *place_of(connections, serial);
    while (connection != NULL && connection->serial != serial)
        connection = connection->next_hashed;
    if (connection != NULL)
        connection->quiet_since = ++connections->messages;
    return connection;
}

/* ---- Connections ------------------------------------------------------------------------------ */

static void connection_free(connection_t *connection)
{
    if (connection->budget != NULL)
        send_budget_release(connection->budget);
    free(connection);
}

void connections_destroy(connections_t **self)
{
    connections_t *connections = *self;
    if (connections == NULL)
        return;
    monitor_close(&connections->monitor);
    descriptor_t *descriptors = connections->descriptors.rows;
    for (size_t i = 0; i < connections->descriptors.count; i++) {
        while (descriptors[i].connections != NULL) {
            connection_t *connection = descriptors[i].connections;
            descriptors[i].connections = connection->next;
            connection_free(connection);
        }
    }
    fd_table_release(&connections->descriptors);
    free(connections->table);
    free(connections);
    *self = NULL;
}

void connection_cut(connection_t *connection)
{
    connection->cut = true;
    if (connection->state == CONNECTION_OPEN)
        shutdown(connection->fd, SHUT_RDWR);
}

void *connections_socket(connections_t *connections)
{
    return connections->monitor.socket;
}

/* The monitor reported that it closed. */
static void connection_leave(connections_t *connections, connection_t *connection)
{
    connection->state = CONNECTION_LEAVING;
    connection->next_lost = connections->leaving;
    connections->leaving = connection;
}

/* libzmq has moved its last message to the socket's queue. */
static void connection_go(connections_t *connections, connection_t *connection)
{
    connection->state = CONNECTION_GONE;
    connection->quiet_since = connections->messages;
    connection->next_lost = connections->gone;
    connections->gone = connection;
}

static void descriptor_leave(connections_t *connections, descriptor_t *descriptor)
{
    for (connection_t *connection = descriptor->connections; connection != NULL;
         connection = connection->next) {
        if (connection->state == CONNECTION_OPEN)
            connection_leave(connections, connection);
    }
}

/* Makes the record of a connection that was accepted on FD. Returns false if memory is refused. */
static bool connection_add(connections_t *connections, descriptor_t *descriptor, int fd)
{
    connection_t *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return false;
    *connection = (connection_t){.fd = fd, .next = descriptor->connections};
    descriptor->connections = connection;
    connections->count++;
    connections->unheard++;
    return true;
}

static void event_apply(connections_t *connections, bool accepted, int fd, uint64_t last_serial)
{
    descriptor_t *descriptor = fd_table_at(&connections->descriptors, fd);
    if (descriptor != NULL) {
        descriptor_leave(connections, descriptor);
        descriptor->open = accepted && connection_add(connections, descriptor, fd);
        descriptor->floor = last_serial;
    }
    /* Without a record, it could not be told apart from the next connection on the same descriptor. */
    if (accepted && !(descriptor != NULL && descriptor->open)) {
        log_memory("a new connection is closed");
        listeners_shut(connections->endpoints, connections->endpoint_count, fd);
    }
}

/* Whether libzmq is done with a connection that is leaving: its descriptor is closed or reused. If a new
 * connection of this socket reused it and its ACCEPTED event was not read yet, returns false: the event will
 * come soon. */
static bool connection_closed(const connections_t *connections, const connection_t *connection)
{
    const descriptor_t *descriptors = connections->descriptors.rows;
    return descriptors[connection->fd].open ||
           !listeners_connected(connections->endpoints, connections->endpoint_count, connection->fd);
}

/* Marks the leaving connections as gone with which libzmq is done. Returns whether there were any; then it
 * has made libzmq read. */
static bool leaving_review(connections_t *connections)
{
    connection_t **link = &connections->leaving;
    bool some = false;
    while (*link != NULL) {
        connection_t *connection = *link;
        if (!connection_closed(connections, connection)) {
            link = &connection->next_lost;
            continue;
        }
        *link = connection->next_lost;
        connection_go(connections, connection);
        some = true;
    }
    int state;
    size_t size = sizeof state;
    if (some) /* makes libzmq notice the messages that were handed over: point 2 of connections.h */
        (void)zmq_getsockopt(connections->monitor.watched, ZMQ_EVENTS, &state, &size);
    return some;
}

void connections_drain(connections_t *connections, uint64_t last_serial)
{
    bool accepted;
    int fd;
    do
        while (monitor_next(&connections->monitor, &accepted, &fd))
            event_apply(connections, accepted, fd, last_serial);
    while (connections->leaving != NULL && leaving_review(connections));
}

bool connections_unheard(const connections_t *connections)
{
    return connections->unheard > 0;
}

/* Returns the connection of SERIAL on a descriptor. If none has it, gives it to the connection that has no
 * serial yet. NULL if there is none. */
static connection_t *descriptor_find(connections_t *connections, descriptor_t *descriptor, uint64_t serial)
{
    bool present = descriptor->open && serial > descriptor->floor;
    connection_t *unheard = NULL;
    for (connection_t *connection = descriptor->connections; connection != NULL;
         connection = connection->next) {
        if (connection->serial == serial)
            return connection;
        if (connection->serial == 0 && (connection->state == CONNECTION_OPEN) == present)
            unheard = connection;
    }
    if (unheard != NULL) {
        unheard->serial = serial;
        connections->unheard--;
    }
    return unheard;
}

connection_t *connections_of_message(connections_t *connections, int fd, uint64_t serial)
{
    connections->messages++;
    descriptor_t *descriptor = fd_table_at(&connections->descriptors, fd);
    connection_t *connection = descriptor != NULL ? descriptor_find(connections, descriptor, serial) : NULL;
    if (connection == NULL)
        return NULL;
    connection->quiet_since = connections->messages;
    if (connection->budget != NULL)
        return connection;
    connection->budget = calloc(1, sizeof *connection->budget);
    if (connection->budget == NULL) {
        log_memory("a connection is closed at its first request");
        connection_cut(connection);
        return NULL;
    }
    atomic_init(&connection->budget->holders, 1);
    table_add(connections, connection);
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

uint64_t connections_dropped(const connections_t *connections)
{
    return connections->dropped;
}

void connections_settle(connections_t *connections, bool empty, connections_lost_fn *lost, void *context)
{
    /* LOST may drain the monitor, which can add to the list. EMPTY does not hold for these connections, so
     * they must wait for the next call: take the list first. */
    connection_t *list = connections->gone;
    connection_t **link = &list;
    connections->gone = NULL;
    unsigned ended = 0;
    while (*link != NULL && ended < SETTLE_MAX) {
        connection_t *connection = *link;
        if (!empty && connections->messages - connection->quiet_since <= ROUNDS * connections->count) {
            link = &connection->next_lost;
            continue;
        }
        *link = connection->next_lost;
        lost(context, connection);
        if (connection->budget != NULL)
            connections->dropped += atomic_load(&connection->budget->bytes);
        connection_unlink(connections, connection);
        table_remove(connections, connection);
        connections->unheard -= connection->serial == 0;
        connection_free(connection);
        connections->count--;
        ended++;
    }
    while (*link != NULL)
        link = &(*link)->next_lost;
    *link = connections->gone;
    connections->gone = list;
}

bool connections_ending(const connections_t *connections)
{
    return connections->gone != NULL || connections->leaving != NULL;
}

void connection_local(const connection_t *connection, char *text, size_t text_size)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    char host[INET6_ADDRSTRLEN] = "";
    text[0] = '\0';
    if (connection->state != CONNECTION_OPEN ||
        getsockname(connection->fd, (struct sockaddr *)&address, &size) != 0)
        return;
    const struct in6_addr *wide = &((struct sockaddr_in6 *)&address)->sin6_addr;
    const void *narrow = NULL; /* an IPv4 address, maybe from a socket that takes IPv6 too */
    if (address.ss_family == AF_INET)
        narrow = &((struct sockaddr_in *)&address)->sin_addr;
    else if (address.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(wide))
        narrow = &wide->s6_addr[12];
    if (narrow != NULL && inet_ntop(AF_INET, narrow, host, sizeof host) != NULL)
        snprintf(text, text_size, "%s", host);
    else if (address.ss_family == AF_INET6 && inet_ntop(AF_INET6, wide, host, sizeof host) != NULL)
        snprintf(text, text_size, "[%s]", host);
}
