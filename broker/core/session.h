/* SPDX-License-Identifier: MPL-2.0 */
/* Sessions: one connection's stay with the broker, PROTOCOL.md section 3. Owns who they are (client, role),
 * when they last spoke, and what waits behind a parked request. Knows no sockets: a session's other end is an
 * opaque pointer. */
#ifndef KV_BROKER_CORE_SESSION_H
#define KV_BROKER_CORE_SESSION_H

#include "broker/core/arrival.h"
#include "broker/core/hub_state.h"
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

/* A payload that waits behind a parked request. Owned. */
typedef struct waiting {
    struct waiting *next;
    const char *fault;    /* as in arrival_t */
    size_t envelope_size; /* the envelope stands first in `bytes` */
    size_t size;          /* of envelope and payload */
    uint8_t bytes[];
} waiting_t;

/* A payload on its way: between its first request and its answer. */
typedef struct run {
    bytes_t payload;   /* borrowed while it runs, owned (rest) while it is parked */
    uint8_t *rest;     /* owned copy of what was left when it was parked; NULL otherwise */
    size_t at;         /* where the next message begins, in `payload` */
    size_t offset;     /* bytes of the payload before `payload` (cut off when parked), for messages */
    uint64_t done;     /* messages read */
    uint64_t batch;    /* limits/batch as it was when the payload came */
    buffer_t answer;   /* answers so far */
    buffer_t envelope; /* to send back before the answer; empty for DEALER */
    uint64_t cost;     /* of this turn: things looked at, by requests that look at many, and told */
    uint64_t total;    /* messages in the whole payload where they were counted, else 0 */
    bool overflow;     /* an answer did not fit: nothing more is carried out */
    bool refused;      /* memory for an answer was refused: nothing more is carried out, the session ends */
    bool answer_owed;  /* parked: the request under way is no notification */
    uint32_t msgid;    /* parked: of the request under way */
    const struct method *method; /* parked: the same; its `finish` ends it */
} run_t;

struct session {
    hub_t *hub;
    struct connection *connection; /* borrowed */
    client_t *client; /* whose session; with `unproven`, whose name. NULL: refused, see `refusal` */
    status_t refusal; /* why it has no client: RESOURCE_EXHAUSTED = limits/clients, UNAVAILABLE = memory */
    struct session *next; /* in client->sessions or client->unproven, newest first */
    struct session *previous;
    struct session *newer; /* all sessions in order of `active_ms` */
    struct session *older;
    uint64_t id;       /* never used twice: what a verifier's answer names */
    int64_t active_ms; /* monotonic: its latest message */
    role_t role;
    bool unproven;                /* under a claimed name, secret not given: belongs to no client */
    bool enveloped;               /* a payload came in an envelope: nothing is pushed */
    bool busy;                    /* its payload runs right now: it is freed when that is through */
    bool leaving;                 /* asked `bye`: ends after the answer */
    bool ended;                   /* ended, to be freed when the payload that runs is through */
    park_t park;                  /* what the request under way waits for */
    int64_t park_until_ms;        /* PARK_DELAY */
    bool yields;                  /* PARK_TURN: it could go on at once, and lets others have their turn */
    struct session *next_parked;  /* in hub->parked[park] */
    struct session **parked_link; /* what points to it there */
    run_t run;                    /* the payload under way, where parked or running */
    waiting_t *waiting;           /* payloads behind it, first come first */
    waiting_t **waiting_tail;
    size_t waiting_count;
    size_t waiting_bytes;
    uint64_t answered_bytes; /* of its answers, and of the payloads that waited */
    uint64_t cost;           /* run_t.cost of all its payloads */
    bytes_t identity;        /* socket identity, owned */
    char *peer;              /* address of the other end, owned */
    char *user;              /* the account it is a manager by, owned; NULL */
    uint64_t user_version;   /* accounts_version of it */
    bytes_t about;           /* parked: the account of an `auth`; may hold any characters; owned */
    uint64_t about_version;  /* accounts_version of it when the `auth` came */
    const ticket_t *ticket;  /* for events, in the hub's table; NULL = none asked for */
    bool watching;           /* changes of its store are pushed to it */
    lag_t lag;               /* in which of hub->lagging it stands */
    uint64_t pushed;         /* watching: seq up to which it was told */
    uint64_t own_until;      /* watching: up to this seq it is told its own changes too */
    struct session *next_lagging;
    struct session *previous_lagging;
};

/* Whether it belongs to a client. */
static inline bool session_admitted(const session_t *session)
{
    return session->client && !session->unproven;
}
/* Keeps what a parked request is about. False if memory is refused. */
KV_MUST_USE bool session_about_keep(session_t *session, bytes_t name);
void session_about_release(session_t *session);

/* Makes ROLE the session's role. Returns whether that is a change; then the caller sends the event and calls
 * notify_dismiss. */
bool session_set_role(session_t *session, role_t role);

/* Frees an ended session. */
void session_destroy(session_t **session);

/* Who acts, for events. Borrowed from the session. */
actor_t session_actor(const session_t *session);

/* Parks the request under way, until UNTIL_MS (PARK_DELAY, which comes in order of time; of no meaning
 * elsewhere) or until what PARK says has come. Of PARK_TURN it is carried out anew from its beginning. */
void session_park(session_t *session, park_t park, int64_t until_ms);
/* Parks it between two requests for PARK_TURN, although it could go on. */
void session_yield(session_t *session);
/* The request under way goes on. */
void session_unpark(session_t *session);

/* Keeps what arrived behind a parked request. RESOURCE_EXHAUSTED if the bounds (LIMIT_WAITING_PAYLOADS,
 * limits/message bytes) do not allow it, UNAVAILABLE if memory is refused: see session_end_for. */
KV_MUST_USE status_t session_queue(session_t *session, const arrival_t *arrival);
/* The first payload that waits, owned (free with free); NULL if none does. */
KV_MUST_USE waiting_t *session_dequeue(session_t *session);

/* Frees what a run holds; it is empty afterwards. */
void run_release(run_t *run);

#endif
