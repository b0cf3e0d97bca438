/* SPDX-License-Identifier: MPL-2.0 */
/* hello, ping, bye: a session and its identity. */
#include <stdio.h>

#include "broker/core/handlers/handlers.h"
#include "broker/core/propose.h"
#include "broker/core/secret.h"
#include "broker/core/sessions.h"
#include "common/utf8.h"

enum {
    WRONG_SECRET_DELAY_MS = 1000, /* PROTOCOL.md section 3 */
    NOTE_QUOTE_SIZE = 48,         /* bytes of a quoted socket identity in a note, which is short */
    ANSWER_ROOM = 480,            /* bytes of the answer, at most */
    NOTE_SIZE = 251 /* of a note with its terminating zero: it fits beside the rest of `hello`, see
                       room.h */
};

/* ---- hello ------------------------------------------------------------------------------------ */

/* Writes the note about the session, for people, or nil. */
static void note_write(request_t *request)
{
    char quoted[NOTE_QUOTE_SIZE];
    char text[NOTE_SIZE];
    if (!session_misnamed(request->session)) {
        rpc_write_nil(request->answer);
        return;
    }
    snprintf(text, sizeof text,
             "the socket identity \"%s\" is not a valid name, so this client has a number and its store ends "
             "with it; a name has 1 to %d printable ASCII characters, no blank or /, not digits alone",
             utf8_quote(request->session->identity, quoted, sizeof quoted), (int)LIMIT_NAME);
    rpc_write_text(request->answer, text);
}

static handling_t hello_answer(request_t *request)
{
    const settings_t *settings = request->hub->settings;
    const limits_t *limits = &settings->limits;
    buffer_t *answer = request->answer;
    rpc_write_map(answer, 8);
    rpc_write_text(answer, "client");
    rpc_write_str(answer, client_id(request->session->client));
    rpc_write_text(answer, "role");
    rpc_write_text(answer, role_text(request->session->role));
    rpc_write_text(answer, "protocol");
    rpc_write_uint(answer, RPC_PROTOCOL_VERSION);
    rpc_write_text(answer, "broker");
    rpc_write_text(answer, "kvbroker " KV_VERSION);
    rpc_write_text(answer, "epoch");
    rpc_write_text(answer, engine_epoch(request->hub->engine));
    rpc_write_text(answer, "timeout_ms");
    rpc_write_uint(answer, (uint64_t)settings->timeout_ms);
    rpc_write_text(answer, "limits");
    rpc_write_map(answer, 4);
    rpc_write_text(answer, "key");
    rpc_write_uint(answer, limits->key);
    rpc_write_text(answer, "value");
    rpc_write_uint(answer, limits->value);
    rpc_write_text(answer, "batch");
    rpc_write_uint(answer, limits->batch);
    rpc_write_text(answer, "message");
    rpc_write_uint(answer, limits->message);
    rpc_write_text(answer, "note");
    note_write(request);
    return HANDLED;
}

static handling_t secret_refuse(request_t *request)
{
    return request_wait(request, WAIT_DELAY, request->now_ms + WRONG_SECRET_DELAY_MS);
}

/* A secret for a name that nobody has claimed: claims it. */
static handling_t name_claim(request_t *request)
{
    client_t *client = request->client;
    char claim[SECRET_HASH_SIZE];
    command_t command = {
        .kind = COMMAND_CLAIM, .client = client, .by = session_actor(request->session), .claim = claim};
    if (client->local.unproven != NULL && !client->numbered) {
        wait_result_t shared = {.what = WAIT_LOG, .command = &command, .outcome = {.kind = OUTCOME_SHARED}};
        return finish_hello(request, &shared);
    }
    secret_hash(request->args.secret, claim);
    return request_propose(request, &command, finish_hello);
}

/* Handles the outcome of a CLAIM. */
static handling_t claim_finish(request_t *request, outcome_kind_t outcome)
{
    switch (outcome) {
    case OUTCOME_DONE:
        return hello_answer(request);
    case OUTCOME_NUMBERED:
        return request_fail(request, STATUS_FAILED_PRECONDITION, "a client without a name cannot be claimed");
    case OUTCOME_KEYS:
        return request_fail(request, STATUS_FAILED_PRECONDITION,
                            "the name has keys: only an empty store can be claimed");
    case OUTCOME_MEMORY:
        return request_fail_memory(request);
    case OUTCOME_MORE:
        return AGAIN;
    default:
        return request_fail(request, STATUS_FAILED_PRECONDITION,
                            "the name has other sessions: only a name with one session can be claimed");
    }
}

/* Handles the outcome of the JOIN of a session that gave its name's secret. */
static handling_t proof_finish(request_t *request, outcome_kind_t outcome)
{
    switch (outcome) {
    case OUTCOME_DONE:
        return hello_answer(request);
    case OUTCOME_CLAIMED: /* meanwhile claimed with another secret */
        return secret_refuse(request);
    case OUTCOME_MEMORY:
        return request_fail_memory(request);
    default:
        return request_fail(request, STATUS_RESOURCE_EXHAUSTED, "limits/clients is reached: try again later");
    }
}

/* The secret is right. */
static handling_t secret_accept(request_t *request)
{
    outcome_t outcome;
    if (!request->session->unproven)
        return hello_answer(request);
    if (!sessions_prove(request->session, request->now_ms, &outcome))
        return request_wait(request, WAIT_LOG, 0);
    return proof_finish(request, outcome.kind);
}

handling_t handle_hello(request_t *request)
{
    const client_t *client = request->client;
    if (buffer_reserve(request->answer, ANSWER_ROOM) == NULL)
        return HANDLED; /* there is no memory for the answer, so nothing is done */
    if (!(request->args.given & OPTION_SECRET))
        return request->session->unproven ? request_fail_unproven(request) : hello_answer(request);
    if (!client->claimed)
        return name_claim(request);
    if (secret_matches(client->claim, request->args.secret))
        return secret_accept(request);
    return secret_refuse(request); /* answered after a delay */
}

handling_t finish_hello(request_t *request, const wait_result_t *result)
{
    if (result->what == WAIT_DELAY)
        return request_fail(request, STATUS_UNAUTHENTICATED, "wrong secret for this name");
    if (result->command->kind == COMMAND_CLAIM)
        return claim_finish(request, result->outcome.kind);
    sessions_joined(request->session, &result->outcome, request->now_ms);
    return proof_finish(request, result->outcome.kind);
}

/* ---- ping, bye -------------------------------------------------------------------------------- */

handling_t handle_ping(request_t *request)
{
    rpc_write_text(request->answer, "pong");
    return HANDLED;
}

handling_t handle_bye(request_t *request)
{
    const session_t *session = request->session;
    command_t command = {.kind = COMMAND_LEAVE,
                         .session = session->id,
                         .by = session_actor(session),
                         .text = bytes_from_text(session_end_text(SESSION_END_BYE))};
    return request_propose(request, &command, finish_bye); /* for a session that was refused: OUTCOME_GONE */
}

handling_t finish_bye(request_t *request, const wait_result_t *result)
{
    sessions_bye(request->session, result->outcome.kind == OUTCOME_DONE);
    rpc_write_bool(request->answer, true);
    return HANDLED;
}
