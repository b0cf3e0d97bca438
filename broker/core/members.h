/* SPDX-License-Identifier: MPL-2.0 */
/* Which sessions belong to which client. This is part of the state, so a session is known only by its id. */
#ifndef KV_BROKER_CORE_MEMBERS_H
#define KV_BROKER_CORE_MEMBERS_H

#include "broker/core/client_registry.h"

typedef struct members members_t;

typedef struct member {
    uint64_t session;
    client_t *client;
    bool manager;        /* its role */
    struct member *next; /* of the same client, newest first */
    struct member *previous;
} member_t;

/* NULL if memory is refused. */
KV_MUST_USE members_t *members_new(void);
void members_destroy(members_t **members);

/* Makes SESSION, which belongs to no client, a member of CLIENT, as a guest. False if memory is refused. */
KV_MUST_USE bool members_add(members_t *members, client_t *client, uint64_t session);
/* The member SESSION, NULL if it belongs to no client. */
member_t *members_find(const members_t *members, uint64_t session);
/* Removes MEMBER and frees it. */
void members_remove(members_t *members, member_t *member);

#endif
