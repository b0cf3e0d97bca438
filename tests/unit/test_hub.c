/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about the broker without its sockets: sessions, roles, and work that is too much for one turn. Tests
 * set the clock. */
#include <stdlib.h>

#include "tests/support/hub_fixture.h"

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
    request_add(&payload, 1, "put", "ss", "a", "1");
    request_add(&payload, 2, "digest", "");
    request_add(&payload, 3, "ping", "");
    payload_give(fixture, peer, &payload);
    buffer_init(&payload, 4096);
    request_add(&payload, 4, "ping", "");
    payload_give(fixture, peer, &payload);
    assert_int_equal(peer->count, 0);
    turns_until(fixture, peer, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(peer->got[i].msgid, i + 1);
        assert_false(peer->got[i].failed);
    }
    assert_int_equal(fixture->hub->stats.requests_total - requests, 4); /* each counts once */
    assert_false(hub_waits(fixture->hub));
}

static void digest__whose_peer_goes_while_it_takes_turns__leaves_nothing(void **state)
{
    fixture_t *fixture = *state;
    struct connection *peer = &fixture->peers[0];
    fill(fixture, peer, 0);
    ask(fixture, peer, "digest", "");
    hub_lost(fixture->hub, peer->session, fixture->now_ms);
    assert_false(hub_waits(fixture->hub));
    assert_int_equal(sessions_count(fixture->hub->sessions), 0);
    while (hub_tick(fixture->hub, fixture->now_ms))
        ;
    assert_int_equal(peer->count, 0);
}

static void list__over_many_expired_keys__others_are_answered_meanwhile(void **state)
{
    fixture_t *fixture = *state;
    only_at_once(fixture);
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

static void get__of_a_key_that_is_due_behind_many__expires_just_that_one_at_once(void **state)
{
    fixture_t *fixture = *state;
    only_at_once(fixture);
    struct connection *lamp = &fixture->peers[0];
    fill(fixture, lamp, 10);
    ask(fixture, lamp, "put", "sst", "last", "v", 11);
    fixture->now_ms += 11;
    uint64_t before = engine_seq(fixture->hub->engine);
    ask(fixture, lamp, "get", "s", "k0"); /* expires as much as one turn may, k0 too */
    uint64_t turn = engine_seq(fixture->hub->engine) - before;
    assert_true(turn > 0 && turn < MANY / 2);
    ask(fixture, lamp, "get", "s", "last");
    assert_got(lamp, "");
    assert_int_equal(engine_seq(fixture->hub->engine), before + 2 * turn + 1);
    ask(fixture, lamp, "entry", "s", "last"); /* it is gone already */
    assert_int_equal(engine_seq(fixture->hub->engine), before + 3 * turn + 1);
}

static void get__of_a_key_that_is_due_behind_many__is_answered_when_it_has_expired(void **state)
{
    fixture_t *fixture = *state;
    struct connection *lamp = &fixture->peers[0];
    bytes_t key = bytes_from_text("last");
    lookup_t lookup = engine_lookup(fixture->hub->engine, key);
    entry_t entry;
    fill(fixture, lamp, 10);
    ask(fixture, lamp, "put", "sst", "last", "v", 11);
    fixture->now_ms += 11;
    ask(fixture, lamp, "get", "s", "last");
    const store_t *store = lamp->session->client->store;
    turns_until(fixture, lamp, 1);
    assert_got(lamp, "");
    assert_int_equal(engine_get(fixture->hub->engine, store, key, lookup, 0, &entry), STATUS_NOT_FOUND);
}

static void put__at_a_limit_with_many_expired_keys__takes_turns_and_succeeds(void **state)
{
    fixture_t *fixture = *state;
    only_at_once(fixture);
    struct connection *peer = &fixture->peers[0];
    struct connection *other = &fixture->peers[1];
    fill(fixture, peer, 1000);
    ask(fixture, other, "put", "sst", "a", "v", 1001);
    fixture->settings.limits.keys_per_client = 1;
    fixture->now_ms += 1001;
    ask(fixture, other, "put", "ss", "b", "v"); /* the key that must expire before is due last */
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
    only_at_once(fixture);
    struct connection *peer = &fixture->peers[0];
    char *value = calloc(VALUE + 1, 1);
    assert_non_null(value);
    memset(value, 'v', VALUE);
    buffer_t payload;
    buffer_init(&payload, 2 * VALUE);
    request_add(&payload, 1, "put", "ss", "k", value);
    payload_give(fixture, peer, &payload);
    free(value);
    ask(fixture, peer, "auth", "ss", "adam", "no");
    for (unsigned i = 0; i < WAITING; i++)
        ask(fixture, peer, "get", "s", "k");
    hub_verified(fixture->hub, fixture->job, VERDICT_WRONG, fixture->now_ms);
    assert_in_range(peer->count, 2, WAITING - 1);
    ping_is_answered(fixture, &fixture->peers[1]);
    turns_until(fixture, peer, WAITING + 1);
    assert_int_equal(fixture->peers[0].session->queue_count, 0);
}

/* ---- Sessions --------------------------------------------------------------------------------- */

static void session__silent_for_the_timeout__ends_and_not_before(void **state)
{
    fixture_t *fixture = *state;
    ping_is_answered(fixture, &fixture->peers[0]);
    fixture->now_ms += fixture->settings.timeout_ms - 1;
    hub_tick(fixture->hub, fixture->now_ms);
    assert_int_equal(sessions_count(fixture->hub->sessions), 1);
    fixture->now_ms++;
    fixture->peers[0].count = 0;
    hub_tick(fixture->hub, fixture->now_ms);
    assert_int_equal(sessions_count(fixture->hub->sessions), 0);
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
    assert_int_equal(sessions_count(fixture->hub->sessions), 1);
    hub_verified(fixture->hub, fixture->job, VERDICT_RIGHT, fixture->now_ms);
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
    assert_int_equal(sessions_count(fixture->hub->sessions), 0);
}

static void verified__whose_session_is_gone__is_passed_over(void **state)
{
    fixture_t *fixture = *state;
    ask(fixture, &fixture->peers[0], "auth", "ss", "adam", "eve");
    hub_lost(fixture->hub, fixture->peers[0].session, fixture->now_ms);
    fixture->peers[0].session = NULL;
    ping_is_answered(fixture, &fixture->peers[0]);
    hub_verified(fixture->hub, fixture->job, VERDICT_RIGHT, fixture->now_ms);
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
    assert_true(hub_waits(fixture->hub));
    fixture->now_ms += 1000;
    hub_tick(fixture->hub, fixture->now_ms);
    assert_got(&fixture->peers[2], "UNAUTHENTICATED");
    assert_int_equal(fixture->peers[1].count, 0);
    assert_false(hub_waits(fixture->hub));
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
    hub_verified(fixture->hub, fixture->job, VERDICT_RIGHT, fixture->now_ms);
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
    assert_int_equal(sessions_count(fixture->hub->sessions), 0);
    assert_false(hub_waits(fixture->hub));
}

#define HUB_TEST(function) cmocka_unit_test_setup_teardown(function, hub_setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HUB_TEST(digest__of_many_keys__others_are_answered_meanwhile),
        HUB_TEST(digest__while_it_takes_turns__later_requests_of_the_session_wait_in_order),
        HUB_TEST(digest__whose_peer_goes_while_it_takes_turns__leaves_nothing),
        HUB_TEST(list__over_many_expired_keys__others_are_answered_meanwhile),
        HUB_TEST(get__of_a_key_that_is_due_behind_many__expires_just_that_one_at_once),
        HUB_TEST(get__of_a_key_that_is_due_behind_many__is_answered_when_it_has_expired),
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
