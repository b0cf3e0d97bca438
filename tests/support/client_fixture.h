/* SPDX-License-Identifier: MPL-2.0 */
/* Shared by the tests of libkvzmq with a real broker: one for each test, and connections to it. */
#ifndef KV_TESTS_SUPPORT_CLIENT_FIXTURE_H
#define KV_TESTS_SUPPORT_CLIENT_FIXTURE_H

#include <stdlib.h>

#include "tests/support/broker_process.h"
#include "tests/support/client_calls.h"

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
