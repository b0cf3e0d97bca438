/* SPDX-License-Identifier: MPL-2.0 */
/* Compares the usual way with the general way, and applying commands at once with applying them later. Four
 * hubs get the same random payloads. Some hubs take only the general way, and some apply their commands
 * later. All must give the same answers, byte for byte, and have the same stores afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/core/hub.h"
#include "common/rpc.h"
#include "tests/support/chance.h"
#include "tests/support/idle_outlets.h"
#include "tests/support/later_log.h"
#include "tests/support/volume.h"

enum {
    PAYLOADS = 3000,
    PAYLOADS_VALGRIND = 100,
    MESSAGES = 150, /* most messages of a payload: more than two windows of 64 */
    PAYLOAD_BYTES = 1 << 20,
    ANSWER_BYTES = 1 << 21
};

struct connection {
    session_t *session;
    buffer_t sent; /* all that was sent on it */
};

/* One of the four hubs. */
typedef struct world {
    settings_t settings;
    hub_t *hub;
    later_log_t *log; /* NULL = it applies commands at once */
    struct connection connection;
} world_t;

typedef struct fixture {
    chance_t random;
    world_t usual; /* the others are compared with this one */
    world_t general;
    world_t later;
    world_t general_later;
    int64_t now_ms;
} fixture_t;

/* ---- Hubs ------------------------------------------------------------------------------------- */

static status_t op_send(void *context, struct connection *connection, bytes_t identity, bytes_t envelope,
                        buffer_t *answer)
{
    (void)context;
    (void)identity;
    (void)envelope;
    bytes_t bytes = buffer_bytes(answer);
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

static void world_open(world_t *world, int64_t now_ms, bool general_only, bool later)
{
    world->settings = (settings_t){.timeout_ms = 60000,
                                   .first_id = 40000,
                                   .last_id = 40009,
                                   .events_keep = 1000,
                                   .events_keep_bytes = 1000000,
                                   .events_inline = 65536,
                                   .limits = LIMITS_DEFAULT};
    world->settings.limits.key = 40;
    world->settings.limits.value = 300;
    world->settings.limits.keys_per_client = 60; /* some puts are refused */
    world->settings.limits.batch = MESSAGES;
    world->settings.limits.message = (MESSAGES + 1) * LIMIT_ERROR_BYTES + 2000; /* some answers do not fit */
    outlets_t outlets = idle_outlets(NULL);
    outlets.transport.send = op_send;
    outlets.transport.release = op_release;
    world->hub = hub_new(&world->settings, &outlets, now_ms, now_ms);
    assert_non_null(world->hub);
    world->hub->general_only = general_only;
    world->log = later ? later_log_new(world->hub, 1) : NULL;
    buffer_init(&world->connection.sent, ANSWER_BYTES);
}

static void world_close(world_t *world)
{
    hub_destroy(&world->hub);
    later_log_destroy(&world->log);
    buffer_release(&world->connection.sent);
}

static void world_give(world_t *world, bytes_t payload, int64_t now_ms)
{
    arrival_t arrival = {.connection = &world->connection,
                         .identity = bytes_from_text("lamp"),
                         .peer = bytes_from_text("192.0.2.1"),
                         .payload = payload};
    buffer_truncate(&world->connection.sent, 0);
    hub_foresee(world->hub, &(foreseen_t){.session = world->connection.session, .payload = payload}, 1);
    world->connection.session = hub_receive(world->hub, world->connection.session, &arrival, now_ms);
    for (unsigned turns = 0; hub_tick(world->hub, now_ms) || hub_waits(world->hub); turns++)
        assert_true(turns < 10000);
}

static int setup(void **state)
{
    fixture_t *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->now_ms = 1000000;
    world_open(&fixture->usual, fixture->now_ms, false, false);
    world_open(&fixture->general, fixture->now_ms, true, false);
    world_open(&fixture->later, fixture->now_ms, false, true);
    world_open(&fixture->general_later, fixture->now_ms, true, true);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;
    world_close(&fixture->usual);
    world_close(&fixture->general);
    world_close(&fixture->later);
    world_close(&fixture->general_later);
    free(fixture);
    return 0;
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

/* Adds a text, or sometimes something else: binary, another encoding, not UTF-8, too long, empty. */
static void text_add(fixture_t *fixture, buffer_t *payload, size_t longest)
{
    uint8_t text[400];
    size_t size = rarely(fixture) ? below(fixture, sizeof text) : 1 + below(fixture, longest);
    for (size_t i = 0; i < size; i++)
        text[i] = (uint8_t)('a' + below(fixture, 3));
    if (rarely(fixture))
        size = 0;
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

/* Adds one request or notification that is usual, or almost. */
static void message_add(fixture_t *fixture, buffer_t *payload)
{
    static const char *const methods[] = {"get", "put", "ping", "get",   "put",  "ping",
                                          "get", "put", "del",  "entry", "list", "gets"};
    const char *method = methods[below(fixture, sizeof methods / sizeof methods[0])];
    bool owed = !rarely(fixture);
    rpc_write_array(payload, rarely(fixture) ? 5 : owed ? 4 : 3);
    rpc_write_uint(payload, rarely(fixture) ? 1 : owed ? 0 : 2);
    if (owed)
        number_add(fixture, payload, (uint32_t)below(fixture, 1 + (UINT64_C(1) << (8 * below(fixture, 5)))));
    if (rarely(fixture))
        rpc_write_bin(payload, bytes_from_text(method));
    else
        rpc_write_text(payload, method);
    size_t params = method[0] == 'p' && method[1] == 'u' ? 2 : method[0] == 'p' || method[0] == 'l' ? 0 : 1;
    if (rarely(fixture))
        params = below(fixture, 5);
    rpc_write_array(payload, (uint32_t)params);
    if (params > 0)
        text_add(fixture, payload, 4); /* few keys */
    if (params > 1)
        text_add(fixture, payload, 200);
    for (size_t i = 2; i < params; i++) {
        rpc_write_map(payload, 1);
        rpc_write_text(payload, "ttl_ms");
        rpc_write_uint(payload, 1 + below(fixture, 20));
    }
}

static void payload_make(fixture_t *fixture, buffer_t *payload)
{
    size_t messages = below(fixture, rarely(fixture) ? MESSAGES + 20 : 1 + below(fixture, MESSAGES));
    for (size_t i = 0; i < messages; i++)
        message_add(fixture, payload);
    assert_false(payload->failed);
    if (rarely(fixture) && payload->size > 0)
        payload->data[below(fixture, payload->size)] ^= (uint8_t)(1 + below(fixture, 255));
    if (rarely(fixture))
        buffer_truncate(payload, below(fixture, payload->size + 1));
}

/* Asserts that WORLD has sent the same and is in the same state as USUAL. */
static void assert_same(const world_t *world, const world_t *usual)
{
    bytes_t expected = buffer_bytes(&usual->connection.sent);
    bytes_t sent = buffer_bytes(&world->connection.sent);
    assert_int_equal(sent.size, expected.size);
    assert_memory_equal(sent.data, expected.data, expected.size);
    assert_int_equal(engine_seq(world->hub->engine), engine_seq(usual->hub->engine));
    assert_int_equal(engine_bytes(world->hub->engine), engine_bytes(usual->hub->engine));
    assert_memory_equal(world->hub->stats.counters, usual->hub->stats.counters,
                        sizeof usual->hub->stats.counters);
}

static void random_payloads__by_any_way_and_at_any_time__get_the_same_bytes(void **state)
{
    fixture_t *fixture = *state;
    fixture->random = chance_from(chance_seed());
    for (size_t i = volume(chance_rounds(PAYLOADS), PAYLOADS_VALGRIND); i > 0; i--) {
        buffer_t payload;
        buffer_init(&payload, PAYLOAD_BYTES);
        payload_make(fixture, &payload);
        fixture->now_ms += (int64_t)below(fixture, 3);
        world_t *worlds[] = {&fixture->usual, &fixture->general, &fixture->later, &fixture->general_later};
        for (size_t k = 0; k < sizeof worlds / sizeof worlds[0]; k++) {
            world_give(worlds[k], buffer_bytes(&payload), fixture->now_ms);
            assert_same(worlds[k], worlds[0]);
        }
        buffer_release(&payload);
    }
    assert_true(fixture->usual.hub->stats.puts_total > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(random_payloads__by_any_way_and_at_any_time__get_the_same_bytes,
                                        setup, teardown),
    };
    return cmocka_run_group_tests_name("usual", tests, NULL, NULL);
}
