/* SPDX-License-Identifier: MPL-2.0 */
/* Changes as they are asked for, and what came of them. A command holds all that decides it, and borrows its
 * texts. */
#ifndef KV_BROKER_CORE_COMMAND_H
#define KV_BROKER_CORE_COMMAND_H

#include "broker/core/client_registry.h"

typedef enum command_kind {
    COMMAND_TIME,   /* what is due expires, `budget` entries at most */
    COMMAND_EXPIRE, /* the key of `put` expires, if it is due */
    COMMAND_PUT,    /* `put` into the store of `client`; if that is NULL, of the name `name`, which is made */
    COMMAND_DEL,    /* the key of `put`, with its condition */
    COMMAND_JOIN,   /* a session comes to belong to the client of the name `name`, or, if that is empty, to a
                       new  one with a number */
    COMMAND_LEAVE,  /* a session of `client` ended, for the reason `text` */
    COMMAND_CLAIM,  /* the session of `client` claims its name, with `claim` */
    COMMAND_ROLE,   /* sessions of `client` have the role `text` now */
    COMMAND_FORGET  /* `client` is to be as if it had never been */
} command_kind_t;

typedef struct command {
    command_kind_t kind;
    unsigned budget;
    client_t *client;
    actor_t by;        /* who asked */
    put_t put;         /* PUT; of DEL the key and the condition; of EXPIRE the key */
    uint64_t hash;     /* of the key, by engine_hash; not looked at without a client */
    bytes_t name;      /* PUT without a client, JOIN */
    bytes_t text;      /* LEAVE, ROLE: static */
    const char *claim; /* PUT without a client, CLAIM: the hash of a secret, or NULL; of JOIN the claim whose
                          secret the session gave */
    bool above_limit;  /* JOIN: limits/clients does not hold */
    bool forgets;      /* LEAVE: FORGET follows, so that the client is not looked at */
} command_t;

/* What came of a command. Only DONE has changed anything. */
typedef enum outcome_kind {
    OUTCOME_DONE,
    OUTCOME_ABSENT,    /* DEL: there is no such key */
    OUTCOME_CONDITION, /* the condition does not hold: the key has `revision`, 0 = it is absent */
    OUTCOME_EXISTS,    /* PUT with a claim: the client exists already */
    OUTCOME_CLAIMED, /* the name is claimed; JOIN: `client` is its record, the session must give the secret */
    OUTCOME_KEYS,    /* CLAIM: the store is not empty */
    OUTCOME_SHARED,  /* CLAIM: the name has other sessions */
    OUTCOME_NUMBERED, /* CLAIM, FORGET: the client has no name */
    OUTCOME_LIMIT,    /* `limit` is reached */
    OUTCOME_CLIENTS,  /* limits/clients is reached */
    OUTCOME_MEMORY,   /* memory is refused */
    OUTCOME_MORE      /* more is due than one command may expire: ask again, in another turn */
} outcome_kind_t;

typedef struct outcome {
    outcome_kind_t kind;
    uint64_t revision; /* PUT, DEL: that of the change; CONDITION: see there */
    client_t *client;  /* JOIN; PUT: whose store it is */
    const char *limit; /* LIMIT: the configuration's key, static */
} outcome_t;

#endif
