/* SPDX-License-Identifier: MPL-2.0 */
/* Owns how a batch becomes one answer within its bound. Knows no method by name: dispatch does. */
#include "broker/core/payload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker/core/dispatch.h"
#include "broker/core/notify.h"
#include "broker/core/sessions.h"

enum {
    WARM_AHEAD = 64,      /* requests whose keys are named to the engine at once */
    WARM_STORE = 50000,   /* keys from which on a store is larger than the processor's caches */
    CHANGE_ROOM = 512,    /* bytes of the longest answer to a method that changes something */
    WAITING_TURN = 524288 /* bytes of waiting payloads and their answers in one turn, about */
};

/* For what a session is parked while its request waits. */
static const park_t park_of[] = {[WAIT_VERIFY] = PARK_VERIFY, [WAIT_DELAY] = PARK_DELAY};

static const char overflow_text[] = "answer exceeds limits/message: ask for less";

static void run_error(run_t *run, uint32_t msgid, status_t status, const char *text, const uint64_t *detail)
{
    rpc_write_error(&run->answer, msgid, status, text, detail);
    run->refused |= run->answer.refused;
}

/* Makes room for the answer of a request that changes something, or for an error: what is done can be told.
 * False where memory is refused: the payload ends here, and its session with it. */
static inline bool run_prepare(run_t *run, const limits_t *limits)
{
    buffer_t *answer = &run->answer;
    if (answer->capacity - answer->size >= LIMIT_ERROR_BYTES)
        return true;
    buffer_bound(answer, limits->message); /* the bytes beyond the answer's own bound are for errors */
    if (!buffer_reserve(answer, LIMIT_ERROR_BYTES)) {
        run->refused = answer->refused;
        buffer_truncate(answer, answer->size);
    }
    return !run->refused;
}

static void run_overflow(session_t *session, uint32_t msgid)
{
    run_t *run = &session->run;
    run->overflow = true;
    buffer_bound(&run->answer, session->hub->settings->limits.message);
    run_error(run, msgid, STATUS_RESOURCE_EXHAUSTED, overflow_text, NULL);
}

/* Bytes of answers that may be there after the message just read, so that each one behind it, and a break,
 * can have its error (config_check.c keeps limits/message above that). How many those are is bounded by the
 * bytes left, or known once they were counted. */
static size_t run_limit(const run_t *run, const limits_t *limits)
{
    uint64_t later = run->batch - run->done;
    uint64_t left = run->payload.size - run->at;
    if (run->total > 0)
        later = run->total - run->done;
    else if (left < later)
        later = left;
    return limits->message - (later + 1) * LIMIT_ERROR_BYTES;
}

/* Counts the messages that are left, for a limit that is exact. False if that was done before. */
static bool run_count(run_t *run)
{
    if (run->total > 0)
        return false;
    bytes_t left = bytes_of(run->payload.data + run->at, run->payload.size - run->at);
    run->total = run->done + (left.size > 0 ? rpc_count(left, run->batch) : 0);
    return true;
}

/* Ends the part of the answer that belongs to a request (HANDLED or FAILED), and began at byte BEFORE. */
static void request_finish(request_t *request, handling_t handling, uint32_t msgid, bool owed, size_t before)
{
    session_t *session = request->session;
    const limits_t *limits = &session->hub->settings->limits;
    run_t *run = &session->run;
    buffer_t *answer = &run->answer;
    if (owed && handling == HANDLED && !answer->failed)
        return;
    if (owed && answer->refused)
        handling = request_fail_memory(request); /* of a request that only reads: run_prepare */
    bool fits = handling == FAILED;
    buffer_truncate(answer, before);
    if (handling == FAILED)
        session->hub->stats.errors_total++;
    if (!owed)
        return;
    while (fits) {
        run_error(run, msgid, request->status, request->problem,
                  request->has_detail ? &request->detail : NULL);
        if (!answer->failed || run->refused)
            return;
        buffer_truncate(answer, before);
        fits = run_count(run);
        buffer_bound(answer, run_limit(run, limits));
    }
    run_overflow(session, msgid);
}

/* Carries out one request or notification. */
static void request_run(session_t *session, const rpc_message_t *message, int64_t now_ms)
{
    run_t *run = &session->run;
    hub_t *hub = session->hub;
    const limits_t *limits = &hub->settings->limits;
    size_t before = run->answer.size;
    bool owed = message->kind == RPC_REQUEST;
    const method_t *method = method_find(message->method);
    hub->stats.requests_total += owed;
    hub->stats.notifications_total += !owed;
    if (!run_prepare(run, limits))
        return;
    size_t limit = run_limit(run, limits);
    /* What a notification would answer is written and thrown away: that needs no room in the answer. */
    if (!owed && limit < before + CHANGE_ROOM)
        limit = before + CHANGE_ROOM;
    buffer_bound(&run->answer, limit);
    if (method && (method->flags & METHOD_CHANGES) && before + CHANGE_ROOM > run->answer.limit) {
        run_count(run);
        buffer_bound(&run->answer, run_limit(run, limits));
        if (before + CHANGE_ROOM > run->answer.limit) {
            run_overflow(session, message->msgid);
            return;
        }
    }
    request_t request;
    request.hub = hub;
    request.session = session;
    request.answer = &run->answer;
    request.now_ms = now_ms;
    rpc_write_result(&run->answer, message->msgid);
    handling_t handling = dispatch(&request, method, message);
    run->cost += request.cost;
    bool finished = handling == HANDLED || handling == FAILED;
    if (owed && run->answer.failed && !run->answer.refused && finished && run_count(run)) {
        /* Nothing was changed (that was looked at above): there may be more room than was thought. */
        buffer_truncate(&run->answer, before);
        buffer_bound(&run->answer, run_limit(run, limits));
        rpc_write_result(&run->answer, message->msgid);
        handling = dispatch(&request, method, message);
        finished = handling == HANDLED || handling == FAILED;
    }
    if (!finished) {
        buffer_truncate(&run->answer, before);
        run->method = request.method;
        run->answer_owed = owed;
        run->msgid = message->msgid;
        session_park(session, handling == AGAIN ? PARK_TURN : park_of[request.wait], request.until_ms);
        return;
    }
    request_finish(&request, handling, message->msgid, owed, before);
    registry_review_noted(hub->registry);
}

/* The message that began at byte BEGIN is to be read again in another turn. */
static void run_rewind(session_t *session, const rpc_message_t *message, size_t begin)
{
    stats_t *stats = &session->hub->stats;
    session->run.at = begin;
    session->run.done--;
    if (message->kind == RPC_REQUEST)
        stats->requests_total--;
    else
        stats->notifications_total--;
}

/* Handles the next message. False at the end of the payload. */
static bool run_step(session_t *session, int64_t now_ms)
{
    run_t *run = &session->run;
    const limits_t *limits = &session->hub->settings->limits;
    if (run->done > 0 && run->at == run->payload.size)
        return false;
    size_t begin = run->at;
    rpc_message_t message;
    switch (rpc_read(run->payload, &run->at, &message)) {
    case RPC_STEP_END:
        return false;
    case RPC_STEP_BROKEN: {
        char text[LIMIT_ERROR_BYTES];
        snprintf(text, sizeof text, "not MessagePack from byte %zu; rest dropped", run->offset + run->at);
        session->hub->stats.malformed_total++;
        buffer_bound(&run->answer, limits->message);
        run_error(run, 0, STATUS_INVALID_ARGUMENT, text, NULL);
        return false;
    }
    case RPC_STEP_MESSAGE:
        break;
    }
    run->done++;
    if (message.kind == RPC_ILL_FORMED) {
        session->hub->stats.malformed_total++;
        request_t request = {.hub = session->hub, .session = session};
        size_t before = run->answer.size;
        if (!run->overflow)
            buffer_bound(&run->answer, run_limit(run, limits));
        if (run->overflow && message.answered)
            run_overflow(session, message.msgid);
        else
            request_finish(&request, request_fail(&request, STATUS_INVALID_ARGUMENT, "%s", message.problem),
                           message.msgid, message.answered, before);
    } else if (!run->overflow) {
        request_run(session, &message, now_ms);
        if (session->park == PARK_TURN)
            run_rewind(session, &message, begin);
    } else if (message.kind == RPC_REQUEST) {
        run_overflow(session, message.msgid);
    }
    return true;
}

/* Keeps what is left of the payload while its request is parked: what it was borrowed from goes away. */
static bool run_keep(run_t *run)
{
    if (run->rest)
        return true;
    size_t left = run->payload.size - run->at;
    uint8_t *rest = malloc(left + 1);
    if (!rest)
        return false;
    if (run->payload.data)
        memcpy(rest, run->payload.data + run->at, left);
    run->rest = rest;
    run->offset += run->at;
    run->at = 0;
    run->payload = bytes_of(rest, left);
    return true;
}

/* Names to the engine the keys of the requests that come next, where their store is so large that each would
 * be waited for. A hint: whatever stands first among a message's params is taken for a key. */
static void run_warm(const session_t *session)
{
    const run_t *run = &session->run;
    if (!session_admitted(session) || store_keys(session->client->store) < WARM_STORE)
        return;
    bytes_t keys[WARM_AHEAD];
    unsigned count = 0;
    size_t at = run->at;
    rpc_message_t message;
    for (unsigned i = 0; i < WARM_AHEAD && at < run->payload.size; i++) {
        if (rpc_read(run->payload, &at, &message) != RPC_STEP_MESSAGE)
            break;
        const rpc_value_t *key = message.kind == RPC_ILL_FORMED ? NULL : rpc_param(&message, 0);
        if (key && key->type == RPC_STR && key->as.bytes.size <= LIMIT_KEY_MAX)
            keys[count++] = key->as.bytes;
    }
    if (count > 1)
        engine_warm(session->hub->engine, session->client->store, keys, count);
}

/* Whether the payload goes on with its next message. */
static bool run_open(const session_t *session)
{
    return !session->ended && !session->leaving && !session->run.refused && session->park == PARK_NONE;
}

/* Runs the payload to its end, or to if it is parked. Returns the session, NULL if it is gone. */
static session_t *run_continue(session_t *session, int64_t now_ms)
{
    hub_t *hub = session->hub;
    run_t *run = &session->run;
    session->busy = true;
    run->cost = 0;
    bool more = true;
    for (unsigned i = 0; more && run_open(session); i++) {
        if (i % WARM_AHEAD == 0)
            run_warm(session);
        uint64_t before = hub->cost;
        more = run_step(session, now_ms);
        run->cost += hub->cost - before;
        if (run->cost >= HUB_COST_TURN && !session->ended && session->park == PARK_NONE)
            session_yield(session);
    }
    session->busy = false;
    session->cost += run->cost;
    bool parked = session->park != PARK_NONE && !session->ended;
    if (parked && run_keep(run))
        return session;
    if (parked || (run->refused && !session->ended)) {
        sessions_end(session, SESSION_END_MEMORY, (actor_t){0}, now_ms);
        return NULL;
    }
    status_t sent = STATUS_OK;
    session->answered_bytes += run->answer.size;
    if (!run->refused && (run->answer.size > 0 || run->envelope.size > 0))
        sent = hub->ops->send(hub->context, session->connection, session->identity,
                              buffer_bytes(&run->envelope), &run->answer);
    run_release(run);
    if (session->ended) { /* it has forgotten its own client */
        sessions_push_bye(session, session_end_text(SESSION_END_FORGOTTEN));
        session_destroy(&session);
        return NULL;
    }
    if (sent == STATUS_OK && !session->leaving)
        sent = notify_answered(session);
    if (sent == STATUS_OK && !session->leaving)
        return session;
    actor_t by = session->leaving ? session_actor(session) : (actor_t){0};
    sessions_end(session, sent == STATUS_OK ? SESSION_END_BYE : session_end_for(sent), by, now_ms);
    return NULL;
}

session_t *payload_start(session_t *session, const arrival_t *arrival, int64_t now_ms)
{
    const limits_t *limits = &session->hub->settings->limits;
    run_t *run = &session->run;
    status_t told = notify_catch_up(session);
    if (told != STATUS_OK) {
        sessions_end(session, session_end_for(told), (actor_t){0}, now_ms);
        return NULL;
    }
    *run = (run_t){.payload = arrival->payload, .batch = limits->batch};
    buffer_init(&run->answer, limits->message);
    buffer_init(&run->envelope, arrival->envelope.size);
    if (arrival->envelope.size > 0)
        buffer_append(&run->envelope, arrival->envelope.data, arrival->envelope.size);
    run->refused = run->envelope.failed; /* answers would go astray */
    session->hub->stats.payloads_total++;
    const char *fault = arrival->fault ? arrival->fault : rpc_foreign(arrival->payload);
    char text[96];
    if (!fault && rpc_count_exceeds(arrival->payload, limits->batch)) {
        snprintf(text, sizeof text, "more than %" PRIu64 " messages in a payload (limits/batch): send fewer",
                 limits->batch);
        fault = text;
    }
    if (fault) {
        session->hub->stats.malformed_total++;
        run_error(run, 0, STATUS_INVALID_ARGUMENT, fault, NULL);
        run->payload = (bytes_t){0};
        run->done = 1;
    }
    return run_continue(session, now_ms);
}

/* Ends the request that waited. */
static void request_resume(session_t *session, verdict_t verdict, int64_t now_ms)
{
    run_t *run = &session->run;
    size_t before = run->answer.size;
    const limits_t *limits = &session->hub->settings->limits;
    run_prepare(run, limits); /* without it too: accounts count who is being verified */
    buffer_bound(&run->answer, run_limit(run, limits));
    rpc_write_result(&run->answer, run->msgid);
    request_t request = {.hub = session->hub, .session = session, .answer = &run->answer, .now_ms = now_ms};
    session->busy = true;
    wait_result_t result = {.verdict = verdict};
    handling_t handling = run->method->finish(&request, &result);
    request_finish(&request, handling, run->msgid, run->answer_owed, before);
}

/* Runs payloads that wait, in their order, as many as one turn may take. Returns as payload_start. */
static session_t *waiting_run(session_t *session, int64_t now_ms)
{
    uint64_t end = session->answered_bytes + WAITING_TURN;
    uint64_t cost_end = session->cost + HUB_COST_TURN;
    waiting_t *waiting;
    while (session && session->park == PARK_NONE && session->answered_bytes < end &&
           session->cost < cost_end && (waiting = session_dequeue(session))) {
        arrival_t arrival = {
            .connection = session->connection,
            .envelope = bytes_of(waiting->bytes, waiting->envelope_size),
            .payload =
                bytes_of(waiting->bytes + waiting->envelope_size, waiting->size - waiting->envelope_size),
            .fault = waiting->fault,
        };
        session->answered_bytes += waiting->size;
        session = payload_start(session, &arrival, now_ms);
        free(waiting);
    }
    if (session && session->park == PARK_NONE && session->waiting)
        session_yield(session);
    return session;
}

session_t *payload_resume(session_t *session, verdict_t verdict, int64_t now_ms)
{
    park_t park = session->park;
    session_unpark(session);
    if (park != PARK_TURN)
        request_resume(session, verdict, now_ms);
    if (session->run.rest) /* else it was parked between two payloads */
        session = run_continue(session, now_ms);
    return session ? waiting_run(session, now_ms) : NULL;
}
