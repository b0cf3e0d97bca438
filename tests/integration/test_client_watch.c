/* SPDX-License-Identifier: MPL-2.0 */
/* Watching with libkvzmq and a real broker. */
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/limits.h"
#include "tests/support/client_fixture.h"

/* Makes a watch with a manager's session. OPTIONS may be NULL. */
static kvzmq_watch_t *watch_new(const broker_process_t *broker, const kvzmq_watch_options_t *options)
{
    kvzmq_options_t connection = manager_options(broker);
    connection.call_ms = 2000; /* so that the watch soon notices that the broker is stopped */
    kvzmq_watch_t *watch = kvzmq_watch_new(&connection, options);
    assert_non_null(watch);
    return watch;
}

/* Returns the next event that is not POSITION. */
static kvzmq_event_t next(kvzmq_watch_t *watch)
{
    kvzmq_event_t event = {0};
    kvzmq_status_t status;
    do
        status = kvzmq_watch_next(watch, TIMEOUT_MS, &event);
    while (status == KVZMQ_OK && event.kind == KVZMQ_EVENT_POSITION);
    if (status != KVZMQ_OK)
        fail_msg("no event: %s %s", kvzmq_status_text(status), kvzmq_watch_error(watch));
    return event;
}

/* Asserts that the next event is of KIND, and returns it. */
static kvzmq_event_t expect(kvzmq_watch_t *watch, kvzmq_event_kind_t kind)
{
    kvzmq_event_t event = next(watch);
    if (event.kind != kind)
        fail_msg("the next event is %s %s, not %s", kvzmq_event_kind_text(event.kind),
                 event.value.data != NULL ? event.value.data : "", kvzmq_event_kind_text(kind));
    return event;
}

/* Skips events until one of KIND, and returns that. */
static kvzmq_event_t skip_to(kvzmq_watch_t *watch, kvzmq_event_kind_t kind)
{
    for (;;) {
        kvzmq_event_t event = next(watch);
        if (event.kind == kind)
            return event;
    }
}

static void assert_slice(kvzmq_slice_t slice, const char *text)
{
    assert_non_null(slice.data);
    assert_int_equal(slice.size, strlen(text));
    assert_string_equal(slice.data, text); /* kvzmq.h promises a terminating zero */
}

static kvzmq_watch_options_t watch_options(const char *client, bool initial)
{
    kvzmq_watch_options_t options;
    kvzmq_watch_options_init(&options);
    options.client = client;
    options.initial = initial;
    return options;
}

static void watch__of_one_store__tells_its_changes_as_they_were_made(void **state)
{
    kvzmq_watch_options_t options = watch_options("robot", false);
    kvzmq_t *robot = connect_named(*state, "robot");
    kvzmq_t *other = connect_named(*state, "other");
    kvzmq_watch_t *watch = watch_new(*state, &options);
    uint64_t base = expect(watch, KVZMQ_EVENT_READY).seq;
    put_text(other, "not", "this");
    put_text(robot, "speed", "fast");
    assert_ok(robot, kvzmq_del(robot, NULL, kvzmq_text("speed"), NULL, NULL));
    kvzmq_event_t event = expect(watch, KVZMQ_EVENT_PUT);
    assert_slice(event.client, "robot");
    assert_slice(event.key, "speed");
    assert_slice(event.value, "fast");
    assert_slice(event.by, "robot");
    assert_true(event.has_value);
    assert_int_equal(event.value_size, 4);
    assert_int_equal(event.ttl_ms, -1);
    assert_int_equal(event.revision, event.seq);
    assert_true(event.seq > base);
    uint64_t seq = event.seq;
    event = expect(watch, KVZMQ_EVENT_DEL);
    assert_int_equal(event.prev, seq);
    assert_false(event.has_value);
    kvzmq_watch_destroy(&watch);
    assert_null(watch);
    kvzmq_destroy(&robot);
    kvzmq_destroy(&other);
}

static void watch__with_state__tells_entries_in_pages_then_ready_then_changes(void **state)
{
    enum { KEYS = 2500 }; /* three pages */
    kvzmq_watch_options_t options = watch_options(NULL, true);
    char key[32];
    kvzmq_t *robot = connect_named(*state, "robot");
    kvzmq_t *empty = connect_named(*state, "empty");
    kvzmq_t *zoo = connect_named(*state, "zoo");
    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(key, sizeof key, "key-%04d", i);
        put_text(robot, key, "v");
    }
    put_text(zoo, "lion", "roar");
    kvzmq_watch_t *watch = watch_new(*state, &options);
    for (int i = 0; i < KEYS; i++) {
        kvzmq_event_t entry = expect(watch, KVZMQ_EVENT_ENTRY);
        (void)snprintf(key, sizeof key, "key-%04d", i);
        assert_slice(entry.client, "robot");
        assert_slice(entry.key, key);
    }
    assert_slice(expect(watch, KVZMQ_EVENT_ENTRY).client, "zoo");
    uint64_t seq = expect(watch, KVZMQ_EVENT_READY).seq;
    put_text(zoo, "lion", "yawn");
    kvzmq_event_t event = expect(watch, KVZMQ_EVENT_PUT);
    assert_int_equal(event.seq, seq + 1);
    assert_slice(event.value, "yawn");
    kvzmq_watch_destroy(&watch);
    kvzmq_destroy(&robot);
    kvzmq_destroy(&empty);
    kvzmq_destroy(&zoo);
}

static void watch__with_a_prefix__tells_only_what_begins_with_it(void **state)
{
    kvzmq_watch_options_t options = watch_options(NULL, true);
    options.prefix = kvzmq_text("config/");
    kvzmq_t *robot = connect_named(*state, "robot");
    put_text(robot, "config/a", "1");
    put_text(robot, "status", "1");
    kvzmq_watch_t *watch = watch_new(*state, &options);
    assert_slice(expect(watch, KVZMQ_EVENT_ENTRY).key, "config/a");
    (void)expect(watch, KVZMQ_EVENT_READY);
    put_text(robot, "status", "2");
    put_text(robot, "config/b", "2");
    assert_slice(expect(watch, KVZMQ_EVENT_PUT).key, "config/b");
    kvzmq_watch_destroy(&watch);
    kvzmq_destroy(&robot);
}

/* Zero bytes in a key or a prefix are ordinary characters. */
static void watch__with_a_prefix_that_has_a_zero_byte__begins_with_the_state_behind_it(void **state)
{
    kvzmq_watch_options_t options = watch_options("robot", true);
    options.prefix = kvzmq_text_of("a\0bcdefgh", 9);
    kvzmq_t *robot = connect_named(*state, "robot");
    put_text(robot, "a", "1");
    kvzmq_slice_t key = kvzmq_text_of("a\0bcdefghi", 10);
    assert_ok(robot, kvzmq_put(robot, NULL, key, kvzmq_text("2"), NULL, NULL));
    kvzmq_watch_t *watch = watch_new(*state, &options);
    kvzmq_event_t entry = expect(watch, KVZMQ_EVENT_ENTRY);
    assert_int_equal(entry.key.size, key.size);
    assert_memory_equal(entry.key.data, key.data, key.size);
    (void)expect(watch, KVZMQ_EVENT_READY);
    kvzmq_watch_destroy(&watch);
    kvzmq_destroy(&robot);
}

static void watch__resumed_where_another_ended__goes_on_without_hole_or_duplicate(void **state)
{
    kvzmq_watch_options_t options = watch_options("robot", false);
    kvzmq_t *robot = connect_named(*state, "robot");
    kvzmq_watch_t *watch = watch_new(*state, &options);
    (void)expect(watch, KVZMQ_EVENT_READY);
    put_text(robot, "k", "1");
    kvzmq_event_t event = expect(watch, KVZMQ_EVENT_PUT);
    options.resume = true;
    options.since.seq = event.seq;
    (void)snprintf(options.since.epoch, sizeof options.since.epoch, "%s", event.epoch.data);
    kvzmq_watch_destroy(&watch);
    put_text(robot, "k", "2");
    put_text(robot, "k", "3");
    watch = watch_new(*state, &options);
    assert_int_equal(expect(watch, KVZMQ_EVENT_READY).seq, options.since.seq);
    assert_slice(expect(watch, KVZMQ_EVENT_PUT).value, "2");
    put_text(robot, "k", "4");
    assert_slice(expect(watch, KVZMQ_EVENT_PUT).value, "3");
    assert_slice(expect(watch, KVZMQ_EVENT_PUT).value, "4");
    kvzmq_watch_destroy(&watch);
    kvzmq_destroy(&robot);
}

static void watch__resumed_in_another_epoch__resets(void **state)
{
    kvzmq_watch_options_t options = watch_options("robot", true);
    options.resume = true;
    options.since = (kvzmq_position_t){.seq = 1, .epoch = "of another broker"};
    kvzmq_t *robot = connect_named(*state, "robot");
    put_text(robot, "k", "1");
    kvzmq_watch_t *watch = watch_new(*state, &options);
    assert_slice(expect(watch, KVZMQ_EVENT_RESET).value, "the broker was restarted");
    (void)expect(watch, KVZMQ_EVENT_ENTRY);
    (void)expect(watch, KVZMQ_EVENT_READY);
    kvzmq_watch_destroy(&watch);
    kvzmq_destroy(&robot);
}

static void watch__broker_killed_and_restarted__says_lost_again_reset_and_the_new_state(void **state)
{
    broker_process_t *broker = *state;
    kvzmq_watch_options_t options = watch_options("robot", true);
    kvzmq_t *robot = connect_named(broker, "robot");
    put_text(robot, "old", "1");
    kvzmq_watch_t *watch = watch_new(broker, &options);
    (void)expect(watch, KVZMQ_EVENT_ENTRY);
    (void)expect(watch, KVZMQ_EVENT_READY);
    broker_process_kill(broker);
    (void)expect(watch, KVZMQ_EVENT_LOST);
    broker_process_restart(broker);
    (void)expect(watch, KVZMQ_EVENT_AGAIN);
    (void)expect(watch, KVZMQ_EVENT_RESET);
    (void)expect(watch, KVZMQ_EVENT_READY);
    put_text(robot, "new", "1");
    assert_slice(skip_to(watch, KVZMQ_EVENT_PUT).key, "new");
    kvzmq_watch_destroy(&watch);
    kvzmq_destroy(&robot);
}

static void watch__broker_stopped_for_longer_than_a_sync__says_lost_and_misses_nothing(void **state)
{
    broker_process_t *broker = *state;
    kvzmq_watch_options_t options = watch_options("robot", false);
    kvzmq_t *robot = connect_named(broker, "robot");
    kvzmq_watch_t *watch = watch_new(broker, &options);
    (void)expect(watch, KVZMQ_EVENT_READY);
    put_text(robot, "k", "1");
    (void)expect(watch, KVZMQ_EVENT_PUT);
    broker_process_signal(broker, SIGSTOP);
    kvzmq_event_t event = skip_to(watch, KVZMQ_EVENT_LOST);
    assert_true(event.has_value && event.value.size > 0);
    broker_process_signal(broker, SIGCONT);
    (void)expect(watch, KVZMQ_EVENT_AGAIN);
    put_text(robot, "k", "2");
    assert_slice(expect(watch, KVZMQ_EVENT_PUT).value, "2");
    kvzmq_watch_destroy(&watch);
    kvzmq_destroy(&robot);
}

static void watch__application_that_does_not_read__is_whole_when_it_does(void **state)
{
    enum { PUTS = 30000, A_BATCH = 500 };
    kvzmq_watch_options_t options = watch_options("robot", false);
    options.queue = 10;
    options.receive_hwm = 10;
    kvzmq_t *robot = connect_named(*state, "robot");
    kvzmq_watch_t *watch = watch_new(*state, &options);
    uint64_t seq = expect(watch, KVZMQ_EVENT_READY).seq;
    kvzmq_answer_t answer;
    for (int i = 0; i < PUTS / A_BATCH; i++) {
        kvzmq_batch_t *batch = kvzmq_batch_new(robot);
        for (int j = 0; j < A_BATCH; j++)
            assert_ok(robot, kvzmq_batch_put(batch, NULL, kvzmq_text("k"), kvzmq_text("value"), NULL, NULL));
        assert_ok(robot, kvzmq_batch_send(&batch));
        while (kvzmq_poll(robot, -1, &answer) == KVZMQ_OK)
            assert_int_equal(answer.status, KVZMQ_OK);
    }
    uint64_t prev = 0;
    for (int i = 0; i < PUTS; i++) {
        kvzmq_event_t event = expect(watch, KVZMQ_EVENT_PUT);
        assert_true(event.seq > seq);
        if (prev != 0)
            assert_int_equal(event.prev, prev);
        prev = seq = event.seq;
    }
    kvzmq_watch_counts_t counts;
    kvzmq_watch_counts(watch, &counts);
    assert_int_equal(counts.resets, 0);
    assert_true(counts.repairs > 0); /* otherwise no event was missed, and the test shows nothing */
    kvzmq_watch_destroy(&watch);
    kvzmq_destroy(&robot);
}

static void watch__log_too_short_for_what_was_missed__resets_and_has_the_state(void **state)
{
    enum { PUTS = 4000, SIZE = 16000 }; /* more than fits in all queues and sockets on the way */
    kvzmq_watch_options_t options = watch_options("robot", true);
    options.queue = 1;
    options.receive_hwm = 10;
    char *large = calloc(1, SIZE);
    assert_non_null(large);
    kvzmq_t *robot = connect_named(*state, "robot");
    kvzmq_watch_t *watch = watch_new(*state, &options);
    (void)expect(watch, KVZMQ_EVENT_READY);
    for (int i = 0; i < PUTS; i++)
        assert_ok(robot, kvzmq_put(robot, NULL, kvzmq_text("k"), kvzmq_binary(large, SIZE), NULL, NULL));
    put_text(robot, "k", "last");
    free(large);
    (void)skip_to(watch, KVZMQ_EVENT_RESET);
    assert_slice(expect(watch, KVZMQ_EVENT_ENTRY).value, "last");
    (void)expect(watch, KVZMQ_EVENT_READY);
    kvzmq_watch_destroy(&watch);
    kvzmq_destroy(&robot);
}

static void watch__value_too_large_for_an_event__is_left_out_or_read(void **state)
{
    kvzmq_watch_options_t options = watch_options("robot", false);
    kvzmq_t *robot = connect_named(*state, "robot");
    kvzmq_watch_t *lean = watch_new(*state, &options);
    options.large_values = true;
    kvzmq_watch_t *full = watch_new(*state, &options);
    (void)expect(lean, KVZMQ_EVENT_READY);
    (void)expect(full, KVZMQ_EVENT_READY);
    size_t size = 100000;
    char *large = calloc(1, size);
    assert_non_null(large);
    assert_ok(robot, kvzmq_put(robot, NULL, kvzmq_text("k"), kvzmq_binary(large, size), NULL, NULL));
    free(large);
    kvzmq_event_t event = expect(lean, KVZMQ_EVENT_PUT);
    assert_false(event.has_value);
    assert_int_equal(event.value_size, size);
    event = expect(full, KVZMQ_EVENT_PUT);
    assert_true(event.has_value);
    assert_int_equal(event.value.size, size);
    assert_true(event.value.binary);
    kvzmq_watch_destroy(&lean);
    kvzmq_watch_destroy(&full);
    kvzmq_destroy(&robot);
}

/* Puts a large value that consists of LETTER. Returns its revision. */
static uint64_t put_large(kvzmq_t *conn, const char *key, int letter)
{
    static char large[100000];
    uint64_t revision = 0;
    memset(large, letter, sizeof large);
    assert_ok(conn,
              kvzmq_put(conn, NULL, kvzmq_text(key), kvzmq_text_of(large, sizeof large), NULL, &revision));
    return revision;
}

/* The queue of the watch is full. When its thread reads the value of an event at last, it is connected to
 * another broker. */
static void watch__value_of_another_broker_with_the_same_revision__is_not_taken(void **state)
{
    enum { FILLERS = 60 };
    broker_process_t *broker = *state;
    kvzmq_watch_options_t options = watch_options("robot", false);
    kvzmq_t *robot = connect_named(broker, "robot");
    for (int i = 0; i < FILLERS; i++)
        put_text(robot, "filler", "1");
    kvzmq_watch_t *seen = watch_new(broker, &options);
    (void)expect(seen, KVZMQ_EVENT_READY);
    options.large_values = true;
    options.queue = 1;
    kvzmq_watch_t *watch = watch_new(broker, &options);
    struct pollfd ready = {.fd = kvzmq_watch_fd(watch), .events = POLLIN};
    assert_int_equal(poll(&ready, 1, TIMEOUT_MS), 1);
    put_text(robot, "small", "1"); /* the queue holds READY and is full */
    uint64_t revision = put_large(robot, "k", 'a');
    while (strcmp(expect(seen, KVZMQ_EVENT_PUT).key.data, "k") != 0)
        continue;
    kvzmq_watch_destroy(&seen);
    kvzmq_destroy(&robot);
    broker_process_kill(broker);
    broker_process_restart(broker);
    broker_process_wait_log(broker, "authenticated as",
                            3); /* both watches, then one again after the restart */
    robot = connect_named(broker, "robot");
    uint64_t other;
    do
        other = put_large(robot, "k", 'b');
    while (other < revision);
    assert_int_equal(other, revision);
    (void)expect(watch, KVZMQ_EVENT_READY);
    for (kvzmq_event_t event = next(watch); event.kind != KVZMQ_EVENT_RESET; event = next(watch))
        assert_false(event.has_value && event.value.size > 0 && event.value.data[0] == 'b');
    kvzmq_watch_destroy(&watch);
    kvzmq_destroy(&robot);
}

static void watch__of_a_client_that_comes_and_goes__tells_its_presence(void **state)
{
    kvzmq_watch_options_t options = watch_options("robot", false);
    kvzmq_watch_t *watch = watch_new(*state, &options);
    (void)expect(watch, KVZMQ_EVENT_READY);
    kvzmq_t *robot = connect_named(*state, "robot");
    put_text(robot, "k", "1");
    (void)expect(watch, KVZMQ_EVENT_CONNECT);
    (void)expect(watch, KVZMQ_EVENT_PUT);
    assert_ok(robot, kvzmq_bye(robot));
    assert_slice(expect(watch, KVZMQ_EVENT_DISCONNECT).value, "bye");
    kvzmq_t *manager = connect_manager(*state);
    assert_ok(manager, kvzmq_forget(manager, "robot"));
    (void)expect(watch, KVZMQ_EVENT_DROP);
    kvzmq_watch_destroy(&watch);
    kvzmq_destroy(&robot);
    kvzmq_destroy(&manager);
}

static void watch__of_a_guest__ends_with_permission_denied(void **state)
{
    kvzmq_options_t connection = options_for(*state, NULL);
    kvzmq_watch_t *watch = kvzmq_watch_new(&connection, NULL);
    kvzmq_event_t event;
    assert_non_null(watch);
    assert_int_equal(kvzmq_watch_next(watch, -1, &event), KVZMQ_PERMISSION_DENIED);
    assert_non_null(strstr(kvzmq_watch_error(watch), "give it an account"));
    assert_int_equal(kvzmq_watch_next(watch, -1, &event), KVZMQ_PERMISSION_DENIED); /* the watch has ended */
    kvzmq_watch_destroy(&watch);
}

static void watch__nobody_listens__says_lost_and_waits(void **state)
{
    (void)state;
    kvzmq_options_t connection;
    kvzmq_options_init(&connection);
    connection.endpoint = "ipc:///nonexistent/kvbroker";
    kvzmq_watch_t *watch = kvzmq_watch_new(&connection, NULL);
    kvzmq_event_t event;
    assert_non_null(watch);
    (void)expect(watch, KVZMQ_EVENT_LOST);
    assert_int_equal(kvzmq_watch_next(watch, 200, &event), KVZMQ_TIMEOUT);
    kvzmq_watch_destroy(&watch);
}

static void watch__of_a_broker_with_little_patience__keeps_its_session(void **state)
{
    kvzmq_watch_t *watch = watch_new(*state, NULL);
    kvzmq_event_t event;
    kvzmq_watch_counts_t counts;
    (void)expect(watch, KVZMQ_EVENT_READY);
    assert_int_equal(kvzmq_watch_next(watch, 7000, &event), KVZMQ_TIMEOUT);
    kvzmq_watch_counts(watch, &counts);
    assert_int_equal(counts.tickets, 1);
    kvzmq_watch_destroy(&watch);
}

static bool is_interrupted(void *context)
{
    (void)context;
    return true;
}

/* If the signal came just before the call, the call must not wait for another one. */
static void watch__interrupted_before_it_waits__does_not_wait(void **state)
{
    kvzmq_options_t connection = manager_options(*state);
    kvzmq_event_t event;
    connection.interrupted = is_interrupted;
    kvzmq_watch_t *watch = kvzmq_watch_new(&connection, NULL);
    kvzmq_status_t status = KVZMQ_OK;
    while (status == KVZMQ_OK)
        status = kvzmq_watch_next(watch, -1, &event);
    assert_int_equal(status, KVZMQ_INTERRUPTED);
    kvzmq_watch_destroy(&watch);
}

static void watch__that_could_not_be_made__says_so_by_the_same_functions(void **state)
{
    (void)state;
    kvzmq_event_t event;
    assert_int_equal(kvzmq_watch_next(NULL, -1, &event), KVZMQ_NO_MEMORY);
    assert_true(strlen(kvzmq_watch_error(NULL)) > 0);
    assert_int_equal(kvzmq_mirror_wait(NULL, 0, -1), KVZMQ_NO_MEMORY);
    assert_true(strlen(kvzmq_mirror_error(NULL)) > 0);
}

static void watch__options_not_initialised__is_invalid(void **state)
{
    kvzmq_options_t connection = options_for(*state, NULL);
    kvzmq_watch_options_t options = {0};
    kvzmq_watch_t *watch = kvzmq_watch_new(&connection, &options);
    kvzmq_event_t event;
    assert_non_null(watch);
    assert_int_equal(kvzmq_watch_next(watch, 0, &event), KVZMQ_INVALID_ARGUMENT);
    kvzmq_watch_destroy(&watch);
}

static void watch__of_what_nobody_can_be__is_invalid(void **state)
{
    char long_text[LIMIT_KEY_MAX + 2] = {0};
    memset(long_text, 'x', sizeof long_text - 1);
    const kvzmq_watch_options_t cases[] = {
        {.size = sizeof cases[0], .client = ""},
        {.size = sizeof cases[0], .client = "robot/1"},
        {.size = sizeof cases[0], .client = long_text + sizeof long_text - 1 - (LIMIT_NAME + 1)},
        {.size = sizeof cases[0], .prefix = {long_text, LIMIT_KEY_MAX + 1, false}},
        {.size = sizeof cases[0], .prefix = {NULL, 1, false}},
        {.size = sizeof cases[0], .prefix = {"\xff", 1, false}},
    };
    kvzmq_options_t connection = manager_options(*state);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        kvzmq_event_t event;
        kvzmq_watch_t *watch = kvzmq_watch_new(&connection, &cases[i]);
        assert_non_null(watch);
        assert_int_equal(kvzmq_watch_next(watch, TIMEOUT_MS, &event), KVZMQ_INVALID_ARGUMENT);
        kvzmq_watch_destroy(&watch);
        kvzmq_mirror_t *mirror = kvzmq_mirror_new(&connection, cases[i].client, cases[i].prefix);
        assert_non_null(mirror);
        assert_int_equal(kvzmq_mirror_wait(mirror, 0, TIMEOUT_MS), KVZMQ_INVALID_ARGUMENT);
        kvzmq_mirror_destroy(&mirror);
    }
}

static void watch__descriptor__is_readable_while_there_is_something(void **state)
{
    kvzmq_watch_options_t options = watch_options(NULL, false);
    kvzmq_watch_t *watch = watch_new(*state, &options);
    struct pollfd ready = {.fd = kvzmq_watch_fd(watch), .events = POLLIN};
    kvzmq_event_t event;
    assert_int_equal(poll(&ready, 1, TIMEOUT_MS), 1);
    assert_int_equal(kvzmq_watch_next(watch, 0, &event), KVZMQ_OK);
    assert_int_equal(event.kind, KVZMQ_EVENT_READY);
    assert_int_equal(kvzmq_watch_next(watch, 0, &event), KVZMQ_TIMEOUT);
    assert_int_equal(poll(&ready, 1, 0), 0);
    kvzmq_watch_destroy(&watch);
}

static void watch__destroyed__is_seen_to_say_goodbye(void **state)
{
    kvzmq_watch_options_t options = watch_options(NULL, false);
    kvzmq_watch_t *watch = watch_new(*state, &options);
    kvzmq_watch_t *other = watch_new(*state, &options);
    (void)expect(watch, KVZMQ_EVENT_READY);
    (void)expect(other, KVZMQ_EVENT_READY);
    kvzmq_watch_destroy(&other);
    assert_slice(skip_to(watch, KVZMQ_EVENT_DISCONNECT).value, "bye");
    kvzmq_watch_destroy(&watch);
}

static void watch__signal_that_the_application_blocks__stays_pending(void **state)
{
    kvzmq_watch_options_t options = watch_options(NULL, false);
    kvzmq_watch_t *watch = watch_new(*state, &options);
    sigset_t signals;
    sigset_t before;
    sigset_t pending;
    const struct timespec at_once = {0};
    (void)expect(watch, KVZMQ_EVENT_READY);
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals,
                    SIGURG); /* ignored by default, so a thread that does not block it swallows it */
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &signals, &before), 0);
    assert_int_equal(kill(getpid(), SIGURG), 0);
    assert_int_equal(sigpending(&pending), 0);
    assert_true(sigismember(&pending, SIGURG));
    assert_int_equal(sigtimedwait(&signals, NULL, &at_once), SIGURG);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
    kvzmq_watch_destroy(&watch);
}

#define ON(setup, test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(setup_tcp, watch__of_one_store__tells_its_changes_as_they_were_made),
        ON(setup_tcp, watch__with_state__tells_entries_in_pages_then_ready_then_changes),
        ON(setup_tcp, watch__with_a_prefix__tells_only_what_begins_with_it),
        ON(setup_tcp, watch__with_a_prefix_that_has_a_zero_byte__begins_with_the_state_behind_it),
        ON(setup_tcp, watch__resumed_where_another_ended__goes_on_without_hole_or_duplicate),
        ON(setup_tcp, watch__resumed_in_another_epoch__resets),
        ON(setup_ipc, watch__broker_killed_and_restarted__says_lost_again_reset_and_the_new_state),
        ON(setup_tcp, watch__broker_stopped_for_longer_than_a_sync__says_lost_and_misses_nothing),
        ON(setup_tcp, watch__application_that_does_not_read__is_whole_when_it_does),
        ON(setup_short_log, watch__log_too_short_for_what_was_missed__resets_and_has_the_state),
        ON(setup_tcp, watch__value_too_large_for_an_event__is_left_out_or_read),
        ON(setup_ipc, watch__value_of_another_broker_with_the_same_revision__is_not_taken),
        ON(setup_tcp, watch__of_a_client_that_comes_and_goes__tells_its_presence),
        ON(setup_tcp, watch__of_a_guest__ends_with_permission_denied),
        cmocka_unit_test(watch__nobody_listens__says_lost_and_waits),
        ON(setup_kept, watch__of_a_broker_with_little_patience__keeps_its_session),
        ON(setup_tcp, watch__interrupted_before_it_waits__does_not_wait),
        cmocka_unit_test(watch__that_could_not_be_made__says_so_by_the_same_functions),
        ON(setup_tcp, watch__options_not_initialised__is_invalid),
        ON(setup_tcp, watch__of_what_nobody_can_be__is_invalid),
        ON(setup_tcp, watch__descriptor__is_readable_while_there_is_something),
        ON(setup_tcp, watch__destroyed__is_seen_to_say_goodbye),
        ON(setup_tcp, watch__signal_that_the_application_blocks__stays_pending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
