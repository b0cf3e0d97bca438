/* SPDX-License-Identifier: MPL-2.0 */
/* What libkvzmq does if its peer disconnects in the middle of a request, or breaks the protocol. */
#include <stdlib.h>

#include "tests/support/client_calls.h"
#include "tests/support/fake_messages.h"

#define BYTES(text) (text), sizeof(text) - 1
#define COUNT(list) (sizeof(list) / sizeof *(list))

#define NIL  "\xc0"
#define TRUE "\xc3"

static kvzmq_t *conn_to_fake(fake_broker_t *fake, const fake_step_t *steps, size_t count, notices_t *notices)
{
    fake_broker_start(fake, steps, count);
    kvzmq_options_t options = options_to(fake->endpoint, notices);
    kvzmq_t *conn = kvzmq_new(&options);
    assert_non_null(conn);
    return conn;
}

static void end(kvzmq_t *conn, fake_broker_t *fake)
{
    kvzmq_destroy(&conn);
    fake_broker_stop(fake);
}

static void get__connection_breaks_before_the_answer__is_repeated_on_a_new_one(void **state)
{
    (void)state;
    static const fake_step_t steps[] = {{"get", FAKE_BREAK, NULL, 0}, {"get", FAKE_RESULT, BYTES("\xa3red")}};
    fake_broker_t fake;
    kvzmq_t *conn = conn_to_fake(&fake, steps, COUNT(steps), NULL);
    assert_value(conn, NULL, "colour", "red");
    assert_int_equal(kvzmq_reconnects(conn), 1);
    end(conn, &fake);
}

static void get__connection_breaks_twice__is_unreachable(void **state)
{
    (void)state;
    static const fake_step_t steps[] = {{"get", FAKE_BREAK, NULL, 0}, {"get", FAKE_BREAK, NULL, 0}};
    fake_broker_t fake;
    kvzmq_value_t value = {0};
    kvzmq_t *conn = conn_to_fake(&fake, steps, COUNT(steps), NULL);
    assert_status(conn, KVZMQ_UNREACHABLE, kvzmq_get(conn, NULL, kvzmq_text("colour"), &value));
    end(conn, &fake);
}

static void writes__connection_breaks_before_the_answer__outcome_is_unknown_and_none_is_repeated(void **state)
{
    (void)state;
    static const fake_step_t steps[] = {
        {"put", FAKE_BREAK, NULL, 0},    {"del", FAKE_BREAK, NULL, 0},
        {"role", FAKE_BREAK, NULL, 0},   {"bye", FAKE_BREAK, NULL, 0},
        {"manage", FAKE_BREAK, NULL, 0}, {"forget", FAKE_BREAK, NULL, 0},
        {"other", FAKE_BREAK, NULL, 0},  {"ping", FAKE_RESULT, BYTES("\xa4pong")},
    };
    fake_broker_t fake;
    kvzmq_slice_t key = kvzmq_text("k");
    kvzmq_t *conn = conn_to_fake(&fake, steps, COUNT(steps), NULL);
    assert_status(conn, KVZMQ_OUTCOME_UNKNOWN, kvzmq_put(conn, NULL, key, key, NULL, NULL));
    assert_status(conn, KVZMQ_OUTCOME_UNKNOWN, kvzmq_del(conn, NULL, key, NULL, NULL));
    assert_status(conn, KVZMQ_OUTCOME_UNKNOWN, kvzmq_role(conn, "lamp", "manager"));
    assert_ok(conn, kvzmq_connect(conn));
    assert_status(conn, KVZMQ_OUTCOME_UNKNOWN, kvzmq_bye(conn));
    assert_status(conn, KVZMQ_OUTCOME_UNKNOWN, kvzmq_put(conn, "lamp", key, key, NULL, NULL));
    assert_status(conn, KVZMQ_OUTCOME_UNKNOWN, kvzmq_forget(conn, "lamp"));
    assert_status(conn, KVZMQ_OUTCOME_UNKNOWN, kvzmq_call(conn, "other", kvzmq_text(""), 0, NULL));
    assert_ok(conn,
              kvzmq_ping(conn)); /* fails if a write was repeated, because the fake broker expects ping */
    assert_int_equal(kvzmq_reconnects(conn), 7);
    end(conn, &fake);
}

static void call__that_reads__is_repeated(void **state)
{
    (void)state;
    static const fake_step_t steps[] = {{"other", FAKE_BREAK, NULL, 0}, {"other", FAKE_RESULT, BYTES(TRUE)}};
    fake_broker_t fake;
    kvzmq_value_t result = {0};
    kvzmq_t *conn = conn_to_fake(&fake, steps, COUNT(steps), NULL);
    assert_ok(conn, kvzmq_call(conn, "other", kvzmq_text(""), KVZMQ_READ, &result));
    assert_int_equal(result.size, 1);
    assert_memory_equal(result.data, TRUE, 1);
    kvzmq_value_release(&result);
    end(conn, &fake);
}

static void bye__pushed_while_a_put_waits__outcome_is_unknown(void **state)
{
    (void)state;
    static const fake_step_t steps[] = {{"put", FAKE_RAW,
                                         BYTES("\x93\x02\xa3"
                                               "bye\x91\x81\xa6reason\xa4slow")}};
    fake_broker_t fake;
    notices_t notices;
    kvzmq_t *conn = conn_to_fake(&fake, steps, COUNT(steps), &notices);
    assert_status(conn, KVZMQ_OUTCOME_UNKNOWN,
                  kvzmq_put(conn, NULL, kvzmq_text("k"), kvzmq_text("v"), NULL, NULL));
    assert_int_equal(notices.count[KVZMQ_NOTICE_BYE], 1);
    assert_string_equal(notices.text[KVZMQ_NOTICE_BYE], "slow");
    end(conn, &fake);
}

static void call__session_timed_out_under_it_and_refused__is_sent_again_in_a_new_session(void **state)
{
    (void)state;
    static const fake_step_t steps[] = {
        {"put", FAKE_RAW,
         BYTES("\x93\x02\xa3"
               "bye\x91\x81\xa6reason\xa7timeout"
               "\x94\x01" FAKE_MSGID "\x92\xafUNAUTHENTICATED\xa6secret" NIL)},
        {"put", FAKE_RESULT, BYTES("\x07")}};
    fake_broker_t fake;
    uint64_t revision = 0;
    kvzmq_t *conn = conn_to_fake(&fake, steps, COUNT(steps), NULL);
    assert_ok(conn, kvzmq_put(conn, NULL, kvzmq_text("k"), kvzmq_text("v"), NULL, &revision));
    assert_int_equal(revision, 7);
    assert_int_equal(kvzmq_reconnects(conn), 1);
    end(conn, &fake);
}

static void answer__not_of_the_protocol__is_told_and_the_next_call_reconnects(void **state)
{
    (void)state;
    static const fake_step_t steps[] = {
        {"ping", FAKE_RAW, BYTES("\xc1")},                               /* not MessagePack */
        {"ping", FAKE_RAW, BYTES("\x94\x01")},                           /* truncated */
        {"ping", FAKE_RAW, BYTES("\x93\x01\x01\x01")},                   /* not a message */
        {"ping", FAKE_RAW, BYTES("\x94\x00" FAKE_MSGID "\xa4ping\x90")}, /* a request */
        {"ping", FAKE_RESULT, BYTES("\xdd\xff\xff\xff\xff")},            /* a wrong length */
        {"ping", FAKE_RESULT, BYTES("\xa4pong")},
    };
    fake_broker_t fake;
    kvzmq_t *conn = conn_to_fake(&fake, steps, COUNT(steps), NULL);
    for (size_t i = 0; i + 1 < COUNT(steps); i++)
        assert_status(conn, KVZMQ_PROTOCOL, kvzmq_ping(conn));
    assert_ok(conn, kvzmq_ping(conn));
    end(conn, &fake);
}

static void result__of_another_type__is_told_and_the_connection_stays(void **state)
{
    (void)state;
    static const fake_step_t steps[] = {
        {"get", FAKE_RESULT, BYTES("\x07")},
        {"put", FAKE_RESULT, BYTES(NIL)},
        {"entry", FAKE_RESULT, BYTES("\x80")},
        {"list", FAKE_RESULT, BYTES("\x90")},
        {"digest", FAKE_RESULT, BYTES("\x81\xa3seq\x01")},
        {"list", FAKE_RESULT,
         BYTES("\x83\xa3seq\x01\xa4more\xc2\xa7"
               "entries\x91\x07")},
        {"stats", FAKE_RESULT, BYTES("\x81\x07\x07")},
    };
    fake_broker_t fake;
    kvzmq_value_t value = {0};
    kvzmq_page_t *page = NULL;
    kvzmq_slice_t key = kvzmq_text("k");
    kvzmq_t *conn = conn_to_fake(&fake, steps, COUNT(steps), NULL);
    assert_status(conn, KVZMQ_PROTOCOL, kvzmq_get(conn, NULL, key, &value));
    assert_status(conn, KVZMQ_PROTOCOL, kvzmq_put(conn, NULL, key, key, NULL, NULL));
    assert_status(conn, KVZMQ_PROTOCOL, kvzmq_entry(conn, NULL, key, &value, NULL, NULL));
    assert_status(conn, KVZMQ_PROTOCOL, kvzmq_list(conn, NULL, NULL, &page));
    assert_status(conn, KVZMQ_PROTOCOL, kvzmq_digest(conn, NULL, NULL));
    assert_status(conn, KVZMQ_PROTOCOL, kvzmq_list(conn, NULL, NULL, &page));
    assert_status(conn, KVZMQ_PROTOCOL, kvzmq_stats(conn, &page));
    assert_null(value.data);
    assert_null(page);
    assert_int_equal(kvzmq_reconnects(conn), 0);
    end(conn, &fake);
}

static void hello__of_another_protocol_version__is_told(void **state)
{
    (void)state;
    static const fake_step_t steps[] = {{"hello", FAKE_RESULT,
                                         BYTES("\x87\xa6"
                                               "client\xa4lamp\xa4role\xa5guest\xa8protocol\x02\xa6"
                                               "broker\xa1"
                                               "b\xa5"
                                               "epoch\xa1"
                                               "e"
                                               "\xaatimeout_ms\x01\xa6limits\x84\xa3key\x01\xa5value\x01\xa5"
                                               "batch\x01\xa7message\x01")}};
    fake_broker_t fake;
    kvzmq_t *conn = conn_to_fake(&fake, steps, COUNT(steps), NULL);
    assert_status(conn, KVZMQ_PROTOCOL, kvzmq_connect(conn));
    assert_non_null(strstr(kvzmq_error(conn), "version 2"));
    end(conn, &fake);
}

#define HELLO_WITH(note)                                                                                     \
    "\x88\xa6"                                                                                               \
    "client\xa5"                                                                                             \
    "40000\xa4role\xa5guest\xa8protocol\x01\xa6"                                                             \
    "broker\xa1"                                                                                             \
    "b\xa5"                                                                                                  \
    "epoch\xa1"                                                                                              \
    "e\xaatimeout_ms\xcd\xff\xff\xa6limits\x84\xa3key\x01\xa5value\x01\xa5"                                  \
    "batch\x01\xa7message\xcd\xff\xff\xa4note" note

static void hello__with_a_note__is_kept_and_noticed_once_a_session(void **state)
{
    (void)state;
    static const fake_step_t steps[] = {
        {"hello", FAKE_RESULT, BYTES(HELLO_WITH("\xb2no \"name\" \\ at all"))},
        {"hello", FAKE_RESULT,
         BYTES(HELLO_WITH("\xa9"
                          "a\x1b\nb\x7f"
                          "cdef"))},
        {"hello", FAKE_RESULT, BYTES(HELLO_WITH("\xc0"))},
    };
    fake_broker_t fake;
    notices_t notices;
    kvzmq_t *conn = conn_to_fake(&fake, steps, COUNT(steps), &notices);
    assert_ok(conn, kvzmq_connect(conn));
    assert_string_equal(kvzmq_session(conn)->note, "no \"name\" \\ at all");
    assert_int_equal(notices.count[KVZMQ_NOTICE_NOTE], 1);
    assert_string_equal(notices.text[KVZMQ_NOTICE_NOTE], "no \"name\" \\ at all");
    assert_ok(conn, kvzmq_hello(conn));
    assert_string_equal(kvzmq_session(conn)->note, "a\\x1b\\nb\\x7fcdef");
    assert_ok(conn, kvzmq_hello(conn));
    assert_string_equal(kvzmq_session(conn)->note, "");
    assert_int_equal(notices.count[KVZMQ_NOTICE_NOTE], 1);
    end(conn, &fake);
}

static void error__with_an_unknown_code__is_other_and_its_text_is_made_safe(void **state)
{
    (void)state;
    static const fake_step_t steps[] = {
        {"ping", FAKE_RAW, BYTES("\x94\x01" FAKE_MSGID "\x93\xa6NOVEL!\xafsay \"hi\"\x1b[2J\n\\.\x07" NIL)},
        {"ping", FAKE_RAW, BYTES("\x94\x01" FAKE_MSGID "\x92\xa8INTERNAL\xa4oops" NIL)}};
    fake_broker_t fake;
    uint64_t detail = 0;
    kvzmq_t *conn = conn_to_fake(&fake, steps, COUNT(steps), NULL);
    assert_status(conn, KVZMQ_OTHER, kvzmq_ping(conn));
    assert_string_equal(kvzmq_error(conn), "NOVEL!: say \"hi\"\\x1b[2J\\n\\.");
    assert_true(kvzmq_detail(conn, &detail));
    assert_int_equal(detail, 7);
    assert_status(conn, KVZMQ_INTERNAL, kvzmq_ping(conn));
    assert_string_equal(kvzmq_error(conn), "oops");
    assert_false(kvzmq_detail(conn, &detail));
    end(conn, &fake);
}

static void error__about_a_whole_payload__answers_the_call(void **state)
{
    (void)state;
    static const fake_step_t steps[] = {{"ping", FAKE_RAW,
                                         BYTES("\x94\x01\x00\x92\xb0INVALID_ARGUMENT\xa4"
                                               "all!" NIL)}};
    fake_broker_t fake;
    kvzmq_t *conn = conn_to_fake(&fake, steps, COUNT(steps), NULL);
    assert_status(conn, KVZMQ_INVALID_ARGUMENT, kvzmq_ping(conn));
    assert_string_equal(kvzmq_error(conn), "all!");
    end(conn, &fake);
}

static void batch__answered_as_a_whole__gives_that_error_to_each(void **state)
{
    (void)state;
    static const fake_step_t steps[] = {{"get", FAKE_RAW,
                                         BYTES("\x94\x01\x00\x92\xb0INVALID_ARGUMENT\xa4"
                                               "all!" NIL)}};
    fake_broker_t fake;
    kvzmq_answer_t answer;
    kvzmq_t *conn = conn_to_fake(&fake, steps, COUNT(steps), NULL);
    kvzmq_batch_t *batch = kvzmq_batch_new(conn);
    for (int i = 0; i < 3; i++)
        assert_ok(conn, kvzmq_batch_get(batch, NULL, kvzmq_text("k"), NULL));
    assert_ok(conn, kvzmq_batch_send(&batch));
    for (int i = 0; i < 3; i++) {
        assert_ok(conn, kvzmq_poll(conn, -1, &answer));
        assert_int_equal(answer.status, KVZMQ_INVALID_ARGUMENT);
    }
    assert_status(conn, KVZMQ_ABSENT, kvzmq_poll(conn, -1, &answer));
    end(conn, &fake);
}

static void batch__answered_in_part__tells_the_rest(void **state)
{
    (void)state;
    static const fake_step_t steps[] = {{"get", FAKE_RESULT, BYTES("\xa3red")}};
    fake_broker_t fake;
    kvzmq_answer_t answer;
    kvzmq_t *conn = conn_to_fake(&fake, steps, COUNT(steps), NULL);
    kvzmq_batch_t *batch = kvzmq_batch_new(conn);
    for (int i = 0; i < 2; i++)
        assert_ok(conn, kvzmq_batch_get(batch, NULL, kvzmq_text("k"), NULL));
    assert_ok(conn, kvzmq_batch_send(&batch));
    assert_ok(conn, kvzmq_poll(conn, -1, &answer));
    assert_int_equal(answer.status, KVZMQ_OK);
    assert_ok(conn, kvzmq_poll(conn, -1, &answer));
    assert_int_equal(answer.status, KVZMQ_PROTOCOL);
    end(conn, &fake);
}

static void batch__connection_breaks__each_request_is_answered_by_what_it_was(void **state)
{
    (void)state;
    static const fake_step_t steps[] = {{"get", FAKE_BREAK, NULL, 0},
                                        {"ping", FAKE_RESULT, BYTES("\xa4pong")}};
    fake_broker_t fake;
    kvzmq_answer_t answer;
    kvzmq_slice_t key = kvzmq_text("k");
    kvzmq_t *conn = conn_to_fake(&fake, steps, COUNT(steps), NULL);
    kvzmq_batch_t *batch = kvzmq_batch_new(conn);
    assert_ok(conn, kvzmq_batch_get(batch, NULL, key, NULL));
    assert_ok(conn, kvzmq_batch_put(batch, NULL, key, key, NULL, NULL));
    assert_ok(conn, kvzmq_batch_send(&batch));
    assert_int_equal(kvzmq_in_flight(conn), 2);
    assert_ok(conn, kvzmq_poll(conn, -1, &answer));
    assert_int_equal(answer.status, KVZMQ_UNREACHABLE);
    assert_ok(conn, kvzmq_poll(conn, -1, &answer));
    assert_int_equal(answer.status, KVZMQ_OUTCOME_UNKNOWN);
    assert_int_equal(kvzmq_in_flight(conn), 0);
    assert_ok(conn, kvzmq_ping(conn));
    end(conn, &fake);
}

static void count_changes(void *context, const kvzmq_event_t *event)
{
    unsigned *count = context;
    assert_int_equal(event->kind, KVZMQ_EVENT_PUT);
    (*count)++;
}

static void changed__not_of_the_protocol__is_no_hole_that_a_later_one_hides(void **state)
{
    (void)state;
    unsigned count = 0;
    kvzmq_position_t position;
    buffer_t pushes;
    buffer_init(&pushes, 4096);
    fake_notification_write(&pushes, "changed", &(fake_event_t){.seq = 6});
    rpc_write_notification(&pushes, bytes_from_text("changed"));
    rpc_write_array(&pushes, 0);
    fake_notification_write(&pushes, "changed", &(fake_event_t){.seq = 8});
    assert_false(pushes.failed);
    const fake_step_t steps[] = {{"watch", FAKE_RESULT, BYTES("\x05")},
                                 {"ping", FAKE_RAW, (const char *)pushes.data, pushes.size}};
    fake_broker_t fake;
    kvzmq_t *conn = conn_to_fake(&fake, steps, COUNT(steps), NULL);
    assert_ok(conn, kvzmq_on_change(conn, count_changes, &count, NULL));
    assert_status(conn, KVZMQ_PROTOCOL, kvzmq_ping(conn));
    assert_int_equal(count, 1);
    assert_true(kvzmq_change_position(conn, &position));
    assert_int_equal(position.seq, 6);
    end(conn, &fake);
    buffer_release(&pushes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get__connection_breaks_before_the_answer__is_repeated_on_a_new_one),
        cmocka_unit_test(get__connection_breaks_twice__is_unreachable),
        cmocka_unit_test(
            writes__connection_breaks_before_the_answer__outcome_is_unknown_and_none_is_repeated),
        cmocka_unit_test(call__that_reads__is_repeated),
        cmocka_unit_test(bye__pushed_while_a_put_waits__outcome_is_unknown),
        cmocka_unit_test(call__session_timed_out_under_it_and_refused__is_sent_again_in_a_new_session),
        cmocka_unit_test(answer__not_of_the_protocol__is_told_and_the_next_call_reconnects),
        cmocka_unit_test(result__of_another_type__is_told_and_the_connection_stays),
        cmocka_unit_test(hello__of_another_protocol_version__is_told),
        cmocka_unit_test(hello__with_a_note__is_kept_and_noticed_once_a_session),
        cmocka_unit_test(error__with_an_unknown_code__is_other_and_its_text_is_made_safe),
        cmocka_unit_test(error__about_a_whole_payload__answers_the_call),
        cmocka_unit_test(batch__answered_as_a_whole__gives_that_error_to_each),
        cmocka_unit_test(batch__answered_in_part__tells_the_rest),
        cmocka_unit_test(batch__connection_breaks__each_request_is_answered_by_what_it_was),
        cmocka_unit_test(changed__not_of_the_protocol__is_no_hole_that_a_later_one_hides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
