/* SPDX-License-Identifier: MPL-2.0 */
/* Feeds a hub any sequence of payloads, time steps, lost connections, password verdicts, full outboxes and
 * changed settings. Checks after each step: every request was answered once and in order, unless its session
 * ended; nothing is sent to a session that has ended; lists, counts and sums agree with each other; the
 * sequence never goes back.
 *
 * The input is decoded into steps. world_payload.c composes payloads, world_outlets.c checks what is sent,
 * world_check.c checks the hub. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker/core/reconfigure.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS_MAX = 400 };

/* ---- Checks after a step ---------------------------------------------------------------------- */

/* Checks that each connection got all its answers, unless its session waits, and that the hub is consistent.
 */
static void check_all(world_t *world)
{
    for (int i = 0; i < CONNECTIONS; i++) {
        struct connection *connection = &world->connections[i];
        if (connection->session == NULL) {
            connection->first = connection->last = 0;
        } else {
            CHECK(!connection->broke);
            while (connection->first < connection->last && owed_nothing(&connection->owed[connection->first]))
                connection->first++;
            CHECK(connection->first == connection->last || connection->session->wait.what != WAIT_NONE);
        }
        if (connection->first == connection->last)
            connection->first = connection->last = 0;
        connection->broke = false;
        connection->ended = connection->session == NULL;
    }
    CHECK(engine_seq(world->hub->engine) >= world->seq);
    world->seq = engine_seq(world->hub->engine);
    world_check(world);
}

/* ---- Steps ------------------------------------------------------------------------------------ */

static void step_receive(world_t *world, struct connection *connection)
{
    static const uint8_t frames[] = {0, 0, 0, 0};
    uint8_t how = world_take(world);
    if (connection->lost || connection->cut)
        return;
    buffer_t payload;
    buffer_init(&payload, 65536);
    world_write_payload(world, &payload);
    const char *fault = how == 255 ? "frames" : NULL;
    arrival_t arrival = {
        .connection = connection,
        .identity = bytes_from_text(connection->identity),
        .peer = bytes_from_text(connection->peer),
        .envelope = how >= 192 && fault == NULL ? bytes_of(frames, sizeof frames) : (bytes_t){0},
        .payload = buffer_bytes(&payload),
        .fault = fault,
    };
    CHECK(!payload.failed && connection->last < PAYLOADS_MAX);
    owed_t *owed = &connection->owed[connection->last++];
    owed->enveloped = arrival.envelope.size > 0;
    owed_fill(owed, arrival.payload, fault);
    connection->ended = false;
    connection->begins = !connection->session;
    hub_foresee(world->hub, &(foreseen_t){.session = connection->session, .payload = arrival.payload}, 1);
    session_t *session = hub_receive(world->hub, connection->session, &arrival, world->now_ms);
    connection->session = session;
    connection->begins = false;
    buffer_release(&payload);
}

static void step_connect(world_t *world, struct connection *connection)
{
    static const char *const identities[] = {"",     "ann", "ann/1", "bob/2", "conf/3",
                                             "conf", "12",  "x y",   "n/o/p"};
    if (connection->session != NULL)
        hub_lost(world->hub, connection->session, world->now_ms);
    owed_t *owed = connection->owed;
    *connection = (struct connection){.owed = owed, .ended = true};
    uint8_t choice = world_take(world);
    snprintf(connection->identity, sizeof connection->identity, "%s",
             identities[choice % (sizeof identities / sizeof identities[0])]);
    snprintf(connection->peer, sizeof connection->peer, "10.0.0.%d", choice >> 6);
}

static void step_lose(world_t *world, struct connection *connection)
{
    connection->lost = true;
    if (connection->session != NULL)
        hub_lost(world->hub, connection->session, world->now_ms);
    connection->session = NULL;
}

static void step_verified(world_t *world)
{
    uint8_t choice = world_take(world);
    if (world->job_count == 0)
        return;
    unsigned index = choice / 2 % world->job_count;
    uint64_t job = world->jobs[index];
    world->jobs[index] = world->jobs[--world->job_count];
    hub_verified(world->hub, job, (verdict_t)(choice % 3), world->now_ms);
}

static void step_time(world_t *world)
{
    static const int64_t lengths_ms[] = {0, 1, 7, 100, 1000, 2100, 61000, 400000};
    world->now_ms += lengths_ms[world_take(world) % 8];
    for (int i = 0; i < 1000 && hub_tick(world->hub, world->now_ms); i++)
        ;
    CHECK(hub_next_due(world->hub) > world->now_ms);
}

static void step_configure(world_t *world)
{
    const settings_t *settings = &world->variants[world_take(world) % VARIANTS];
    CHECK(hub_configure(world->hub, settings, world->now_ms));
    CHECK(world->hub->settings == settings);
}

static void step(world_t *world)
{
    uint8_t choice = world_take(world);
    struct connection *connection = &world->connections[choice % CONNECTIONS];
    switch (choice / CONNECTIONS) {
    case 0:
        step_connect(world, connection);
        break;
    case 1:
        step_lose(world, connection);
        break;
    case 2:
    case 3:
        step_time(world);
        break;
    case 4:
    case 5:
    case 6:
        step_verified(world);
        break;
    case 7:
        connection->full = !connection->full;
        break;
    case 8:
        world->verify_fails = choice % 2 != 0;
        break;
    case 31:
        step_configure(world);
        break;
    default:
        step_receive(world, connection);
    }
}

static void settings_make(settings_t *settings, credential_t *manager, credential_t *name)
{
    static char hash[SECRET_HASH_SIZE];
    static char user[] = "adam";
    static char argon[] =
        "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    static char conf[] = "conf";
    if (!hash[0])
        secret_hash(bytes_from_text(world_secrets[0]), hash);
    *manager = (credential_t){.name = user, .hash = argon};
    *name = (credential_t){.name = conf, .hash = hash};
    *settings = (settings_t){
        .timeout_ms = 60000,
        .first_id = 40000,
        .last_id = 40004,
        .managers = manager,
        .manager_count = 1,
        .names = name,
        .name_count = 1,
        .events_keep = 64,
        .events_keep_bytes = 8192,
        .events_inline = 32,
        .limits = {.key = 16,
                   .value = 256,
                   .message = 4096,
                   .batch = BATCH,
                   .clients = CLIENTS,
                   .keys_per_client = 3,
                   .bytes_per_client = 600,
                   .bytes_total = 1200,
                   .outstanding = 4096},
    };
}

/* Makes settings that a reload could bring: SETTINGS, and three with other accounts, claims, times and sizes.
 */
static void variants_make(settings_t variants[VARIANTS], const settings_t *settings)
{
    static char other_secret[SECRET_HASH_SIZE];
    static char user[] = "adam";
    static char argon[] =
        "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    static char ann[] = "ann";
    static char conf[] = "conf";
    static credential_t rehashed[] = {{user, argon}};
    static credential_t reclaimed[] = {{ann, other_secret}, {conf, other_secret}};
    if (!other_secret[0])
        secret_hash(bytes_from_text(world_secrets[1]), other_secret);
    for (int i = 0; i < VARIANTS; i++)
        variants[i] = *settings;
    variants[1].manager_count = 0;
    variants[1].name_count = 0;
    variants[1].timeout_ms = 1000;
    variants[2].managers = rehashed;
    variants[2].names = reclaimed;
    variants[2].name_count = 2;
    variants[3].names = reclaimed; /* ann alone */
    variants[3].events_inline = 0;
    variants[3].limits.value = 8;
    variants[3].limits.key = 2;
    variants[3].limits.keys_per_client = 1;
    variants[3].limits.bytes_total = 1;
}

static void world_end(world_t *world, bool stop)
{
    for (int i = 0; i < CONNECTIONS; i++)
        world->connections[i].full = false;
    if (stop) {
        hub_stop(world->hub, world->now_ms);
        CHECK(sessions_count(world->hub->sessions) == 0);
        for (int i = 0; i < 1000 && world->hub->command_log && hub_waits(world->hub); i++)
            hub_tick(world->hub, world->now_ms);
        CHECK(!hub_waits(world->hub));
        check_all(world);
    }
    hub_destroy(&world->hub);
    for (int i = 0; i < CONNECTIONS; i++)
        free(world->connections[i].owed);
    free(world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    settings_t settings;
    credential_t manager;
    credential_t name;
    CHECK(sodium_init() >= 0);
    settings_make(&settings, &manager, &name);
    world_t *world = calloc(1, sizeof *world);
    CHECK(world != NULL);
    variants_make(world->variants, &settings);
    world->data = data;
    world->size = size;
    world->now_ms = 1000000;
    outlets_t outlets = world_outlets(world);
    world->hub = hub_new(&settings, &outlets, world->now_ms, 1700000000000);
    CHECK(world->hub != NULL);
    for (int i = 0; i < CONNECTIONS; i++) {
        world->connections[i].owed = malloc(PAYLOADS_MAX * sizeof(owed_t));
        CHECK(world->connections[i].owed != NULL);
        step_connect(world, &world->connections[i]);
    }
    for (int steps = 0; steps < STEPS_MAX && world->at < world->size; steps++) {
        step(world);
        check_all(world);
    }
    world_end(world, size % 2 == 0);
    return 0;
}
