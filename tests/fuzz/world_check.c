/* SPDX-License-Identifier: MPL-2.0 */
/* Invariants of a hub between two steps. */
#include "tests/fuzz/world.h"

#include "broker/core/sessions.h"
#include "tests/fuzz/check.h"

static void check_sessions(const world_t *world)
{
    uint64_t count = 0;
    for (int i = 0; i < CONNECTIONS; i++) {
        const struct connection *connection = &world->connections[i];
        CHECK(connection->session == NULL || connection->session->connection == connection);
        count += connection->session != NULL;
    }
    for (const session_t *session = sessions_oldest(world->hub->sessions); session; session = session->newer)
        count += world->hub->command_log &&
                 !session->connection; /* its connection is lost, but commands from it are not applied yet */
    CHECK(count == sessions_count(world->hub->sessions));
}

/* Checks CLIENT. Returns 1 if it has sessions, else 0. LATER: commands about its sessions may not have been
 * applied yet. */
static uint64_t check_client(const client_t *client, bool later)
{
    uint32_t count = 0;
    const session_t *previous = NULL;
    for (const session_t *session = client->local.sessions; session != NULL;
         previous = session, session = session->next) {
        CHECK(session->client == client && !session->unproven && session->previous == previous);
        count++;
    }
    uint32_t watchers = 0;
    for (const session_t *session = client->local.sessions; session != NULL; session = session->next)
        watchers += session->feed.watching;
    CHECK((count == client->session_count || later) && watchers == client->local.watcher_count);
    CHECK(!client->review_pending && client->life > 0);
    CHECK(client->session_count > 0 || (!client->numbered && store_keys(client->store) > 0));
    CHECK(!client->numbered || (client->session_count == 1 && !client->claimed));
    for (const session_t *session = client->local.unproven; session != NULL; session = session->next)
        CHECK(session->client == client && session->unproven);
    return client->session_count > 0;
}

static void check_clients(const hub_t *hub)
{
    uint64_t count = 0;
    uint64_t connected = 0;
    uint64_t keys = 0;
    uint64_t bytes = 0;
    bytes_t id = {0};
    for (const client_t *client = registry_next(hub->registry, id, NULL); client != NULL;
         client = registry_next(hub->registry, (bytes_t){0}, &id)) {
        id = client_id(client);
        CHECK(registry_find(hub->registry, id) == client);
        connected += check_client(client, hub->command_log && hub_waits(hub));
        keys += store_keys(client->store);
        bytes += store_bytes(client->store);
        count++;
    }
    CHECK(count == registry_count(hub->registry));
    CHECK(connected == hub->stats.connects_total - hub->stats.disconnects_total);
    CHECK(keys == engine_keys(hub->engine) && bytes == engine_bytes(hub->engine));
}

/* Checks that every name in the settings is claimed with its hash. */
static void check_claims(const hub_t *hub)
{
    const settings_t *settings = hub->settings;
    for (unsigned i = 0; i < settings->name_count; i++) {
        const client_t *client = registry_find(hub->registry, bytes_from_text(settings->names[i].name));
        CHECK(client != NULL && client->claim_configured && client->claimed && !client->claim_listed);
        CHECK(strcmp(client->claim, settings->names[i].hash) == 0);
    }
}

void world_check(const world_t *world)
{
    CHECK(hub_sound(world->hub));
    check_claims(world->hub);
    check_sessions(world);
    check_clients(world->hub);
}
