/* SPDX-License-Identifier: MPL-2.0 */
/* Commands, which ask for a change, and their outcomes. A command holds everything that decides its
 * outcome, and borrows its texts. It can name its client and its session by id, so that another process
 * can apply it. */
#ifndef KV_BROKER_CORE_COMMAND_H
#define KV_BROKER_CORE_COMMAND_H

#include "broker/core/client_registry.h"

typedef enum command_kind {
    COMMAND_TIME,   /* expire due entries, at most `budget` */
    COMMAND_EXPIRE, /* expire the key of `put`, if it is due */
    COMMAND_PUT,    /* write `put` to the client's store; with `name`, to the client of that name, created if
                       absent */
    COMMAND_DEL,    /* delete the key of `put`, under its condition */
    COMMAND_JOIN,   /* `session` joins the client called `name`; if that is empty, a new one with a number */
    COMMAND_LEAVE,  /* `session` has ended, for the reason `text` */
    COMMAND_CLAIM,  /* the client's only session claims its name, with `claim` */
    COMMAND_ROLE,   /* set the role of `session`, a member of the client, to `text`; 0: of all its sessions */
    COMMAND_FORGET  /* remove the client with all that it has; its sessions end for the reason `text` */
} command_kind_t;

typedef struct command {
    command_kind_t kind;
    unsigned budget;
    /* The client that it is about: `client` while the command is in the process that made it; once it went
     * through a log, the id and which life of that id. */
    client_t *client;
    bytes_t client_id;
    uint64_t client_life; /* FORGET: 0 = any life */
    uint64_t session;     /* JOIN, LEAVE, ROLE: its id */
    actor_t by;           /* who asked */
    put_t put;            /* PUT; DEL: key and condition; EXPIRE: key. Its lookup only if `client` is set */
    bytes_t name;         /* JOIN; PUT without a client */
    bytes_t text;         /* LEAVE, ROLE, FORGET: static storage */
    const char *claim;    /* hash of a secret, or NULL. CLAIM, PUT with `name`: the claim to make; JOIN: the
                             claim whose secret the session gave */
    bool above_limit;     /* JOIN: limits/clients does not apply */
    bool manager;         /* ROLE: `text` is "manager" */
    bool quiet;           /* ROLE: no event, because another ROLE for this client follows and has one */
} command_t;

/* The id of the client that COMMAND is about. If command->client is set, it must still exist. */
static inline bytes_t command_client_id(const command_t *command)
{
    return command->client != NULL ? client_id(command->client) : command->client_id;
}

/* The outcome of a command. Only DONE makes the change; due entries may have expired in any case. */
typedef enum outcome_kind {
    OUTCOME_DONE,
    OUTCOME_ABSENT,    /* DEL: there is no such key */
    OUTCOME_CONDITION, /* the condition does not hold: the key has `revision`, 0 = it is absent */
    OUTCOME_EXISTS,    /* PUT with a claim: the client exists already */
    OUTCOME_CLAIMED, /* the name is claimed; JOIN: `client` is its record, the session must give the secret */
    OUTCOME_KEYS,    /* CLAIM: the store is not empty */
    OUTCOME_SHARED,  /* CLAIM: the name has other sessions */
    OUTCOME_NUMBERED,  /* CLAIM, FORGET: the client has no name */
    OUTCOME_GONE,      /* the client, or that life of it, is gone, or the session is no longer its member */
    OUTCOME_AWAY,      /* ROLE of all sessions: the client has none */
    OUTCOME_UNCLAIMED, /* ROLE of all sessions, manager: the name is not claimed */
    OUTCOME_SIZE,      /* PUT: the key or the value exceeds the limits of now */
    OUTCOME_LIMIT,     /* `limit` is reached */
    OUTCOME_CLIENTS,   /* limits/clients is reached */
    OUTCOME_MEMORY,    /* memory is refused */
    OUTCOME_MORE       /* PUT, CLAIM: more entries must expire first than one turn may expire: apply it again,
                          before any later command of the log */
} outcome_kind_t;

typedef struct outcome {
    outcome_kind_t kind;
    uint64_t revision; /* PUT, DEL: of the change; CONDITION: see there */
    client_t *client;  /* JOIN: DONE, CLAIMED */
    const char *limit; /* LIMIT: the configuration's key, static */
} outcome_t;

#endif
