/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about the broker without its sockets: sessions, roles, and work that is too much for one turn. The
 * clock is the tests'. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/dispatch.h"
#include "common/rpc.h"

enum { PEERS = 4, ANSWERS_MAX = 64, MANY = 30000, TURNS_MAX = 10000 };

/* A reply that was sent: what a test looks at. */
typedef struct got {
    rpc_kind_t kind;
    uint32_t msgid;
    bool failed;
    char code[32];
    uint64_t number; /* the result, or the detail of an error */
} got_t;

struct connection {
    session_t *session;
    char identity[24];
    got_t got[ANSWERS_MAX];
    unsigned count; /* in `got` */
    bool full;      /* sends fail */
    bool cut;
};

typedef struct fixture {
    settings_t settings;
    credential_t manager;
    hub_t *hub;
    int64_t now_ms;
    uint64_t ticket; /* of the latest password to verify */
    struct connection peers[PEERS];
} fixture_t;

/* ---- What the hub needs ----------------------------------------------------------------------- */

static void got_read(got_t *got, const rpc_reply_t *reply)
{
    *got =
        (got_t){.kind = reply->kind, .msgid = reply->msgid, .failed = reply->failed, .number = reply->detail};
    snprintf(got->code, sizeof got->code, "%.*s", (int)reply->code.size, (const char *)reply->code.data);
    rpc_value_t value;
    size_t at = 0;
    if (!reply->failed && rpc_read_value(reply->body, &at, &value) && value.type == RPC_UINT)
        got->number = value.as.number;
}

static bool op_send(void *context, struct connection *connection, bytes_t identity, bytes_t envelope,
                    buffer_t *answer)
{
    (void)context;
    (void)envelope;
    assert_true(bytes_equal(identity, bytes_from_text(connection->identity)));
    rpc_reply_t reply;
    for (size_t at = 0;
         !connection->full && rpc_read_reply(buffer_bytes(answer), &at, &reply) == RPC_STEP_MESSAGE;)
        got_read(&connection->got[connection->count++ % ANSWERS_MAX], &reply);
    return !connection->full;
}

static void op_release(void *context, struct connection *connection, bool cut)
{
    (void)context;
    connection->session = NULL;
    connection->cut = cut;
}

static void op_cancel(void *context, uint64_t ticket)
{
    (void)context;
    (void)ticket;
}

static bool op_verify(void *context, uint64_t ticket, const char *hash, bytes_t password)
{
    fixture_t *fixture = context;
    (void)hash;
    (void)password;
    fixture->ticket = ticket;
    return true;
}

static bool op_congested(void *context, struct connection *connection)
{
    (void)context;
    return connection->full;
}

static bool op_has_audience(void *context)
{
    (void)context;
    return false;
}

static void op_publish(void *context, bytes_t topic, buffer_t *payload)
{
    (void)context;
    (void)topic;
    (void)payload;
}

static void op_cut_events(void *context, bool strict)
{
    (void)context;
    (void)strict;
}

static void op_event_endpoint(void *context, struct connection *connection, char *text, size_t text_size)
{
    (void)context;
    (void)connection;
    snprintf(text, text_size, "tcp://127.0.0.1:5001");
}

static const hub_ops_t ops = {.send = op_send,
                              .release = op_release,
                              .verify = op_verify,
                              .cancel = op_cancel,
                              .congested = op_congested,
                              .has_audience = op_has_audience,
                              .publish = op_publish,
                              .cut_events = op_cut_events,
                              .event_endpoint = op_event_endpoint};

/* ---- Fixture ---------------------------------------------------------------------------------- */

static int setup(void **state)
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
                                     .events_keep = 100000,
                                     .events_keep_bytes = 100000000,
                                     .events_inline = 65536,
                                     .limits = LIMITS_DEFAULT};
    fixture->now_ms = 5000000;
    fixture->hub = hub_new(&fixture->settings, &ops, fixture, fixture->now_ms, 1700000000000);
    assert_non_null(fixture->hub);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;
    hub_destroy(&fixture->hub);
    free(fixture);
    return 0;
}

static void payload_give(fixture_t *fixture, struct connection *peer, buffer_t *payload)
{
    arrival_t arrival = {.connection = peer,
                         .identity = bytes_from_text(peer->identity),
                         .peer = bytes_from_text("192.0.2.1"),
                         .payload = buffer_bytes(payload)};
    assert_false(payload->failed);
    peer->session = hub_receive(fixture->hub, peer->session, &arrival, fixture->now_ms);
    buffer_release(payload);
}

/* Appends a request: FORM tells its params, of which there is one argument each: s a text, n a number, t a
 * map with ttl_ms, p a map with secret, a a map with after. */
static void request_write(buffer_t *payload, uint32_t msgid, const char *method, const char *form,
                          va_list list)
{
    rpc_write_request(payload, msgid, bytes_from_text(method));
    rpc_write_array(payload, (uint32_t)strlen(form));
    for (; *form; form++) {
        if (*form == 's') {
            rpc_write_text(payload, va_arg(list, const char *));
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

static void write(buffer_t *payload, uint32_t msgid, const char *method, const char *form, ...)
{
    va_list list;
    va_start(list, form);
    request_write(payload, msgid, method, form, list);
    va_end(list);
}

/* Sends one request of PEER, and forgets what it got before. */
static void ask(fixture_t *fixture, struct connection *peer, const char *method, const char *form, ...)
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

static void assert_got(const struct connection *peer, const char *code)
{
    assert_int_equal(peer->count, 1);
    assert_int_equal(peer->got[0].msgid, 7);
    assert_string_equal(peer->got[0].code, code);
}

/* Takes turns until PEER has COUNT answers. Returns how many turns that took. */
static unsigned turns_until(fixture_t *fixture, const struct connection *peer, unsigned count)
{
    unsigned turns = 0;
    for (; peer->count < count; turns++) {
        assert_true(turns < TURNS_MAX);
        assert_true(hub_next_due(fixture->hub) <= fixture->now_ms);
        hub_tick(fixture->hub, fixture->now_ms);
    }
    return turns;
}

static void ping_is_answered(fixture_t *fixture, struct connection *peer)
{
    ask(fixture, peer, "ping", "");
    assert_got(peer, "");
}

/* Puts MANY keys into PEER's store; TTL_MS 0 = none. */
static void fill(fixture_t *fixture, struct connection *peer, unsigned ttl_ms)
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

static void login(fixture_t *fixture, struct connection *peer, bool right)
{
    ask(fixture, peer, "auth", "ss", "adam", "eve");
    assert_int_equal(peer->count, 0);
    hub_verified(fixture->hub, fixture->ticket, right, fixture->now_ms);
}

/* ---- Too much for one turn -------------------------------------------------------------------- */

static void digest__of_many_keys__others_are_answered_meanwhile(void **state)
{
    fixture_t *fixture = *state;
    struct connection *peer = &fixture->peers[0];
    fill(fixture, peer, 0);
    ask(fixture, peer, "digest", "");
    assert_int_equal(peer->count, 0);
    ping_is_answered(fixture, &fixture->peers[1]);
    assert_true(turns_until(fixture, peer, 1) > 1);
    assert_got(peer, "");
    ask(fixture, peer, "digest", "");
    assert_got(peer, "");
}

static void digest__while_it_takes_turns__later_requests_of_the_session_wait_in_order(void **state)
{
    fixture_t *fixture = *state;
    struct connection *peer = &fixture->peers[0];
    fill(fixture, peer, 0);
    uint64_t requests = fixture->hub->stats.requests_total;
    peer->count = 0;
    buffer_t payload;
    buffer_init(&payload, 4096);
    write(&payload, 1, "put", "ss", "a", "1");
    write(&payload, 2, "digest", "");
    write(&payload, 3, "ping", "");
    payload_give(fixture, peer, &payload);
    buffer_init(&payload, 4096);
    write(&payload, 4, "ping", "");
    payload_give(fixture, peer, &payload);
    assert_int_equal(peer->count, 0);
    turns_until(fixture, peer, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(peer->got[i].msgid, i + 1);
        assert_false(peer->got[i].failed);
    }
    assert_int_equal(fixture->hub->stats.requests_total - requests, 4); /* each counts once */
    assert_false(hub_parked(fixture->hub));
}

static void digest__whose_peer_goes_while_it_takes_turns__leaves_nothing(void **state)
{
    fixture_t *fixture = *state;
    struct connection *peer = &fixture->peers[0];
    fill(fixture, peer, 0);
    ask(fixture, peer, "digest", "");
    hub_lost(fixture->hub, peer->session, fixture->now_ms);
    assert_false(hub_parked(fixture->hub));
    assert_int_equal(fixture->hub->session_count, 0);
    while (hub_tick(fixture->hub, fixture->now_ms))
        ;
    assert_int_equal(peer->count, 0);
}

static void list__over_many_expired_keys__others_are_answered_meanwhile(void **state)
{
    fixture_t *fixture = *state;
    struct connection *peer = &fixture->peers[0];
    fill(fixture, peer, 1000);
    fixture->now_ms += 1000;
    ask(fixture, peer, "list", "");
    assert_int_equal(peer->count, 0);
    ping_is_answered(fixture, &fixture->peers[1]);
    assert_true(turns_until(fixture, peer, 1) > 1);
    assert_got(peer, "");
    assert_int_equal(fixture->hub->stats.expires_total, MANY);
}

static void put__at_a_limit_with_many_expired_keys__takes_turns_and_succeeds(void **state)
{
    fixture_t *fixture = *state;
    struct connection *peer = &fixture->peers[0];
    struct connection *other = &fixture->peers[1];
    fill(fixture, peer, 1000);
    ask(fixture, other, "put", "sst", "a", "v", 1001);
    fixture->settings.limits.keys_per_client = 1;
    fixture->now_ms += 1001;
    ask(fixture, other, "put", "ss", "b", "v"); /* what must go first is due last */
    assert_int_equal(other->count, 0);
    ping_is_answered(fixture, &fixture->peers[2]);
    assert_true(turns_until(fixture, other, 1) > 1);
    assert_got(other, "");
}

static void replay__of_a_client_without_events__many_times_over__takes_turns(void **state)
{
    fixture_t *fixture = *state;
    struct connection *peer = &fixture->peers[0];
    login(fixture, peer, true);
    fill(fixture, &fixture->peers[1], 0);
    peer->count = 0;
    buffer_t payload;
    buffer_init(&payload, 65536);
    for (unsigned i = 0; i < ANSWERS_MAX; i++) {
        rpc_write_request(&payload, i, bytes_from_text("replay"));
        rpc_write_array(&payload, 2);
        rpc_write_uint(&payload, 0);
        rpc_write_map(&payload, 1);
        rpc_write_text(&payload, "client");
        rpc_write_text(&payload, "nobody");
    }
    payload_give(fixture, peer, &payload);
    assert_int_equal(peer->count, 0);
    ping_is_answered(fixture, &fixture->peers[2]);
    assert_true(turns_until(fixture, peer, ANSWERS_MAX) > 1);
    assert_false(peer->got[ANSWERS_MAX - 1].failed);
}

static void payloads_that_waited__with_long_answers__take_turns(void **state)
{
    enum { WAITING = 16, VALUE = 100000 };
    fixture_t *fixture = *state;
    struct connection *peer = &fixture->peers[0];
    char *value = calloc(VALUE + 1, 1);
    assert_non_null(value);
    memset(value, 'v', VALUE);
    buffer_t payload;
    buffer_init(&payload, 2 * VALUE);
    write(&payload, 1, "put", "ss", "k", value);
    payload_give(fixture, peer, &payload);
    free(value);
    ask(fixture, peer, "auth", "ss", "adam", "no");
    for (unsigned i = 0; i < WAITING; i++)
        ask(fixture, peer, "get", "s", "k");
    hub_verified(fixture->hub, fixture->ticket, false, fixture->now_ms);
    assert_in_range(peer->count, 2, WAITING - 1);
    ping_is_answered(fixture, &fixture->peers[1]);
    turns_until(fixture, peer, WAITING + 1);
    assert_int_equal(fixture->peers[0].session->waiting_count, 0);
}

/* ---- Sessions --------------------------------------------------------------------------------- */

static void session__silent_for_the_timeout__ends_and_not_before(void **state)
{
    fixture_t *fixture = *state;
    ping_is_answered(fixture, &fixture->peers[0]);
    fixture->now_ms += fixture->settings.timeout_ms - 1;
    hub_tick(fixture->hub, fixture->now_ms);
    assert_int_equal(fixture->hub->session_count, 1);
    fixture->now_ms++;
    fixture->peers[0].count = 0;
    hub_tick(fixture->hub, fixture->now_ms);
    assert_int_equal(fixture->hub->session_count, 0);
    assert_int_equal(fixture->peers[0].count, 1);
    assert_int_equal(fixture->peers[0].got[0].kind, RPC_NOTIFICATION);
    assert_false(fixture->peers[0].cut);
    assert_int_equal(registry_count(fixture->hub->registry), 0);
}

static void session__that_waits_for_its_password__does_not_time_out(void **state)
{
    fixture_t *fixture = *state;
    ask(fixture, &fixture->peers[0], "auth", "ss", "adam", "eve");
    fixture->now_ms += 10 * fixture->settings.timeout_ms;
    hub_tick(fixture->hub, fixture->now_ms);
    assert_int_equal(fixture->hub->session_count, 1);
    hub_verified(fixture->hub, fixture->ticket, true, fixture->now_ms);
    assert_got(&fixture->peers[0], "");
}

static void session__that_does_not_take_its_answers__is_cut(void **state)
{
    fixture_t *fixture = *state;
    struct connection *peer = &fixture->peers[0];
    ping_is_answered(fixture, peer);
    peer->full = true;
    ask(fixture, peer, "ping", "");
    assert_null(peer->session);
    assert_true(peer->cut);
    assert_int_equal(fixture->hub->stats.sessions_slow_total, 1);
    assert_int_equal(fixture->hub->session_count, 0);
}

static void verified__whose_session_is_gone__is_passed_over(void **state)
{
    fixture_t *fixture = *state;
    ask(fixture, &fixture->peers[0], "auth", "ss", "adam", "eve");
    hub_lost(fixture->hub, fixture->peers[0].session, fixture->now_ms);
    fixture->peers[0].session = NULL;
    ping_is_answered(fixture, &fixture->peers[0]);
    hub_verified(fixture->hub, fixture->ticket, true, fixture->now_ms);
    ask(fixture, &fixture->peers[0], "stats", "");
    assert_got(&fixture->peers[0], "PERMISSION_DENIED");
}

static void wrong_secret__is_answered_after_a_second__others_do_not_wait(void **state)
{
    fixture_t *fixture = *state;
    struct connection *owner = &fixture->peers[0];
    struct connection *thief = &fixture->peers[1];
    snprintf(owner->identity, sizeof owner->identity, "lamp/1");
    snprintf(thief->identity, sizeof thief->identity, "lamp/2");
    ask(fixture, owner, "hello", "p", "0123456789abcdef");
    assert_got(owner, "");
    ask(fixture, thief, "hello", "p", "ssssssssssssssss");
    fixture->now_ms += 999;
    hub_tick(fixture->hub, fixture->now_ms);
    assert_int_equal(thief->count, 0);
    ping_is_answered(fixture, owner);
    fixture->now_ms++;
    hub_tick(fixture->hub, fixture->now_ms);
    assert_got(thief, "UNAUTHENTICATED");
}

static void many_parked_sessions__that_go_in_any_order__leave_the_others_parked(void **state)
{
    fixture_t *fixture = *state;
    struct connection *owner = &fixture->peers[0];
    snprintf(owner->identity, sizeof owner->identity, "lamp/1");
    ask(fixture, owner, "hello", "p", "0123456789abcdef");
    for (unsigned i = 1; i < PEERS; i++) {
        snprintf(fixture->peers[i].identity, sizeof fixture->peers[i].identity, "lamp/%u", i + 1);
        ask(fixture, &fixture->peers[i], "hello", "p", "ssssssssssssssss");
    }
    hub_lost(fixture->hub, fixture->peers[3].session, fixture->now_ms); /* the last, then one in the middle */
    ask(fixture, &fixture->peers[0], "ping", "");
    hub_lost(fixture->hub, fixture->peers[1].session, fixture->now_ms);
    assert_true(hub_parked(fixture->hub));
    fixture->now_ms += 1000;
    hub_tick(fixture->hub, fixture->now_ms);
    assert_got(&fixture->peers[2], "UNAUTHENTICATED");
    assert_int_equal(fixture->peers[1].count, 0);
    assert_false(hub_parked(fixture->hub));
}

static void clients_limit__a_guest_is_refused_a_manager_is_let_in(void **state)
{
    fixture_t *fixture = *state;
    struct connection *late = &fixture->peers[1];
    fixture->settings.limits.clients = 1;
    ping_is_answered(fixture, &fixture->peers[0]);
    ask(fixture, late, "ping", "");
    assert_got(late, "RESOURCE_EXHAUSTED");
    login(fixture, late, false);
    assert_got(late, "UNAUTHENTICATED");
    ask(fixture, late, "ping", "");
    assert_got(late, "RESOURCE_EXHAUSTED");
    login(fixture, late, true);
    assert_got(late, "");
    ask(fixture, late, "stats", "");
    assert_got(late, "");
    assert_int_equal(registry_count(fixture->hub->registry), 2);
}

static void clients_limit__a_name_claimed_meanwhile__lets_no_manager_in(void **state)
{
    fixture_t *fixture = *state;
    struct connection *late = &fixture->peers[1];
    struct connection *owner = &fixture->peers[2];
    snprintf(late->identity, sizeof late->identity, "lamp/2");
    snprintf(owner->identity, sizeof owner->identity, "lamp/1");
    fixture->settings.limits.clients = 1;
    ping_is_answered(fixture, &fixture->peers[0]);
    ask(fixture, late, "auth", "ss", "adam", "eve");
    hub_lost(fixture->hub, fixture->peers[0].session, fixture->now_ms);
    ask(fixture, owner, "hello", "p", "0123456789abcdef");
    assert_got(owner, "");
    hub_verified(fixture->hub, fixture->ticket, true, fixture->now_ms);
    assert_got(late, "RESOURCE_EXHAUSTED");
    ask(fixture, late, "stats", "");
    assert_got(late, "UNAUTHENTICATED");
}

static void stop__every_session_is_told_and_ends(void **state)
{
    fixture_t *fixture = *state;
    for (unsigned i = 0; i < PEERS; i++)
        ping_is_answered(fixture, &fixture->peers[i]);
    ask(fixture, &fixture->peers[0], "auth", "ss", "adam", "eve");
    hub_stop(fixture->hub, fixture->now_ms);
    for (unsigned i = 0; i < PEERS; i++) {
        assert_null(fixture->peers[i].session);
        assert_int_equal(fixture->peers[i].got[fixture->peers[i].count - 1].kind, RPC_NOTIFICATION);
    }
    assert_int_equal(fixture->hub->session_count, 0);
    assert_false(hub_parked(fixture->hub));
}

#define HUB_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HUB_TEST(digest__of_many_keys__others_are_answered_meanwhile),
        HUB_TEST(digest__while_it_takes_turns__later_requests_of_the_session_wait_in_order),
        HUB_TEST(digest__whose_peer_goes_while_it_takes_turns__leaves_nothing),
        HUB_TEST(list__over_many_expired_keys__others_are_answered_meanwhile),
        HUB_TEST(put__at_a_limit_with_many_expired_keys__takes_turns_and_succeeds),
        HUB_TEST(replay__of_a_client_without_events__many_times_over__takes_turns),
        HUB_TEST(payloads_that_waited__with_long_answers__take_turns),
        HUB_TEST(session__silent_for_the_timeout__ends_and_not_before),
        HUB_TEST(session__that_waits_for_its_password__does_not_time_out),
        HUB_TEST(session__that_does_not_take_its_answers__is_cut),
        HUB_TEST(verified__whose_session_is_gone__is_passed_over),
        HUB_TEST(wrong_secret__is_answered_after_a_second__others_do_not_wait),
        HUB_TEST(many_parked_sessions__that_go_in_any_order__leave_the_others_parked),
        HUB_TEST(clients_limit__a_guest_is_refused_a_manager_is_let_in),
        HUB_TEST(clients_limit__a_name_claimed_meanwhile__lets_no_manager_in),
        HUB_TEST(stop__every_session_is_told_and_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
