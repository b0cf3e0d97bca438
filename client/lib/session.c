/* SPDX-License-Identifier: MPL-2.0 */
/* Makes and renews sessions: PROTOCOL.md, section 3. */
#include "client/lib/session.h"

#include <stdio.h>

#include "client/keep.h"
#include "client/lib/refusal.h"
#include "client/lib/resolve.h"
#include "client/lib/result.h"
#include "client/lib/system.h"
#include "common/clock.h"
#include "common/limits.h"

enum {
    INSTANCE_BYTES = 16, /* random bytes that distinguish the connections of one name */
    PAUSE_FIRST_MS = 20, /* before the second attempt to connect; doubled after each */
    PAUSE_MAX_MS = 500
};

/* Writes the routing id into OUT and its size into *SIZE: `NAME/` and random hexadecimal digits; empty for a
 * client by number. False if there are no random bytes. */
static bool make_identity(const kvzmq_options_t *options, char out[LIMIT_ROUTING_ID + 1], size_t *size)
{
    *size = 0;
    if (options->name == NULL)
        return true;
    uint8_t instance[INSTANCE_BYTES];
    if (!system_random(instance, sizeof instance))
        return false;
    int length = snprintf(out, LIMIT_ROUTING_ID + 1, "%s/", options->name);
    for (size_t i = 0; i < sizeof instance; i++)
        length += snprintf(out + length, (size_t)(LIMIT_ROUTING_ID + 1 - length), "%02x", instance[i]);
    *size = (size_t)length;
    return true;
}

static kvzmq_status_t no_descriptors(kvzmq_t *conn)
{
    return connection_fail(conn, KVZMQ_NO_MEMORY,
                           "no memory, threads or descriptors for a connection to %s: raise the process's "
                           "limits (ulimit -n)",
                           conn->options.given.endpoint);
}

/* Sets the error of a failed lookup of the address. *AGAIN: another attempt may succeed. */
static kvzmq_status_t resolve_failure(kvzmq_t *conn, resolve_status_t resolved, bool *again)
{
    static const kvzmq_status_t statuses[] = {[RESOLVE_INVALID] = KVZMQ_INVALID_ARGUMENT,
                                              [RESOLVE_INTERRUPTED] = KVZMQ_INTERRUPTED,
                                              [RESOLVE_NO_MEMORY] = KVZMQ_NO_MEMORY,
                                              [RESOLVE_UNREACHED] = KVZMQ_UNREACHABLE};
    bool listed = (size_t)resolved < sizeof statuses / sizeof statuses[0] && statuses[resolved] != KVZMQ_OK;
    *again = resolved == RESOLVE_FAILED || resolved == RESOLVE_REFUSED;
    conn->hopeless = resolved == RESOLVE_UNKNOWN;
    return connection_fail(conn, listed ? statuses[resolved] : KVZMQ_UNREACHABLE, "cannot connect to %s: %s",
                           conn->options.given.endpoint, resolve_status_text(resolved));
}

/* Begins to connect to ENDPOINT, which is numeric. */
static kvzmq_status_t link_begin(kvzmq_t *conn, const char *endpoint)
{
    const kvzmq_options_t *options = &conn->options.given;
    char identity[LIMIT_ROUTING_ID + 1];
    size_t size;
    if (!make_identity(options, identity, &size))
        return connection_fail(conn, KVZMQ_NO_MEMORY, "the system gives no random bytes");
    status_t status = context_prepare(&conn->context, LINK_DESCRIPTORS);
    if (status == STATUS_FAILED_PRECONDITION)
        return connection_fail(conn, KVZMQ_FAILED_PRECONDITION,
                               "the options' zmq_context was made before a fork, and does not work in the "
                               "child: make a new context and connection there");
    if (status == STATUS_OK) {
        status =
            link_new(conn->context.zmq, endpoint, bytes_of(identity, size), options->batches, &conn->link);
        context_used(&conn->context, status != STATUS_RESOURCE_EXHAUSTED);
    }
    if (status == STATUS_INVALID_ARGUMENT)
        return connection_fail(conn, KVZMQ_INVALID_ARGUMENT,
                               "%s is not an endpoint: write tcp://HOST:PORT or ipc://PATH",
                               options->endpoint);
    return status == STATUS_OK ? KVZMQ_OK : no_descriptors(conn);
}

/* Waits until the attempt has succeeded or failed, at most until DEADLINE. */
static kvzmq_status_t link_settle(kvzmq_t *conn, int64_t deadline, link_state_t *state)
{
    for (;;) {
        *state = link_state(conn->link);
        int64_t left_ms = deadline - clock_monotonic_ms();
        if (*state >= LINK_UP || left_ms <= 0)
            return KVZMQ_OK;
        if (!link_wait(conn->link, left_ms) && connection_interrupted(conn))
            return connection_fail(conn, KVZMQ_INTERRUPTED, "interrupted while connecting to %s",
                                   conn->options.given.endpoint);
    }
}

/* Sets the error of an attempt that ended in STATE. */
static kvzmq_status_t link_failure(kvzmq_t *conn, link_state_t state)
{
    const char *endpoint = conn->options.given.endpoint;
    long long limit_ms = (long long)conn->limit_ms;
    const char *refusal = state == LINK_REFUSED ? refusal_of_path(endpoint) : NULL;
    if (refusal != NULL)
        return connection_fail(conn, KVZMQ_UNREACHABLE, "cannot reach %s: %s", endpoint, refusal);
    switch (state) {
    case LINK_CONNECTING:
        return connection_fail(conn, KVZMQ_UNREACHABLE,
                               "cannot reach %s within %lld ms: check the host, the port and the network",
                               endpoint, limit_ms);
    case LINK_ACCEPTED:
        return connection_fail(conn, KVZMQ_TIMEOUT,
                               "connected to %s, but no answer within %lld ms: is the broker stopped, or is "
                               "something else there?",
                               endpoint, limit_ms);
    case LINK_REFUSED:
        return connection_fail(conn, KVZMQ_UNREACHABLE,
                               "nobody listens at %s: start kvbroker there, or name another endpoint",
                               endpoint);
    default:
        return connection_fail(
            conn, KVZMQ_UNREACHABLE,
            "the program at %s refused the connection: it is not a kvbroker, or it is stopping", endpoint);
    }
}

static int64_t longer(int64_t pause_ms)
{
    return pause_ms * 2 < PAUSE_MAX_MS ? pause_ms * 2 : PAUSE_MAX_MS;
}

static kvzmq_status_t pause_before_attempt(kvzmq_t *conn, int64_t pause_ms, int64_t deadline)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t until_ms = now_ms + pause_ms < deadline ? now_ms + pause_ms : deadline;
    for (; now_ms < until_ms; now_ms = clock_monotonic_ms())
        if (!link_pause(until_ms - now_ms) && connection_interrupted(conn))
            return connection_fail(conn, KVZMQ_INTERRUPTED, "interrupted while connecting to %s",
                                   conn->options.given.endpoint);
    return KVZMQ_OK;
}

/* One attempt to connect. If it fails, there is no link, and *AGAIN says whether another attempt may succeed.
 */
static kvzmq_status_t link_attempt(kvzmq_t *conn, int64_t deadline, bool *again)
{
    const kvzmq_options_t *options = &conn->options.given;
    const resolve_wait_t wait = {
        .deadline = deadline, .wake = -1, .interrupted = options->interrupted, .context = options->context};
    char numeric[RESOLVE_ENDPOINT_MAX + 1];
    link_state_t state = LINK_CONNECTING;
    *again = false;
    conn->hopeless = false;
    resolve_status_t resolved = resolve_endpoint(options->endpoint, &wait, numeric);
    if (resolved != RESOLVE_DONE)
        return resolve_failure(conn, resolved, again);
    kvzmq_status_t status = link_begin(conn, numeric);
    if (status == KVZMQ_OK)
        status = link_settle(conn, deadline, &state);
    if (status == KVZMQ_OK && state == LINK_UP)
        return KVZMQ_OK;
    if (status == KVZMQ_OK) {
        bool refused = link_stillborn(conn->link) && !system_descriptors_free(1);
        *again = !refused;
        status = refused ? no_descriptors(conn) : link_failure(conn, state);
    }
    connection_drop(conn, KVZMQ_UNREACHABLE);
    return status;
}

/* Connects. Repeats attempts until DEADLINE, each with a new socket. */
static kvzmq_status_t link_up(kvzmq_t *conn, int64_t deadline)
{
    for (int64_t pause_ms = PAUSE_FIRST_MS;; pause_ms = longer(pause_ms)) {
        bool again;
        kvzmq_status_t status = link_attempt(conn, deadline, &again);
        if (status == KVZMQ_OK || !again || conn->options.given.connect_once)
            return status;
        kvzmq_status_t paused = pause_before_attempt(conn, pause_ms, deadline);
        if (paused != KVZMQ_OK || clock_monotonic_ms() >= deadline)
            return paused != KVZMQ_OK ? paused : status;
    }
}

request_target_t session_request(kvzmq_t *conn, const char **problem)
{
    buffer_truncate(&conn->session_request, 0);
    return (request_target_t){
        .buffer = &conn->session_request, .msgid = connection_msgid(conn), .problem = problem};
}

kvzmq_status_t session_converse(kvzmq_t *conn, uint32_t msgid, int64_t deadline, response_t *response)
{
    kvzmq_status_t status = connection_send(conn, buffer_bytes(&conn->session_request));
    if (status != KVZMQ_OK)
        return status;
    status = connection_await(conn, msgid, deadline, response);
    if (status != KVZMQ_OK || !response->reply.failed)
        return status;
    status = connection_refused(conn, &response->reply);
    response_release(response);
    return status;
}

static void notify(const kvzmq_t *conn, kvzmq_notice_t notice, const char *text)
{
    const kvzmq_options_t *options = &conn->options.given;
    if (options->notice != NULL)
        options->notice(options->context, notice, text);
}

bool session_by_number(const char *client)
{
    return strspn(client, "0123456789") == strlen(client);
}

/* Whether the session may time out before the next request arrives. Such a request would begin a new session,
 * possibly of another client. Say hello before it to find out. */
static bool session_doubtful(const kvzmq_t *conn)
{
    int64_t idle_ms = clock_monotonic_ms() - conn->sent_ms;
    return conn->session.timeout_ms > 0 && (uint64_t)idle_ms >= conn->session.timeout_ms / 10 * 9;
}

/* Runs in the keeper's thread: pings if the session was silent for a third of its timeout. The ping is a
 * notification, which has no answer, so this thread never receives: the application's next call takes all
 * messages. */
static int64_t session_keep(void *context)
{
    static const uint8_t ping[] = "\x93\x02\xa4ping\x90";
    kvzmq_t *conn = context;
    if (!conn->live || conn->link == NULL || conn->session.timeout_ms == 0 || session_doubtful(conn) ||
        link_state(conn->link) != LINK_UP)
        return INT64_MAX;
    int64_t part_ms = keep_part_ms(&conn->session);
    int64_t due_ms = conn->sent_ms + part_ms;
    int64_t now_ms = clock_monotonic_ms();
    if (now_ms < due_ms)
        return due_ms;
    if (link_send(conn->link, bytes_of(ping, sizeof ping - 1)) != STATUS_OK)
        return INT64_MAX;
    conn->sent_ms = now_ms;
    if (link_readable(conn->link))
        keeper_nudge(conn->keeper);
    return now_ms + part_ms;
}

/* Begins a session after a hello, and sends notices. BEFORE: the former session. */
static void session_began(kvzmq_t *conn, const kvzmq_session_t *before)
{
    conn->live = true;
    conn->authenticated = false;
    conn->sessions++;
    if (conn->session.note[0] != '\0')
        notify(conn, KVZMQ_NOTICE_NOTE, conn->session.note);
    if (conn->sessions == 1)
        return;
    notify(conn, KVZMQ_NOTICE_RECONNECTED, conn->session.client);
    /* A client by number loses its store with its last session, even if it gets the same number again. */
    if (session_by_number(conn->session.client) || strcmp(before->client, conn->session.client) != 0)
        notify(conn, KVZMQ_NOTICE_NEW_CLIENT, conn->session.client);
    if (strcmp(before->epoch, conn->session.epoch) != 0)
        notify(conn, KVZMQ_NOTICE_NEW_EPOCH, conn->session.epoch);
}

static kvzmq_status_t session_hello(kvzmq_t *conn, int64_t deadline)
{
    const char *problem;
    response_t response;
    request_target_t target = session_request(conn, &problem);
    kvzmq_status_t status = request_hello(target, conn->options.given.secret);
    if (status != KVZMQ_OK)
        return connection_fail(conn, KVZMQ_NO_MEMORY, "no memory for a request");
    status = session_converse(conn, target.msgid, deadline, &response);
    if (status != KVZMQ_OK)
        return status;
    kvzmq_session_t before = conn->session;
    kvzmq_session_t said;
    bool understood = result_hello(response.reply.body, &said);
    response_release(&response);
    if (!understood)
        return connection_garbled(conn, "hello");
    if (said.protocol != RPC_PROTOCOL_VERSION)
        return connection_fail(
            conn, KVZMQ_PROTOCOL, "%s speaks version %llu of the protocol, this library %d",
            conn->options.given.endpoint, (unsigned long long)said.protocol, (int)RPC_PROTOCOL_VERSION);
    conn->session = said;
    if (conn->options.given.keep_alive && conn->keeper == NULL &&
        !keeper_new(session_keep, conn, &conn->keeper))
        return connection_fail(conn, KVZMQ_NO_MEMORY, "no memory or thread to keep the session alive");
    if (!conn->live)
        session_began(conn, &before);
    return KVZMQ_OK;
}

static kvzmq_status_t send_account(kvzmq_t *conn, const char *user, const char *password, int64_t deadline)
{
    const char *problem;
    response_t response = {0};
    request_target_t target = session_request(conn, &problem);
    /* Reserve all memory at once: a buffer that grows would leave a copy of the password in freed memory. */
    if (buffer_reserve(target.buffer, CONNECTION_SESSION_REQUEST_MAX) == NULL)
        return connection_fail(conn, KVZMQ_NO_MEMORY, "no memory for a request");
    kvzmq_status_t status = request_texts(target, METHOD_AUTH, user, password);
    if (status == KVZMQ_OK)
        status = session_converse(conn, target.msgid, deadline, &response);
    else
        status =
            connection_fail(conn, KVZMQ_INVALID_ARGUMENT, "user and password are too long for a request");
    if (target.buffer->data != NULL)
        explicit_bzero(target.buffer->data, target.buffer->capacity);
    if (status != KVZMQ_OK)
        return status;
    kvzmq_slice_t role;
    bool understood = result_role(response.reply.body, &role) && role.size < sizeof conn->session.role;
    if (understood && role.size > 0) {
        memcpy(conn->session.role, role.data, role.size);
        conn->session.role[role.size] = '\0';
    }
    response_release(&response);
    return understood ? KVZMQ_OK : connection_garbled(conn, "auth");
}

/* Begins a session. If the broker has limits/clients clients, it still admits one that authenticates. So on
 * RESOURCE_EXHAUSTED, tries the account (USER may be NULL). */
static kvzmq_status_t session_begin(kvzmq_t *conn, const char *user, const char *password, int64_t deadline)
{
    kvzmq_status_t status = session_hello(conn, deadline);
    if (status != KVZMQ_RESOURCE_EXHAUSTED || user == NULL)
        return status;
    status = send_account(conn, user, password, deadline);
    if (status == KVZMQ_UNAUTHENTICATED && user == conn->options.given.user)
        options_forget_account(&conn->options);
    return status == KVZMQ_OK ? session_hello(conn, deadline) : status;
}

/* Drops a link that broke or that the broker has ended. */
static void link_check(kvzmq_t *conn)
{
    if (conn->link == NULL)
        return;
    link_state_t state = link_state(conn->link);
    (void)connection_take(conn, 0, NULL);
    if (state != LINK_UP || conn->ended || conn->garbled)
        connection_drop(conn, KVZMQ_UNREACHABLE);
}

/* Makes sure that there is a live session. USER may be NULL: see session_begin. If the connection breaks
 * during hello, that counts as a failed attempt to connect. */
static kvzmq_status_t session_open(kvzmq_t *conn, const char *user, const char *password, int64_t deadline)
{
    link_check(conn);
    for (int64_t pause_ms = PAUSE_FIRST_MS;; pause_ms = longer(pause_ms)) {
        kvzmq_status_t status = conn->link == NULL ? link_up(conn, deadline) : KVZMQ_OK;
        if (status == KVZMQ_OK && (!conn->live || session_doubtful(conn)))
            status = session_begin(conn, user, password, deadline);
        if (status != KVZMQ_UNREACHABLE || conn->options.given.connect_once || conn->hopeless ||
            clock_monotonic_ms() >= deadline)
            return status;
        status = pause_before_attempt(conn, pause_ms, deadline);
        if (status != KVZMQ_OK)
            return status;
    }
}

/* Authenticates with the options' account, if there is one. Forgets a refused account, as session_begin does:
 * the broker would count each further attempt as password guessing. */
static kvzmq_status_t session_authenticate(kvzmq_t *conn, int64_t deadline)
{
    const kvzmq_options_t *options = &conn->options.given;
    if (options->user == NULL || conn->authenticated)
        return KVZMQ_OK;
    kvzmq_status_t status = send_account(conn, options->user, options->password, deadline);
    if (status == KVZMQ_UNAUTHENTICATED)
        options_forget_account(&conn->options);
    conn->authenticated = status == KVZMQ_OK;
    return status;
}

/* Tells `push` that there is a live session, authenticated if the options have an account. */
static kvzmq_status_t session_announce(const kvzmq_t *conn, int64_t deadline)
{
    return conn->push.begin == NULL ? KVZMQ_OK : conn->push.begin(conn->push.context, deadline);
}

kvzmq_status_t session_ensure(kvzmq_t *conn, int64_t deadline)
{
    const kvzmq_options_t *options = &conn->options.given;
    kvzmq_status_t status = session_open(conn, options->user, options->password, deadline);
    if (status == KVZMQ_OK)
        status = session_authenticate(conn, deadline);
    return status == KVZMQ_OK ? session_announce(conn, deadline) : status;
}

static kvzmq_status_t connect_session(kvzmq_t *conn)
{
    int64_t deadline;
    kvzmq_status_t status = connection_begin(conn, conn->options.given.connect_ms, &deadline);
    if (status == KVZMQ_OK)
        status = session_open(conn, conn->options.given.user, conn->options.given.password, deadline);
    if (status != KVZMQ_OK)
        return status;
    status = connection_begin(conn, conn->options.given.call_ms, &deadline);
    if (status == KVZMQ_OK)
        status = session_authenticate(conn, deadline);
    return status == KVZMQ_OK ? session_announce(conn, deadline) : status;
}

kvzmq_status_t kvzmq_connect(kvzmq_t *conn)
{
    connection_enter(conn);
    kvzmq_status_t status = connect_session(conn);
    connection_leave(conn);
    return status;
}

static kvzmq_status_t say_hello(kvzmq_t *conn)
{
    int64_t deadline;
    kvzmq_status_t status = connection_begin(conn, conn->options.given.call_ms, &deadline);
    if (status == KVZMQ_OK)
        status = session_ensure(conn, deadline);
    return status == KVZMQ_OK ? session_hello(conn, deadline) : status;
}

kvzmq_status_t kvzmq_hello(kvzmq_t *conn)
{
    connection_enter(conn);
    kvzmq_status_t status = say_hello(conn);
    connection_leave(conn);
    return status;
}

static kvzmq_status_t authenticate(kvzmq_t *conn, const char *user, const char *password)
{
    int64_t deadline;
    kvzmq_status_t status = connection_begin(conn, conn->options.given.call_ms, &deadline);
    if (status == KVZMQ_OK && (user == NULL || password == NULL))
        status = connection_fail(conn, KVZMQ_INVALID_ARGUMENT, "auth: give a user and a password");
    if (status == KVZMQ_OK)
        status = session_open(conn, user, password, deadline);
    return status == KVZMQ_OK ? send_account(conn, user, password, deadline) : status;
}

kvzmq_status_t kvzmq_auth(kvzmq_t *conn, const char *user, const char *password)
{
    connection_enter(conn);
    kvzmq_status_t status = authenticate(conn, user, password);
    connection_leave(conn);
    return status;
}

static kvzmq_status_t say_bye(kvzmq_t *conn)
{
    int64_t deadline;
    const char *problem;
    response_t response;
    kvzmq_status_t status = connection_begin(conn, conn->options.given.call_ms, &deadline);
    if (status != KVZMQ_OK || conn->link == NULL || !conn->live)
        return status; /* there is no session to end */
    request_target_t target = session_request(conn, &problem);
    status = request_plain(target, METHOD_BYE);
    if (status != KVZMQ_OK)
        return connection_fail(conn, KVZMQ_NO_MEMORY, "no memory for a request");
    status = session_converse(conn, target.msgid, deadline, &response);
    if (status == KVZMQ_OK)
        response_release(&response);
    if (status == KVZMQ_INTERRUPTED)
        return status;
    connection_drop(conn, KVZMQ_UNREACHABLE);
    if (status == KVZMQ_TIMEOUT || status == KVZMQ_UNREACHABLE)
        return connection_fail(conn, KVZMQ_OUTCOME_UNKNOWN, "%s did not answer the bye",
                               conn->options.given.endpoint);
    return status;
}

kvzmq_status_t kvzmq_bye(kvzmq_t *conn)
{
    connection_enter(conn);
    kvzmq_status_t status = say_bye(conn);
    connection_leave(conn);
    return status;
}
