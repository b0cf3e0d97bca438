/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about watcher.h: what the receiver gets in the end if it has no room, if it or the thread is refused
 * memory, and if answers are not those that were expected. Requests are answered by a script, events are
 * published by the broker's event socket. */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/support/client_calls.h"
#include "tests/support/fake_messages.h"
#include "tests/support/refuse_memory.h"

#include "tests/unit/event_side.h"

#include "client/watch/watcher.h"
#include "common/clock.h"
#include "common/locks.h"

#define BYTES(text) (text), sizeof(text) - 1
#define COUNT(list) (sizeof(list) / sizeof *(list))
#define RAW(buffer) FAKE_RAW, (const char *)(buffer).data, (buffer).size

#define NIL "\xc0"

enum {
    TOLD_MAX = 32,
    SEQ = 6,     /* of the only change, which the watch has not seen yet */
    NEVER = 1000 /* no tell has this number */
};

/* Results of the broker's usual answers. `k` has the value `v`, put with SEQ. */
#define LISTED                                                                                               \
    "\x83\xa7"                                                                                               \
    "entries\x91\x94\xa1k\xa1v\x06" NIL "\xa4more\xc2\xa3seq\x06"
#define ENTRY(rev) "\x83\xa5value\xa1v\xa8revision" rev "\xa6ttl_ms" NIL

typedef struct told {
    kvzmq_event_kind_t kind;
    uint64_t seq;
    char value[200]; /* "" = none */
} told_t;

/* The receiver, and what it has been told. */
typedef struct receiver {
    pthread_mutex_t lock; /* protects all that follows */
    pthread_cond_t unused;
    int news; /* eventfd: signalled with each event, and the end */
    told_t told[TOLD_MAX];
    unsigned count;
    unsigned calls;   /* of tell */
    unsigned refused; /* allocations of the watcher's thread */
    kvzmq_status_t final;
    char why[200]; /* text about `final` */
    /* Set by the test. */
    watcher_taking_t answer; /* to call number `answer_at`; not yet taken */
    unsigned answer_at;
    const fake_broker_t *full_until; /* no room until it has done all its steps; NULL = there is room */
    int refuse_after;                /* behind the first LOST; REFUSE_NEVER = nothing is refused */
} receiver_t;

typedef struct fixture {
    fake_broker_t fake;
    receiver_t receiver;
    watcher_t *watcher;
    event_side_t events;
    bool large_values;
    bool initial;
    buffer_t ticket; /* results and errors */
    buffer_t replay;
    buffer_t replay_hollow; /* the change without its value */
    buffer_t internal;
    fake_step_t usual[5];
} fixture_t;

/* ---- The receiver ----------------------------------------------------------------------------- */

static void signal_news(const receiver_t *receiver)
{
    uint64_t one = 1;
    if (write(receiver->news, &one, sizeof one) != sizeof one)
        abort(); /* cmocka's assertions do not work in the watcher's thread */
}

static void keep(receiver_t *receiver, const kvzmq_event_t *event)
{
    if (receiver->count == TOLD_MAX)
        abort();
    told_t *told = &receiver->told[receiver->count++];
    told->kind = event->kind;
    told->seq = event->seq;
    if (event->has_value)
        (void)snprintf(told->value, sizeof told->value, "%.*s", (int)event->value.size, event->value.data);
    bool refuse = event->kind == KVZMQ_EVENT_LOST && receiver->count == 1;
    if (refuse && receiver->refuse_after != REFUSE_NEVER) {
        refuse_once = true;
        refused = 0;
        refuse_after = receiver->refuse_after;
    }
    receiver->refused = refused;
    signal_news(receiver);
}

static watcher_taking_t tell(void *context, const kvzmq_event_t *event, int64_t until_ms)
{
    receiver_t *receiver = context;
    watcher_taking_t taking = WATCHER_TAKEN;
    (void)until_ms; /* it comes again at once */
    (void)pthread_mutex_lock(&receiver->lock);
    const fake_broker_t *fake = receiver->full_until;
    if (fake != NULL && event->kind == KVZMQ_EVENT_PUT && atomic_load(&fake->done) < fake->count)
        taking = WATCHER_FULL;
    else if (receiver->calls++ == receiver->answer_at)
        taking = receiver->answer;
    if (taking == WATCHER_TAKEN)
        keep(receiver, event);
    (void)pthread_mutex_unlock(&receiver->lock);
    return taking;
}

static void ended(void *context, kvzmq_status_t status, const char *text)
{
    receiver_t *receiver = context;
    (void)pthread_mutex_lock(&receiver->lock);
    receiver->final = status;
    (void)snprintf(receiver->why, sizeof receiver->why, "%s", text);
    signal_news(receiver);
    (void)pthread_mutex_unlock(&receiver->lock);
}

/* ---- The broker ------------------------------------------------------------------------------- */

static void write_ticket(buffer_t *out, const ticket_t *ticket, const char *endpoint, const char *mechanism)
{
    const char *const texts[] = {"endpoint",       endpoint,   "mechanism",      mechanism, "username",
                                 ticket->username, "password", ticket->password, "epoch",   "epoch"};
    rpc_write_map(out, 7);
    for (size_t i = 0; i < COUNT(texts); i++)
        rpc_write_text(out, texts[i]);
    rpc_write_text(out, "seq");
    rpc_write_uint(out, SEQ);
    rpc_write_text(out, "oldest");
    rpc_write_uint(out, 0);
}

static void write_replay(buffer_t *out, const char *value)
{
    rpc_write_map(out, 2);
    rpc_write_text(out, "events");
    rpc_write_array(out, 1);
    fake_event_write(out, &(fake_event_t){.seq = SEQ, .prev = SEQ - 1, .value = value});
    rpc_write_text(out, "seq");
    rpc_write_uint(out, SEQ);
}

/* Publishes what a broker publishes if somebody has subscribed. */
static void publish_sync(fixture_t *fixture)
{
    buffer_t sync;
    buffer_init(&sync, 256);
    rpc_write_notification(&sync, bytes_from_text("sync"));
    rpc_write_array(&sync, 1);
    rpc_write_map(&sync, 2);
    rpc_write_text(&sync, "epoch");
    rpc_write_text(&sync, "epoch");
    rpc_write_text(&sync, "seq");
    rpc_write_uint(&sync, SEQ);
    event_side_publish(&fixture->events, "/", buffer_bytes(&sync));
    buffer_release(&sync);
}

/* ---- Fixture ---------------------------------------------------------------------------------- */

static int setup(void **state)
{
    fixture_t *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->receiver.news = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    fixture->receiver.answer_at = NEVER;
    fixture->receiver.refuse_after = REFUSE_NEVER;
    assert_true(locks_init(&fixture->receiver.lock, &fixture->receiver.unused));
    event_side_open(&fixture->events);
    buffer_t *const buffers[] = {&fixture->ticket, &fixture->replay, &fixture->replay_hollow,
                                 &fixture->internal};
    for (size_t i = 0; i < COUNT(buffers); i++)
        buffer_init(buffers[i], 1024);
    write_ticket(&fixture->ticket, fixture->events.ticket, fixture->events.endpoint, "PLAIN");
    write_replay(&fixture->replay, "v");
    write_replay(&fixture->replay_hollow, NULL);
    fake_error_write(&fixture->internal, STATUS_INTERNAL, 0);
    *state = fixture;
    return 0;
}

/* Makes a watch of lamp's store that has seen everything up to the change before SEQ, or reads the state if
 * `initial` is set. */
static void begin(fixture_t *fixture, const fake_step_t *steps, size_t count)
{
    const buffer_t *replay = fixture->large_values ? &fixture->replay_hollow : &fixture->replay;
    const fake_step_t answers[COUNT(fixture->usual)] = {
        {"events", FAKE_RESULT, (const char *)fixture->ticket.data, fixture->ticket.size},
        {"replay", FAKE_RESULT, (const char *)replay->data, replay->size},
        {"manage", FAKE_RESULT, fixture->initial ? LISTED : ENTRY("\x06"),
         fixture->initial ? sizeof LISTED - 1 : sizeof ENTRY("\x06") - 1},
        {"ping", FAKE_RESULT, BYTES("\xa4pong")},
        {"bye", FAKE_RESULT, BYTES(NIL)},
    };
    memcpy(fixture->usual, answers, sizeof answers);
    fake_broker_start_usual(&fixture->fake, steps, count, fixture->usual, COUNT(fixture->usual));
    kvzmq_options_t options = options_to(fixture->fake.endpoint, NULL);
    const watcher_config_t config = {
        .connection = &options,
        .follow = {.client = "lamp",
                   .initial = fixture->initial,
                   .resume = !fixture->initial,
                   .since = {.epoch = "epoch", .seq = SEQ - 1}},
        .large_values = fixture->large_values,
        .tell = tell,
        .ended = ended,
        .context = &fixture->receiver,
    };
    assert_true(watcher_new(&config, &fixture->watcher));
}

static void end(fixture_t *fixture)
{
    watcher_destroy(&fixture->watcher);
    fake_broker_stop(&fixture->fake);
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;
    buffer_release(&fixture->ticket);
    buffer_release(&fixture->replay);
    buffer_release(&fixture->replay_hollow);
    buffer_release(&fixture->internal);
    event_side_close(&fixture->events);
    locks_destroy(&fixture->receiver.lock, &fixture->receiver.unused);
    (void)close(fixture->receiver.news);
    free(fixture);
    return 0;
}

/* Whether the receiver was told an event of KIND, or the watcher has ended. */
static bool was_told(receiver_t *receiver, kvzmq_event_kind_t kind)
{
    bool found;
    (void)pthread_mutex_lock(&receiver->lock);
    found = receiver->final != KVZMQ_OK;
    for (unsigned i = 0; i < receiver->count; i++)
        found = found || receiver->told[i].kind == kind;
    (void)pthread_mutex_unlock(&receiver->lock);
    return found;
}

/* Publishes syncs until the receiver was told an event of KIND, or the watcher has ended. */
static void wait_told(fixture_t *fixture, kvzmq_event_kind_t kind)
{
    int64_t deadline = clock_monotonic_ms() + TIMEOUT_MS;
    while (!was_told(&fixture->receiver, kind)) {
        uint64_t news;
        zmq_pollitem_t items[EVENT_SIDE_ITEMS + 1];
        event_side_items(&fixture->events, items);
        items[EVENT_SIDE_ITEMS] = (zmq_pollitem_t){.fd = fixture->receiver.news, .events = ZMQ_POLLIN};
        assert_true(clock_monotonic_ms() < deadline);
        (void)zmq_poll(items, COUNT(items), TIMEOUT_MS);
        if (event_side_take(&fixture->events))
            publish_sync(fixture);
        (void)!read(fixture->receiver.news, &news, sizeof news);
    }
}

static const told_t *last_told(const fixture_t *fixture)
{
    return &fixture->receiver.told[fixture->receiver.count - 1];
}

static unsigned count_told(const fixture_t *fixture, kvzmq_event_kind_t kind)
{
    unsigned count = 0;
    for (unsigned i = 0; i < fixture->receiver.count; i++)
        count += fixture->receiver.told[i].kind == kind;
    return count;
}

/* Asserts what every watch promises: all is told once and in order, and what interrupted it is told too. */
static void assert_whole(const fixture_t *fixture)
{
    const receiver_t *receiver = &fixture->receiver;
    kvzmq_event_kind_t change = fixture->initial ? KVZMQ_EVENT_ENTRY : KVZMQ_EVENT_PUT;
    bool lost = false;
    for (unsigned i = 0; i < receiver->count; i++) {
        const told_t *told = &receiver->told[i];
        assert_true(told->kind != KVZMQ_EVENT_LOST || !lost);
        assert_true(told->kind != KVZMQ_EVENT_AGAIN || lost);
        lost = told->kind == KVZMQ_EVENT_LOST || (lost && told->kind != KVZMQ_EVENT_AGAIN);
        assert_true(!lost || told->kind == KVZMQ_EVENT_LOST);
    }
    assert_int_equal(receiver->final, KVZMQ_OK);
    assert_int_equal(count_told(fixture, change), 1);
    assert_int_equal(count_told(fixture, KVZMQ_EVENT_READY), 1);
    assert_int_equal(count_told(fixture, KVZMQ_EVENT_RESET), 0);
    assert_int_equal(last_told(fixture)->kind, fixture->initial ? KVZMQ_EVENT_READY : KVZMQ_EVENT_PUT);
    assert_int_equal(last_told(fixture)->seq, SEQ);
    for (unsigned i = 0; i < receiver->count; i++)
        if (receiver->told[i].kind == change)
            assert_string_equal(receiver->told[i].value, "v");
}

/* Runs the watch to its end: the change, or READY behind the state. */
static void follow(fixture_t *fixture, const fake_step_t *steps, size_t count)
{
    begin(fixture, steps, count);
    wait_told(fixture, fixture->initial ? KVZMQ_EVENT_READY : KVZMQ_EVENT_PUT);
    end(fixture);
}

typedef void scenario_fn(fixture_t *fixture, unsigned number);

/* Runs SCENARIO with each kind of watch: one that continues, one that reads values, one that reads the state.
 */
static void each_watch(scenario_fn *scenario, unsigned number)
{
    for (unsigned kind = 0; kind < 3; kind++) {
        void *state;
        (void)setup(&state);
        fixture_t *fixture = state;
        fixture->large_values = kind == 1;
        fixture->initial = kind == 2;
        scenario(fixture, number);
        (void)teardown(&state);
    }
}

/* ---- Claims ----------------------------------------------------------------------------------- */

static void run_plainly(fixture_t *fixture, unsigned number)
{
    (void)number;
    follow(fixture, NULL, 0);
    assert_whole(fixture);
    assert_int_equal(count_told(fixture, KVZMQ_EVENT_LOST), 0);
}

static void watch__nothing_fails__tells_all_and_says_bye(void **state)
{
    (void)state;
    each_watch(run_plainly, 0);
}

static void run_refused(fixture_t *fixture, unsigned number)
{
    fixture->receiver.answer = WATCHER_REFUSED;
    fixture->receiver.answer_at = number;
    follow(fixture, NULL, 0);
    assert_whole(fixture);
    assert_int_equal(count_told(fixture, KVZMQ_EVENT_LOST), 1);
    assert_string_equal(fixture->receiver.told[number].value, "no memory for an event");
}

static void tell__each_event_refused_in_turn__says_lost_and_tells_it_again(void **state)
{
    (void)state;
    for (unsigned number = 0; number < 2; number++) /* the two events of an undisturbed watch */
        each_watch(run_refused, number);
}

static void run_full(fixture_t *fixture, unsigned number)
{
    fixture->receiver.answer = WATCHER_FULL;
    fixture->receiver.answer_at = number;
    follow(fixture, NULL, 0);
    assert_whole(fixture);
    assert_int_equal(count_told(fixture, KVZMQ_EVENT_LOST), 0);
}

static void tell__no_room_for_each_event_in_turn__tells_it_again_and_nothing_else(void **state)
{
    (void)state;
    for (unsigned number = 0; number < 2; number++)
        each_watch(run_full, number);
}

/* A session of this broker times out after 0.3 s. */
#define HELLO                                                                                                \
    "\x88\xa6"                                                                                               \
    "client\xa4lamp\xa4role\xa7manager\xa8protocol\x01\xa6"                                                  \
    "broker\xa1"                                                                                             \
    "b\xa5"                                                                                                  \
    "epoch\xa5"                                                                                              \
    "epoch"                                                                                                  \
    "\xaatimeout_ms\xcd\x01\x2c\xa6limits\x84\xa3key\x01\xa5value\x01\xa5"                                   \
    "batch\x01\xa7message\xcd\xff\xff"                                                                       \
    "\xa4note\xc0"

static void tell__no_room_for_long__keeps_the_session(void **state)
{
    fixture_t *fixture = *state;
    const fake_step_t steps[] = {
        {"hello", FAKE_RESULT, BYTES(HELLO)},
        {"replay", FAKE_RESULT, (const char *)fixture->replay.data, fixture->replay.size},
        {"ping", FAKE_RESULT, BYTES("\xa4pong")}, /* the change is told behind this only */
        {"ping", FAKE_RESULT, BYTES("\xa4pong")},
    };
    fixture->receiver.full_until = &fixture->fake;
    follow(fixture, steps, COUNT(steps));
    assert_whole(fixture);
}

static void destroy__no_room__ends_and_says_bye(void **state)
{
    fixture_t *fixture = *state;
    static const fake_step_t steps[] = {{"bye", FAKE_RESULT, BYTES(NIL)}};
    fixture->receiver.full_until = &fixture->fake; /* bye comes behind the change, so there never is room */
    begin(fixture, steps, COUNT(steps));
    wait_told(fixture, KVZMQ_EVENT_READY);
    end(fixture);
    assert_int_equal(count_told(fixture, KVZMQ_EVENT_PUT), 0);
}

static void run_short_of_memory(fixture_t *fixture, unsigned number)
{
    const fake_step_t steps[] = {{"events", RAW(fixture->internal)}};
    fixture->receiver.refuse_after = (int)number;
    follow(fixture, steps, COUNT(steps));
    assert_whole(fixture);
    assert_string_equal(fixture->receiver.told[0].value, "the fake broker refuses");
}

static void memory__each_allocation_of_the_thread_refused_in_turn__all_is_told_in_the_end(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 3; kind++) {
        unsigned granted = 0;
        for (bool more = true; more; granted++) {
            void *own;
            (void)setup(&own);
            fixture_t *fixture = own;
            fixture->large_values = kind == 1;
            fixture->initial = kind == 2;
            run_short_of_memory(fixture, granted);
            more = fixture->receiver.refused > 0;
            (void)teardown(&own);
        }
        assert_true(granted > 2);
    }
}

static void assert_value_told(fixture_t *fixture, const char *result, size_t size, const char *value)
{
    const fake_step_t steps[] = {{"manage", FAKE_RESULT, result, size}};
    fixture->large_values = true;
    follow(fixture, steps, COUNT(steps));
    assert_int_equal(last_told(fixture)->kind, KVZMQ_EVENT_PUT);
    assert_string_equal(last_told(fixture)->value, value);
    assert_int_equal(count_told(fixture, KVZMQ_EVENT_LOST), 0);
}

static void value__entry_has_another_revision_by_now__is_left_out(void **state)
{
    assert_value_told(*state, BYTES(ENTRY("\x07")), "");
}

static void value__entry_is_gone_by_now__is_left_out(void **state)
{
    assert_value_told(*state, BYTES(NIL), "");
}

static void value__request_fails__says_lost_and_reads_it_again(void **state)
{
    fixture_t *fixture = *state;
    const fake_step_t steps[] = {{"manage", RAW(fixture->internal)}};
    fixture->large_values = true;
    follow(fixture, steps, COUNT(steps));
    assert_whole(fixture);
    assert_int_equal(count_told(fixture, KVZMQ_EVENT_LOST), 1);
}

/* The first answer to METHOD is RESULT. Asserts that LOST says WHY, and that all is told in the end, once. */
static void assert_distrusts(fixture_t *fixture, const char *method, const char *result, size_t size,
                             const char *why)
{
    const fake_step_t steps[] = {{method, FAKE_RESULT, result, size}};
    follow(fixture, steps, COUNT(steps));
    const told_t *lost = fixture->receiver.told;
    while (lost->kind != KVZMQ_EVENT_LOST)
        lost++;
    assert_non_null(strstr(lost->value, why));
    assert_whole(fixture);
    assert_int_equal(count_told(fixture, KVZMQ_EVENT_LOST), 1);
}

static void events__no_ticket__says_so_and_asks_again(void **state)
{
    assert_distrusts(*state, "events", BYTES(NIL), "the answer to events is not kvbroker's protocol");
}

static void replay__not_of_the_protocol__says_so_and_asks_again(void **state)
{
    assert_distrusts(*state, "replay", BYTES(NIL), "the answer to replay is not kvbroker's protocol");
}

static void replay__without_the_change_that_sync_told_of__says_so_and_asks_again(void **state)
{
    static const char none[] = "\x82\xa6"
                               "events\x90\xa3seq\x05";
    assert_distrusts(*state, "replay", BYTES(none),
                     "replay makes no progress, although there is more: a fault of the broker");
}

static void list__rows_out_of_order__takes_none_of_them_and_asks_again(void **state)
{
    fixture_t *fixture = *state;
    static const char rows[] = "\x83\xa7"
                               "entries\x92\x94\xa1"
                               "b\xa1v\x05" NIL "\x94\xa1"
                               "a\xa1v\x06" NIL "\xa4more\xc2\xa3seq\x06";
    fixture->initial = true;
    assert_distrusts(fixture, "manage", BYTES(rows), "not the next one in order");
}

static void ticket__endpoint_inside_the_process__is_not_connected_to(void **state)
{
    fixture_t *fixture = *state;
    buffer_t ticket;
    buffer_init(&ticket, 1024);
    write_ticket(&ticket, fixture->events.ticket, "inproc://mine", "PLAIN");
    const fake_step_t steps[] = {{"events", FAKE_RESULT, (const char *)ticket.data, ticket.size}};
    follow(fixture, steps, COUNT(steps));
    assert_whole(fixture);
    assert_non_null(strstr(fixture->receiver.told[0].value, "cannot connect to the events endpoint"));
    buffer_release(&ticket);
}

static void ticket__mechanism_that_is_unknown__ends_the_watch(void **state)
{
    fixture_t *fixture = *state;
    buffer_t ticket;
    buffer_init(&ticket, 1024);
    write_ticket(&ticket, fixture->events.ticket, "tcp://127.0.0.1:1", "CURVE");
    const fake_step_t steps[] = {{"events", FAKE_RESULT, (const char *)ticket.data, ticket.size}};
    follow(fixture, steps, COUNT(steps));
    assert_int_equal(fixture->receiver.final, KVZMQ_UNIMPLEMENTED);
    assert_int_equal(fixture->receiver.count, 0);
    assert_non_null(strstr(fixture->receiver.why, "CURVE"));
    buffer_release(&ticket);
}

static void destroy__broker_asks_to_wait_a_minute__ends_at_once(void **state)
{
    fixture_t *fixture = *state;
    buffer_t throttled;
    buffer_init(&throttled, 256);
    fake_error_write(&throttled, STATUS_RESOURCE_EXHAUSTED, 3600000);
    const fake_step_t steps[] = {{"events", RAW(throttled)}};
    begin(fixture, steps, COUNT(steps));
    wait_told(fixture, KVZMQ_EVENT_LOST);
    int64_t begun_ms = clock_monotonic_ms();
    end(fixture);
    assert_true(clock_monotonic_ms() - begun_ms < 50000);
    buffer_release(&throttled);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watch__nothing_fails__tells_all_and_says_bye),
        cmocka_unit_test(tell__each_event_refused_in_turn__says_lost_and_tells_it_again),
        cmocka_unit_test(tell__no_room_for_each_event_in_turn__tells_it_again_and_nothing_else),
        TEST(tell__no_room_for_long__keeps_the_session),
        TEST(destroy__no_room__ends_and_says_bye),
        cmocka_unit_test(memory__each_allocation_of_the_thread_refused_in_turn__all_is_told_in_the_end),
        TEST(value__entry_has_another_revision_by_now__is_left_out),
        TEST(value__entry_is_gone_by_now__is_left_out),
        TEST(value__request_fails__says_lost_and_reads_it_again),
        TEST(events__no_ticket__says_so_and_asks_again),
        TEST(replay__not_of_the_protocol__says_so_and_asks_again),
        TEST(replay__without_the_change_that_sync_told_of__says_so_and_asks_again),
        TEST(list__rows_out_of_order__takes_none_of_them_and_asks_again),
        TEST(ticket__endpoint_inside_the_process__is_not_connected_to),
        TEST(ticket__mechanism_that_is_unknown__ends_the_watch),
        TEST(destroy__broker_asks_to_wait_a_minute__ends_at_once),
    };
    return cmocka_run_group_tests_name("client_watcher", tests, NULL, NULL);
}
