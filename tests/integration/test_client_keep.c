/* SPDX-License-Identifier: MPL-2.0 */
/* The option keep_alive: a client without a name keeps its store while its program does something else for
 * longer than the session timeout, which is 3 seconds here. A test knows that this time has passed when the
 * broker has ended the session of a client without the option. */
#include "tests/support/client_fixture.h"

#include <poll.h>
#include <pthread.h>

#include "common/clock.h"
#include "tests/support/own_process.h"

enum { CHILD_LIMIT_S = 60, ROUNDS = 300 };

/* Makes COUNT idle sessions without keep_alive, one after the other, and waits until the broker has ended
 * each. *ENDED counts the sessions that it has ended so far. */
static void let_sessions_end(const broker_process_t *broker, unsigned count, unsigned *ended)
{
    while (count-- > 0) {
        kvzmq_t *idle = connect_to(broker, NULL);
        broker_process_wait_log(broker, "disconnected (timeout)", ++*ended);
        kvzmq_destroy(&idle);
    }
}

static kvzmq_t *connect_kept(const broker_process_t *broker, notices_t *notices)
{
    kvzmq_options_t options = options_for(broker, notices);
    options.keep_alive = true;
    return connect_to(broker, &options);
}

static void keep_alive__program_is_silent_for_longer_than_a_session__keeps_its_store(void **state)
{
    unsigned ended = 0;
    notices_t notices;
    kvzmq_t *conn = connect_kept(*state, NULL); /* a sanitizer may start a thread of its own with the first */
    kvzmq_destroy(&conn);
    unsigned threads = own_threads();
    conn = connect_kept(*state, &notices);
    assert_ok(conn, kvzmq_put(conn, NULL, kvzmq_text("city"), kvzmq_text("Kolkata"), NULL, NULL));
    let_sessions_end(*state, 1, &ended);
    assert_value(conn, NULL, "city", "Kolkata");
    assert_int_equal(kvzmq_reconnects(conn), 0);
    assert_int_equal(notices.count[KVZMQ_NOTICE_BYE], 0);
    kvzmq_destroy(&conn);
    assert_int_equal(own_threads_at_most(threads), threads);
}

static void keep_alive__after_a_bye_and_a_new_session__keeps_that(void **state)
{
    broker_process_t *broker = *state;
    unsigned ended = 0;
    kvzmq_t *conn = connect_kept(broker, NULL);
    assert_ok(conn, kvzmq_bye(conn));
    let_sessions_end(broker, 1, &ended); /* meanwhile there is no session to keep */
    assert_ok(conn, kvzmq_put(conn, NULL, kvzmq_text("city"), kvzmq_text("Mumbai"), NULL, NULL));
    let_sessions_end(broker, 1, &ended);
    assert_value(conn, NULL, "city", "Mumbai");
    assert_int_equal(kvzmq_reconnects(conn), 1);
    kvzmq_destroy(&conn);
}

static int setup_kept_ipc(void **state)
{
    static const char *const options[] = {"session/timeout=3", NULL};
    return setup_with(state, true, options);
}

static void keep_alive__broker_is_gone__leaves_connecting_to_the_next_call(void **state)
{
    broker_process_t *broker = *state;
    unsigned ended = 0;
    notices_t notices;
    kvzmq_t *conn = connect_kept(broker, &notices);
    broker_process_kill(broker);
    broker_process_restart(broker);
    let_sessions_end(broker, 1, &ended);
    assert_int_equal(kvzmq_reconnects(conn), 0);
    assert_int_equal(notices.count[KVZMQ_NOTICE_RECONNECTED], 0);
    assert_ok(conn, kvzmq_ping(conn));
    assert_int_equal(notices.count[KVZMQ_NOTICE_NEW_CLIENT], 1);
    assert_ok(conn, kvzmq_put(conn, NULL, kvzmq_text("city"), kvzmq_text("Mumbai"), NULL, NULL));
    let_sessions_end(broker, 1, &ended); /* the new session is kept too */
    assert_value(conn, NULL, "city", "Mumbai");
    kvzmq_destroy(&conn);
}

/* The keeper sends its notifications between the calls. */
static void keep_alive__busy_program__each_call_gets_its_own_answer(void **state)
{
    broker_process_t *broker = *state;
    kvzmq_t *conn = connect_kept(broker, NULL);
    for (unsigned i = 0; i < ROUNDS; i++) {
        char text[16];
        kvzmq_answer_t answer;
        kvzmq_batch_t *batch = kvzmq_batch_new(conn);
        (void)snprintf(text, sizeof text, "%u", i);
        assert_ok(conn, kvzmq_put(conn, NULL, kvzmq_text("k"), kvzmq_text(text), NULL, NULL));
        assert_int_equal(kvzmq_batch_get(batch, NULL, kvzmq_text("k"), NULL), KVZMQ_OK);
        assert_ok(conn, kvzmq_batch_send(&batch));
        assert_ok(conn, kvzmq_poll(conn, -1, &answer));
        assert_string_equal(answer.value.data, text);
    }
    assert_int_equal(kvzmq_reconnects(conn), 0);
    kvzmq_destroy(&conn);
}

/* The keeper's thread uses the socket too. It must not swallow the signal that wakes an event loop. */
static void keep_alive__event_loop__is_woken_by_each_change(void **state)
{
    broker_process_t *broker = *state;
    unsigned changes = 0;
    kvzmq_options_t options = options_for(broker, NULL);
    options.name = "lamp";
    options.keep_alive = true;
    kvzmq_t *lamp = connect_to(broker, &options);
    kvzmq_t *manager = connect_manager(broker);
    assert_ok(lamp, kvzmq_on_change(lamp, count_puts, &changes, NULL));
    int64_t until_ms = clock_monotonic_ms() + 2200; /* the keeper sends twice in this time */
    unsigned puts = 0;
    do {
        assert_status(lamp, KVZMQ_TIMEOUT, kvzmq_listen(lamp, 0));
        struct pollfd ready = {.fd = kvzmq_fd(lamp), .events = POLLIN};
        assert_true(ready.fd >= 0);
        assert_ok(manager, kvzmq_put(manager, "lamp", kvzmq_text("k"), kvzmq_text("v"), NULL, NULL));
        puts++;
        while (changes < puts) {
            assert_int_equal(poll(&ready, 1, TIMEOUT_MS), 1);
            kvzmq_status_t status = kvzmq_listen(lamp, 0);
            assert_true(status == KVZMQ_OK || status == KVZMQ_TIMEOUT);
            ready.fd = kvzmq_fd(lamp);
        }
    } while (clock_monotonic_ms() < until_ms);
    kvzmq_destroy(&manager);
    kvzmq_destroy(&lamp);
}

/* Puts a value, writes to READY, waits for GO, and reads the value again. Returns the exit status. */
static int keep_in_child(kvzmq_t *conn, int ready, int go)
{
    kvzmq_value_t value = {0};
    char byte = 0;
    if (kvzmq_put(conn, NULL, kvzmq_text("city"), kvzmq_text("Mumbai"), NULL, NULL) != KVZMQ_OK ||
        write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 1)
        return 1;
    if (kvzmq_get(conn, NULL, kvzmq_text("city"), &value) != KVZMQ_OK || strcmp(value.data, "Mumbai") != 0)
        return 2;
    kvzmq_value_release(&value);
    kvzmq_destroy(&conn);
    return 0;
}

static void keep_alive__fork__keeps_the_parents_session_and_the_childs(void **state)
{
    broker_process_t *broker = *state;
    unsigned ended = 0;
    int status;
    int ready[2];
    int go[2];
    char byte = 0;
    kvzmq_t *conn = connect_kept(broker, NULL);
    assert_ok(conn, kvzmq_put(conn, NULL, kvzmq_text("city"), kvzmq_text("Kolkata"), NULL, NULL));
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)alarm(CHILD_LIMIT_S);
        _exit(keep_in_child(conn, ready[1], go[0]));
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    let_sessions_end(broker, 1, &ended);
    assert_int_equal(write(go[1], &byte, 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_value(conn, NULL, "city", "Kolkata");
    assert_int_equal(kvzmq_reconnects(conn), 0);
    kvzmq_destroy(&conn);
    (void)close(ready[0]);
    (void)close(go[0]);
    (void)close(go[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            keep_alive__program_is_silent_for_longer_than_a_session__keeps_its_store, setup_kept, teardown),
        cmocka_unit_test_setup_teardown(keep_alive__after_a_bye_and_a_new_session__keeps_that, setup_kept,
                                        teardown),
        cmocka_unit_test_setup_teardown(keep_alive__broker_is_gone__leaves_connecting_to_the_next_call,
                                        setup_kept_ipc, teardown),
        cmocka_unit_test_setup_teardown(keep_alive__busy_program__each_call_gets_its_own_answer, setup_kept,
                                        teardown),
        cmocka_unit_test_setup_teardown(keep_alive__event_loop__is_woken_by_each_change, setup_kept,
                                        teardown),
        cmocka_unit_test_setup_teardown(keep_alive__fork__keeps_the_parents_session_and_the_childs,
                                        setup_kept, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
