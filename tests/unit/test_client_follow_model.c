/* SPDX-License-Identifier: MPL-2.0 */
/* The state machine of watching with a model of a broker, in random schedules. Events are dropped, duplicated
 * and reordered on their way, the log is too short to replay, requests fail, sessions and brokers restart at
 * any moment, and changes come between any two requests of the watcher. All that the watcher reports is
 * compared with the broker's whole history. KV_SEED repeats a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "client/watch/earliest.h"
#include "client/watch/follow.h"
#include "tests/support/chance.h"
#include "tests/support/volume.h"

enum {
    SCHEDULES = 1000,
    VALGRIND_DIVISOR = 30, /* under valgrind, divides SCHEDULES */
    STEPS = 400,           /* steps of a schedule with trouble; quiet steps follow */
    PEACE_STEPS = 4000,    /* the watcher must have caught up within so many quiet steps */
    CLIENTS = 5,
    KEYS = 7,
    EVENTS = 4000, /* most events of an epoch */
    EPOCHS = 64,   /* most epochs of a schedule */
    PIPE = 64      /* most messages on their way */
};

static const char *const client_names[CLIENTS] = {"32768", "a", "a-1", "b", "z"};
static const char *const key_names[KEYS] = {"k", "k/1", "k/2", "m", "p1", "p2", "q"};

typedef struct record {
    kvzmq_event_kind_t kind;
    int client;
    int key; /* -1 = none */
    uint64_t prev;
} record_t;

/* Revisions of a store's keys, 0 = absent. */
typedef struct stores {
    uint64_t revision[CLIENTS][KEYS];
} stores_t;

typedef struct message {
    uint64_t seq; /* of an event, or of a sync */
    bool sync;
    int epoch;
} message_t;

typedef struct sim {
    chance_t random;
    const follow_config_t *config;
    /* the broker */
    int epoch;
    record_t *history[EPOCHS]; /* by seq - 1 */
    uint64_t seq[EPOCHS];
    stores_t stores;
    bool exists[CLIENTS];
    uint64_t last[CLIENTS]; /* seq of its newest event */
    uint64_t keep;          /* events in the log */
    /* the way to the watcher */
    bool connected;
    uint64_t session;
    message_t pipe[PIPE];
    size_t waiting;
    unsigned trouble; /* 0 = nothing goes wrong */
    /* the watcher */
    follow_t *follow;
    int64_t now_ms;
    int page_client; /* whose rows were listed */
    int page_keys[KEYS];
    uint64_t page_revisions[KEYS];
    int page_count;
    unsigned refused; /* positions that it asked for and that were out of range */
    /* what the watcher reported */
    stores_t told;
    bool ready;
    int told_epoch; /* -1 = none */
    uint64_t told_seq;
    unsigned resets;
    bool lost;
    bool begun;
} sim_t;

/* ---- Chance ----------------------------------------------------------------------------------- */

static int pick(sim_t *sim, int count)
{
    return (int)chance_below(&sim->random, (size_t)count);
}

static bool chance(sim_t *sim, unsigned percent)
{
    return chance_hits(&sim->random, percent);
}

/* Whether something goes wrong now: never in quiet steps. */
static bool trouble(sim_t *sim, unsigned percent)
{
    return sim->trouble > 0 && chance(sim, percent);
}

/* ---- The broker ------------------------------------------------------------------------------- */

static void epoch_text(int epoch, char out[32])
{
    (void)snprintf(out, 32, "epoch-%d", epoch);
}

static void send(sim_t *sim, message_t message)
{
    if (!sim->connected || sim->waiting == PIPE || trouble(sim, 10))
        return;
    size_t at = sim->waiting++;
    if (at > 0 && trouble(sim, 5)) { /* reorder: no socket does that, but it must not matter */
        sim->pipe[at] = sim->pipe[at - 1];
        at--;
    }
    sim->pipe[at] = message;
    if (trouble(sim, 5) && sim->waiting < PIPE)
        sim->pipe[sim->waiting++] = message;
}

static void publish(sim_t *sim, record_t record)
{
    if (sim->seq[sim->epoch] == EVENTS)
        return;
    uint64_t seq = ++sim->seq[sim->epoch];
    record.prev = sim->last[record.client];
    sim->last[record.client] = record.kind == KVZMQ_EVENT_DROP ? 0 : seq;
    sim->history[sim->epoch][seq - 1] = record;
    if (sim->config->client == NULL || strcmp(client_names[record.client], sim->config->client) == 0)
        send(sim, (message_t){.seq = seq, .epoch = sim->epoch});
}

static uint64_t now_seq(const sim_t *sim)
{
    return sim->seq[sim->epoch];
}

static uint64_t oldest(const sim_t *sim)
{
    return now_seq(sim) > sim->keep ? now_seq(sim) - sim->keep : 0;
}

static void apply(stores_t *stores, const record_t *record, uint64_t seq)
{
    if (record->kind == KVZMQ_EVENT_PUT)
        stores->revision[record->client][record->key] = seq;
    else if (record->kind == KVZMQ_EVENT_DROP)
        memset(stores->revision[record->client], 0, sizeof stores->revision[record->client]);
    else if (event_changes_entry(record->kind))
        stores->revision[record->client][record->key] = 0;
}

static void change(sim_t *sim)
{
    if (now_seq(sim) == EVENTS)
        return;
    record_t record = {.client = pick(sim, CLIENTS), .key = -1};
    int what = pick(sim, 20);
    if (!sim->exists[record.client]) {
        record.kind = KVZMQ_EVENT_CONNECT;
        sim->exists[record.client] = true;
    } else if (what == 0) {
        record.kind = KVZMQ_EVENT_DROP;
        sim->exists[record.client] = false;
    } else if (what == 1) {
        record.kind = KVZMQ_EVENT_ROLE;
    } else {
        record.key = pick(sim, KEYS);
        bool present = sim->stores.revision[record.client][record.key] != 0;
        record.kind = KVZMQ_EVENT_PUT;
        if (present && what < 8)
            record.kind = what < 6 ? KVZMQ_EVENT_DEL : KVZMQ_EVENT_EXPIRE;
    }
    apply(&sim->stores, &record, now_seq(sim) + 1);
    publish(sim, record);
}

static void broker_begin(sim_t *sim)
{
    sim->history[sim->epoch] = calloc(EVENTS, sizeof(record_t));
    assert_non_null(sim->history[sim->epoch]);
    sim->stores = (stores_t){0};
    memset(sim->exists, 0, sizeof sim->exists);
    memset(sim->last, 0, sizeof sim->last);
    sim->connected = false; /* tickets are void */
    sim->waiting = 0;
    sim->session++;
}

static kvzmq_event_t event_of(const sim_t *sim, int epoch, uint64_t seq)
{
    const record_t *record = &sim->history[epoch][seq - 1];
    kvzmq_event_t event = {.kind = record->kind,
                           .seq = seq,
                           .prev = record->prev,
                           .client = kvzmq_text(client_names[record->client]),
                           .ttl_ms = -1};
    if (record->key >= 0)
        event.key = kvzmq_text(key_names[record->key]);
    if (record->kind == KVZMQ_EVENT_PUT)
        event.revision = seq;
    return event;
}

/* ---- What the watcher should report ----------------------------------------------------------- */

static bool key_wanted(const sim_t *sim, int key)
{
    const kvzmq_slice_t *prefix = &sim->config->prefix;
    if (key < 0)
        return false;
    return bytes_starts_with(bytes_from_text(key_names[key]), bytes_of(prefix->data, prefix->size));
}

static bool wanted(const sim_t *sim, const record_t *record)
{
    if (sim->config->client != NULL && strcmp(client_names[record->client], sim->config->client) != 0)
        return false;
    if (sim->config->prefix.size == 0 || record->kind == KVZMQ_EVENT_DROP)
        return true;
    return event_changes_entry(record->kind) && key_wanted(sim, record->key);
}

/* Asserts that no wanted event is between the last one that was reported and SEQ. */
static void assert_no_hole(const sim_t *sim, uint64_t seq)
{
    for (uint64_t between = sim->told_seq + 1; between < seq; between++)
        if (wanted(sim, &sim->history[sim->told_epoch][between - 1]))
            fail_msg("seq %llu was never told: after %llu came %llu", (unsigned long long)between,
                     (unsigned long long)sim->told_seq, (unsigned long long)seq);
}

/* Asserts that the reports add up to the stores as of SEQ. */
static void assert_state(const sim_t *sim, uint64_t seq)
{
    stores_t right = {0};
    for (uint64_t i = 1; i <= seq; i++)
        apply(&right, &sim->history[sim->told_epoch][i - 1], i);
    for (int c = 0; c < CLIENTS; c++)
        for (int k = 0; k < KEYS; k++) {
            record_t about = {.kind = KVZMQ_EVENT_PUT, .client = c, .key = k};
            uint64_t revision = wanted(sim, &about) ? right.revision[c][k] : 0;
            if (sim->told.revision[c][k] != revision)
                fail_msg("as of %llu, %s %s: told %llu, is %llu", (unsigned long long)seq, client_names[c],
                         key_names[k], (unsigned long long)sim->told.revision[c][k],
                         (unsigned long long)revision);
        }
}

static int index_of(const char *const *names, int count, kvzmq_slice_t name)
{
    for (int i = 0; i < count; i++)
        if (strlen(names[i]) == name.size && memcmp(names[i], name.data, name.size) == 0)
            return i;
    fail_msg("an unknown name was told");
    return 0;
}

static record_t record_told(const kvzmq_event_t *event)
{
    record_t record = {
        .kind = event->kind, .client = index_of(client_names, CLIENTS, event->client), .key = -1};
    if (event_changes_entry(event->kind))
        record.key = index_of(key_names, KEYS, event->key);
    return record;
}

static void told_ready(sim_t *sim, const kvzmq_event_t *event)
{
    char text[32];
    assert_false(sim->ready);
    for (int epoch = 0; epoch <= sim->epoch; epoch++) {
        epoch_text(epoch, text);
        if (strlen(text) == event->epoch.size && memcmp(text, event->epoch.data, event->epoch.size) == 0)
            sim->told_epoch = epoch;
    }
    assert_true(sim->told_epoch >= 0);
    assert_true(event->seq <= sim->seq[sim->told_epoch]);
    sim->ready = true;
    sim->told_seq = event->seq;
    if (sim->config->resume && !sim->begun && sim->resets == 0)
        assert_int_equal(event->seq, sim->config->since.seq);
    else if (sim->config->initial)
        assert_state(sim, event->seq);
    if (sim->config->earliest && !sim->begun && event->seq > 0) {
        assert_true(event->seq >= oldest(sim));
        assert_true(event->seq == oldest(sim) || sim->refused >= EARLIEST_EXACT);
    }
    sim->begun = true;
}

static void told_event(sim_t *sim, const kvzmq_event_t *event)
{
    record_t record = record_told(event);
    if (!sim->ready) { /* it brings the part of the state that was reported up to date */
        assert_true(sim->config->initial);
        assert_true(wanted(sim, &record));
        apply(&sim->told, &record, event->seq);
        return;
    }
    const record_t *right = &sim->history[sim->told_epoch][event->seq - 1];
    assert_true(event->seq > sim->told_seq);
    assert_no_hole(sim, event->seq);
    assert_int_equal(right->kind, record.kind);
    assert_int_equal(right->client, record.client);
    assert_int_equal(right->key, record.key);
    assert_true(wanted(sim, &record));
    apply(&sim->told, &record, event->seq);
    sim->told_seq = event->seq;
}

static bool told(sim_t *sim, const kvzmq_event_t *event)
{
    if (trouble(sim, 1))
        return false;
    switch (event->kind) {
    case KVZMQ_EVENT_RESET:
        sim->told = (stores_t){0};
        sim->ready = false;
        sim->resets++;
        return true;
    case KVZMQ_EVENT_ENTRY:
        assert_false(sim->ready);
        sim->told
            .revision[index_of(client_names, CLIENTS, event->client)][index_of(key_names, KEYS, event->key)] =
            event->revision;
        return true;
    case KVZMQ_EVENT_READY:
        told_ready(sim, event);
        return true;
    case KVZMQ_EVENT_POSITION:
        assert_true(sim->ready);
        assert_true(event->seq > sim->told_seq);
        assert_no_hole(sim, event->seq + 1);
        sim->told_seq = event->seq;
        return true;
    case KVZMQ_EVENT_LOST:
    case KVZMQ_EVENT_AGAIN:
        assert_int_equal(sim->lost, event->kind == KVZMQ_EVENT_AGAIN);
        sim->lost = !sim->lost;
        return true;
    default:
        told_event(sim, event);
        return true;
    }
}

/* Takes all that there is to report. Returns false if something was refused. */
static bool take_some(sim_t *sim)
{
    kvzmq_event_t event;
    bool taken = true;
    while (follow_tell(sim->follow, &event)) {
        taken = told(sim, &event);
        follow_commit(sim->follow, taken);
    }
    return taken;
}

/* The same. If something was refused, tells the state machine that it failed. */
static bool take(sim_t *sim)
{
    if (take_some(sim))
        return true;
    follow_failed(sim->follow, sim->now_ms, "not taken");
    (void)take_some(sim);
    return false;
}

/* ---- The driver ------------------------------------------------------------------------------- */

/* Answers `list` with a page of the client that the action names. */
static void list(sim_t *sim, const follow_action_t *action)
{
    int client = index_of(client_names, CLIENTS, kvzmq_text(action->client));
    int limit = 1 + pick(sim, 3);
    bool more = false;
    if (!sim->exists[client]) {
        follow_list_absent(sim->follow);
        return;
    }
    sim->page_client = client;
    sim->page_count = 0;
    for (int k = 0; k < KEYS; k++) {
        bool behind =
            action->after.size == 0 || bytes_compare(bytes_from_text(key_names[k]),
                                                     bytes_of(action->after.data, action->after.size)) > 0;
        if (!behind || !key_wanted(sim, k) || sim->stores.revision[client][k] == 0)
            continue;
        more = sim->page_count == limit;
        if (more)
            break;
        sim->page_keys[sim->page_count] = k;
        sim->page_revisions[sim->page_count++] = sim->stores.revision[client][k];
    }
    follow_listed(sim->follow, sim->now_ms, now_seq(sim), more);
    (void)take(sim);
}

static void rows(sim_t *sim)
{
    for (int i = 0; i < sim->page_count; i++) {
        kvzmq_row_t row = {.key = kvzmq_text(key_names[sim->page_keys[i]]),
                           .value = kvzmq_text("v"),
                           .revision = sim->page_revisions[i],
                           .ttl_ms = -1};
        assert_true(follow_row(sim->follow, &row));
        if (!take(sim))
            return;
    }
    follow_rows_end(sim->follow, sim->now_ms);
    (void)take(sim);
}

static void clients(sim_t *sim, const follow_action_t *action)
{
    int count = 0;
    int limit = 1 + pick(sim, 3);
    char copy[16] = {0}; /* the action's texts are valid only until the next call */
    assert_true(action->after.size < sizeof copy);
    if (action->after.size > 0)
        memcpy(copy, action->after.data, action->after.size);
    for (int c = 0; c < CLIENTS; c++) {
        bytes_t id = bytes_from_text(client_names[c]);
        if (!sim->exists[c] || bytes_compare(id, bytes_from_text(copy)) <= 0)
            continue;
        if (count++ == limit) {
            follow_clients_end(sim->follow, true);
            return;
        }
        uint64_t keys = 0;
        for (int k = 0; k < KEYS; k++)
            keys += sim->stores.revision[c][k] != 0;
        assert_true(follow_client(sim->follow, kvzmq_text(client_names[c]), keys));
    }
    follow_clients_end(sim->follow, false);
}

static void replay(sim_t *sim, const follow_action_t *action)
{
    char epoch[32];
    epoch_text(sim->epoch, epoch);
    if (action->seq < oldest(sim) || action->seq > now_seq(sim) || strcmp(action->epoch, epoch) != 0) {
        sim->refused++;
        follow_out_of_range(sim->follow, sim->now_ms, oldest(sim));
        return;
    }
    int limit = 1 + pick(sim, 6);
    int scan = 2 + pick(sim, 20);
    uint64_t seq = action->seq;
    for (; limit > 0 && scan > 0 && seq < now_seq(sim); scan--, seq++) {
        kvzmq_event_t event = event_of(sim, sim->epoch, seq + 1);
        if (action->client != NULL && strcmp(event.client.data, action->client) != 0)
            continue;
        limit--;
        follow_replay_event(sim->follow, &event);
        if (!take(sim))
            return;
    }
    follow_replayed(sim->follow, sim->now_ms, seq);
    (void)take(sim);
}

/* Delivers the first message. */
static void pass(sim_t *sim)
{
    message_t first = sim->pipe[0];
    memmove(sim->pipe, sim->pipe + 1, --sim->waiting * sizeof *sim->pipe);
    if (first.sync) {
        char epoch[32];
        epoch_text(first.epoch, epoch);
        sync_t sync = {.epoch = kvzmq_text(epoch), .seq = first.seq};
        follow_sync(sim->follow, sim->now_ms, &sync);
        (void)take(sim);
    } else {
        kvzmq_event_t event = event_of(sim, first.epoch, first.seq);
        follow_event(sim->follow, sim->now_ms, &event);
        (void)take_some(sim); /* an event that is not taken is a hole */
    }
}

/* Delivers a message. If there is none, lets time pass until UNTIL_MS or the next sync. */
static void message(sim_t *sim, int64_t until_ms)
{
    if (sim->waiting == 0) {
        int64_t next_sync = sim->now_ms - sim->now_ms % 1000 + 1000;
        sim->now_ms = until_ms < next_sync ? until_ms : next_sync;
        if (sim->now_ms == next_sync)
            send(sim, (message_t){.seq = now_seq(sim), .sync = true, .epoch = sim->epoch});
        else
            follow_quiet(sim->follow, sim->now_ms);
        (void)take(sim);
        return;
    }
    pass(sim);
}

static void ticket(sim_t *sim)
{
    char epoch[32];
    epoch_text(sim->epoch, epoch);
    sim->waiting = 0;
    sim->connected = true;
    follow_ticket(sim->follow, sim->now_ms, sim->session, epoch, now_seq(sim), oldest(sim));
    send(sim, (message_t){.seq = now_seq(sim), .sync = true, .epoch = sim->epoch});
}

/* Does what the watcher wants next. */
static void step(sim_t *sim)
{
    follow_action_t action;
    char epoch[32];
    follow_next(sim->follow, &action);
    if (action.want == FOLLOW_MESSAGE) {
        message(sim, action.until_ms);
        return;
    }
    if (action.want == FOLLOW_PAUSE) {
        sim->now_ms = action.until_ms;
        follow_quiet(sim->follow, sim->now_ms);
        (void)take(sim);
        return;
    }
    if (action.want == FOLLOW_ROWS) { /* needs no request */
        rows(sim);
        return;
    }
    for (int messages = pick(sim, 4); action.messages && messages > 0 && sim->waiting > 0; messages--)
        pass(sim);
    follow_next(sim->follow, &action);
    if (trouble(sim, 3)) {
        follow_failed(sim->follow, sim->now_ms, "trouble");
        (void)take(sim);
        return;
    }
    epoch_text(sim->epoch, epoch);
    if (action.want == FOLLOW_TICKET) {
        ticket(sim);
        return;
    }
    if (!follow_session(sim->follow, sim->session, epoch))
        return;
    if (action.want == FOLLOW_NOW)
        follow_now(sim->follow, sim->now_ms, now_seq(sim));
    else if (action.want == FOLLOW_CLIENTS)
        clients(sim, &action);
    else if (action.want == FOLLOW_LIST)
        list(sim, &action);
    else
        replay(sim, &action);
    (void)take(sim);
}

static void disturb(sim_t *sim)
{
    for (int changes = pick(sim, 4); changes > 0; changes--)
        change(sim);
    if (chance(sim, 1))
        for (int burst = pick(sim, 100); burst > 0; burst--)
            change(sim);
    if (chance(sim, 1)) {
        sim->session++; /* its ticket is void */
        sim->connected = false;
    }
    if (chance(sim, 1))
        sim->connected = false;
    if (chance(sim, 1) && sim->epoch + 1 < EPOCHS && pick(sim, 3) == 0) {
        sim->epoch++;
        broker_begin(sim);
    }
}

static bool is_whole(const sim_t *sim)
{
    if (!sim->ready || sim->told_epoch != sim->epoch)
        return false;
    for (uint64_t seq = sim->told_seq + 1; seq <= now_seq(sim); seq++)
        if (wanted(sim, &sim->history[sim->epoch][seq - 1]))
            return false;
    return true;
}

static void run_schedule(uint64_t seed, const follow_config_t *config)
{
    sim_t sim = {.random = chance_from(seed), .config = config, .trouble = 1, .told_epoch = -1};
    for (int i = 0; i < 10; i++)
        (void)chance_next(&sim.random);
    sim.keep = 5 + (uint64_t)pick(&sim, 200);
    broker_begin(&sim);
    for (int changes = pick(&sim, 100); changes > 0; changes--)
        change(&sim);
    sim.follow = follow_new(config);
    assert_non_null(sim.follow);
    if (config->resume) {
        sim.told_epoch = 0;
        sim.told_seq = config->since.seq;
    }
    for (int i = 0; i < STEPS; i++) {
        disturb(&sim);
        step(&sim);
    }
    sim.trouble = 0;
    int steps = 0;
    for (; steps < PEACE_STEPS && !is_whole(&sim); steps++)
        step(&sim);
    assert_true(steps < PEACE_STEPS);
    if (config->initial)
        assert_state(&sim, now_seq(&sim));
    follow_destroy(&sim.follow);
    for (int epoch = 0; epoch <= sim.epoch; epoch++)
        free(sim.history[epoch]);
}

static void run(const follow_config_t *config)
{
    size_t schedules = volume(chance_rounds(SCHEDULES), SCHEDULES / VALGRIND_DIVISOR);
    uint64_t seed = chance_seed();
    for (size_t i = 0; i < schedules; i++)
        run_schedule(seed + i, config);
}

static void all_stores__events_alone__come_in_order_without_hole_or_duplicate(void **state)
{
    (void)state;
    run(&(follow_config_t){0});
}

static void all_stores__with_state__state_and_events_are_the_brokers(void **state)
{
    (void)state;
    run(&(follow_config_t){.initial = true});
}

static void one_store__events_alone__come_in_order_without_hole_or_duplicate(void **state)
{
    (void)state;
    run(&(follow_config_t){.client = "a"});
}

static void one_store__with_state__state_and_events_are_the_brokers(void **state)
{
    (void)state;
    run(&(follow_config_t){.client = "a", .initial = true});
}

static void prefix__with_state__state_and_events_are_the_brokers(void **state)
{
    (void)state;
    run(&(follow_config_t){.prefix = kvzmq_text("k"), .initial = true});
    run(&(follow_config_t){.client = "b", .prefix = kvzmq_text("p"), .initial = true});
}

static void resumed__goes_on_behind_what_it_had_or_resets(void **state)
{
    (void)state;
    run(&(follow_config_t){.resume = true, .since = {.seq = 7, .epoch = "epoch-0"}});
    run(&(follow_config_t){.client = "a", .resume = true, .since = {.seq = 20, .epoch = "epoch-0"}});
    run(&(follow_config_t){.initial = true, .resume = true, .since = {.seq = 20, .epoch = "epoch-9999"}});
}

static void earliest__begins_with_the_oldest_event_that_is_kept(void **state)
{
    (void)state;
    run(&(follow_config_t){.earliest = true});
    run(&(follow_config_t){.client = "a", .earliest = true});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_stores__events_alone__come_in_order_without_hole_or_duplicate),
        cmocka_unit_test(all_stores__with_state__state_and_events_are_the_brokers),
        cmocka_unit_test(one_store__events_alone__come_in_order_without_hole_or_duplicate),
        cmocka_unit_test(one_store__with_state__state_and_events_are_the_brokers),
        cmocka_unit_test(prefix__with_state__state_and_events_are_the_brokers),
        cmocka_unit_test(resumed__goes_on_behind_what_it_had_or_resets),
        cmocka_unit_test(earliest__begins_with_the_oldest_event_that_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
