/* SPDX-License-Identifier: MPL-2.0 */
/* Tickets: who may subscribe to events. Each manager session that asks gets one: a user name and a password
 * for ZeroMQ's PLAIN mechanism. A void ticket is not in the table any more. Knows no sockets. */
#ifndef KV_BROKER_CORE_TICKETS_H
#define KV_BROKER_CORE_TICKETS_H

#include "common/bytes.h"
#include "common/status.h"

typedef struct tickets tickets_t;

enum {
    TICKET_USER_SIZE = 23,    /* bytes of a user name: 128 random bits in base64, and a terminating zero */
    TICKET_PASSWORD_SIZE = 44 /* of a password: 256 random bits */
};

typedef struct ticket {
    uint64_t id; /* never used twice; 0 = no ticket */
    char username[TICKET_USER_SIZE];
    char password[TICKET_PASSWORD_SIZE];
} ticket_t;

/* NULL if memory is refused. */
KV_MUST_USE tickets_t *tickets_new(void);
void tickets_destroy(tickets_t **tickets);

/* Makes a ticket, owned by the table until tickets_void. NULL if memory is refused. */
KV_MUST_USE const ticket_t *tickets_issue(tickets_t *tickets);
/* Removes *TICKET from the table, frees it and sets *TICKET to NULL. */
void tickets_void(tickets_t *tickets, const ticket_t **ticket);

/* The id of the ticket with this user name and password, 0 if there is none. Constant time in the
 * password. */
KV_MUST_USE uint64_t tickets_check(const tickets_t *tickets, bytes_t username, bytes_t password);
/* Whether the ticket with this id is in the table. */
KV_MUST_USE bool tickets_valid(const tickets_t *tickets, uint64_t id);

#endif
