/* SPDX-License-Identifier: MPL-2.0 */
/* Shared by the tests of libkvzmq: a broker for each test, connections to it, and a record of their notices.
 */
#ifndef KV_TESTS_SUPPORT_CLIENT_FIXTURE_H
#define KV_TESTS_SUPPORT_CLIENT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <kvzmq.h>

#include "tests/support/broker_process.h"
#include "tests/support/waiting.h"

/* Asserts that a call on CONN returns STATUS. If not, prints the error text. */
#define assert_status(conn, status, call) check_status(conn, status, call, #call, __FILE__, __LINE__)
#define assert_ok(conn, call)             assert_status(conn, KVZMQ_OK, call)

static inline void check_status(const kvzmq_t *conn, kvzmq_status_t wanted, kvzmq_status_t got,
                                const char *call, const char *file, int line)
{
    if (got == wanted)
        return;
    print_error("%s\nis %s, not %s: %s\n", call, kvzmq_status_text(got), kvzmq_status_text(wanted),
                kvzmq_error(conn));
    _fail(file, line);
}

/* How often each notice was given, and the text of the latest. */
typedef struct notices {
    unsigned count[KVZMQ_NOTICE_NOTE + 1];
    char text[KVZMQ_NOTICE_NOTE + 1][300];
} notices_t;

static inline void note(void *context, kvzmq_notice_t notice, const char *text)
{
    notices_t *notices = context;
    notices->count[notice]++;
    (void)snprintf(notices->text[notice], sizeof notices->text[notice], "%s", text);
}

/* Options for a connection to ENDPOINT that records its notices in NOTICES, unless that is NULL. */
static inline kvzmq_options_t options_to(const char *endpoint, notices_t *notices)
{
    kvzmq_options_t options;
    kvzmq_options_init(&options);
    options.endpoint = endpoint;
    options.connect_ms = TIMEOUT_MS;
    options.call_ms = TIMEOUT_MS;
    if (notices != NULL) {
        *notices = (notices_t){0};
        options.notice = note;
        options.context = notices;
    }
    return options;
}

static inline kvzmq_options_t options_for(const broker_process_t *broker, notices_t *notices)
{
    return options_to(broker->endpoint, notices);
}

/* Returns a connection that is connected. OPTIONS may be NULL for those of options_for. */
static inline kvzmq_t *connect_to(const broker_process_t *broker, const kvzmq_options_t *options)
{
    kvzmq_options_t usual = options_for(broker, NULL);
    kvzmq_t *conn = kvzmq_new(options != NULL ? options : &usual);
    assert_non_null(conn);
    assert_ok(conn, kvzmq_connect(conn));
    return conn;
}

/* Returns a connected client with NAME; if that is NULL, its id is a number. */
static inline kvzmq_t *connect_named(const broker_process_t *broker, const char *name)
{
    kvzmq_options_t options = options_for(broker, NULL);
    options.name = name;
    return connect_to(broker, &options);
}

/* Options for a manager's connection. */
static inline kvzmq_options_t manager_options(const broker_process_t *broker)
{
    kvzmq_options_t options = options_for(broker, NULL);
    options.user = BROKER_USER;
    options.password = BROKER_PASSWORD;
    return options;
}

/* Returns a connected manager. It logs in with the account in its options. */
static inline kvzmq_t *connect_manager(const broker_process_t *broker)
{
    kvzmq_options_t options = manager_options(broker);
    return connect_to(broker, &options);
}

/* Returns a connection to ENDPOINT that is not connected yet. LIMIT_MS is for connecting and for each call.
 * ONCE = connecting fails at once if nobody listens. */
static inline kvzmq_t *conn_to(const char *endpoint, int limit_ms, bool once)
{
    kvzmq_options_t options = options_to(endpoint, NULL);
    options.connect_ms = limit_ms;
    options.call_ms = limit_ms;
    options.connect_once = once;
    kvzmq_t *conn = kvzmq_new(&options);
    assert_non_null(conn);
    return conn;
}

/* Puts VALUE into the store of CONN's own client. */
static inline void put_text(kvzmq_t *conn, const char *key, const char *value)
{
    assert_ok(conn, kvzmq_put(conn, NULL, kvzmq_text(key), kvzmq_text(value), NULL, NULL));
}

/* A kvzmq_change_fn that counts puts in *CONTEXT, an unsigned. */
static inline void count_puts(void *context, const kvzmq_event_t *event)
{
    unsigned *puts = context;
    *puts += event->kind == KVZMQ_EVENT_PUT;
}

/* Asserts that CLIENT's KEY has TEXT as its value. */
static inline void assert_value(kvzmq_t *conn, const char *client, const char *key, const char *text)
{
    kvzmq_value_t value = {0};
    assert_ok(conn, kvzmq_get(conn, client, kvzmq_text(key), &value));
    assert_string_equal(value.data, text);
    assert_false(value.binary);
    kvzmq_value_release(&value);
}

/* Fixtures: *STATE is a broker on tcp, or on ipc so that its endpoint survives a restart. */
static inline int setup_with(void **state, bool ipc, const char *const *options)
{
    broker_process_t *broker = malloc(sizeof *broker);
    assert_non_null(broker);
    broker_process_start(broker, ipc, options);
    *state = broker;
    return 0;
}

static inline int setup_tcp(void **state)
{
    return setup_with(state, false, NULL);
}

/* The broker's event log keeps 100 events. */
static inline int setup_short_log(void **state)
{
    static const char *const options[] = {"events/keep=100", NULL};
    return setup_with(state, false, options);
}

/* Sessions time out after one second. */
static inline int setup_brief(void **state)
{
    static const char *const options[] = {"session/timeout=1", NULL};
    return setup_with(state, false, options);
}

/* The same after three: a process that keeps its session gets its turn within two of them on any machine. */
static inline int setup_kept(void **state)
{
    static const char *const options[] = {"session/timeout=3", NULL};
    return setup_with(state, false, options);
}

static inline int setup_ipc(void **state)
{
    return setup_with(state, true, NULL);
}

static inline int teardown(void **state)
{
    broker_process_t *broker = *state;
    broker_process_stop(broker);
    free(broker);
    return 0;
}

#endif
