/* SPDX-License-Identifier: MPL-2.0 */
/* The last messages that a broker sends before it closes the connection arrive, even if nobody reads before
 * that. Also: what kvzmq_poll and kvzmq_fd report of pushes and of a broken connection while nothing is in
 * flight. */
#include "tests/support/client_fixture.h"

#include <poll.h>
#include <signal.h>

#include "common/clock.h"
#include "tests/support/own_process.h"

enum { LOOK_MS = 5, REQUESTS = 40, KEYS = 80000 };

/* A connection that does not read, and the number of descriptors of this process while it is open. */
typedef struct reader {
    kvzmq_t *conn;
    notices_t notices;
    unsigned descriptors;
} reader_t;

static void reader_open(reader_t *reader, const broker_process_t *broker)
{
    kvzmq_options_t options = options_for(broker, &reader->notices);
    options.name = "reader";
    kvzmq_answer_t answer;
    reader->conn = connect_to(broker, &options);
    /* After this call libzmq knows of no unread message, so it must look for those that come. */
    assert_status(reader->conn, KVZMQ_ABSENT, kvzmq_poll(reader->conn, 0, &answer));
    reader->descriptors = own_descriptors();
}

/* Ends the broker, and waits until libzmq has closed this side of the connection too, without a call of the
 * library. */
static void end_unread(const reader_t *reader, broker_process_t *broker)
{
    int64_t until_ms = clock_monotonic_ms() + TIMEOUT_MS;
    broker_process_end(broker);
    while (own_descriptors() >= reader->descriptors) {
        assert_true(clock_monotonic_ms() < until_ms);
        (void)poll(NULL, 0, LOOK_MS);
    }
}

/* Waits for kvzmq_fd to become readable, like an event loop. */
static void wait_readable(const reader_t *reader)
{
    struct pollfd ready = {.fd = kvzmq_fd(reader->conn), .events = POLLIN};
    assert_true(ready.fd >= 0);
    assert_int_equal(poll(&ready, 1, TIMEOUT_MS), 1);
}

static void bye__broker_stops_while_nobody_reads__is_told(void **state)
{
    broker_process_t *broker = *state;
    reader_t reader;
    kvzmq_answer_t answer;
    reader_open(&reader, broker);
    end_unread(&reader, broker);
    assert_status(reader.conn, KVZMQ_ABSENT, kvzmq_poll(reader.conn, 0, &answer));
    assert_int_equal(reader.notices.count[KVZMQ_NOTICE_BYE], 1);
    assert_string_equal(reader.notices.text[KVZMQ_NOTICE_BYE], "shutdown");
    assert_int_equal(kvzmq_fd(reader.conn), -1);
    kvzmq_destroy(&reader.conn);
}

/* The bye comes after the answers. A program that reads late must still get the answers. */
static void answers__connection_closed_before_anybody_reads__are_all_there(void **state)
{
    broker_process_t *broker = *state;
    reader_t reader;
    kvzmq_answer_t answer;
    reader_open(&reader, broker);
    kvzmq_t *other = connect_named(broker, "reader");
    kvzmq_batch_t *batch = kvzmq_batch_new(reader.conn);
    reader.descriptors = own_descriptors() - 1; /* that of the other connection is closed too */
    for (unsigned i = 0; i < REQUESTS; i++)
        assert_ok(reader.conn, kvzmq_batch_put(batch, NULL, kvzmq_text("k"), kvzmq_text("v"), NULL, &reader));
    assert_ok(reader.conn, kvzmq_batch_send(&batch));
    kvzmq_value_t value = {0};
    while (kvzmq_get(other, NULL, kvzmq_text("k"), &value) == KVZMQ_ABSENT) {
    } /* the batch was executed, and so its answers were sent */
    kvzmq_value_release(&value);
    end_unread(&reader, broker);
    for (unsigned i = 0; i < REQUESTS; i++) {
        assert_ok(reader.conn, kvzmq_poll(reader.conn, 0, &answer));
        assert_int_equal(answer.status, KVZMQ_OK);
        assert_ptr_equal(answer.tag, &reader);
    }
    assert_status(reader.conn, KVZMQ_ABSENT, kvzmq_poll(reader.conn, 0, &answer));
    assert_int_equal(reader.notices.count[KVZMQ_NOTICE_BYE], 1);
    kvzmq_destroy(&other);
    kvzmq_destroy(&reader.conn);
}

/* Puts KEYS keys. */
static void fill(kvzmq_t *conn)
{
    kvzmq_answer_t answer;
    char key[16];
    for (unsigned i = 0; i < KEYS;) {
        kvzmq_batch_t *batch = kvzmq_batch_new(conn);
        for (unsigned end = i + KEYS / 20; i < end; i++) {
            (void)snprintf(key, sizeof key, "k%u", i);
            assert_ok(conn, kvzmq_batch_put(batch, NULL, kvzmq_text(key), kvzmq_text("v"), NULL, NULL));
        }
        assert_ok(conn, kvzmq_batch_send(&batch));
        while (kvzmq_poll(conn, -1, &answer) == KVZMQ_OK)
            assert_ok(conn, answer.status);
    }
}

/* The first digest of a large store takes several turns of the broker: SIGTERM comes meanwhile. */
static void batch__broker_is_told_to_stop_in_the_middle_of_it__is_answered_to_its_end(void **state)
{
    enum { REQUESTS_SENT = 3 };
    broker_process_t *broker = *state;
    reader_t reader;
    kvzmq_answer_t answer;
    kvzmq_value_t value = {0};
    reader_open(&reader, broker);
    kvzmq_t *other = connect_named(broker, "reader");
    fill(other);
    reader.descriptors = own_descriptors() - 1; /* that of the other connection is closed too */
    kvzmq_batch_t *batch = kvzmq_batch_new(reader.conn);
    assert_ok(reader.conn, kvzmq_batch_put(batch, NULL, kvzmq_text("last"), kvzmq_text("v"), NULL, NULL));
    assert_ok(reader.conn, kvzmq_batch_call(batch, "digest", kvzmq_text(""), KVZMQ_READ, NULL));
    assert_ok(reader.conn, kvzmq_batch_get(batch, NULL, kvzmq_text("last"), NULL));
    assert_ok(reader.conn, kvzmq_batch_send(&batch));
    while (kvzmq_get(other, NULL, kvzmq_text("last"), &value) == KVZMQ_ABSENT) {
    } /* the first request was executed, and the second is under way */
    kvzmq_value_release(&value);
    end_unread(&reader, broker);
    for (unsigned i = 0; i < REQUESTS_SENT; i++) {
        assert_ok(reader.conn, kvzmq_poll(reader.conn, 0, &answer));
        assert_ok(reader.conn, answer.status);
    }
    assert_memory_equal(answer.value.data, "v", 2);
    assert_status(reader.conn, KVZMQ_ABSENT, kvzmq_poll(reader.conn, 0, &answer));
    assert_string_equal(reader.notices.text[KVZMQ_NOTICE_BYE], "shutdown");
    kvzmq_destroy(&other);
    kvzmq_destroy(&reader.conn);
}

/* A manager that forgets its own client gets an answer and a bye. Then the broker ends. */
static void forget__of_oneself_and_the_broker_ends_while_nobody_reads__is_answered(void **state)
{
    static const char reader_name[] = "\x91\xa6reader"; /* the params of forget, in MessagePack */
    broker_process_t *broker = *state;
    reader_t reader;
    kvzmq_answer_t answer;
    reader_open(&reader, broker);
    assert_ok(reader.conn, kvzmq_auth(reader.conn, BROKER_USER, BROKER_PASSWORD));
    kvzmq_batch_t *batch = kvzmq_batch_new(reader.conn);
    assert_ok(reader.conn,
              kvzmq_batch_call(batch, "forget", kvzmq_binary(reader_name, sizeof reader_name - 1), 0, NULL));
    assert_ok(reader.conn, kvzmq_batch_send(&batch));
    broker_process_wait_log(broker, "reader disconnected (forgotten)", 1);
    end_unread(&reader, broker);
    assert_ok(reader.conn, kvzmq_poll(reader.conn, 0, &answer));
    assert_ok(reader.conn, answer.status);
    assert_status(reader.conn, KVZMQ_ABSENT, kvzmq_poll(reader.conn, 0, &answer));
    assert_string_equal(reader.notices.text[KVZMQ_NOTICE_BYE], "forgotten");
    kvzmq_destroy(&reader.conn);
}

/* libzmq's own descriptor would not become readable when the connection breaks. */
static void poll__broker_is_killed_with_nothing_in_flight__descriptor_wakes_and_is_gone(void **state)
{
    broker_process_t *broker = *state;
    reader_t reader;
    kvzmq_answer_t answer;
    reader_open(&reader, broker);
    assert_status(reader.conn, KVZMQ_ABSENT, kvzmq_poll(reader.conn, 0, &answer));
    broker_process_signal(broker, SIGKILL);
    while (kvzmq_fd(reader.conn) != -1) {
        wait_readable(&reader);
        assert_status(reader.conn, KVZMQ_ABSENT, kvzmq_poll(reader.conn, 0, &answer));
    }
    assert_int_equal(reader.notices.count[KVZMQ_NOTICE_BYE], 0);
    broker_process_kill(broker);
    broker_process_restart(broker);
    assert_ok(reader.conn, kvzmq_ping(reader.conn));
    assert_int_equal(reader.notices.count[KVZMQ_NOTICE_RECONNECTED], 1);
    kvzmq_destroy(&reader.conn);
}

static void poll__with_nothing_in_flight__takes_what_is_pushed(void **state)
{
    broker_process_t *broker = *state;
    unsigned changes = 0;
    reader_t reader;
    kvzmq_answer_t answer;
    reader_open(&reader, broker);
    kvzmq_t *manager = connect_manager(broker);
    assert_ok(reader.conn, kvzmq_on_change(reader.conn, count_puts, &changes, NULL));
    for (unsigned puts = 1; puts <= REQUESTS; puts++) {
        assert_status(reader.conn, KVZMQ_ABSENT, kvzmq_poll(reader.conn, 0, &answer));
        assert_ok(manager, kvzmq_put(manager, "reader", kvzmq_text("k"), kvzmq_text("v"), NULL, NULL));
        while (changes < puts) {
            wait_readable(&reader);
            assert_status(reader.conn, KVZMQ_ABSENT, kvzmq_poll(reader.conn, 0, &answer));
        }
    }
    kvzmq_destroy(&manager);
    kvzmq_destroy(&reader.conn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bye__broker_stops_while_nobody_reads__is_told, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(bye__broker_stops_while_nobody_reads__is_told, setup_ipc, teardown),
        cmocka_unit_test_setup_teardown(answers__connection_closed_before_anybody_reads__are_all_there,
                                        setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(answers__connection_closed_before_anybody_reads__are_all_there,
                                        setup_ipc, teardown),
        cmocka_unit_test_setup_teardown(
            batch__broker_is_told_to_stop_in_the_middle_of_it__is_answered_to_its_end, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(
            forget__of_oneself_and_the_broker_ends_while_nobody_reads__is_answered, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(
            poll__broker_is_killed_with_nothing_in_flight__descriptor_wakes_and_is_gone, setup_ipc, teardown),
        cmocka_unit_test_setup_teardown(poll__with_nothing_in_flight__takes_what_is_pushed, setup_tcp,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
