/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the connection object: its options, link, queue and error text. Assigns incoming messages to calls,
 * batches and pushes. Does not interpret requests and results, except a pushed `bye`. */
#include "client/lib/connection.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/lib/result.h"
#include "client/lib/system.h"
#include "client/slice.h"
#include "common/clock.h"
#include "common/utf8.h"

enum { CODE_SIZE = 64 }; /* bytes of an unknown error code in an error text */

kvzmq_t *kvzmq_new(const kvzmq_options_t *options)
{
    kvzmq_t *conn = calloc(1, sizeof *conn);
    if (conn == NULL)
        return NULL;
    if (!options_init(&conn->options, options)) {
        free(conn);
        return NULL;
    }
    buffer_init(&conn->request, SOCKET_MESSAGE_MAX);
    buffer_init(&conn->session_request, CONNECTION_SESSION_REQUEST_MAX);
    if (!context_init(&conn->context, conn->options.given.zmq_context))
        kvzmq_destroy(&conn);
    return conn;
}

void connection_abandon(kvzmq_t *conn)
{
    link_abandon(&conn->link);
    system_abandon(conn->keeper);
    conn->keeper = NULL;
}

void kvzmq_destroy(kvzmq_t **conn)
{
    kvzmq_t *gone = *conn;
    *conn = NULL;
    if (gone == NULL)
        return;
    if (context_foreign(&gone->context))
        connection_abandon(gone);
    keeper_destroy(&gone->keeper);
    link_destroy(&gone->link);
    queue_release(&gone->queue);
    context_release(&gone->context);
    buffer_release(&gone->request);
    buffer_release(&gone->session_request);
    options_release(&gone->options);
    if (gone->push.release != NULL)
        gone->push.release(gone->push.context);
    free(gone);
}

const char *kvzmq_error(const kvzmq_t *conn)
{
    return conn->error;
}

bool kvzmq_detail(const kvzmq_t *conn, uint64_t *detail)
{
    if (conn->has_detail && detail != NULL)
        *detail = conn->detail;
    return conn->has_detail;
}

const kvzmq_session_t *kvzmq_session(const kvzmq_t *conn)
{
    return conn->sessions > 0 ? &conn->session : NULL;
}

uint64_t kvzmq_reconnects(const kvzmq_t *conn)
{
    return conn->sessions > 0 ? conn->sessions - 1 : 0;
}

const char *kvzmq_endpoint(const kvzmq_t *conn)
{
    return conn->options.given.endpoint;
}

void *connection_context(const kvzmq_t *conn)
{
    return conn->context.zmq;
}

int kvzmq_fd(const kvzmq_t *conn)
{
    if (conn->link == NULL || context_foreign(&conn->context))
        return -1;
    if (conn->keeper == NULL)
        return link_fd(conn->link);
    keeper_lock(conn->keeper);
    int fd = keeper_fd(conn->keeper, link_fd(conn->link));
    if (link_readable(conn->link))
        keeper_nudge(conn->keeper);
    keeper_unlock(conn->keeper);
    return fd;
}

/* In the child of a fork: drops the parent's session, which the parent continues. The child begins its own.
 */
static void forget_parent(kvzmq_t *conn)
{
    connection_abandon(conn);
    connection_drop(conn, KVZMQ_UNREACHABLE);
}

void connection_enter(kvzmq_t *conn)
{
    if (context_foreign(&conn->context))
        forget_parent(conn);
    if (conn->depth++ == 0 && conn->keeper != NULL)
        keeper_lock(conn->keeper);
}

/* If the keeper was made since connection_enter, keeper_new returned with its lock held. */
void connection_leave(kvzmq_t *conn)
{
    if (--conn->depth == 0 && conn->keeper != NULL)
        keeper_unlock(conn->keeper);
}

kvzmq_status_t connection_begin(kvzmq_t *conn, int limit_ms, int64_t *deadline)
{
    conn->error[0] = '\0';
    conn->has_detail = false;
    conn->limit_ms = limit_ms;
    if (deadline != NULL)
        *deadline = clock_monotonic_ms() + limit_ms;
    if (context_foreign(&conn->context))
        forget_parent(conn);
    if (conn->options.problem != NULL)
        return connection_fail(conn, KVZMQ_INVALID_ARGUMENT, "%s", conn->options.problem);
    return KVZMQ_OK;
}

kvzmq_status_t connection_fail(kvzmq_t *conn, kvzmq_status_t status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)utf8_vformat(conn->error, sizeof conn->error, format, arguments);
    va_end(arguments);
    return status;
}

kvzmq_status_t connection_refused(kvzmq_t *conn, const rpc_reply_t *reply)
{
    status_t status = STATUS_OK;
    bool known = status_from_text(reply->code, &status) && status != STATUS_OK;
    char code[CODE_SIZE];
    char text[CONNECTION_ERROR_SIZE];
    (void)utf8_line(reply->code, code, sizeof code);
    (void)utf8_line(reply->text, text, sizeof text);
    (void)utf8_format(conn->error, sizeof conn->error, "%s%s%s", known ? "" : code, known ? "" : ": ", text);
    conn->has_detail = reply->has_detail;
    conn->detail = reply->detail;
    return known ? (kvzmq_status_t)status : KVZMQ_OTHER;
}

kvzmq_status_t connection_garbled(kvzmq_t *conn, const char *method)
{
    return connection_fail(conn, KVZMQ_PROTOCOL,
                           "%s gave an unexpected answer to %s: another version of the protocol?",
                           conn->options.given.endpoint, method);
}

uint32_t connection_msgid(kvzmq_t *conn)
{
    conn->msgid = conn->msgid == UINT32_MAX ? 1 : conn->msgid + 1; /* 0 is for errors about a whole payload */
    return conn->msgid;
}

bool connection_interrupted(const kvzmq_t *conn)
{
    const kvzmq_options_t *options = &conn->options.given;
    return options->interrupted != NULL && options->interrupted(options->context);
}

void connection_drop(kvzmq_t *conn, kvzmq_status_t why)
{
    link_destroy(&conn->link);
    conn->live = false;
    conn->ended = false;
    conn->garbled = false;
    queue_fail(&conn->queue, why);
}

/* A `bye` with reason "timeout" ends only the session. Any other ends the connection too. */
static void take_bye(kvzmq_t *conn, const rpc_reply_t *push)
{
    kvzmq_slice_t reason;
    if (!result_bye(push->body, &reason))
        return;
    conn->live = false;
    conn->ended = conn->ended || !bytes_equal(slice_bytes(reason), bytes_from_text("timeout"));
    char text[64];
    const kvzmq_options_t *options = &conn->options.given;
    if (options->notice != NULL)
        options->notice(options->context, KVZMQ_NOTICE_BYE,
                        utf8_quote(slice_bytes(reason), text, sizeof text));
}

static void take_push(kvzmq_t *conn, const rpc_reply_t *push)
{
    if (bytes_equal(push->method, bytes_from_text("bye")))
        take_bye(conn, push);
    else if (bytes_equal(push->method, bytes_from_text("changed")) && conn->push.take != NULL)
        conn->push.take(conn->push.context, push->body);
}

/* Handles the pushes at the beginning of a payload and finds its first response, which begins at *START.
 * False if there is none. */
static bool find_response(kvzmq_t *conn, bytes_t bytes, size_t *start, rpc_reply_t *reply)
{
    for (size_t at = 0;;) {
        *start = at;
        rpc_step_t step = rpc_read_reply(bytes, &at, reply);
        if (step == RPC_STEP_END)
            return false;
        if (step == RPC_STEP_BROKEN || (reply->kind != RPC_RESPONSE && reply->kind != RPC_NOTIFICATION)) {
            conn->garbled = true;
            return false;
        }
        if (reply->kind == RPC_RESPONSE)
            return true;
        take_push(conn, reply);
    }
}

bool connection_take(kvzmq_t *conn, uint32_t wanted, response_t *response)
{
    payload_t payload;
    while (!conn->garbled && link_receive(conn->link, &payload)) {
        rpc_reply_t reply;
        size_t start;
        if (!find_response(conn, payload_bytes(&payload), &start, &reply)) {
            payload_release(&payload);
            continue;
        }
        bool ours = wanted != 0 && reply.msgid == wanted;
        if (!ours && queue_store(&conn->queue, &payload, reply.msgid)) {
            conn->progress_ms = clock_monotonic_ms();
            continue;
        }
        /* If no batch waits, an error about a whole payload (msgid 0) belongs to this call. Any other msgid
         * belongs to a call that was interrupted. */
        if (ours || (wanted != 0 && reply.msgid == 0)) {
            /* Read it again after the move: libzmq keeps the bytes of a short message in its struct. */
            payload_move(&response->payload, &payload);
            return rpc_read_reply(payload_bytes(&response->payload), &start, &response->reply) ==
                   RPC_STEP_MESSAGE;
        }
        payload_release(&payload);
    }
    return false;
}

kvzmq_status_t connection_send(kvzmq_t *conn, bytes_t payload)
{
    status_t status = link_send(conn->link, payload);
    if (status == STATUS_RESOURCE_EXHAUSTED)
        return connection_fail(conn, KVZMQ_NO_MEMORY, "no memory to send %zu bytes", payload.size);
    if (status != STATUS_OK) {
        connection_drop(conn, KVZMQ_UNREACHABLE);
        return connection_fail(conn, KVZMQ_UNREACHABLE, "the connection to %s broke",
                               conn->options.given.endpoint);
    }
    conn->sent_ms = clock_monotonic_ms();
    return KVZMQ_OK;
}

/* Drops the link and sets the error text. */
static kvzmq_status_t give_up(kvzmq_t *conn, kvzmq_status_t why)
{
    const char *endpoint = conn->options.given.endpoint;
    connection_drop(conn, why);
    if (why == KVZMQ_PROTOCOL)
        return connection_fail(conn, why, "%s does not speak kvbroker's protocol", endpoint);
    if (why == KVZMQ_TIMEOUT)
        return connection_fail(conn, why,
                               "no answer from %s within %lld ms: is the broker stopped or overloaded?",
                               endpoint, (long long)conn->limit_ms);
    return connection_fail(conn, why, "the connection to %s broke: has the broker ended?", endpoint);
}

kvzmq_status_t connection_await(kvzmq_t *conn, uint32_t msgid, int64_t deadline, response_t *response)
{
    for (;;) {
        /* Get the state before receiving: messages that arrived before the connection broke can still be
         * taken. */
        link_state_t state = link_state(conn->link);
        if (connection_take(conn, msgid, response))
            return KVZMQ_OK;
        if (conn->garbled)
            return give_up(conn, KVZMQ_PROTOCOL);
        if (state != LINK_UP || conn->ended)
            return give_up(conn, KVZMQ_UNREACHABLE);
        int64_t left_ms = deadline - clock_monotonic_ms();
        if (left_ms <= 0)
            return give_up(conn, KVZMQ_TIMEOUT);
        if (!link_wait(conn->link, left_ms) && connection_interrupted(conn))
            return connection_fail(conn, KVZMQ_INTERRUPTED, "interrupted while waiting for %s",
                                   conn->options.given.endpoint);
    }
}
