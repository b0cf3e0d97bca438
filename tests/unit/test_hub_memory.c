/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about a hub that is refused memory. A script is played again and again. Each time another allocation
 * is refused: only that one, or also all that follow it in the same step. Then the step is executed and
 * answered as usual, or answered UNAVAILABLE with nothing done, or its session is cut off. All that was
 * acknowledged is there at the end. */
#include <stdlib.h>

#include "tests/support/hub_fixture.h"
#include "tests/support/refuse_memory.h"

enum {
    OWNER,   /* a session of lamp, which watches its store */
    WRITER,  /* another session of lamp */
    MANAGER, /* a session of desk */
    GUEST,   /* a client without a name */
    VALUE_SIZE = 3000,
    GRANTED_MAX = 1000
};

typedef enum step {
    STEP_HELLO,
    STEP_PUT,
    STEP_WATCH,
    STEP_PUT_SEEN,
    STEP_PUT_LARGE,
    STEP_LIST,
    STEP_GUEST,
    STEP_AUTH,
    STEP_QUEUED,
    STEP_VERIFIED,
    STEP_MANAGE,
    STEP_CREATE,
    STEP_EVENTS,
    STEP_CLIENTS,
    STEP_ROLE,
    STEP_BATCH,
    STEP_DEL,
    STEP_FORGET,
    STEP_COUNT
} step_t;

typedef struct key {
    const char *client;
    const char *name;
    step_t put; /* the step that puts it */
    step_t del; /* the step that deletes it; STEP_COUNT = none */
} store_key_t;

static const store_key_t keys[] = {
    {"lamp", "a", STEP_PUT, STEP_DEL},         {"lamp", "b", STEP_PUT_SEEN, STEP_COUNT},
    {"lamp", "c", STEP_PUT_LARGE, STEP_COUNT}, {"lamp", "d", STEP_MANAGE, STEP_COUNT},
    {"bell", "e", STEP_CREATE, STEP_FORGET},   {"desk", "q", STEP_QUEUED, STEP_COUNT},
};

static const unsigned step_peers[STEP_COUNT] = {
    [STEP_HELLO] = OWNER,      [STEP_PUT] = OWNER,        [STEP_WATCH] = OWNER,    [STEP_PUT_SEEN] = WRITER,
    [STEP_PUT_LARGE] = WRITER, [STEP_LIST] = OWNER,       [STEP_GUEST] = GUEST,    [STEP_AUTH] = MANAGER,
    [STEP_QUEUED] = MANAGER,   [STEP_VERIFIED] = MANAGER, [STEP_MANAGE] = MANAGER, [STEP_CREATE] = MANAGER,
    [STEP_EVENTS] = MANAGER,   [STEP_CLIENTS] = MANAGER,  [STEP_ROLE] = MANAGER,   [STEP_BATCH] = WRITER,
    [STEP_DEL] = OWNER,        [STEP_FORGET] = MANAGER,
};

typedef struct world {
    fixture_t *fixture;
    int granted;           /* allocations until one is refused; REFUSE_NEVER = one was refused */
    bool done[STEP_COUNT]; /* steps that were acknowledged */
    char value[VALUE_SIZE + 1];
} world_t;

static void step_write(const world_t *world, step_t step, buffer_t *payload)
{
    switch (step) {
    case STEP_HELLO:
        request_add(payload, 7, "hello", "");
        return;
    case STEP_PUT:
        request_add(payload, 7, "put", "ss", "a", "1");
        return;
    case STEP_WATCH:
        request_add(payload, 7, "watch", "b", true);
        return;
    case STEP_PUT_SEEN:
        request_add(payload, 7, "put", "sst", "b", "2", 1000000U);
        return;
    case STEP_PUT_LARGE:
        request_add(payload, 7, "put", "ss", "c", world->value);
        return;
    case STEP_LIST:
        request_add(payload, 7, "list", "");
        return;
    case STEP_GUEST:
        request_add(payload, 7, "ping", "");
        return;
    case STEP_AUTH:
        request_add(payload, 7, "auth", "ss", "adam", "eve");
        request_add(payload, 8, "ping", "");
        return;
    case STEP_QUEUED:
        request_add(payload, 9, "put", "ss", "q", "1");
        return;
    case STEP_MANAGE:
        request_add(payload, 7, "manage", "ssss", "lamp", "put", "d", "4");
        return;
    case STEP_CREATE:
        request_add(payload, 7, "manage", "ssssc", "bell", "put", "e", "5");
        return;
    case STEP_EVENTS:
        request_add(payload, 7, "events", "");
        return;
    case STEP_CLIENTS:
        request_add(payload, 7, "clients", "");
        return;
    case STEP_ROLE:
        request_add(payload, 7, "role", "ss", "40000", "manager");
        return;
    case STEP_BATCH: /* the second answer needs more memory than the first one left */
        request_add(payload, 7, "put", "ss", "f", "6");
        request_add(payload, 8, "get", "s", "c");
        request_add(payload, 9, "put", "ss", "f", "7");
        return;
    case STEP_DEL:
        request_add(payload, 7, "del", "s", "a");
        return;
    case STEP_FORGET:
        request_add(payload, 7, "forget", "s", "bell");
        return;
    case STEP_VERIFIED:
    case STEP_COUNT:
        fail();
    }
}

/* Returns a number that grows with every change of the state. */
static uint64_t changes(const fixture_t *fixture)
{
    const stats_t *stats = &fixture->hub->stats;
    return stats->puts_total + stats->dels_total + stats->roles_total + stats->drops_total;
}

/* Executes STEP while memory may be refused. */
static void step_play(world_t *world, step_t step)
{
    fixture_t *fixture = world->fixture;
    struct connection *peer = &fixture->peers[step_peers[step]];
    buffer_t payload;
    buffer_init(&payload, 2 * VALUE_SIZE);
    if (step != STEP_VERIFIED)
        step_write(world, step, &payload);
    unsigned before = refused;
    refuse_after = world->granted;
    if (step != STEP_VERIFIED)
        payload_give(fixture, peer, &payload);
    else
        hub_verified(fixture->hub, fixture->job, VERDICT_RIGHT, fixture->now_ms);
    hub_tick(fixture->hub, fixture->now_ms);
    world->granted = refused > before ? REFUSE_NEVER : refuse_after;
    refuse_after = REFUSE_NEVER;
}

/* Executes STEP and checks that it is answered as usual or with UNAVAILABLE, or that its session is cut off.
 */
static void step_check(world_t *world, step_t step)
{
    fixture_t *fixture = world->fixture;
    struct connection *peer = &fixture->peers[step_peers[step]];
    bool was_refused = refused > 0;
    uint64_t before = changes(fixture);
    unsigned begin = peer->count;
    peer->cut = false;
    step_play(world, step);
    bool parked = peer->session != NULL && peer->session->wait.what != WAIT_NONE;
    unsigned answers = 0;
    for (unsigned i = begin; i < peer->count; i++) {
        const got_t *got = &peer->got[i];
        if (got->kind == RPC_NOTIFICATION)
            continue;
        answers++;
        /* NOT_FOUND is right if an earlier step could not make the client. */
        bool missed = was_refused && (step == STEP_MANAGE || step == STEP_ROLE || step == STEP_FORGET);
        bool unavailable = strcmp(got->code, "UNAVAILABLE") == 0;
        assert_true(!got->failed || unavailable || (missed && strcmp(got->code, "NOT_FOUND") == 0));
        world->done[got->msgid == 9 && step == STEP_VERIFIED ? STEP_QUEUED : step] |= !got->failed;
    }
    if (peer->session == NULL) {
        assert_true(peer->cut && refused > 0);
        assert_true(answers == 0 || step == STEP_VERIFIED);
    } else if (!parked) {
        assert_true(answers > 0);
        if (step != STEP_VERIFIED && step != STEP_BATCH && !world->done[step])
            assert_true(changes(fixture) == before); /* an error changes nothing */
    }
    if (!was_refused && refused == 0)
        assert_true(parked || world->done[step]);
}

/* Makes MANAGER a manager again, if it lost its session or its role. */
static void manager_return(world_t *world)
{
    fixture_t *fixture = world->fixture;
    struct connection *peer = &fixture->peers[MANAGER];
    if (peer->session != NULL && peer->session->role == ROLE_MANAGER)
        return;
    peer->count = 0;
    login(fixture, peer, true);
    assert_got(peer, "");
}

static bool key_there(world_t *world, const store_key_t *key)
{
    client_t *client = registry_find(world->fixture->hub->registry, bytes_from_text(key->client));
    entry_t entry;
    return client != NULL && client_exists(client) &&
           engine_get(world->fixture->hub->engine, client->store, bytes_from_text(key->name),
                      engine_lookup(world->fixture->hub->engine, bytes_from_text(key->name)),
                      world->fixture->now_ms, &entry) == STATUS_OK;
}

/* Checks that exactly what was acknowledged is there, and that each peer is still served. */
static void end_check(world_t *world)
{
    fixture_t *fixture = world->fixture;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const store_key_t *key = &keys[i];
        bool deleted = key->del != STEP_COUNT && world->done[key->del];
        assert_int_equal(key_there(world, key), world->done[key->put] && !deleted);
    }
    for (unsigned i = 0; i < PEERS; i++)
        ping_is_answered(fixture, &fixture->peers[i]);
}

/* Plays the script, and refuses an allocation after GRANTED ones: only that one if ONCE, otherwise all until
 * the end of its step. Returns whether there were so many allocations. */
static bool script_play(int granted, bool once)
{
    void *state = NULL;
    hub_setup(&state);
    world_t world = {.fixture = state, .granted = granted};
    fixture_t *fixture = world.fixture;
    memset(world.value, 'v', VALUE_SIZE);
    snprintf(fixture->peers[OWNER].identity, sizeof fixture->peers[0].identity, "lamp/1");
    snprintf(fixture->peers[WRITER].identity, sizeof fixture->peers[0].identity, "lamp/2");
    snprintf(fixture->peers[MANAGER].identity, sizeof fixture->peers[0].identity, "desk/1");
    fixture->audience = 1;
    refused = 0;
    refuse_once = once;
    for (step_t step = 0; step < STEP_COUNT; step++) {
        struct connection *peer = &fixture->peers[step_peers[step]];
        bool waits = peer->session != NULL && peer->session->wait.what == WAIT_VERIFY;
        if (step == STEP_VERIFIED && !waits)
            continue;
        if (step == STEP_MANAGE)
            manager_return(&world);
        step_check(&world, step);
        if (step > STEP_VERIFIED)
            manager_return(&world);
    }
    bool some = refused > 0;
    end_check(&world);
    hub_teardown(&state);
    return some;
}

static void script__each_allocation_refused_in_turn__is_right_or_unavailable_or_cut_off(void **state)
{
    (void)state;
    for (int once = 0; once < 2; once++) {
        int granted = 0;
        while (script_play(granted, once))
            assert_true(++granted < GRANTED_MAX);
        assert_true(granted > 40);
    }
}

/* ---- The effects of each kind of shortage ------------------------------------------------------- */

/* PEER sends one request while all memory is refused. */
static void ask_without_memory(fixture_t *fixture, struct connection *peer, buffer_t *payload)
{
    refuse_once = false;
    refused = 0;
    peer->count = 0;
    refuse_after = 0;
    payload_give(fixture, peer, payload);
    refuse_after = REFUSE_NEVER;
    assert_true(refused > 0);
}

static void begin__without_memory__closes_the_connection(void **state)
{
    fixture_t *fixture = *state;
    struct connection *peer = &fixture->peers[0];
    buffer_t payload;
    buffer_init(&payload, VALUE_SIZE);
    request_add(&payload, 7, "ping", "");
    ask_without_memory(fixture, peer, &payload);
    assert_null(peer->session);
    assert_true(peer->cut);
    assert_int_equal(sessions_count(fixture->hub->sessions), 0);
    ping_is_answered(fixture, peer);
}

static void answer__without_memory__ends_the_session_for_it_with_nothing_done(void **state)
{
    fixture_t *fixture = *state;
    struct connection *peer = &fixture->peers[0];
    ping_is_answered(fixture, peer);
    buffer_t payload;
    buffer_init(&payload, VALUE_SIZE);
    request_add(&payload, 7, "put", "ss", "a", "1");
    ask_without_memory(fixture, peer, &payload);
    assert_null(peer->session);
    assert_true(peer->cut);
    assert_int_equal(fixture->hub->stats.puts_total, 0);
    assert_int_equal(fixture->hub->stats.sessions_memory_total, 1);
    assert_int_equal(fixture->hub->stats.sessions_slow_total, 0);
}

static void payload__behind_a_parked_one_without_memory__ends_the_session_for_it(void **state)
{
    fixture_t *fixture = *state;
    struct connection *peer = &fixture->peers[0];
    ask(fixture, peer, "auth", "ss", "adam", "eve");
    buffer_t payload;
    buffer_init(&payload, VALUE_SIZE);
    request_add(&payload, 7, "ping", "");
    ask_without_memory(fixture, peer, &payload);
    assert_null(peer->session);
    assert_int_equal(fixture->hub->stats.sessions_memory_total, 1);
}

static void changes__without_memory__wait_in_the_log(void **state)
{
    fixture_t *fixture = *state;
    struct connection *owner = &fixture->peers[0];
    struct connection *writer = &fixture->peers[1];
    snprintf(owner->identity, sizeof owner->identity, "lamp/1");
    snprintf(writer->identity, sizeof writer->identity, "lamp/2");
    ask(fixture, owner, "watch", "b", true);
    owner->count = 0;
    unsigned pushes = 0;
    /* One of the first few allocations is for the push. Whichever is refused, the push comes in the end. */
    for (int granted = 0; granted < 8; granted++) {
        ping_is_answered(fixture, writer);
        buffer_t payload;
        buffer_init(&payload, VALUE_SIZE);
        request_add(&payload, 7, "put", "ss", "a", "1");
        uint64_t puts = fixture->hub->stats.puts_total;
        refuse_once = true;
        refuse_after = granted;
        payload_give(fixture, writer, &payload);
        refuse_after = REFUSE_NEVER;
        pushes += (unsigned)(fixture->hub->stats.puts_total - puts);
        fixture->now_ms += 1000;
        hub_tick(fixture->hub, fixture->now_ms);
        hub_tick(fixture->hub, fixture->now_ms);
    }
    assert_true(pushes > 4);
    assert_int_equal(owner->count, pushes);
    for (unsigned i = 1; i < pushes; i++)
        assert_true(owner->got[i].number > owner->got[i - 1].number);
}

#define HUB_TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(script__each_allocation_refused_in_turn__is_right_or_unavailable_or_cut_off),
        HUB_TEST(begin__without_memory__closes_the_connection),
        HUB_TEST(answer__without_memory__ends_the_session_for_it_with_nothing_done),
        HUB_TEST(payload__behind_a_parked_one_without_memory__ends_the_session_for_it),
        HUB_TEST(changes__without_memory__wait_in_the_log),
    };
    return cmocka_run_group_tests_name("hub_memory", tests, NULL, NULL);
}
