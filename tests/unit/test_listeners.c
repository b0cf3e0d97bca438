/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about listeners.h: which connections belong to an endpoint, and what happens if one cannot be bound.
 * tests/interop tests host names and paths with the whole broker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>

#include "broker/net/listeners.h"
#include "tests/support/tcp.h"

/* ---- Which connections belong to it ----------------------------------------------------------- */

static bool contains_port(char (*real)[ENDPOINT_SIZE], unsigned count, int family, uint16_t port)
{
    struct sockaddr_storage address = {.ss_family = (sa_family_t)family};
    if (family == AF_INET)
        ((struct sockaddr_in *)&address)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)&address)->sin6_port = htons(port);
    return listeners_contain(real, count, &address);
}

static bool contains_path(char (*real)[ENDPOINT_SIZE], unsigned count, const char *path, size_t size)
{
    struct sockaddr_storage address = {.ss_family = AF_UNIX};
    memcpy(((struct sockaddr_un *)&address)->sun_path, path, size);
    return listeners_contain(real, count, &address);
}

static void contain__tcp__goes_by_the_whole_port(void **state)
{
    (void)state;
    static char real[2][ENDPOINT_SIZE] = {"tcp://127.0.0.1:5000", "tcp://[::1]:5001"};
    assert_true(contains_port(real, 2, AF_INET, 5000));
    assert_true(contains_port(real, 2, AF_INET6, 5001));
    assert_false(contains_port(real, 2, AF_INET, 500));
    assert_false(contains_port(real, 2, AF_INET, 50001));
    assert_false(contains_port(real, 1, AF_INET6, 5001));
}

static void contain__ipc__goes_by_the_whole_path_or_abstract_name(void **state)
{
    (void)state;
    static char real[2][ENDPOINT_SIZE] = {"ipc:///run/kv", "ipc://@kv"};
    assert_true(contains_path(real, 2, "/run/kv", 7));
    assert_true(contains_path(real, 2, "\0kv", 3));
    assert_false(contains_path(real, 2, "/run/kv2", 8));
    assert_false(contains_path(real, 2, "/run/k", 6));
    assert_false(contains_port(real, 2, AF_INET, 5000));
}

/* ---- Closing ---------------------------------------------------------------------------------- */

/* A listener with a connection. */
typedef struct served {
    char real[1][ENDPOINT_SIZE];
    int listener;
    int peer;
    int fd; /* the listener's end of the connection */
} served_t;

static served_t served_new(void)
{
    served_t served;
    served.listener = tcp_bind(true, served.real[0]);
    served.peer = tcp_connect(served.real[0]);
    served.fd = accept(served.listener, NULL, NULL);
    assert_true(served.fd >= 0);
    return served;
}

static void served_close(served_t *served)
{
    close(served->fd);
    close(served->peer);
    close(served->listener);
}

/* Whether the connection still carries bytes. */
static bool is_open(const served_t *served)
{
    char byte = 'x';
    return send(served->fd, &byte, 1, MSG_NOSIGNAL) == 1 && recv(served->peer, &byte, 1, 0) == 1;
}

static void shut__its_connection__is_closed_and_another_listeners_is_not(void **state)
{
    (void)state;
    served_t one = served_new();
    served_t other = served_new();
    listeners_shut(one.real, 1, other.fd);
    assert_true(is_open(&other));
    assert_true(is_open(&one));
    assert_true(listeners_connected(one.real, 1, one.fd));
    assert_false(listeners_connected(one.real, 1, other.fd));
    listeners_shut(one.real, 1, one.fd);
    char byte;
    assert_int_equal(recv(one.peer, &byte, 1, 0), 0);
    served_close(&one);
    served_close(&other);
}

static void shut__the_listener_itself_or_no_socket__stays(void **state)
{
    (void)state;
    served_t served = served_new();
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_false(listeners_connected(served.real, 1, served.listener));
    listeners_shut(served.real, 1, served.listener);
    listeners_shut(served.real, 1, pipes[1]);
    listeners_shut(served.real, 1, -1);
    close(tcp_connect(served.real[0]));
    assert_int_equal(write(pipes[1], "x", 1), 1);
    close(pipes[0]);
    close(pipes[1]);
    served_close(&served);
}

/* ---- Listening -------------------------------------------------------------------------------- */

static void bind__port_in_use__fails_and_says_where_and_what_to_do(void **state)
{
    (void)state;
    char used[64];
    char wildcard[] = "tcp://127.0.0.1:*";
    char *wanted[] = {wildcard, used};
    char problem[256] = "";
    settings_t settings = {.timeout_ms = 1};
    listeners_t listeners;
    int fd = tcp_bind(true, used);
    void *context = zmq_ctx_new();
    void *socket = zmq_socket(context, ZMQ_ROUTER);
    assert_true(listeners_init(&listeners, "requests", 2, &settings));
    assert_false(listeners_bind(socket, &listeners, wanted, problem, sizeof problem));
    assert_non_null(strstr(problem, "listen/requests: tcp://127.0.0.1:"));
    assert_non_null(strstr(problem, ": in use: stop the program"));
    assert_non_null(strstr(problem, used));
    close(tcp_connect(listeners.real[0])); /* the first endpoint was bound and has its real port */
    zmq_close(socket);
    zmq_ctx_term(context);
    listeners_release(&listeners);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contain__tcp__goes_by_the_whole_port),
        cmocka_unit_test(contain__ipc__goes_by_the_whole_path_or_abstract_name),
        cmocka_unit_test(shut__its_connection__is_closed_and_another_listeners_is_not),
        cmocka_unit_test(shut__the_listener_itself_or_no_socket__stays),
        cmocka_unit_test(bind__port_in_use__fails_and_says_where_and_what_to_do),
    };
    return cmocka_run_group_tests_name("listeners", tests, NULL, NULL);
}
