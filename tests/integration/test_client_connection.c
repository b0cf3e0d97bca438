/* SPDX-License-Identifier: MPL-2.0 */
/* libkvzmq's connections: nobody listens, nobody answers, and what happens if a broker or a session ends. */
#include "tests/support/client_fixture.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include "common/clock.h"
#include "common/utf8.h"
#include "tests/support/own_process.h"
#include "tests/support/tcp.h"

enum {
    SLACK_MS = 5000, /* how much later than its limit a call may return on a busy machine */
    ALARM_US = 20000
};

static void connect__nobody_listens__is_unreachable_within_the_limit(void **state)
{
    (void)state;
    char endpoint[64];
    int fd = tcp_bind(false, endpoint);
    kvzmq_t *conn = conn_to(endpoint, 300, false);
    int64_t start = clock_monotonic_ms();
    assert_status(conn, KVZMQ_UNREACHABLE, kvzmq_connect(conn));
    int64_t took = clock_monotonic_ms() - start;
    assert_true(took >= 290 && took < 300 + SLACK_MS);
    assert_non_null(strstr(kvzmq_error(conn), endpoint));
    assert_null(kvzmq_session(conn));
    kvzmq_destroy(&conn);
    assert_null(conn);
    (void)close(fd);
}

static void connect_once__nobody_listens__is_unreachable_at_once(void **state)
{
    (void)state;
    char endpoint[64];
    int fd = tcp_bind(false, endpoint);
    kvzmq_t *conn = conn_to(endpoint, 60000, true);
    int64_t start = clock_monotonic_ms();
    assert_status(conn, KVZMQ_UNREACHABLE,
                  kvzmq_put(conn, NULL, kvzmq_text("k"), kvzmq_text("v"), NULL, NULL));
    assert_true(clock_monotonic_ms() - start < SLACK_MS);
    kvzmq_destroy(&conn);
    (void)close(fd);
}

static void connect__listener_that_says_nothing__is_timeout(void **state)
{
    (void)state;
    char endpoint[64];
    int fd = tcp_bind(true, endpoint);
    kvzmq_t *conn = conn_to(endpoint, 200, false);
    assert_status(conn, KVZMQ_TIMEOUT, kvzmq_connect(conn));
    assert_non_null(strstr(kvzmq_error(conn), endpoint));
    kvzmq_destroy(&conn);
    (void)close(fd);
}

/* Accepts one connection and answers like a web server. */
static void *serve_http(void *context)
{
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    int fd = accept(*(const int *)context, NULL, NULL);
    if (fd >= 0) {
        (void)send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
        (void)close(fd);
    }
    return NULL;
}

static void connect__listener_of_another_protocol__is_unreachable_and_says_so(void **state)
{
    (void)state;
    char endpoint[64];
    pthread_t thread;
    int fd = tcp_bind(true, endpoint);
    kvzmq_t *conn = conn_to(endpoint, 20000, true);
    assert_int_equal(pthread_create(&thread, NULL, serve_http, &fd), 0);
    assert_status(conn, KVZMQ_UNREACHABLE, kvzmq_connect(conn));
    assert_non_null(strstr(kvzmq_error(conn), "not a kvbroker"));
    assert_int_equal(pthread_join(thread, NULL), 0);
    kvzmq_destroy(&conn);
    (void)close(fd);
}

static void connect__ipc_path_that_is_not_there__is_unreachable(void **state)
{
    (void)state;
    kvzmq_t *conn = conn_to("ipc:///nonexistent/kvbroker", 60000, true);
    assert_status(conn, KVZMQ_UNREACHABLE, kvzmq_ping(conn));
    kvzmq_destroy(&conn);
}

static void connect__what_is_no_endpoint__is_invalid(void **state)
{
    (void)state;
    static const char *const endpoints[] = {"", "nonsense", "tcp://x", "udp://127.0.0.1:5000",
                                            "tcp://127.0.0.1:http"};
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
        kvzmq_t *conn = conn_to(endpoints[i], 60000, true);
        assert_status(conn, KVZMQ_INVALID_ARGUMENT, kvzmq_connect(conn));
        kvzmq_destroy(&conn);
    }
}

/* Asserts what is promised for every error text: one line of UTF-8 without control characters. */
static void assert_plain_line(const char *text)
{
    assert_true(strlen(text) > 0);
    assert_true(utf8_valid(bytes_from_text(text)));
    for (const char *at = text; *at != '\0'; at++)
        assert_true((unsigned char)*at >= 0x20 && *at != 0x7f);
}

static void error__endpoint_of_any_bytes__is_one_line_of_utf8(void **state)
{
    (void)state;
    char long_one[700] = "ipc:///";
    memset(long_one + 7, 0xc3, sizeof long_one - 8); /* many first halves of a character */
    const char *const endpoints[] = {
        "a\nb",  "tcp://\x1b[31m:1", "ipc:///nowhere/\n\x1b]0;\xff\x07", "ipc:///\xe2\x80", "udp://\x7f\t",
        long_one};
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
        kvzmq_t *conn = conn_to(endpoints[i], 200, true);
        assert_int_not_equal(kvzmq_connect(conn), KVZMQ_OK);
        assert_plain_line(kvzmq_error(conn));
        assert_int_not_equal(kvzmq_ping(conn), KVZMQ_OK);
        assert_plain_line(kvzmq_error(conn));
        kvzmq_options_t options;
        kvzmq_options_init(&options);
        options.endpoint = endpoints[i];
        kvzmq_watch_t *watch = kvzmq_watch_new(&options, NULL);
        kvzmq_event_t event;
        kvzmq_status_t status = kvzmq_watch_next(watch, -1, &event);
        if (status == KVZMQ_OK)
            assert_int_equal(event.kind, KVZMQ_EVENT_LOST);
        assert_plain_line(status == KVZMQ_OK ? event.value.data : kvzmq_watch_error(watch));
        kvzmq_watch_destroy(&watch);
        kvzmq_destroy(&conn);
    }
}

static void options__not_valid__is_told_by_every_call(void **state)
{
    (void)state;
    kvzmq_options_t options;
    kvzmq_options_init(&options);
    options.name = "4711"; /* only digits: a number, not a name */
    kvzmq_t *conn = kvzmq_new(&options);
    assert_non_null(conn);
    assert_status(conn, KVZMQ_INVALID_ARGUMENT, kvzmq_connect(conn));
    assert_non_null(strstr(kvzmq_error(conn), "name"));
    assert_status(conn, KVZMQ_INVALID_ARGUMENT, kvzmq_ping(conn));
    kvzmq_destroy(&conn);
}

static void options__not_initialised__is_invalid(void **state)
{
    (void)state;
    kvzmq_options_t options = {0};
    kvzmq_t *conn = kvzmq_new(&options);
    assert_non_null(conn);
    assert_status(conn, KVZMQ_INVALID_ARGUMENT, kvzmq_connect(conn));
    kvzmq_destroy(&conn);
}

static void connect__says_who_one_is(void **state)
{
    kvzmq_t *conn = connect_to(*state, NULL);
    const kvzmq_session_t *session = kvzmq_session(conn);
    assert_int_equal(strspn(session->client, "0123456789"), strlen(session->client));
    assert_string_equal(session->role, "guest");
    assert_memory_equal(session->broker, "kvbroker ", 9);
    assert_true(session->epoch[0] != '\0');
    assert_int_equal(session->protocol, 1);
    assert_int_equal(session->timeout_ms, 60000);
    assert_int_equal(session->limit_message, 8388608);
    assert_int_equal(session->limit_batch, 4096);
    assert_int_equal(kvzmq_reconnects(conn), 0);
    kvzmq_destroy(&conn);
}

static void *connect_thread(void *context)
{
    return (void *)(intptr_t)kvzmq_connect(context);
}

static void connect__broker_that_starts_meanwhile__is_found(void **state)
{
    broker_process_t *broker = *state;
    kvzmq_options_t options = options_for(broker, NULL);
    kvzmq_t *conn = kvzmq_new(&options);
    pthread_t thread;
    void *status = NULL;
    broker_process_kill(broker);
    assert_int_equal(pthread_create(&thread, NULL, connect_thread, conn), 0);
    (void)poll(NULL, 0, 50); /* so that some attempts fail; the result does not depend on it */
    broker_process_restart(broker);
    assert_int_equal(pthread_join(thread, &status), 0);
    assert_ok(conn, (kvzmq_status_t)(intptr_t)status);
    kvzmq_destroy(&conn);
}

static void call__broker_restarted_since__reconnects_and_tells(void **state)
{
    broker_process_t *broker = *state;
    notices_t notices;
    kvzmq_options_t options = options_for(broker, &notices);
    options.name = "lamp";
    kvzmq_t *conn = connect_to(broker, &options);
    char epoch[sizeof kvzmq_session(conn)->epoch];
    memcpy(epoch, kvzmq_session(conn)->epoch, sizeof epoch);
    broker_process_kill(broker);
    broker_process_restart(broker);

    assert_ok(conn, kvzmq_ping(conn));
    assert_int_equal(kvzmq_reconnects(conn), 1);
    assert_string_not_equal(kvzmq_session(conn)->epoch, epoch);
    assert_int_equal(notices.count[KVZMQ_NOTICE_RECONNECTED], 1);
    assert_string_equal(notices.text[KVZMQ_NOTICE_RECONNECTED], "lamp");
    assert_int_equal(notices.count[KVZMQ_NOTICE_NEW_EPOCH], 1);
    assert_string_equal(notices.text[KVZMQ_NOTICE_NEW_EPOCH], kvzmq_session(conn)->epoch);
    assert_int_equal(notices.count[KVZMQ_NOTICE_NEW_CLIENT], 0);
    kvzmq_destroy(&conn);
}

static void call__client_by_number_reconnected__is_told_to_be_another(void **state)
{
    broker_process_t *broker = *state;
    notices_t notices;
    kvzmq_options_t options = options_for(broker, &notices);
    kvzmq_t *conn = connect_to(broker, &options);
    broker_process_kill(broker);
    broker_process_restart(broker); /* the new broker gives the same number again */
    assert_ok(conn, kvzmq_ping(conn));
    assert_int_equal(notices.count[KVZMQ_NOTICE_NEW_CLIENT], 1);
    assert_string_equal(notices.text[KVZMQ_NOTICE_NEW_CLIENT], kvzmq_session(conn)->client);
    kvzmq_destroy(&conn);
}

static void put__broker_gone_since__is_unreachable_and_was_not_sent(void **state)
{
    broker_process_t *broker = *state;
    kvzmq_options_t options = options_for(broker, NULL);
    options.call_ms = 300;
    kvzmq_t *conn = connect_to(broker, &options);
    broker_process_kill(broker);
    /* After this ping the library knows that the broker is gone. Before, a put could go into the dying
     * connection, and its outcome would be unknown. */
    assert_status(conn, KVZMQ_UNREACHABLE, kvzmq_ping(conn));
    assert_status(conn, KVZMQ_UNREACHABLE,
                  kvzmq_put(conn, NULL, kvzmq_text("k"), kvzmq_text("v"), NULL, NULL));
    assert_non_null(strstr(kvzmq_error(conn), broker->endpoint));
    assert_int_equal(kvzmq_fd(conn), -1);
    kvzmq_destroy(&conn);
}

static uint64_t stat_of(kvzmq_t *conn, const char *wanted)
{
    kvzmq_page_t *page = NULL;
    const char *name;
    uint64_t number;
    uint64_t found = UINT64_MAX;
    assert_ok(conn, kvzmq_stats(conn, &page));
    while (kvzmq_page_next_stat(page, &name, &number))
        if (strcmp(name, wanted) == 0)
            found = number;
    kvzmq_page_destroy(&page);
    assert_true(found != UINT64_MAX);
    return found;
}

/* Calls until the broker answers in time again. On a busy machine that can take several calls. */
static void wait_answers(kvzmq_t *conn)
{
    int64_t deadline = clock_monotonic_ms() + TIMEOUT_MS;
    kvzmq_status_t status;
    do
        status = kvzmq_ping(conn);
    while (status != KVZMQ_OK && clock_monotonic_ms() < deadline);
    assert_ok(conn, status);
}

static void put__broker_stopped_meanwhile__outcome_is_unknown_and_it_is_not_repeated(void **state)
{
    broker_process_t *broker = *state;
    kvzmq_options_t options = options_for(broker, NULL);
    options.name = "lamp";
    options.call_ms = 300;
    kvzmq_t *lamp = connect_to(broker, &options);
    kvzmq_t *manager = connect_manager(broker);

    broker_process_signal(broker, SIGSTOP);
    uint64_t revision = 4711;
    assert_status(lamp, KVZMQ_OUTCOME_UNKNOWN,
                  kvzmq_put(lamp, NULL, kvzmq_text("colour"), kvzmq_text("red"), NULL, &revision));
    assert_int_equal(revision, 4711);
    assert_non_null(strstr(kvzmq_error(lamp), "may or may not"));
    broker_process_signal(broker, SIGCONT);

    wait_answers(lamp);
    assert_true(kvzmq_reconnects(lamp) >= 1);
    assert_value(manager, "lamp", "colour", "red");
    assert_int_equal(stat_of(manager, "puts_total"), 1);
    kvzmq_destroy(&manager);
    kvzmq_destroy(&lamp);
}

static void get__broker_stopped__is_timeout_and_the_next_call_reconnects(void **state)
{
    broker_process_t *broker = *state;
    kvzmq_options_t options = options_for(broker, NULL);
    options.call_ms = 300;
    kvzmq_t *conn = connect_to(broker, &options);
    kvzmq_value_t value = {0};
    broker_process_signal(broker, SIGSTOP);
    assert_status(conn, KVZMQ_TIMEOUT, kvzmq_get(conn, NULL, kvzmq_text("k"), &value));
    assert_null(value.data);
    assert_status(conn, KVZMQ_TIMEOUT, kvzmq_put(conn, NULL, kvzmq_text("k"), kvzmq_text("v"), NULL, NULL));
    broker_process_signal(broker, SIGCONT);
    wait_answers(conn);
    assert_true(kvzmq_reconnects(conn) >= 1);
    /* The put timed out while the new connection was being made, so it was not sent. */
    assert_status(conn, KVZMQ_ABSENT, kvzmq_get(conn, NULL, kvzmq_text("k"), &value));
    kvzmq_destroy(&conn);
}

static void call__after_shutdown__was_told_bye_and_is_unreachable(void **state)
{
    broker_process_t *broker = *state;
    notices_t notices;
    kvzmq_options_t options = options_for(broker, &notices);
    options.call_ms = 500;
    kvzmq_t *conn = connect_to(broker, &options);
    broker_process_signal(broker, SIGTERM);
    broker_process_wait_log(broker, "Bye\n", 1);
    assert_status(conn, KVZMQ_UNREACHABLE, kvzmq_ping(conn));
    assert_int_equal(notices.count[KVZMQ_NOTICE_BYE], 1);
    assert_string_equal(notices.text[KVZMQ_NOTICE_BYE], "shutdown");
    kvzmq_destroy(&conn);
}

static void call__session_timed_out__is_a_new_client_on_the_same_connection(void **state)
{
    broker_process_t *broker = *state;
    notices_t notices;
    kvzmq_options_t options = options_for(broker, &notices);
    kvzmq_t *conn = connect_to(broker, &options);
    int fd = kvzmq_fd(conn);
    assert_ok(conn, kvzmq_put(conn, NULL, kvzmq_text("city"), kvzmq_text("Kolkata"), NULL, NULL));
    char client[sizeof kvzmq_session(conn)->client];
    memcpy(client, kvzmq_session(conn)->client, sizeof client);
    broker_process_wait_log(broker, "disconnected (timeout)", 1);

    kvzmq_value_t value = {0};
    assert_status(conn, KVZMQ_ABSENT, kvzmq_get(conn, NULL, kvzmq_text("city"), &value));
    assert_int_equal(kvzmq_fd(conn), fd);
    assert_int_equal(kvzmq_reconnects(conn), 1);
    assert_string_not_equal(kvzmq_session(conn)->client, client);
    assert_string_equal(notices.text[KVZMQ_NOTICE_BYE], "timeout");
    assert_string_equal(notices.text[KVZMQ_NOTICE_NEW_CLIENT], kvzmq_session(conn)->client);
    kvzmq_destroy(&conn);
}

static void call__named_session_timed_out__finds_its_store_again(void **state)
{
    broker_process_t *broker = *state;
    notices_t notices;
    kvzmq_options_t options = options_for(broker, &notices);
    options.name = "lamp";
    options.secret = kvzmq_text("a secret of sixteen bytes or more");
    options.user = BROKER_USER;
    options.password = BROKER_PASSWORD;
    kvzmq_t *conn = connect_to(broker, &options);
    assert_ok(conn, kvzmq_put(conn, NULL, kvzmq_text("colour"), kvzmq_text("red"), NULL, NULL));
    broker_process_wait_log(broker, "disconnected (timeout)", 1);
    assert_value(conn, NULL, "colour", "red"); /* the library sent the secret again */
    assert_int_equal(notices.count[KVZMQ_NOTICE_RECONNECTED], 1);
    assert_int_equal(notices.count[KVZMQ_NOTICE_NEW_CLIENT], 0);
    assert_string_equal(kvzmq_session(conn)->role, "manager"); /* and the account */
    kvzmq_destroy(&conn);
}

static void bye__then_another_call__begins_a_new_session(void **state)
{
    broker_process_t *broker = *state;
    kvzmq_t *conn = connect_to(broker, NULL);
    assert_ok(conn, kvzmq_bye(conn));
    broker_process_wait_log(broker, "disconnected (bye)", 1);
    assert_ok(conn, kvzmq_bye(conn)); /* without a session it does nothing */
    assert_ok(conn, kvzmq_ping(conn));
    assert_int_equal(kvzmq_reconnects(conn), 1);
    kvzmq_destroy(&conn);
    broker_process_wait_log(broker, "disconnected (lost)", 1);
}

static void connect__interrupted__returns_when_told_to(void **state)
{
    (void)state;
    char refusing[64];
    char silent[64];
    int fds[] = {tcp_bind(false, refusing), tcp_bind(true, silent)};
    const char *endpoints[] = {refusing, silent};
    struct sigaction before;
    own_alarms_begin(ALARM_US, &before);
    for (size_t i = 0; i < 2; i++) {
        unsigned asked = 0;
        kvzmq_options_t options;
        kvzmq_options_init(&options);
        options.endpoint = endpoints[i];
        options.connect_ms = 60000;
        options.interrupted = own_stop_at_third;
        options.context = &asked;
        kvzmq_t *conn = kvzmq_new(&options);
        assert_status(conn, KVZMQ_INTERRUPTED, kvzmq_connect(conn));
        assert_int_equal(asked, 3);
        kvzmq_destroy(&conn);
        (void)close(fds[i]);
    }
    own_alarms_end(&before);
}

static void get__interrupted__returns_when_told_to_and_the_connection_stays(void **state)
{
    broker_process_t *broker = *state;
    unsigned asked = 0;
    kvzmq_options_t options = options_for(broker, NULL);
    options.name = "lamp";
    options.interrupted = own_stop_at_third;
    options.context = &asked;
    kvzmq_t *conn = connect_to(broker, &options);
    assert_ok(conn, kvzmq_put(conn, NULL, kvzmq_text("colour"), kvzmq_text("red"), NULL, NULL));

    struct sigaction before;
    kvzmq_value_t value = {0};
    asked = 0;
    broker_process_signal(broker, SIGSTOP);
    own_alarms_begin(ALARM_US, &before);
    assert_status(conn, KVZMQ_INTERRUPTED, kvzmq_get(conn, NULL, kvzmq_text("colour"), &value));
    own_alarms_end(&before);
    broker_process_signal(broker, SIGCONT);
    assert_true(atomic_load(&own_alarm_count) >= 3);

    /* The late answer to the interrupted call must not be taken for the answer to another call. */
    assert_status(conn, KVZMQ_ABSENT, kvzmq_get(conn, NULL, kvzmq_text("shape"), &value));
    assert_value(conn, NULL, "colour", "red");
    assert_int_equal(kvzmq_reconnects(conn), 0);
    kvzmq_destroy(&conn);
}

static void connections__many_in_one_context__are_clients_of_their_own(void **state)
{
    enum { COUNT = 16 };
    kvzmq_t *conns[COUNT];
    kvzmq_options_t options = options_for(*state, NULL);
    options.zmq_context = zmq_ctx_new();
    assert_non_null(options.zmq_context);
    for (size_t i = 0; i < COUNT; i++) {
        conns[i] = connect_to(*state, &options);
        char text[16];
        (void)snprintf(text, sizeof text, "%zu", i);
        assert_ok(conns[i], kvzmq_put(conns[i], NULL, kvzmq_text("mine"), kvzmq_text(text), NULL, NULL));
    }
    for (size_t i = 0; i < COUNT; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%zu", i);
        assert_value(conns[i], NULL, "mine", text);
        kvzmq_destroy(&conns[i]);
    }
    assert_int_equal(zmq_ctx_term(options.zmq_context), 0); /* would hang if a socket were still open */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connect__nobody_listens__is_unreachable_within_the_limit),
        cmocka_unit_test(connect_once__nobody_listens__is_unreachable_at_once),
        cmocka_unit_test(connect__listener_that_says_nothing__is_timeout),
        cmocka_unit_test(connect__listener_of_another_protocol__is_unreachable_and_says_so),
        cmocka_unit_test(connect__interrupted__returns_when_told_to),
        cmocka_unit_test(connect__ipc_path_that_is_not_there__is_unreachable),
        cmocka_unit_test(connect__what_is_no_endpoint__is_invalid),
        cmocka_unit_test(error__endpoint_of_any_bytes__is_one_line_of_utf8),
        cmocka_unit_test(options__not_valid__is_told_by_every_call),
        cmocka_unit_test(options__not_initialised__is_invalid),
        cmocka_unit_test_setup_teardown(connect__says_who_one_is, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(connect__broker_that_starts_meanwhile__is_found, setup_ipc, teardown),
        cmocka_unit_test_setup_teardown(call__broker_restarted_since__reconnects_and_tells, setup_ipc,
                                        teardown),
        cmocka_unit_test_setup_teardown(call__client_by_number_reconnected__is_told_to_be_another, setup_ipc,
                                        teardown),
        cmocka_unit_test_setup_teardown(put__broker_gone_since__is_unreachable_and_was_not_sent, setup_tcp,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            put__broker_stopped_meanwhile__outcome_is_unknown_and_it_is_not_repeated, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(get__broker_stopped__is_timeout_and_the_next_call_reconnects,
                                        setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(call__after_shutdown__was_told_bye_and_is_unreachable, setup_tcp,
                                        teardown),
        cmocka_unit_test_setup_teardown(call__session_timed_out__is_a_new_client_on_the_same_connection,
                                        setup_brief, teardown),
        cmocka_unit_test_setup_teardown(call__named_session_timed_out__finds_its_store_again, setup_brief,
                                        teardown),
        cmocka_unit_test_setup_teardown(bye__then_another_call__begins_a_new_session, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(get__interrupted__returns_when_told_to_and_the_connection_stays,
                                        setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(connections__many_in_one_context__are_clients_of_their_own, setup_tcp,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
