/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about connection.h: where arriving messages go, and what happens to a connection whose peer is
 * silent, goes away, or does not speak the protocol. */
#include <stdlib.h>

#include "tests/unit/exact.h"
#include "tests/unit/router.h"

#include "client/lib/connection.h"

enum { ANSWERS = 4, TEXT_MAX = 64 };

typedef struct fixture {
    router_t router;
    kvzmq_t *conn;
    buffer_t payload;       /* for the router to send */
    unsigned pushes;        /* `changed` notifications received */
    char notice[TEXT_MAX];  /* the text of the latest notice */
    kvzmq_notice_t noticed; /* the kind of the latest notice */
} fixture_t;

static void notice_keep(void *context, kvzmq_notice_t notice, const char *text)
{
    fixture_t *fixture = context;
    fixture->noticed = notice;
    (void)snprintf(fixture->notice, sizeof fixture->notice, "%s", text);
}

static void push_count(void *context, bytes_t params)
{
    fixture_t *fixture = context;
    assert_true(bytes_equal(params, BYTES("\x91\x05")));
    fixture->pushes++;
}

/* Gives the connection a link that is up and whose peer has received a message. */
static void link_make_up(fixture_t *fixture)
{
    kvzmq_t *conn = fixture->conn;
    assert_int_equal(context_prepare(&conn->context, LINK_DESCRIPTORS), STATUS_OK);
    assert_int_equal(
        link_new(conn->context.zmq, fixture->router.endpoint, (bytes_t){0}, ANSWERS, &conn->link), STATUS_OK);
    context_used(&conn->context, true);
    link_wait_state(conn->link, LINK_UP);
    conn->live = true;
    assert_int_equal(connection_send(conn, BYTES("hello")), KVZMQ_OK);
    router_take(&fixture->router, BYTES("hello"));
}

static int setup(void **state)
{
    static fixture_t fixture;
    kvzmq_options_t options;
    fixture = (fixture_t){.pushes = 0};
    router_open(&fixture.router);
    buffer_init(&fixture.payload, 4096);
    kvzmq_options_init(&options);
    options.endpoint = fixture.router.endpoint;
    options.notice = notice_keep;
    options.context = &fixture;
    fixture.conn = kvzmq_new(&options);
    assert_non_null(fixture.conn);
    fixture.conn->push = (push_t){.take = push_count, .context = &fixture};
    link_make_up(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;
    kvzmq_destroy(&fixture->conn);
    router_close(&fixture->router);
    buffer_release(&fixture->payload);
    return 0;
}

/* ---- What the router sends -------------------------------------------------------------------- */

static void add_result(fixture_t *fixture, uint32_t msgid, uint64_t number)
{
    rpc_write_result(&fixture->payload, msgid);
    rpc_write_uint(&fixture->payload, number);
}

static void add_changed(fixture_t *fixture)
{
    rpc_write_notification(&fixture->payload, bytes_from_text("changed"));
    rpc_write_array(&fixture->payload, 1);
    rpc_write_uint(&fixture->payload, 5);
}

static void add_bye(fixture_t *fixture, const char *reason)
{
    rpc_write_notification(&fixture->payload, bytes_from_text("bye"));
    rpc_write_array(&fixture->payload, 1);
    rpc_write_map(&fixture->payload, 1);
    rpc_write_text(&fixture->payload, "reason");
    rpc_write_text(&fixture->payload, reason);
}

static void give(fixture_t *fixture)
{
    assert_false(fixture->payload.failed);
    router_give(&fixture->router, buffer_bytes(&fixture->payload));
    buffer_truncate(&fixture->payload, 0);
}

static void give_result(fixture_t *fixture, uint32_t msgid, uint64_t number)
{
    add_result(fixture, msgid, number);
    give(fixture);
}

/* Adds a batch in flight with one request, MSGID. */
static kvzmq_batch_t *batch_send(fixture_t *fixture, uint32_t msgid)
{
    kvzmq_batch_t *batch = calloc(1, sizeof *batch);
    assert_non_null(batch);
    batch->requests = calloc(1, sizeof *batch->requests);
    assert_non_null(batch->requests);
    batch->requests[0].msgid = msgid;
    batch->count = 1;
    queue_push(&fixture->conn->queue, batch);
    return batch;
}

static kvzmq_status_t await(fixture_t *fixture, uint32_t msgid, response_t *response)
{
    return connection_await(fixture->conn, msgid, clock_monotonic_ms() + TIMEOUT_MS, response);
}

/* Waits for the answer to MSGID, which must be NUMBER. */
static void assert_answered(fixture_t *fixture, uint32_t msgid, uint64_t number)
{
    response_t response;
    rpc_value_t value;
    size_t at = 0;
    assert_int_equal(await(fixture, msgid, &response), KVZMQ_OK);
    assert_int_equal(response.reply.msgid, msgid);
    assert_true(rpc_read_value(response.reply.body, &at, &value));
    assert_int_equal(value.as.number, number);
    response_release(&response);
}

/* ---- Sorting ---------------------------------------------------------------------------------- */

static void await__answers_to_nobody__are_passed_over(void **state)
{
    fixture_t *fixture = *state;
    give_result(fixture, 9, 1); /* the answer to a call that was interrupted */
    give_result(fixture, 7, 2);
    assert_answered(fixture, 7, 2);
}

static void await__pushes_before_and_between__are_carried_out(void **state)
{
    fixture_t *fixture = *state;
    add_changed(fixture);
    give(fixture);
    add_changed(fixture);
    add_result(fixture, 7, 1);
    give(fixture);
    assert_answered(fixture, 7, 1);
    assert_int_equal(fixture->pushes, 2);
}

static void await__answers_of_batches__go_to_them(void **state)
{
    fixture_t *fixture = *state;
    const kvzmq_batch_t *first = batch_send(fixture, 5);
    const kvzmq_batch_t *second = batch_send(fixture, 6);
    give_result(fixture, 5, 1);
    give_result(fixture, 7, 2);
    assert_answered(fixture, 7, 2);
    assert_int_equal(first->state, BATCH_ANSWERED);
    assert_int_equal(second->state, BATCH_SENT);
}

static void await__error_about_a_whole_payload__is_of_a_batch_that_waits_else_of_the_call(void **state)
{
    fixture_t *fixture = *state;
    response_t response;
    const kvzmq_batch_t *batch = batch_send(fixture, 5);
    for (int i = 0; i < 2; i++) {
        rpc_write_error(&fixture->payload, 0, STATUS_RESOURCE_EXHAUSTED, "too long", NULL);
        give(fixture);
    }
    assert_int_equal(await(fixture, 7, &response), KVZMQ_OK);
    assert_int_equal(batch->state, BATCH_ANSWERED);
    assert_true(response.reply.failed);
    assert_int_equal(connection_refused(fixture->conn, &response.reply), KVZMQ_RESOURCE_EXHAUSTED);
    assert_string_equal(kvzmq_error(fixture->conn), "too long");
    response_release(&response);
}

static void take__bye_of_a_timeout__ends_the_session_and_any_other_the_connection(void **state)
{
    static const char *const reasons[] = {"timeout", "shutdown"};
    fixture_t *fixture = *state;
    for (int i = 0; i < 2; i++) {
        fixture->conn->live = true;
        add_bye(fixture, reasons[i]);
        add_result(fixture, 7, 1);
        give(fixture);
        assert_answered(fixture, 7, 1);
        assert_false(fixture->conn->live);
        assert_int_equal(fixture->conn->ended, i == 1);
        assert_int_equal(fixture->noticed, KVZMQ_NOTICE_BYE);
        assert_string_equal(fixture->notice, reasons[i]);
    }
}

/* ---- Failures --------------------------------------------------------------------------------- */

static void assert_given_up(fixture_t *fixture, const kvzmq_batch_t *batch, kvzmq_status_t why)
{
    assert_null(fixture->conn->link);
    assert_false(fixture->conn->live);
    assert_int_equal(batch->state, BATCH_FAILED);
    assert_int_equal(batch->failure, why);
}

static void await__bytes_that_are_not_the_protocol__drop_the_link(void **state)
{
    /* Not MessagePack, a request, and a response that is cut off. */
    static const bytes_t payloads[] = {LITERAL("\xc1"), LITERAL("\x94\x00\x07\xa3get\x90"),
                                       LITERAL("\x94\x01\x07")};
    fixture_t *fixture = *state;
    response_t response;
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        const kvzmq_batch_t *batch = batch_send(fixture, 5);
        router_give(&fixture->router, payloads[i]);
        assert_int_equal(await(fixture, 7, &response), KVZMQ_PROTOCOL);
        assert_given_up(fixture, batch, KVZMQ_PROTOCOL);
        queue_pop(&fixture->conn->queue);
        link_make_up(fixture);
    }
}

static void await__router_goes_behind_its_answer__answers_then_is_unreachable(void **state)
{
    fixture_t *fixture = *state;
    response_t response;
    const kvzmq_batch_t *batch = batch_send(fixture, 9);
    give_result(fixture, 7, 1);
    router_close(&fixture->router);
    assert_answered(fixture, 7, 1);
    assert_int_equal(await(fixture, 8, &response), KVZMQ_UNREACHABLE);
    assert_given_up(fixture, batch, KVZMQ_UNREACHABLE);
}

static void await__no_answer_until_the_deadline__times_out(void **state)
{
    fixture_t *fixture = *state;
    response_t response;
    const kvzmq_batch_t *batch = batch_send(fixture, 5);
    assert_int_equal(connection_await(fixture->conn, 7, clock_monotonic_ms(), &response), KVZMQ_TIMEOUT);
    assert_given_up(fixture, batch, KVZMQ_TIMEOUT);
}

static void msgid__after_the_highest__is_1(void **state)
{
    fixture_t *fixture = *state;
    fixture->conn->msgid = UINT32_MAX - 1;
    assert_int_equal(connection_msgid(fixture->conn), UINT32_MAX);
    assert_int_equal(connection_msgid(fixture->conn), 1); /* 0 is for errors about a whole payload */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(await__answers_to_nobody__are_passed_over),
        TEST(await__pushes_before_and_between__are_carried_out),
        TEST(await__answers_of_batches__go_to_them),
        TEST(await__error_about_a_whole_payload__is_of_a_batch_that_waits_else_of_the_call),
        TEST(take__bye_of_a_timeout__ends_the_session_and_any_other_the_connection),
        TEST(await__bytes_that_are_not_the_protocol__drop_the_link),
        TEST(await__router_goes_behind_its_answer__answers_then_is_unreachable),
        TEST(await__no_answer_until_the_deadline__times_out),
        TEST(msgid__after_the_highest__is_1),
    };
    return cmocka_run_group_tests_name("client_arrivals", tests, NULL, NULL);
}
