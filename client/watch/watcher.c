/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the thread, its request connection and its event connection. Only `stop`, `wake` and `counts` are
 * shared with other threads. */
#include "client/watch/watcher.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client/keep.h"
#include "client/lib/connection.h"
#include "client/lib/resolve.h"
#include "client/lib/sized.h"
#include "client/lib/system.h"
#include "client/slice.h"
#include "client/watch/event_link.h"
#include "client/watch/follow_request.h"
#include "common/clock.h"
#include "common/rpc.h"
#include "common/utf8.h"

enum {
    KEEP_MS = 1000,          /* longest interval between pings, which also show whether the broker answers */
    MESSAGES_AT_ONCE = 1000, /* taken from the event connection before other work */
    THROTTLED_MAX_MS = 60000 /* longest wait that the broker can request */
};

struct watcher {
    watcher_config_t config; /* pointers to the caller's memory are not used after watcher_new */
    pthread_t thread;
    unsigned process;            /* process of the thread: system_process */
    atomic_bool stop;            /* the thread is to end */
    int wake;                    /* eventfd, readable when `stop` is set */
    kvzmq_t *conn;               /* for requests */
    event_link_t *events;        /* NULL = none yet */
    follow_t *follow;            /* the state machine */
    kvzmq_page_t *page;          /* the last listed page; NULL = none */
    bool anonymous;              /* the options have no account */
    int64_t kept_ms;             /* when the broker last answered, monotonic */
    kvzmq_status_t refused;      /* why the value of the last event could not be read; KVZMQ_OK = it could */
    kvzmq_status_t final;        /* why the thread ends; KVZMQ_OK = it runs */
    pthread_mutex_t counts_lock; /* protects `counts` */
    kvzmq_watch_counts_t counts; /* after the last step */
};

static bool stopping(watcher_t *watcher)
{
    return atomic_load(&watcher->stop);
}

/* Waits TIMEOUT_MS, or until the thread is to end. */
static void pause_ms(const watcher_t *watcher, int64_t timeout_ms)
{
    struct pollfd wake = {.fd = watcher->wake, .events = POLLIN};
    if (timeout_ms > 0)
        (void)poll(&wake, 1, system_poll_ms(timeout_ms));
}

/* The interval between pings. */
static int keep_ms(const watcher_t *watcher)
{
    const kvzmq_session_t *session = kvzmq_session(watcher->conn);
    int64_t part_ms = session == NULL ? KEEP_MS : keep_part_ms(session);
    return part_ms < KEEP_MS ? (int)part_ms : KEEP_MS;
}

/* ---- Reporting --------------------------------------------------------------------------------- */

/* Reads the value that EVENT left out. False: the broker did not answer. If the entry has another revision by
 * now, or is gone, EVENT stays without value: a later event will follow. EVENT also stays without value if
 * the broker was restarted (its epoch differs), because its revision may be equal by chance; a RESET will
 * follow. A new session with the same broker does no harm. */
static bool complete(watcher_t *watcher, kvzmq_event_t *event, kvzmq_value_t *value)
{
    uint64_t revision = 0;
    kvzmq_status_t status =
        kvzmq_entry(watcher->conn, event->client.data, event->key, value, &revision, NULL);
    bool same_broker =
        bytes_equal(slice_bytes(event->epoch), bytes_from_text(kvzmq_session(watcher->conn)->epoch));
    if (same_broker && status != KVZMQ_OK && status != KVZMQ_ABSENT && status != KVZMQ_NOT_FOUND) {
        watcher->refused = status;
        return false;
    }
    watcher->kept_ms = clock_monotonic_ms();
    if (same_broker && status == KVZMQ_OK && revision == event->revision) {
        event->value = (kvzmq_slice_t){value->data, value->size, value->binary};
        event->has_value = true;
    }
    return true;
}

/* Waits a while for room for an event, and keeps the session alive. */
static void wait_room(watcher_t *watcher)
{
    if (clock_monotonic_ms() - watcher->kept_ms >= keep_ms(watcher)) {
        kvzmq_status_t status = kvzmq_ping(watcher->conn);
        (void)status; /* the next request notices a failure */
        watcher->kept_ms = clock_monotonic_ms();
    }
    watcher->config.wait(watcher->config.context, keep_ms(watcher));
}

/* Reports EVENT as soon as there is room for it. False: it was refused, or the thread is to end. */
static bool offer(watcher_t *watcher, const kvzmq_event_t *event)
{
    watcher_taking_t taking = WATCHER_FULL;
    while (taking == WATCHER_FULL && !stopping(watcher)) {
        taking = watcher->config.tell(watcher->config.context, event);
        if (taking == WATCHER_FULL)
            wait_room(watcher);
    }
    return taking == WATCHER_TAKEN;
}

/* Reports EVENT, with its value if `large_values` is set. False: it was not taken. */
static bool deliver(watcher_t *watcher, const kvzmq_event_t *event)
{
    kvzmq_event_t told = *event;
    kvzmq_value_t value = {0};
    if (stopping(watcher)) /* a page of events may take long if values are read */
        return false;
    char client[256]; /* zero-terminated, for the request */
    if (watcher->config.large_values && event->kind == KVZMQ_EVENT_PUT && !event->has_value) {
        (void)snprintf(client, sizeof client, "%.*s", (int)event->client.size, event->client.data);
        told.client.data = client;
        if (!complete(watcher, &told, &value))
            return false;
        told.client = event->client;
    }
    bool taken = offer(watcher, &told);
    kvzmq_value_release(&value);
    return taken;
}

/* ---- Failures ---------------------------------------------------------------------------------- */

/* Whether trying again is useless. */
static bool is_final(kvzmq_status_t status)
{
    return status == KVZMQ_INVALID_ARGUMENT || status == KVZMQ_PERMISSION_DENIED ||
           status == KVZMQ_UNAUTHENTICATED || status == KVZMQ_UNIMPLEMENTED ||
           status == KVZMQ_FAILED_PRECONDITION;
}

static void fail(watcher_t *watcher, kvzmq_status_t status, const char *text)
{
    kvzmq_event_t event;
    uint64_t wait_ms = 0;
    char why[CONNECTION_ERROR_SIZE]; /* a copy: TEXT may be the connection's, and reporting may make calls */
    if (is_final(status)) {
        if (status == KVZMQ_PERMISSION_DENIED && watcher->anonymous)
            text = "a watch is for managers, and logs in by itself: give it an account (user, password)";
        watcher->final = status;
        watcher->config.ended(watcher->config.context, status, text);
        return;
    }
    bool throttled = status == KVZMQ_RESOURCE_EXHAUSTED && kvzmq_detail(watcher->conn, &wait_ms);
    (void)snprintf(why, sizeof why, "%s", text);
    follow_failed(watcher->follow, clock_monotonic_ms(), why);
    while (follow_tell(watcher->follow, &event))
        follow_commit(watcher->follow, deliver(watcher, &event));
    if (throttled)
        pause_ms(watcher, wait_ms < THROTTLED_MAX_MS ? (int64_t)wait_ms : THROTTLED_MAX_MS);
}

static void fail_call(watcher_t *watcher, kvzmq_status_t status)
{
    fail(watcher, status, kvzmq_error(watcher->conn));
}

/* Reports all events of `follow`. False: one was not taken, because the thread is to end, its value could not
 * be read, or memory was refused. The last two are handled as failures. */
static bool tell_all(watcher_t *watcher)
{
    kvzmq_event_t event;
    bool taken = true;
    while (taken && follow_tell(watcher->follow, &event)) {
        taken = deliver(watcher, &event);
        follow_commit(watcher->follow, taken);
    }
    if (watcher->refused != KVZMQ_OK)
        fail_call(watcher, watcher->refused);
    else if (!taken && !stopping(watcher))
        fail(watcher, KVZMQ_NO_MEMORY, "no memory for an event");
    watcher->refused = KVZMQ_OK;
    return taken;
}

/* Whether an answer that has just come is still valid. */
static bool session_holds(watcher_t *watcher)
{
    watcher->kept_ms = clock_monotonic_ms();
    return follow_session(watcher->follow, kvzmq_reconnects(watcher->conn),
                          kvzmq_session(watcher->conn)->epoch);
}

/* Pings if it is time, to keep the session alive and to notice if the broker does not answer. */
static void keep(watcher_t *watcher)
{
    if (clock_monotonic_ms() - watcher->kept_ms < keep_ms(watcher))
        return;
    kvzmq_status_t status = kvzmq_ping(watcher->conn);
    if (status != KVZMQ_OK)
        fail_call(watcher, status);
    else
        (void)session_holds(watcher); /* follow_next says what to do if not */
}

/* ---- Requests ---------------------------------------------------------------------------------- */

static const char *quote(kvzmq_slice_t foreign, char *out, size_t out_size)
{
    return utf8_quote(slice_bytes(foreign), out, out_size);
}

/* Connects to the event endpoint of TICKET. On failure *PROBLEM says why. */
static kvzmq_status_t events_connect(watcher_t *watcher, const ticket_t *ticket, const char *client,
                                     const char **problem)
{
    const resolve_wait_t wait = {.deadline = clock_monotonic_ms() + watcher->conn->options.given.call_ms,
                                 .wake = watcher->wake};
    char endpoint[RESOLVE_ENDPOINT_MAX + 1];
    char numeric[RESOLVE_ENDPOINT_MAX + 1];
    *problem = "it is not an endpoint, or not a mechanism of this library";
    if (!event_link_endpoint(ticket->endpoint))
        return KVZMQ_PROTOCOL;
    (void)snprintf(endpoint, sizeof endpoint, "%.*s", (int)ticket->endpoint.size, ticket->endpoint.data);
    resolve_status_t resolved = resolve_endpoint(endpoint, &wait, numeric);
    if (resolved != RESOLVE_DONE) {
        *problem = resolve_status_text(resolved);
        return resolved == RESOLVE_NO_MEMORY ? KVZMQ_NO_MEMORY : KVZMQ_UNREACHABLE;
    }
    event_link_options_t options = {.endpoint = numeric,
                                    .mechanism = ticket->mechanism,
                                    .username = ticket->username,
                                    .password = ticket->password,
                                    .client = client,
                                    .receive_hwm = watcher->config.receive_hwm};
    kvzmq_status_t status = event_link_new(connection_context(watcher->conn), &options, &watcher->events);
    if (status == KVZMQ_NO_MEMORY)
        *problem = resolve_status_text(RESOLVE_NO_MEMORY);
    return status;
}

/* Frees the answer that a ticket was read from. It has the ticket's password. */
static void ticket_release(kvzmq_value_t *answer)
{
    if (answer->data != NULL)
        explicit_bzero(answer->data, answer->size);
    kvzmq_value_release(answer);
}

static void step_ticket(watcher_t *watcher, const follow_action_t *action)
{
    kvzmq_value_t result = {0};
    ticket_t ticket;
    const char *problem;
    char text[400];
    char endpoint[128];
    char mechanism[32];
    event_link_destroy(&watcher->events);
    kvzmq_status_t status = ticket_ask(watcher->conn, &result, &ticket);
    if (status != KVZMQ_OK) {
        fail(watcher, status,
             status == KVZMQ_PROTOCOL ? "the answer to events is not kvbroker's protocol"
                                      : kvzmq_error(watcher->conn));
        goto cleanup;
    }
    watcher->kept_ms = clock_monotonic_ms();
    status = events_connect(watcher, &ticket, action->client, &problem);
    if (status != KVZMQ_OK) {
        (void)utf8_format(
            text, sizeof text, "cannot connect to the events endpoint %s (mechanism %s) of %s: %s",
            quote(ticket.endpoint, endpoint, sizeof endpoint),
            quote(ticket.mechanism, mechanism, sizeof mechanism), kvzmq_endpoint(watcher->conn), problem);
        fail(watcher, status, text);
        goto cleanup;
    }
    follow_ticket(watcher->follow, clock_monotonic_ms(), kvzmq_reconnects(watcher->conn),
                  kvzmq_session(watcher->conn)->epoch, ticket.seq, ticket.oldest);

cleanup:
    ticket_release(&result);
}

static void step_now(watcher_t *watcher, const follow_action_t *action)
{
    (void)action;
    kvzmq_value_t result = {0};
    ticket_t ticket;
    kvzmq_status_t status = ticket_ask(watcher->conn, &result, &ticket);
    if (status != KVZMQ_OK)
        fail_call(watcher, status);
    else if (session_holds(watcher))
        follow_now(watcher->follow, clock_monotonic_ms(), ticket.seq);
    ticket_release(&result);
}

static void step_clients(watcher_t *watcher, const follow_action_t *action)
{
    kvzmq_range_t range = {.size = sizeof range, .after = action->after};
    kvzmq_page_t *page = NULL;
    kvzmq_client_t client;
    kvzmq_status_t status = kvzmq_clients(watcher->conn, &range, &page);
    if (status != KVZMQ_OK) {
        fail_call(watcher, status);
        return;
    }
    bool taken = true;
    if (session_holds(watcher)) {
        while (taken && kvzmq_page_next_client(page, &client))
            taken = follow_client(watcher->follow, client.id, client.keys);
        if (taken)
            follow_clients_end(watcher->follow, kvzmq_page_more(page));
        else
            fail(watcher, KVZMQ_PROTOCOL, "the answer to clients is out of order, or memory ran out");
    }
    kvzmq_page_destroy(&page);
}

static void step_list(watcher_t *watcher, const follow_action_t *action)
{
    kvzmq_range_t range = {.size = sizeof range, .prefix = action->prefix, .after = action->after};
    kvzmq_page_destroy(&watcher->page);
    kvzmq_status_t status = kvzmq_list(watcher->conn, action->client, &range, &watcher->page);
    if (status != KVZMQ_OK && status != KVZMQ_NOT_FOUND)
        fail_call(watcher, status);
    else if (!session_holds(watcher))
        return;
    else if (status == KVZMQ_NOT_FOUND)
        follow_list_absent(watcher->follow);
    else
        follow_listed(watcher->follow, clock_monotonic_ms(), kvzmq_page_seq(watcher->page),
                      kvzmq_page_more(watcher->page));
}

/* Reports ROW. False: it was not taken. */
static bool take_row(watcher_t *watcher, const kvzmq_row_t *row)
{
    if (follow_row(watcher->follow, row))
        return tell_all(watcher);
    fail(watcher, KVZMQ_PROTOCOL, "the answer to list is out of order");
    return false;
}

static void step_rows(watcher_t *watcher, const follow_action_t *action)
{
    (void)action;
    kvzmq_row_t row;
    bool taken = true;
    while (taken && kvzmq_page_next(watcher->page, &row))
        taken = take_row(watcher, &row);
    if (taken)
        follow_rows_end(watcher->follow, clock_monotonic_ms());
    kvzmq_page_destroy(&watcher->page);
}

/* ---- Messages ---------------------------------------------------------------------------------- */

/* Handles a message of the event connection. Ignores anything but events and syncs. */
static void take_message(watcher_t *watcher, bytes_t payload)
{
    rpc_reply_t reply;
    kvzmq_event_t event;
    sync_t sync;
    size_t at = 0;
    if (rpc_read_reply(payload, &at, &reply) != RPC_STEP_MESSAGE || reply.kind != RPC_NOTIFICATION)
        return;
    int64_t now_ms = clock_monotonic_ms();
    if (bytes_equal(reply.method, bytes_from_text("event"))) {
        if (event_read_params(reply.body, &event))
            follow_event(watcher->follow, now_ms, &event);
    } else if (bytes_equal(reply.method, bytes_from_text("sync"))) {
        if (event_read_sync(reply.body, &sync))
            follow_sync(watcher->follow, now_ms, &sync);
    }
    (void)tell_all(watcher);
}

/* Whether the next action is to wait for messages. */
static bool wants_messages(const watcher_t *watcher)
{
    follow_action_t action;
    follow_next(watcher->follow, &action);
    return watcher->final == KVZMQ_OK && action.want == FOLLOW_MESSAGE;
}

/* Whether the next action takes messages, with or without waiting. */
static bool takes_messages(const watcher_t *watcher)
{
    follow_action_t action;
    follow_next(watcher->follow, &action);
    return watcher->final == KVZMQ_OK && (action.want == FOLLOW_MESSAGE || action.messages);
}

/* Passes on messages, at most MESSAGES_AT_ONCE, as long as the next action takes them. Returns how many. */
static unsigned take_messages(watcher_t *watcher)
{
    payload_t payload;
    unsigned taken = 0;
    while (taken < MESSAGES_AT_ONCE && takes_messages(watcher) &&
           event_link_receive(watcher->events, &payload)) {
        take_message(watcher, payload_bytes(&payload));
        payload_release(&payload);
        taken++;
    }
    return taken;
}

/* ---- Replay ------------------------------------------------------------------------------------ */

/* Passes on BODY, the result of `replay`. False if it is not valid. */
static bool take_replay(watcher_t *watcher, bytes_t body)
{
    replay_t replay;
    kvzmq_event_t event;
    if (!replay_read(body, &replay))
        return false;
    while (replay.left > 0) {
        if (!replay_next(&replay, &event))
            return false;
        follow_replay_event(watcher->follow, &event);
        if (!tell_all(watcher))
            return true;
    }
    follow_replayed(watcher->follow, clock_monotonic_ms(), replay.seq);
    return true;
}

static void step_replay(watcher_t *watcher, const follow_action_t *action)
{
    kvzmq_value_t result = {0};
    uint64_t oldest = 0;
    if (action->messages)
        (void)take_messages(watcher);
    kvzmq_status_t status = replay_ask(watcher->conn, action, &result);
    if (status != KVZMQ_OK && status != KVZMQ_OUT_OF_RANGE)
        fail_call(watcher, status);
    else if (session_holds(watcher)) {
        if (status == KVZMQ_OUT_OF_RANGE) {
            (void)kvzmq_detail(watcher->conn, &oldest);
            follow_out_of_range(watcher->follow, clock_monotonic_ms(), oldest);
        } else if (!take_replay(watcher, bytes_of(result.data, result.size)))
            fail(watcher, KVZMQ_PROTOCOL, "the answer to replay is not kvbroker's protocol");
    }
    kvzmq_value_release(&result);
}

/* ---- Waiting ----------------------------------------------------------------------------------- */

static void step_message(watcher_t *watcher, const follow_action_t *action)
{
    unsigned taken = take_messages(watcher);
    keep(watcher);
    if (taken > 0 || !wants_messages(watcher) || stopping(watcher))
        return;
    int64_t now_ms = clock_monotonic_ms();
    int64_t due_ms = watcher->kept_ms + keep_ms(watcher);
    int64_t until_ms = action->until_ms < due_ms ? action->until_ms : due_ms;
    if (!event_link_wait(watcher->events, watcher->wake, until_ms - now_ms))
        follow_quiet(watcher->follow, clock_monotonic_ms());
}

static void step_pause(watcher_t *watcher, const follow_action_t *action)
{
    pause_ms(watcher, action->until_ms - clock_monotonic_ms());
    follow_quiet(watcher->follow, clock_monotonic_ms());
}

/* ---- The thread -------------------------------------------------------------------------------- */

static void step(watcher_t *watcher)
{
    static void (*const steps[])(watcher_t *, const follow_action_t *) = {
        [FOLLOW_TICKET] = step_ticket,   [FOLLOW_MESSAGE] = step_message, [FOLLOW_NOW] = step_now,
        [FOLLOW_CLIENTS] = step_clients, [FOLLOW_LIST] = step_list,       [FOLLOW_ROWS] = step_rows,
        [FOLLOW_REPLAY] = step_replay,   [FOLLOW_PAUSE] = step_pause,
    };
    follow_action_t action;
    follow_next(watcher->follow, &action);
    steps[action.want](watcher, &action);
    (void)tell_all(watcher);
}

static void *run(void *argument)
{
    watcher_t *watcher = argument;
    while (!stopping(watcher) && watcher->final == KVZMQ_OK) {
        step(watcher);
        (void)pthread_mutex_lock(&watcher->counts_lock);
        follow_counts(watcher->follow, &watcher->counts);
        (void)pthread_mutex_unlock(&watcher->counts_lock);
    }
    event_link_destroy(&watcher->events);
    kvzmq_page_destroy(&watcher->page);
    (void)kvzmq_bye(watcher->conn); /* so that managers see "bye", not "lost" */
    kvzmq_destroy(&watcher->conn);
    return NULL;
}

/* Makes the request connection. No call-backs: they belong to the application's threads. No repeated attempts
 * to connect: follow.h decides when to try again. */
static kvzmq_t *connection_new(const kvzmq_options_t *given, const char *problem)
{
    if (problem != NULL)
        return kvzmq_new(given); /* each call reports the problem */
    kvzmq_options_t options = *given;
    options.connect_once = true;
    options.keep_alive = false; /* the thread does it */
    options.notice = NULL;
    options.interrupted = NULL;
    return kvzmq_new(&options);
}

static void watcher_free(watcher_t *watcher)
{
    event_link_destroy(&watcher->events);
    kvzmq_destroy(&watcher->conn);
    follow_destroy(&watcher->follow);
    if (watcher->wake >= 0)
        (void)close(watcher->wake);
    (void)pthread_mutex_destroy(&watcher->counts_lock);
    free(watcher);
}

bool watcher_foreign(const watcher_t *watcher)
{
    return watcher->process != system_process();
}

void watcher_abandon(watcher_t *watcher)
{
    if (watcher->conn != NULL)
        connection_abandon(watcher->conn);
    (void)close(watcher->wake);
}

bool watcher_new(const watcher_config_t *config, watcher_t **watcher)
{
    watcher_t *made = calloc(1, sizeof *made);
    *watcher = made;
    if (made == NULL)
        return false;
    kvzmq_options_t given;
    kvzmq_options_init(&given);
    const char *problem =
        config->connection != NULL ? sized_take(&given, sizeof given, config->connection) : NULL;
    (void)pthread_mutex_init(&made->counts_lock, NULL);
    made->config = *config;
    made->process = system_process();
    made->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    made->anonymous = given.user == NULL;
    made->conn = connection_new(problem == NULL ? &given : config->connection, problem);
    made->follow = follow_new(&config->follow);
    bool whole = made->wake >= 0 && made->conn != NULL && made->follow != NULL;
    if (whole && system_thread_start(&made->thread, run, made))
        return true;
    watcher_free(made);
    *watcher = NULL;
    return false;
}

/* Asks the thread to end. */
static void stop(watcher_t *watcher)
{
    uint64_t one = 1;
    atomic_store(&watcher->stop, true);
    (void)!write(watcher->wake, &one, sizeof one);
}

void watcher_destroy(watcher_t **watcher)
{
    watcher_t *gone = *watcher;
    if (gone == NULL)
        return;
    stop(gone);
    (void)pthread_join(gone->thread, NULL);
    *watcher = NULL;
    watcher_free(gone);
}

void watcher_counts(watcher_t *watcher, kvzmq_watch_counts_t *counts)
{
    (void)pthread_mutex_lock(&watcher->counts_lock);
    *counts = watcher->counts;
    (void)pthread_mutex_unlock(&watcher->counts_lock);
}
