/* SPDX-License-Identifier: MPL-2.0 */
/* Watches and mirrors under load and trouble, with a real broker: small queues, a log that is too short, a
 * broker that is stopped for short times. Every stream must have all events in order and once, or a RESET. At
 * the end every mirror must have the broker's digest. KV_SEED repeats the data of a run, but not the timing
 * of threads. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "common/clock.h"
#include "tests/support/chance.h"
#include "tests/support/client_fixture.h"

enum {
    WRITERS = 3,
    BATCHES = 150,   /* of each writer */
    A_BATCH = 50,    /* requests of a batch */
    KEYS = 200,      /* of each store */
    STOPS = 10,      /* how often the broker is stopped */
    STOPPED_MS = 30, /* length of each stop, and of the time before it */
    LOOK_EVERY_MS = 100
};

typedef struct writer {
    const broker_process_t *broker;
    char name[24];
    chance_t random;
    kvzmq_status_t
        status; /* the first that is not KVZMQ_OK ends the thread: cmocka works in the main one only */
    pthread_t thread;
} writer_t;

/* A thread that watches, and what it has seen. */
typedef struct reader {
    const broker_process_t *broker;
    const char *client; /* NULL = all */
    bool initial;
    atomic_uint_fast64_t until; /* stops when it has seen everything up to this seq */
    uint64_t events;
    uint64_t resets;
    const char *problem; /* NULL = none */
    pthread_t thread;
} reader_t;

static void *write_all(void *argument)
{
    writer_t *writer = argument;
    kvzmq_t *conn = connect_named(writer->broker, writer->name);
    kvzmq_answer_t answer;
    char key[32];
    char value[24];
    for (int i = 0; i < BATCHES && writer->status == KVZMQ_OK; i++) {
        kvzmq_batch_t *batch = kvzmq_batch_new(conn);
        for (int j = 0; j < A_BATCH && writer->status == KVZMQ_OK; j++) {
            uint64_t number = chance_next(&writer->random);
            (void)snprintf(key, sizeof key, "k%03d", (int)(number % KEYS));
            (void)snprintf(value, sizeof value, "%llu", (unsigned long long)number);
            if (number / KEYS % 4 == 0)
                writer->status = kvzmq_batch_del(batch, NULL, kvzmq_text(key), NULL, NULL);
            else
                writer->status = kvzmq_batch_put(batch, NULL, kvzmq_text(key), kvzmq_text(value), NULL, NULL);
        }
        kvzmq_status_t sent = kvzmq_batch_send(&batch);
        if (writer->status == KVZMQ_OK)
            writer->status = sent;
        while (kvzmq_poll(conn, -1, &answer) == KVZMQ_OK) {
        }
    }
    kvzmq_destroy(&conn);
    return NULL;
}

/* Checks EVENT. *READY, *SEQ (of all clients) and *PREV (of the one client) are the state after the events
 * before, and are updated. Returns NULL, or the problem. */
static const char *check(const reader_t *reader, const kvzmq_event_t *event, bool *ready, uint64_t *seq,
                         uint64_t *prev)
{
    if (event->kind == KVZMQ_EVENT_RESET) {
        *ready = false;
        return NULL;
    }
    if (event->kind == KVZMQ_EVENT_READY) {
        *prev = UINT64_MAX; /* unknown */
        *seq = event->seq;
        *ready = true;
        return NULL;
    }
    if (event->kind == KVZMQ_EVENT_POSITION)
        *seq = event->seq;
    if (!*ready || event->kind >= KVZMQ_EVENT_OTHER)
        return NULL;
    if (event->seq <= *seq)
        return "an event was told twice, or out of order";
    if (reader->client == NULL && event->seq != *seq + 1)
        return "an event was never told";
    if (reader->client != NULL && *prev != UINT64_MAX && event->prev != *prev)
        return "an event of the client was never told";
    *seq = event->seq;
    *prev = event->kind == KVZMQ_EVENT_DROP ? 0 : event->seq;
    return NULL;
}

static void *read_all(void *argument)
{
    reader_t *reader = argument;
    kvzmq_options_t connection = manager_options(reader->broker);
    kvzmq_watch_options_t options;
    kvzmq_watch_options_init(&options);
    options.client = reader->client;
    options.initial = reader->initial;
    options.queue = 10;
    options.receive_hwm = 10;
    kvzmq_watch_t *watch = kvzmq_watch_new(&connection, &options);
    kvzmq_event_t event;
    bool ready = false;
    uint64_t seq = 0;
    uint64_t prev = UINT64_MAX;
    if (watch == NULL)
        reader->problem = "no watch";
    int64_t deadline = clock_monotonic_ms() + TIMEOUT_MS;
    while (reader->problem == NULL && (!ready || seq < atomic_load(&reader->until))) {
        kvzmq_status_t status = kvzmq_watch_next(watch, LOOK_EVERY_MS, &event);
        if (status == KVZMQ_TIMEOUT && clock_monotonic_ms() < deadline)
            continue; /* `until` may have been set meanwhile */
        if (status != KVZMQ_OK) {
            reader->problem = "nothing came";
            break;
        }
        deadline = clock_monotonic_ms() + TIMEOUT_MS;
        reader->problem = check(reader, &event, &ready, &seq, &prev);
        reader->resets += event.kind == KVZMQ_EVENT_RESET;
        reader->events++;
    }
    kvzmq_watch_destroy(&watch);
    return NULL;
}

/* Stops the broker STOPS times, for a short time each. */
static void stop_and_go(const broker_process_t *broker)
{
    for (int i = 0; i < STOPS; i++) {
        (void)poll(NULL, 0, STOPPED_MS);
        broker_process_signal(broker, SIGSTOP);
        (void)poll(NULL, 0, STOPPED_MS);
        broker_process_signal(broker, SIGCONT);
    }
}

static void assert_mirror(kvzmq_mirror_t *mirror, kvzmq_t *manager, const char *store)
{
    bool equal = false;
    kvzmq_status_t status;
    do /* again if a reset came meanwhile */
        status = kvzmq_mirror_verify(mirror, manager, store, TIMEOUT_MS, &equal, NULL);
    while (status == KVZMQ_UNAVAILABLE);
    assert_int_equal(status, KVZMQ_OK);
    assert_true(equal);
}

static void streams_and_mirrors__starved_and_stopped__are_whole_or_say_reset(void **state)
{
    const broker_process_t *broker = *state;
    kvzmq_options_t connection = manager_options(broker);
    chance_t random = chance_from(chance_seed());
    writer_t writers[WRITERS];
    reader_t readers[] = {{.client = NULL},
                          {.client = NULL, .initial = true},
                          {.client = "writer-1"},
                          {.client = "writer-2", .initial = true}};
    size_t count = sizeof readers / sizeof *readers;
    kvzmq_t *manager = connect_manager(broker);
    kvzmq_mirror_t *all = kvzmq_mirror_new(&connection, NULL, kvzmq_text(""));
    kvzmq_mirror_t *one = kvzmq_mirror_new(&connection, "writer-0", kvzmq_text(""));
    assert_non_null(all);
    assert_non_null(one);
    for (size_t i = 0; i < count; i++) {
        readers[i].broker = broker;
        atomic_init(&readers[i].until, UINT64_MAX);
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_all, &readers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (writer_t){.broker = broker, .random = chance_from(chance_next(&random))};
        (void)snprintf(writers[i].name, sizeof writers[i].name, "writer-%d", i);
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_all, &writers[i]), 0);
    }
    stop_and_go(broker);
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
        assert_int_equal(writers[i].status, KVZMQ_OK);
    }
    kvzmq_digest_t now;
    assert_ok(manager, kvzmq_digest(manager, NULL, &now));
    for (size_t i = 0; i < count; i++)
        atomic_store(&readers[i].until, now.seq);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
    for (size_t i = 0; i < count; i++) {
        if (readers[i].problem != NULL)
            print_error("reader %zu: %s, after %llu events, %llu resets\n", i, readers[i].problem,
                        (unsigned long long)readers[i].events, (unsigned long long)readers[i].resets);
        assert_null(readers[i].problem);
    }
    for (int i = 0; i < WRITERS; i++)
        assert_mirror(all, manager, writers[i].name);
    assert_mirror(one, manager, NULL);
    kvzmq_mirror_destroy(&all);
    kvzmq_mirror_destroy(&one);
    kvzmq_destroy(&manager);
}

/* The log keeps everything. */
static int setup_long(void **state)
{
    static const char *const options[] = {"events/keep=100000", NULL};
    return setup_with(state, false, options);
}

/* The log keeps so little that `replay` fails with OUT_OF_RANGE. */
static int setup_short(void **state)
{
    static const char *const options[] = {"events/keep=500", NULL};
    return setup_with(state, false, options);
}

#define ON(setup, test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(setup_long, streams_and_mirrors__starved_and_stopped__are_whole_or_say_reset),
        ON(setup_short, streams_and_mirrors__starved_and_stopped__are_whole_or_say_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
