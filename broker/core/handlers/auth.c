/* SPDX-License-Identifier: MPL-2.0 */
/* auth: waits while a worker verifies the password. */
#include <inttypes.h>
#include <stdlib.h>

#include "broker/core/handlers/handlers.h"
#include "broker/core/propose.h"
#include "broker/core/sessions.h"
#include "common/log.h"
#include "common/utf8.h"

enum { QUOTE_SIZE = 96 }; /* bytes of a quoted account's name in the log */

static const char unverified_text[] =
    "the password cannot be verified now: the broker is short of memory; try again later";

/* Keeps the name of the account that the session asks to be a manager by. False if memory is refused. */
static bool asked_keep(session_t *session, bytes_t user)
{
    uint8_t *copy = malloc(user.size + 1);
    if (!copy)
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
    char hash[ACCOUNTS_HASH_SIZE];
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

/* Lets in a session that was refused for limits/clients, now that it is a manager's: else clients who are too
 * many could not be dealt with. False if memory is refused, or the name was claimed
 * meanwhile. */
static bool manager_admit(request_t *request)
{
    session_t *session = request->session;
    session->role = ROLE_MANAGER;
    if (!session->client)
        sessions_admit(session, request->now_ms);
    if (!session_admitted(session))
        session->role = ROLE_GUEST;
    return session->role == ROLE_MANAGER;
}

handling_t auth_finish(request_t *request, const wait_result_t *result)
{
    verdict_t verdict = result->verdict;
    session_t *session = request->session;
    hub_t *hub = request->hub;
    const char *client = session->client ? session->client->id : "(refused)";
    if (verdict == VERDICT_NONE) {
        accounts_withdraw(hub->accounts, bytes_from_text(session->peer), session->auth.asked,
                          request->now_ms);
        log_memory("a password cannot be verified");
        asked_release(session);
        return request_fail(request, STATUS_UNAVAILABLE, unverified_text);
    }
    /* The account may have been removed meanwhile, or have another password. */
    bool matched = verdict == VERDICT_RIGHT &&
                   session->auth.asked_version == accounts_version(hub->accounts, session->auth.asked);
    status_t status = accounts_end(hub->accounts, bytes_from_text(session->peer), session->auth.asked,
                                   matched, request->now_ms);
    char quoted[QUOTE_SIZE];
    utf8_quote(session->auth.asked, quoted, sizeof quoted);
    if (status != STATUS_OK) {
        hub->stats.auth_failure_total++;
        log_warning("client %s failed to authenticate as %s from %s", client, quoted, session->peer);
        asked_release(session);
        return request_fail(request, status, "wrong user or password");
    }
    bool was_manager = session->role == ROLE_MANAGER;
    if (!manager_admit(request)) {
        asked_release(session);
        if (session->refusal == STATUS_UNAVAILABLE)
            return request_fail_memory(request);
        return request_fail(request, STATUS_RESOURCE_EXHAUSTED, "the session cannot be let in: try again");
    }
    hub->stats.auth_success_total++;
    log_info("client %s authenticated as %s from %s", session->client->id, quoted, session->peer);
    free(session->auth.user);
    session->auth.user = (char *)(uintptr_t)session->auth.asked.data; /* an account's name holds no zero */
    session->auth.version = session->auth.asked_version;
    session->auth.asked = (bytes_t){0};
    if (!was_manager) {
        command_t command = {.kind = COMMAND_ROLE,
                             .client = session->client,
                             .by = session_actor(session),
                             .text = bytes_from_text(role_text(session->role))};
        outcome_t outcome;
        propose(hub, &command, &outcome);
    }
    rpc_write_map(request->answer, 1);
    rpc_write_text(request->answer, "role");
    rpc_write_text(request->answer, role_text(session->role));
    return HANDLED;
}
