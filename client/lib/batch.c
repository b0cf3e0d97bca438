/* SPDX-License-Identifier: MPL-2.0 */
/* Batches: adds requests, sends them, and hands out their answers. All public functions about batches are
 * here; connection.c assigns answers to the batches of the queue. */
#include <stdlib.h>

#include "client/lib/answer.h"
#include "client/lib/page.h"
#include "client/lib/session.h"
#include "client/lib/sized.h"
#include "client/slice.h"
#include "common/clock.h"
#include "common/limits.h"

enum { REQUESTS_FIRST = 64 }; /* initial capacity, in requests */

/* The broker's limits; before the first session, the default limits. */
static uint64_t limit_batch(const kvzmq_t *conn)
{
    static const limits_t usual = LIMITS_DEFAULT;
    return conn->sessions > 0 ? conn->session.limit_batch : usual.batch;
}

static uint64_t limit_message(const kvzmq_t *conn)
{
    static const limits_t usual = LIMITS_DEFAULT;
    uint64_t limit = conn->sessions > 0 ? conn->session.limit_message : usual.message;
    return limit < SOCKET_MESSAGE_MAX ? limit : SOCKET_MESSAGE_MAX;
}

kvzmq_batch_t *kvzmq_batch_new(kvzmq_t *conn)
{
    kvzmq_batch_t *batch = calloc(1, sizeof *batch);
    if (batch == NULL)
        return NULL;
    batch->conn = conn;
    buffer_init(&batch->bytes, limit_message(conn));
    return batch;
}

void kvzmq_batch_destroy(kvzmq_batch_t **batch)
{
    batch_free(*batch);
    *batch = NULL;
}

size_t kvzmq_batch_count(const kvzmq_batch_t *batch)
{
    return batch->count;
}

/* Makes room for one more request. */
static kvzmq_status_t batch_reserve(kvzmq_batch_t *batch)
{
    if (batch->count >= limit_batch(batch->conn))
        return KVZMQ_RESOURCE_EXHAUSTED;
    if (batch->count < batch->capacity)
        return KVZMQ_OK;
    uint32_t capacity = batch->capacity == 0 ? REQUESTS_FIRST : batch->capacity * 2;
    batch_request_t *requests = realloc(batch->requests, capacity * sizeof *requests);
    if (requests == NULL)
        return KVZMQ_NO_MEMORY;
    batch->requests = requests;
    batch->capacity = capacity;
    return KVZMQ_OK;
}

/* A request that is being added. batch_add_begin fills it in, a writer encodes the request into `target`, and
 * batch_add_end adds it to the batch. */
typedef struct addition {
    kvzmq_batch_t *batch;
    const char *problem; /* ignored: a batch has no error text */
    request_target_t target;
    batch_request_t request;
} addition_t;

static kvzmq_status_t batch_add_begin(addition_t *addition, kvzmq_batch_t *batch, const char *client,
                                      method_t method, void *tag)
{
    kvzmq_status_t status = batch_reserve(batch);
    if (status != KVZMQ_OK)
        return status;
    uint32_t msgid = connection_msgid(batch->conn);
    *addition = (addition_t){.batch = batch};
    addition->target = (request_target_t){
        .buffer = &batch->bytes, .msgid = msgid, .client = client, .problem = &addition->problem};
    addition->request = (batch_request_t){
        .tag = tag, .msgid = msgid, .method = (uint8_t)method, .writes = method_writes(method)};
    return KVZMQ_OK;
}

static kvzmq_status_t batch_add_end(const addition_t *addition, kvzmq_status_t written)
{
    if (written == KVZMQ_OK)
        addition->batch->requests[addition->batch->count++] = addition->request;
    return written;
}

static kvzmq_status_t batch_add_key(kvzmq_batch_t *batch, method_t method, const char *client,
                                    kvzmq_slice_t key, void *tag)
{
    addition_t addition;
    kvzmq_status_t status = batch_add_begin(&addition, batch, client, method, tag);
    return status == KVZMQ_OK ? batch_add_end(&addition, request_key(addition.target, method, key)) : status;
}

kvzmq_status_t kvzmq_batch_get(kvzmq_batch_t *batch, const char *client, kvzmq_slice_t key, void *tag)
{
    return batch_add_key(batch, METHOD_GET, client, key, tag);
}

kvzmq_status_t kvzmq_batch_entry(kvzmq_batch_t *batch, const char *client, kvzmq_slice_t key, void *tag)
{
    return batch_add_key(batch, METHOD_ENTRY, client, key, tag);
}

kvzmq_status_t kvzmq_batch_put(kvzmq_batch_t *batch, const char *client, kvzmq_slice_t key,
                               kvzmq_slice_t value, const kvzmq_put_options_t *options, void *tag)
{
    addition_t addition;
    kvzmq_status_t status = batch_add_begin(&addition, batch, client, METHOD_PUT, tag);
    if (status != KVZMQ_OK)
        return status;
    return batch_add_end(&addition, request_put(addition.target, key, value, options));
}

kvzmq_status_t kvzmq_batch_del(kvzmq_batch_t *batch, const char *client, kvzmq_slice_t key,
                               const uint64_t *if_revision, void *tag)
{
    addition_t addition;
    kvzmq_status_t status = batch_add_begin(&addition, batch, client, METHOD_DEL, tag);
    if (status != KVZMQ_OK)
        return status;
    return batch_add_end(&addition, request_del(addition.target, key, if_revision));
}

kvzmq_status_t kvzmq_batch_list(kvzmq_batch_t *batch, const char *client, const kvzmq_range_t *range,
                                void *tag)
{
    addition_t addition;
    kvzmq_status_t status = batch_add_begin(&addition, batch, client, METHOD_LIST, tag);
    if (status != KVZMQ_OK)
        return status;
    return batch_add_end(&addition, request_range(addition.target, METHOD_LIST, range));
}

kvzmq_status_t kvzmq_batch_call(kvzmq_batch_t *batch, const char *method, kvzmq_slice_t params,
                                unsigned flags, void *tag)
{
    addition_t addition;
    kvzmq_status_t status = batch_add_begin(&addition, batch, NULL, METHOD_ANY, tag);
    if (status != KVZMQ_OK)
        return status;
    addition.request.writes = (flags & KVZMQ_READ) == 0;
    return batch_add_end(&addition, request_encoded(addition.target, method, params, flags));
}

/* Checks the limits again: they may have been unknown when the batch was filled. */
static kvzmq_status_t batch_check(kvzmq_t *conn, const kvzmq_batch_t *batch)
{
    if (batch->count <= limit_batch(conn) && batch->bytes.size <= limit_message(conn))
        return KVZMQ_OK;
    return connection_fail(conn, KVZMQ_INVALID_ARGUMENT,
                           "a batch of %lu requests and %zu bytes: the broker takes at most %llu and %llu "
                           "(limits/batch, limits/message)",
                           (unsigned long)batch->count, batch->bytes.size,
                           (unsigned long long)limit_batch(conn), (unsigned long long)limit_message(conn));
}

/* Frees the oldest batches whose answers were all handed out. Call it at the beginning of a call: the
 * application may have borrowed from the last answer until then. */
static void pop_finished(kvzmq_t *conn)
{
    while (conn->queue.oldest != NULL && conn->queue.oldest->taken == conn->queue.oldest->count)
        queue_pop(&conn->queue);
}

static kvzmq_status_t batch_send(kvzmq_t *conn, kvzmq_batch_t **batch)
{
    int64_t deadline;
    kvzmq_status_t status = connection_begin(conn, conn->options.given.call_ms, &deadline);
    if (status != KVZMQ_OK)
        return status;
    if ((*batch)->count == 0)
        return connection_fail(conn, KVZMQ_INVALID_ARGUMENT, "the batch is empty");
    pop_finished(conn);
    if (conn->queue.count >= conn->options.given.batches)
        return connection_fail(conn, KVZMQ_BUSY,
                               "%u batches are in flight: take their answers with kvzmq_poll",
                               conn->queue.count);
    status = session_ensure(conn, deadline);
    if (status == KVZMQ_OK)
        status = batch_check(conn, *batch);
    if (status == KVZMQ_OK)
        status = connection_send(conn, buffer_bytes(&(*batch)->bytes));
    if (status != KVZMQ_OK)
        return status;
    if (!queue_waits(&conn->queue))
        conn->progress_ms = conn->sent_ms;
    buffer_release(&(*batch)->bytes);
    buffer_bound(&(*batch)->bytes, SOCKET_MESSAGE_MAX + 1); /* now holds the value of the last answer */
    queue_push(&conn->queue, *batch);
    *batch = NULL;
    return KVZMQ_OK;
}

kvzmq_status_t kvzmq_batch_send(kvzmq_batch_t **batch)
{
    kvzmq_t *conn = (*batch)->conn;
    connection_enter(conn);
    kvzmq_status_t status = batch_send(conn, batch);
    connection_leave(conn);
    return status;
}

size_t kvzmq_in_flight(const kvzmq_t *conn)
{
    return conn->queue.requests;
}

/* Makes the answer to a request that the broker did not answer; WHY is the reason. */
static void answer_failed(kvzmq_t *conn, const batch_request_t *request, kvzmq_status_t why,
                          kvzmq_answer_t *answer)
{
    bool unknown = request->writes && (why == KVZMQ_UNREACHABLE || why == KVZMQ_TIMEOUT);
    answer->status = unknown ? KVZMQ_OUTCOME_UNKNOWN : why;
    (void)connection_fail(conn, answer->status, "a batch was sent to %s and got no answer: %s",
                          conn->options.given.endpoint, kvzmq_status_meaning(answer->status));
}

/* Reads the next response in the batch's payload. An error with msgid 0 is about the whole payload. It
 * answers this request and all that follow, so `at` stays before it. */
static void answer_received(kvzmq_t *conn, kvzmq_batch_t *batch, const batch_request_t *request,
                            kvzmq_answer_t *answer)
{
    rpc_reply_t reply;
    size_t at = batch->at;
    bool read = rpc_read_reply(payload_bytes(&batch->payload), &at, &reply) == RPC_STEP_MESSAGE &&
                reply.kind == RPC_RESPONSE;
    bool whole = read && reply.failed && reply.msgid == 0;
    if (!read || (!whole && reply.msgid != request->msgid)) {
        answer_failed(conn, request, KVZMQ_PROTOCOL, answer);
        return;
    }
    if (!whole)
        batch->at = at;
    if (reply.failed) {
        answer->status = connection_refused(conn, &reply);
        answer->has_detail = reply.has_detail;
        answer->detail = reply.detail;
    } else if (answer_read((method_t)request->method, reply.body, answer) == KVZMQ_PROTOCOL) {
        (void)connection_garbled(conn,
                                 request->method == METHOD_ANY ? "a call" : method_name(request->method));
    }
}

/* Copies ANSWER's value to BYTES and adds the terminating zero. In the payload, the next answer is in that
 * place. */
static void own_value(kvzmq_t *conn, buffer_t *bytes, kvzmq_answer_t *answer)
{
    if (answer->status != KVZMQ_OK || answer->value.data == NULL)
        return;
    buffer_truncate(bytes, 0);
    buffer_append(bytes, answer->value.data, answer->value.size);
    buffer_append(bytes, "", 1);
    answer->value.data = (const char *)bytes->data;
    if (bytes->failed)
        answer->status =
            connection_fail(conn, KVZMQ_NO_MEMORY, "no memory for a value of %zu bytes", answer->value.size);
    if (bytes->failed)
        answer->value = (kvzmq_slice_t){0};
}

/* Hands out the oldest batch's next answer. False if it has not arrived. */
static bool queue_answer(kvzmq_t *conn, kvzmq_answer_t *answer)
{
    kvzmq_batch_t *batch = conn->queue.oldest;
    if (batch == NULL || batch->state == BATCH_SENT)
        return false;
    const batch_request_t *request = &batch->requests[batch->taken];
    *answer = (kvzmq_answer_t){.ttl_ms = -1};
    if (batch->state == BATCH_FAILED)
        answer_failed(conn, request, batch->failure, answer);
    else
        answer_received(conn, batch, request, answer);
    own_value(conn, &batch->bytes, answer);
    answer->tag = request->tag;
    batch->taken++;
    conn->queue.requests--;
    return true;
}

/* Reads what has arrived. Drops the connection if no more answers will come. */
static void poll_link(kvzmq_t *conn)
{
    link_state_t state = link_state(conn->link);
    (void)connection_take(conn, 0, NULL);
    if (conn->garbled)
        connection_drop(conn, KVZMQ_PROTOCOL);
    else if (state != LINK_UP || conn->ended)
        connection_drop(conn, KVZMQ_UNREACHABLE);
    else if (queue_waits(&conn->queue) &&
             clock_monotonic_ms() - conn->progress_ms >= conn->options.given.call_ms)
        connection_drop(conn, KVZMQ_TIMEOUT);
}

/* Waits for the next answer, as kvzmq_poll does. */
static kvzmq_status_t wait_answer(kvzmq_t *conn, int timeout_ms, kvzmq_answer_t *answer)
{
    pop_finished(conn);
    if (queue_answer(conn, answer))
        return KVZMQ_OK;
    if (conn->queue.oldest == NULL && conn->link != NULL)
        poll_link(conn); /* handle pushes, and notice a broken connection */
    int64_t deadline = timeout_ms < 0 ? INT64_MAX : clock_monotonic_ms() + timeout_ms;
    while (conn->queue.oldest != NULL) {
        poll_link(conn);
        if (queue_answer(conn, answer))
            return KVZMQ_OK;
        int64_t now = clock_monotonic_ms();
        if (now >= deadline)
            return connection_fail(conn, KVZMQ_TIMEOUT, "no answer has come within %d ms", timeout_ms);
        int64_t stalled = conn->progress_ms + conn->options.given.call_ms;
        int64_t until = deadline < stalled ? deadline : stalled;
        if (!link_wait(conn->link, until - now) && connection_interrupted(conn))
            return connection_fail(conn, KVZMQ_INTERRUPTED, "interrupted while waiting for %s",
                                   conn->options.given.endpoint);
    }
    return KVZMQ_ABSENT;
}

kvzmq_status_t kvzmq_poll_sized(kvzmq_t *conn, int timeout_ms, kvzmq_answer_t *answer)
{
    kvzmq_answer_t own;
    kvzmq_status_t status = connection_begin(conn, conn->options.given.call_ms, NULL);
    if (status == KVZMQ_OK && !sized_is_set(answer))
        return connection_fail(conn, KVZMQ_INVALID_ARGUMENT,
                               "poll: the size of the answer's struct is not set");
    if (status != KVZMQ_OK)
        return status;
    connection_enter(conn);
    status = wait_answer(conn, timeout_ms, &own);
    connection_leave(conn);
    if (status == KVZMQ_OK)
        sized_give(answer, &own, sizeof own);
    return status;
}

kvzmq_status_t kvzmq_answer_page(const kvzmq_answer_t *answer, const kvzmq_range_t *range,
                                 kvzmq_page_t **page)
{
    kvzmq_range_t asked = {0};
    if (range != NULL && sized_take(&asked, sizeof asked, range) != NULL)
        return KVZMQ_INVALID_ARGUMENT;
    if (answer->result.size == 0)
        return KVZMQ_PROTOCOL;
    kvzmq_page_t *made;
    kvzmq_status_t status = page_new(PAGE_LIST, slice_bytes(answer->result), &made);
    if (status == KVZMQ_OK && !page_is_of_range(made, &asked)) {
        kvzmq_page_destroy(&made);
        return KVZMQ_PROTOCOL;
    }
    if (status == KVZMQ_OK)
        *page = made;
    return status;
}
