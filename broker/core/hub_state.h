/* SPDX-License-Identifier: MPL-2.0 */
/* The state that one thread owns and the core's modules share, and what they need from the outside. hub.c
 * makes it. */
#ifndef KV_BROKER_CORE_HUB_STATE_H
#define KV_BROKER_CORE_HUB_STATE_H

#include "broker/core/accounts.h"
#include "broker/core/client_registry.h"
#include "broker/core/event_log.h"
#include "broker/core/stats.h"
#include "broker/core/tickets.h"
#include "broker/engine/engine.h"
#include "common/buffer.h"

typedef struct hub hub_t;
typedef struct session session_t; /* session.h */
struct connection;                /* the transport's: where answers go */

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

typedef enum park {
    PARK_NONE,
    PARK_VERIFY, /* until the verifier has looked at a password */
    PARK_DELAY,  /* until a time: a wrong secret */
    PARK_TURN,   /* until the next turn: there is more to do than one may take */
    PARK_COUNT
} park_t;

/* Whether pushes are owed to a session that watches. */
typedef enum lag {
    LAG_NONE,
    LAG_BEHIND, /* those after `pushed`, as soon as it has its turn */
    LAG_HELD,   /* the same; its peer did not read when it had it */
    LAG_COUNT
} lag_t;

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

enum { HUB_COST_TURN = 20000 }; /* cost of one turn, in things looked at: some milliseconds */

struct hub {
    const settings_t *settings; /* borrowed; see hub_configure */
    const hub_ops_t *ops;       /* borrowed */
    void *context;              /* given to ops */
    int64_t unix_offset_ms;     /* Unix time less monotonic time: see hub_set_clock */
    int64_t now_ms;             /* monotonic: of the way in that is being taken */
    engine_t *engine;
    event_log_t *log;
    tickets_t *tickets;
    int64_t sync_ms;  /* monotonic: when the next sync is due */
    int64_t held_ms;  /* monotonic: when those of LAG_HELD are looked at again */
    bool cut_due;     /* tickets went void with their sessions: notify_cut has work */
    int64_t sweep_ms; /* monotonic: when notify_sweep is due */
    registry_t *registry;
    accounts_t *accounts;
    session_t *oldest; /* sessions in order of their latest message */
    session_t *newest;
    uint64_t session_count;
    uint64_t waiting_bytes; /* of payloads behind parked requests, of all sessions */
    uint64_t last_session_id;
    parked_t parked[PARK_COUNT]; /* sessions whose request waits, by what for */
    lagging_t lagging[LAG_COUNT];
    uint64_t cost; /* of telling changes so far, in the unit of HUB_COST_TURN */
    stats_t stats;
};

#endif
