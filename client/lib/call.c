/* SPDX-License-Identifier: MPL-2.0 */
/* The synchronous calls: send a request, repeat it if that is allowed, and read its result. */
#include <assert.h>

#include "client/lib/answer.h"
#include "client/lib/page.h"
#include "client/lib/result.h"
#include "client/lib/session.h"
#include "client/lib/sized.h"
#include "client/lib/value.h"
#include "client/slice.h"
#include "common/clock.h"

/* A call in progress: call_begin starts it, a function of request.h encodes its request, call_finish executes
 * it. */
typedef struct call {
    kvzmq_t *conn;
    const char *method;      /* its name, for error texts */
    bool writes;             /* it changes something */
    int64_t deadline;        /* monotonic ms */
    const char *problem;     /* why the arguments are not valid */
    request_target_t target; /* where the request goes */
    response_t response;     /* after call_finish returned KVZMQ_OK: owned */
} call_t;

/* Bytes of the request buffer that are kept between calls; a larger buffer is freed. */
enum { REQUEST_KEPT = 1024 * 1024 };

static kvzmq_status_t call_begin(call_t *call, kvzmq_t *conn, method_t method, const char *client)
{
    *call = (call_t){.conn = conn, .method = method_name(method), .writes = method_writes(method)};
    call->target = (request_target_t){.buffer = &conn->request, .client = client, .problem = &call->problem};
    if (conn->request.capacity > REQUEST_KEPT)
        buffer_release(&conn->request);
    buffer_truncate(&conn->request, 0);
    kvzmq_status_t status = connection_begin(conn, conn->options.given.call_ms, &call->deadline);
    if (status == KVZMQ_OK)
        call->target.msgid = connection_msgid(conn);
    return status;
}

/* A longer frame would make ZeroMQ close the connection. */
static kvzmq_status_t check_size(const call_t *call)
{
    uint64_t limit = call->conn->session.limit_message;
    if (call->conn->request.size <= limit)
        return KVZMQ_OK;
    return connection_fail(call->conn, KVZMQ_INVALID_ARGUMENT,
                           "%s: the request has %zu bytes, the broker takes at most %llu (limits/message)",
                           call->method, call->conn->request.size, (unsigned long long)limit);
}

/* One attempt. Sets *SENT if the request may have reached the broker. */
static kvzmq_status_t call_try(call_t *call, bool *sent)
{
    kvzmq_t *conn = call->conn;
    kvzmq_status_t status = session_ensure(conn, call->deadline);
    if (status == KVZMQ_OK)
        status = check_size(call);
    if (status == KVZMQ_OK)
        status = connection_send(conn, buffer_bytes(&conn->request));
    if (status != KVZMQ_OK)
        return status;
    *sent = true;
    return connection_await(conn, call->target.msgid, call->deadline, &call->response);
}

/* Whether a session without secret and role refused the request. The broker begins such a session if the
 * former one has just timed out when the request arrives. Nothing was executed then. */
static bool refused_by_new_session(const call_t *call)
{
    status_t status;
    return !call->conn->live && call->response.reply.failed &&
           status_from_text(call->response.reply.code, &status) &&
           (status == STATUS_UNAUTHENTICATED || status == STATUS_PERMISSION_DENIED);
}

/* Whether to try a call again after its connection broke. A request that was not sent may be tried again,
 * unless connecting failed: the options say how often that is tried. */
static bool may_repeat(const call_t *call, bool sent)
{
    const kvzmq_t *conn = call->conn;
    bool allowed = sent ? !call->writes : !conn->options.given.connect_once && !conn->hopeless;
    return allowed && clock_monotonic_ms() < call->deadline;
}

static kvzmq_status_t outcome_unknown(const call_t *call, kvzmq_status_t why)
{
    kvzmq_t *conn = call->conn;
    if (why == KVZMQ_TIMEOUT)
        return connection_fail(
            conn, KVZMQ_OUTCOME_UNKNOWN,
            "%s was sent to %s and not answered within %lld ms: it may or may not have been "
            "carried out; read to find out",
            call->method, conn->options.given.endpoint, (long long)conn->limit_ms);
    return connection_fail(
        conn, KVZMQ_OUTCOME_UNKNOWN,
        "%s was sent to %s and the connection broke before its answer: it may or may not have "
        "been carried out; read to find out",
        call->method, conn->options.given.endpoint);
}

/* Executes the call. REQUEST is the status of encoding the request. On KVZMQ_OK the caller releases the
 * response. */
static kvzmq_status_t carry_out(call_t *call, kvzmq_status_t request)
{
    kvzmq_t *conn = call->conn;
    if (request == KVZMQ_INVALID_ARGUMENT)
        return connection_fail(conn, request, "%s: %s", call->method, call->problem);
    if (request != KVZMQ_OK)
        return connection_fail(conn, KVZMQ_INVALID_ARGUMENT,
                               "%s: the request is longer than any broker takes", call->method);
    bool sent = false;
    kvzmq_status_t status = call_try(call, &sent);
    if (status == KVZMQ_UNREACHABLE && may_repeat(call, sent))
        status = call_try(call, &sent);
    else if (status == KVZMQ_OK && refused_by_new_session(call)) {
        response_release(&call->response);
        sent = false;
        status = call_try(call, &sent);
    }
    if (sent && call->writes && (status == KVZMQ_UNREACHABLE || status == KVZMQ_TIMEOUT))
        return outcome_unknown(call, status);
    if (status != KVZMQ_OK || !call->response.reply.failed)
        return status;
    status = connection_refused(conn, &call->response.reply);
    response_release(&call->response);
    return status;
}

static kvzmq_status_t call_finish(call_t *call, kvzmq_status_t request)
{
    connection_enter(call->conn);
    kvzmq_status_t status = carry_out(call, request);
    connection_leave(call->conn);
    return status;
}

/* Ends a call and releases its response. READ: the result was valid. */
static kvzmq_status_t call_end(call_t *call, bool read)
{
    response_release(&call->response);
    return read ? KVZMQ_OK : connection_garbled(call->conn, call->method);
}

/* Reads the result of a store method into ANSWER, which borrows from the call's response. */
static kvzmq_status_t call_read(call_t *call, method_t method, kvzmq_answer_t *answer)
{
    kvzmq_status_t status = answer_read(method, call->response.reply.body, answer);
    if (status == KVZMQ_PROTOCOL)
        return connection_garbled(call->conn, call->method);
    return status;
}

static kvzmq_status_t copy_value(kvzmq_t *conn, kvzmq_slice_t slice, kvzmq_value_t *value)
{
    if (value == NULL || value_copy(value, slice_bytes(slice), slice.binary))
        return KVZMQ_OK;
    return connection_fail(conn, KVZMQ_NO_MEMORY, "no memory for a value of %zu bytes", slice.size);
}

/* get and entry. */
static kvzmq_status_t read_key(kvzmq_t *conn, method_t method, const char *client, kvzmq_slice_t key,
                               kvzmq_value_t *value, kvzmq_answer_t *answer)
{
    call_t call;
    kvzmq_status_t status = call_begin(&call, conn, method, client);
    if (status == KVZMQ_OK)
        status = call_finish(&call, request_key(call.target, method, key));
    if (status != KVZMQ_OK)
        return status;
    status = call_read(&call, method, answer);
    if (status == KVZMQ_OK)
        status = copy_value(conn, answer->value, value);
    response_release(&call.response);
    return status;
}

kvzmq_status_t kvzmq_get(kvzmq_t *conn, const char *client, kvzmq_slice_t key, kvzmq_value_t *value)
{
    kvzmq_answer_t answer;
    return read_key(conn, METHOD_GET, client, key, value, &answer);
}

kvzmq_status_t kvzmq_entry(kvzmq_t *conn, const char *client, kvzmq_slice_t key, kvzmq_value_t *value,
                           uint64_t *revision, int64_t *ttl_ms)
{
    kvzmq_answer_t answer;
    kvzmq_status_t status = read_key(conn, METHOD_ENTRY, client, key, value, &answer);
    if (status != KVZMQ_OK)
        return status;
    if (revision != NULL)
        *revision = answer.revision;
    if (ttl_ms != NULL)
        *ttl_ms = answer.ttl_ms;
    return KVZMQ_OK;
}

/* Ends put and del: reads the revision in their answer. */
static kvzmq_status_t end_write(call_t *call, method_t method, uint64_t *revision)
{
    kvzmq_answer_t answer;
    kvzmq_status_t status = call_read(call, method, &answer);
    if (status == KVZMQ_OK && revision != NULL)
        *revision = answer.revision;
    response_release(&call->response);
    return status;
}

kvzmq_status_t kvzmq_put(kvzmq_t *conn, const char *client, kvzmq_slice_t key, kvzmq_slice_t value,
                         const kvzmq_put_options_t *options, uint64_t *revision)
{
    call_t call;
    kvzmq_status_t status = call_begin(&call, conn, METHOD_PUT, client);
    if (status == KVZMQ_OK)
        status = call_finish(&call, request_put(call.target, key, value, options));
    return status == KVZMQ_OK ? end_write(&call, METHOD_PUT, revision) : status;
}

kvzmq_status_t kvzmq_del(kvzmq_t *conn, const char *client, kvzmq_slice_t key, const uint64_t *if_revision,
                         uint64_t *revision)
{
    call_t call;
    kvzmq_status_t status = call_begin(&call, conn, METHOD_DEL, client);
    if (status == KVZMQ_OK)
        status = call_finish(&call, request_del(call.target, key, if_revision));
    return status == KVZMQ_OK ? end_write(&call, METHOD_DEL, revision) : status;
}

kvzmq_status_t kvzmq_digest_sized(kvzmq_t *conn, const char *client, kvzmq_digest_t *digest)
{
    call_t call;
    kvzmq_digest_t read;
    kvzmq_status_t status = call_begin(&call, conn, METHOD_DIGEST, client);
    if (status == KVZMQ_OK && digest != NULL && !sized_is_set(digest))
        status = connection_fail(conn, KVZMQ_INVALID_ARGUMENT, "digest: the struct's size is not set");
    if (status == KVZMQ_OK)
        status = call_finish(&call, request_plain(call.target, METHOD_DIGEST));
    if (status != KVZMQ_OK)
        return status;
    status = call_end(&call, result_digest(call.response.reply.body, &read));
    if (status == KVZMQ_OK && digest != NULL)
        sized_give(digest, &read, sizeof read);
    return status;
}

kvzmq_status_t kvzmq_ping(kvzmq_t *conn)
{
    call_t call;
    kvzmq_slice_t pong;
    kvzmq_status_t status = call_begin(&call, conn, METHOD_PING, NULL);
    if (status == KVZMQ_OK)
        status = call_finish(&call, request_plain(call.target, METHOD_PING));
    return status == KVZMQ_OK ? call_end(&call, result_value(call.response.reply.body, &pong)) : status;
}

/* Ends a call whose result is a page. Checks that the page belongs to RANGE, if that is not NULL. */
static kvzmq_status_t end_page(call_t *call, page_kind_t kind, const kvzmq_range_t *range,
                               kvzmq_page_t **page)
{
    kvzmq_page_t *made;
    kvzmq_status_t status = page_new(kind, call->response.reply.body, &made);
    response_release(&call->response);
    if (status == KVZMQ_PROTOCOL)
        return connection_garbled(call->conn, call->method);
    if (status != KVZMQ_OK)
        return connection_fail(call->conn, status, "no memory for a page");
    if (range != NULL && !page_is_of_range(made, range)) {
        kvzmq_page_destroy(&made);
        return connection_fail(
            call->conn, KVZMQ_PROTOCOL,
            "%s answered %s with a page that is not the next one in order: a fault of the broker",
            call->conn->options.given.endpoint, call->method);
    }
    *page = made;
    return KVZMQ_OK;
}

static kvzmq_status_t read_range(kvzmq_t *conn, method_t method, const char *client,
                                 const kvzmq_range_t *range, page_kind_t kind, kvzmq_page_t **page)
{
    call_t call;
    kvzmq_status_t status = call_begin(&call, conn, method, client);
    if (status == KVZMQ_OK)
        status = call_finish(&call, request_range(call.target, method, range));
    if (status != KVZMQ_OK)
        return status;
    kvzmq_range_t own = {0}; /* a copy of RANGE, which request_range found valid */
    const char *problem = range != NULL ? sized_take(&own, sizeof own, range) : NULL;
    assert(problem == NULL);
    return end_page(&call, kind, &own, page);
}

kvzmq_status_t kvzmq_list(kvzmq_t *conn, const char *client, const kvzmq_range_t *range, kvzmq_page_t **page)
{
    return read_range(conn, METHOD_LIST, client, range, PAGE_LIST, page);
}

kvzmq_status_t kvzmq_clients(kvzmq_t *conn, const kvzmq_range_t *range, kvzmq_page_t **page)
{
    return read_range(conn, METHOD_CLIENTS, NULL, range, PAGE_CLIENTS, page);
}

kvzmq_status_t kvzmq_stats(kvzmq_t *conn, kvzmq_page_t **page)
{
    call_t call;
    kvzmq_status_t status = call_begin(&call, conn, METHOD_STATS, NULL);
    if (status == KVZMQ_OK)
        status = call_finish(&call, request_plain(call.target, METHOD_STATS));
    return status == KVZMQ_OK ? end_page(&call, PAGE_STATS, NULL, page) : status;
}

/* role and forget. Their results have no information for the caller. */
static kvzmq_status_t manage_client(kvzmq_t *conn, method_t method, const char *client, const char *role)
{
    call_t call;
    kvzmq_status_t status = call_begin(&call, conn, method, NULL);
    if (status == KVZMQ_OK && (client == NULL || (role == NULL && method == METHOD_ROLE)))
        status = connection_fail(conn, KVZMQ_INVALID_ARGUMENT, "%s: an argument is missing", call.method);
    if (status == KVZMQ_OK)
        status = call_finish(&call, request_texts(call.target, method, client, role));
    return status == KVZMQ_OK ? call_end(&call, true) : status;
}

kvzmq_status_t kvzmq_role(kvzmq_t *conn, const char *client, const char *role)
{
    return manage_client(conn, METHOD_ROLE, client, role);
}

kvzmq_status_t kvzmq_forget(kvzmq_t *conn, const char *client)
{
    return manage_client(conn, METHOD_FORGET, client, NULL);
}

kvzmq_status_t kvzmq_call(kvzmq_t *conn, const char *method, kvzmq_slice_t params, unsigned flags,
                          kvzmq_value_t *result)
{
    call_t call;
    kvzmq_status_t status = call_begin(&call, conn, METHOD_ANY, NULL);
    call.method = method == NULL ? "call" : method;
    call.writes = (flags & KVZMQ_READ) == 0;
    if (status == KVZMQ_OK)
        status = call_finish(&call, request_encoded(call.target, method, params, flags));
    if (status != KVZMQ_OK)
        return status;
    bytes_t body = call.response.reply.body;
    status = copy_value(conn, kvzmq_binary(body.data, body.size), result);
    response_release(&call.response);
    return status;
}
