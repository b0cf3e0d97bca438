/* SPDX-License-Identifier: MPL-2.0 */
/* The broker without its sockets: the state that one thread owns (engine, clients, sessions, accounts,
 * counters) and the entry points: a payload came, a connection ended, a password was verified, time passed.
 * All of it is driven with a clock that the caller sets. */
#ifndef KV_BROKER_CORE_HUB_H
#define KV_BROKER_CORE_HUB_H

#include "broker/core/accounts.h"
#include "broker/core/client_registry.h"
#include "broker/core/event_log.h"
#include "broker/core/session.h"
#include "broker/core/stats.h"
#include "broker/core/tickets.h"
#include "broker/engine/engine.h"

typedef struct hub hub_t;

/* What the hub needs from the outside. Every member is set. */
typedef struct hub_ops {
    /* Sends ANSWER (taken; may be empty: an empty payload) on CONNECTION, behind ENVELOPE: a sequence of
     * frames, each its length (4 bytes, this machine's order) and its bytes; empty for a DEALER.
     * RESOURCE_EXHAUSTED if more than limits/outstanding bytes wait there, UNAVAILABLE if memory is
     * refused: nothing was sent, see session_end_for. A connection that is gone is no failure. */
    status_t (*send)(void *context, struct connection *connection, bytes_t identity, bytes_t envelope,
                     buffer_t *answer);
    /* The session on CONNECTION ended by the broker's will, or cannot begin. Forget that it had one; with CUT
     * close it too. */
    void (*release)(void *context, struct connection *connection, bool cut);
    /* Has PASSWORD verified against HASH (both copied); hub_verified is called with TICKET later, never from
     * within. False if too many wait for that, or memory is refused. */
    bool (*verify)(void *context, uint64_t ticket, const char *hash, bytes_t password);
    /* Whether so much waits on CONNECTION that pushes had better wait too. */
    bool (*congested)(void *context, struct connection *connection);
    /* Nobody waits for TICKET any more. */
    void (*cancel)(void *context, uint64_t ticket);
    /* How many connections there are that may read events. */
    size_t (*audience)(void *context);
    /* Publishes PAYLOAD (taken) under TOPIC. */
    void (*publish)(void *context, bytes_t topic, buffer_t *payload);
    /* A ticket went void: closes the event connections under it, and where STRICT all that may be under it.
     */
    void (*cut_events)(void *context, bool strict);
    /* Closes those that were there at the last cut_events and have not subscribed since. */
    void (*sweep_events)(void *context);
    /* Writes the endpoint of the events socket that suits the peer of CONNECTION. */
    void (*event_endpoint)(void *context, struct connection *connection, char *text, size_t text_size);
} hub_ops_t;

enum { HUB_ENDPOINT_SIZE = 288 }; /* bytes of an endpoint's text with its terminating zero */

/* Sessions in the order in which they were parked. */
typedef struct parked {
    session_t *first;
    session_t **tail; /* where the next one is hung */
} parked_t;

/* Sessions to which pushes are owed, in the order in which they have their turn. */
typedef struct lagging {
    session_t *first;
    session_t *last;
} lagging_t;

enum { HUB_WORK_TURN = 20000 }; /* things looked at in one turn (run_t): some milliseconds */

struct hub {
    const settings_t *settings; /* borrowed; see hub_configure */
    const hub_ops_t *ops;       /* borrowed */
    void *context;              /* given to ops */
    int64_t unix_offset_ms;     /* Unix time less monotonic time: see hub_set_clock */
    int64_t now_ms;             /* monotonic: of the way in that is being taken */
    engine_t *engine;
    event_log_t *log;
    tickets_t *tickets;
    session_t *acting; /* whose payload runs */
    int64_t sync_ms;   /* monotonic: when the next sync is due */
    int64_t held_ms;   /* monotonic: when those of LAG_HELD are looked at again */
    bool cut_due;      /* tickets went void with their sessions: notify_cut has work */
    int64_t sweep_ms;  /* monotonic: when notify_sweep is due */
    registry_t *registry;
    accounts_t *accounts;
    session_t *oldest; /* sessions in order of their latest message */
    session_t *newest;
    uint64_t session_count;
    uint64_t waiting_bytes; /* of payloads behind parked requests, of all sessions */
    uint64_t last_session_id;
    parked_t parked[PARK_COUNT]; /* sessions whose request waits, by what for */
    lagging_t lagging[LAG_COUNT];
    uint64_t told; /* work of telling changes so far, in the unit of run_t.work */
    stats_t stats;
};

/* SETTINGS (until hub_configure), OPS and CONTEXT are borrowed for the hub's life. The time now is given as
 * monotonic and as Unix time. NULL if memory is refused. */
KV_MUST_USE hub_t *hub_new(const settings_t *settings, const hub_ops_t *ops, void *context, int64_t now_ms,
                           int64_t unix_ms);
void hub_destroy(hub_t **hub);

/* Switches to SETTINGS, which are borrowed instead of the old ones: nothing refers to the old ones any more.
 * Limits, times and sizes apply at once; a payload under way keeps the bounds that it began with. If an
 * account is gone or has another hash, its sessions become guests, with the `role` event and without their
 * tickets. If a name is claimed anew, or with another secret, its sessions end (`revoked`). Settings that a
 * hub uses only when it is made (ids, limits/message, events/keep, events/keep_bytes) must be unchanged.
 * False if memory is refused: nothing has changed then. */
KV_MUST_USE bool hub_configure(hub_t *hub, const settings_t *settings, int64_t now_ms);

/* What Unix time it is. The system's clock may be set, so the loop calls this each turn: events then have its
 * time. A difference of 1 ms, which is how finely the two are read, is none: else one event could seem older
 * than the one before. */
void hub_set_clock(hub_t *hub, int64_t now_ms, int64_t unix_ms);

/* What came in on a connection. All borrowed until hub_receive returns. */
typedef struct arrival {
    struct connection *connection;
    bytes_t identity; /* the peer's routing id */
    bytes_t peer; /* its address, without a port; for logs and throttling. Looked at for a new session only */
    bytes_t envelope; /* frames before the payload, in the form that hub_ops.send takes */
    bytes_t payload;
    const char
        *fault; /* the frames were not as section 1 wants them: what is wrong, for the one error; else NULL */
} arrival_t;

/* Handles a payload that came for SESSION, which is begun where it is NULL. Returns the session that the
 * connection has now: NULL if it ended. */
KV_MUST_USE session_t *hub_receive(hub_t *hub, session_t *session, const arrival_t *arrival, int64_t now_ms);
/* The connection of SESSION is gone, and so is the session. */
void hub_lost(hub_t *hub, session_t *session, int64_t now_ms);
/* The verifier's answer to TICKET. */
void hub_verified(hub_t *hub, uint64_t ticket, verdict_t verdict, int64_t now_ms);
/* Time's work: sessions that time out, delayed answers, what the engine has due; bounded, so call it once a
 * turn. Returns whether work is left that is due now. */
bool hub_tick(hub_t *hub, int64_t now_ms);
/* Publishes a sync: a subscriber is new. */
void hub_sync(hub_t *hub, int64_t now_ms);
/* When hub_tick has something to do next: monotonic ms; INT64_MAX = nothing planned. */
int64_t hub_next_due(const hub_t *hub);
/* Whether a session waits: for a password to be verified, a delayed answer, its next turn. */
bool hub_parked(const hub_t *hub);
/* The broker stops: every session gets `bye` and ends. */
void hub_stop(hub_t *hub, int64_t now_ms);

#endif
