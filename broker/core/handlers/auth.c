/* SPDX-License-Identifier: MPL-2.0 */
/* auth: waits while the verifier checks the password. */
#include <inttypes.h>
#include <stdlib.h>

#include "broker/core/handlers/handlers.h"
#include "broker/core/propose.h"
#include "broker/core/sessions.h"
#include "common/log.h"
#include "common/utf8.h"

static const char unverified_text[] =
    "the password cannot be verified now: the broker is short of memory; try again later";

/* Keeps the name of the account that the session authenticates with. False if memory is refused. */
static bool asked_keep(session_t *session, bytes_t user)
{
    uint8_t *copy = malloc(user.size + 1);
    if (copy == NULL)
        return false;
    memcpy(copy, user.data, user.size);
    copy[user.size] = 0;
    session->auth.asked = bytes_of(copy, user.size);
    return true;
}

static void asked_release(session_t *session)
{
    free((void *)(uintptr_t)session->auth.asked.data);
    session->auth.asked = (bytes_t){0};
}

handling_t handle_auth(request_t *request)
{
    session_t *session = request->session;
    hub_t *hub = request->hub;
    char hash[PASSWORD_HASH_SIZE];
    uint64_t wait_ms = 0;
    bytes_t user = request->args.user;
    session->auth.asked_version = accounts_version(hub->accounts, user);
    status_t status =
        accounts_begin(hub->accounts, bytes_from_text(session->peer), user, request->now_ms, hash, &wait_ms);
    if (status != STATUS_OK) {
        hub->stats.auth_throttled_total++;
        request->has_detail = true;
        request->detail = wait_ms;
        return request_fail(request, status, "too many failures: try again in %" PRIu64 " ms", wait_ms);
    }
    const verification_t *verification = &hub->outlets.verification;
    if (!asked_keep(session, user) ||
        !verification->submit(verification->context, session->id, hash, request->args.password)) {
        accounts_withdraw(hub->accounts, bytes_from_text(session->peer), user, request->now_ms);
        asked_release(session);
        log_memory("a password cannot be verified");
        return request_fail(request, STATUS_UNAVAILABLE, unverified_text);
    }
    return request_wait(request, WAIT_VERIFY, 0);
}

/* The user or the password is wrong, or the account has changed meanwhile. */
static handling_t auth_refuse(request_t *request, status_t status)
{
    asked_release(request->session);
    return request_fail(request, status, "wrong user or password");
}

/* Whether the account is the same as when the `auth` arrived. */
static bool asked_valid(const session_t *session)
{
    return session->auth.asked_version == accounts_version(session->hub->accounts, session->auth.asked);
}

static command_t role_command(const session_t *session, role_t role)
{
    return (command_t){.kind = COMMAND_ROLE,
                       .client = session->client,
                       .session = session->id,
                       .by = session_actor(session),
                       .text = bytes_from_text(role_text(role)),
                       .manager = role == ROLE_MANAGER};
}

/* Admission is decided: asks for the role, if the session was admitted. */
static handling_t role_ask(request_t *request)
{
    session_t *session = request->session;
    if (!session_admitted(session)) {
        asked_release(session);
        if (session->refusal == STATUS_UNAVAILABLE)
            return request_fail_memory(request);
        return request_fail(request, STATUS_RESOURCE_EXHAUSTED, "the session cannot be admitted: try again");
    }
    command_t command = role_command(session, ROLE_MANAGER);
    command.by.user = session->auth.asked;
    return request_propose(request, &command, finish_auth);
}

/* Handles the outcome of the ROLE: the session becomes a manager by the account that it asked for. */
static handling_t role_finish(request_t *request, outcome_kind_t outcome)
{
    session_t *session = request->session;
    hub_t *hub = request->hub;
    char quoted[UTF8_QUOTE_SIZE];
    if (outcome != OUTCOME_DONE) {
        asked_release(session);
        return request_fail_memory(request);
    }
    if (!asked_valid(session)) { /* the account changed before the command was applied */
        command_t command = role_command(session, session->role);
        command.by = (actor_t){0};
        propose_unheard(hub, session, &command);
        return auth_refuse(request, STATUS_UNAUTHENTICATED);
    }
    hub->stats.auth_success_total++;
    log_info("client %s authenticated as %s from %s", session->client->id,
             utf8_quote(session->auth.asked, quoted, sizeof quoted), session->peer);
    session_set_role(session, ROLE_MANAGER);
    free(session->auth.user);
    session->auth.user = (char *)(uintptr_t)session->auth.asked.data; /* an account's name holds no zero */
    session->auth.version = session->auth.asked_version;
    session->auth.asked = (bytes_t){0};
    rpc_write_map(request->answer, 1);
    rpc_write_text(request->answer, "role");
    rpc_write_text(request->answer, role_text(session->role));
    return HANDLED;
}

/* Handles the verifier's verdict. */
static handling_t password_finish(request_t *request, verdict_t verdict)
{
    session_t *session = request->session;
    hub_t *hub = request->hub;
    if (verdict == VERDICT_NONE) {
        accounts_withdraw(hub->accounts, bytes_from_text(session->peer), session->auth.asked,
                          request->now_ms);
        log_memory("a password cannot be verified");
        asked_release(session);
        return request_fail(request, STATUS_UNAVAILABLE, unverified_text);
    }
    bool matched = verdict == VERDICT_RIGHT && asked_valid(session);
    status_t status = accounts_end(hub->accounts, bytes_from_text(session->peer), session->auth.asked,
                                   matched, request->now_ms);
    if (status != STATUS_OK) {
        char quoted[UTF8_QUOTE_SIZE];
        hub->stats.auth_failure_total++;
        log_warning("client %s failed to authenticate as %s from %s",
                    session->client != NULL ? session->client->id : "(refused)",
                    utf8_quote(session->auth.asked, quoted, sizeof quoted), session->peer);
        return auth_refuse(request, status);
    }
    /* A session that was refused because of limits/clients is admitted now: otherwise nobody could remove
     * clients if there are too many. */
    if (session->client == NULL && !sessions_admit(session, true, request->now_ms))
        return request_wait(request, WAIT_LOG, 0);
    return role_ask(request);
}

handling_t finish_auth(request_t *request, const wait_result_t *result)
{
    if (result->what == WAIT_VERIFY)
        return password_finish(request, result->verdict);
    if (result->command->kind == COMMAND_ROLE)
        return role_finish(request, result->outcome.kind);
    sessions_joined(request->session, &result->outcome, request->now_ms);
    return role_ask(request);
}
