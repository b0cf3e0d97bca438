/* SPDX-License-Identifier: MPL-2.0 */
/* A session: one connection's stay with the broker, PROTOCOL.md section 3. Owns who it is (client, role,
 * account) and the payloads that came behind one that waits. What other modules keep for each session stands
 * in a struct of theirs, which they alone write. Knows no sockets: its other end is an opaque pointer. */
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
    SESSION_END_REVOKED, /* the configuration claims its name anew */
    SESSION_END_SHUTDOWN,
    SESSION_END_COUNT
} session_end_t;

/* The end of a session for which something failed with STATUS: out of memory, or too slow. */
static inline session_end_t session_end_for(status_t status)
{
    return status == STATUS_UNAVAILABLE ? SESSION_END_MEMORY : SESSION_END_SLOW;
}

/* Names on the wire, static storage. */
const char *role_text(role_t role);
const char *session_end_text(session_end_t end);

/* A payload that came behind one that waits. Owned. */
typedef struct queued {
    struct queued *next;
    const char *fault;    /* as in arrival_t */
    size_t envelope_size; /* the envelope stands first in `bytes` */
    size_t size;          /* of envelope and payload */
    uint8_t bytes[];
} queued_t;

/* How far a payload is: batch.c. */
typedef enum stage {
    STAGE_IDLE,  /* there is none */
    STAGE_ADMIT, /* its session belongs to no client: it asks for a place */
    STAGE_BEGIN, /* it is looked at as a whole */
    STAGE_READ,  /* its next message is to be read */
    STAGE_RUN,   /* a message is carried out */
    STAGE_WAIT,  /* a request waits, or the session for its place: session->wait */
    STAGE_SEND,  /* the answer is to be sent */
    STAGE_END    /* the answer is sent */
} stage_t;

/* Whether the state here is known to hold all that anybody was told before the payload came: propose.c. */
typedef enum barrier {
    BARRIER_NONE,
    BARRIER_ASKED, /* the log says when */
    BARRIER_PASSED
} barrier_t;

/* The payload under way: batch.c. */
typedef struct batch {
    stage_t stage;
    stage_t next;      /* STAGE_WAIT: the stage behind it */
    bytes_t payload;   /* borrowed while it runs, owned (rest) once it waited */
    const char *fault; /* as in arrival_t */
    uint8_t *rest;     /* owned copy of what was left when it first waited; NULL before */
    size_t at;         /* where the next message begins, in `payload` */
    size_t offset;     /* bytes of the payload before `payload` (cut off when it waited), for error texts */
    uint64_t done;     /* messages read */
    uint64_t most;     /* limits/batch as it was when the payload came */
    uint64_t total;    /* messages in the whole payload if they were counted, else 0 */
    size_t room;       /* bytes of answers that leave an error its room, however many messages there are */
    buffer_t answer;   /* answers so far */
    buffer_t envelope; /* to send back before the answer; empty for a DEALER */
    uint64_t expiries; /* hub_t.expiries when it came */
    uint64_t cost;     /* of this turn: things looked at, by requests that look at many, and told */
    bool overflow;     /* an answer did not fit: nothing more is carried out */
    bool refused;      /* memory for an answer was refused: nothing more is carried out, the session ends */
    bool bye;          /* it asked for `bye`: the session ends after the answer */
    barrier_t barrier; /* with a log, it reads behind that */
    pending_ring_t pending; /* requests whose answers come behind `answer` */
} batch_t;

/* Who waits for what: waits.c. */
typedef struct session_wait {
    wait_t what;
    int64_t until_ms;      /* WAIT_DELAY: monotonic */
    struct session *next;  /* of those that wait for the same */
    struct session **link; /* what points to this one */
} session_wait_t;

/* Whether pushes are owed to a session that watches. */
typedef enum backlog {
    BACKLOG_NONE,
    BACKLOG_DUE,  /* those after `pushed`, as soon as it has its turn */
    BACKLOG_HELD, /* the same; its peer did not read when it had it */
    BACKLOG_COUNT
} backlog_t;

/* What it hears of changes: feed.c. */
typedef struct session_feed {
    const ticket_t *ticket;      /* for the event socket; NULL = none asked for */
    bool watching;               /* changes of its store are pushed to it */
    backlog_t backlog;           /* in which list of the feed it stands */
    uint64_t pushed;             /* watching: seq up to which it was told */
    uint64_t echo_own_until_seq; /* watching: up to this seq it is told its own changes too */
    struct session *next;
    struct session *previous;
} session_feed_t;

/* By which account it is a manager, and which one it asks to be one by: handlers/auth.c, reconfigure.c. */
typedef struct session_auth {
    char *user;             /* owned; NULL */
    uint64_t version;       /* accounts_version of it */
    bytes_t asked;          /* of an `auth` that waits; may hold any characters; owned */
    uint64_t asked_version; /* accounts_version of it when the `auth` came */
} session_auth_t;

typedef struct session {
    hub_t *hub;
    struct connection *connection; /* borrowed; NULL: it is gone, and what came on it before is carried out */
    client_t *client; /* whose session; with `unproven`, whose name. NULL: refused, see `refusal` */
    status_t refusal; /* why it has no client: RESOURCE_EXHAUSTED = limits/clients, UNAVAILABLE = memory */
    struct session *next; /* in client->local.sessions or .unproven, newest first */
    struct session *previous;
    struct session *newer; /* all sessions in order of `active_ms` */
    struct session *older;
    uint64_t id;       /* never used twice: what a verifier's answer names */
    int64_t active_ms; /* monotonic: its latest message */
    role_t role;
    bool unproven;    /* under a claimed name, secret not given: belongs to no client */
    bool joining;     /* its JOIN is in the log */
    bool left;        /* it said `bye`: it is no member of its client any more */
    bool enveloped;   /* a payload came in an envelope: nothing is pushed */
    bool ended;       /* ended while its payload runs, to be freed when that is through */
    bytes_t identity; /* socket identity, owned */
    char *peer;       /* address of the other end, owned */
    queued_t *queue;  /* payloads behind the one that waits, first come first */
    queued_t **queue_tail;
    size_t queue_count;
    size_t queue_bytes;
    uint64_t spent;  /* batch_t.cost of all its payloads: batch.c */
    size_t answered; /* bytes of the latest answer: the next is probably as long */
    uint64_t moved;  /* bytes of their answers, and of those that were queued: batch.c */
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

/* Whether a payload of it is carried out right now. */
static inline bool session_runs(const session_t *session)
{
    return session->batch.stage != STAGE_IDLE && session->batch.stage != STAGE_WAIT;
}

/* Whether answers are still to come for what it sent: pushes come behind them. */
static inline bool session_engaged(const session_t *session)
{
    return session->batch.stage != STAGE_IDLE || session->wait.what != WAIT_NONE;
}

/* Makes ROLE the session's role here; COMMAND_ROLE is how it gets there. A guest is none by any account. */
void session_set_role(session_t *session, role_t role);

/* Makes a session that belongs to no client yet. NULL if memory is refused. */
KV_MUST_USE session_t *session_new(hub_t *hub, const arrival_t *arrival);
/* Frees an ended session. */
void session_destroy(session_t **session);

/* Sends ANSWER (taken) behind ENVELOPE, as transport_t.send does. OK where the connection is gone. */
KV_MUST_USE status_t session_send(const session_t *session, bytes_t envelope, buffer_t *answer);

/* Who acts, for events. Borrowed from the session. */
actor_t session_actor(const session_t *session);

/* Keeps what arrived behind a payload that waits. RESOURCE_EXHAUSTED if the bounds (LIMIT_WAITING_PAYLOADS,
 * limits/message bytes) do not allow it, UNAVAILABLE if memory is refused: see session_end_for. */
KV_MUST_USE status_t session_enqueue(session_t *session, const arrival_t *arrival);
/* The first payload of the queue, owned (free with free); NULL if it is empty. */
KV_MUST_USE queued_t *session_dequeue(session_t *session);

/* Frees what a payload under way holds; there is none afterwards. */
void batch_release(batch_t *batch);

#endif
