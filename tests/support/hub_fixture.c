/* SPDX-License-Identifier: MPL-2.0 */
/* Gives the hub replacements for its sockets, its verifier and the time. */
#include "tests/support/hub_fixture.h"

#include <stdlib.h>

#include "tests/support/idle_outlets.h"

/* ---- What the hub needs ----------------------------------------------------------------------- */

/* Returns the number after the key NAME of a map in BYTES. Fails the test if there is none. */
static uint64_t number_of(bytes_t bytes, const char *name)
{
    rpc_value_t number;
    const uint8_t *found = memmem(bytes.data, bytes.size, name, strlen(name));
    assert_non_null(found);
    size_t at = (size_t)(found - bytes.data) + strlen(name);
    assert_true(rpc_read_value(bytes, &at, &number) && number.type == RPC_UINT);
    return number.as.number;
}

static void got_read(got_t *got, const rpc_reply_t *reply)
{
    *got =
        (got_t){.kind = reply->kind, .msgid = reply->msgid, .failed = reply->failed, .number = reply->detail};
    snprintf(got->code, sizeof got->code, "%.*s", (int)reply->code.size, (const char *)reply->code.data);
    rpc_value_t value;
    size_t at = 0;
    if (!reply->failed && rpc_read_value(reply->body, &at, &value) && value.type == RPC_UINT)
        got->number = value.as.number;
    if (reply->kind == RPC_NOTIFICATION && bytes_equal(reply->method, bytes_from_text("changed")))
        got->number = number_of(reply->body, "seq");
}

static status_t op_send(void *context, struct connection *connection, bytes_t identity, bytes_t envelope,
                        buffer_t *answer)
{
    (void)context;
    (void)envelope;
    assert_true(bytes_equal(identity, bytes_from_text(connection->identity)));
    rpc_reply_t reply;
    for (size_t at = 0;
         !connection->full && rpc_read_reply(buffer_bytes(answer), &at, &reply) == RPC_STEP_MESSAGE;)
        got_read(&connection->got[connection->count++ % ANSWERS_MAX], &reply);
    return connection->full ? STATUS_RESOURCE_EXHAUSTED : STATUS_OK;
}

static void op_release(void *context, struct connection *connection, bool cut)
{
    (void)context;
    connection->session = NULL;
    connection->cut = cut;
}

static bool op_verify(void *context, uint64_t job, const char *hash, bytes_t password)
{
    fixture_t *fixture = context;
    (void)hash;
    (void)password;
    fixture->job = job;
    return true;
}

static bool op_congested(void *context, struct connection *connection)
{
    (void)context;
    connection->asked++;
    return connection->full;
}

static size_t op_audience(void *context)
{
    const fixture_t *fixture = context;
    return fixture->audience;
}

static void op_publish(void *context, bytes_t topic, buffer_t *payload)
{
    fixture_t *fixture = context;
    assert_int_equal(topic.data[topic.size - 1], '/');
    fixture->published++;
    fixture->published_ms = (int64_t)number_of(buffer_bytes(payload), "time_ms");
}

static outlets_t outlets_of(fixture_t *fixture)
{
    outlets_t outlets = idle_outlets(fixture);
    outlets.transport.send = op_send;
    outlets.transport.congested = op_congested;
    outlets.transport.release = op_release;
    outlets.publisher.audience = op_audience;
    outlets.publisher.publish = op_publish;
    outlets.verification.submit = op_verify;
    return outlets;
}

/* ---- Fixture ---------------------------------------------------------------------------------- */

static int setup_with_log(void **state, uint64_t events)
{
    static char user[] = "adam";
    static char hash[] =
        "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    fixture_t *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->manager = (credential_t){.name = user, .hash = hash};
    fixture->settings = (settings_t){.timeout_ms = 60000,
                                     .first_id = 40000,
                                     .last_id = 40009,
                                     .managers = &fixture->manager,
                                     .manager_count = 1,
                                     .events_keep = events,
                                     .events_keep_bytes = 100000000,
                                     .events_inline = 65536,
                                     .limits = LIMITS_DEFAULT};
    fixture->now_ms = 5000000;
    outlets_t outlets = outlets_of(fixture);
    fixture->hub = hub_new(&fixture->settings, &outlets, fixture->now_ms, UNIX_MS);
    assert_non_null(fixture->hub);
    *state = fixture;
    return 0;
}

int hub_setup(void **state)
{
    return setup_with_log(state, 100000);
}

int hub_setup_short_log(void **state)
{
    return setup_with_log(state, SHORT_LOG);
}

int hub_teardown(void **state)
{
    fixture_t *fixture = *state;
    hub_destroy(&fixture->hub);
    free(fixture);
    return 0;
}

void only_at_once(const fixture_t *fixture)
{
    if (fixture->hub->command_log)
        skip();
}

void payload_give(fixture_t *fixture, struct connection *peer, buffer_t *payload)
{
    arrival_t arrival = {.connection = peer,
                         .identity = bytes_from_text(peer->identity),
                         .peer = bytes_from_text("192.0.2.1"),
                         .payload = buffer_bytes(payload)};
    assert_false(payload->failed);
    peer->session = hub_receive(fixture->hub, peer->session, &arrival, fixture->now_ms);
    buffer_release(payload);
}

static void request_write(buffer_t *payload, uint32_t msgid, const char *method, const char *form,
                          va_list list)
{
    rpc_write_request(payload, msgid, bytes_from_text(method));
    rpc_write_array(payload, (uint32_t)strlen(form));
    for (; *form; form++) {
        if (*form == 's') {
            rpc_write_text(payload, va_arg(list, const char *));
        } else if (*form == 'b') {
            rpc_write_bool(payload, va_arg(list, int));
        } else if (*form == 'c') {
            rpc_write_map(payload, 1);
            rpc_write_text(payload, "create");
            rpc_write_bool(payload, true);
        } else if (*form == 'p') {
            rpc_write_map(payload, 1);
            rpc_write_text(payload, "secret");
            rpc_write_text(payload, va_arg(list, const char *));
        } else {
            if (*form != 'n') {
                rpc_write_map(payload, 1);
                rpc_write_text(payload, *form == 't' ? "ttl_ms" : "after");
            }
            rpc_write_uint(payload, va_arg(list, unsigned));
        }
    }
}

void request_add(buffer_t *payload, uint32_t msgid, const char *method, const char *form, ...)
{
    va_list list;
    va_start(list, form);
    request_write(payload, msgid, method, form, list);
    va_end(list);
}

void ask(fixture_t *fixture, struct connection *peer, const char *method, const char *form, ...)
{
    buffer_t payload;
    buffer_init(&payload, 4096);
    va_list list;
    va_start(list, form);
    request_write(&payload, 7, method, form, list);
    va_end(list);
    peer->count = 0;
    payload_give(fixture, peer, &payload);
}

void assert_got(const struct connection *peer, const char *code)
{
    assert_int_equal(peer->count, 1);
    assert_int_equal(peer->got[0].msgid, 7);
    assert_string_equal(peer->got[0].code, code);
}

unsigned turns_until(fixture_t *fixture, const struct connection *peer, unsigned count)
{
    unsigned turns = 0;
    for (; peer->count < count; turns++) {
        assert_true(turns < TURNS_MAX);
        assert_true(hub_next_due(fixture->hub) <= fixture->now_ms);
        hub_tick(fixture->hub, fixture->now_ms);
    }
    return turns;
}

void ping_is_answered(fixture_t *fixture, struct connection *peer)
{
    ask(fixture, peer, "ping", "");
    assert_got(peer, "");
}

void fill(fixture_t *fixture, struct connection *peer, unsigned ttl_ms)
{
    for (unsigned i = 0; i < MANY; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%u", i);
        if (ttl_ms > 0)
            ask(fixture, peer, "put", "sst", key, "v", ttl_ms);
        else
            ask(fixture, peer, "put", "ss", key, "v");
        assert_int_equal(peer->count, 1);
    }
}

void login(fixture_t *fixture, struct connection *peer, bool right)
{
    ask(fixture, peer, "auth", "ss", "adam", "eve");
    assert_int_equal(peer->count, 0);
    hub_verified(fixture->hub, fixture->job, right ? VERDICT_RIGHT : VERDICT_WRONG, fixture->now_ms);
}
