/* SPDX-License-Identifier: MPL-2.0 */
/* What the state machine of watching wants next, case by case. (test_client_follow_model runs random
 * schedules.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client/watch/earliest.h"
#include "client/watch/follow.h"

enum { TOLD = 32 };

/* A state machine and what it reported: "put 7 a k", ... */
typedef struct fixture {
    follow_t *follow;
    char told[TOLD][64];
    unsigned count;
    bool refuse; /* do not take what it reports */
} fixture_t;

static int setup(void **state)
{
    static fixture_t fixture;
    fixture = (fixture_t){0};
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;
    follow_destroy(&fixture->follow);
    return 0;
}

static bool told(fixture_t *fixture, const kvzmq_event_t *event)
{
    if (fixture->refuse)
        return false;
    assert_true(fixture->count < TOLD);
    (void)snprintf(fixture->told[fixture->count++], sizeof fixture->told[0], "%s %llu %.*s %.*s",
                   kvzmq_event_kind_text(event->kind), (unsigned long long)event->seq,
                   (int)event->client.size, event->client.data != NULL ? event->client.data : "",
                   (int)event->key.size, event->key.data != NULL ? event->key.data : "");
    return true;
}

/* Takes, or refuses, all that there is to report. */
static void take(fixture_t *fixture)
{
    kvzmq_event_t event;
    while (follow_tell(fixture->follow, &event))
        follow_commit(fixture->follow, told(fixture, &event));
}

/* Asserts that exactly TEXT (NULL = nothing) was reported since the last call. */
static void assert_told(fixture_t *fixture, const char *text)
{
    if (text == NULL) {
        assert_int_equal(fixture->count, 0);
        return;
    }
    assert_int_equal(fixture->count, 1);
    assert_string_equal(fixture->told[0], text);
    fixture->count = 0;
}

/* Asserts that exactly FIRST and SECOND were reported since the last call. */
static void assert_told_both(fixture_t *fixture, const char *first, const char *second)
{
    assert_int_equal(fixture->count, 2);
    assert_string_equal(fixture->told[0], first);
    assert_string_equal(fixture->told[1], second);
    fixture->count = 0;
}

static void begin(fixture_t *fixture, const follow_config_t *config)
{
    follow_destroy(&fixture->follow);
    *fixture = (fixture_t){.follow = follow_new(config)};
    assert_non_null(fixture->follow);
}

static follow_action_t assert_wants(const fixture_t *fixture, follow_want_t want)
{
    follow_action_t action;
    follow_next(fixture->follow, &action);
    assert_int_equal(action.want, want);
    return action;
}

static void ticket(fixture_t *fixture, int64_t now_ms, uint64_t seq, uint64_t oldest)
{
    (void)assert_wants(fixture, FOLLOW_TICKET);
    follow_ticket(fixture->follow, now_ms, 0, "e", seq, oldest);
}

static void sync_at(fixture_t *fixture, int64_t now_ms, uint64_t seq)
{
    sync_t sync = {.epoch = kvzmq_text("e"), .seq = seq};
    follow_sync(fixture->follow, now_ms, &sync);
    take(fixture);
}

static kvzmq_event_t event_of(uint64_t seq, uint64_t prev)
{
    kvzmq_event_t event = {.kind = KVZMQ_EVENT_PUT,
                           .seq = seq,
                           .prev = prev,
                           .client = kvzmq_text("a"),
                           .key = kvzmq_text("k"),
                           .ttl_ms = -1};
    return event;
}

static void event(fixture_t *fixture, int64_t now_ms, uint64_t seq, uint64_t prev)
{
    kvzmq_event_t put = event_of(seq, prev);
    follow_event(fixture->follow, now_ms, &put);
    take(fixture);
}

static void replay(fixture_t *fixture, int64_t now_ms, uint64_t first, uint64_t last)
{
    for (uint64_t seq = first; seq <= last; seq++) {
        kvzmq_event_t put = event_of(seq, seq - 1);
        follow_replay_event(fixture->follow, &put);
        take(fixture);
    }
    follow_replayed(fixture->follow, now_ms, last);
    take(fixture);
}

/* Begins a live watch of all clients that has reported everything up to SEQ. */
static void begin_live(fixture_t *fixture, const follow_config_t *config, uint64_t seq)
{
    char ready[64];
    begin(fixture, config);
    ticket(fixture, 0, seq, 0);
    sync_at(fixture, 0, seq);
    (void)snprintf(ready, sizeof ready, "ready %llu  ", (unsigned long long)seq);
    assert_told(fixture, ready);
    (void)assert_wants(fixture, FOLLOW_MESSAGE);
}

static void live__next_event__is_told(void **state)
{
    fixture_t *fixture = *state;
    begin_live(fixture, &(follow_config_t){0}, 4);
    event(fixture, 1, 5, 2);
    assert_told(fixture, "put 5 a k");
    (void)assert_wants(fixture, FOLLOW_MESSAGE);
    follow_destroy(&fixture->follow);
    assert_null(fixture->follow);
}

static void live__event_that_was_told__is_not_told_again(void **state)
{
    fixture_t *fixture = *state;
    begin_live(fixture, &(follow_config_t){0}, 4);
    event(fixture, 1, 5, 2);
    assert_told(fixture, "put 5 a k");
    event(fixture, 1, 5, 2);
    event(fixture, 1, 3, 2);
    assert_told(fixture, NULL);
}

static void live__hole__is_replayed_before_anything_else_is_told(void **state)
{
    fixture_t *fixture = *state;
    begin_live(fixture, &(follow_config_t){0}, 4);
    event(fixture, 1, 6, 5);
    assert_told(fixture, NULL);
    follow_action_t action = assert_wants(fixture, FOLLOW_REPLAY);
    assert_int_equal(action.seq, 4);
    assert_string_equal(action.epoch, "e");
    assert_null(action.client);
    replay(fixture, 1, 5, 5); /* a page of two */
    assert_told(fixture, "put 5 a k");
    (void)assert_wants(fixture, FOLLOW_REPLAY);
    replay(fixture, 1, 6, 6);
    assert_told(fixture, "put 6 a k");
    (void)assert_wants(fixture, FOLLOW_MESSAGE);
}

static void live__second_hole_before_a_sync__waits_for_the_sync(void **state)
{
    fixture_t *fixture = *state;
    begin_live(fixture, &(follow_config_t){0}, 4);
    event(fixture, 1, 6, 5);
    replay(fixture, 1, 5, 6);
    fixture->count = 0;
    event(fixture, 2, 8, 7);
    (void)assert_wants(fixture, FOLLOW_MESSAGE);
    sync_at(fixture, 3, 8);
    (void)assert_wants(fixture, FOLLOW_REPLAY);
}

static void live__second_hole_and_no_sync__is_repaired_after_a_second(void **state)
{
    fixture_t *fixture = *state;
    begin_live(fixture, &(follow_config_t){0}, 4);
    event(fixture, 1, 6, 5);
    replay(fixture, 1, 5, 6);
    event(fixture, 2, 8, 7);
    follow_action_t action = assert_wants(fixture, FOLLOW_MESSAGE);
    assert_int_equal(action.until_ms, 1 + FOLLOW_REPAIR_MS);
    follow_quiet(fixture->follow, action.until_ms);
    take(fixture);
    (void)assert_wants(fixture, FOLLOW_REPLAY);
}

static void live__sync_ahead__is_replayed(void **state)
{
    fixture_t *fixture = *state;
    begin_live(fixture, &(follow_config_t){0}, 4);
    sync_at(fixture, 1000, 5);
    (void)assert_wants(fixture, FOLLOW_REPLAY);
    replay(fixture, 1000, 5, 5);
    assert_told(fixture, "put 5 a k");
}

static void live__silence_for_three_seconds__is_lost_and_asks_for_a_ticket(void **state)
{
    fixture_t *fixture = *state;
    begin_live(fixture, &(follow_config_t){0}, 4);
    follow_quiet(fixture->follow, FOLLOW_SYNC_MS - 1);
    take(fixture);
    (void)assert_wants(fixture, FOLLOW_MESSAGE);
    follow_quiet(fixture->follow, FOLLOW_SYNC_MS);
    take(fixture);
    assert_told(fixture, "lost 0  ");
    follow_action_t action = assert_wants(fixture, FOLLOW_PAUSE);
    follow_quiet(fixture->follow, action.until_ms);
    take(fixture);
    ticket(fixture, action.until_ms, 4, 0);
    sync_at(fixture, action.until_ms, 4);
    assert_told(fixture, "again 0  ");
}

static void live__new_session__asks_for_a_ticket_and_goes_on(void **state)
{
    fixture_t *fixture = *state;
    begin_live(fixture, &(follow_config_t){0}, 4);
    assert_true(follow_session(fixture->follow, 0, "e"));
    assert_true(follow_session(fixture->follow, 1, "e"));
    ticket(fixture, 5, 5, 0);
    sync_at(fixture, 5, 5);
    (void)assert_wants(fixture, FOLLOW_REPLAY);
    assert_told(fixture, NULL);
}

static void live__new_epoch__resets_and_begins_where_that_does(void **state)
{
    fixture_t *fixture = *state;
    begin_live(fixture, &(follow_config_t){0}, 4);
    assert_false(follow_session(fixture->follow, 1, "f"));
    (void)assert_wants(fixture, FOLLOW_TICKET);
    follow_ticket(fixture->follow, 5, 1, "f", 9, 0);
    sync_t sync = {.epoch = kvzmq_text("f"), .seq = 9};
    follow_sync(fixture->follow, 5, &sync);
    take(fixture);
    assert_int_equal(fixture->count, 2);
    assert_string_equal(fixture->told[0], "reset 0  ");
    assert_string_equal(fixture->told[1], "ready 0  ");
    assert_int_equal(assert_wants(fixture, FOLLOW_REPLAY).seq, 0);
}

static void one_client__prev_tells_a_hole(void **state)
{
    fixture_t *fixture = *state;
    begin_live(fixture, &(follow_config_t){.client = "a"}, 4);
    event(fixture, 1, 9, 3); /* other clients' events were in between */
    assert_told(fixture, "put 9 a k");
    event(fixture, 1, 15, 12);
    assert_told(fixture, NULL);
    assert_string_equal(assert_wants(fixture, FOLLOW_REPLAY).client, "a");
}

static void one_client__prev_0_behind_others__may_hide_a_whole_life_and_is_replayed(void **state)
{
    fixture_t *fixture = *state;
    begin_live(fixture, &(follow_config_t){.client = "a"}, 4);
    event(fixture, 1, 9, 0);
    assert_told(fixture, NULL);
    (void)assert_wants(fixture, FOLLOW_REPLAY);
}

static void one_client__sync_ahead_and_nothing_missed__tells_the_position(void **state)
{
    fixture_t *fixture = *state;
    begin_live(fixture, &(follow_config_t){.client = "a"}, 4);
    sync_at(fixture, 1, 9);
    (void)assert_wants(fixture, FOLLOW_REPLAY);
    follow_replayed(fixture->follow, 1, 9);
    take(fixture);
    assert_told(fixture, "position 9  ");
}

static void replay__out_of_range__resets(void **state)
{
    fixture_t *fixture = *state;
    begin_live(fixture, &(follow_config_t){0}, 4);
    sync_at(fixture, 1, 100);
    (void)assert_wants(fixture, FOLLOW_REPLAY);
    follow_out_of_range(fixture->follow, 1, 90);
    ticket(fixture, 1, 101, 90);
    sync_at(fixture, 1, 102);
    assert_int_equal(fixture->count, 2);
    assert_string_equal(fixture->told[0], "reset 0  ");
    assert_string_equal(fixture->told[1], "ready 101  ");
}

static void replay__with_a_hole_of_its_own__resets(void **state)
{
    fixture_t *fixture = *state;
    begin_live(fixture, &(follow_config_t){0}, 4);
    sync_at(fixture, 1, 7);
    replay(fixture, 1, 6, 7); /* 5 is not there */
    assert_told(fixture, NULL);
    (void)assert_wants(fixture, FOLLOW_TICKET);
}

static void replay__that_does_not_go_on__pauses(void **state)
{
    fixture_t *fixture = *state;
    begin_live(fixture, &(follow_config_t){0}, 4);
    sync_at(fixture, 1, 7);
    follow_replayed(fixture->follow, 1, 4);
    take(fixture);
    assert_told(fixture, "lost 0  ");
    (void)assert_wants(fixture, FOLLOW_PAUSE);
}

static void failures__one_after_the_other__pause_longer_up_to_a_bound(void **state)
{
    fixture_t *fixture = *state;
    int64_t now_ms = 0;
    int64_t before = 0;
    begin(fixture, &(follow_config_t){0});
    for (int i = 0; i < 12; i++) {
        (void)assert_wants(fixture, FOLLOW_TICKET);
        follow_failed(fixture->follow, now_ms, "trouble");
        take(fixture);
        int64_t until_ms = assert_wants(fixture, FOLLOW_PAUSE).until_ms;
        assert_true(until_ms - now_ms >= before && until_ms - now_ms <= FOLLOW_PAUSE_MAX_MS);
        before = until_ms - now_ms;
        now_ms = until_ms;
        follow_quiet(fixture->follow, now_ms);
        take(fixture);
    }
    assert_int_equal(before, FOLLOW_PAUSE_MAX_MS);
    assert_told(fixture, "lost 0  "); /* once */
}

static void told__not_taken__is_a_hole(void **state)
{
    fixture_t *fixture = *state;
    begin_live(fixture, &(follow_config_t){0}, 4);
    fixture->refuse = true;
    event(fixture, 1, 5, 4);
    fixture->refuse = false;
    event(fixture, 1, 6, 5);
    assert_told(fixture, NULL);
    assert_int_equal(assert_wants(fixture, FOLLOW_REPLAY).seq, 4);
}

/* Begins a watch that meets another broker, whose reports are refused, fails for that, and then gets a new
 * event connection. */
static void begin_refused(fixture_t *fixture, const follow_config_t *config)
{
    sync_t sync = {.epoch = kvzmq_text("f"), .seq = 9};
    begin_live(fixture, config, 4);
    assert_false(follow_session(fixture->follow, 1, "f"));
    fixture->refuse = true;
    follow_ticket(fixture->follow, 5, 1, "f", 9, 5);
    follow_sync(fixture->follow, 5, &sync);
    take(fixture);
    follow_failed(fixture->follow, 5, "no memory");
    take(fixture);
    fixture->refuse = false;
    int64_t until_ms = assert_wants(fixture, FOLLOW_PAUSE).until_ms;
    follow_quiet(fixture->follow, until_ms);
    (void)assert_wants(fixture, FOLLOW_TICKET);
    follow_ticket(fixture->follow, until_ms, 1, "f", 9, 5);
    follow_sync(fixture->follow, until_ms, &sync);
    take(fixture);
}

static void told__reset_not_taken__is_told_again(void **state)
{
    fixture_t *fixture = *state;
    begin_refused(fixture, &(follow_config_t){0});
    assert_told_both(fixture, "reset 0  ", "ready 9  ");
    (void)assert_wants(fixture, FOLLOW_MESSAGE);
}

static void told__again_not_taken__is_told_again_with_all_behind_it(void **state)
{
    fixture_t *fixture = *state;
    begin_live(fixture, &(follow_config_t){0}, 4);
    follow_failed(fixture->follow, 5, "the broker is gone");
    take(fixture);
    assert_told(fixture, "lost 0  ");
    for (int i = 0; i < 2; i++) {
        fixture->refuse = i == 0;
        int64_t until_ms = assert_wants(fixture, FOLLOW_PAUSE).until_ms;
        follow_quiet(fixture->follow, until_ms);
        follow_ticket(fixture->follow, until_ms, 1, "f", 9, 5);
        follow_sync(fixture->follow, until_ms, &(sync_t){.epoch = kvzmq_text("f"), .seq = 9});
        take(fixture);
        if (i == 0)
            follow_failed(fixture->follow, until_ms, "no memory");
        take(fixture);
    }
    assert_int_equal(fixture->count, 3);
    assert_string_equal(fixture->told[0], "again 0  ");
    assert_string_equal(fixture->told[1], "reset 0  ");
    assert_string_equal(fixture->told[2], "ready 9  ");
}

static void resumed__in_reach__is_ready_where_it_was(void **state)
{
    fixture_t *fixture = *state;
    begin(fixture, &(follow_config_t){.resume = true, .since = {.seq = 3, .epoch = "e"}});
    ticket(fixture, 0, 8, 3);
    sync_at(fixture, 0, 8);
    assert_told(fixture, "ready 3  ");
    assert_int_equal(assert_wants(fixture, FOLLOW_REPLAY).seq, 3);
}

static void resumed__before_the_oldest_or_beyond_the_newest__resets(void **state)
{
    static const uint64_t positions[] = {2, 9};
    fixture_t *fixture = *state;
    for (size_t i = 0; i < sizeof positions / sizeof *positions; i++) {
        begin(fixture, &(follow_config_t){.resume = true, .since = {.seq = positions[i], .epoch = "e"}});
        ticket(fixture, 0, 8, 3);
        sync_at(fixture, 0, 8);
        assert_int_equal(fixture->count, 2);
        assert_string_equal(fixture->told[0], "reset 0  ");
        assert_string_equal(fixture->told[1], "ready 8  ");
    }
}

/* Begins with the state of client a; `list` is next. */
static void begin_state(fixture_t *fixture)
{
    begin(fixture, &(follow_config_t){.client = "a", .initial = true});
    ticket(fixture, 0, 8, 0);
    sync_at(fixture, 0, 8);
    (void)assert_wants(fixture, FOLLOW_LIST);
}

/* Begins at the earliest event, of all clients (CLIENT is NULL) or of one. The oldest position is 3, the
 * newest 8; `replay` is next. */
static void begin_earliest(fixture_t *fixture, const char *client)
{
    begin(fixture, &(follow_config_t){.earliest = true, .client = client});
    ticket(fixture, 0, 8, 3);
    sync_at(fixture, 0, 8);
    assert_told(fixture, NULL);
    assert_int_equal(assert_wants(fixture, FOLLOW_REPLAY).seq, 3);
}

/* `replay` answers with only the event SEQ. */
static void replay_one(fixture_t *fixture, uint64_t seq)
{
    kvzmq_event_t event = event_of(seq, seq - 1);
    follow_replay_event(fixture->follow, &event);
    take(fixture);
    follow_replayed(fixture->follow, 0, seq);
    take(fixture);
}

static void earliest__log_goes_on_until_replay_is_asked__begins_where_that_takes_it(void **state)
{
    fixture_t *fixture = *state;
    begin_earliest(fixture, NULL);
    follow_out_of_range(fixture->follow, 0, 5);
    assert_int_equal(assert_wants(fixture, FOLLOW_REPLAY).seq, 5);
    follow_out_of_range(fixture->follow, 0, 20);
    assert_int_equal(assert_wants(fixture, FOLLOW_REPLAY).seq, 20);
    assert_told(fixture, NULL);
    replay_one(fixture, 21);
    assert_told_both(fixture, "ready 20  ", "put 21 a k");
}

static void earliest__nothing_of_the_client_is_kept__is_ready_where_the_log_begins(void **state)
{
    fixture_t *fixture = *state;
    begin_earliest(fixture, "b");
    follow_replayed(fixture->follow, 0, 8);
    take(fixture);
    assert_told_both(fixture, "ready 3  ", "position 8  ");
}

static void earliest__nothing_has_happened_yet__is_ready_at_once(void **state)
{
    fixture_t *fixture = *state;
    begin(fixture, &(follow_config_t){.earliest = true});
    ticket(fixture, 0, 0, 0);
    sync_at(fixture, 0, 0);
    assert_told(fixture, "ready 0  ");
    (void)assert_wants(fixture, FOLLOW_MESSAGE);
}

static void earliest__log_is_always_faster__begins_with_the_newest(void **state)
{
    fixture_t *fixture = *state;
    begin_earliest(fixture, NULL);
    for (unsigned tries = 0; tries < EARLIEST_TRIES; tries++)
        follow_out_of_range(fixture->follow, 0, assert_wants(fixture, FOLLOW_REPLAY).seq + 1);
    (void)assert_wants(fixture, FOLLOW_REPLAY);
    follow_out_of_range(fixture->follow, 0, 1000);
    ticket(fixture, 0, 1010, 1000);
    sync_at(fixture, 0, 1010);
    assert_told(fixture, "ready 1010  "); /* no reset, because nothing was reported before */
}

/* The log keeps 16 events, and 50 are added while a request is under way. */
static void earliest__log_is_replaced_during_each_request__begins_where_it_will_be(void **state)
{
    fixture_t *fixture = *state;
    uint64_t oldest = 50;
    begin_earliest(fixture, NULL);
    uint64_t asked = assert_wants(fixture, FOLLOW_REPLAY).seq;
    for (unsigned tries = 0; asked < oldest || asked > oldest + 16; tries++) {
        assert_true(tries <= EARLIEST_EXACT);
        follow_out_of_range(fixture->follow, 0, oldest);
        asked = assert_wants(fixture, FOLLOW_REPLAY).seq;
        oldest += 50;
    }
    replay_one(fixture, asked + 1);
    assert_int_equal(fixture->count, 2);
}

static void earliest__position_beyond_the_newest__goes_back_to_the_oldest(void **state)
{
    fixture_t *fixture = *state;
    uint64_t oldest = 50;
    begin_earliest(fixture, NULL);
    for (unsigned tries = 0; tries < EARLIEST_EXACT; tries++, oldest += 50)
        follow_out_of_range(fixture->follow, 0, oldest);
    assert_true(assert_wants(fixture, FOLLOW_REPLAY).seq > oldest - 50);
    follow_out_of_range(fixture->follow, 0, oldest - 50); /* the log has stopped */
    assert_int_equal(assert_wants(fixture, FOLLOW_REPLAY).seq, oldest - 50);
    replay_one(fixture, oldest - 49);
    assert_int_equal(fixture->count, 2);
}

static void earliest__after_it_has_begun__what_is_lost_resets(void **state)
{
    fixture_t *fixture = *state;
    begin_earliest(fixture, NULL);
    replay_one(fixture, 4);
    assert_told_both(fixture, "ready 3  ", "put 4 a k");
    follow_out_of_range(fixture->follow, 0, 20);
    ticket(fixture, 0, 31, 21);
    sync_at(fixture, 0, 31);
    assert_told_both(fixture, "reset 0  ", "ready 31  ");
}

static void config__earliest_with_a_state_or_a_position__is_refused(void **state)
{
    (void)state;
    assert_null(follow_config_problem(&(follow_config_t){.earliest = true}));
    assert_non_null(follow_config_problem(&(follow_config_t){.earliest = true, .initial = true}));
    assert_non_null(follow_config_problem(&(follow_config_t){.earliest = true, .resume = true}));
}

static void row(fixture_t *fixture, const char *key, uint64_t revision)
{
    kvzmq_row_t entry = {
        .key = kvzmq_text(key), .value = kvzmq_text("v"), .revision = revision, .ttl_ms = -1};
    assert_true(follow_row(fixture->follow, &entry));
    take(fixture);
}

static void state__page_later_than_the_one_before__brings_that_up_to_date_first(void **state)
{
    fixture_t *fixture = *state;
    begin_state(fixture);
    follow_listed(fixture->follow, 0, 8, true);
    take(fixture);
    (void)assert_wants(fixture, FOLLOW_ROWS);
    row(fixture, "k", 8);
    assert_told(fixture, "entry 8 a k");
    follow_rows_end(fixture->follow, 0);
    take(fixture);
    assert_memory_equal(assert_wants(fixture, FOLLOW_LIST).after.data, "k", 1);
    follow_listed(fixture->follow, 0, 9, false); /* k was put again meanwhile */
    take(fixture);
    assert_int_equal(assert_wants(fixture, FOLLOW_REPLAY).seq, 8);
    replay(fixture, 0, 9, 10); /* an event after the page is not reported yet */
    assert_told(fixture, "put 9 a k");
    (void)assert_wants(fixture, FOLLOW_ROWS);
    row(fixture, "l", 3);
    assert_told(fixture, "entry 3 a l");
    follow_rows_end(fixture->follow, 0);
    take(fixture);
    assert_told(fixture, "ready 9  ");
}

static void state__rows_that_do_not_come_in_order__are_not_taken(void **state)
{
    fixture_t *fixture = *state;
    begin_state(fixture);
    follow_listed(fixture->follow, 0, 8, true);
    take(fixture);
    row(fixture, "k", 8);
    assert_told(fixture, "entry 8 a k");
    const kvzmq_row_t again = {.key = kvzmq_text("k"), .value = kvzmq_text("v"), .revision = 8, .ttl_ms = -1};
    assert_false(follow_row(fixture->follow, &again));
    assert_told(fixture, NULL);
}

static void state__new_session_while_it_is_read__keeps_the_page_and_asks_for_a_ticket_at_the_end(void **state)
{
    fixture_t *fixture = *state;
    begin_state(fixture);
    assert_true(follow_session(fixture->follow, 1, "e"));
    follow_listed(fixture->follow, 0, 8, false);
    take(fixture);
    (void)assert_wants(fixture, FOLLOW_ROWS);
    row(fixture, "k", 8);
    assert_told(fixture, "entry 8 a k");
    follow_rows_end(fixture->follow, 0);
    take(fixture);
    assert_told(fixture, "ready 8  ");
    ticket(fixture, 0, 9, 0);
    sync_at(fixture, 0, 9);
    assert_int_equal(assert_wants(fixture, FOLLOW_REPLAY).seq, 8);
}

static void state__another_broker_while_it_is_read__drops_the_page(void **state)
{
    fixture_t *fixture = *state;
    begin_state(fixture);
    assert_false(follow_session(fixture->follow, 0, "f"));
    (void)assert_wants(fixture, FOLLOW_TICKET);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(live__next_event__is_told),
        TEST(live__event_that_was_told__is_not_told_again),
        TEST(live__hole__is_replayed_before_anything_else_is_told),
        TEST(live__second_hole_before_a_sync__waits_for_the_sync),
        TEST(live__second_hole_and_no_sync__is_repaired_after_a_second),
        TEST(live__sync_ahead__is_replayed),
        TEST(live__silence_for_three_seconds__is_lost_and_asks_for_a_ticket),
        TEST(live__new_session__asks_for_a_ticket_and_goes_on),
        TEST(live__new_epoch__resets_and_begins_where_that_does),
        TEST(one_client__prev_tells_a_hole),
        TEST(one_client__prev_0_behind_others__may_hide_a_whole_life_and_is_replayed),
        TEST(one_client__sync_ahead_and_nothing_missed__tells_the_position),
        TEST(replay__out_of_range__resets),
        TEST(replay__with_a_hole_of_its_own__resets),
        TEST(replay__that_does_not_go_on__pauses),
        TEST(failures__one_after_the_other__pause_longer_up_to_a_bound),
        TEST(told__not_taken__is_a_hole),
        TEST(told__reset_not_taken__is_told_again),
        TEST(told__again_not_taken__is_told_again_with_all_behind_it),
        TEST(resumed__in_reach__is_ready_where_it_was),
        TEST(resumed__before_the_oldest_or_beyond_the_newest__resets),
        TEST(earliest__log_goes_on_until_replay_is_asked__begins_where_that_takes_it),
        TEST(earliest__log_is_replaced_during_each_request__begins_where_it_will_be),
        TEST(earliest__position_beyond_the_newest__goes_back_to_the_oldest),
        TEST(earliest__nothing_of_the_client_is_kept__is_ready_where_the_log_begins),
        TEST(earliest__nothing_has_happened_yet__is_ready_at_once),
        TEST(earliest__log_is_always_faster__begins_with_the_newest),
        TEST(earliest__after_it_has_begun__what_is_lost_resets),
        TEST(config__earliest_with_a_state_or_a_position__is_refused),
        TEST(state__page_later_than_the_one_before__brings_that_up_to_date_first),
        TEST(state__rows_that_do_not_come_in_order__are_not_taken),
        TEST(state__new_session_while_it_is_read__keeps_the_page_and_asks_for_a_ticket_at_the_end),
        TEST(state__another_broker_while_it_is_read__drops_the_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
