/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about who is notified of changes, when, and what it costs others. The hub has no sockets, and tests
 * set the clock. */
#include "tests/support/hub_fixture.h"

/* ---- Time ------------------------------------------------------------------------------------- */

static void event__has_the_time_of_the_wall_clock__also_after_it_was_set(void **state)
{
    fixture_t *fixture = *state;
    fixture->audience = 1;
    ping_is_answered(fixture, &fixture->peers[0]);
    assert_int_equal(fixture->published_ms, UNIX_MS);
    fixture->now_ms += 1000;
    hub_set_clock(fixture->hub, fixture->now_ms, UNIX_MS + 3600000);
    ask(fixture, &fixture->peers[0], "put", "ss", "k", "v");
    assert_int_equal(fixture->published_ms, UNIX_MS + 3600000);
    hub_set_clock(fixture->hub, fixture->now_ms, UNIX_MS - 5000); /* back */
    hub_sync(fixture->hub, fixture->now_ms + 10);
    assert_int_equal(fixture->published_ms, UNIX_MS - 5000 + 10);
}

static void event__of_a_clock_read_a_millisecond_apart__is_not_before_the_last(void **state)
{
    fixture_t *fixture = *state;
    fixture->audience = 1;
    ping_is_answered(fixture, &fixture->peers[0]);
    hub_set_clock(fixture->hub, fixture->now_ms, UNIX_MS - 1);
    ask(fixture, &fixture->peers[0], "put", "ss", "k", "v");
    assert_int_equal(fixture->published_ms, UNIX_MS);
}

/* ---- Sessions that watch ---------------------------------------------------------------------- */

/* All peers but the last become sessions of the client lamp. The last one becomes another client. */
static void name_peers(fixture_t *fixture)
{
    for (unsigned i = 0; i + 1 < PEERS; i++)
        snprintf(fixture->peers[i].identity, sizeof fixture->peers[i].identity, "lamp/%u", i);
    snprintf(fixture->peers[PEERS - 1].identity, sizeof fixture->peers[0].identity, "other");
}

/* Sends COUNT puts in one payload. Their msgids are 0, 1, ... */
static void put_many(fixture_t *fixture, struct connection *peer, unsigned count)
{
    buffer_t payload;
    buffer_init(&payload, 1 << 20);
    for (unsigned i = 0; i < count; i++)
        request_add(&payload, i, "put", "ss", "k", "v");
    payload_give(fixture, peer, &payload);
}

/* Checks the last ANSWERS_MAX replies that PEER got: they are pushes in the order of their changes, up to
 * SEQ. */
static void assert_pushed_in_order_up_to(const struct connection *peer, uint64_t seq)
{
    const got_t *previous = NULL;
    unsigned first = peer->count < ANSWERS_MAX ? 0 : peer->count - ANSWERS_MAX;
    for (unsigned i = first; i < peer->count; i++) {
        const got_t *got = &peer->got[i % ANSWERS_MAX];
        assert_int_equal(got->kind, RPC_NOTIFICATION);
        assert_true(previous == NULL || got->number > previous->number);
        previous = got;
    }
    assert_non_null(previous);
    assert_int_equal(previous->number, seq);
}

static void push__of_what_is_due_when_a_payload_comes__is_before_its_answer(void **state)
{
    fixture_t *fixture = *state;
    struct connection *lamp = &fixture->peers[0];
    name_peers(fixture);
    ask(fixture, lamp, "watch", "b", true);
    ask(fixture, lamp, "put", "sst", "k", "v", 10);
    uint64_t revision = lamp->got[0].number;
    fixture->now_ms += 10;
    lamp->count = 0;
    buffer_t payload;
    buffer_init(&payload, 4096);
    request_add(&payload, 1, "get", "s", "k");
    request_add(&payload, 2, "put", "ss", "k", "w");
    payload_give(fixture, lamp, &payload);
    hub_tick(fixture->hub, fixture->now_ms);
    assert_int_equal(lamp->count, 3);
    assert_int_equal(lamp->got[0].kind, RPC_NOTIFICATION);
    assert_int_equal(lamp->got[0].number, revision + 1);
    assert_int_equal(lamp->got[1].msgid, 1);
    assert_int_equal(lamp->got[2].number, revision + 2); /* the put's */
}

static void watch_after__one_change_among_many_of_others__is_told_in_one_turn(void **state)
{
    fixture_t *fixture = *state;
    struct connection *lamp = &fixture->peers[0];
    name_peers(fixture);
    ask(fixture, lamp, "put", "ss", "k", "v");
    uint64_t seq = lamp->got[0].number;
    fill(fixture, &fixture->peers[PEERS - 1], 0);
    ask(fixture, lamp, "watch", "ba", true, 0);
    hub_tick(fixture->hub, fixture->now_ms);
    assert_int_equal(lamp->count, 2); /* the answer too */
    assert_int_equal(lamp->got[1].number, seq);
    assert_int_equal(lamp->session->feed.backlog, BACKLOG_NONE);
}

static void watch_after__the_oldest_change_kept__log_goes_on_in_the_same_turn__is_told(void **state)
{
    fixture_t *fixture = *state;
    struct connection *lamp = &fixture->peers[0];
    name_peers(fixture);
    ask(fixture, lamp, "put", "ss", "k", "v");
    uint64_t seq = lamp->got[0].number;
    put_many(fixture, &fixture->peers[PEERS - 1], SHORT_LOG - 2); /* with its `connect`, the log is full */
    ask(fixture, lamp, "watch", "ba", true, (unsigned)seq - 1);
    put_many(fixture, &fixture->peers[PEERS - 1], 1);
    hub_tick(fixture->hub, fixture->now_ms);
    assert_non_null(lamp->session);
    assert_int_equal(lamp->count, 2);
    assert_int_equal(lamp->got[1].kind, RPC_NOTIFICATION);
    assert_int_equal(lamp->got[1].number, seq);
}

static void watch_after__more_changes_than_are_gone_back_over__are_all_told_in_order(void **state)
{
    enum { CHANGES = 300 };
    fixture_t *fixture = *state;
    struct connection *writer = &fixture->peers[0];
    struct connection *lamp = &fixture->peers[1];
    name_peers(fixture);
    ping_is_answered(fixture, writer);
    for (unsigned i = 0; i < CHANGES; i++) {
        put_many(fixture, &fixture->peers[PEERS - 1], 1 + i % 20);
        ask(fixture, writer, "put", "ss", "k", "v");
    }
    ask(fixture, lamp, "watch", "ba", true, 0);
    while (hub_tick(fixture->hub, fixture->now_ms))
        ;
    assert_int_equal(lamp->count, 1 + CHANGES); /* the answer too */
    assert_pushed_in_order_up_to(lamp, writer->got[0].number);
}

static void watcher__that_does_not_read__is_looked_at_every_20_ms_alone(void **state)
{
    fixture_t *fixture = *state;
    struct connection *writer = &fixture->peers[0];
    struct connection *lamp = &fixture->peers[1];
    name_peers(fixture);
    ask(fixture, lamp, "watch", "b", true);
    lamp->full = true;
    for (unsigned i = 0; i < 100; i++) {
        ask(fixture, writer, "put", "ss", "k", "v");
        hub_tick(fixture->hub, fixture->now_ms);
    }
    assert_in_range(lamp->asked, 1, 2);
    assert_int_equal(hub_next_due(fixture->hub), fixture->now_ms + 20);
    lamp->full = false;
    lamp->count = 0;
    fixture->now_ms += 20;
    hub_tick(fixture->hub, fixture->now_ms);
    assert_int_equal(lamp->count, 100);
    assert_pushed_in_order_up_to(lamp, writer->got[0].number);
}

/* ---- What notifications cost others ----------------------------------------------------------- */

static void batch__that_sessions_are_told_of__takes_turns(void **state)
{
    enum { PUTS = 2000 };
    fixture_t *fixture = *state;
    struct connection *writer = &fixture->peers[0];
    name_peers(fixture);
    for (unsigned i = 1; i + 1 < PEERS; i++) {
        ask(fixture, &fixture->peers[i], "watch", "b", true);
        fixture->peers[i].count = 0;
    }
    put_many(fixture, writer, PUTS);
    assert_int_equal(writer->count, 0);
    ping_is_answered(fixture, &fixture->peers[PEERS - 1]);
    turns_until(fixture, writer, PUTS);
    assert_int_equal(writer->count, PUTS);
    for (unsigned i = 1; i + 1 < PEERS; i++) {
        assert_int_equal(fixture->peers[i].count, PUTS);
        assert_pushed_in_order_up_to(&fixture->peers[i], writer->got[(PUTS - 1) % ANSWERS_MAX].number);
    }
}

static void batch__that_many_subscribers_hear__takes_turns(void **state)
{
    fixture_t *fixture = *state;
    only_at_once(fixture);
    struct connection *writer = &fixture->peers[0];
    fixture->audience = 1000;
    put_many(fixture, writer, ANSWERS_MAX);
    assert_int_equal(writer->count, 0);
    assert_in_range(fixture->published, 1, ANSWERS_MAX / 4);
    ping_is_answered(fixture, &fixture->peers[1]);
    turns_until(fixture, writer, ANSWERS_MAX);
    assert_int_equal(writer->count, ANSWERS_MAX);
}

static void
batches__that_many_subscribers_hear__more_than_may_wait__are_all_carried_out_in_order(void **state)
{
    enum { PAYLOADS = LIMIT_WAITING_PAYLOADS + 100, PUTS = 10 };
    fixture_t *fixture = *state;
    struct connection *writer = &fixture->peers[0];
    fixture->audience = 1000;
    for (unsigned i = 0; i < PAYLOADS; i++)
        put_many(fixture, writer, PUTS);
    assert_non_null(writer->session);
    assert_true(writer->count < PAYLOADS * PUTS);
    while (writer->count < PAYLOADS * PUTS && hub_next_due(fixture->hub) <= fixture->now_ms)
        hub_tick(fixture->hub, fixture->now_ms);
    assert_int_equal(writer->count, PAYLOADS * PUTS);
    assert_int_equal(fixture->hub->stats.puts_total, PAYLOADS * PUTS);
    for (unsigned i = writer->count - ANSWERS_MAX + 1; i < writer->count; i++)
        assert_int_equal(writer->got[i % ANSWERS_MAX].number, writer->got[(i - 1) % ANSWERS_MAX].number + 1);
}

static void batch__that_nobody_hears__takes_one_turn(void **state)
{
    fixture_t *fixture = *state;
    struct connection *writer = &fixture->peers[0];
    put_many(fixture, writer, 4096);
    assert_int_equal(writer->count, 4096);
}

static void expiry__that_many_subscribers_hear__takes_turns(void **state)
{
    fixture_t *fixture = *state;
    fill(fixture, &fixture->peers[0], 1000);
    fixture->now_ms += 1000;
    fixture->audience = 1000;
    assert_true(hub_tick(fixture->hub, fixture->now_ms));
    assert_in_range(fixture->published, 2, 100);
    fixture->audience = 0;
    while (hub_tick(fixture->hub, fixture->now_ms))
        ;
    assert_int_equal(fixture->hub->stats.expires_total, MANY);
}

static void expiry__beside_who_writes_without_end__is_not_put_off(void **state)
{
    enum { TURNS = 20, BATCHES = 3, PUTS = 4096 }; /* a put costs 40 with this audience */
    fixture_t *fixture = *state;
    struct connection *writer = &fixture->peers[1];
    ask(fixture, &fixture->peers[0], "put", "sst", "mortal", "v", 10);
    hub_tick(fixture->hub, fixture->now_ms);
    fixture->audience = 10;
    unsigned turns = 0;
    for (unsigned sent = 0; turns < TURNS && fixture->hub->stats.expires_total == 0; turns++) {
        for (unsigned end = writer->count / PUTS + BATCHES; sent < end; sent++)
            put_many(fixture, writer, PUTS);
        fixture->now_ms += 10;
        hub_tick(fixture->hub, fixture->now_ms);
    }
    assert_in_range(turns, 1, 2);
}

static void payloads_that_wait__each_just_below_a_turn_s_work__do_not_all_have_it(void **state)
{
    enum { PAYLOADS = 500, PUTS = 49 }; /* a put costs 400 with this audience */
    fixture_t *fixture = *state;
    only_at_once(fixture);
    struct connection *writer = &fixture->peers[0];
    fixture->audience = 100;
    put_many(fixture, writer, 2 * PUTS);
    for (unsigned i = 0; i < PAYLOADS; i++)
        put_many(fixture, writer, PUTS);
    assert_int_equal(writer->count, 0);
    hub_tick(fixture->hub, fixture->now_ms);
    assert_in_range(writer->count, 1, 10 * PUTS);
    turns_until(fixture, writer, (PAYLOADS + 2) * PUTS);
    assert_int_equal(fixture->hub->stats.puts_total, (PAYLOADS + 2) * PUTS);
}

#define NOTIFY_TEST(function) cmocka_unit_test_setup_teardown(function, hub_setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NOTIFY_TEST(event__has_the_time_of_the_wall_clock__also_after_it_was_set),
        NOTIFY_TEST(event__of_a_clock_read_a_millisecond_apart__is_not_before_the_last),
        NOTIFY_TEST(push__of_what_is_due_when_a_payload_comes__is_before_its_answer),
        NOTIFY_TEST(watch_after__one_change_among_many_of_others__is_told_in_one_turn),
        cmocka_unit_test_setup_teardown(
            watch_after__the_oldest_change_kept__log_goes_on_in_the_same_turn__is_told, hub_setup_short_log,
            hub_teardown),
        NOTIFY_TEST(watch_after__more_changes_than_are_gone_back_over__are_all_told_in_order),
        NOTIFY_TEST(watcher__that_does_not_read__is_looked_at_every_20_ms_alone),
        NOTIFY_TEST(batch__that_sessions_are_told_of__takes_turns),
        NOTIFY_TEST(batch__that_many_subscribers_hear__takes_turns),
        NOTIFY_TEST(batches__that_many_subscribers_hear__more_than_may_wait__are_all_carried_out_in_order),
        NOTIFY_TEST(batch__that_nobody_hears__takes_one_turn),
        NOTIFY_TEST(expiry__that_many_subscribers_hear__takes_turns),
        NOTIFY_TEST(expiry__beside_who_writes_without_end__is_not_put_off),
        NOTIFY_TEST(payloads_that_wait__each_just_below_a_turn_s_work__do_not_all_have_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
