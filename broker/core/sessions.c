/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the life of a session: begin, admission to its client, proof of a claimed name, end; and the order of
 * sessions by their latest message. */
#include "broker/core/sessions.h"

#include <stdlib.h>

#include "broker/core/feed.h"
#include "broker/core/propose.h"
#include "broker/core/waits.h"
#include "common/log.h"
#include "common/name.h"
#include "common/utf8.h"

enum { TICK_SESSIONS = 256 }; /* sessions that time out in one turn */

struct sessions {
    session_t *oldest; /* in order of their latest message */
    session_t *newest;
    uint64_t count;
    uint64_t last_id;
};

sessions_t *sessions_new(void)
{
    return calloc(1, sizeof(sessions_t));
}

void sessions_destroy(sessions_t **sessions)
{
    free(*sessions);
    *sessions = NULL;
}

uint64_t sessions_count(const sessions_t *sessions)
{
    return sessions->count;
}

session_t *sessions_oldest(const sessions_t *sessions)
{
    return sessions->oldest;
}

/* ---- Lists ------------------------------------------------------------------------------------ */

static void order_append(sessions_t *sessions, session_t *session)
{
    session->newer = NULL;
    session->older = sessions->newest;
    if (sessions->newest != NULL)
        sessions->newest->newer = session;
    else
        sessions->oldest = session;
    sessions->newest = session;
}

static void order_remove(sessions_t *sessions, session_t *session)
{
    if (session->older != NULL)
        session->older->newer = session->newer;
    else
        sessions->oldest = session->newer;
    if (session->newer != NULL)
        session->newer->older = session->older;
    else
        sessions->newest = session->older;
}

static void client_list_add(session_t **list, session_t *session)
{
    session->previous = NULL;
    session->next = *list;
    if (*list != NULL)
        (*list)->previous = session;
    *list = session;
}

static void client_list_remove(session_t **list, session_t *session)
{
    if (session->previous != NULL)
        session->previous->next = session->next;
    else
        *list = session->next;
    if (session->next != NULL)
        session->next->previous = session->previous;
}

void sessions_touch(session_t *session, int64_t now_ms)
{
    sessions_t *sessions = session->hub->sessions;
    session->active_ms = now_ms;
    if (session_admitted(session))
        session->client->local.active_ms = now_ms;
    if (sessions->newest == session)
        return;
    order_remove(sessions, session);
    order_append(sessions, session);
}

/* ---- Admission -------------------------------------------------------------------------------- */

bool session_misnamed(const session_t *session)
{
    bytes_t identity = session->identity;
    bytes_t name;
    return identity.size > 0 && identity.data[0] != 0 && !name_from_identity(identity, &name);
}

/* A client whose identity is not a valid name works all the same, so the mistake is easily overlooked. */
static void misnamed_log(const session_t *session)
{
    char quoted[UTF8_QUOTE_SIZE];
    log_warning("client %s from %s has a number because its socket identity \"%s\" is not a valid name",
                session->client->id, session->peer, utf8_quote(session->identity, quoted, sizeof quoted));
}

/* Removes the session, which is unproven, from its client. */
static void unproven_leave(session_t *session)
{
    client_t *client = session->client;
    client_list_remove(&client->local.unproven, session);
    session->unproven = false;
    session->client = NULL;
}

/* Makes the session belong to CLIENT. */
static void client_enter(session_t *session, client_t *client, int64_t now_ms)
{
    if (session->unproven)
        unproven_leave(session);
    session->client = client;
    if (client->local.sessions == NULL)
        log_info("client %s connected from %s", client->id, session->peer);
    client_list_add(&client->local.sessions, session);
    client->local.active_ms = now_ms;
    if (session_misnamed(session))
        misnamed_log(session);
}

void sessions_joined(session_t *session, const outcome_t *outcome, int64_t now_ms)
{
    session->joining = false;
    session->refusal = STATUS_OK;
    switch (outcome->kind) {
    case OUTCOME_DONE:
        client_enter(session, outcome->client, now_ms);
        break;
    case OUTCOME_CLAIMED:
        if (session->unproven)
            break;
        session->client = outcome->client;
        session->unproven = true;
        client_list_add(&session->client->local.unproven, session);
        break;
    case OUTCOME_MEMORY:
        session->refusal = STATUS_UNAVAILABLE;
        log_memory("a session is not admitted");
        break;
    default:
        session->refusal = STATUS_RESOURCE_EXHAUSTED;
    }
}

/* Proposes COMMAND, a JOIN of the session. Returns as sessions_admit. */
static bool join(session_t *session, command_t *command, int64_t now_ms, outcome_t *outcome)
{
    command->kind = COMMAND_JOIN;
    command->session = session->id;
    command->by = session_actor(session);
    session->joining = true;
    if (!propose(session->hub, session, command, outcome))
        return false;
    sessions_joined(session, outcome, now_ms);
    return true;
}

bool sessions_admit(session_t *session, bool above_limit, int64_t now_ms)
{
    if (session->unproven) {
        client_t *client = session->client;
        if (client->claimed)
            return true;
        unproven_leave(session);
        registry_release(session->hub->registry, client);
    }
    command_t command = {.above_limit = above_limit};
    (void)name_from_identity(session->identity, &command.name); /* if not, it gets a number */
    outcome_t outcome;
    return join(session, &command, now_ms, &outcome);
}

bool sessions_prove(session_t *session, int64_t now_ms, outcome_t *outcome)
{
    command_t command = {.name = client_id(session->client), .claim = session->client->claim};
    return join(session, &command, now_ms, outcome);
}

session_t *sessions_begin(hub_t *hub, const arrival_t *arrival, int64_t now_ms)
{
    sessions_t *sessions = hub->sessions;
    session_t *session = session_new(hub, arrival);
    if (session == NULL)
        return NULL;
    session->id = ++sessions->last_id;
    session->active_ms = now_ms;
    order_append(sessions, session);
    sessions->count++;
    hub->stats.sessions_total++;
    return session;
}

/* ---- End -------------------------------------------------------------------------------------- */

/* Removes the session from its client, if it has one. Proposes its LEAVE if it is a member there, or may
 * become one by its JOIN. */
static void session_leave(session_t *session, session_end_t end, actor_t by)
{
    hub_t *hub = session->hub;
    client_t *client = session->client;
    bool member = session_admitted(session) && !session->left;
    if (session->unproven) {
        unproven_leave(session);
        if (end != SESSION_END_FORGOTTEN)
            registry_release(hub->registry, client);
    } else if (client != NULL) {
        session->client = NULL;
        client_list_remove(&client->local.sessions, session);
        if (client->local.sessions == NULL)
            log_info("client %s disconnected (%s)", client->id, session_end_text(end));
        if (session->left)
            registry_release(hub->registry, client);
    }
    if (!(member && end != SESSION_END_FORGOTTEN) && !session->joining)
        return;
    command_t command = {.kind = COMMAND_LEAVE,
                         .session = session->id,
                         .by = by,
                         .text = bytes_from_text(session_end_text(end))};
    propose_unheard(hub, session, &command);
}

void sessions_bye(session_t *session, bool left)
{
    session->left = left;
    session->bye = true;
}

void sessions_end(session_t *session, session_end_t end, actor_t by, int64_t now_ms)
{
    hub_t *hub = session->hub;
    feed_unwatch(session);
    session_leave(session, end, by);
    if (hub->command_log != NULL)
        hub->command_log->abandon(hub->command_log->context, session);
    if (end != SESSION_END_SHUTDOWN) /* at shutdown, subscribers still get every event */
        feed_dismiss(session, false);
    order_remove(hub->sessions, session);
    hub->sessions->count--;
    if (session->wait.what == WAIT_VERIFY) {
        accounts_abandon(hub->accounts, bytes_from_text(session->peer), session->auth.asked, now_ms);
        hub->outlets.verification.cancel(hub->outlets.verification.context, session->id);
    }
    waits_remove(hub->waits, session);
    hub->stats.sessions_lost_total += end == SESSION_END_LOST;
    hub->stats.sessions_timeout_total += end == SESSION_END_TIMEOUT;
    hub->stats.sessions_slow_total += end == SESSION_END_SLOW;
    hub->stats.sessions_memory_total += end == SESSION_END_MEMORY;
    if (end == SESSION_END_SLOW)
        log_warning("a session from %s is cut off (slow): too many of its requests or answers wait",
                    session->peer);
    if (end == SESSION_END_MEMORY)
        log_memory("a session is cut off because its requests or answers cannot be kept");
    if (session->connection != NULL && end != SESSION_END_LOST)
        hub->outlets.transport.release(hub->outlets.transport.context, session->connection,
                                       end == SESSION_END_SLOW || end == SESSION_END_MEMORY);
    session->ended = true;
    bool answered = end == SESSION_END_FORGOTTEN && by.session == session->id; /* it still gets its answer */
    if (!session_runs(session) && !answered)
        session_destroy(&session);
}

/* ---- Listeners of the state machine ----------------------------------------------------------- */

void sessions_role(void *context, client_t *client, const command_t *command)
{
    (void)context;
    role_t role = command->manager ? ROLE_MANAGER : ROLE_GUEST;
    if (command->session == 0) {
        log_info("client %s is now %s, set by client %.*s", client->id, role_text(role),
                 (int)command->by.client.size, (const char *)command->by.client.data);
        for (session_t *session = client->local.sessions; session != NULL; session = session->next)
            session_set_role(session, role);
    }
    /* After the event, so that demoted sessions receive it, but nothing after it. */
    for (session_t *session = client->local.sessions; session != NULL && !command->manager;
         session = session->next) {
        if (session->role == ROLE_GUEST)
            feed_dismiss(session, true);
    }
}

void sessions_forgotten(void *context, client_t *client, const command_t *command)
{
    (void)context;
    client_local_t *local = &client->local;
    session_t *session;
    log_info("client %s was forgotten by client %.*s", client->id, (int)command->by.client.size,
             (const char *)command->by.client.data);
    while ((session = local->sessions != NULL ? local->sessions : local->unproven) != NULL) {
        if (session->id != command->by.session) /* that one gets its `bye` after its answer */
            sessions_push_bye(session, session_end_text(SESSION_END_FORGOTTEN));
        sessions_end(session, SESSION_END_FORGOTTEN, command->by, session->hub->now_ms);
    }
}

/* ---- Bye -------------------------------------------------------------------------------------- */

void sessions_push_bye(session_t *session, const char *reason)
{
    if (session->enveloped || session->unproven)
        return;
    buffer_t push;
    buffer_init(&push, LIMIT_ERROR_BYTES);
    rpc_write_notification(&push, bytes_from_text("bye"));
    rpc_write_array(&push, 1);
    rpc_write_map(&push, 1);
    rpc_write_text(&push, "reason");
    rpc_write_text(&push, reason);
    status_t sent = push.failed ? STATUS_UNAVAILABLE : session_send(session, (bytes_t){0}, &push);
    (void)sent; /* a `bye` that cannot be sent is lost */
    buffer_release(&push);
}

void sessions_end_all(sessions_t *sessions, session_end_t end, int64_t now_ms)
{
    while (sessions->oldest != NULL) {
        if (end != SESSION_END_LOST)
            sessions_push_bye(sessions->oldest, session_end_text(end));
        sessions_end(sessions->oldest, end, (actor_t){0}, now_ms);
    }
}

/* ---- Time ------------------------------------------------------------------------------------- */

bool sessions_tick(hub_t *hub, int64_t now_ms, uint64_t end)
{
    const sessions_t *sessions = hub->sessions;
    for (unsigned i = 0; i < TICK_SESSIONS && hub->told_cost < end; i++) {
        session_t *session = sessions->oldest;
        if (session == NULL || session->active_ms + hub->settings->timeout_ms > now_ms)
            return false;
        if (session->wait.what != WAIT_NONE) {
            sessions_touch(session, now_ms);
            continue;
        }
        sessions_push_bye(session, session_end_text(SESSION_END_TIMEOUT));
        sessions_end(session, SESSION_END_TIMEOUT, (actor_t){0}, now_ms);
    }
    return true;
}

int64_t sessions_next_due(const hub_t *hub)
{
    const session_t *oldest = hub->sessions->oldest;
    return oldest != NULL ? oldest->active_ms + hub->settings->timeout_ms : INT64_MAX;
}

bool sessions_sound(const sessions_t *sessions)
{
    uint64_t count = 0;
    const session_t *older = NULL;
    for (const session_t *session = sessions->oldest; session != NULL;
         older = session, session = session->newer) {
        if (session->older != older || session->ended ||
            (older != NULL && older->active_ms > session->active_ms))
            return false;
        count++;
    }
    return sessions->newest == older && sessions->count == count;
}
