/* SPDX-License-Identifier: MPL-2.0 */
/* Owns how one request becomes one answer within the room that is left. Knows no method by name: dispatch
 * does. */
#include "broker/core/execute.h"

#include "broker/core/dispatch.h"
#include "broker/core/room.h"
#include "broker/core/waits.h"

static const char overflow_text[] = "answer exceeds limits/message: ask for less";

static void error_write(batch_t *batch, uint32_t msgid, status_t status, const char *text,
                        const uint64_t *detail)
{
    rpc_write_error(&batch->answer, msgid, status, text, detail);
    batch->refused |= batch->answer.refused;
}

void execute_refuse(batch_t *batch, const char *text)
{
    error_write(batch, 0, STATUS_INVALID_ARGUMENT, text, NULL);
}

void execute_overflow(session_t *session, uint32_t msgid)
{
    batch_t *batch = &session->batch;
    batch->overflow = true;
    buffer_bound(&batch->answer, session->hub->settings->limits.message);
    error_write(batch, msgid, STATUS_RESOURCE_EXHAUSTED, overflow_text, NULL);
}

static void count_message(hub_t *hub, bool owed)
{
    hub->stats.requests_total += owed;
    hub->stats.notifications_total += !owed;
}

/* Completes the answer to a request (HANDLED or FAILED), which began at byte BEFORE: an error replaces a
 * result that failed or does not fit; a notification gets nothing. */
static void request_finish(request_t *request, handling_t handling, uint32_t msgid, bool owed, size_t before)
{
    session_t *session = request->session;
    const limits_t *limits = &session->hub->settings->limits;
    batch_t *batch = &session->batch;
    buffer_t *answer = &batch->answer;
    if (owed && handling == HANDLED && !answer->failed)
        return;
    if (owed && answer->refused)
        handling = request_fail_memory(request); /* only of a request that reads: see room_prepare */
    bool fits = handling == FAILED;
    buffer_truncate(answer, before);
    if (handling == FAILED)
        session->hub->stats.errors_total++;
    if (!owed)
        return;
    while (fits) {
        error_write(batch, msgid, request->status, request->problem,
                    request->has_detail ? &request->detail : NULL);
        if (!answer->failed || batch->refused)
            return;
        buffer_truncate(answer, before);
        fits = room_count(batch);
        buffer_bound(answer, room_limit(batch, limits));
    }
    execute_overflow(session, msgid);
}

handling_t execute(session_t *session, const rpc_message_t *message, int64_t now_ms)
{
    batch_t *batch = &session->batch;
    hub_t *hub = session->hub;
    const limits_t *limits = &hub->settings->limits;
    size_t before = batch->answer.size;
    bool owed = message->kind == RPC_REQUEST;
    const method_t *method = method_find(message->method);
    bool streams = method != NULL && (method->flags & METHOD_STREAMS);
    bool behind = batch->pending.count > 0;
    if (behind && !(streams && room_behind(batch, room_limit(batch, limits))))
        return AGAIN;
    if (!room_prepare(batch, limits))
        return HANDLED;
    size_t limit = room_limit(batch, limits);
    /* The result of a notification is discarded: it needs no room in the answer. */
    if (!owed && limit < before + ROOM_CHANGE)
        limit = before + ROOM_CHANGE;
    buffer_bound(&batch->answer, limit);
    if (method != NULL && (method->flags & METHOD_CHANGES) && before + ROOM_CHANGE > batch->answer.limit) {
        room_count(batch);
        buffer_bound(&batch->answer, room_limit(batch, limits));
        if (before + ROOM_CHANGE > batch->answer.limit) {
            count_message(hub, owed);
            execute_overflow(session, message->msgid);
            return HANDLED;
        }
    }
    request_t request;
    request.hub = hub;
    request.session = session;
    request.answer = &batch->answer;
    request.now_ms = now_ms;
    rpc_write_result(&batch->answer, message->msgid);
    handling_t handling = dispatch(&request, method, message);
    batch->cost += request.cost;
    if (behind && handling != WAITS) { /* answered at once, but pending answers must come before */
        buffer_truncate(&batch->answer, before);
        return AGAIN;
    }
    bool finished = handling == HANDLED || handling == FAILED;
    if (owed && batch->answer.failed && !batch->answer.refused && finished && room_count(batch)) {
        /* Nothing was changed (its answer would have fit: see above). The exact count may leave more room:
         * execute it again. */
        buffer_truncate(&batch->answer, before);
        buffer_bound(&batch->answer, room_limit(batch, limits));
        rpc_write_result(&batch->answer, message->msgid);
        handling = dispatch(&request, method, message);
        finished = handling == HANDLED || handling == FAILED;
    }
    if (handling != AGAIN)
        count_message(hub, owed);
    if (finished) {
        request_finish(&request, handling, message->msgid, owed, before);
        return handling;
    }
    buffer_truncate(&batch->answer, before);
    if (handling == WAITS) {
        pending_add(&batch->pending,
                    (pending_t){.method = request.method, .msgid = message->msgid, .owed = owed});
        if (!(streams && request.wait == WAIT_LOG))
            waits_add(hub->waits, session, request.wait, request.until_ms);
    }
    return handling;
}

handling_t execute_finish(session_t *session, const wait_result_t *result, int64_t now_ms)
{
    batch_t *batch = &session->batch;
    hub_t *hub = session->hub;
    const limits_t *limits = &hub->settings->limits;
    pending_t pending = pending_take(&batch->pending);
    size_t before = batch->answer.size;
    room_prepare(batch, limits); /* `finish` must run even without it: accounts count each verification */
    buffer_bound(&batch->answer, room_limit(batch, limits));
    rpc_write_result(&batch->answer, pending.msgid);
    request_t request = {.hub = hub, .session = session, .answer = &batch->answer, .now_ms = now_ms};
    handling_t handling = pending.method->finish(&request, result);
    if (handling == WAITS) {
        buffer_truncate(&batch->answer, before);
        pending_add(&batch->pending, pending);
        waits_remove(hub->waits, session);
        waits_add(hub->waits, session, request.wait, request.until_ms);
    } else {
        request_finish(&request, handling, pending.msgid, pending.owed, before);
    }
    return handling;
}

void execute_ill_formed(session_t *session, const rpc_message_t *message)
{
    batch_t *batch = &session->batch;
    session->hub->stats.malformed_total++;
    if (batch->overflow) {
        if (message->answered)
            execute_overflow(session, message->msgid);
        return;
    }
    request_t request = {.hub = session->hub, .session = session};
    size_t before = batch->answer.size;
    buffer_bound(&batch->answer, room_limit(batch, &session->hub->settings->limits));
    request_finish(&request, request_fail(&request, STATUS_INVALID_ARGUMENT, "%s", message->problem),
                   message->msgid, message->answered, before);
}
