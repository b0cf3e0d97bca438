/* SPDX-License-Identifier: MPL-2.0 */
/* Owns what a session holds: its role, what it waits for, the payloads behind that. */
#include "broker/core/session.h"

#include <stdlib.h>

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
    actor_t by = {.session = session->id};
    if (session_admitted(session))
        by.client = client_id(session->client);
    if (session->user)
        by.user = bytes_from_text(session->user);
    return by;
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
