/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the table of tickets, by user name and by id. */
#include "broker/core/tickets.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "broker/engine/omap.h"

struct tickets {
    omap_t by_name; /* user name → ticket_t * */
    omap_t by_id;   /* id, 8 bytes → ticket_t * */
    uint64_t last_id;
};

tickets_t *tickets_new(void)
{
    tickets_t *tickets = calloc(1, sizeof *tickets);
    if (tickets == NULL)
        return NULL;
    omap_init(&tickets->by_name);
    omap_init(&tickets->by_id);
    return tickets;
}

void tickets_destroy(tickets_t **self)
{
    tickets_t *tickets = *self;
    if (tickets == NULL)
        return;
    omap_cursor_t cursor;
    omap_entry_t entry;
    omap_seek(&tickets->by_id, (bytes_t){0}, false, &cursor);
    while (omap_next(&cursor, &entry))
        free(entry.pointer);
    omap_release(&tickets->by_name);
    omap_release(&tickets->by_id);
    free(tickets);
    *self = NULL;
}

static bytes_t id_key(const uint64_t *id)
{
    return bytes_of(id, sizeof *id);
}

const ticket_t *tickets_issue(tickets_t *tickets)
{
    uint8_t random[32];
    ticket_t *ticket = calloc(1, sizeof *ticket);
    if (ticket == NULL)
        return NULL;
    ticket->id = ++tickets->last_id;
    randombytes_buf(random, sizeof random);
    sodium_bin2base64(ticket->username, sizeof ticket->username, random, 16,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    randombytes_buf(random, sizeof random);
    sodium_bin2base64(ticket->password, sizeof ticket->password, random, 32,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    bytes_t name = bytes_from_text(ticket->username);
    if (!omap_put(&tickets->by_name, name, ticket)) {
        free(ticket);
        return NULL;
    }
    if (!omap_put(&tickets->by_id, id_key(&ticket->id), ticket)) {
        omap_remove(&tickets->by_name, name);
        free(ticket);
        return NULL;
    }
    return ticket;
}

void tickets_void(tickets_t *tickets, const ticket_t **self)
{
    ticket_t *ticket = omap_find(&tickets->by_id, id_key(&(*self)->id));
    assert(ticket != NULL);
    omap_remove(&tickets->by_name, bytes_from_text(ticket->username));
    omap_remove(&tickets->by_id, id_key(&ticket->id));
    sodium_memzero(ticket, sizeof *ticket);
    free(ticket);
    *self = NULL;
}

uint64_t tickets_check(const tickets_t *tickets, bytes_t username, bytes_t password)
{
    if (username.size != TICKET_USER_SIZE - 1 || password.size != TICKET_PASSWORD_SIZE - 1)
        return 0;
    const ticket_t *ticket = omap_find(&tickets->by_name, username);
    if (ticket == NULL || sodium_memcmp(ticket->password, password.data, password.size) != 0)
        return 0;
    return ticket->id;
}

bool tickets_valid(const tickets_t *tickets, uint64_t id)
{
    return omap_find(&tickets->by_id, id_key(&id)) != NULL;
}
