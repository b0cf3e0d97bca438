/* SPDX-License-Identifier: MPL-2.0 */
/* The request socket's connections: which there are, which session each has, how many bytes wait for its
 * peer, and when it is gone. Told by the socket's monitor (descriptors) and by what messages carry
 * (descriptor and serial).
 *
 * A descriptor's number is used again as soon as it is free, so a connection is known by its serial
 * (admission.h). A message of serial s on descriptor d is of d's present connection where s is above the last
 * serial that had been given when d's ACCEPTED was drained; else its connection is gone already. Requests of
 * a peer that is gone are still read: its session ends when nothing of it can be left in the socket. */
#ifndef KV_BROKER_CONNECTIONS_H
#define KV_BROKER_CONNECTIONS_H

#include <stdatomic.h>

#include "common/status.h"

struct session;

/* Bytes on their way to a peer. Outlives its connection until libzmq has let go of every message. */
typedef struct outlet {
    atomic_size_t bytes;
    atomic_uint holders; /* the connection, and each message */
} outlet_t;

typedef struct connection {
    uint64_t serial;
    int fd;
    bool lost;               /* its peer is gone; what it sent may still be there to read */
    bool cut;                /* closed by the broker: what still comes is passed over */
    struct session *session; /* NULL: none, or ended */
    outlet_t *outlet;
    struct connection *next; /* of the same descriptor */
    struct connection *next_lost;
    uint64_t quiet_since; /* lost: number of payloads read in all when the last of it was */
} connection_t;

typedef struct connections connections_t;

/* Called for a connection that is gone, when nothing of it is left to read; it is freed after that. */
typedef void connections_lost_fn(void *context, connection_t *connection);

/* Watches SOCKET, a libzmq socket that is not bound yet, through a monitor in ZMQ_CONTEXT. NULL where that
 * fails. */
KV_MUST_USE connections_t *connections_new(void *zmq_context, void *socket);
void connections_destroy(connections_t **connections);

/* The monitor's socket, to poll. */
void *connections_socket(connections_t *connections);
/* Drains the monitor. LAST_SERIAL is the serial given last. Call it each turn: a monitor that is not read
 * stalls all I/O. */
void connections_drain(connections_t *connections, uint64_t last_serial);

/* The connection of a message with this descriptor and serial, made where it is new. Counts the message. NULL
 * where memory is refused. */
connection_t *connections_of_message(connections_t *connections, int fd, uint64_t serial);
/* Ends connections whose peers are gone and of which nothing is left: all of them where the socket was just
 * read EMPTY, else those that were passed over often enough; a bounded number. Returns whether some are left.
 */
bool connections_settle(connections_t *connections, bool empty, connections_lost_fn *lost, void *context);

/* Closes a connection under its peer: nothing more is read from it or sent on it. */
void connection_cut(connection_t *connection);

/* Writes the address at which the peer reached the broker, without a port (IPv6 in brackets, but an IPv4
 * address as such); empty over ipc. */
void connection_local(const connection_t *connection, char *text, size_t text_size);

/* Lets go of an outlet, by any thread. */
void outlet_release(outlet_t *outlet);

#endif
