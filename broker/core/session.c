/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the life of a session: begin, admission to its client, proof of a claimed name, end. */
#include "broker/core/session.h"

#include <stdlib.h>

#include "broker/core/hub.h"
#include "broker/core/notify.h"
#include "common/log.h"
#include "common/name.h"
#include "common/utf8.h"

enum { QUOTE_SIZE = 64 }; /* bytes of a quoted socket identity in the log */

static const char *const role_names[ROLE_COUNT] = {[ROLE_GUEST] = "guest", [ROLE_MANAGER] = "manager"};

static const char *const end_names[SESSION_END_COUNT] = {
    [SESSION_END_BYE] = "bye",         [SESSION_END_LOST] = "lost",
    [SESSION_END_TIMEOUT] = "timeout", [SESSION_END_SLOW] = "slow",
    [SESSION_END_MEMORY] = "memory",   [SESSION_END_FORGOTTEN] = "forgotten",
    [SESSION_END_REVOKED] = "revoked", [SESSION_END_SHUTDOWN] = "shutdown",
};

const char *role_text(role_t role)
{
    return role_names[role];
}

const char *session_end_text(session_end_t end)
{
    return end_names[end];
}

actor_t session_actor(const session_t *session)
{
    actor_t by = {0};
    if (session_admitted(session))
        by.client = client_id(session->client);
    if (session->user)
        by.user = bytes_from_text(session->user);
    return by;
}

/* ---- Lists ------------------------------------------------------------------------------------ */

static void order_append(hub_t *hub, session_t *session)
{
    session->newer = NULL;
    session->older = hub->newest;
    if (hub->newest)
        hub->newest->newer = session;
    else
        hub->oldest = session;
    hub->newest = session;
}

static void order_remove(hub_t *hub, session_t *session)
{
    if (session->older)
        session->older->newer = session->newer;
    else
        hub->oldest = session->newer;
    if (session->newer)
        session->newer->older = session->older;
    else
        hub->newest = session->older;
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

void session_touch(session_t *session, int64_t now_ms)
{
    session->active_ms = now_ms;
    if (session_admitted(session))
        session->client->active_ms = now_ms;
    if (session->hub->newest == session)
        return;
    order_remove(session->hub, session);
    order_append(session->hub, session);
}

/* ---- Admission -------------------------------------------------------------------------------- */

/* Puts the session with CLIENT, which is made to exist where it does not. */
static status_t session_join(session_t *session, client_t *client, int64_t now_ms)
{
    hub_t *hub = session->hub;
    bool above_limit = session->role == ROLE_MANAGER;
    status_t status = STATUS_OK;
    if (!client_exists(client))
        status = registry_open(hub->registry, client, above_limit, now_ms);
    if (status != STATUS_OK)
        return status;
    session->client = client;
    session->unproven = false;
    client_list_add(&client->sessions, session);
    client->active_ms = now_ms;
    if (client->session_count++ == 0) {
        client->since_ms = now_ms;
        engine_record(hub->engine, CHANGE_CONNECT, client, (bytes_t){0}, session_actor(session));
        log_info("client %s connected from %s", client->id, session->peer);
    }
    return STATUS_OK;
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

void session_admit(session_t *session, int64_t now_ms)
{
    registry_t *registry = session->hub->registry;
    client_t *client = session->client;
    if (session->unproven) {
        if (client->claimed)
            return;
        client_list_remove(&client->unproven, session);
        session->unproven = false;
        session->client = NULL;
    }
    bytes_t name;
    bool named = name_from_identity(session->identity, &name);
    client = named ? registry_obtain(registry, name) : registry_number(registry);
    session->refusal = client ? STATUS_OK : STATUS_UNAVAILABLE;
    if (client && client->claimed) {
        session->client = client;
        session->unproven = true;
        client_list_add(&client->unproven, session);
    } else if (client) {
        session->refusal = session_join(session, client, now_ms);
        if (session->refusal != STATUS_OK)
            registry_review(registry, client);
        else if (session_misnamed(session))
            misnamed_log(session);
    }
    if (session->refusal == STATUS_UNAVAILABLE)
        log_memory("a session is not let in");
}

status_t session_prove(session_t *session, int64_t now_ms)
{
    client_t *client = session->client;
    client_list_remove(&client->unproven, session);
    status_t status = session_join(session, client, now_ms);
    if (status != STATUS_OK)
        client_list_add(&client->unproven, session);
    return status;
}

session_t *session_begin(hub_t *hub, const arrival_t *arrival, int64_t now_ms)
{
    session_t *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    uint8_t *identity = malloc(arrival->identity.size + 1);
    size_t peer_size = arrival->peer.size * 4 + 8; /* room for each byte to be escaped */
    session->peer = malloc(peer_size);
    session->identity = bytes_of(identity, arrival->identity.size);
    if (!identity || !session->peer) {
        session_destroy(&session);
        return NULL;
    }
    memcpy(identity, arrival->identity.data, arrival->identity.size);
    utf8_quote(arrival->peer, session->peer, peer_size);
    session->hub = hub;
    session->connection = arrival->connection;
    session->id = ++hub->last_session_id;
    session->waiting_tail = &session->waiting;
    session->active_ms = now_ms;
    order_append(hub, session);
    hub->session_count++;
    hub->stats.sessions_total++;
    session_admit(session, now_ms);
    return session;
}

bool session_set_role(session_t *session, role_t role)
{
    if (session->role == role)
        return false;
    session->role = role;
    if (role == ROLE_GUEST) {
        free(session->user);
        session->user = NULL;
    }
    return true;
}

/* ---- End -------------------------------------------------------------------------------------- */

static void session_leave(session_t *session, session_end_t end, actor_t by, int64_t now_ms)
{
    hub_t *hub = session->hub;
    client_t *client = session->client;
    if (session->unproven) {
        client_list_remove(&client->unproven, session);
    } else {
        client_list_remove(&client->sessions, session);
        if (--client->session_count == 0) {
            client->since_ms = now_ms;
            engine_record(hub->engine, CHANGE_DISCONNECT, client, bytes_from_text(session_end_text(end)), by);
            log_info("client %s disconnected (%s)", client->id, session_end_text(end));
        }
    }
    session->client = NULL;
    session->unproven = false;
    if (end != SESSION_END_FORGOTTEN)
        registry_review(hub->registry, client);
}

void session_park(session_t *session, park_t park, int64_t until_ms)
{
    parked_t *parked = &session->hub->parked[park];
    session->park = park;
    session->park_until_ms = until_ms;
    session->next_parked = NULL;
    session->parked_link = parked->tail;
    *parked->tail = session;
    parked->tail = &session->next_parked;
}

void session_yield(session_t *session)
{
    session_park(session, PARK_TURN, 0);
    session->yields = true;
}

void session_unpark(session_t *session)
{
    if (session->park == PARK_NONE)
        return;
    session->yields = false;
    parked_t *parked = &session->hub->parked[session->park];
    session_t *next = session->next_parked;
    *session->parked_link = next;
    if (next)
        next->parked_link = session->parked_link;
    else
        parked->tail = session->parked_link;
    session->park = PARK_NONE;
}

void session_end(session_t *session, session_end_t end, actor_t by, int64_t now_ms)
{
    hub_t *hub = session->hub;
    notify_unwatch(session);
    if (session->client)
        session_leave(session, end, by, now_ms);
    if (end != SESSION_END_SHUTDOWN) /* then subscribers are to hear of everybody's end, before their own */
        notify_dismiss(session, false);
    order_remove(hub, session);
    hub->session_count--;
    if (session->park == PARK_VERIFY) {
        accounts_abandon(hub->accounts, bytes_from_text(session->peer), session->about, now_ms);
        hub->ops->cancel(hub->context, session->id);
    }
    session_unpark(session);
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
        hub->ops->release(hub->context, session->connection,
                          end == SESSION_END_SLOW || end == SESSION_END_MEMORY);
    session->ended = true;
    if (!session->busy)
        session_destroy(&session);
}

void session_destroy(session_t **self)
{
    session_t *session = *self;
    if (!session)
        return;
    waiting_t *waiting;
    while ((waiting = session_dequeue(session)))
        free(waiting);
    run_release(&session->run);
    free((void *)(uintptr_t)session->identity.data);
    free(session->peer);
    free(session->user);
    session_about_release(session);
    free(session);
    *self = NULL;
}

bool session_about_keep(session_t *session, bytes_t name)
{
    uint8_t *copy = malloc(name.size + 1);
    if (!copy)
        return false;
    memcpy(copy, name.data, name.size);
    copy[name.size] = 0;
    session->about = bytes_of(copy, name.size);
    return true;
}

void session_about_release(session_t *session)
{
    free((void *)(uintptr_t)session->about.data);
    session->about = (bytes_t){0};
}

/* ---- Payloads behind a parked request --------------------------------------------------------- */

status_t session_queue(session_t *session, const arrival_t *arrival)
{
    bytes_t envelope = arrival->envelope;
    bytes_t payload = arrival->payload;
    size_t size = envelope.size + payload.size;
    if (session->waiting_count >= LIMIT_WAITING_PAYLOADS ||
        session->waiting_bytes + size > session->hub->settings->limits.message)
        return STATUS_RESOURCE_EXHAUSTED;
    waiting_t *waiting = malloc(sizeof *waiting + size);
    if (!waiting)
        return STATUS_UNAVAILABLE;
    *waiting = (waiting_t){.fault = arrival->fault, .envelope_size = envelope.size, .size = size};
    if (envelope.size > 0)
        memcpy(waiting->bytes, envelope.data, envelope.size);
    if (payload.size > 0)
        memcpy(waiting->bytes + envelope.size, payload.data, payload.size);
    *session->waiting_tail = waiting;
    session->waiting_tail = &waiting->next;
    session->waiting_count++;
    session->waiting_bytes += size;
    session->hub->waiting_bytes += size;
    return STATUS_OK;
}

waiting_t *session_dequeue(session_t *session)
{
    waiting_t *waiting = session->waiting;
    if (!waiting)
        return NULL;
    session->waiting = waiting->next;
    if (!session->waiting)
        session->waiting_tail = &session->waiting;
    session->waiting_count--;
    session->waiting_bytes -= waiting->size;
    session->hub->waiting_bytes -= waiting->size;
    return waiting;
}

void run_release(run_t *run)
{
    free(run->rest);
    buffer_release(&run->answer);
    buffer_release(&run->envelope);
    *run = (run_t){0};
}
