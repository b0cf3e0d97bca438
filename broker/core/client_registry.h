/* SPDX-License-Identifier: MPL-2.0 */
/* Clients: who owns a store, under which id, and which names are claimed. PROTOCOL.md section 3.
 *
 * A record stands for a client that exists (it has a session or a key, and so a store), for a claim in the
 * configuration, or for a claimed name whose sessions have not given its secret yet. Knows nothing about
 * sockets and wire bytes, and about sessions only that each client has lists of them. */
#ifndef KV_BROKER_CORE_CLIENT_REGISTRY_H
#define KV_BROKER_CORE_CLIENT_REGISTRY_H

#include "broker/core/port_ids.h"
#include "broker/core/secret.h"
#include "broker/core/settings.h"
#include "broker/engine/engine.h"

typedef struct registry registry_t;
struct member;
struct session;

/* What only this broker knows about a client: its connections here. It is not part of the state: no command
 * depends on it. It may lag behind the state until an outcome arrives. Written by sessions.c and feed.c. */
typedef struct client_local {
    struct session *sessions; /* its sessions, newest first */
    struct session *unproven; /* sessions under its claimed name that have not given the secret */
    uint32_t watcher_count;   /* of `sessions`: those that watch */
    int64_t active_ms;        /* monotonic: its latest message, or when its store was made */
} client_local_t;

typedef struct client {
    registry_t *registry;          /* the registry that it is in */
    store_t *store;                /* its entries; NULL if the client does not exist */
    uint64_t life;                 /* number of this life, never used twice; 0 if it does not exist */
    struct member *members;        /* its sessions, newest first: members.h */
    uint32_t session_count;        /* of `members` */
    struct client *next_to_review; /* in the registry's list of clients to review */
    bool review_pending;           /* it is in that list */
    bool numbered;                 /* has a port-mimicking id */
    bool claim_configured;         /* the claim is in the configuration */
    bool claim_listed;             /* the same in the new settings; used only by registry_configure */
    bool claimed;                  /* `claim` holds a secret's hash */
    uint64_t number;               /* its port-mimicking id */
    uint64_t last_seq;             /* of its newest event; 0 = none since its store was made */
    uint64_t first_seq;            /* of its first event since its store was made */
    int64_t since_ms;              /* monotonic: when it last connected, disconnected or got its store */
    client_local_t local;
    char claim[SECRET_HASH_SIZE];
    uint8_t id_size;
    char id[LIMIT_NAME + 1]; /* zero-terminated */
} client_t;

/* Makes a registry with the names that SETTINGS claim. Borrows ENGINE for its life, SETTINGS until
 * registry_configure. NULL if memory is refused. */
KV_MUST_USE registry_t *registry_new(engine_t *engine, const settings_t *settings);
/* The configuration has a new claim to CLIENT's name, or one with another secret: the client's sessions must
 * end. */
typedef void registry_claimed_fn(void *context, client_t *client);
/* Makes records for the names that SETTINGS claim. After true, call registry_configure or registry_abandon.
 * False if memory is refused. */
KV_MUST_USE bool registry_prepare(registry_t *registry, const settings_t *settings);
void registry_abandon(registry_t *registry, const settings_t *settings);
/* Switches to SETTINGS, borrowed instead of the old ones. Calls CLAIMED (may be NULL) for each client whose
 * claim has changed. A claim that is no longer configured stays, like one that a client made, as long as the
 * client exists. */
void registry_configure(registry_t *registry, const settings_t *settings, registry_claimed_fn *claimed,
                        void *context, const place_t *place);
/* Claims CLIENT's name with the secret that HASH is of. */
void registry_claim(client_t *client, const char *hash);
/* Frees CLIENT's record unless something holds it: a store, a session, the configuration, a review. */
void registry_release(registry_t *registry, client_t *client);
/* Frees all records. Sessions must be gone. */
void registry_destroy(registry_t **registry);

static inline bytes_t client_id(const client_t *client)
{
    return bytes_of(client->id, client->id_size);
}

/* Whether CLIENT exists for the protocol: requests can name it, and events report it. */
static inline bool client_exists(const client_t *client)
{
    return client->store != NULL;
}

/* The record with this id, NULL if there is none. It need not stand for a client that exists. */
client_t *registry_find(registry_t *registry, bytes_t id);

/* The record of the valid name NAME; makes it if there is none. NULL if memory is refused. */
KV_MUST_USE client_t *registry_obtain(registry_t *registry, bytes_t name);
/* A new record with a port-mimicking id. NULL if memory is refused. */
KV_MUST_USE client_t *registry_number(registry_t *registry);

/* Makes CLIENT exist, with a new life and an empty store. RESOURCE_EXHAUSTED if limits/clients is reached,
 * unless ABOVE_LIMIT; UNAVAILABLE if memory is refused. */
KV_MUST_USE status_t registry_open(registry_t *registry, client_t *client, bool above_limit,
                                   const place_t *place);

/* Call this after CLIENT lost a session, a key or a claim. If it has neither a session nor a key (numbered:
 * no session), the client ends, with a `drop` event. Its record is freed if nothing else holds it. The
 * pointer is not valid afterwards. */
void registry_review(registry_t *registry, client_t *client, const place_t *place);
/* CLIENT may have lost its last key: registry_review_pending reviews it when nobody uses it. */
void registry_review_later(registry_t *registry, client_t *client);
/* Reviews these clients. */
void registry_review_pending(registry_t *registry, const place_t *place);
/* Undoes registry_open for a client that nobody has seen: there is no event. The pointer is not valid
 * afterwards. */
void registry_undo(registry_t *registry, client_t *client);
/* Ends CLIENT whatever it holds: drops its store, with a `drop` event, and its claim unless that is
 * configured. It must have no members. The pointer is not valid afterwards. */
void registry_forget(registry_t *registry, client_t *client, const actor_t *by, const place_t *place);

uint64_t registry_count(const registry_t *registry); /* clients that exist */

/* The first client that exists, whose id begins with PREFIX and sorts after AFTER (if given), bytewise; NULL
 * at the end. */
client_t *registry_next(registry_t *registry, bytes_t prefix, const bytes_t *after);

#endif
