/* SPDX-License-Identifier: MPL-2.0 */
/* A session: the time that one connection spends with the broker, PROTOCOL.md section 3. Owns who it is
 * (client, role, account) and the payloads queued behind one that waits. Other modules keep their state of a
 * session in structs of their own, which only they write. Knows no sockets: its connection is an opaque
 * pointer. */
#ifndef KV_BROKER_CORE_SESSION_H
#define KV_BROKER_CORE_SESSION_H

#include "broker/core/arrival.h"
#include "broker/core/hub_state.h"
#include "broker/core/pending.h"
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

/* The stages of a payload: batch.c. */
typedef enum stage {
    STAGE_IDLE,  /* there is no payload */
    STAGE_ADMIT, /* its session has no client yet: ask for admission */
    STAGE_BEGIN, /* check it as a whole */
    STAGE_READ,  /* read its next message */
    STAGE_RUN,   /* execute the message */
    STAGE_WAIT,  /* a request or the session waits: see session->wait */
    STAGE_SEND,  /* send the answer */
    STAGE_END    /* the answer was sent: clean up */
} stage_t;

/* With a log: whether this broker has applied every change that anybody was told of before the payload
 * arrived: propose_barrier. */
typedef enum barrier {
    BARRIER_NONE,
    BARRIER_ASKED, /* the log calls hub_pass when it is so */
    BARRIER_PASSED
} barrier_t;

/* The current payload: batch.c. */
typedef struct batch {
    stage_t stage;
    stage_t next;           /* STAGE_WAIT: the stage after it */
    bytes_t payload;        /* borrowed while it runs; points to `rest` once it waited */
    const char *fault;      /* as in arrival_t */
    uint8_t *rest;          /* owned copy of what was unread when it first waited; NULL before */
    size_t at;              /* offset of the next message in `payload` */
    size_t offset;          /* bytes of the whole payload before `payload`, for error texts */
    uint64_t done;          /* messages read */
    uint64_t most;          /* limits/batch when the payload arrived */
    uint64_t total;         /* messages in the whole payload if they were counted, else 0 */
    size_t room;            /* bytes of answers that leave room for errors, however many messages follow */
    buffer_t answer;        /* answers so far */
    buffer_t envelope;      /* to send back before the answer; empty for a DEALER */
    uint64_t expiries;      /* hub_t.expiries when it arrived */
    uint64_t cost;          /* of this turn, in units of HUB_COST_TURN: items visited and notifications */
    bool overflow;          /* an answer did not fit: nothing more is executed */
    bool refused;           /* memory for an answer was refused: nothing more is executed, the session ends */
    bool bye;               /* `bye` was executed: the session ends after the answer */
    barrier_t barrier;      /* with a log: must be passed before it reads */
    pending_ring_t pending; /* requests whose answers come after `answer` */
} batch_t;

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

/* The account that makes it a manager, and the account of an `auth` that waits: handlers/auth.c,
 * reconfigure.c. */
typedef struct session_auth {
    char *user;             /* owned; NULL = none */
    uint64_t version;       /* accounts_version of `user` */
    bytes_t asked;          /* user of an `auth` that waits; any bytes; owned */
    uint64_t asked_version; /* accounts_version of `asked` when the `auth` arrived */
} session_auth_t;

typedef struct session {
    hub_t *hub;
    struct connection *connection; /* borrowed; NULL: it is gone, but what arrived on it is still executed */
    client_t *client; /* its client; if `unproven`, the client of the claimed name. NULL: see `refusal` */
    status_t refusal; /* why it has no client: RESOURCE_EXHAUSTED = limits/clients, UNAVAILABLE = memory */
    struct session *next; /* in client->local.sessions or .unproven, newest first */
    struct session *previous;
    struct session *newer; /* all sessions in order of `active_ms` */
    struct session *older;
    uint64_t id;       /* never used twice; also the ticket for the verifier */
    int64_t active_ms; /* monotonic: when its latest message arrived */
    role_t role;
    bool unproven;    /* its name is claimed, and it has not given the secret: belongs to no client */
    bool joining;     /* its JOIN is proposed, without an outcome yet */
    bool left;        /* its `bye` was applied: no longer a member of its client */
    bool enveloped;   /* a payload had an envelope: nothing is pushed */
    bool ended;       /* ended while its payload runs: freed when that is done */
    bytes_t identity; /* socket identity, owned */
    char *peer;       /* the peer's address, owned */
    queued_t *queue;  /* payloads behind the one that waits, oldest first */
    queued_t **queue_tail;
    size_t queue_count;
    size_t queue_bytes;
    uint64_t spent;  /* batch_t.cost of all its payloads: batch.c */
    size_t answered; /* bytes of the latest answer: a guess for the next */
    uint64_t moved;  /* bytes of all answers, and of payloads taken from the queue: batch.c */
    batch_t batch;
    session_wait_t wait;
    session_feed_t feed;
    session_auth_t auth;
} session_t;

/* Whether it belongs to a client. */
static inline bool session_admitted(const session_t *session)
{
    return session->client && !session->unproven;
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

/* Frees what the current payload holds; the stage is STAGE_IDLE afterwards. */
void batch_release(batch_t *batch);

#endif
