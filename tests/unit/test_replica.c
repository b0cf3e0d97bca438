/* SPDX-License-Identifier: MPL-2.0 */
/* Two state machines that apply the same commands at the same places have the same state. The commands come
 * from a hub with a random life: sessions come and go, write, claim names, get roles and forget clients, and
 * keys expire. */
#include <stdlib.h>

#include "broker/core/feed.h"
#include "tests/support/chance.h"
#include "tests/support/hub_fixture.h"
#include "tests/support/later_log.h"
#include "tests/support/same_state.h"
#include "tests/support/volume.h"

enum {
    STEPS = 6000,
    STEPS_VALGRIND = 300,
    CHECK_STEPS = 50, /* steps between two comparisons of everything */
    EVENTS = 100000,  /* that the replica's log keeps, like the hub's */
    EVENT_BYTES = 1 << 24,
    PAYLOAD_BYTES = 65536
};

typedef struct world {
    fixture_t *fixture;
    later_log_t *log; /* of the hub */
    chance_t chance;
    state_machine_t *replica;
    event_log_t *events; /* of the replica */
    uint64_t compared;   /* events up to this seq were compared */
    unsigned applied;    /* commands that were applied */
} world_t;

/* ---- The other state machine ------------------------------------------------------------------ */

static void on_change(void *context, const change_t *change)
{
    const world_t *world = context;
    bool has_value = change->value.size > 0 || change->kind == CHANGE_PUT;
    event_log_append(world->events, change, client_id(change->owner), has_value);
}

static void on_role(void *context, client_t *client, const command_t *command)
{
    (void)context;
    (void)client;
    (void)command;
}

/* Called before the hub applies a command: applies it to the replica too. */
static void on_command(void *context, const command_t *command, const place_t *place)
{
    world_t *world = context;
    outcome_t outcome;
    assert_null(command->client);
    state_machine_apply(world->replica, place, command, &outcome);
    world->applied++;
}

/* ---- Comparing -------------------------------------------------------------------------------- */

static void assert_alike(world_t *world)
{
    const hub_t *hub = world->fixture->hub;
    engine_t *engine = state_machine_engine(world->replica);
    registry_t *registry = state_machine_registry(world->replica);
    assert_int_equal(engine_seq(hub->engine), engine_seq(engine));
    assert_same_events(feed_log(hub->feed), world->events, &world->compared, engine_seq(engine));
    const state_t one = {hub->registry, hub->engine};
    const state_t other = {registry, engine};
    assert_same_state(&one, &other, world->fixture->now_ms, true);
}

/* ---- A random life ---------------------------------------------------------------------------- */

static const char *const names[] = {"lamp", "bell", "40001", "40002"};
static const char *const identities[] = {"lamp/1", "lamp/2", "bell", "", "bell/1", "x y"};
static const char *const secrets[] = {"0123456789abcdef", "ssssssssssssssss"};

static unsigned below(world_t *world, unsigned bound)
{
    return (unsigned)chance_below(&world->chance, bound);
}

static void message_add(world_t *world, buffer_t *payload, uint32_t msgid)
{
    char key[4];
    char value[64];
    const char *name = names[below(world, sizeof names / sizeof names[0])];
    snprintf(key, sizeof key, "k%u", below(world, 8));
    snprintf(value, sizeof value, "%0*u", (int)below(world, 50) + 1, below(world, 1000));
    switch (below(world, 16)) {
    case 0:
        request_add(payload, msgid, "del", "s", key);
        return;
    case 1:
        request_add(payload, msgid, "get", "s", key);
        return;
    case 2:
        request_add(payload, msgid, "hello", "p", secrets[below(world, 2)]);
        return;
    case 3:
        request_add(payload, msgid, "role", "ss", name, below(world, 3) == 0 ? "guest" : "manager");
        return;
    case 4:
        request_add(payload, msgid, below(world, 4) == 0 ? "forget" : "ping", "s", name);
        return;
    case 5:
        request_add(payload, msgid, "manage", "ssssc", name, "put", key, value);
        return;
    case 6:
        request_add(payload, msgid, "manage", "sss", name, "del", key);
        return;
    case 7:
        request_add(payload, msgid, below(world, 4) == 0 ? "bye" : "hello", "");
        return;
    case 8:
    case 9:
    case 10:
        request_add(payload, msgid, "put", "sst", key, value, below(world, 30) + 1);
        return;
    default:
        request_add(payload, msgid, "put", "ss", key, value);
    }
}

static void step_ask(world_t *world, struct connection *peer)
{
    buffer_t payload;
    buffer_init(&payload, PAYLOAD_BYTES);
    for (unsigned i = below(world, 20) + 1; i > 0; i--)
        message_add(world, &payload, i);
    if (!peer->session)
        snprintf(peer->identity, sizeof peer->identity, "%s",
                 identities[below(world, sizeof identities / sizeof identities[0])]);
    payload_give(world->fixture, peer, &payload);
}

static void step(world_t *world)
{
    fixture_t *fixture = world->fixture;
    struct connection *peer = &fixture->peers[below(world, PEERS)];
    switch (below(world, 12)) {
    case 0:
        if (peer->session)
            hub_lost(fixture->hub, peer->session, fixture->now_ms);
        peer->session = NULL;
        return;
    case 1:
        if (!peer->session || peer->session->role == ROLE_MANAGER)
            return;
        ask(fixture, peer, "auth", "ss", "adam", "eve");
        return;
    case 2:
        hub_verified(fixture->hub, fixture->job, VERDICT_RIGHT, fixture->now_ms);
        return;
    case 3:
        fixture->now_ms += below(world, 20) == 0 ? 2000 : below(world, 10);
        return;
    case 4:
    case 5:
    case 6:
        step_ask(world, peer);
        return;
    default:
        hub_tick(fixture->hub, fixture->now_ms);
    }
}

static int setup(void **state)
{
    void *fixture;
    world_t *world = calloc(1, sizeof *world);
    assert_non_null(world);
    hub_setup(&fixture);
    world->fixture = fixture;
    world->fixture->settings.limits.clients = 3;
    world->fixture->settings.limits.keys_per_client = 6;
    world->chance = chance_from(chance_seed());
    world->log = later_log_new(world->fixture->hub, chance_next(&world->chance));
    world->events = event_log_new(EVENTS, EVENT_BYTES);
    listener_t listener = {.context = world, .change = on_change, .role = on_role, .forgotten = on_role};
    world->replica = state_machine_new(&world->fixture->settings, &listener);
    assert_true(world->log && world->events && world->replica);
    later_log_observe(world->log, on_command, world);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    world_t *world = *state;
    void *fixture = world->fixture;
    hub_teardown(&fixture);
    later_log_destroy(&world->log);
    state_machine_destroy(&world->replica);
    event_log_destroy(&world->events);
    free(world);
    return 0;
}

static void replica__of_a_random_life__is_alike_at_any_time(void **state)
{
    world_t *world = *state;
    for (size_t i = volume(chance_rounds(STEPS), STEPS_VALGRIND); i > 0; i--) {
        step(world);
        assert_true(hub_sound(world->fixture->hub));
        if (i % CHECK_STEPS == 0)
            assert_alike(world);
    }
    assert_alike(world);
    assert_true(world->applied > 0);
    const stats_t *stats = &world->fixture->hub->stats;
    if (volume(1, 0) == 1) /* not under valgrind: the steps were enough for every kind of change */
        assert_true(stats->puts_total > 0 && stats->expires_total > 0 && stats->drops_total > 0 &&
                    stats->roles_total > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(replica__of_a_random_life__is_alike_at_any_time, setup, teardown),
    };
    return cmocka_run_group_tests_name("replica", tests, NULL, NULL);
}
