/* SPDX-License-Identifier: MPL-2.0 */
/* The request socket's connections: which there are, which session each has, how many bytes wait for its
 * peer, and when it is gone. Told by the socket's monitor (descriptors) and by what messages carry
 * (descriptor and serial).
 *
 * A descriptor's number is used again as soon as it is free, so a connection is known by its serial
 * (zap.h). A message of serial s on descriptor d is of d's present connection if s is above the last
 * serial that had been given when d's ACCEPTED was drained; else its connection is gone already.
 *
 * What a peer sent before it died is still read, and belongs to its session. So a session ends only when
 * nothing of its connection can be left in the socket. Three things together say when that is:
 *
 * 1. libzmq hands over the last messages of a connection before it closes its descriptor (but after the
 *    DISCONNECTED event, if the peer broke the protocol or its input stood still). So a connection is
 *    CONNECTION_GONE when its descriptor is closed, or used again; until then it is CONNECTION_LEAVING.
 * 2. libzmq looks at handed-over messages only now and then, so it is made to look when a connection is gone.
 * 3. From there on the connection stands in the round in which libzmq takes one message from each that has
 *    one. A round takes at most one message from each connection that is there: open, leaving, or gone with
 *    something left. A connection with something left is served in this round or in the next. So it has
 *    nothing left if the socket was read empty, or if two rounds' worth of messages came without one of it.
 *
 * Hence every connection has its record from ACCEPTED on, even if it never sent a message: it takes its turn
 * in the rounds when it is gone. */
#ifndef KV_BROKER_NET_CONNECTIONS_H
#define KV_BROKER_NET_CONNECTIONS_H

#include <stdatomic.h>

#include "broker/net/listeners.h"
#include "common/status.h"

struct session;

/* Bytes on their way to a peer. Outlives its connection until libzmq has let go of every message. */
typedef struct send_budget {
    atomic_size_t bytes;
    atomic_uint holders; /* the connection, and each message */
} send_budget_t;

typedef enum connection_state {
    CONNECTION_OPEN,
    CONNECTION_LEAVING, /* its end was told; libzmq may still hand over what it sent */
    CONNECTION_GONE     /* libzmq is done with it; what it sent may still be there to read */
} connection_state_t;

typedef struct connection {
    uint64_t serial; /* 0: no message of it came yet */
    int fd;
    connection_state_t state;
    bool cut;                       /* closed by the broker: its further messages are ignored */
    struct session *session;        /* NULL: none, or ended */
    send_budget_t *budget;          /* NULL: no message of it came yet */
    size_t uncharged;               /* bytes of messages on their way that `budget` does not count: see
                                       request_socket_send */
    struct connection *next;        /* of the same descriptor */
    struct connection *next_hashed; /* of the same place in the table of serials */
    struct connection *next_lost;   /* of the same state, if that is not CONNECTION_OPEN */
    uint64_t quiet_since; /* CONNECTION_GONE: number of payloads read in all when it was seen to be, or when
                             the last of it was */
} connection_t;

typedef struct connections connections_t;

/* Called for a connection that is gone, when nothing of it is left to read; it is freed after that. */
typedef void connections_lost_fn(void *context, connection_t *connection);

/* Watches SOCKET, a libzmq socket that is not bound yet, through a monitor in ZMQ_CONTEXT. ENDPOINTS (COUNT
 * texts, borrowed): where it will be bound, written before the first connections_drain. NULL if that
 * fails. */
KV_MUST_USE connections_t *connections_new(void *zmq_context, void *socket, char (*endpoints)[ENDPOINT_SIZE],
                                           unsigned count);
void connections_destroy(connections_t **connections);

/* The monitor's socket, to poll. */
void *connections_socket(connections_t *connections);
/* Drains the monitor. LAST_SERIAL is the serial given last. Call it each turn: a monitor that is not read
 * stalls all I/O. */
void connections_drain(connections_t *connections, uint64_t last_serial);

/* The connection of a message with this serial, if one has come before. Counts the message then. */
connection_t *connections_of_serial(connections_t *connections, uint64_t serial);
/* The connection of a message with this descriptor and serial, the first with it. Counts the message. NULL if
 * memory is refused; then the connection is closed. */
connection_t *connections_of_message(connections_t *connections, int fd, uint64_t serial);
/* Ends connections that are gone and of which nothing is left: all of them where the socket was just read
 * EMPTY, else those that were passed over for two rounds; a bounded number. Returns whether some are left.
 */
bool connections_settle(connections_t *connections, bool empty, connections_lost_fn *lost, void *context);

/* Bytes that waited for peers that left, in all. */
uint64_t connections_dropped(const connections_t *connections);

/* Closes a connection under its peer: nothing more is read from it or sent on it. */
void connection_cut(connection_t *connection);

/* Writes the address at which the peer reached the broker, without a port (IPv6 in brackets, but an IPv4
 * address as such); empty over ipc. */
void connection_local(const connection_t *connection, char *text, size_t text_size);

/* Lets go of a send budget, by any thread. */
void send_budget_release(send_budget_t *budget);

#endif
