/* SPDX-License-Identifier: MPL-2.0 */
/* libkvzmq's batches: many requests in a message, and many messages in flight. */
#include "tests/support/client_fixture.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include "common/clock.h"

enum { BATCH = 64, IN_FLIGHT = 16, KEYS = 100000 };

/* A run of KEYS requests. The tag of each request is its number. */
typedef struct run {
    kvzmq_t *conn;
    bool puts;         /* puts; otherwise gets */
    size_t sent;       /* requests */
    size_t answered;   /* requests */
    size_t wrong;      /* answers that were not as expected */
    uint64_t revision; /* of the latest put */
} run_t;

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Fills a batch with the next requests of the run. */
static kvzmq_batch_t *next_batch(run_t *run)
{
    kvzmq_batch_t *batch = kvzmq_batch_new(run->conn);
    char key[32];
    char value[40];
    size_t end = smaller(run->sent + BATCH, KEYS);
    for (; batch != NULL && run->sent < end; run->sent++) {
        (void)snprintf(key, sizeof key, "key%013zu", run->sent);
        (void)snprintf(value, sizeof value, "value%027zu", run->sent);
        void *tag = (void *)(uintptr_t)run->sent;
        kvzmq_status_t status =
            run->puts ? kvzmq_batch_put(batch, NULL, kvzmq_text(key), kvzmq_text(value), NULL, tag)
                      : kvzmq_batch_get(batch, NULL, kvzmq_text(key), tag);
        if (status != KVZMQ_OK)
            run->wrong++;
    }
    return batch;
}

static void check_answer(run_t *run, const kvzmq_answer_t *answer)
{
    char value[40];
    size_t number = (size_t)(uintptr_t)answer->tag;
    (void)snprintf(value, sizeof value, "value%027zu", number);
    bool right = answer->status == KVZMQ_OK && number == run->answered;
    if (run->puts)
        right = right && answer->revision > run->revision;
    else
        right = right && answer->value.size == strlen(value) &&
                memcmp(answer->value.data, value, strlen(value)) == 0;
    run->revision = answer->revision;
    run->answered++;
    if (!right)
        run->wrong++;
}

/* Does a complete run with as many batches in flight as the options allow. */
static void run_all(run_t *run)
{
    kvzmq_batch_t *batch = NULL;
    kvzmq_answer_t answer;
    while (run->answered < KEYS && run->wrong == 0) {
        if (batch == NULL && run->sent < KEYS)
            batch = next_batch(run);
        kvzmq_status_t status = batch != NULL ? kvzmq_batch_send(&batch) : KVZMQ_BUSY;
        if (status == KVZMQ_BUSY && kvzmq_poll(run->conn, -1, &answer) == KVZMQ_OK)
            check_answer(run, &answer);
        else if (status != KVZMQ_OK)
            run->wrong++;
    }
    kvzmq_batch_destroy(&batch);
}

static kvzmq_t *connect_batches(const broker_process_t *broker)
{
    kvzmq_options_t options = options_for(broker, NULL);
    options.batches = IN_FLIGHT;
    return connect_to(broker, &options);
}

static void batches_of_64__16_in_flight__put_and_get_100000_keys(void **state)
{
    kvzmq_t *conn = connect_batches(*state);
    kvzmq_digest_t digest;
    run_t puts = {.conn = conn, .puts = true};
    run_t gets = {.conn = conn};
    int64_t start = clock_monotonic_ms();
    run_all(&puts);
    int64_t put = clock_monotonic_ms();
    run_all(&gets);
    int64_t got = clock_monotonic_ms();
    print_message("%d keys: put in %lld ms, got in %lld ms\n", KEYS, (long long)(put - start),
                  (long long)(got - put));
    assert_int_equal(puts.wrong, 0);
    assert_int_equal(gets.wrong, 0);
    assert_int_equal(kvzmq_in_flight(conn), 0);
    assert_ok(conn, kvzmq_digest(conn, NULL, &digest));
    assert_int_equal(digest.keys, KEYS);
    kvzmq_destroy(&conn);
}

static void *run_thread(void *context)
{
    run_all(context);
    return NULL;
}

static void connections_in_threads_of_their_own__do_not_mix(void **state)
{
    enum { THREADS = 4 };
    run_t runs[THREADS];
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        runs[i] = (run_t){.conn = connect_batches(*state), .puts = true};
        assert_int_equal(pthread_create(&threads[i], NULL, run_thread, &runs[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(runs[i].wrong, 0);
        assert_int_equal(runs[i].answered, KEYS);
        kvzmq_destroy(&runs[i].conn);
    }
}

static void batch__of_everything__answers_each_as_its_call_would(void **state)
{
    kvzmq_t *conn = connect_to(*state, NULL);
    kvzmq_batch_t *batch = kvzmq_batch_new(conn);
    kvzmq_slice_t key = kvzmq_text("k");
    kvzmq_put_options_t only_new = {.size = sizeof only_new, .conditional = true};
    kvzmq_answer_t answer;
    static char tags[8];
    assert_ok(conn, kvzmq_batch_get(batch, NULL, key, &tags[0]));
    assert_ok(conn, kvzmq_batch_put(batch, NULL, key, kvzmq_binary("\0\xff", 2), &only_new, &tags[1]));
    assert_ok(conn, kvzmq_batch_put(batch, NULL, key, kvzmq_text("again"), &only_new, &tags[2]));
    assert_ok(conn, kvzmq_batch_entry(batch, NULL, key, &tags[3]));
    assert_ok(conn, kvzmq_batch_list(batch, NULL, NULL, &tags[4]));
    assert_ok(conn, kvzmq_batch_get(batch, "lamp", key, &tags[5]));
    assert_ok(conn, kvzmq_batch_call(batch, "ping", kvzmq_text(""), KVZMQ_READ, &tags[6]));
    assert_ok(conn, kvzmq_batch_del(batch, NULL, key, NULL, &tags[7]));
    assert_int_equal(kvzmq_batch_count(batch), 8);
    assert_ok(conn, kvzmq_batch_send(&batch));
    assert_null(batch);

    kvzmq_status_t expected[] = {KVZMQ_ABSENT, KVZMQ_OK, KVZMQ_FAILED_PRECONDITION,
                                 KVZMQ_OK,     KVZMQ_OK, KVZMQ_PERMISSION_DENIED,
                                 KVZMQ_OK,     KVZMQ_OK};
    uint64_t revision = 0;
    for (size_t i = 0; i < 8; i++) {
        assert_ok(conn, kvzmq_poll(conn, -1, &answer));
        assert_ptr_equal(answer.tag, &tags[i]);
        assert_int_equal(answer.status, expected[i]);
        bool failed = answer.status != KVZMQ_OK && answer.status != KVZMQ_ABSENT;
        assert_int_equal(strlen(kvzmq_error(conn)) > 0, failed);
        if (i == 1)
            revision = answer.revision;
        if (i == 2) {
            assert_true(answer.has_detail);
            assert_int_equal(answer.detail, revision);
        }
        if (i == 3) {
            assert_int_equal(answer.revision, revision);
            assert_int_equal(answer.ttl_ms, -1);
            assert_true(answer.value.binary);
            assert_int_equal(answer.value.size, 2);
            assert_memory_equal(answer.value.data, "\0\xff\0", 3); /* a zero follows */
        }
        if (i == 4) {
            kvzmq_page_t *page = NULL;
            kvzmq_row_t row;
            assert_ok(conn, kvzmq_answer_page(&answer, NULL, &page));
            assert_true(kvzmq_page_next(page, &row));
            assert_int_equal(row.revision, revision);
            kvzmq_page_destroy(&page);
        }
        if (i == 6)
            assert_memory_equal(answer.result.data, "\xa4pong", 5);
    }
    assert_status(conn, KVZMQ_ABSENT, kvzmq_poll(conn, -1, &answer));
    kvzmq_destroy(&conn);
}

/* Sends a batch of one get. */
static kvzmq_status_t send_get(kvzmq_t *conn)
{
    kvzmq_batch_t *batch = kvzmq_batch_new(conn);
    assert_ok(conn, kvzmq_batch_get(batch, NULL, kvzmq_text("k"), NULL));
    kvzmq_status_t status = kvzmq_batch_send(&batch);
    kvzmq_batch_destroy(&batch);
    return status;
}

static void batch__beyond_the_bound_in_flight__is_busy(void **state)
{
    kvzmq_options_t options = options_for(*state, NULL);
    options.batches = 2;
    kvzmq_t *conn = connect_to(*state, &options);
    kvzmq_answer_t answer;
    assert_ok(conn, send_get(conn));
    assert_ok(conn, send_get(conn));
    assert_status(conn, KVZMQ_BUSY, send_get(conn));
    assert_int_equal(kvzmq_in_flight(conn), 2);
    assert_ok(conn, kvzmq_poll(conn, -1, &answer));
    assert_int_equal(answer.status, KVZMQ_ABSENT);
    assert_ok(conn, send_get(conn));
    kvzmq_destroy(&conn);
}

static void batch__at_the_brokers_limit__takes_no_more(void **state)
{
    kvzmq_t *conn = connect_to(*state, NULL);
    kvzmq_batch_t *batch = kvzmq_batch_new(conn);
    kvzmq_answer_t answer;
    size_t count = 0;
    while (kvzmq_batch_get(batch, NULL, kvzmq_text("k"), NULL) == KVZMQ_OK)
        count++;
    assert_int_equal(count, kvzmq_session(conn)->limit_batch);
    assert_status(conn, KVZMQ_RESOURCE_EXHAUSTED, kvzmq_batch_get(batch, NULL, kvzmq_text("k"), NULL));
    assert_ok(conn, kvzmq_batch_send(&batch));
    for (size_t i = 0; i < count; i++) {
        assert_ok(conn, kvzmq_poll(conn, -1, &answer));
        assert_int_equal(answer.status, KVZMQ_ABSENT);
    }
    kvzmq_destroy(&conn);
}

static void batch__of_more_bytes_than_a_message__takes_no_more(void **state)
{
    kvzmq_t *conn = connect_to(*state, NULL);
    kvzmq_batch_t *batch = kvzmq_batch_new(conn);
    kvzmq_answer_t answer;
    size_t size = 1048576;
    char *large = calloc(1, size);
    assert_non_null(large);
    size_t count = 0;
    kvzmq_slice_t value = kvzmq_binary(large, size);
    while (kvzmq_batch_put(batch, NULL, kvzmq_text("k"), value, NULL, NULL) == KVZMQ_OK)
        count++;
    free(large);
    assert_int_equal(count, 7);
    assert_ok(conn, kvzmq_batch_get(batch, NULL, kvzmq_text("k"), NULL)); /* a small one still fits */
    assert_ok(conn, kvzmq_batch_send(&batch));
    for (size_t i = 0; i <= count; i++) {
        assert_ok(conn, kvzmq_poll(conn, -1, &answer));
        assert_int_equal(answer.status, KVZMQ_OK);
    }
    assert_int_equal(answer.value.size, size);
    kvzmq_destroy(&conn);
}

static void batch__empty_or_of_no_request__is_invalid(void **state)
{
    kvzmq_t *conn = connect_to(*state, NULL);
    kvzmq_batch_t *batch = kvzmq_batch_new(conn);
    kvzmq_slice_t hollow = {NULL, 3, false};
    assert_status(conn, KVZMQ_INVALID_ARGUMENT, kvzmq_batch_send(&batch));
    assert_non_null(batch);
    assert_status(conn, KVZMQ_INVALID_ARGUMENT, kvzmq_batch_get(batch, NULL, hollow, NULL));
    assert_int_equal(kvzmq_batch_count(batch), 0);
    kvzmq_batch_destroy(&batch);
    kvzmq_destroy(&conn);
}

static void call__while_batches_are_in_flight__leaves_their_answers_to_poll(void **state)
{
    kvzmq_t *conn = connect_to(*state, NULL);
    kvzmq_batch_t *batch = kvzmq_batch_new(conn);
    kvzmq_answer_t answer;
    assert_ok(conn, kvzmq_batch_put(batch, NULL, kvzmq_text("k"), kvzmq_text("from a batch"), NULL, NULL));
    assert_ok(conn, kvzmq_batch_get(batch, NULL, kvzmq_text("k"), NULL));
    assert_ok(conn, kvzmq_batch_send(&batch));
    assert_value(conn, NULL, "k", "from a batch"); /* requests are executed in order */
    assert_ok(conn, kvzmq_put(conn, NULL, kvzmq_text("k"), kvzmq_text("from a call"), NULL, NULL));
    assert_int_equal(kvzmq_in_flight(conn), 2);
    assert_ok(conn, kvzmq_poll(conn, 0, &answer));
    assert_ok(conn, kvzmq_poll(conn, 0, &answer));
    assert_int_equal(answer.value.size, strlen("from a batch"));
    kvzmq_destroy(&conn);
}

static void poll__with_a_descriptor__tells_of_answers(void **state)
{
    kvzmq_t *conn = connect_to(*state, NULL);
    kvzmq_answer_t answer;
    kvzmq_status_t status = send_get(conn);
    assert_ok(conn, status);
    for (status = kvzmq_poll(conn, 0, &answer); status == KVZMQ_TIMEOUT;
         status = kvzmq_poll(conn, 0, &answer)) {
        struct pollfd ready = {.fd = kvzmq_fd(conn), .events = POLLIN};
        assert_int_equal(poll(&ready, 1, TIMEOUT_MS), 1);
    }
    assert_ok(conn, status);
    assert_int_equal(answer.status, KVZMQ_ABSENT);
    kvzmq_destroy(&conn);
}

static void poll__broker_stopped__waits_no_longer_than_told_and_then_gives_up(void **state)
{
    broker_process_t *broker = *state;
    kvzmq_options_t options = options_for(broker, NULL);
    options.call_ms = 1000;
    kvzmq_t *conn = connect_to(broker, &options);
    kvzmq_batch_t *batch = kvzmq_batch_new(conn);
    kvzmq_answer_t answer;
    broker_process_signal(broker, SIGSTOP);
    assert_ok(conn, kvzmq_batch_get(batch, NULL, kvzmq_text("k"), NULL));
    assert_ok(conn, kvzmq_batch_del(batch, NULL, kvzmq_text("k"), NULL, NULL));
    int64_t start = clock_monotonic_ms();
    assert_ok(conn, kvzmq_batch_send(&batch));
    assert_status(conn, KVZMQ_TIMEOUT, kvzmq_poll(conn, 10, &answer));
    assert_ok(conn, kvzmq_poll(conn, -1, &answer));
    assert_true(clock_monotonic_ms() - start >= 990);
    assert_int_equal(answer.status, KVZMQ_TIMEOUT);
    assert_ok(conn, kvzmq_poll(conn, -1, &answer));
    assert_int_equal(answer.status, KVZMQ_OUTCOME_UNKNOWN);
    assert_status(conn, KVZMQ_ABSENT, kvzmq_poll(conn, -1, &answer));
    broker_process_signal(broker, SIGCONT);
    kvzmq_destroy(&conn);
}

static void batch__after_the_broker_was_restarted__goes_to_the_new_one(void **state)
{
    broker_process_t *broker = *state;
    kvzmq_t *conn = connect_to(broker, NULL);
    kvzmq_answer_t answer;
    broker_process_kill(broker);
    broker_process_restart(broker);
    do { /* a batch may still go to the old connection: it fails and is not repeated */
        assert_ok(conn, send_get(conn));
        assert_ok(conn, kvzmq_poll(conn, -1, &answer));
    } while (answer.status == KVZMQ_UNREACHABLE && kvzmq_reconnects(conn) == 0);
    assert_int_equal(answer.status, KVZMQ_ABSENT);
    assert_int_equal(kvzmq_reconnects(conn), 1);
    kvzmq_destroy(&conn);
}

static void destroy__with_batches_in_flight__leaks_nothing(void **state)
{
    kvzmq_t *conn = connect_to(*state, NULL);
    kvzmq_answer_t answer;
    for (int i = 0; i < 4; i++)
        assert_ok(conn, send_get(conn));
    assert_ok(conn, kvzmq_poll(conn, -1, &answer)); /* a sanitizer checks that the others are freed */
    kvzmq_destroy(&conn);
    assert_null(conn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(batches_of_64__16_in_flight__put_and_get_100000_keys, setup_tcp,
                                        teardown),
        cmocka_unit_test_setup_teardown(connections_in_threads_of_their_own__do_not_mix, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(batch__of_everything__answers_each_as_its_call_would, setup_tcp,
                                        teardown),
        cmocka_unit_test_setup_teardown(batch__beyond_the_bound_in_flight__is_busy, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(batch__at_the_brokers_limit__takes_no_more, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(batch__of_more_bytes_than_a_message__takes_no_more, setup_tcp,
                                        teardown),
        cmocka_unit_test_setup_teardown(batch__empty_or_of_no_request__is_invalid, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(call__while_batches_are_in_flight__leaves_their_answers_to_poll,
                                        setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(poll__with_a_descriptor__tells_of_answers, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(poll__broker_stopped__waits_no_longer_than_told_and_then_gives_up,
                                        setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(batch__after_the_broker_was_restarted__goes_to_the_new_one, setup_ipc,
                                        teardown),
        cmocka_unit_test_setup_teardown(destroy__with_batches_in_flight__leaks_nothing, setup_tcp, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
