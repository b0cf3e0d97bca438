/* SPDX-License-Identifier: MPL-2.0 */
/* libkvzmq in the child of a fork. A connection continues there as another session and does not disturb the
 * parent's. A watch and a mirror fail with an error that says so. */
#include "tests/support/client_fixture.h"

#include <poll.h>
#include <zmq.h>

#include "common/clock.h"
#include "tests/support/own_process.h"

enum {
    CHILD_LIMIT_S = 60,     /* the system ends a child that hangs */
    CHILD_CPU_MAX_MS = 2000 /* most CPU time of a child; libzmq alone would use all it gets */
};

/* What a child does with an object that its parent made. Returns 0, or the line of the check that failed. */
typedef int child_fn(void *context);

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            return __LINE__;                                                                                 \
    } while (0)

/* Runs DO_IT in a child process, which must succeed. */
static void run_child(child_fn *do_it, void *context)
{
    int status;
    int line[2];
    int failed = 0;
    struct rusage usage;
    assert_int_equal(pipe(line), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)alarm(CHILD_LIMIT_S);
        failed = do_it(context);
        (void)!write(line[1], &failed, sizeof failed);
        _exit(failed != 0);
    }
    assert_int_equal(wait4(pid, &status, 0, &usage), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        (void)close(line[1]);
        (void)!read(line[0], &failed, sizeof failed);
        fail_msg("the child ended with status %d, at line %d", status, failed);
    }
    (void)close(line[0]);
    (void)close(line[1]);
    assert_true(usage.ru_utime.tv_sec * 1000 + usage.ru_utime.tv_usec / 1000 < CHILD_CPU_MAX_MS);
}

/* ---- Connections -------------------------------------------------------------------------------- */

static int use_connection(void *context)
{
    kvzmq_t *conn = context;
    kvzmq_value_t value = {0};
    char parents[sizeof kvzmq_session(conn)->client];
    (void)snprintf(parents, sizeof parents, "%s", kvzmq_session(conn)->client);
    CHECK(kvzmq_fd(conn) == -1);
    CHECK(kvzmq_get(conn, NULL, kvzmq_text("city"), &value) == KVZMQ_ABSENT);
    CHECK(strcmp(kvzmq_session(conn)->client, parents) != 0);
    CHECK(kvzmq_reconnects(conn) == 1);
    CHECK(kvzmq_put(conn, NULL, kvzmq_text("city"), kvzmq_text("Mumbai"), NULL, NULL) == KVZMQ_OK);
    CHECK(kvzmq_get(conn, NULL, kvzmq_text("city"), &value) == KVZMQ_OK);
    CHECK(strcmp(value.data, "Mumbai") == 0);
    kvzmq_value_release(&value);
    CHECK(kvzmq_bye(conn) == KVZMQ_OK);
    kvzmq_destroy(&conn);
    return 0;
}

static void connection__used_in_a_child__is_another_session_there(void **state)
{
    kvzmq_t *conn = connect_to(*state, NULL);
    assert_ok(conn, kvzmq_put(conn, NULL, kvzmq_text("city"), kvzmq_text("Kolkata"), NULL, NULL));
    run_child(use_connection, conn);
    assert_value(conn, NULL, "city", "Kolkata");
    assert_int_equal(kvzmq_reconnects(conn), 0);
    kvzmq_destroy(&conn);
}

static int end_connection(void *context)
{
    kvzmq_t *conn = context;
    CHECK(kvzmq_bye(conn) == KVZMQ_OK); /* it has no session in this process, so this does nothing */
    kvzmq_destroy(&conn);
    return 0;
}

static int destroy_connection(void *context)
{
    kvzmq_t *conn = context;
    kvzmq_destroy(&conn);
    return 0;
}

static void connection__ended_in_a_child__is_unharmed_in_the_parent(void **state)
{
    kvzmq_t *conn = connect_to(*state, NULL);
    assert_ok(conn, kvzmq_put(conn, NULL, kvzmq_text("city"), kvzmq_text("Kolkata"), NULL, NULL));
    run_child(end_connection, conn);
    run_child(destroy_connection, conn);
    assert_value(conn, NULL, "city", "Kolkata");
    assert_int_equal(kvzmq_reconnects(conn), 0);
    kvzmq_destroy(&conn);
}

static int use_grandchild(void *context)
{
    kvzmq_t *conn = context;
    CHECK(kvzmq_ping(conn) == KVZMQ_OK);
    pid_t pid = fork(); /* like programs that fork twice to become a daemon */
    CHECK(pid >= 0);
    if (pid == 0) {
        (void)alarm(CHILD_LIMIT_S);
        _exit(kvzmq_ping(conn) == KVZMQ_OK && kvzmq_reconnects(conn) == 2 ? 0 : 1);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(kvzmq_ping(conn) == KVZMQ_OK && kvzmq_reconnects(conn) == 1);
    return 0;
}

static void connection__used_in_a_grandchild__is_another_session_in_each(void **state)
{
    kvzmq_t *conn = connect_to(*state, NULL);
    run_child(use_grandchild, conn);
    assert_ok(conn, kvzmq_ping(conn));
    assert_int_equal(kvzmq_reconnects(conn), 0);
    kvzmq_destroy(&conn);
}

static int use_before_connected(void *context)
{
    kvzmq_t *conn = context;
    CHECK(kvzmq_ping(conn) == KVZMQ_OK && kvzmq_reconnects(conn) == 0);
    kvzmq_destroy(&conn);
    return 0;
}

static void connection__not_connected_before_the_fork__connects_in_the_child(void **state)
{
    kvzmq_options_t options = options_for(*state, NULL);
    kvzmq_t *conn = kvzmq_new(&options);
    assert_non_null(conn);
    run_child(use_before_connected, conn);
    assert_ok(conn, kvzmq_ping(conn));
    kvzmq_destroy(&conn);
}

static int poll_batch(void *context)
{
    kvzmq_t *conn = context;
    kvzmq_answer_t answer;
    CHECK(kvzmq_poll(conn, -1, &answer) == KVZMQ_OK);
    CHECK(answer.status == KVZMQ_OUTCOME_UNKNOWN);
    CHECK(kvzmq_poll(conn, -1, &answer) == KVZMQ_OK);
    CHECK(answer.status == KVZMQ_UNREACHABLE);
    CHECK(kvzmq_poll(conn, -1, &answer) == KVZMQ_ABSENT);
    return 0;
}

static void batch__in_flight_at_the_fork__is_answered_in_the_parent_and_unknown_in_the_child(void **state)
{
    kvzmq_t *conn = connect_to(*state, NULL);
    kvzmq_answer_t answer;
    kvzmq_batch_t *batch = kvzmq_batch_new(conn);
    assert_int_equal(kvzmq_batch_put(batch, NULL, kvzmq_text("k"), kvzmq_text("v"), NULL, NULL), KVZMQ_OK);
    assert_int_equal(kvzmq_batch_get(batch, NULL, kvzmq_text("k"), NULL), KVZMQ_OK);
    assert_ok(conn, kvzmq_batch_send(&batch));
    run_child(poll_batch, conn);
    assert_ok(conn, kvzmq_poll(conn, -1, &answer));
    assert_int_equal(answer.status, KVZMQ_OK);
    assert_ok(conn, kvzmq_poll(conn, -1, &answer));
    assert_int_equal(answer.status, KVZMQ_OK);
    kvzmq_destroy(&conn);
}

static int use_foreign_context(void *context)
{
    kvzmq_t *conn = context;
    CHECK(kvzmq_ping(conn) == KVZMQ_FAILED_PRECONDITION);
    CHECK(strstr(kvzmq_error(conn), "fork") != NULL);
    kvzmq_destroy(&conn);
    return 0;
}

static void connection__in_the_applications_context__says_that_it_does_not_work_in_a_child(void **state)
{
    kvzmq_options_t options = options_for(*state, NULL);
    options.zmq_context = zmq_ctx_new();
    assert_non_null(options.zmq_context);
    kvzmq_t *conn = connect_to(*state, &options);
    run_child(use_foreign_context, conn);
    assert_ok(conn, kvzmq_ping(conn));
    kvzmq_destroy(&conn);
    assert_int_equal(zmq_ctx_term(options.zmq_context), 0);
}

/* Like a daemon: connects, forks and ends, while the child continues until HOLD is closed. */
static void become_daemon(kvzmq_t *conn, int hold)
{
    char byte;
    kvzmq_status_t status = kvzmq_connect(conn);
    if (status != KVZMQ_OK)
        _exit(1);
    if (fork() != 0)
        _exit(0);
    (void)alarm(CHILD_LIMIT_S);
    status = kvzmq_ping(conn);
    (void)!read(hold, &byte, 1);
    _exit(status != KVZMQ_OK);
}

static void parent__ends_while_the_child_goes_on__has_its_session_ended_at_once(void **state)
{
    broker_process_t *broker = *state;
    int hold[2];
    int status;
    kvzmq_options_t options = options_for(broker, NULL);
    kvzmq_t *conn = kvzmq_new(&options);
    assert_non_null(conn);
    assert_int_equal(pipe(hold), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(hold[1]);
        become_daemon(conn, hold[0]);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    broker_process_wait_log(broker, "disconnected (lost)", 1); /* "lost", not "timeout" after 60 s */
    (void)close(hold[0]);
    (void)close(hold[1]);
    broker_process_wait_log(broker, "disconnected (lost)", 2);
    kvzmq_destroy(&conn);
}

/* ---- Watches and mirrors ------------------------------------------------------------------------ */

typedef struct followers {
    kvzmq_watch_t *watch;
    kvzmq_mirror_t *mirror;
} followers_t;

static int use_followers(void *context)
{
    followers_t *followers = context;
    kvzmq_event_t event;
    kvzmq_value_t value = {0};
    kvzmq_mirror_state_t mirror_state;
    kvzmq_page_t *page = NULL;
    CHECK(kvzmq_watch_next(followers->watch, -1, &event) == KVZMQ_FAILED_PRECONDITION);
    CHECK(strstr(kvzmq_watch_error(followers->watch), "fork") != NULL);
    CHECK(kvzmq_watch_fd(followers->watch) == -1);
    CHECK(kvzmq_mirror_wait(followers->mirror, UINT64_MAX, -1) == KVZMQ_FAILED_PRECONDITION);
    CHECK(strstr(kvzmq_mirror_error(followers->mirror), "fork") != NULL);
    CHECK(kvzmq_mirror_get(followers->mirror, "lamp", kvzmq_text("k"), &value, NULL) ==
          KVZMQ_FAILED_PRECONDITION);
    CHECK(kvzmq_mirror_list(followers->mirror, "lamp", NULL, &page) == KVZMQ_FAILED_PRECONDITION);
    CHECK(kvzmq_mirror_next_store(followers->mirror, NULL, &value) == KVZMQ_FAILED_PRECONDITION);
    kvzmq_mirror_state(followers->mirror, &mirror_state);
    CHECK(mirror_state.failure == KVZMQ_FAILED_PRECONDITION && !mirror_state.ready);
    kvzmq_watch_destroy(&followers->watch);
    kvzmq_mirror_destroy(&followers->mirror);
    return 0;
}

static void watch_and_mirror__in_a_child__say_so_and_go_on_in_the_parent(void **state)
{
    broker_process_t *broker = *state;
    kvzmq_options_t options = manager_options(broker);
    kvzmq_t *lamp = connect_named(broker, "lamp");
    followers_t followers = {.watch = kvzmq_watch_new(&options, NULL),
                             .mirror = kvzmq_mirror_new(&options, NULL, (kvzmq_slice_t){0})};
    assert_non_null(followers.watch);
    assert_non_null(followers.mirror);
    assert_int_equal(kvzmq_mirror_wait(followers.mirror, 0, TIMEOUT_MS), KVZMQ_OK);
    for (unsigned i = 0; i < 10; i++) /* the threads are at different places each time */
        run_child(use_followers, &followers);

    uint64_t revision = 0;
    kvzmq_event_t event = {0};
    kvzmq_value_t value = {0};
    assert_ok(lamp, kvzmq_put(lamp, NULL, kvzmq_text("k"), kvzmq_text("v"), NULL, &revision));
    while (event.seq < revision)
        assert_int_equal(kvzmq_watch_next(followers.watch, TIMEOUT_MS, &event), KVZMQ_OK);
    assert_int_equal(kvzmq_mirror_wait(followers.mirror, revision, TIMEOUT_MS), KVZMQ_OK);
    assert_int_equal(kvzmq_mirror_get(followers.mirror, "lamp", kvzmq_text("k"), &value, NULL), KVZMQ_OK);
    assert_string_equal(value.data, "v");
    kvzmq_value_release(&value);
    kvzmq_mirror_destroy(&followers.mirror);
    kvzmq_watch_destroy(&followers.watch);
    kvzmq_destroy(&lamp);
}

/* Watches, forks and ends, while the child destroys its copies and continues until HOLD is closed. */
static void become_daemon_with_followers(const kvzmq_options_t *options, int hold)
{
    char byte;
    followers_t followers = {.watch = kvzmq_watch_new(options, NULL),
                             .mirror = kvzmq_mirror_new(options, NULL, (kvzmq_slice_t){0})};
    kvzmq_event_t event = {0};
    while (event.kind != KVZMQ_EVENT_READY)
        if (kvzmq_watch_next(followers.watch, TIMEOUT_MS, &event) != KVZMQ_OK)
            _exit(1);
    if (kvzmq_mirror_wait(followers.mirror, 0, TIMEOUT_MS) != KVZMQ_OK)
        _exit(1);
    if (fork() != 0)
        _exit(0);
    (void)alarm(CHILD_LIMIT_S);
    kvzmq_watch_destroy(&followers.watch);
    kvzmq_mirror_destroy(&followers.mirror);
    (void)!read(hold, &byte, 1);
    _exit(0);
}

static void parent__ends_while_the_child_has_destroyed_watch_and_mirror__has_both_ended_at_once(void **state)
{
    broker_process_t *broker = *state;
    int hold[2];
    int status;
    kvzmq_options_t options = manager_options(broker);
    assert_int_equal(pipe(hold), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(hold[1]);
        become_daemon_with_followers(&options, hold[0]);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    broker_process_wait_log(broker, "disconnected (lost)", 2); /* "lost", not "timeout" after 60 s */
    (void)close(hold[0]);
    (void)close(hold[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(connection__used_in_a_child__is_another_session_there, setup_tcp,
                                        teardown),
        cmocka_unit_test_setup_teardown(connection__ended_in_a_child__is_unharmed_in_the_parent, setup_ipc,
                                        teardown),
        cmocka_unit_test_setup_teardown(connection__used_in_a_grandchild__is_another_session_in_each,
                                        setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(connection__not_connected_before_the_fork__connects_in_the_child,
                                        setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(
            batch__in_flight_at_the_fork__is_answered_in_the_parent_and_unknown_in_the_child, setup_tcp,
            teardown),
        cmocka_unit_test_setup_teardown(
            connection__in_the_applications_context__says_that_it_does_not_work_in_a_child, setup_tcp,
            teardown),
        cmocka_unit_test_setup_teardown(parent__ends_while_the_child_goes_on__has_its_session_ended_at_once,
                                        setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(watch_and_mirror__in_a_child__say_so_and_go_on_in_the_parent,
                                        setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(
            parent__ends_while_the_child_has_destroyed_watch_and_mirror__has_both_ended_at_once, setup_tcp,
            teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
