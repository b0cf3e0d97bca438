/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the records of clients, by id, and the port-mimicking numbers. */
#include "broker/core/client_registry.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker/engine/omap.h"

struct registry {
    engine_t *engine;
    const settings_t *settings;
    port_ids_t *numbers;
    omap_t clients;      /* id → client_t * */
    uint64_t count;      /* clients that exist */
    uint64_t lives;      /* lives begun so far, of all clients */
    client_t *to_review; /* list of clients whose review is pending */
};

static client_t *client_new(registry_t *registry, bytes_t id)
{
    assert(id.size >= 1 && id.size <= LIMIT_NAME);
    client_t *client = calloc(1, sizeof *client);
    if (client == NULL)
        return NULL;
    client->registry = registry;
    client->id_size = (uint8_t)id.size;
    memcpy(client->id, id.data, id.size);
    if (!omap_put(&registry->clients, id, client)) {
        free(client);
        return NULL;
    }
    return client;
}

registry_t *registry_new(engine_t *engine, const settings_t *settings)
{
    static const settings_t nothing;
    registry_t *registry = calloc(1, sizeof *registry);
    if (registry == NULL)
        return NULL;
    registry->engine = engine;
    registry->settings = &nothing;
    omap_init(&registry->clients);
    registry->numbers = port_ids_new(settings->first_id, settings->last_id);
    if (registry->numbers == NULL || !registry_prepare(registry, settings))
        registry_destroy(&registry);
    else
        registry_configure(registry, settings, NULL, NULL, &(place_t){0});
    return registry;
}

void registry_destroy(registry_t **self)
{
    registry_t *registry = *self;
    if (registry == NULL)
        return;
    omap_cursor_t cursor;
    omap_entry_t entry;
    omap_seek(&registry->clients, (bytes_t){0}, false, &cursor);
    while (omap_next(&cursor, &entry)) {
        client_t *client = entry.pointer;
        if (client->store != NULL)
            engine_close(registry->engine, &client->store);
        free(client);
    }
    omap_release(&registry->clients);
    port_ids_destroy(&registry->numbers);
    free(registry);
    *self = NULL;
}

client_t *registry_find(registry_t *registry, bytes_t id)
{
    return omap_find(&registry->clients, id);
}

client_t *registry_obtain(registry_t *registry, bytes_t name)
{
    client_t *client = registry_find(registry, name);
    return client != NULL ? client : client_new(registry, name);
}

client_t *registry_number(registry_t *registry)
{
    uint64_t number = port_ids_take(registry->numbers);
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%" PRIu64, number);
    client_t *client = client_new(registry, bytes_of(digits, (size_t)size));
    if (client == NULL) {
        port_ids_free(registry->numbers, number);
        return NULL;
    }
    client->numbered = true;
    client->number = number;
    return client;
}

status_t registry_open(registry_t *registry, client_t *client, bool above_limit, const place_t *place)
{
    assert(client->store == NULL);
    if (registry->count >= registry->settings->limits.clients && !above_limit)
        return STATUS_RESOURCE_EXHAUSTED;
    client->store = engine_open(registry->engine, client);
    if (client->store == NULL)
        return STATUS_UNAVAILABLE;
    client->life = ++registry->lives;
    client->since_ms = place->now_ms;
    client->local.active_ms = place->now_ms;
    registry->count++;
    return STATUS_OK;
}

void registry_release(registry_t *registry, client_t *client)
{
    const client_local_t *local = &client->local;
    if (client->store != NULL || local->sessions != NULL || local->unproven != NULL ||
        client->claim_configured || client->review_pending)
        return;
    omap_remove(&registry->clients, client_id(client));
    if (client->numbered)
        port_ids_free(registry->numbers, client->number);
    sodium_memzero(client->claim, sizeof client->claim);
    free(client);
}

static void client_close(registry_t *registry, client_t *client)
{
    engine_close(registry->engine, &client->store);
    client->life = 0;
    registry->count--;
    if (!client->claim_configured)
        client->claimed = false;
}

void registry_undo(registry_t *registry, client_t *client)
{
    client_close(registry, client);
    registry_release(registry, client);
}

void registry_forget(registry_t *registry, client_t *client, const actor_t *by, const place_t *place)
{
    if (client->store != NULL) {
        engine_record(registry->engine, CHANGE_DROP, client, (bytes_t){0}, by, place);
        client_close(registry, client);
    }
    if (!client->claim_configured)
        client->claimed = false;
    registry_release(registry, client);
}

void registry_review(registry_t *registry, client_t *client, const place_t *place)
{
    if (client->store != NULL && client->session_count == 0 &&
        (client->numbered || store_keys(client->store) == 0))
        registry_forget(registry, client, &(actor_t){0}, place);
    else
        registry_release(registry, client);
}

void registry_review_later(registry_t *registry, client_t *client)
{
    if (client->review_pending)
        return;
    client->review_pending = true;
    client->next_to_review = registry->to_review;
    registry->to_review = client;
}

void registry_review_pending(registry_t *registry, const place_t *place)
{
    while (registry->to_review != NULL) {
        client_t *client = registry->to_review;
        registry->to_review = client->next_to_review;
        client->review_pending = false;
        registry_review(registry, client, place);
    }
}

/* ---- Claims of the configuration -------------------------------------------------------------- */

void registry_abandon(registry_t *registry, const settings_t *settings)
{
    for (unsigned i = 0; i < settings->name_count; i++) {
        client_t *client = registry_find(registry, bytes_from_text(settings->names[i].name));
        if (client != NULL)
            registry_release(registry, client);
    }
}

bool registry_prepare(registry_t *registry, const settings_t *settings)
{
    for (unsigned i = 0; i < settings->name_count; i++) {
        if (registry_obtain(registry, bytes_from_text(settings->names[i].name)) == NULL) {
            registry_abandon(registry, settings);
            return false;
        }
    }
    return true;
}

/* The configuration no longer claims CLIENT's name. */
static void claim_leave(registry_t *registry, client_t *client, const place_t *place)
{
    client->claim_configured = false;
    client->claimed = client->store != NULL;
    registry_review(registry, client, place);
}

void registry_configure(registry_t *registry, const settings_t *settings, registry_claimed_fn *claimed,
                        void *context, const place_t *place)
{
    const settings_t *before = registry->settings;
    registry->settings = settings;
    for (unsigned i = 0; i < settings->name_count; i++) {
        const credential_t *name = &settings->names[i];
        client_t *client = registry_find(registry, bytes_from_text(name->name));
        bool same = client->claim_configured && strcmp(client->claim, name->hash) == 0;
        client->claim_listed = true;
        client->claim_configured = true;
        registry_claim(client, name->hash);
        if (!same && claimed != NULL)
            claimed(context, client);
    }
    for (unsigned i = 0; i < before->name_count; i++) {
        client_t *client = registry_find(registry, bytes_from_text(before->names[i].name));
        if (!client->claim_listed)
            claim_leave(registry, client, place);
    }
    for (unsigned i = 0; i < settings->name_count; i++)
        registry_find(registry, bytes_from_text(settings->names[i].name))->claim_listed = false;
}

void registry_claim(client_t *client, const char *hash)
{
    client->claimed = true;
    snprintf(client->claim, sizeof client->claim, "%s", hash);
}

uint64_t registry_count(const registry_t *registry)
{
    return registry->count;
}

client_t *registry_next(registry_t *registry, bytes_t prefix, const bytes_t *after)
{
    bool behind = after != NULL && bytes_compare(*after, prefix) >= 0;
    omap_cursor_t cursor;
    omap_entry_t entry;
    omap_seek(&registry->clients, behind ? *after : prefix, behind, &cursor);
    while (omap_next(&cursor, &entry) && bytes_starts_with(entry.key, prefix)) {
        client_t *client = entry.pointer;
        if (client_exists(client))
            return client;
    }
    return NULL;
}
