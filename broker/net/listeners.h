/* SPDX-License-Identifier: MPL-2.0 */
/* What the request socket and the event socket have in common: options, and the endpoints that they listen
 * on. */
#ifndef KV_BROKER_NET_LISTENERS_H
#define KV_BROKER_NET_LISTENERS_H

#include <stddef.h>
#include <sys/socket.h>

#include "broker/core/settings.h"
#include "broker/net/ipc_file.h"
#include "common/limits.h"
#include "common/status.h"

enum { SOCKET_HANDSHAKE_MS = 5000 }; /* a connection is closed if its handshake takes longer */

/* A socket option whose value is an int, zmq_setsockopt(3). */
typedef struct socket_option {
    int name;
    int value;
} socket_option_t;

/* Sets COUNT options. Returns false with errno set at the first failure. */
KV_MUST_USE bool socket_options_set(void *socket, const socket_option_t *options, size_t count);

enum { ENDPOINT_SIZE = LIMIT_ENDPOINT + 1 }; /* bytes of an endpoint's text with its terminating zero */

/* Says why an endpoint cannot be bound (ERROR, an errno), and what to do about it. */
const char *endpoint_advice(int error);

/* Endpoints that a socket can be bound to. */
typedef struct endpoint_list {
    char **endpoints;
    unsigned count;
} endpoint_list_t;

/* Where a socket listens. */
typedef struct listeners {
    const char *what;            /* "requests" or "events", for messages */
    unsigned count;              /* of endpoints */
    ipc_access_t access;         /* who may connect to an ipc path */
    char (*real)[ENDPOINT_SIZE]; /* the endpoints with real ports and absolute paths; owned */
    ipc_file_t **files;          /* one for each ipc path, NULL for other endpoints; owned */
} listeners_t;

/* Makes room for COUNT endpoints. Returns false if memory is refused. Call listeners_release even then. */
KV_MUST_USE bool listeners_init(listeners_t *listeners, const char *what, unsigned count,
                                const settings_t *settings);
/* Releases the paths. The socket may be open or closed. */
void listeners_release(listeners_t *listeners);

/* Binds SOCKET to the endpoints in WANTED (as many as listeners_init made room for) and logs where it
 * listens. Returns false with one line in PROBLEM if one cannot be bound. */
KV_MUST_USE bool listeners_bind(void *socket, listeners_t *listeners, char *const *wanted, char *problem,
                                size_t problem_size);

/* Whether ADDRESS, the local end of a connection, belongs to one of COUNT endpoints: the port or the path is
 * the same. Requires that the bytes of ADDRESS that getsockname(2) did not write are zero. */
KV_MUST_USE bool listeners_contain(char (*real)[ENDPOINT_SIZE], unsigned count,
                                   const struct sockaddr_storage *address);

/* Whether FD is open and is a connection that belongs to one of COUNT endpoints. */
KV_MUST_USE bool listeners_connected(char (*real)[ENDPOINT_SIZE], unsigned count, int fd);

/* Closes the connection on FD from the broker's side, if it belongs to one of COUNT endpoints. libzmq owns FD
 * and may have reused it for another connection: then an innocent peer is closed and has to reconnect. May be
 * called by any thread. */
void listeners_shut(char (*real)[ENDPOINT_SIZE], unsigned count, int fd);

#endif
