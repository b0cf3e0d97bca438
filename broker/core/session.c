/* SPDX-License-Identifier: MPL-2.0 */
/* Owns what a session holds: who it is, and the payloads behind one that waits. */
#include "broker/core/session.h"

#include <stdlib.h>

#include "common/utf8.h"

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
    if (session->auth.user != NULL)
        by.user = bytes_from_text(session->auth.user);
    return by;
}

void session_set_role(session_t *session, role_t role)
{
    session->role = role;
    if (role == ROLE_GUEST) {
        free(session->auth.user);
        session->auth.user = NULL;
    }
}

status_t session_send(const session_t *session, bytes_t envelope, buffer_t *answer)
{
    const transport_t *transport = &session->hub->outlets.transport;
    if (session->connection == NULL)
        return STATUS_OK;
    return transport->send(transport->context, session->connection, session->identity, envelope, answer);
}

session_t *session_new(hub_t *hub, const arrival_t *arrival)
{
    session_t *session = calloc(1, sizeof *session);
    if (session == NULL)
        return NULL;
    uint8_t *identity = malloc(arrival->identity.size + 1);
    size_t peer_size = arrival->peer.size * 4 + 8; /* room for each byte to be escaped */
    session->peer = malloc(peer_size);
    session->identity = bytes_of(identity, arrival->identity.size);
    if (identity == NULL || session->peer == NULL) {
        session_destroy(&session);
        return NULL;
    }
    memcpy(identity, arrival->identity.data, arrival->identity.size);
    utf8_quote(arrival->peer, session->peer, peer_size);
    session->hub = hub;
    session->connection = arrival->connection;
    session->queue_tail = &session->queue;
    return session;
}

void session_destroy(session_t **self)
{
    session_t *session = *self;
    if (session == NULL)
        return;
    queued_t *queued;
    while ((queued = session_dequeue(session)) != NULL)
        free(queued);
    batch_release(&session->batch);
    free((void *)(uintptr_t)session->identity.data);
    free(session->peer);
    free(session->auth.user);
    free((void *)(uintptr_t)session->auth.asked.data);
    free(session);
    *self = NULL;
}

/* ---- Payloads behind one that waits ----------------------------------------------------------- */

status_t session_enqueue(session_t *session, const arrival_t *arrival)
{
    bytes_t envelope = arrival->envelope;
    bytes_t payload = arrival->payload;
    size_t size = envelope.size + payload.size;
    if (session->queue_count >= LIMIT_WAITING_PAYLOADS ||
        session->queue_bytes + size > session->hub->settings->limits.message)
        return STATUS_RESOURCE_EXHAUSTED;
    queued_t *queued = malloc(sizeof *queued + size);
    if (queued == NULL)
        return STATUS_UNAVAILABLE;
    *queued = (queued_t){.fault = arrival->fault, .envelope_size = envelope.size, .size = size};
    if (envelope.size > 0)
        memcpy(queued->bytes, envelope.data, envelope.size);
    if (payload.size > 0)
        memcpy(queued->bytes + envelope.size, payload.data, payload.size);
    *session->queue_tail = queued;
    session->queue_tail = &queued->next;
    session->queue_count++;
    session->queue_bytes += size;
    session->hub->queued_bytes += size;
    return STATUS_OK;
}

queued_t *session_dequeue(session_t *session)
{
    queued_t *queued = session->queue;
    if (queued == NULL)
        return NULL;
    session->queue = queued->next;
    if (session->queue == NULL)
        session->queue_tail = &session->queue;
    session->queue_count--;
    session->queue_bytes -= queued->size;
    session->hub->queued_bytes -= queued->size;
    return queued;
}
