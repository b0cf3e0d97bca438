/* SPDX-License-Identifier: MPL-2.0 */
/* Host names in endpoints, in a network of the test's own: a name server that is silent, slow, or does not
 * know the name; hosts with only an IPv6 address, and with several addresses. */
#include "tests/support/client_fixture.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "tests/support/namespace.h"
#include "tests/support/own_process.h"

enum {
    CALL_MS = 200,
    SLACK_MS = 20000, /* less than the system waits for a silent name server, see RESOLV_CONF */
    LOOKUPS_MAX = 16, /* most threads that wait for name servers */
    HOSTS = 40        /* names that are looked up at the same time */
};

static const char RESOLV_CONF[] = "nameserver 127.0.0.53\noptions timeout:30 attempts:2\n";
static const char HOSTS_FILE[] = "127.0.0.1 localhost\n"
                                 "::1 six\n"
                                 "::1 both\n127.0.0.1 both\n"
                                 "127.0.0.2 stuck\n127.0.0.1 stuck\n";

/* ---- A name server ------------------------------------------------------------------------------ */

enum { DNS_MESSAGE_MAX = 512, DNS_HEADER = 12, DNS_LATE_MAX = 16 };

/* A name server that knows no names. It never answers questions for names that begin with `silent`, and
 * answers those for names that begin with `late` only when a test says so. */
typedef struct name_server {
    int fd;
    pthread_t thread;
    int late[2]; /* a pipe; a byte in it makes the server send the late answers */
} name_server_t;

typedef struct question {
    struct sockaddr_in from;
    size_t size;
    unsigned char bytes[DNS_MESSAGE_MAX];
} question_t;

static void answer_unknown(const name_server_t *server, question_t *question)
{
    question->bytes[2] |= 0x80;                     /* a response */
    question->bytes[3] = (unsigned char)(0x80 | 3); /* recursion is available; no such name */
    (void)sendto(server->fd, question->bytes, question->size, 0, (struct sockaddr *)&question->from,
                 sizeof question->from);
}

static void *serve_names(void *context)
{
    const name_server_t *server = context;
    question_t late[DNS_LATE_MAX];
    size_t count = 0;
    for (;;) {
        char byte;
        struct pollfd items[] = {{.fd = server->fd, .events = POLLIN},
                                 {.fd = server->late[0], .events = POLLIN}};
        if (poll(items, 2, -1) < 0)
            continue;
        if (items[1].revents != 0) {
            if (read(server->late[0], &byte, 1) != 1)
                return NULL; /* the other end was closed */
            while (count > 0)
                answer_unknown(server, &late[--count]);
        }
        if (items[0].revents == 0)
            continue;
        question_t question = {0};
        socklen_t from = sizeof question.from;
        ssize_t size = recvfrom(server->fd, question.bytes, sizeof question.bytes, 0,
                                (struct sockaddr *)&question.from, &from);
        if (size < DNS_HEADER + 2)
            continue;
        question.size = (size_t)size;
        const char *label = (const char *)question.bytes + DNS_HEADER + 1;
        if (strncmp(label, "late", 4) == 0 && count < DNS_LATE_MAX)
            late[count++] = question;
        else if (strncmp(label, "silent", 6) != 0)
            answer_unknown(server, &question);
    }
}

static void name_server_start(name_server_t *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53)};
    assert_int_equal(inet_pton(AF_INET, "127.0.0.53", &address.sin_addr), 1);
    server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(pipe(server->late), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, serve_names, server), 0);
}

static void name_server_stop(name_server_t *server)
{
    (void)close(server->late[1]);
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    (void)close(server->late[0]);
    (void)close(server->fd);
}

static int setup_server(void **state)
{
    name_server_t *server = malloc(sizeof *server);
    assert_non_null(server);
    name_server_start(server);
    *state = server;
    return 0;
}

static int teardown_server(void **state)
{
    name_server_stop(*state);
    free(*state);
    return 0;
}

/* ---- Silence -------------------------------------------------------------------------------------- */

static void every_call__name_server_is_silent__keeps_its_time_limit(void **state)
{
    (void)state;
    kvzmq_t *conn = conn_to("tcp://silent.test:5000", CALL_MS, false);
    unsigned before = own_threads();
    kvzmq_value_t value = {0};
    kvzmq_batch_t *batch = kvzmq_batch_new(conn);
    assert_int_equal(kvzmq_batch_get(batch, NULL, kvzmq_text("k"), NULL), KVZMQ_OK);
    int64_t start_ms = clock_monotonic_ms();
    assert_status(conn, KVZMQ_UNREACHABLE, kvzmq_connect(conn));
    char said[256];
    (void)snprintf(said, sizeof said, "%s", kvzmq_error(conn));
    assert_status(conn, KVZMQ_UNREACHABLE, kvzmq_ping(conn));
    assert_status(conn, KVZMQ_UNREACHABLE, kvzmq_get(conn, NULL, kvzmq_text("k"), &value));
    assert_status(conn, KVZMQ_UNREACHABLE,
                  kvzmq_put(conn, NULL, kvzmq_text("k"), kvzmq_text("v"), NULL, NULL));
    assert_status(conn, KVZMQ_UNREACHABLE, kvzmq_batch_send(&batch));
    kvzmq_batch_destroy(&batch);
    kvzmq_destroy(&conn);
    assert_true(clock_monotonic_ms() - start_ms < SLACK_MS);
    assert_in_range(own_threads_at_most(before + 1), before,
                    before + 1); /* one thread waits for the one name of all calls */
    assert_non_null(strstr(said, "name server"));
    assert_non_null(strstr(said, "silent.test"));
}

static void many_hosts__name_server_is_silent__wait_in_a_bounded_number_of_threads(void **state)
{
    (void)state;
    unsigned before = own_threads();
    int64_t start_ms = clock_monotonic_ms();
    for (unsigned i = 0; i < HOSTS; i++) {
        char endpoint[64];
        (void)snprintf(endpoint, sizeof endpoint, "tcp://silent-%u.test:5000", i);
        kvzmq_t *conn = conn_to(endpoint, 20, false);
        assert_status(conn, KVZMQ_UNREACHABLE, kvzmq_ping(conn));
        kvzmq_destroy(&conn);
    }
    assert_true(clock_monotonic_ms() - start_ms < SLACK_MS);
    assert_in_range(own_threads_at_most(before + LOOKUPS_MAX), before, before + LOOKUPS_MAX);
}

static void lookup__answered_after_the_connection_is_gone__ends(void **state)
{
    name_server_t *server = *state;
    unsigned before = own_threads();
    kvzmq_t *conn = conn_to("tcp://late.test:5000", CALL_MS, false);
    assert_status(conn, KVZMQ_UNREACHABLE, kvzmq_ping(conn));
    kvzmq_destroy(&conn);
    int64_t start_ms = clock_monotonic_ms();
    while (own_threads() > before) {
        assert_true(clock_monotonic_ms() - start_ms < SLACK_MS);
        assert_int_equal(write(server->late[1], "", 1), 1); /* repeat: A and AAAA may be asked for in turn */
        (void)poll(NULL, 0, 5);
    }
}

static void connect__interrupted_while_the_name_server_is_silent__returns(void **state)
{
    (void)state;
    unsigned asked = 0;
    kvzmq_options_t options;
    kvzmq_options_init(&options);
    options.endpoint = "tcp://silent.test:5000";
    options.connect_ms = 60000;
    options.interrupted = own_stop_at_third;
    options.context = &asked;
    kvzmq_t *conn = kvzmq_new(&options);
    struct sigaction handler;
    own_alarms_begin(20000, &handler);
    assert_status(conn, KVZMQ_INTERRUPTED, kvzmq_connect(conn));
    own_alarms_end(&handler);
    assert_int_equal(asked, 3);
    kvzmq_destroy(&conn);
}

static int ping_in_child(const char *endpoint)
{
    kvzmq_t *conn = conn_to(endpoint, CALL_MS, false);
    kvzmq_status_t status = kvzmq_ping(conn);
    kvzmq_destroy(&conn);
    return status == KVZMQ_UNREACHABLE ? 0 : 1;
}

static void lookup__under_way_at_a_fork__is_begun_anew_in_the_child(void **state)
{
    (void)state;
    int status;
    kvzmq_t *conn = conn_to("tcp://silent.test:5000", CALL_MS, false);
    assert_status(conn, KVZMQ_UNREACHABLE, kvzmq_ping(conn));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)alarm(SLACK_MS / 1000);
        _exit(ping_in_child("tcp://silent.test:5000"));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    kvzmq_destroy(&conn);
}

static void tool__name_server_is_silent__keeps_its_time_limit(void **state)
{
    (void)state;
    char command[512];
    const char *build = getenv("KV_BUILD_DIR");
    assert_non_null(build);
    (void)snprintf(
        command, sizeof command,
        "%s/bin/kvzmq-cli -s tcp://silent.test:5000 -t 1 ping 2>&1 >/dev/null | grep -q 'name server'",
        build);
    int64_t start_ms = clock_monotonic_ms();
    assert_int_equal(system(command), 0);
    assert_true(clock_monotonic_ms() - start_ms < SLACK_MS);
}

/* ---- Names ---------------------------------------------------------------------------------------- */

static void connect__no_such_host__is_told_at_once(void **state)
{
    (void)state;
    kvzmq_t *conn = conn_to("tcp://nobody.test:5000", 60000, false);
    int64_t start_ms = clock_monotonic_ms();
    assert_status(conn, KVZMQ_UNREACHABLE, kvzmq_connect(conn));
    assert_non_null(strstr(kvzmq_error(conn), "no host of that name"));
    assert_non_null(strstr(kvzmq_error(conn), "nobody.test"));
    assert_status(conn, KVZMQ_UNREACHABLE, kvzmq_ping(conn));
    assert_true(clock_monotonic_ms() - start_ms < SLACK_MS);
    kvzmq_destroy(&conn);
}

/* Asserts that the broker can be reached by the name HOST. */
static void assert_reached(const broker_process_t *broker, const char *host)
{
    char endpoint[128];
    (void)snprintf(endpoint, sizeof endpoint, "tcp://%s%s", host, strrchr(broker->endpoint, ':'));
    kvzmq_options_t options = options_for(broker, NULL);
    options.endpoint = endpoint;
    options.connect_once = true;
    kvzmq_t *conn = kvzmq_new(&options);
    assert_ok(conn, kvzmq_ping(conn));
    assert_string_equal(kvzmq_endpoint(conn), endpoint);
    kvzmq_destroy(&conn);
}

static int setup_six(void **state)
{
    static const char *const options[] = {"listen/requests=tcp://[::1]:*", "listen/events=tcp://[::1]:*",
                                          NULL};
    return setup_with(state, false, options);
}

static void connect__broker_at_an_ipv6_address__is_reached_by_name(void **state)
{
    assert_reached(*state, "six");
    assert_reached(*state, "both");
    assert_reached(*state, "::1");
    assert_reached(*state, "[::1]");
}

static void connect__several_addresses__each_is_tried(void **state)
{
    assert_reached(*state, "both");
    assert_reached(*state, "localhost");
}

/* Makes a listener at 127.0.0.2 with the broker's port and a full queue, so that connecting to it hangs. */
static int stuck_listener(const broker_process_t *broker, int queued[4])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_port = htons((uint16_t)strtoul(strrchr(broker->endpoint, ':') + 1, NULL, 10));
    assert_int_equal(inet_pton(AF_INET, "127.0.0.2", &address.sin_addr), 1);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 0), 0);
    for (unsigned i = 0; i < 4; i++) {
        queued[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(queued[i], (struct sockaddr *)&address, sizeof address);
    }
    return listener;
}

static void connect__first_address_hangs__the_next_is_tried_in_time(void **state)
{
    broker_process_t *broker = *state;
    int queued[4];
    char endpoint[128];
    int listener = stuck_listener(broker, queued);
    (void)snprintf(endpoint, sizeof endpoint, "tcp://stuck%s", strrchr(broker->endpoint, ':'));
    kvzmq_options_t options = options_for(broker, NULL);
    options.endpoint = endpoint;
    options.connect_ms = 8000; /* each address gets half of it */
    kvzmq_t *conn = kvzmq_new(&options);
    assert_ok(conn, kvzmq_connect(conn));
    kvzmq_destroy(&conn);
    (void)close(listener);
    for (unsigned i = 0; i < 4; i++)
        (void)close(queued[i]);
}

static void connect__nobody_listens_at_any_address__says_so(void **state)
{
    (void)state;
    kvzmq_options_t options;
    kvzmq_options_init(&options);
    options.endpoint = "tcp://both:9";
    options.connect_ms = SLACK_MS;
    options.connect_once = true;
    kvzmq_t *conn = kvzmq_new(&options);
    assert_non_null(conn);
    assert_status(conn, KVZMQ_UNREACHABLE, kvzmq_connect(conn));
    assert_non_null(strstr(kvzmq_error(conn), "nobody listens"));
    kvzmq_destroy(&conn);
}

static int setup_advertised(void **state)
{
    static const char *const options[] = {"listen/events=tcp://127.0.0.1:5001",
                                          "listen/advertise=tcp://both:5001", NULL};
    return setup_with(state, false, options);
}

static void watch__events_endpoint_is_a_name__is_ready_without_a_second_ticket(void **state)
{
    broker_process_t *broker = *state;
    kvzmq_options_t options = manager_options(broker);
    kvzmq_event_t event;
    kvzmq_watch_counts_t counts;
    kvzmq_watch_t *watch = kvzmq_watch_new(&options, NULL);
    assert_non_null(watch);
    assert_int_equal(kvzmq_watch_next(watch, TIMEOUT_MS, &event), KVZMQ_OK);
    assert_int_equal(event.kind, KVZMQ_EVENT_READY);
    kvzmq_t *lamp = connect_named(broker, "lamp");
    while (event.kind != KVZMQ_EVENT_CONNECT)
        assert_int_equal(kvzmq_watch_next(watch, TIMEOUT_MS, &event), KVZMQ_OK);
    kvzmq_watch_counts(watch, &counts);
    assert_int_equal(counts.tickets, 1);
    kvzmq_destroy(&lamp);
    kvzmq_watch_destroy(&watch);
}

static int setup_advertised_silent(void **state)
{
    static const char *const options[] = {"listen/events=tcp://127.0.0.1:5001",
                                          "listen/advertise=tcp://silent.test:5001", NULL};
    return setup_with(state, false, options);
}

static void watch_destroy__events_endpoint_of_a_silent_name_server__returns(void **state)
{
    broker_process_t *broker = *state;
    name_server_t server;
    name_server_start(&server);
    kvzmq_options_t options = manager_options(broker);
    int64_t start_ms = clock_monotonic_ms();
    unsigned before = own_threads();
    kvzmq_watch_t *watch = kvzmq_watch_new(&options, NULL);
    assert_non_null(watch);
    while (own_threads() < before + 4) { /* the watch, libzmq's two, and the lookup */
        assert_true(clock_monotonic_ms() - start_ms < SLACK_MS);
        (void)poll(NULL, 0, 5);
    }
    start_ms = clock_monotonic_ms();
    kvzmq_watch_destroy(&watch);
    assert_true(clock_monotonic_ms() - start_ms < SLACK_MS);
    name_server_stop(&server);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lookup__answered_after_the_connection_is_gone__ends, setup_server,
                                        teardown_server),
        cmocka_unit_test_setup_teardown(connect__no_such_host__is_told_at_once, setup_server,
                                        teardown_server),
        cmocka_unit_test_setup_teardown(connect__broker_at_an_ipv6_address__is_reached_by_name, setup_six,
                                        teardown),
        cmocka_unit_test_setup_teardown(connect__several_addresses__each_is_tried, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(connect__first_address_hangs__the_next_is_tried_in_time, setup_tcp,
                                        teardown),
        cmocka_unit_test(connect__nobody_listens_at_any_address__says_so),
        cmocka_unit_test_setup_teardown(watch__events_endpoint_is_a_name__is_ready_without_a_second_ticket,
                                        setup_advertised, teardown),
        cmocka_unit_test_setup_teardown(watch_destroy__events_endpoint_of_a_silent_name_server__returns,
                                        setup_advertised_silent, teardown),
        cmocka_unit_test_setup_teardown(every_call__name_server_is_silent__keeps_its_time_limit, setup_server,
                                        teardown_server),
        cmocka_unit_test_setup_teardown(connect__interrupted_while_the_name_server_is_silent__returns,
                                        setup_server, teardown_server),
        cmocka_unit_test_setup_teardown(lookup__under_way_at_a_fork__is_begun_anew_in_the_child, setup_server,
                                        teardown_server),
        cmocka_unit_test_setup_teardown(tool__name_server_is_silent__keeps_its_time_limit, setup_server,
                                        teardown_server),
        cmocka_unit_test_setup_teardown(
            many_hosts__name_server_is_silent__wait_in_a_bounded_number_of_threads, setup_server,
            teardown_server),
    };
    (void)count;
    namespace_enter(arguments);
    namespace_names(HOSTS_FILE, RESOLV_CONF);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    namespace_leave();
    return failed;
}
