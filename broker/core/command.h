/* SPDX-License-Identifier: MPL-2.0 */
/* Changes as they are asked for, and what came of them. A command holds all that decides it, and borrows its
 * texts. It can be applied by another process than the one that asked: clients and sessions have names. */
#ifndef KV_BROKER_CORE_COMMAND_H
#define KV_BROKER_CORE_COMMAND_H

#include "broker/core/client_registry.h"

typedef enum command_kind {
    COMMAND_TIME,   /* what is due expires, `budget` entries at most */
    COMMAND_EXPIRE, /* the key of `put` expires, if it is due */
    COMMAND_PUT,    /* `put` into the client's store; with `name` into that name's, which is made */
    COMMAND_DEL,    /* the key of `put`, with its condition */
    COMMAND_JOIN,   /* `session` comes to belong to the client of the name `name`, or, if that is empty, to a
                       new one with a number */
    COMMAND_LEAVE,  /* `session` ended, for the reason `text` */
    COMMAND_CLAIM,  /* the one session of the client claims its name, with `claim` */
    COMMAND_ROLE,   /* `session`, a member of the client, has the role `text` now; 0: all its sessions have */
    COMMAND_FORGET  /* the client is to be as if it had never been; its sessions end for the reason `text` */
} command_kind_t;

typedef struct command {
    command_kind_t kind;
    unsigned budget;
    /* Which client it is about: its id, and which life of that id. Before the command leaves the process, and
     * always where it is applied at once, `client` stands for both. */
    client_t *client;
    bytes_t client_id;
    uint64_t client_life; /* FORGET: 0 = whichever */
    uint64_t session;     /* JOIN, LEAVE, ROLE: its id */
    actor_t by;           /* who asked */
    put_t put;            /* PUT; of DEL the key and the condition; of EXPIRE the key */
    lookup_t lookup;      /* of the key, if `client` is set */
    bytes_t name;         /* JOIN; PUT without a client */
    bytes_t text;         /* LEAVE, ROLE, FORGET: static */
    const char *claim; /* CLAIM, and PUT with `name`: the hash of a secret, or NULL; of JOIN the claim whose
                          secret the session gave */
    bool above_limit;  /* JOIN: limits/clients does not hold */
    bool manager;      /* ROLE: what `text` says */
    bool quiet;        /* ROLE: another one of the client follows, whose event will do */
} command_t;

/* The id of the client that COMMAND is about. Not after the client is gone, unless the command had left. */
static inline bytes_t command_client_id(const command_t *command)
{
    return command->client ? client_id(command->client) : command->client_id;
}

/* What came of a command. Only DONE has changed anything. */
typedef enum outcome_kind {
    OUTCOME_DONE,
    OUTCOME_ABSENT,    /* DEL: there is no such key */
    OUTCOME_CONDITION, /* the condition does not hold: the key has `revision`, 0 = it is absent */
    OUTCOME_EXISTS,    /* PUT with a claim: the client exists already */
    OUTCOME_CLAIMED, /* the name is claimed; JOIN: `client` is its record, the session must give the secret */
    OUTCOME_KEYS,    /* CLAIM: the store is not empty */
    OUTCOME_SHARED,  /* CLAIM: the name has other sessions */
    OUTCOME_NUMBERED,  /* CLAIM, FORGET: the client has no name */
    OUTCOME_GONE,      /* the client's life is over, or the session belongs to it no more */
    OUTCOME_AWAY,      /* ROLE of all sessions: there is none */
    OUTCOME_UNCLAIMED, /* ROLE of all sessions, manager: the name is not claimed */
    OUTCOME_SIZE,      /* PUT: the key or the value is longer than the limits are by now */
    OUTCOME_LIMIT,     /* `limit` is reached */
    OUTCOME_CLIENTS,   /* limits/clients is reached */
    OUTCOME_MEMORY,    /* memory is refused */
    OUTCOME_MORE /* PUT, CLAIM: first more must expire than one turn may: apply it again, before any other
                    that was proposed for later */
} outcome_kind_t;

typedef struct outcome {
    outcome_kind_t kind;
    uint64_t revision; /* PUT, DEL: that of the change; CONDITION: see there */
    client_t *client;  /* JOIN; PUT: whose store it is */
    const char *limit; /* LIMIT: the configuration's key, static */
} outcome_t;

#endif
