/* SPDX-License-Identifier: MPL-2.0 */
/* Owns what new settings mean for existing sessions. Does not know where settings come from. */
#include "broker/core/reconfigure.h"

#include "broker/core/propose.h"
#include "broker/core/sessions.h"
#include "common/log.h"

/* Whether SESSION is a manager by an account that has changed since it authenticated. */
static bool account_void(const session_t *session)
{
    const session_auth_t *auth = &session->auth;
    return auth->user != NULL &&
           accounts_version(session->hub->accounts, bytes_from_text(auth->user)) != auth->version;
}

static void role_propose(session_t *session, bool quiet)
{
    command_t command = {.kind = COMMAND_ROLE,
                         .client = session->client,
                         .session = session->id,
                         .text = bytes_from_text(role_text(ROLE_GUEST)),
                         .quiet = quiet};
    propose_unheard(session->hub, NULL, &command);
}

/* Demotes the sessions of CLIENT whose accounts are void, as `role` would, but by the broker. One event
 * reports all of them. */
static void client_demote(const client_t *client)
{
    session_t *last = NULL;
    for (session_t *session = client->local.sessions; session != NULL; session = session->next) {
        if (!account_void(session))
            continue;
        session_set_role(session, ROLE_GUEST);
        if (last != NULL)
            role_propose(last, true);
        last = session;
    }
    if (last == NULL)
        return;
    log_info("client %s is now %s: its account was removed or has another password", client->id,
             role_text(ROLE_GUEST));
    role_propose(last, false);
}

/* CLIENT's name has a new claim, whose secret none of its sessions has given: ends them. */
static void client_revoke(void *context, client_t *client)
{
    hub_t *hub = context;
    session_t *session;
    while ((session = client->local.sessions) != NULL) {
        sessions_push_bye(session, session_end_text(SESSION_END_REVOKED));
        sessions_end(session, SESSION_END_REVOKED, (actor_t){0}, hub->now_ms);
    }
}

bool hub_configure(hub_t *hub, const settings_t *settings, int64_t now_ms)
{
    hub->now_ms = now_ms;
    if (!state_machine_prepare(hub->machine, settings))
        return false;
    if (!accounts_configure(hub->accounts, settings->managers, settings->manager_count)) {
        state_machine_abandon(hub->machine, settings);
        return false;
    }
    hub->settings = settings;
    place_t place = propose_place(hub);
    state_machine_configure(hub->machine, settings, client_revoke, hub, &place);
    for (session_t *session = sessions_oldest(hub->sessions); session != NULL; session = session->newer) {
        if (account_void(session))
            client_demote(session->client);
    }
    return true;
}
