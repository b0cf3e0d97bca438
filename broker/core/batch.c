/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the stages of a payload, and the queue of payloads behind it. */
#include "broker/core/batch.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker/core/due.h"
#include "broker/core/execute.h"
#include "broker/core/feed.h"
#include "broker/core/propose.h"
#include "broker/core/room.h"
#include "broker/core/sessions.h"
#include "broker/core/usual.h"
#include "broker/core/waits.h"

enum {
    QUEUE_TURN = 524288, /* bytes of queued payloads and their answers in one turn, roughly */
    BROKEN_SIZE = 96     /* bytes of the error text for a payload that is wrong or breaks off */
};

/* ---- Stages ----------------------------------------------------------------------------------- */

/* Makes the session wait for WAIT; if answers or a barrier are pending, for those instead. NEXT is the stage
 * after that. */
static stage_t stage_pause(session_t *session, wait_t wait, stage_t next)
{
    batch_t *batch = &session->batch;
    bool log = batch->pending.count > 0 || batch->barrier == BARRIER_ASKED;
    batch->next = next;
    waits_add(session->hub->waits, session, log ? WAIT_LOG : wait, 0);
    return STAGE_WAIT;
}

/* Reads the next message. */
static stage_t stage_read(session_t *session, rpc_message_t *message)
{
    batch_t *batch = &session->batch;
    bool behind = batch->pending.count > 0;
    size_t begin = batch->at;
    if (batch->done > 0 && batch->at == batch->payload.size)
        return behind ? stage_pause(session, WAIT_LOG, STAGE_READ) : STAGE_SEND;
    if (batch->cost >= HUB_COST_TURN)
        return stage_pause(session, WAIT_YIELD, STAGE_READ);
    rpc_step_t step = rpc_read(batch->payload, &batch->at, message);
    if (behind && step != RPC_STEP_MESSAGE) {
        batch->at = begin;
        return stage_pause(session, WAIT_LOG, STAGE_READ);
    }
    switch (step) {
    case RPC_STEP_END:
        return STAGE_SEND;
    case RPC_STEP_BROKEN: {
        char text[BROKEN_SIZE];
        snprintf(text, sizeof text, "not MessagePack from byte %zu; rest dropped", batch->offset + batch->at);
        session->hub->stats.malformed_total++;
        buffer_bound(&batch->answer, session->hub->settings->limits.message);
        execute_refuse(batch, text);
        return STAGE_SEND;
    }
    case RPC_STEP_MESSAGE:
        break;
    }
    batch->done++;
    return STAGE_RUN;
}

/* Executes MESSAGE, which began at byte BEGIN. */
static stage_t stage_run(session_t *session, const rpc_message_t *message, size_t begin, int64_t now_ms)
{
    batch_t *batch = &session->batch;
    hub_t *hub = session->hub;
    uint64_t told = hub->told_cost;
    handling_t handling = HANDLED;
    if (message->kind == RPC_ILL_FORMED && batch->pending.count > 0)
        handling = AGAIN;
    else if (message->kind == RPC_ILL_FORMED)
        execute_ill_formed(session, message);
    else if (!batch->overflow)
        handling = execute(session, message, now_ms);
    else if (message->kind == RPC_REQUEST)
        execute_overflow(session, message->msgid);
    batch->cost += hub->told_cost - told;
    if (session->ended || session->bye || batch->refused)
        return STAGE_SEND;
    if (handling == WAITS && session->wait.what != WAIT_NONE)
        return STAGE_WAIT;
    if (handling == AGAIN) { /* it is read again in another turn */
        batch->at = begin;
        batch->done--;
        return stage_pause(session, WAIT_TURN, STAGE_READ);
    }
    return STAGE_READ;
}

/* Asks for the admission of the session, which has no client. */
static stage_t stage_admit(session_t *session, int64_t now_ms)
{
    if (!sessions_admit(session, false, now_ms))
        return stage_pause(session, WAIT_LOG, STAGE_BEGIN);
    due_expire(session->hub);
    return STAGE_BEGIN;
}

/* Checks the payload as a whole. */
static stage_t stage_begin(session_t *session)
{
    hub_t *hub = session->hub;
    batch_t *batch = &session->batch;
    if (hub->expiring && hub->expiries == batch->expiries) /* due entries expire first */
        return stage_pause(session, WAIT_TURN, STAGE_BEGIN);
    const char *fault = batch->fault != NULL ? batch->fault : rpc_foreign(batch->payload);
    char text[BROKEN_SIZE];
    if (fault == NULL && rpc_count_exceeds(batch->payload, batch->most)) {
        snprintf(text, sizeof text, "more than %" PRIu64 " messages in a payload (limits/batch): send fewer",
                 batch->most);
        fault = text;
    }
    if (fault != NULL) {
        hub->stats.malformed_total++;
        execute_refuse(batch, fault);
    }
    batch->refused |= batch->envelope.failed; /* the answer could not reach its peer */
    return fault != NULL || batch->refused ? STAGE_SEND : STAGE_READ;
}

/* Copies the unread part of the payload before its session waits, because the memory that it borrows goes
 * away. False if memory is refused. */
static bool rest_keep(batch_t *batch)
{
    if (batch->rest != NULL)
        return true;
    size_t left = batch->payload.size - batch->at;
    uint8_t *rest = malloc(left + 1);
    if (rest == NULL)
        return false;
    if (batch->payload.data != NULL)
        memcpy(rest, batch->payload.data + batch->at, left);
    batch->rest = rest;
    batch->offset += batch->at;
    batch->at = 0;
    batch->payload = bytes_of(rest, left);
    return true;
}

/* Makes ANSWER empty, with memory for one as large as the latest. */
static void answer_open(const session_t *session, buffer_t *answer, size_t limit)
{
    spares_t *spares = session->hub->outlets.transport.spares;
    buffer_init(answer, limit);
    if (spares != NULL)
        spares_take(spares, session->answered + ROOM_CHANGE, answer);
}

/* Keeps the memory of ANSWER if the transport has not taken it. */
static void answer_close(const session_t *session, buffer_t *answer)
{
    spares_t *spares = session->hub->outlets.transport.spares;
    if (spares != NULL)
        spares_keep(spares, answer);
}

/* Sends the answer, if there is one to send. */
static status_t answer_send(session_t *session)
{
    batch_t *batch = &session->batch;
    session->moved += batch->answer.size;
    session->answered = batch->answer.size;
    if (batch->answer.size == 0 && batch->envelope.size == 0)
        return STATUS_OK;
    return session_send(session, buffer_bytes(&batch->envelope), &batch->answer);
}

/* The payload is done. Returns the session, NULL if it ended. */
static session_t *batch_end(session_t *session, status_t sent, int64_t now_ms)
{
    bool bye = session->bye;
    session->spent += session->batch.cost;
    answer_close(session, &session->batch.answer);
    batch_release(&session->batch);
    if (session->ended) { /* it forgot its own client */
        sessions_push_bye(session, session_end_text(SESSION_END_FORGOTTEN));
        session_destroy(&session);
        return NULL;
    }
    if (sent == STATUS_OK && !bye)
        sent = feed_answered(session);
    if (sent == STATUS_OK && !bye)
        return session;
    actor_t by = bye ? session_actor(session) : (actor_t){0};
    sessions_end(session, sent == STATUS_OK ? SESSION_END_BYE : session_end_for(sent), by, now_ms);
    return NULL;
}

/* Memory for the payload is refused: ends the session. */
static session_t *batch_abandon(session_t *session, int64_t now_ms)
{
    session->batch.stage = STAGE_IDLE;
    if (session->ended)
        session_destroy(&session);
    else
        sessions_end(session, SESSION_END_MEMORY, (actor_t){0}, now_ms);
    return NULL;
}

/* Takes the payload from stage to stage, until it is done or waits. Returns the session, NULL if it ended. */
static session_t *batch_go(session_t *session, int64_t now_ms)
{
    batch_t *batch = &session->batch;
    rpc_message_t message;
    size_t begin = 0;
    status_t sent = STATUS_OK;
    assert(batch->stage != STAGE_RUN); /* there is no message to execute */
    for (;;) {
        switch (batch->stage) {
        case STAGE_ADMIT:
            batch->stage = stage_admit(session, now_ms);
            break;
        case STAGE_BEGIN:
            batch->stage = stage_begin(session);
            break;
        case STAGE_READ:
            if (!session->hub->general_only)
                usual_run(session);
            begin = batch->at;
            batch->stage = stage_read(session, &message);
            break;
        case STAGE_RUN:
            batch->stage = stage_run(session, &message, begin, now_ms);
            break;
        case STAGE_WAIT:
            return rest_keep(batch) ? session : batch_abandon(session, now_ms);
        case STAGE_SEND:
            if (batch->refused)
                return batch_abandon(session, now_ms);
            sent = answer_send(session);
            batch->stage = STAGE_END;
            break;
        case STAGE_END:
            return batch_end(session, sent, now_ms);
        case STAGE_IDLE:
            return session;
        }
    }
}

/* Sends SESSION its outstanding pushes before its next payload begins. False if the session ended, because it
 * was too slow or memory was refused. */
static bool session_told(session_t *session, int64_t now_ms)
{
    status_t told = feed_catch_up(session);
    if (told != STATUS_OK)
        sessions_end(session, session_end_for(told), (actor_t){0}, now_ms);
    return told == STATUS_OK;
}

session_t *batch_start(session_t *session, const arrival_t *arrival, int64_t now_ms)
{
    const limits_t *limits = &session->hub->settings->limits;
    batch_t *batch = &session->batch;
    bool admitted = session_admitted(session);
    if (admitted) {
        due_expire(session->hub);
        if (!session_told(session, now_ms))
            return NULL;
    }
    *batch = (batch_t){.stage = admitted ? STAGE_BEGIN : STAGE_ADMIT,
                       .payload = arrival->payload,
                       .fault = arrival->fault,
                       .most = limits->batch,
                       .expiries = session->hub->expiries};
    batch->room = room_limit(batch, limits);
    answer_open(session, &batch->answer, limits->message);
    buffer_init(&batch->envelope, arrival->envelope.size);
    if (arrival->envelope.size > 0)
        buffer_append(&batch->envelope, arrival->envelope.data, arrival->envelope.size);
    session->hub->stats.payloads_total++;
    /* With a log it will wait, and memory must not be refused after something was proposed. */
    if (session->hub->command_log != NULL && !rest_keep(batch))
        return batch_abandon(session, now_ms);
    return batch_go(session, now_ms);
}

/* Finishes the oldest pending request, unless it waits for something else now. Returns the next stage. */
static stage_t stage_finish(session_t *session, const wait_result_t *result, int64_t now_ms)
{
    batch_t *batch = &session->batch;
    batch->stage = STAGE_RUN;
    handling_t handling = execute_finish(session, result, now_ms);
    batch->stage = STAGE_WAIT;
    if (handling == WAITS)
        return STAGE_WAIT;
    if (session->ended || session->bye || batch->refused)
        return STAGE_SEND;
    return batch->pending.count > 0 ? STAGE_WAIT : STAGE_READ;
}

/* Executes queued payloads in order, as many as one turn may take. Returns as batch_start. */
static session_t *queue_run(session_t *session, int64_t now_ms)
{
    uint64_t moved_end = session->moved + QUEUE_TURN;
    uint64_t spent_end = session->spent + HUB_COST_TURN;
    queued_t *queued;
    while (session != NULL && session->wait.what == WAIT_NONE && session->moved < moved_end &&
           session->spent < spent_end && (queued = session_dequeue(session)) != NULL) {
        arrival_t arrival = {
            .connection = session->connection,
            .envelope = bytes_of(queued->bytes, queued->envelope_size),
            .payload = bytes_of(queued->bytes + queued->envelope_size, queued->size - queued->envelope_size),
            .fault = queued->fault,
        };
        session->moved += queued->size;
        session = batch_start(session, &arrival, now_ms);
        free(queued);
    }
    if (session != NULL && session->wait.what == WAIT_NONE && session->queue != NULL)
        waits_add(session->hub->waits, session, WAIT_YIELD, 0);
    return session;
}

/* The part of batch_resume that does not care whether the connection is still there. */
static session_t *resume(session_t *session, const wait_result_t *result, int64_t now_ms)
{
    batch_t *batch = &session->batch;
    stage_t next = batch->next;
    if (result->what == WAIT_LOG)
        propose_pass(session); /* the log is past the payload's arrival */
    due_expire(session->hub);
    if (batch->pending.count > 0)
        next = stage_finish(session, result, now_ms);
    else if (session->joining)
        sessions_joined(session, &result->outcome, now_ms);
    if (next == STAGE_WAIT)
        return session;
    waits_remove(session->hub->waits, session);
    if (batch->stage == STAGE_WAIT && next == STAGE_BEGIN && !session_told(session, now_ms))
        return NULL;
    session->spent += batch->cost;
    batch->cost = 0;
    if (batch->stage == STAGE_WAIT) { /* else it yielded between two payloads */
        assert(next != STAGE_RUN);    /* no message was read */
        batch->stage = next;
        session = batch_go(session, now_ms);
    }
    return session != NULL ? queue_run(session, now_ms) : NULL;
}

session_t *batch_resume(session_t *session, const wait_result_t *result, int64_t now_ms)
{
    session = resume(session, result, now_ms);
    if (session == NULL || session->connection != NULL || batch_lingers(session))
        return session;
    sessions_end(session, SESSION_END_LOST, (actor_t){0}, now_ms);
    return NULL;
}

bool batch_lingers(const session_t *session)
{
    const batch_t *batch = &session->batch;
    wait_t wait = session->wait.what;
    if (session->hub->command_log == NULL || wait == WAIT_NONE)
        return false;
    bool between = batch->stage == STAGE_IDLE || batch->next == STAGE_BEGIN; /* two payloads */
    return wait == WAIT_LOG || between;
}
