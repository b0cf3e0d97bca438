/* SPDX-License-Identifier: MPL-2.0 */
/* Shared by the tests of libkvzmq: claims about its calls, and a record of its notices. */
#ifndef KV_TESTS_SUPPORT_CLIENT_CALLS_H
#define KV_TESTS_SUPPORT_CLIENT_CALLS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <kvzmq.h>

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

#endif
