/* SPDX-License-Identifier: MPL-2.0 */
/* What the core needs from the outside. The loop supplies it; tests supply their own. Every function must be
 * set, and gets the context of its group. */
#ifndef KV_BROKER_CORE_OUTLETS_H
#define KV_BROKER_CORE_OUTLETS_H

#include "broker/core/spares.h"
#include "broker/core/tickets.h"
#include "common/buffer.h"
#include "common/limits.h"

struct connection; /* belongs to the transport; answers are sent on it */

enum { OUTLETS_ENDPOINT_SIZE = LIMIT_ENDPOINT + 1 }; /* bytes of an endpoint with its terminating zero */

/* Connections of clients. */
typedef struct transport {
    void *context;
    spares_t *spares; /* memory for answers; outlives all that `send` took. NULL: each is allocated anew */
    /* Sends ENVELOPE and then ANSWER (taken; if empty, the payload is empty) on CONNECTION. IDENTITY is the
     * peer's routing id. ENVELOPE is a sequence of frames, each with its length (4 bytes, native byte order)
     * before its bytes; empty for a DEALER. RESOURCE_EXHAUSTED if more than limits/outstanding bytes wait to
     * be sent there, UNAVAILABLE if memory is refused: nothing was sent, see session_end_for. OK if the
     * connection is gone. */
    status_t (*send)(void *context, struct connection *connection, bytes_t identity, bytes_t envelope,
                     buffer_t *answer);
    /* Whether so much waits to be sent on CONNECTION that pushes should wait. */
    bool (*congested)(void *context, struct connection *connection);
    /* The broker ended the session on CONNECTION, or could not begin one. Forgets the session; if CUT, closes
     * the connection too. */
    void (*release)(void *context, struct connection *connection, bool cut);
} transport_t;

/* The socket that publishes events. */
typedef struct publisher {
    void *context;
    /* How many connections may read events. */
    size_t (*audience)(void *context);
    /* Publishes PAYLOAD (taken) under TOPIC. */
    void (*publish)(void *context, bytes_t topic, buffer_t *payload);
    /* A ticket became void: closes the connections whose tickets are not in TICKETS; if STRICT, also all
     * connections that may belong to such a ticket. */
    void (*cut)(void *context, const tickets_t *tickets, bool strict);
    /* Closes the connections that existed at the last `cut` and have not subscribed since. */
    void (*sweep)(void *context, const tickets_t *tickets);
    /* Writes the event endpoint that the peer of CONNECTION should connect to. */
    void (*endpoint)(void *context, struct connection *connection, char *text, size_t text_size);
} publisher_t;

/* Verifies passwords, which takes long. */
typedef struct verification {
    void *context;
    /* Starts JOB, a number of the caller: to verify PASSWORD against HASH (both copied). hub_verified is
     * called with JOB later, never from within this call. False if too many verifications wait, or memory is
     * refused. */
    bool (*submit)(void *context, uint64_t job, const char *hash, bytes_t password);
    /* The result for JOB is not needed any more. */
    void (*cancel)(void *context, uint64_t job);
} verification_t;

typedef struct outlets {
    transport_t transport;
    publisher_t publisher;
    verification_t verification;
} outlets_t;

#endif
