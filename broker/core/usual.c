/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the fast path from a payload to stores and answers. */
#include "broker/core/usual.h"

#include "broker/core/dispatch.h"
#include "broker/core/due.h"
#include "broker/core/feed.h"
#include "broker/core/propose.h"
#include "broker/core/room.h"
#include "common/rpc_usual.h"
#include "common/utf8.h"

enum { WINDOW = 64 }; /* messages that are read ahead, so that their keys are looked up together */

/* A message that was read. */
typedef struct operation {
    rpc_usual_t message;
    rpc_usual_kind_t kind;
    const uint8_t *end; /* where the next message begins */
} operation_t;

typedef struct window {
    operation_t operations[WINDOW];
    bytes_t keys[WINDOW]; /* of each; empty if it has none */
    lookup_t lookups[WINDOW];
    unsigned count;
    bool keyed;    /* it has keys */
    unsigned read; /* the messages before this one have their value, if they are gets */
    value_t values[WINDOW];
} window_t;

/* ---- Reading ---------------------------------------------------------------------------------- */

/* Reads the messages that come next, as long as they are usual, within the limits, and there is room in
 * WINDOW. */
static void window_read(const session_t *session, window_t *window)
{
    const batch_t *batch = &session->batch;
    const limits_t *limits = &session->hub->settings->limits;
    const uint8_t *at = batch->payload.data + batch->at;
    const uint8_t *end = batch->payload.data + batch->payload.size;
    unsigned count;
    window->keyed = false;
    window->read = 0;
    for (count = 0; count < WINDOW; count++) {
        operation_t *operation = &window->operations[count];
        const rpc_usual_t *message = &operation->message;
        operation->kind = rpc_read_usual(&at, end, &operation->message, &window->keys[count]);
        operation->end = at;
        if (operation->kind == RPC_USUAL_PING)
            continue;
        if (operation->kind == RPC_USUAL_NONE || window->keys[count].size - 1 >= limits->key) /* or empty */
            break;
        if (operation->kind == RPC_USUAL_PUT && message->value.size > limits->value)
            break;
        window->keyed = true;
    }
    window->count = count;
}

/* With a log: cuts WINDOW before the first message that reads after a put, or before the first that reads if
 * the session may not read yet. */
static void window_cut(const session_t *session, window_t *window)
{
    bool pending = session->batch.pending.count > 0;
    bool may_read = session->batch.barrier == BARRIER_PASSED;
    for (unsigned i = 0; i < window->count; i++) {
        bool puts = window->operations[i].kind == RPC_USUAL_PUT;
        if (!puts && (pending || !may_read))
            window->count = i;
        pending |= puts;
    }
}

/* Hashes the keys. Makes the engine look for all of them at once, if their store is so large that each
 * look-up would wait for memory. */
static void window_prepare(const session_t *session, window_t *window)
{
    const engine_t *engine = session->hub->engine;
    const store_t *store = session->client->store;
    bytes_t keys[WINDOW];
    unsigned count = 0;
    engine_lookup_all(engine, window->keys, window->count, window->lookups);
    if (window->count < 2 || !engine_prepares(engine, store))
        return;
    uint64_t absent = engine_prepare(engine, store, window->lookups, window->count);
    for (; absent != 0; absent &= absent - 1) {
        unsigned i = (unsigned)__builtin_ctzll(absent);
        if (window->operations[i].kind == RPC_USUAL_PUT)
            keys[count++] = window->keys[i];
    }
    if (count > 0)
        engine_prepare_new(engine, store, keys, count);
}

/* ---- Executing -------------------------------------------------------------------------------- */

/* Where an answer of SIZE bytes more than ROOM_CHANGE may be written. NULL if it may not fit, or memory is
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
        wanted += session->answered; /* probably needed soon: reserved at once */
    uint8_t *to = buffer_reserve(answer, wanted);
    if (to == NULL) /* dispatch will fail in the same way and report it */
        buffer_truncate(answer, answer->size);
    return to;
}

/* Each of these executes one message. Returns where its answer ends, or NULL if dispatch must execute the
 * message. */

static inline uint8_t *ping(session_t *session, const rpc_usual_t *message)
{
    static const char pong[] = "\xa4pong";
    uint8_t *to = room_for(session, 0);
    if (to == NULL)
        return NULL;
    to = rpc_put_result(to, message->msgid);
    memcpy(to, pong, sizeof pong - 1);
    return to + sizeof pong - 1;
}

/* Reads the values of the gets from message I on, until the first message that is none. */
static __attribute__((noinline)) void values_read(const session_t *session, window_t *window, unsigned i)
{
    const hub_t *hub = session->hub;
    unsigned end = i;
    while (end < window->count && window->operations[end].kind == RPC_USUAL_GET)
        end++;
    engine_values(hub->engine, session->client->store, window->keys + i, window->lookups + i, end - i,
                  hub->now_ms, window->values + i);
    window->read = end;
}

/* The answer to a get of KEY, which is not there. Dispatch does it if KEY may have to expire first, or is not
 * valid. */
static __attribute__((noinline)) uint8_t *get_absent(session_t *session, bytes_t key, uint32_t msgid)
{
    uint8_t *to = due_is(session->hub) || !utf8_valid(key) ? NULL : room_for(session, 0);
    if (to == NULL)
        return NULL;
    to = rpc_put_result(to, msgid);
    *to = 0xc0;
    return to + 1;
}

static inline uint8_t *get(session_t *session, window_t *window, unsigned i)
{
    uint32_t msgid = window->operations[i].message.msgid;
    if (i >= window->read)
        values_read(session, window, i);
    value_t value = window->values[i];
    if (__builtin_expect(value.bytes.data == NULL, 0))
        return get_absent(session, window->keys[i], msgid);
    uint8_t *to = room_for(session, value.bytes.size);
    if (to == NULL)
        return NULL;
    return rpc_put_string(rpc_put_result(to, msgid), value.bytes, value.binary);
}

/* With a log: proposes COMMAND, the put of MESSAGE. Its answer is pending then. */
static uint8_t *put_later(session_t *session, const rpc_usual_t *message, const command_t *command)
{
    batch_t *batch = &session->batch;
    outcome_t outcome;
    if (!room_behind(batch, batch->room))
        return NULL;
    if (propose(session->hub, session, command, &outcome))
        return NULL;
    const method_t *method = method_find(bytes_from_text("put"));
    pending_add(&batch->pending,
                (pending_t){.method = method, .msgid = message->msgid, .owed = message->owed});
    return batch->answer.data + batch->answer.size;
}

/* Sets in COMMAND what all puts of SESSION have in common. */
static __attribute__((noinline)) void put_begin(const session_t *session, command_t *command)
{
    *command = (command_t){.kind = COMMAND_PUT,
                           .client = session->client,
                           .by = session_actor(session),
                           .put = {.if_revision = REVISION_ANY}};
}

/* COMMAND is that of the put before it; its client is NULL if this is the first. */
static inline uint8_t *put(session_t *session, const window_t *window, unsigned i, command_t *command)
{
    const rpc_usual_t *message = &window->operations[i].message;
    outcome_t outcome;
    if (command->client == NULL)
        put_begin(session, command);
    command->put.key = window->keys[i];
    command->put.value = message->value;
    command->put.binary = message->binary;
    command->put.lookup = window->lookups[i];
    if (session->hub->command_log != NULL)
        return put_later(session, message, command);
    uint8_t *to = room_for(session, 0);
    if (to == NULL || !propose(session->hub, session, command, &outcome) || outcome.kind != OUTCOME_DONE)
        return NULL;
    return rpc_put_uint(rpc_put_result(to, message->msgid), outcome.revision);
}

/* Executes the messages of WINDOW, until one must go to dispatch or the turn's budget is used up; only puts
 * use it. Returns how many were executed. */
static unsigned window_run(session_t *session, window_t *window)
{
    hub_t *hub = session->hub;
    batch_t *batch = &session->batch;
    uint64_t told = hub->told_cost;
    uint64_t told_end = told + HUB_COST_TURN - batch->cost; /* the caller checks the cost */
    uint64_t owed = 0;
    unsigned done = 0;
    command_t command;
    command.client = NULL;
    while (done < window->count) {
        const operation_t *operation = &window->operations[done];
        const rpc_usual_t *message = &operation->message;
        uint8_t *end;
        if (operation->kind == RPC_USUAL_GET)
            end = get(session, window, done);
        else if (operation->kind == RPC_USUAL_PUT)
            end = put(session, window, done, &command);
        else
            end = ping(session, message);
        if (end == NULL)
            break;
        done++;
        if (message->owed) {
            owed++;
            batch->answer.size = (size_t)(end - batch->answer.data);
        }
        if (hub->told_cost >= told_end)
            break;
    }
    batch->cost += hub->told_cost - told;
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
    window_t window;
    unsigned done;
    do {
        window_read(session, &window);
        if (session->hub->command_log != NULL)
            window_cut(session, &window);
        if (window.keyed)
            window_prepare(session, &window);
        done = batch->cost < HUB_COST_TURN ? window_run(session, &window) : 0;
        if (done > 0)
            batch->at = (size_t)(window.operations[done - 1].end - batch->payload.data);
        batch->done += done;
    } while (done == WINDOW);
}

void usual_foresee(const hub_t *hub, const foreseen_t *foreseen, unsigned count)
{
    const store_t *stores[ENGINE_PREPARE_MAX];
    bytes_t keys[ENGINE_PREPARE_MAX];
    unsigned some = 0;
    for (unsigned i = 0; i < count && some < ENGINE_PREPARE_MAX; i++) {
        const session_t *session = foreseen[i].session;
        const uint8_t *at = foreseen[i].payload.data;
        rpc_usual_t message;
        if (session == NULL || !session_admitted(session))
            continue;
        rpc_usual_kind_t kind = rpc_read_usual(&at, at + foreseen[i].payload.size, &message, &keys[some]);
        if (kind == RPC_USUAL_GET || kind == RPC_USUAL_PUT)
            stores[some++] = session->client->store;
    }
    engine_foresee(hub->engine, stores, keys, some);
}
