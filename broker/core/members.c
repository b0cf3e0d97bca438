/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the members: a map by session id, and a list for each client. */
#include "broker/core/members.h"

#include <endian.h>
#include <stdlib.h>

#include "broker/engine/omap.h"

struct members {
    omap_t sessions; /* id, big-endian → member_t * */
};

members_t *members_new(void)
{
    members_t *members = calloc(1, sizeof *members);
    if (members != NULL)
        omap_init(&members->sessions);
    return members;
}

void members_destroy(members_t **self)
{
    members_t *members = *self;
    if (members == NULL)
        return;
    omap_cursor_t cursor;
    omap_entry_t entry;
    omap_seek(&members->sessions, (bytes_t){0}, false, &cursor);
    while (omap_next(&cursor, &entry))
        free(entry.pointer);
    omap_release(&members->sessions);
    free(members);
    *self = NULL;
}

bool members_add(members_t *members, client_t *client, uint64_t session)
{
    uint64_t key = htobe64(session);
    member_t *member = malloc(sizeof *member);
    if (member == NULL || !omap_put(&members->sessions, bytes_of((uint8_t *)&key, sizeof key), member)) {
        free(member);
        return false;
    }
    *member = (member_t){.session = session, .client = client, .next = client->members};
    if (client->members != NULL)
        client->members->previous = member;
    client->members = member;
    client->session_count++;
    return true;
}

member_t *members_find(const members_t *members, uint64_t session)
{
    uint64_t key = htobe64(session);
    return omap_find(&members->sessions, bytes_of((uint8_t *)&key, sizeof key));
}

void members_remove(members_t *members, member_t *member)
{
    client_t *client = member->client;
    uint64_t key = htobe64(member->session);
    omap_remove(&members->sessions, bytes_of((uint8_t *)&key, sizeof key));
    if (member->previous != NULL)
        member->previous->next = member->next;
    else
        client->members = member->next;
    if (member->next != NULL)
        member->next->previous = member->previous;
    client->session_count--;
    free(member);
}
