/* SPDX-License-Identifier: MPL-2.0 */
/* Clients: who owns a store, under which id, and which names are claimed. PROTOCOL.md section 3.
 *
 * A record stands for a client that exists (it has a session or a key, and so a store), for a claim that the
 * configuration makes, or for a claimed name whose sessions have not given its secret yet. Knows nothing of
 * sockets and wire bytes; of sessions only that they hang on a client in lists. */
#ifndef KV_BROKER_CORE_CLIENT_REGISTRY_H
#define KV_BROKER_CORE_CLIENT_REGISTRY_H

#include "broker/core/port_ids.h"
#include "broker/core/secret.h"
#include "broker/core/settings.h"
#include "broker/engine/engine.h"

typedef struct registry registry_t;
struct member;
struct session;

/* What this broker alone knows of a client: the connections that it has here. No part of the state: no
 * command is decided by it. It may be behind the state, as long as an outcome is on its way. Written by
 * sessions.c and feed.c. */
typedef struct client_local {
    struct session *sessions; /* its sessions, newest first */
    struct session *unproven; /* sessions under its claimed name that have not given the secret */
    uint32_t watcher_count;   /* of `sessions`: those that watch */
    int64_t active_ms;        /* monotonic: its latest message, or when its store was made */
} client_local_t;

typedef struct client {
    registry_t *registry;      /* the one it is in */
    store_t *store;            /* its entries; NULL if the client does not exist */
    uint64_t life;             /* of all lives of clients, which one this is; 0 if it does not exist */
    struct member *members;    /* its sessions, newest first: members.h */
    uint32_t session_count;    /* of `members` */
    struct client *next_noted; /* in the registry's list of clients to review */
    bool noted;                /* stands in that list */
    bool numbered;             /* has a port-mimicking id */
    bool claim_configured;     /* the claim stands in the configuration */
    bool claim_listed;         /* the same in the new settings; used only by registry_configure */
    bool claimed;              /* `claim` holds a secret's hash */
    uint64_t number;           /* of a numbered one */
    uint64_t last_seq;         /* of its newest event; 0 = none since its store began */
    uint64_t first_seq;        /* of the first event since its store began */
    int64_t since_ms; /* monotonic: its first session of now began, or its last one ended, or its store was
                         made */
    client_local_t local;
    char claim[SECRET_HASH_SIZE];
    uint8_t id_size;
    char id[LIMIT_NAME + 1]; /* zero-terminated */
} client_t;

/* Takes in the names that SETTINGS claims. ENGINE and SETTINGS are borrowed for the registry's life. NULL
 * if memory is refused. */
KV_MUST_USE registry_t *registry_new(engine_t *engine, const settings_t *settings);
/* The configuration claims CLIENT's name anew, or with another secret: its sessions must end. */
typedef void registry_claimed_fn(void *context, client_t *client);
/* Makes room for what SETTINGS claim. After true, call registry_configure or registry_abandon. False if
 * memory is refused. */
KV_MUST_USE bool registry_prepare(registry_t *registry, const settings_t *settings);
void registry_abandon(registry_t *registry, const settings_t *settings);
/* Switches to SETTINGS, borrowed instead of the old ones. Calls CLAIMED (may be NULL) for each client whose
 * claim has changed. A claim that is no longer configured continues like one that a client made: as long as
 * the client exists. */
void registry_configure(registry_t *registry, const settings_t *settings, registry_claimed_fn *claimed,
                        void *context, const place_t *place);
/* CLIENT's name is claimed from here on, with the secret that HASH is of. */
void registry_claim(client_t *client, const char *hash);
/* Frees CLIENT's record unless something holds it: a store, a session, the configuration. */
void registry_release(registry_t *registry, client_t *client);
/* Frees all records. Sessions must be gone. */
void registry_destroy(registry_t **registry);

static inline bytes_t client_id(const client_t *client)
{
    return bytes_of(client->id, client->id_size);
}

/* Whether CLIENT exists for the protocol: others find it, events speak of it. */
static inline bool client_exists(const client_t *client)
{
    return client->store != NULL;
}

/* The record with this id, NULL if there is none. It need not stand for a client that exists. */
client_t *registry_find(registry_t *registry, bytes_t id);

/* The record of the valid name NAME, made where there is none. NULL if memory is refused. */
KV_MUST_USE client_t *registry_obtain(registry_t *registry, bytes_t name);
/* A new record with a port-mimicking id. NULL if memory is refused. */
KV_MUST_USE client_t *registry_number(registry_t *registry);

/* Makes CLIENT exist, with the next life: gives it an empty store. RESOURCE_EXHAUSTED where limits/clients is
 * reached (it may go ABOVE_LIMIT), UNAVAILABLE where memory is refused. */
KV_MUST_USE status_t registry_open(registry_t *registry, client_t *client, bool above_limit,
                                   const place_t *place);

/* Looks at CLIENT after something went away (a session, a key, a claim): ends its existence, with a `drop`
 * event, where it has neither a session nor a key (numbered: no session), then frees the record where nothing
 * else holds it. The pointer is not valid afterwards. */
void registry_review(registry_t *registry, client_t *client, const place_t *place);
/* Notes that CLIENT may have lost its last key, to be reviewed when it is not in use. */
void registry_note(registry_t *registry, client_t *client);
/* Reviews the clients that were noted. */
void registry_review_noted(registry_t *registry, const place_t *place);
/* Undoes registry_open for a client that nobody has seen: without an event. The pointer is not valid
 * afterwards. */
void registry_undo(registry_t *registry, client_t *client);
/* Ends CLIENT's existence whatever it holds (forget): drops the store, with its event, and the claim unless
 * that is configured. Sessions must have been taken off. The pointer is not valid afterwards. */
void registry_forget(registry_t *registry, client_t *client, const actor_t *by, const place_t *place);

uint64_t registry_count(const registry_t *registry); /* clients that exist */

/* The first client that exists and whose id begins with PREFIX and sorts after AFTER (where given), bytewise;
 * NULL at the end. */
client_t *registry_next(registry_t *registry, bytes_t prefix, const bytes_t *after);

#endif
