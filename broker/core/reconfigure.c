/* SPDX-License-Identifier: MPL-2.0 */
/* Owns what new settings mean for existing sessions. Does not know where settings come from. */
#include "broker/core/feed.h"
#include "broker/core/hub.h"
#include "broker/core/propose.h"
#include "broker/core/sessions.h"
#include "common/log.h"

/* Whether SESSION is a manager by an account that has changed since it authenticated. */
static bool account_void(const session_t *session)
{
    const session_auth_t *auth = &session->auth;
    return auth->user &&
           accounts_version(session->hub->accounts, bytes_from_text(auth->user)) != auth->version;
}

/* Demotes the sessions of CLIENT whose accounts are void: as `role` would, but by the broker. */
static void client_demote(hub_t *hub, client_t *client)
{
    for (session_t *session = client->sessions; session; session = session->next) {
        if (account_void(session))
            session_set_role(session, ROLE_GUEST);
    }
    command_t command = {
        .kind = COMMAND_ROLE, .client = client, .text = bytes_from_text(role_text(ROLE_GUEST))};
    outcome_t outcome;
    propose(hub, &command, &outcome);
    log_info("client %s is %s now: its account was removed or has another password", client->id,
             role_text(ROLE_GUEST));
    /* After the event, so that demoted sessions get this event and nothing after it. */
    for (session_t *session = client->sessions; session; session = session->next) {
        if (session->role == ROLE_GUEST)
            feed_dismiss(session, true);
    }
}

/* CLIENT's name has a new claim: none of its sessions has given that secret. */
static void client_revoke(void *context, client_t *client)
{
    hub_t *hub = context;
    while (client->sessions) {
        sessions_push_bye(client->sessions, session_end_text(SESSION_END_REVOKED));
        sessions_end(client->sessions, SESSION_END_REVOKED, (actor_t){0}, hub->now_ms);
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
    for (session_t *session = sessions_oldest(hub->sessions); session; session = session->newer) {
        if (account_void(session))
            client_demote(hub, session->client);
    }
    return true;
}
