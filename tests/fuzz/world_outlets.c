/* SPDX-License-Identifier: MPL-2.0 */
/* Takes the place of the sockets and of the verifier. Checks what the hub hands over: each payload that it
 * sends is the answer that is owed next, or a push that may be sent now, and events have no gap. */
#include <stdio.h>

#include "common/rpc.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/world.h"
#include "tests/support/idle_outlets.h"

static void check_answer(struct connection *connection, bytes_t envelope, bytes_t answer)
{
    while (connection->first < connection->last && owed_nothing(&connection->owed[connection->first]))
        connection->first++;
    CHECK(connection->first < connection->last);
    const owed_t *owed = &connection->owed[connection->first++];
    CHECK(owed->enveloped == (envelope.size > 0));
    unsigned count = 0;
    for (size_t at = 0; at < answer.size; count++) {
        rpc_reply_t reply;
        CHECK(rpc_read_reply(answer, &at, &reply) == RPC_STEP_MESSAGE);
        CHECK(reply.kind == RPC_RESPONSE);
        CHECK(count < owed->count && reply.msgid == owed->msgids[count]);
    }
    connection->broke |= count < owed->count;
}

static status_t op_send(void *context, struct connection *connection, bytes_t identity, bytes_t envelope,
                        buffer_t *answer)
{
    world_t *world = context;
    CHECK(bytes_equal(identity, bytes_from_text(connection->identity)));
    CHECK(!connection->lost && !connection->cut && !connection->ended);
    CHECK(answer->size <= world->hub->settings->limits.message && !answer->failed);
    rpc_reply_t reply;
    size_t at = 0;
    bool pushed = answer->size > 0 && rpc_read_reply(buffer_bytes(answer), &at, &reply) == RPC_STEP_MESSAGE &&
                  reply.kind == RPC_NOTIFICATION;
    const session_t *session = connection->session;
    if (pushed && connection->begins)
        CHECK(at == answer->size && envelope.size == 0);
    else if (pushed && session == NULL) /* the session ended by `forget` of its own client */
        CHECK(at == answer->size && envelope.size == 0 && bytes_equal(reply.method, bytes_from_text("bye")));
    else if (pushed)
        CHECK(at == answer->size && envelope.size == 0 && !session->enveloped && !session_runs(session) &&
              !session->unproven);
    else
        check_answer(connection, envelope, buffer_bytes(answer));
    return connection->full ? STATUS_RESOURCE_EXHAUSTED : STATUS_OK;
}

static void op_release(void *context, struct connection *connection, bool cut)
{
    (void)context;
    CHECK(!connection->lost && !connection->cut);
    connection->session = NULL;
    connection->cut = cut;
}

static bool op_verify(void *context, uint64_t job, const char *hash, bytes_t password)
{
    world_t *world = context;
    CHECK(hash[0] == '$' && password.size <= LIMIT_PASSWORD);
    if (world->verify_fails || world->job_count == JOBS_MAX)
        return false;
    world->jobs[world->job_count++] = job;
    return true;
}

static bool op_congested(void *context, struct connection *connection)
{
    (void)context;
    return connection->full;
}

static size_t op_audience(void *context)
{
    (void)context;
    return 1;
}

/* Checks that events are published without a gap in the sequence. */
static void op_publish(void *context, bytes_t topic, buffer_t *payload)
{
    world_t *world = context;
    rpc_reply_t reply;
    size_t at = 0;
    CHECK(topic.size >= 1 && topic.data[topic.size - 1] == '/' && !payload->failed);
    CHECK(rpc_read_reply(buffer_bytes(payload), &at, &reply) == RPC_STEP_MESSAGE && at == payload->size);
    CHECK(reply.kind == RPC_NOTIFICATION);
    if (bytes_equal(reply.method, bytes_from_text("event")))
        CHECK(++world->published == engine_seq(world->hub->engine));
    else
        CHECK(bytes_equal(reply.method, bytes_from_text("sync")) && topic.size == 1);
}

static void op_endpoint(void *context, struct connection *connection, char *text, size_t text_size)
{
    (void)context;
    CHECK(!connection->lost && !connection->cut);
    snprintf(text, text_size, "tcp://127.0.0.1:5001");
}

outlets_t world_outlets(world_t *world)
{
    outlets_t outlets = idle_outlets(world);
    outlets.transport.send = op_send;
    outlets.transport.congested = op_congested;
    outlets.transport.release = op_release;
    outlets.publisher.audience = op_audience;
    outlets.publisher.publish = op_publish;
    outlets.publisher.endpoint = op_endpoint;
    outlets.verification.submit = op_verify;
    return outlets;
}
