/* SPDX-License-Identifier: MPL-2.0 */
/* The request socket's connections: which there are, the session of each, how many bytes wait for its peer,
 * and when it is gone. The sources are the socket's monitor (descriptors) and the messages (descriptor and
 * serial).
 *
 * The system reuses a descriptor's number as soon as it is free, so a connection is known by its serial
 * (zap.h). A message with serial s on descriptor d belongs to d's present connection if s is above the last
 * serial that had been given when d's ACCEPTED event was drained. Otherwise its connection is gone already.
 *
 * Messages that a peer sent before it died are still read, and belong to its session. So a session ends only
 * when no message of its connection can be left in the socket. Three facts say when that is:
 *
 * 1. libzmq's I/O thread hands over the last messages of a connection before it closes its descriptor (but
 *    after the DISCONNECTED event, if the peer broke the protocol or its input was stopped). So a connection
 *    is CONNECTION_GONE when its descriptor is closed or reused; until then it is CONNECTION_LEAVING.
 * 2. libzmq notices handed-over messages only now and then, so it is made to look when a connection is gone.
 * 3. From then on the connection takes part in libzmq's round-robin. A round reads at most one message from
 *    each connection: open, leaving, or gone with messages left. A connection with messages left is served in
 *    this round or in the next. So it has none left if the socket was read until it was empty, or if as many
 *    messages as two rounds have were read without one of its own.
 *
 * Hence every connection gets its record at ACCEPTED, even if it never sends a message: the length of a round
 * depends on it.
 *
 * An answer goes to the peer that has the routing id when it is sent. Once libzmq has read the last message
 * of a connection that is gone, another connection can get its routing id, in any later read of the socket.
 * It has sent no message until then, and the DISCONNECTED event of the first one is in the monitor. So if
 * there was such a connection before the socket was read (connections_unheard), the monitor must be drained
 * after that, before anything is sent. A connection that is CONNECTION_OPEN then still has its routing id. */
#ifndef KV_BROKER_NET_CONNECTIONS_H
#define KV_BROKER_NET_CONNECTIONS_H

#include <stdatomic.h>

#include "broker/net/listeners.h"
#include "common/status.h"

struct session;

/* Bytes on their way to a peer. Outlives its connection until libzmq has freed every message. */
typedef struct send_budget {
    atomic_size_t bytes;
    atomic_uint holders; /* the connection, and each message */
} send_budget_t;

typedef enum connection_state {
    CONNECTION_OPEN,
    CONNECTION_LEAVING, /* it closed; libzmq may still hand over messages of it */
    CONNECTION_GONE     /* libzmq is done with it; messages of it may still be unread in the socket */
} connection_state_t;

typedef struct connection {
    uint64_t serial; /* 0 = no message of it came yet */
    int fd;
    connection_state_t state;
    bool cut;                       /* closed by the broker: its further messages are ignored */
    struct session *session;        /* NULL = none, or ended */
    send_budget_t *budget;          /* NULL = no message of it came yet */
    size_t uncharged;               /* bytes of messages on their way that `budget` does not count: see
                                       request_socket_send */
    struct connection *next;        /* on the same descriptor */
    struct connection *next_hashed; /* in the same place of the table of serials */
    struct connection *next_lost;   /* in the same state, if that is not CONNECTION_OPEN */
    uint64_t quiet_since; /* if CONNECTION_GONE: how many payloads had been read in all when it became
                             so, or when its last payload was read */
} connection_t;

typedef struct connections connections_t;

/* Called for a connection that is gone and has no message left to read. It is freed after the call. */
typedef void connections_lost_fn(void *context, connection_t *connection);

/* Watches SOCKET, a libzmq socket that is not bound yet, through a monitor in ZMQ_CONTEXT. ENDPOINTS (COUNT
 * texts, borrowed) are where it will be bound; the caller fills them in before the first connections_drain.
 * Returns NULL on failure. */
KV_MUST_USE connections_t *connections_new(void *zmq_context, void *socket, char (*endpoints)[ENDPOINT_SIZE],
                                           unsigned count);
void connections_destroy(connections_t **connections);

/* The monitor's socket, to poll. */
void *connections_socket(connections_t *connections);
/* Drains the monitor. LAST_SERIAL is the serial that was given last. Call it
 * whenever the monitor may have messages: one that is not read stalls all I/O. */
void connections_drain(connections_t *connections, uint64_t last_serial);

/* Returns the connection of a message by its serial, and counts the message. NULL, and nothing is counted, if
 * this is the first message with the serial: then call connections_of_message. */
connection_t *connections_of_serial(connections_t *connections, uint64_t serial);
/* Returns the connection of the first message with SERIAL, which came on descriptor FD, and counts the
 * message. NULL if memory is refused; then the connection is closed. */
connection_t *connections_of_message(connections_t *connections, int fd, uint64_t serial);
/* Ends connections that are gone and have no message left, a bounded number of them: if the socket was just
 * read until it was EMPTY, any; otherwise those without a message for two rounds. */
void connections_settle(connections_t *connections, bool empty, connections_lost_fn *lost, void *context);
/* Whether connections are leaving or gone. If so, call connections_drain and connections_settle soon: perhaps
 * no event of the monitor will follow. */
KV_MUST_USE bool connections_ending(const connections_t *connections);

/* Whether there is a connection of which no message was read yet. */
bool connections_unheard(const connections_t *connections);

/* Bytes that peers left unread when they went, since the start. */
uint64_t connections_dropped(const connections_t *connections);

/* Closes a connection from the broker's side. Nothing more is read from it or sent on it. */
void connection_cut(connection_t *connection);

/* Writes the broker's address that the peer connected to, without a port: IPv6 in brackets, IPv4 (even mapped
 * into IPv6) without. Empty over ipc. */
void connection_local(const connection_t *connection, char *text, size_t text_size);

/* Drops one reference to a send budget, and frees it with the last. May be called by any thread. */
void send_budget_release(send_budget_t *budget);

#endif
