/* SPDX-License-Identifier: MPL-2.0 */
/* A session: the time that one connection spends with the broker, PROTOCOL.md section 3. Owns who it is
 * (client, role, account) and the payloads queued behind one that waits. Other modules keep their state of a
 * session here too: session_t says which file writes which field. Knows no sockets: its connection is an
 * opaque pointer. */
#ifndef KV_BROKER_CORE_SESSION_H
#define KV_BROKER_CORE_SESSION_H

#include "broker/core/arrival.h"
#include "broker/core/batch_state.h"
#include "broker/core/hub_state.h"
#include "broker/core/wait.h"
#include "common/rpc.h"

typedef enum role { ROLE_GUEST, ROLE_MANAGER, ROLE_COUNT } role_t;

/* Why a session ended: the value of its `disconnect` event. */
typedef enum session_end {
    SESSION_END_BYE,
    SESSION_END_LOST,
    SESSION_END_TIMEOUT,
    SESSION_END_SLOW,
    SESSION_END_MEMORY, /* memory is refused for its requests or answers */
    SESSION_END_FORGOTTEN,
    SESSION_END_REVOKED, /* the configuration has a new claim to its name */
    SESSION_END_SHUTDOWN,
    SESSION_END_COUNT
} session_end_t;

/* Why a session ends if a call for it failed with STATUS: no memory, or too slow. */
static inline session_end_t session_end_for(status_t status)
{
    return status == STATUS_UNAVAILABLE ? SESSION_END_MEMORY : SESSION_END_SLOW;
}

/* Names on the wire, static storage. */
const char *role_text(role_t role);
const char *session_end_text(session_end_t end);

/* A payload that arrived while an earlier one waits. Owned. */
typedef struct queued {
    struct queued *next;
    const char *fault;    /* as in arrival_t */
    size_t envelope_size; /* the envelope comes first in `bytes` */
    size_t size;          /* of envelope and payload */
    uint8_t bytes[];
} queued_t;

/* What it waits for: waits.c. */
typedef struct session_wait {
    wait_t what;
    int64_t until_ms;      /* WAIT_DELAY: monotonic */
    struct session *next;  /* the next one that waits for the same */
    struct session **link; /* what points to this one */
} session_wait_t;

/* Whether a session that watches has pushes outstanding. */
typedef enum backlog {
    BACKLOG_NONE,
    BACKLOG_DUE,  /* events after `pushed`, to be sent in its turn */
    BACKLOG_HELD, /* the same, but its peer was not reading: tried again later */
    BACKLOG_COUNT
} backlog_t;

/* How it is notified of changes: feed.c. */
typedef struct session_feed {
    const ticket_t *ticket;      /* for the event socket; NULL = none asked for */
    bool watching;               /* changes of its store are pushed to it */
    backlog_t backlog;           /* which list of the feed it is in */
    uint64_t pushed;             /* watching: events up to this seq were pushed, or are not for it */
    uint64_t echo_own_until_seq; /* watching: up to this seq, its own changes are pushed too */
    struct session *next;
    struct session *previous;
} session_feed_t;

/* The account that makes it a manager, and the account of an `auth` that waits: handlers/auth.c, and
 * session_set_role. */
typedef struct session_auth {
    char *user;             /* owned; NULL = none */
    uint64_t version;       /* accounts_version of `user` */
    bytes_t asked;          /* user of an `auth` that waits; any bytes; owned */
    uint64_t asked_version; /* accounts_version of `asked` when the `auth` arrived */
} session_auth_t;

typedef struct session {
    /* session.c, and hub.c when the connection is gone. */
    hub_t *hub;
    struct connection *connection; /* borrowed; NULL: it is gone, but what arrived on it is still executed */

    /* sessions.c. */
    client_t *client; /* its client; if `unproven`, the client of the claimed name. NULL: see `refusal` */
    status_t refusal; /* why it has no client: RESOURCE_EXHAUSTED = limits/clients, UNAVAILABLE = memory */
    struct session *next; /* in client->local.sessions or .unproven, newest first */
    struct session *previous;
    struct session *newer; /* all sessions in order of `active_ms` */
    struct session *older;
    uint64_t id;       /* never used twice; also the number of its job for the verifier */
    int64_t active_ms; /* monotonic: when its latest message arrived */
    bool unproven;     /* its name is claimed, and it has not given the secret: belongs to no client */
    bool joining;      /* its JOIN is proposed, without an outcome yet */
    bool left;         /* its `bye` was applied: no longer a member of its client */
    bool bye;          /* its `bye` was executed: it ends after the answer */
    bool ended;        /* ended while its payload runs: freed when that is done */

    /* hub.c. */
    bool enveloped; /* a payload had an envelope: nothing is pushed */

    /* session.c. */
    role_t role;
    bytes_t identity; /* socket identity, owned */
    char *peer;       /* the peer's address, owned */
    queued_t *queue;  /* payloads behind the one that waits, oldest first */
    queued_t **queue_tail;
    size_t queue_count;
    size_t queue_bytes;

    /* batch.c: of all its payloads. */
    uint64_t spent;  /* batch_t.cost of all of them */
    size_t answered; /* bytes of the latest answer: a guess for the next */
    uint64_t moved;  /* bytes of all answers, and of payloads taken from the queue */

    batch_t batch; /* batch_state.h */
    session_wait_t wait;
    session_feed_t feed;
    session_auth_t auth;
} session_t;

/* Whether it belongs to a client. */
static inline bool session_admitted(const session_t *session)
{
    return session->client != NULL && !session->unproven;
}

/* Whether a payload of it is being executed. */
static inline bool session_runs(const session_t *session)
{
    return session->batch.stage != STAGE_IDLE && session->batch.stage != STAGE_WAIT;
}

/* Whether answers are still to come for what it sent: pushes must follow them. */
static inline bool session_engaged(const session_t *session)
{
    return session->batch.stage != STAGE_IDLE || session->wait.what != WAIT_NONE;
}

/* Sets the session's role in this broker; in the state, COMMAND_ROLE does. For a guest, also forgets its
 * account. */
void session_set_role(session_t *session, role_t role);

/* Makes a session that belongs to no client yet. NULL if memory is refused. */
KV_MUST_USE session_t *session_new(hub_t *hub, const arrival_t *arrival);
/* Frees an ended session. */
void session_destroy(session_t **session);

/* Sends ANSWER (taken) after ENVELOPE, as transport_t.send does. OK if the connection is gone. */
KV_MUST_USE status_t session_send(const session_t *session, bytes_t envelope, buffer_t *answer);

/* The session as the author of changes. Borrowed from the session. */
actor_t session_actor(const session_t *session);

/* Queues a copy of what arrived behind a payload that waits. RESOURCE_EXHAUSTED if the queue would exceed its
 * bounds (LIMIT_WAITING_PAYLOADS, limits/message bytes), UNAVAILABLE if memory is refused: see
 * session_end_for. */
KV_MUST_USE status_t session_enqueue(session_t *session, const arrival_t *arrival);
/* Takes the first payload off the queue, owned (free with free); NULL if it is empty. */
KV_MUST_USE queued_t *session_dequeue(session_t *session);

#endif
