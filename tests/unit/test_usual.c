/* SPDX-License-Identifier: MPL-2.0 */
/* Compares the usual way with the general way, and applying commands at once with applying them later. Four
 * hubs get the same random payloads, of the same sessions: two of one client, a guest and a manager, while
 * another session may watch. Some hubs take only the general way, and some apply their commands later. All
 * must give the same answers, byte for byte, and afterwards have the same clients, entries, digests and
 * events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/core/feed.h"
#include "broker/core/hub.h"
#include "common/rpc.h"
#include "tests/support/chance.h"
#include "tests/support/idle_outlets.h"
#include "tests/support/later_log.h"
#include "tests/support/same_state.h"
#include "tests/support/volume.h"

enum {
    LIVES = 4, /* of small stores: with and without digests, with and without a session that watches */
    PAYLOADS = 600,
    PAYLOADS_VALGRIND = 20,
    MESSAGES = 150, /* most messages of a payload: more than two windows of 64 */
    PAYLOAD_BYTES = 1 << 20,
    ANSWER_BYTES = 1 << 21,
    KEY_MAX = 40,
    VALUE_MAX = 2000,
    EVENTS_INLINE = 150, /* a longer value is not in its event; above RECORD_INLINE_MAX, not in its record */
    KEYS_SMALL = 60,
    KEYS_LARGE = 16500, /* of a store for which the engine looks ahead */
    CHECK_LARGE = 100   /* payloads between two comparisons of large stores */
};

/* The sessions of a hub. */
enum { OWNER, TWIN, GUEST, MANAGER, WATCHER, CONNECTIONS };

static const char *const identities[CONNECTIONS] = {"lamp/1", "lamp/2", "bell", "desk", "lamp/3"};

struct connection {
    session_t *session;
    bool whole;    /* it matters which answers come together */
    buffer_t sent; /* all that was sent on it */
};

/* One of the four hubs. */
typedef struct world {
    settings_t settings;
    credential_t manager;
    hub_t *hub;
    later_log_t *log;  /* NULL = it applies commands at once */
    uint64_t job;      /* of the password to verify */
    uint64_t compared; /* events up to this seq were compared */
    struct connection connections[CONNECTIONS];
} world_t;

enum { USUAL, GENERAL, LATER, GENERAL_LATER, WORLDS };

typedef struct fixture {
    chance_t random;
    world_t worlds[WORLDS]; /* the others are compared with the first */
    int64_t now_ms;
    uint64_t keys; /* limits/keys_per_client */
    bool digests;  /* the stores have digests */
} fixture_t;

/* ---- Hubs ------------------------------------------------------------------------------------- */

static status_t op_send(void *context, struct connection *connection, bytes_t identity, bytes_t envelope,
                        buffer_t *answer)
{
    (void)context;
    (void)identity;
    (void)envelope;
    bytes_t bytes = buffer_bytes(answer);
    if (connection->whole)
        buffer_append(&connection->sent, "[", 1); /* marks the beginning of a frame */
    buffer_append(&connection->sent, bytes.data, bytes.size);
    assert_false(connection->sent.failed);
    return STATUS_OK;
}

static void op_release(void *context, struct connection *connection, bool cut)
{
    (void)context;
    (void)cut;
    connection->session = NULL;
}

static bool op_verify(void *context, uint64_t job, const char *hash, bytes_t password)
{
    world_t *world = context;
    (void)hash;
    (void)password;
    world->job = job;
    return true;
}

static void world_give(world_t *world, unsigned peer, bytes_t payload, int64_t now_ms)
{
    struct connection *connection = &world->connections[peer];
    arrival_t arrival = {.connection = connection,
                         .identity = bytes_from_text(identities[peer]),
                         .peer = bytes_from_text("192.0.2.1"),
                         .payload = payload};
    for (unsigned i = 0; i < CONNECTIONS; i++)
        buffer_truncate(&world->connections[i].sent, 0);
    hub_foresee(world->hub, &(foreseen_t){.session = connection->session, .payload = payload}, 1);
    connection->session = hub_receive(world->hub, connection->session, &arrival, now_ms);
    for (unsigned turns = 0; hub_tick(world->hub, now_ms) || hub_waits(world->hub); turns++) {
        assert_true(turns < 10000);
        if (world->job != 0)
            hub_verified(world->hub, world->job, VERDICT_RIGHT, now_ms);
        world->job = 0;
    }
}

static void world_open(world_t *world, const fixture_t *fixture, bool general_only, bool later)
{
    static char user[] = "adam";
    static char hash[] =
        "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    *world = (world_t){.manager = {.name = user, .hash = hash}};
    world->settings = (settings_t){.timeout_ms = 60000,
                                   .first_id = 40000,
                                   .last_id = 40009,
                                   .managers = &world->manager,
                                   .manager_count = 1,
                                   .events_keep = 1000,
                                   .events_keep_bytes = 1000000,
                                   .events_inline = EVENTS_INLINE,
                                   .limits = LIMITS_DEFAULT};
    world->settings.limits.key = KEY_MAX;
    world->settings.limits.value = VALUE_MAX;
    world->settings.limits.keys_per_client = fixture->keys; /* some puts are refused */
    world->settings.limits.batch = MESSAGES;
    world->settings.limits.message = (MESSAGES + 1) * LIMIT_ERROR_BYTES + 8000; /* some answers do not fit */
    outlets_t outlets = idle_outlets(world);
    outlets.transport.send = op_send;
    outlets.transport.release = op_release;
    outlets.verification.submit = op_verify;
    world->hub = hub_new(&world->settings, &outlets, fixture->now_ms, fixture->now_ms);
    assert_non_null(world->hub);
    world->hub->general_only = general_only;
    world->log = later ? later_log_new(world->hub, 1) : NULL;
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        buffer_init(&world->connections[i].sent, ANSWER_BYTES);
        world->connections[i].whole = i != WATCHER;
    }
}

static void world_close(world_t *world)
{
    hub_destroy(&world->hub);
    later_log_destroy(&world->log);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        buffer_release(&world->connections[i].sent);
}

/* ---- Comparing -------------------------------------------------------------------------------- */

/* Asserts that WORLD has sent the same as USUAL, and recorded the same events. */
static void assert_same_answers(world_t *world, const world_t *usual)
{
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        bytes_t expected = buffer_bytes(&usual->connections[i].sent);
        bytes_t sent = buffer_bytes(&world->connections[i].sent);
        assert_int_equal(sent.size, expected.size);
        if (sent.size > 0)
            assert_memory_equal(sent.data, expected.data, expected.size);
    }
    assert_memory_equal(world->hub->stats.counters, usual->hub->stats.counters,
                        sizeof usual->hub->stats.counters);
    assert_same_events(feed_log(usual->hub->feed), feed_log(world->hub->feed), &world->compared,
                       engine_seq(usual->hub->engine));
}

static void assert_same_stores(const fixture_t *fixture)
{
    const state_t usual = {fixture->worlds[USUAL].hub->registry, fixture->worlds[USUAL].hub->engine};
    for (unsigned i = 1; i < WORLDS; i++) {
        const state_t state = {fixture->worlds[i].hub->registry, fixture->worlds[i].hub->engine};
        assert_same_state(&usual, &state, fixture->now_ms, fixture->digests);
    }
}

/* Gives all hubs PAYLOAD of the session PEER, and compares what they sent. */
static void give(fixture_t *fixture, unsigned peer, bytes_t payload)
{
    for (unsigned i = 0; i < WORLDS; i++) {
        world_give(&fixture->worlds[i], peer, payload, fixture->now_ms);
        if (i > 0)
            assert_same_answers(&fixture->worlds[i], &fixture->worlds[USUAL]);
    }
}

/* ---- Payloads --------------------------------------------------------------------------------- */

static size_t below(fixture_t *fixture, size_t bound)
{
    return (size_t)chance_below(&fixture->random, bound);
}

static bool rarely(fixture_t *fixture)
{
    return below(fixture, 40) == 0;
}

/* Adds a number, mostly in its shortest encoding, sometimes in a longer one. */
static void number_add(fixture_t *fixture, buffer_t *payload, uint32_t number)
{
    uint8_t bytes[5] = {0xce, (uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                        (uint8_t)number};
    if (rarely(fixture))
        buffer_append(payload, bytes, sizeof bytes);
    else
        rpc_write_uint(payload, number);
}

/* Adds TEXT of SIZE bytes, or sometimes something else: binary, another encoding, not UTF-8. */
static void text_add(fixture_t *fixture, buffer_t *payload, uint8_t *text, size_t size)
{
    if (rarely(fixture) && size > 1)
        memcpy(text, below(fixture, 2) == 0 ? "\xc3\xb6" : "\xff\xff", 2);
    uint8_t long_head[3] = {0xda, (uint8_t)(size >> 8), (uint8_t)size};
    switch (below(fixture, 30)) {
    case 0:
        buffer_append(payload, long_head, sizeof long_head);
        buffer_append(payload, text, size);
        return;
    case 1:
        rpc_write_bin(payload, bytes_of(text, size));
        return;
    case 2:
        rpc_write_uint(payload, size);
        return;
    default:
        rpc_write_str(payload, bytes_of(text, size));
    }
}

/* Adds one of a few keys, so that requests meet. Keys of 8 to 16 bytes have ways of their own. */
static void key_add(fixture_t *fixture, buffer_t *payload)
{
    static const size_t begins[] = {0, 7, 9, 30};
    uint8_t key[VALUE_MAX + 1];
    size_t size = begins[below(fixture, 4)];
    memset(key, 'k', sizeof key);
    for (size_t i = 1 + below(fixture, 3); i > 0; i--)
        key[size++] = (uint8_t)('a' + below(fixture, 3));
    if (fixture->keys == KEYS_LARGE && below(fixture, 2) == 0)
        size = (size_t)snprintf((char *)key, sizeof key, "key:%07zu", below(fixture, KEYS_LARGE));
    if (rarely(fixture))
        size = below(fixture, 2) == 0 ? 0 : KEY_MAX + below(fixture, 3); /* too short, too long or not */
    text_add(fixture, payload, key, size);
}

/* Adds a value of up to 200 bytes, or sometimes a longer one. */
static void value_add(fixture_t *fixture, buffer_t *payload)
{
    uint8_t value[VALUE_MAX + 100];
    size_t size = below(fixture, below(fixture, 10) == 0 ? sizeof value : 200);
    memset(value, (int)('a' + below(fixture, 26)), sizeof value);
    text_add(fixture, payload, value, size);
}

static void options_add(fixture_t *fixture, buffer_t *payload)
{
    switch (below(fixture, 8)) {
    case 0:
        rpc_write_nil(payload);
        return;
    case 1:
        rpc_write_map(payload, 1);
        rpc_write_text(payload, "if_revision");
        rpc_write_uint(payload, below(fixture, 3));
        return;
    case 2:
        rpc_write_map(payload, 2);
        rpc_write_text(payload, "create");
        rpc_write_bool(payload, true);
        break;
    default:
        rpc_write_map(payload, 1);
    }
    rpc_write_text(payload, "ttl_ms");
    rpc_write_uint(payload, 1 + below(fixture, rarely(fixture) ? 100000 : 20));
}

static const char *client_any(fixture_t *fixture)
{
    static const char *const clients[] = {"lamp", "bell", "ghost", "40000", "lamp", "n/o"};
    return clients[below(fixture, sizeof clients / sizeof *clients)];
}

/* How many params METHOD usually has. */
static size_t params_of(fixture_t *fixture, const char *method)
{
    if (strcmp(method, "put") == 0)
        return below(fixture, 3) == 0 ? 3 : 2;
    return strcmp(method, "ping") == 0 || strcmp(method, "list") == 0 || strcmp(method, "digest") == 0 ? 0
                                                                                                       : 1;
}

/* Adds one request or notification that is usual, or almost. With MANAGE, it is about another client's store.
 */
static void message_add(fixture_t *fixture, buffer_t *payload, bool manage)
{
    static const char *const methods[] = {"get", "put", "ping", "get",   "put",  "ping",   "get",
                                          "put", "del", "put",  "entry", "list", "digest", "gets"};
    const char *method = methods[below(fixture, sizeof methods / sizeof methods[0])];
    bool owed = !rarely(fixture);
    if (strcmp(method, "digest") == 0 && !fixture->digests)
        method = "get";
    rpc_write_array(payload, rarely(fixture) ? 5 : owed ? 4 : 3);
    rpc_write_uint(payload, rarely(fixture) ? 1 : owed ? 0 : 2);
    if (owed)
        number_add(fixture, payload, (uint32_t)below(fixture, 1 + (UINT64_C(1) << (8 * below(fixture, 5)))));
    if (rarely(fixture))
        rpc_write_bin(payload, bytes_from_text(method));
    else
        rpc_write_text(payload, manage ? "manage" : method);
    size_t params = rarely(fixture) ? below(fixture, 5) : params_of(fixture, method);
    rpc_write_array(payload, (uint32_t)(params + (manage ? 2 : 0)));
    if (manage) {
        rpc_write_text(payload, client_any(fixture));
        rpc_write_text(payload, method);
    }
    if (params > 0)
        key_add(fixture, payload);
    if (params > 1 && strcmp(method, "put") == 0)
        value_add(fixture, payload);
    else if (params > 1)
        options_add(fixture, payload);
    for (size_t i = 2; i < params; i++)
        options_add(fixture, payload);
}

/* Adds a request that only a manager may make. */
static void manager_add(fixture_t *fixture, buffer_t *payload)
{
    size_t choice = below(fixture, 20);
    if (choice > 1) {
        message_add(fixture, payload, choice > 10);
        return;
    }
    rpc_write_request(payload, 7, bytes_from_text(choice == 0 ? "replay" : "forget"));
    rpc_write_array(payload, 1);
    if (choice == 0)
        rpc_write_uint(payload, below(fixture, (size_t)engine_seq(fixture->worlds[USUAL].hub->engine) + 2));
    else
        rpc_write_text(payload, "ghost"); /* it has no session that would begin anew: see begin */
}

static void payload_make(fixture_t *fixture, unsigned peer, buffer_t *payload)
{
    size_t messages = below(fixture, rarely(fixture) ? MESSAGES + 20 : 1 + below(fixture, MESSAGES));
    for (size_t i = 0; i < messages; i++)
        if (peer == MANAGER)
            manager_add(fixture, payload);
        else
            message_add(fixture, payload, rarely(fixture) && rarely(fixture));
    assert_false(payload->failed);
    if (rarely(fixture) && payload->size > 0)
        payload->data[below(fixture, payload->size)] ^= (uint8_t)(1 + below(fixture, 255));
    if (rarely(fixture))
        buffer_truncate(payload, below(fixture, payload->size + 1));
}

/* ---- Lives ------------------------------------------------------------------------------------ */

/* Gives the hubs a request with the params FIRST and SECOND; `true` if there is no FIRST. */
static void ask(fixture_t *fixture, unsigned peer, const char *method, const char *first, const char *second)
{
    buffer_t payload;
    buffer_init(&payload, 256);
    rpc_write_request(&payload, 1, bytes_from_text(method));
    rpc_write_array(&payload, second != NULL ? 2 : 1);
    if (first != NULL)
        rpc_write_text(&payload, first);
    else
        rpc_write_bool(&payload, true);
    if (second != NULL)
        rpc_write_text(&payload, second);
    give(fixture, peer, buffer_bytes(&payload));
    buffer_release(&payload);
}

/* Puts keys into OWNER's store until it has COUNT. */
static void fill(fixture_t *fixture, size_t count)
{
    for (size_t put = 0; put < count;) {
        buffer_t payload;
        buffer_init(&payload, PAYLOAD_BYTES);
        for (uint32_t i = 1; i <= MESSAGES && put < count; i++, put++) {
            char key[32];
            snprintf(key, sizeof key, "key:%07zu", put);
            rpc_write_request(&payload, i, bytes_from_text("put"));
            rpc_write_array(&payload, 2);
            rpc_write_text(&payload, key);
            rpc_write_text(&payload, "a value");
        }
        give(fixture, OWNER, buffer_bytes(&payload));
        buffer_release(&payload);
    }
}

/* Gives the hubs COUNT random payloads, and compares their stores after every EVERY and at the end. */
static void live(fixture_t *fixture, size_t count, size_t every)
{
    for (size_t i = 1; i <= count; i++) {
        buffer_t payload;
        unsigned peer = (unsigned)below(fixture, WATCHER);
        buffer_init(&payload, PAYLOAD_BYTES);
        payload_make(fixture, peer, &payload);
        fixture->now_ms += (int64_t)below(fixture, 3);
        give(fixture, peer, buffer_bytes(&payload));
        if (i % every == 0 || i == count)
            assert_same_stores(fixture);
        buffer_release(&payload);
    }
}

static void begin(fixture_t *fixture, uint64_t keys, bool digests, bool watched)
{
    fixture->now_ms = 1000000;
    fixture->keys = keys;
    fixture->digests = digests;
    for (unsigned i = 0; i < WORLDS; i++)
        world_open(&fixture->worlds[i], fixture, (i & GENERAL) != 0, (i & LATER) != 0);
    /* All sessions begin while nothing can expire: which of the two comes first is not defined. */
    for (unsigned peer = 0; peer < CONNECTIONS; peer++)
        ask(fixture, peer, "get", "k", NULL);
    ask(fixture, MANAGER, "auth", "adam", "eve");
    assert_int_equal(fixture->worlds[USUAL].connections[MANAGER].session->role, ROLE_MANAGER);
    if (watched)
        ask(fixture, WATCHER, "watch", NULL, NULL);
}

static void end(fixture_t *fixture)
{
    for (unsigned i = 0; i < WORLDS; i++)
        world_close(&fixture->worlds[i]);
}

static int setup(void **state)
{
    fixture_t *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->random = chance_from(chance_seed());
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void random_payloads__by_any_way_and_at_any_time__get_the_same_bytes(void **state)
{
    fixture_t *fixture = *state;
    for (unsigned i = 0; i < LIVES; i++) {
        begin(fixture, KEYS_SMALL, i % 2 == 1, i / 2 == 1);
        live(fixture, volume(chance_rounds(PAYLOADS), PAYLOADS_VALGRIND), 1);
        assert_true(fixture->worlds[USUAL].hub->stats.puts_total > 0);
        end(fixture);
    }
}

/* From PREPARE_FROM entries on (engine.c), the engine looks ahead. */
static void random_payloads__about_large_stores__get_the_same_bytes(void **state)
{
    fixture_t *fixture = *state;
    size_t payloads = volume(chance_rounds(PAYLOADS), 0);
    if (payloads == 0)
        skip(); /* under valgrind, filling the stores would take too long */
    begin(fixture, KEYS_LARGE, true, false);
    fill(fixture, KEYS_LARGE);
    assert_true(engine_prepares(fixture->worlds[USUAL].hub->engine,
                                fixture->worlds[USUAL].connections[OWNER].session->client->store));
    live(fixture, payloads, CHECK_LARGE);
    end(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(random_payloads__by_any_way_and_at_any_time__get_the_same_bytes,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(random_payloads__about_large_stores__get_the_same_bytes, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("usual", tests, NULL, NULL);
}
