/* SPDX-License-Identifier: MPL-2.0 */
/* What the core needs from the outside. The loop gives it; tests give their own. Every function is set, and
 * gets the context of its group. */
#ifndef KV_BROKER_CORE_OUTLETS_H
#define KV_BROKER_CORE_OUTLETS_H

#include "broker/core/tickets.h"
#include "common/buffer.h"
#include "common/limits.h"

struct connection; /* the transport's: where answers go */

enum { OUTLETS_ENDPOINT_SIZE = LIMIT_ENDPOINT + 1 }; /* bytes of an endpoint's text with its zero */

/* Connections of clients. */
typedef struct transport {
    void *context;
    /* Sends ANSWER (taken; may be empty: an empty payload) on CONNECTION, behind ENVELOPE: a sequence of
     * frames, each its length (4 bytes, this machine's order) and its bytes; empty for a DEALER.
     * RESOURCE_EXHAUSTED if more than limits/outstanding bytes wait there, UNAVAILABLE if memory is
     * refused: nothing was sent, see session_end_for. A connection that is gone is no failure. */
    status_t (*send)(void *context, struct connection *connection, bytes_t identity, bytes_t envelope,
                     buffer_t *answer);
    /* Whether so much waits on CONNECTION that pushes had better wait too. */
    bool (*congested)(void *context, struct connection *connection);
    /* The session on CONNECTION ended by the broker's will, or cannot begin. Forget that it had one; with CUT
     * close it too. */
    void (*release)(void *context, struct connection *connection, bool cut);
} transport_t;

/* The socket that publishes events. */
typedef struct publisher {
    void *context;
    /* How many connections there are that may read events. */
    size_t (*audience)(void *context);
    /* Publishes PAYLOAD (taken) under TOPIC. */
    void (*publish)(void *context, bytes_t topic, buffer_t *payload);
    /* A ticket went void: closes the connections under those that are not in TICKETS, and where STRICT all
     * that may be under one. */
    void (*cut)(void *context, const tickets_t *tickets, bool strict);
    /* Closes those that were there at the last `cut` and have not subscribed since. */
    void (*sweep)(void *context, const tickets_t *tickets);
    /* Writes the endpoint that suits the peer of CONNECTION. */
    void (*endpoint)(void *context, struct connection *connection, char *text, size_t text_size);
} publisher_t;

/* Who verifies passwords, which takes long. */
typedef struct verification {
    void *context;
    /* Has PASSWORD verified against HASH (both copied); hub_verified is called with TICKET later, never from
     * within. False if too many wait for that, or memory is refused. */
    bool (*submit)(void *context, uint64_t ticket, const char *hash, bytes_t password);
    /* Nobody waits for TICKET any more. */
    void (*cancel)(void *context, uint64_t ticket);
} verification_t;

typedef struct outlets {
    transport_t transport;
    publisher_t publisher;
    verification_t verification;
} outlets_t;

#endif
