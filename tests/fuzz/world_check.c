/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about a hub between two steps. */
#include "tests/fuzz/world.h"

#include "tests/fuzz/check.h"

static void check_parked(const hub_t *hub, uint64_t parked)
{
    for (int park = 0; park < PARK_COUNT; park++) {
        session_t *const *link = &hub->parked[park].first;
        for (; *link; link = &(*link)->next_parked) {
            CHECK((int)(*link)->park == park && parked > 0);
            parked--;
        }
        CHECK(hub->parked[park].tail == link);
    }
    CHECK(parked == 0);
}

static void check_behind(const hub_t *hub)
{
    unsigned behind = 0;
    for (const session_t *session = hub->oldest; session; session = session->newer)
        behind += session->lag != LAG_NONE;
    for (int lag = LAG_NONE; lag < LAG_COUNT; lag++) {
        const session_t *previous = NULL;
        for (const session_t *session = hub->lagging[lag].first; session; session = session->next_lagging) {
            CHECK((int)session->lag == lag && session->watching && session->previous_lagging == previous &&
                  behind > 0);
            previous = session;
            behind--;
        }
        CHECK(hub->lagging[lag].last == previous);
    }
    CHECK(behind == 0 && !hub->lagging[LAG_NONE].first);
    CHECK(!hub->lagging[LAG_HELD].first || hub->held_ms != INT64_MAX);
}

static void check_sessions(const world_t *world)
{
    const hub_t *hub = world->hub;
    uint64_t count = 0;
    uint64_t parked = 0;
    const session_t *older = NULL;
    for (const session_t *session = hub->oldest; session; older = session, session = session->newer) {
        CHECK(session->older == older && !session->ended && !session->busy && !session->leaving);
        CHECK(!older || older->active_ms <= session->active_ms);
        CHECK(session->connection->session == session);
        CHECK(!session->unproven || session->client->claimed || session->park != PARK_NONE ||
              session->client->unproven);
        CHECK((session->waiting == NULL) == (session->waiting_count == 0));
        CHECK(session->park != PARK_NONE || session->waiting_count == 0);
        CHECK((session->about.data != NULL) == (session->park == PARK_VERIFY));
        CHECK(session->role == ROLE_GUEST || session_admitted(session));
        CHECK(!session->user ||
              accounts_version(hub->accounts, bytes_from_text(session->user)) == session->user_version);
        CHECK(!session->ticket || session->role == ROLE_MANAGER);
        CHECK(!session->watching || session_admitted(session));
        parked += session->park != PARK_NONE;
        count++;
    }
    CHECK(hub->newest == older && hub->session_count == count);
    check_parked(hub, parked);
    check_behind(hub);
    uint64_t connected = 0;
    for (int i = 0; i < CONNECTIONS; i++)
        connected += world->connections[i].session != NULL;
    CHECK(connected == count);
}

static uint64_t check_client(const client_t *client)
{
    uint32_t count = 0;
    const session_t *previous = NULL;
    for (const session_t *session = client->sessions; session; previous = session, session = session->next) {
        CHECK(session->client == client && !session->unproven && session->previous == previous);
        count++;
    }
    uint32_t watchers = 0;
    for (const session_t *session = client->sessions; session; session = session->next)
        watchers += session->watching;
    CHECK(count == client->session_count && watchers == client->watcher_count && !client->noted);
    CHECK(count > 0 || (!client->numbered && store_keys(client->store) > 0));
    CHECK(!client->numbered || (count == 1 && !client->claimed));
    for (const session_t *session = client->unproven; session; session = session->next)
        CHECK(session->client == client && session->unproven);
    return count > 0;
}

static void check_clients(const hub_t *hub)
{
    uint64_t count = 0;
    uint64_t connected = 0;
    uint64_t keys = 0;
    uint64_t bytes = 0;
    bytes_t id = {0};
    for (const client_t *client = registry_next(hub->registry, id, NULL); client;
         client = registry_next(hub->registry, (bytes_t){0}, &id)) {
        id = client_id(client);
        CHECK(registry_find(hub->registry, id) == client);
        connected += check_client(client);
        keys += store_keys(client->store);
        bytes += store_bytes(client->store);
        count++;
    }
    CHECK(count == registry_count(hub->registry));
    CHECK(connected == hub->stats.connects_total - hub->stats.disconnects_total);
    CHECK(keys == engine_keys(hub->engine) && bytes == engine_bytes(hub->engine));
}

/* What the settings claim is claimed, with their secret. */
static void check_claims(const hub_t *hub)
{
    const settings_t *settings = hub->settings;
    for (unsigned i = 0; i < settings->name_count; i++) {
        const client_t *client = registry_find(hub->registry, bytes_from_text(settings->names[i].name));
        CHECK(client && client->claim_configured && client->claimed && !client->claim_listed);
        CHECK(strcmp(client->claim, settings->names[i].hash) == 0);
    }
}

void world_check(const world_t *world)
{
    check_claims(world->hub);
    check_sessions(world);
    check_clients(world->hub);
}
