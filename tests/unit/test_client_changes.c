/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about changes.c: which changes are told, and from where `watch` continues, if the connection is lost
 * between two steps, if positions are refused, and if memory is. */
#include "tests/support/client_calls.h"
#include "tests/support/fake_messages.h"
#include "tests/support/refuse_memory.h"

#include "client/lib/connection.h"

#define BYTES(text) (text), sizeof(text) - 1
#define COUNT(list) (sizeof(list) / sizeof *(list))
#define RAW(buffer) FAKE_RAW, (const char *)(buffer).data, (buffer).size

enum {
    HEARD_MAX = 16,
    EARLIEST_TRIES = 100, /* as in changes.c */
    NOWHERE = 0xffff      /* asked_after: `watch` has no position */
};

static const fake_step_t usual[] = {{"ping", FAKE_RESULT, BYTES("\xa4pong")}};

typedef struct fixture {
    fake_broker_t fake;
    kvzmq_t *conn;
    buffer_t refusal;          /* an error with the lowest position, 9 */
    buffer_t pushes;           /* changes and the answer to a ping */
    uint64_t heard[HEARD_MAX]; /* seq of each change that was told; 0 = a RESET */
    unsigned count;
    uint64_t refuse_at; /* after this seq was told, refuse the next allocation */
} fixture_t;

static void hear(void *context, const kvzmq_event_t *event)
{
    fixture_t *fixture = context;
    assert_true(fixture->count < HEARD_MAX);
    assert_true(event->kind == KVZMQ_EVENT_RESET || event->kind == KVZMQ_EVENT_PUT);
    fixture->heard[fixture->count++] = event->kind == KVZMQ_EVENT_RESET ? 0 : event->seq;
    if (event->seq == fixture->refuse_at && event->seq > 0) {
        refuse_once = true;
        refuse_after = 0;
    }
}

static int setup(void **state)
{
    static fixture_t fixture;
    fixture = (fixture_t){.conn = NULL};
    buffer_init(&fixture.refusal, 256);
    buffer_init(&fixture.pushes, 4096);
    fake_error_write(&fixture.refusal, STATUS_OUT_OF_RANGE, 9);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;
    kvzmq_destroy(&fixture->conn);
    fake_broker_stop(&fixture->fake);
    buffer_release(&fixture->refusal);
    buffer_release(&fixture->pushes);
    return 0;
}

static void begin(fixture_t *fixture, const fake_step_t *steps, size_t count)
{
    fake_broker_start_usual(&fixture->fake, steps, count, usual, COUNT(usual));
    kvzmq_options_t options = options_to(fixture->fake.endpoint, NULL);
    options.name = "lamp";
    fixture->conn = kvzmq_new(&options);
    assert_non_null(fixture->conn);
}

/* Appends changes FROM to TO to the pushes; then, for FAKE_RAW, the answer to the ping that they come with.
 */
static void push_add(fixture_t *fixture, uint64_t from, uint64_t to)
{
    for (uint64_t seq = from; seq <= to; seq++)
        fake_notification_write(&fixture->pushes, "changed", &(fake_event_t){.seq = seq, .value = "v"});
}

static void push_answer(fixture_t *fixture)
{
    rpc_write_result(&fixture->pushes, FAKE_MSGID_NUMBER);
    rpc_write_text(&fixture->pushes, "pong");
    assert_false(fixture->pushes.failed);
}

static void assert_heard(const fixture_t *fixture, const uint64_t *seqs, unsigned count)
{
    assert_int_equal(fixture->count, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(fixture->heard[i], seqs[i]);
}

#define ASSERT_HEARD(fixture, ...)                                                                           \
    assert_heard((fixture), (const uint64_t[]){__VA_ARGS__}, COUNT(((const uint64_t[]){__VA_ARGS__})))

/* The position in the last `watch`. */
static uint64_t asked_after(const fixture_t *fixture)
{
    rpc_message_t asked;
    size_t at = 0;
    assert_int_equal(rpc_read(fake_broker_asked(&fixture->fake), &at, &asked), RPC_STEP_MESSAGE);
    assert_true(bytes_equal(asked.method, bytes_from_text("watch")));
    return asked.params == 1 ? NOWHERE : asked.values[3].as.number;
}

static uint64_t position_of(const kvzmq_t *conn)
{
    kvzmq_position_t position;
    assert_true(kvzmq_change_position(conn, &position));
    assert_string_equal(position.epoch, "epoch");
    return position.seq;
}

static void on_change(fixture_t *fixture)
{
    assert_ok(fixture->conn, kvzmq_on_change(fixture->conn, hear, fixture, NULL));
}

/* ---- Lost between two steps ------------------------------------------------------------------- */

static void on_change__lost_before_watch_is_answered__changes_nothing(void **state)
{
    fixture_t *fixture = *state;
    static const fake_step_t steps[] = {{"watch", FAKE_BREAK, NULL, 0},
                                        {"watch", FAKE_RESULT, BYTES("\x07")}};
    kvzmq_position_t position;
    begin(fixture, steps, COUNT(steps));
    assert_status(fixture->conn, KVZMQ_UNREACHABLE, kvzmq_on_change(fixture->conn, hear, fixture, NULL));
    assert_false(kvzmq_change_position(fixture->conn, &position));
    assert_status(fixture->conn, KVZMQ_FAILED_PRECONDITION, kvzmq_listen(fixture->conn, 0));
    assert_ok(fixture->conn, kvzmq_ping(fixture->conn)); /* without a watch */
    on_change(fixture);
    assert_int_equal(asked_after(fixture), NOWHERE);
    assert_int_equal(position_of(fixture->conn), 7);
}

static void call__lost_while_watch_is_turned_on_again__continues_where_it_was(void **state)
{
    fixture_t *fixture = *state;
    static const fake_step_t steps[] = {
        {"watch", FAKE_RESULT, BYTES("\x05")},
        {"get", FAKE_BREAK, NULL, 0},
        {"watch", FAKE_BREAK, NULL, 0},
        {"watch", FAKE_RESULT, BYTES("\x05")},
    };
    kvzmq_value_t value = {0};
    begin(fixture, steps, COUNT(steps));
    on_change(fixture);
    assert_status(fixture->conn, KVZMQ_UNREACHABLE, kvzmq_get(fixture->conn, NULL, kvzmq_text("k"), &value));
    assert_ok(fixture->conn, kvzmq_ping(fixture->conn));
    assert_int_equal(asked_after(fixture), 5);
    assert_int_equal(position_of(fixture->conn), 5);
    assert_int_equal(fixture->count, 0); /* nothing was missed, so there is no RESET */
}

static void call__lost_after_the_position_was_refused__tells_reset_once_when_watch_is_on(void **state)
{
    fixture_t *fixture = *state;
    const fake_step_t steps[] = {
        {"watch", FAKE_RESULT, BYTES("\x05")}, {"get", FAKE_BREAK, NULL, 0},
        {"watch", RAW(fixture->refusal)},      {"watch", FAKE_BREAK, NULL, 0},
        {"watch", RAW(fixture->refusal)},      {"watch", FAKE_RESULT, BYTES("\x0c")},
    };
    kvzmq_value_t value = {0};
    begin(fixture, steps, COUNT(steps));
    on_change(fixture);
    assert_status(fixture->conn, KVZMQ_UNREACHABLE, kvzmq_get(fixture->conn, NULL, kvzmq_text("k"), &value));
    assert_int_equal(fixture->count, 0);
    assert_int_equal(position_of(fixture->conn), 5);
    assert_ok(fixture->conn, kvzmq_ping(fixture->conn));
    assert_string_equal(kvzmq_error(fixture->conn), ""); /* that of the refused position */
    ASSERT_HEARD(fixture, 0);
    assert_int_equal(asked_after(fixture), NOWHERE);
    assert_int_equal(position_of(fixture->conn), 12);
}

static void off__connection_is_lost__is_not_told_to_a_new_session(void **state)
{
    fixture_t *fixture = *state;
    static const fake_step_t steps[] = {{"watch", FAKE_RESULT, BYTES("\x05")}};
    begin(fixture, steps, COUNT(steps));
    on_change(fixture);
    connection_drop(fixture->conn, KVZMQ_UNREACHABLE);
    assert_ok(fixture->conn, kvzmq_on_change(fixture->conn, NULL, NULL, NULL));
    assert_null(fixture->conn->link); /* it did not connect */
    assert_ok(fixture->conn, kvzmq_ping(fixture->conn));
    assert_int_equal(atomic_load(&fixture->fake.done), COUNT(steps));
}

/* ---- Pushes ----------------------------------------------------------------------------------- */

static void pushed__twice_or_below_the_position__is_told_once(void **state)
{
    fixture_t *fixture = *state;
    push_add(fixture, 4, 7);
    push_add(fixture, 6, 8);
    push_answer(fixture);
    const fake_step_t steps[] = {{"watch", FAKE_RESULT, BYTES("\x05")}, {"ping", RAW(fixture->pushes)}};
    begin(fixture, steps, COUNT(steps));
    on_change(fixture);
    assert_ok(fixture->conn, kvzmq_ping(fixture->conn));
    ASSERT_HEARD(fixture, 6, 7, 8);
    assert_int_equal(position_of(fixture->conn), 8);
}

static void pushed__after_watch_was_turned_off__is_not_told(void **state)
{
    fixture_t *fixture = *state;
    push_add(fixture, 6, 7);
    push_answer(fixture);
    const fake_step_t steps[] = {{"watch", FAKE_RESULT, BYTES("\x05")},
                                 {"watch", FAKE_RESULT, BYTES("\x05")},
                                 {"ping", RAW(fixture->pushes)}};
    begin(fixture, steps, COUNT(steps));
    on_change(fixture);
    assert_ok(fixture->conn, kvzmq_on_change(fixture->conn, NULL, NULL, NULL));
    assert_ok(fixture->conn, kvzmq_ping(fixture->conn));
    assert_int_equal(fixture->count, 0);
    assert_int_equal(position_of(fixture->conn), 5);
}

static void pushed__before_watch_is_answered__is_not_told(void **state)
{
    fixture_t *fixture = *state;
    push_add(fixture, 6, 7);
    rpc_write_result(&fixture->pushes, FAKE_MSGID_NUMBER);
    rpc_write_uint(&fixture->pushes, 7);
    const fake_step_t steps[] = {{"watch", RAW(fixture->pushes)}};
    begin(fixture, steps, COUNT(steps));
    on_change(fixture); /* which says that it begins behind 7 */
    assert_int_equal(fixture->count, 0);
    assert_int_equal(position_of(fixture->conn), 7);
}

/* ---- Positions -------------------------------------------------------------------------------- */

static void earliest__log_moves_on__follows_it(void **state)
{
    fixture_t *fixture = *state;
    const fake_step_t steps[] = {{"watch", RAW(fixture->refusal)},
                                 {"watch", RAW(fixture->refusal)},
                                 {"watch", FAKE_RESULT, BYTES("\x09")}};
    begin(fixture, steps, COUNT(steps));
    assert_ok(fixture->conn, kvzmq_on_change_earliest(fixture->conn, hear, fixture));
    assert_int_equal(asked_after(fixture), 9);
    assert_int_equal(position_of(fixture->conn), 9);
    assert_int_equal(fixture->count, 0);
}

static void earliest__log_moves_on_for_ever__begins_with_the_next(void **state)
{
    fixture_t *fixture = *state;
    fake_step_t steps[EARLIEST_TRIES + 1];
    for (size_t i = 0; i < EARLIEST_TRIES; i++)
        steps[i] = (fake_step_t){"watch", RAW(fixture->refusal)};
    steps[EARLIEST_TRIES] = (fake_step_t){"watch", FAKE_RESULT, BYTES("\x14")};
    begin(fixture, steps, COUNT(steps));
    assert_ok(fixture->conn, kvzmq_on_change_earliest(fixture->conn, hear, fixture));
    assert_int_equal(asked_after(fixture), NOWHERE);
    assert_int_equal(position_of(fixture->conn), 20);
    assert_int_equal(fixture->count, 0); /* nothing was promised, so nothing is missing */
}

/* ---- Memory ----------------------------------------------------------------------------------- */

static void pushed__memory_refused_for_it__comes_again_in_another_session(void **state)
{
    fixture_t *fixture = *state;
    buffer_t again;
    push_add(fixture, 6, 8);
    push_answer(fixture);
    size_t first = fixture->pushes.size;
    push_add(fixture, 7, 8);
    push_answer(fixture);
    again = (buffer_t){.data = fixture->pushes.data + first, .size = fixture->pushes.size - first};
    const fake_step_t steps[] = {
        {"watch", FAKE_RESULT, BYTES("\x05")},
        {"ping", FAKE_RAW, (const char *)fixture->pushes.data, first},
        {"watch", FAKE_RESULT, BYTES("\x06")},
        {"ping", RAW(again)},
    };
    begin(fixture, steps, COUNT(steps));
    on_change(fixture);
    fixture->refuse_at = 6;
    assert_ok(fixture->conn, kvzmq_ping(fixture->conn)); /* its answer came behind the pushes */
    ASSERT_HEARD(fixture, 6);
    assert_int_equal(position_of(fixture->conn), 6);
    assert_ok(fixture->conn, kvzmq_ping(fixture->conn));
    ASSERT_HEARD(fixture, 6, 7, 8);
    assert_int_equal(kvzmq_reconnects(fixture->conn), 1);
}

static void on_change__memory_refused__is_told_and_succeeds_later(void **state)
{
    fixture_t *fixture = *state;
    static const fake_step_t steps[] = {{"watch", FAKE_RESULT, BYTES("\x05")}};
    begin(fixture, steps, COUNT(steps));
    refuse_once = true;
    refuse_after = 0;
    assert_status(fixture->conn, KVZMQ_NO_MEMORY, kvzmq_on_change(fixture->conn, hear, fixture, NULL));
    on_change(fixture);
    assert_int_equal(position_of(fixture->conn), 5);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(on_change__lost_before_watch_is_answered__changes_nothing),
        TEST(call__lost_while_watch_is_turned_on_again__continues_where_it_was),
        TEST(call__lost_after_the_position_was_refused__tells_reset_once_when_watch_is_on),
        TEST(off__connection_is_lost__is_not_told_to_a_new_session),
        TEST(pushed__twice_or_below_the_position__is_told_once),
        TEST(pushed__after_watch_was_turned_off__is_not_told),
        TEST(pushed__before_watch_is_answered__is_not_told),
        TEST(earliest__log_moves_on__follows_it),
        TEST(earliest__log_moves_on_for_ever__begins_with_the_next),
        TEST(pushed__memory_refused_for_it__comes_again_in_another_session),
        TEST(on_change__memory_refused__is_told_and_succeeds_later),
    };
    return cmocka_run_group_tests_name("client_changes", tests, NULL, NULL);
}
