/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the life of a session: begin, admission to its client, proof of a claimed name, end; and in which
 * order sessions last spoke. */
#include "broker/core/sessions.h"

#include <stdlib.h>

#include "broker/core/feed.h"
#include "broker/core/propose.h"
#include "broker/core/waits.h"
#include "common/log.h"
#include "common/name.h"
#include "common/utf8.h"

enum {
    QUOTE_SIZE = 64,    /* bytes of a quoted socket identity in the log */
    TICK_SESSIONS = 256 /* sessions that time out in one turn */
};

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
    if (sessions->newest)
        sessions->newest->newer = session;
    else
        sessions->oldest = session;
    sessions->newest = session;
}

static void order_remove(sessions_t *sessions, session_t *session)
{
    if (session->older)
        session->older->newer = session->newer;
    else
        sessions->oldest = session->newer;
    if (session->newer)
        session->newer->older = session->older;
    else
        sessions->newest = session->older;
}

static void client_list_add(session_t **list, session_t *session)
{
    session->previous = NULL;
    session->next = *list;
    if (*list)
        (*list)->previous = session;
    *list = session;
}

static void client_list_remove(session_t **list, session_t *session)
{
    if (session->previous)
        session->previous->next = session->next;
    else
        *list = session->next;
    if (session->next)
        session->next->previous = session->previous;
}

void sessions_touch(session_t *session, int64_t now_ms)
{
    sessions_t *sessions = session->hub->sessions;
    session->active_ms = now_ms;
    if (session_admitted(session))
        session->client->active_ms = now_ms;
    if (sessions->newest == session)
        return;
    order_remove(sessions, session);
    order_append(sessions, session);
}

/* ---- Admission -------------------------------------------------------------------------------- */

/* The session belongs to CLIENT from here on. */
static void session_joined(session_t *session, client_t *client, int64_t now_ms)
{
    session->client = client;
    session->unproven = false;
    client_list_add(&client->sessions, session);
    client->active_ms = now_ms;
    if (client->session_count == 1)
        log_info("client %s connected from %s", client->id, session->peer);
}

bool session_misnamed(const session_t *session)
{
    bytes_t identity = session->identity;
    bytes_t name;
    return identity.size > 0 && identity.data[0] != 0 && !name_from_identity(identity, &name);
}

/* An identity that is not a valid name does not stop a client, and is easily overlooked. */
static void misnamed_log(const session_t *session)
{
    char quoted[QUOTE_SIZE];
    log_warning("client %s from %s has a number because its socket identity \"%s\" is not a valid name",
                session->client->id, session->peer, utf8_quote(session->identity, quoted, sizeof quoted));
}

void sessions_admit(session_t *session, int64_t now_ms)
{
    hub_t *hub = session->hub;
    if (session->unproven) {
        if (session->client->claimed)
            return;
        client_list_remove(&session->client->unproven, session);
        session->unproven = false;
        session->client = NULL;
    }
    command_t command = {
        .kind = COMMAND_JOIN, .by = session_actor(session), .above_limit = session->role == ROLE_MANAGER};
    (void)name_from_identity(session->identity, &command.name); /* else it gets a number */
    outcome_t outcome;
    propose(hub, &command, &outcome);
    session->refusal = STATUS_OK;
    switch (outcome.kind) {
    case OUTCOME_DONE:
        session_joined(session, outcome.client, now_ms);
        if (session_misnamed(session))
            misnamed_log(session);
        break;
    case OUTCOME_CLAIMED:
        session->client = outcome.client;
        session->unproven = true;
        client_list_add(&session->client->unproven, session);
        break;
    case OUTCOME_MEMORY:
        session->refusal = STATUS_UNAVAILABLE;
        log_memory("a session is not let in");
        break;
    default:
        session->refusal = STATUS_RESOURCE_EXHAUSTED;
    }
}

status_t sessions_prove(session_t *session, int64_t now_ms)
{
    client_t *client = session->client;
    command_t command = {.kind = COMMAND_JOIN,
                         .by = session_actor(session),
                         .name = client_id(client),
                         .claim = client->claim};
    outcome_t outcome;
    propose(session->hub, &command, &outcome);
    if (outcome.kind == OUTCOME_MEMORY)
        return STATUS_UNAVAILABLE;
    if (outcome.kind != OUTCOME_DONE)
        return STATUS_RESOURCE_EXHAUSTED;
    client_list_remove(&client->unproven, session);
    session_joined(session, client, now_ms);
    return STATUS_OK;
}

session_t *sessions_begin(hub_t *hub, const arrival_t *arrival, int64_t now_ms)
{
    sessions_t *sessions = hub->sessions;
    session_t *session = session_new(hub, arrival);
    if (!session)
        return NULL;
    session->id = ++sessions->last_id;
    session->active_ms = now_ms;
    order_append(sessions, session);
    sessions->count++;
    hub->stats.sessions_total++;
    sessions_admit(session, now_ms);
    return session;
}

/* ---- End -------------------------------------------------------------------------------------- */

static void session_leave(session_t *session, session_end_t end, actor_t by)
{
    hub_t *hub = session->hub;
    client_t *client = session->client;
    bool unproven = session->unproven;
    session->client = NULL;
    session->unproven = false;
    if (unproven) {
        client_list_remove(&client->unproven, session);
        if (end != SESSION_END_FORGOTTEN)
            registry_release(hub->registry, client);
        return;
    }
    client_list_remove(&client->sessions, session);
    if (client->session_count == 1)
        log_info("client %s disconnected (%s)", client->id, session_end_text(end));
    command_t command = {.kind = COMMAND_LEAVE,
                         .client = client,
                         .by = by,
                         .text = bytes_from_text(session_end_text(end)),
                         .forgets = end == SESSION_END_FORGOTTEN};
    outcome_t outcome;
    propose(hub, &command, &outcome);
}

void sessions_end(session_t *session, session_end_t end, actor_t by, int64_t now_ms)
{
    hub_t *hub = session->hub;
    feed_unwatch(session);
    if (session->client)
        session_leave(session, end, by);
    if (end != SESSION_END_SHUTDOWN) /* then subscribers are to hear of everybody's end, before their own */
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
        log_memory("a session is cut off, as its requests or answers cannot be kept");
    if (end != SESSION_END_LOST)
        hub->outlets.transport.release(hub->outlets.transport.context, session->connection,
                                       end == SESSION_END_SLOW || end == SESSION_END_MEMORY);
    session->ended = true;
    if (!session_runs(session))
        session_destroy(&session);
}

void sessions_push_bye(session_t *session, const char *reason)
{
    if (session->enveloped || session->unproven)
        return;
    const transport_t *transport = &session->hub->outlets.transport;
    buffer_t push;
    buffer_init(&push, LIMIT_ERROR_BYTES);
    rpc_write_notification(&push, bytes_from_text("bye"));
    rpc_write_array(&push, 1);
    rpc_write_map(&push, 1);
    rpc_write_text(&push, "reason");
    rpc_write_text(&push, reason);
    if (!push.failed) /* else it misses what it may miss */
        transport->send(transport->context, session->connection, session->identity, (bytes_t){0}, &push);
    buffer_release(&push);
}

void sessions_end_all(sessions_t *sessions, session_end_t end, int64_t now_ms)
{
    while (sessions->oldest) {
        if (end != SESSION_END_LOST)
            sessions_push_bye(sessions->oldest, session_end_text(end));
        sessions_end(sessions->oldest, end, (actor_t){0}, now_ms);
    }
}

/* ---- Time ------------------------------------------------------------------------------------- */

bool sessions_tick(hub_t *hub, int64_t now_ms, uint64_t end)
{
    const sessions_t *sessions = hub->sessions;
    for (unsigned i = 0; i < TICK_SESSIONS && feed_cost(hub->feed) < end; i++) {
        session_t *session = sessions->oldest;
        if (!session || session->active_ms + hub->settings->timeout_ms > now_ms)
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
    return oldest ? oldest->active_ms + hub->settings->timeout_ms : INT64_MAX;
}

bool sessions_sound(const sessions_t *sessions)
{
    uint64_t count = 0;
    const session_t *older = NULL;
    for (const session_t *session = sessions->oldest; session; older = session, session = session->newer) {
        if (session->older != older || session->ended || (older && older->active_ms > session->active_ms))
            return false;
        count++;
    }
    return sessions->newest == older && sessions->count == count;
}
