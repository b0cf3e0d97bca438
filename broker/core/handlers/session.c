/* SPDX-License-Identifier: MPL-2.0 */
/* hello, ping, bye: a session and who it is. */
#include <stdio.h>

#include "broker/core/due.h"
#include "broker/core/handlers/handlers.h"
#include "broker/core/propose.h"
#include "broker/core/secret.h"
#include "broker/core/sessions.h"
#include "common/utf8.h"

enum {
    WRONG_SECRET_DELAY_MS = 1000, /* PROTOCOL.md section 3 */
    QUOTE_SIZE = 48,              /* bytes of a quoted socket identity in a note */
    ANSWER_ROOM = 480,            /* bytes of the answer, at most */
    NOTE_SIZE = 251 /* of a note with its terminating zero: it fits beside the rest of `hello`, see
                       CHANGE_ROOM in batch.c */
};

/* A secret for a name that nobody has claimed: claims it. HANDLED if that is done. */
static handling_t name_claim(request_t *request)
{
    client_t *client = request->client;
    char claim[SECRET_HASH_SIZE];
    if (due_is(request->hub)) /* keys of the store, perhaps */
        return AGAIN;
    secret_hash(request->args.secret, claim);
    command_t command = {
        .kind = COMMAND_CLAIM, .client = client, .by = session_actor(request->session), .claim = claim};
    outcome_t outcome = {.kind = OUTCOME_SHARED};
    if (client->numbered || !client->unproven)
        propose(request->hub, &command, &outcome);
    switch (outcome.kind) {
    case OUTCOME_DONE:
        return HANDLED;
    case OUTCOME_NUMBERED:
        return request_fail(request, STATUS_FAILED_PRECONDITION, "a client without a name cannot be claimed");
    case OUTCOME_KEYS:
        return request_fail(request, STATUS_FAILED_PRECONDITION,
                            "the name has keys: only an empty store can be claimed");
    default:
        return request_fail(request, STATUS_FAILED_PRECONDITION,
                            "the name has other sessions: it can be claimed only by its one session");
    }
}

/* Checks or makes a claim: HANDLED where the session may go on. A wrong secret waits: it is answered late. */
static handling_t secret_check(request_t *request)
{
    session_t *session = request->session;
    client_t *client = request->client;
    if (!(request->args.given & OPTION_SECRET))
        return session->unproven ? request_fail_unproven(request) : HANDLED;
    if (!client->claimed)
        return name_claim(request);
    if (!secret_matches(client->claim, request->args.secret))
        return request_wait(request, WAIT_DELAY, request->now_ms + WRONG_SECRET_DELAY_MS);
    status_t status = session->unproven ? sessions_prove(session, request->now_ms) : STATUS_OK;
    if (status == STATUS_UNAVAILABLE)
        return request_fail_memory(request);
    if (status != STATUS_OK)
        return request_fail(request, STATUS_RESOURCE_EXHAUSTED, "limits/clients is reached: try again later");
    return HANDLED;
}

/* Writes the note about the session, for people, or nil. */
static void note_write(request_t *request)
{
    char quoted[QUOTE_SIZE];
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

handling_t handle_hello(request_t *request)
{
    if (!buffer_reserve(request->answer, ANSWER_ROOM))
        return HANDLED; /* it cannot be told, so nothing is done */
    handling_t checked = secret_check(request);
    if (checked != HANDLED)
        return checked;
    const settings_t *settings = request->hub->settings;
    const limits_t *limits = &settings->limits;
    buffer_t *answer = request->answer;
    rpc_write_map(answer, 8);
    rpc_write_text(answer, "client");
    rpc_write_str(answer, client_id(request->client));
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

handling_t hello_refuse(request_t *request, const wait_result_t *result)
{
    (void)result;
    return request_fail(request, STATUS_UNAUTHENTICATED, "wrong secret for this name");
}

handling_t handle_ping(request_t *request)
{
    rpc_write_text(request->answer, "pong");
    return HANDLED;
}

handling_t handle_bye(request_t *request)
{
    request->session->batch.bye = true;
    rpc_write_bool(request->answer, true);
    return HANDLED;
}
