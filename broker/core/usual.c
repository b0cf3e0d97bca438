/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the short way from a payload to stores and answers. */
#include "broker/core/usual.h"

#include "broker/core/dispatch.h"
#include "broker/core/due.h"
#include "broker/core/feed.h"
#include "broker/core/propose.h"
#include "broker/core/room.h"
#include "common/rpc_usual.h"

enum {
    WINDOW = 64 /* messages that are read ahead, so that their keys are looked for together */
};

static const uint64_t NAME_GET = RPC_NAME(3, 'g', 'e', 't', 0, 0);
static const uint64_t NAME_PUT = RPC_NAME(3, 'p', 'u', 't', 0, 0);
static const uint64_t NAME_PING = RPC_NAME(4, 'p', 'i', 'n', 'g', 0);

/* A message that was read. */
typedef struct operation {
    rpc_usual_t message;
    uint64_t hash; /* of its key */
    size_t end;    /* byte of the payload behind it */
} operation_t;

/* Whether it can be carried out here. */
static inline bool is_usual(const rpc_usual_t *message, const limits_t *limits)
{
    bool keyed = message->params[0].size - 1 < limits->key; /* and not empty */
    if (message->name == NAME_GET)
        return message->count == 1 && !message->binary && keyed;
    if (message->name == NAME_PUT)
        return message->count == 2 && keyed && message->params[1].size <= limits->value;
    return message->name == NAME_PING && message->count == 0;
}

/* Reads the messages that come next, at most WINDOW. Returns how many are usual. */
static unsigned window_read(const session_t *session, operation_t window[WINDOW])
{
    const batch_t *batch = &session->batch;
    const limits_t *limits = &session->hub->settings->limits;
    const uint8_t *at = batch->payload.data + batch->at;
    const uint8_t *end = batch->payload.data + batch->payload.size;
    unsigned count = 0;
    while (count < WINDOW) {
        operation_t *operation = &window[count];
        if (!rpc_read_usual(&at, end, &operation->message) || !is_usual(&operation->message, limits))
            break;
        operation->end = (size_t)(at - batch->payload.data);
        count++;
    }
    return count;
}

/* Hashes the keys, and names them to the engine if their store is so large that each would be waited for. */
static void window_prepare(const session_t *session, operation_t window[WINDOW], unsigned count)
{
    const engine_t *engine = session->hub->engine;
    const store_t *store = session->client->store;
    for (unsigned i = 0; i < count; i++) {
        if (window[i].message.count > 0)
            window[i].hash = engine_hash(engine, window[i].message.params[0]);
    }
    if (count < 2 || !engine_prepares(engine, store))
        return;
    bytes_t keys[WINDOW];
    uint64_t hashes[WINDOW];
    unsigned named = 0;
    for (unsigned i = 0; i < count; i++) {
        if (window[i].message.count == 0)
            continue;
        keys[named] = window[i].message.params[0];
        hashes[named++] = window[i].hash;
    }
    engine_prepare(engine, store, keys, hashes, named);
}

/* Where an answer of SIZE bytes beside ROOM_CHANGE may be written. NULL if it may not fit, or memory is
 * refused. */
static inline uint8_t *room_for(session_t *session, size_t size)
{
    buffer_t *answer = &session->batch.answer;
    size_t wanted = ROOM_CHANGE + size;
    if (wanted <= answer->capacity - answer->size)
        return answer->data + answer->size;
    if (answer->size + wanted > answer->limit)
        return NULL;
    if (answer->size == 0 && wanted + session->answered <= answer->limit)
        wanted += session->answered; /* at once what will be needed, probably */
    uint8_t *to = buffer_reserve(answer, wanted);
    if (!to) /* the general way meets that too, and tells */
        buffer_truncate(answer, answer->size);
    return to;
}

static uint8_t *ping(uint8_t *to)
{
    memcpy(to, "\xa4pong", 5);
    return to + 5;
}

/* Gets a value. NULL if the general way must. */
static uint8_t *get(session_t *session, const rpc_usual_t *message, uint64_t hash)
{
    entry_t entry;
    bool found = engine_get(session->hub->engine, session->client->store, message->params[0], hash,
                            session->hub->now_ms, &entry) == STATUS_OK;
    if (!found && due_is(session->hub)) /* it must expire first, perhaps */
        return NULL;
    uint8_t *to = room_for(session, found ? entry.value.size : 0);
    if (!to)
        return NULL;
    to = rpc_put_result(to, message->msgid);
    if (found)
        return rpc_put_string(to, entry.value, entry.binary);
    *to++ = 0xc0;
    return to;
}

/* With a log: proposes COMMAND, the put of MESSAGE, whose answer is pending then. False if the general way
 * must. */
static bool put_later(session_t *session, const rpc_usual_t *message, const command_t *command)
{
    batch_t *batch = &session->batch;
    outcome_t outcome;
    if (!room_behind(batch, batch->room))
        return false;
    if (propose(session->hub, session, command, &outcome))
        return false;
    const method_t *method = method_find(bytes_from_text("put"));
    pending_add(&batch->pending,
                (pending_t){.method = method, .msgid = message->msgid, .owed = message->owed});
    return true;
}

/* Puts a value. *REVISION is set to 0 if the answer is pending. False if it was not done: the general way
 * finds out why. */
static bool put(session_t *session, const rpc_usual_t *message, uint64_t hash, uint64_t *revision)
{
    command_t command;
    command.kind = COMMAND_PUT;
    command.client = session->client;
    command.by = session_actor(session);
    command.put = (put_t){.key = message->params[0],
                          .value = message->params[1],
                          .binary = message->binary,
                          .if_revision = REVISION_ANY};
    command.hash = hash;
    outcome_t outcome;
    if (session->hub->log)
        return put_later(session, message, &command);
    if (!propose(session->hub, session, &command, &outcome))
        return false;
    *revision = outcome.revision;
    return outcome.kind == OUTCOME_DONE;
}

/* Carries out one message. False if it is left to the general way. */
static inline bool operation_run(session_t *session, const operation_t *operation)
{
    const rpc_usual_t *message = &operation->message;
    batch_t *batch = &session->batch;
    uint64_t revision = 0;
    uint8_t *to;
    if (message->name == NAME_GET) {
        to = get(session, message, operation->hash);
        if (!to)
            return false;
    } else {
        to = room_for(session, 0);
        if (!to || (message->name == NAME_PUT && !put(session, message, operation->hash, &revision)))
            return false;
        if (message->name == NAME_PUT && revision == 0)
            return true;
        to = rpc_put_result(to, message->msgid);
        to = message->name == NAME_PUT ? rpc_put_uint(to, revision) : ping(to);
    }
    if (message->owed)
        batch->answer.size = (size_t)(to - batch->answer.data);
    return true;
}

/* With a log: how many of the COUNT messages can be carried out: up to the first that reads behind a put, or
 * that reads at all, if the session may not. */
static unsigned window_cut(const session_t *session, const operation_t window[WINDOW], unsigned count)
{
    bool pending = session->batch.pending.count > 0;
    bool may_read = session->batch.barrier == BARRIER_PASSED;
    for (unsigned i = 0; i < count; i++) {
        bool puts = window[i].message.name == NAME_PUT;
        if (!puts && (pending || !may_read))
            return i;
        pending |= puts;
    }
    return count;
}

/* Carries out the COUNT messages of WINDOW, until one is left to the general way or the turn's work is done:
 * only what changes something adds to that. Returns how many were carried out. */
static unsigned window_run(session_t *session, const operation_t window[WINDOW], unsigned count)
{
    hub_t *hub = session->hub;
    batch_t *batch = &session->batch;
    uint64_t told = feed_cost(hub->feed);
    uint64_t owed = 0;
    unsigned done = 0;
    while (done < count && operation_run(session, &window[done])) {
        const rpc_usual_t *message = &window[done++].message;
        owed += message->owed;
        if (message->name == NAME_PUT && batch->cost + (feed_cost(hub->feed) - told) >= HUB_COST_TURN)
            break;
    }
    batch->cost += feed_cost(hub->feed) - told;
    hub->stats.requests_total += owed;
    hub->stats.notifications_total += done - owed;
    return done;
}

void usual_run(session_t *session)
{
    batch_t *batch = &session->batch;
    if (!session_admitted(session) || batch->overflow || batch->answer.size > batch->room)
        return;
    buffer_bound(&batch->answer, batch->room);
    operation_t window[WINDOW];
    unsigned done;
    do {
        unsigned count = window_read(session, window);
        if (session->hub->log)
            count = window_cut(session, window, count);
        window_prepare(session, window, count);
        done = batch->cost < HUB_COST_TURN ? window_run(session, window, count) : 0;
        if (done > 0)
            batch->at = window[done - 1].end;
        batch->done += done;
    } while (done == WINDOW);
}
