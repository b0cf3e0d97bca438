/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about session.h: how a session begins if the connection is lost between two of its steps, if answers
 * are not those that were expected, and if memory is refused. */
#include "tests/support/client_calls.h"
#include "tests/support/fake_messages.h"
#include "tests/support/refuse_memory.h"

#include "client/lib/session.h"

enum {
    SHORT_MS = 50,  /* time limit of a call that gets no answer */
    IDLE_MS = 57000 /* nine tenths of the fake broker's timeout are 54 s */
};

#define BYTES(text) (text), sizeof(text) - 1
#define COUNT(list) (sizeof(list) / sizeof *(list))

#define PONG    "\xa4pong"
#define MANAGER "\x81\xa4role\xa7manager"
#define NIL     "\xc0"

/* The result of `hello`: the client, the epoch and the note vary. */
#define HELLO(client, epoch, note)                                                                           \
    "\x88\xa6"                                                                                               \
    "client" client "\xa4role\xa5guest\xa8protocol\x01\xa6"                                                  \
    "broker\xa1"                                                                                             \
    "b\xa5"                                                                                                  \
    "epoch" epoch "\xaatimeout_ms\xcd\xff\xff\xa6limits\x84\xa3key\x01\xa5value\x01\xa5"                     \
    "batch\x01\xa7message\xcd\xff\xff\xa4"                                                                   \
    "note" note

typedef struct fixture {
    fake_broker_t fake;
    kvzmq_t *conn;
    notices_t notices;
} fixture_t;

static const fake_step_t usual[] = {{"auth", FAKE_RESULT, BYTES(MANAGER)},
                                    {"ping", FAKE_RESULT, BYTES(PONG)}};

/* Starts a broker that does STEPS, and makes a connection to it with an account. */
static void begin(fixture_t *fixture, const fake_step_t *steps, size_t count)
{
    *fixture = (fixture_t){.conn = NULL};
    fake_broker_start_usual(&fixture->fake, steps, count, usual, COUNT(usual));
    kvzmq_options_t options = options_to(fixture->fake.endpoint, &fixture->notices);
    options.user = "adam";
    options.password = "eve";
    fixture->conn = kvzmq_new(&options);
    assert_non_null(fixture->conn);
}

static void end(fixture_t *fixture)
{
    kvzmq_destroy(&fixture->conn);
    fake_broker_stop(&fixture->fake);
}

/* ---- Lost between two steps ------------------------------------------------------------------- */

static void connect__lost_before_hello_is_answered__begins_on_another_connection(void **state)
{
    (void)state;
    static const fake_step_t steps[] = {{"hello", FAKE_BREAK, NULL, 0}, {"hello", FAKE_BREAK, NULL, 0}};
    fixture_t fixture;
    begin(&fixture, steps, COUNT(steps));
    assert_ok(fixture.conn, kvzmq_connect(fixture.conn));
    assert_int_equal(kvzmq_reconnects(fixture.conn), 0); /* no session was lost */
    assert_string_equal(kvzmq_session(fixture.conn)->role, "manager");
    end(&fixture);
}

static void connect__lost_before_auth_is_answered__is_unreachable_and_keeps_the_account(void **state)
{
    (void)state;
    static const fake_step_t steps[] = {{"auth", FAKE_BREAK, NULL, 0}};
    fixture_t fixture;
    begin(&fixture, steps, COUNT(steps));
    assert_status(fixture.conn, KVZMQ_UNREACHABLE, kvzmq_connect(fixture.conn));
    assert_ok(fixture.conn, kvzmq_connect(fixture.conn));
    assert_string_equal(kvzmq_session(fixture.conn)->role, "manager");
    assert_int_equal(kvzmq_reconnects(fixture.conn), 1);
    end(&fixture);
}

static void call__lost_before_auth_is_answered__is_sent_once_in_a_session_with_the_account(void **state)
{
    (void)state;
    static const fake_step_t steps[] = {{"auth", FAKE_BREAK, NULL, 0}, {"put", FAKE_RESULT, BYTES("\x07")}};
    fixture_t fixture;
    uint64_t revision = 0;
    begin(&fixture, steps, COUNT(steps));
    assert_ok(fixture.conn, kvzmq_put(fixture.conn, NULL, kvzmq_text("k"), kvzmq_text("v"), NULL, &revision));
    assert_int_equal(revision, 7);
    assert_string_equal(kvzmq_session(fixture.conn)->role, "manager");
    end(&fixture);
}

/* A broker with limits/clients clients refuses hello, but admits a client that authenticates. */
static void connect__broker_is_full__authenticates_before_hello_even_if_lost_between(void **state)
{
    (void)state;
    buffer_t full;
    fixture_t fixture;
    buffer_init(&full, 256);
    fake_error_write(&full, STATUS_RESOURCE_EXHAUSTED, 0);
    const fake_step_t steps[] = {
        {"hello", FAKE_RAW, (const char *)full.data, full.size},
        {"auth", FAKE_BREAK, NULL, 0},
        {"hello", FAKE_RAW, (const char *)full.data, full.size},
        {"auth", FAKE_RESULT, BYTES(MANAGER)},
        {"hello", FAKE_RESULT,
         BYTES(HELLO("\xa4lamp",
                     "\xa1"
                     "e",
                     NIL))},
    };
    begin(&fixture, steps, COUNT(steps));
    assert_ok(fixture.conn, kvzmq_connect(fixture.conn));
    assert_string_equal(kvzmq_session(fixture.conn)->client, "lamp");
    assert_string_equal(kvzmq_session(fixture.conn)->role, "manager");
    end(&fixture);
    buffer_release(&full);
}

static void bye__lost_before_its_answer__outcome_is_unknown_and_the_next_call_begins_anew(void **state)
{
    (void)state;
    static const fake_step_t steps[] = {{"bye", FAKE_SILENT, NULL, 0}};
    fixture_t fixture;
    begin(&fixture, steps, COUNT(steps));
    assert_ok(fixture.conn, kvzmq_connect(fixture.conn));
    fixture.conn->options.given.call_ms = SHORT_MS;
    assert_status(fixture.conn, KVZMQ_OUTCOME_UNKNOWN, kvzmq_bye(fixture.conn));
    assert_ok(fixture.conn, kvzmq_bye(fixture.conn)); /* there is no session any more */
    fixture.conn->options.given.call_ms = TIMEOUT_MS;
    assert_ok(fixture.conn, kvzmq_ping(fixture.conn));
    assert_int_equal(kvzmq_reconnects(fixture.conn), 1);
    end(&fixture);
}

/* ---- Unexpected answers ----------------------------------------------------------------------- */

static void hello__only_a_late_answer_comes__is_not_taken_for_its_own(void **state)
{
    (void)state;
    static const fake_step_t steps[] = {
        {"hello", FAKE_RESULT,
         BYTES(HELLO("\xa4lamp",
                     "\xa1"
                     "e",
                     "\xa5"
                     "first"))},
        {"hello", FAKE_RAW,
         BYTES("\x94\x01\xcd\x7f\xff" NIL HELLO("\xa4lamp",
                                                "\xa1"
                                                "e",
                                                "\xa4late"))},
    };
    fixture_t fixture;
    begin(&fixture, steps, COUNT(steps));
    assert_ok(fixture.conn, kvzmq_connect(fixture.conn));
    fixture.conn->options.given.call_ms = SHORT_MS;
    assert_status(fixture.conn, KVZMQ_TIMEOUT, kvzmq_hello(fixture.conn));
    assert_string_equal(kvzmq_session(fixture.conn)->note, "first");
    end(&fixture);
}

static void hello__result_that_is_none__begins_no_session(void **state)
{
    (void)state;
    static const fake_step_t steps[] = {{"hello", FAKE_RESULT, BYTES(NIL)},
                                        {"hello", FAKE_RESULT,
                                         BYTES(HELLO("\xa0",
                                                     "\xa1"
                                                     "e",
                                                     NIL))}};
    fixture_t fixture;
    begin(&fixture, steps, COUNT(steps));
    for (size_t i = 0; i < COUNT(steps); i++) {
        assert_status(fixture.conn, KVZMQ_PROTOCOL, kvzmq_connect(fixture.conn));
        assert_null(kvzmq_session(fixture.conn));
    }
    assert_ok(fixture.conn, kvzmq_connect(fixture.conn));
    end(&fixture);
}

static void auth__refused__is_told_once_and_the_session_goes_on_as_a_guest(void **state)
{
    (void)state;
    buffer_t wrong;
    fixture_t fixture;
    buffer_init(&wrong, 256);
    fake_error_write(&wrong, STATUS_UNAUTHENTICATED, 0);
    const fake_step_t steps[] = {{"auth", FAKE_RAW, (const char *)wrong.data, wrong.size}};
    begin(&fixture, steps, COUNT(steps));
    assert_status(fixture.conn, KVZMQ_UNAUTHENTICATED, kvzmq_connect(fixture.conn));
    assert_ok(fixture.conn, kvzmq_ping(fixture.conn));
    assert_string_equal(kvzmq_session(fixture.conn)->role, "guest"); /* a second auth would have succeeded */
    end(&fixture);
    buffer_release(&wrong);
}

/* ---- Sessions that may have timed out --------------------------------------------------------- */

static void call__session_just_used__says_no_hello(void **state)
{
    (void)state;
    fixture_t fixture;
    begin(&fixture, NULL, 0);
    assert_ok(fixture.conn, kvzmq_connect(fixture.conn));
    uint32_t before = fixture.conn->msgid;
    assert_ok(fixture.conn, kvzmq_ping(fixture.conn));
    assert_int_equal(fixture.conn->msgid, before + 1);
    end(&fixture);
}

static void call__session_idle_for_nine_tenths_of_its_time__says_hello_first(void **state)
{
    (void)state;
    fixture_t fixture;
    begin(&fixture, NULL, 0);
    assert_ok(fixture.conn, kvzmq_connect(fixture.conn));
    fixture.conn->sent_ms -= IDLE_MS;
    uint32_t before = fixture.conn->msgid;
    assert_ok(fixture.conn, kvzmq_ping(fixture.conn));
    assert_int_equal(fixture.conn->msgid, before + 2);
    assert_int_equal(kvzmq_reconnects(fixture.conn), 0);
    end(&fixture);
}

static void call__session_timed_out_while_idle__tells_that_it_is_another_before_the_call(void **state)
{
    (void)state;
    static const fake_step_t steps[] = {
        {"hello", FAKE_RESULT,
         BYTES(HELLO("\xa5"
                     "40000",
                     "\xa1"
                     "e",
                     NIL))},
        {"hello", FAKE_RAW,
         BYTES("\x93\x02\xa3"
               "bye\x91\x81\xa6reason\xa7timeout"
               "\x94\x01" FAKE_MSGID NIL HELLO("\xa5"
                                               "40001",
                                               "\xa1"
                                               "f",
                                               NIL))},
    };
    fixture_t fixture;
    begin(&fixture, steps, COUNT(steps));
    assert_ok(fixture.conn, kvzmq_connect(fixture.conn));
    fixture.conn->sent_ms -= IDLE_MS * 2;
    assert_ok(fixture.conn, kvzmq_ping(fixture.conn));
    assert_int_equal(kvzmq_reconnects(fixture.conn), 1);
    assert_int_equal(fixture.notices.count[KVZMQ_NOTICE_BYE], 1);
    assert_int_equal(fixture.notices.count[KVZMQ_NOTICE_RECONNECTED], 1);
    assert_string_equal(fixture.notices.text[KVZMQ_NOTICE_NEW_CLIENT], "40001");
    assert_string_equal(fixture.notices.text[KVZMQ_NOTICE_NEW_EPOCH], "f");
    assert_string_equal(kvzmq_session(fixture.conn)->role, "manager"); /* it authenticated again */
    end(&fixture);
}

static void by_number__ids__are_told_from_names(void **state)
{
    (void)state;
    assert_true(session_by_number("40000"));
    assert_false(session_by_number("lamp"));
    assert_false(session_by_number("40000a"));
}

/* ---- Memory ----------------------------------------------------------------------------------- */

/* Makes a connection and a session, and is refused allocation number N, counted from 0, ONCE or with all that
 * follow. Returns whether there was such an allocation. */
static bool connect_without(fixture_t *fixture, int n, bool once)
{
    kvzmq_options_t options = options_to(fixture->fake.endpoint, &fixture->notices);
    options.name = "lamp";
    options.user = "adam";
    options.password = "eve";
    options.secret = kvzmq_text("0123456789abcdef");
    options.keep_alive = true;
    refuse_once = once;
    refused = 0;
    refuse_after = n;
    fixture->conn = kvzmq_new(&options);
    kvzmq_status_t status = fixture->conn != NULL ? kvzmq_connect(fixture->conn) : KVZMQ_NO_MEMORY;
    if (status == KVZMQ_OK)
        status = kvzmq_hello(fixture->conn);
    refuse_after = REFUSE_NEVER;
    if (once && status == KVZMQ_OK) /* it did with less */
        return refused > 0;
    assert_int_equal(status, refused > 0 ? KVZMQ_NO_MEMORY : KVZMQ_OK);
    if (fixture->conn != NULL && refused > 0)
        assert_true(kvzmq_error(fixture->conn)[0] != '\0');
    return refused > 0;
}

static void connect__each_allocation_refused_in_turn__says_so_and_the_next_call_succeeds(void **state)
{
    (void)state;
    fixture_t fixture = {.conn = NULL};
    fake_broker_start_usual(&fixture.fake, NULL, 0, usual, COUNT(usual));
    for (unsigned once = 0; once < 2; once++) {
        int granted = 0;
        for (; connect_without(&fixture, granted, once == 1); granted++) {
            if (fixture.conn == NULL)
                continue;
            assert_ok(fixture.conn, kvzmq_ping(fixture.conn));
            assert_true(fixture.conn->authenticated);
            assert_int_equal(kvzmq_reconnects(fixture.conn), 0);
            kvzmq_destroy(&fixture.conn);
        }
        assert_true(granted > 5);
        kvzmq_destroy(&fixture.conn);
    }
    fake_broker_stop(&fixture.fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connect__lost_before_hello_is_answered__begins_on_another_connection),
        cmocka_unit_test(connect__lost_before_auth_is_answered__is_unreachable_and_keeps_the_account),
        cmocka_unit_test(call__lost_before_auth_is_answered__is_sent_once_in_a_session_with_the_account),
        cmocka_unit_test(connect__broker_is_full__authenticates_before_hello_even_if_lost_between),
        cmocka_unit_test(bye__lost_before_its_answer__outcome_is_unknown_and_the_next_call_begins_anew),
        cmocka_unit_test(hello__only_a_late_answer_comes__is_not_taken_for_its_own),
        cmocka_unit_test(hello__result_that_is_none__begins_no_session),
        cmocka_unit_test(auth__refused__is_told_once_and_the_session_goes_on_as_a_guest),
        cmocka_unit_test(call__session_just_used__says_no_hello),
        cmocka_unit_test(call__session_idle_for_nine_tenths_of_its_time__says_hello_first),
        cmocka_unit_test(call__session_timed_out_while_idle__tells_that_it_is_another_before_the_call),
        cmocka_unit_test(by_number__ids__are_told_from_names),
        cmocka_unit_test(connect__each_allocation_refused_in_turn__says_so_and_the_next_call_succeeds),
    };
    return cmocka_run_group_tests_name("client_session", tests, NULL, NULL);
}
