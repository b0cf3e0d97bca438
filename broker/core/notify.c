/* SPDX-License-Identifier: MPL-2.0 */
/* Owns who is told of a change, and in what order. A push never overtakes an answer: while a session's
 * payload runs, or while it is behind, its pushes are read from the log when their turn comes. */
#include "broker/core/notify.h"

#include <assert.h>

#include "common/log.h"

enum {
    SYNC_MS = 1000,     /* PROTOCOL.md 6.2 */
    TICK_EVENTS = 2000, /* events of the log that are looked at in one turn for sessions behind */
    TICK_SLICE = 500,   /* of them for one session */
    HELD_MS = 20,       /* a session behind that does not read is looked at again */
    JUMP_EVENTS = 64,   /* of a client: so many are gone back over, to find the first that is owed */
    PUSH_COST = 10,     /* of a push, in the unit of HUB_COST_TURN */
    HEAR_COST = 4,      /* the same of what is published, for each connection */
    SWEEP_MS = 500,     /* after a ticket went void, for connections that have not subscribed */
    HEAD_BYTES = 64,    /* of a notification around its map */
    EVENT_BYTES = 256   /* of an event's map at most, its texts apart */
};

static size_t event_room(const event_t *event)
{
    return HEAD_BYTES + EVENT_BYTES + event->client.size + event->key.size + event->value.size +
           event->by.size + event->user.size;
}

/* `[2, METHOD, [map of the event]]` */
static void notification_write(buffer_t *payload, const char *method, const event_t *event)
{
    size_t room = event_room(event);
    buffer_init(payload, room);
    if (!buffer_reserve(payload, room)) /* at once: what is too small is not copied */
        return;
    rpc_write_notification(payload, bytes_from_text(method));
    rpc_write_array(payload, 1);
    event_write(payload, event);
}

/* ---- Sessions that watch ---------------------------------------------------------------------- */

/* Puts SESSION at the end of those of LAG; of LAG_NONE there is no list. */
static void lag_set(session_t *session, lag_t lag)
{
    lagging_t *from = &session->hub->lagging[session->lag];
    lagging_t *to = &session->hub->lagging[lag];
    if (session->lag != LAG_NONE) {
        session_t *next = session->next_lagging;
        session_t *previous = session->previous_lagging;
        *(next ? &next->previous_lagging : &from->last) = previous;
        *(previous ? &previous->next_lagging : &from->first) = next;
    }
    session->lag = lag;
    if (lag == LAG_NONE)
        return;
    session->next_lagging = NULL;
    session->previous_lagging = to->last;
    *(to->last ? &to->last->next_lagging : &to->first) = session;
    to->last = session;
}

/* Those whose peers did not read have their turn again. */
static void held_release(hub_t *hub)
{
    while (hub->lagging[LAG_HELD].first)
        lag_set(hub->lagging[LAG_HELD].first, LAG_BEHIND);
    hub->held_ms = INT64_MAX;
}

/* Whether SESSION is told of EVENT, which is about its client. */
static bool push_wanted(const session_t *session, const event_t *event)
{
    if (session->enveloped ||
        (event->kind != CHANGE_PUT && event->kind != CHANGE_DEL && event->kind != CHANGE_EXPIRE))
        return false;
    return event->session != session->id || event->seq <= session->own_until;
}

/* Whether so much waits for the session's peer that pushes had better wait too: in the log. */
static bool push_held(const session_t *session)
{
    return session->hub->ops->congested(session->hub->context, session->connection);
}

/* Pushes EVENT. RESOURCE_EXHAUSTED if the session was too slow, UNAVAILABLE if memory is refused. */
static status_t push_send(session_t *session, const event_t *event)
{
    hub_t *hub = session->hub;
    buffer_t push;
    notification_write(&push, "changed", event);
    hub->cost += PUSH_COST;
    status_t status = STATUS_UNAVAILABLE;
    if (!push.failed)
        status = hub->ops->send(hub->context, session->connection, session->identity, (bytes_t){0}, &push);
    buffer_release(&push);
    if (status == STATUS_UNAVAILABLE)
        log_memory("changes wait in the log for a session that watches");
    return status;
}

/* A change of CLIENT's store, for its sessions that are up to date: the others find it in the log, in their
 * turn. (One that is too slow is ended then, not here, in the middle of somebody's request.) */
static void push_change(const client_t *client, const event_t *event)
{
    client->sessions->hub->cost += client->session_count;
    for (session_t *session = client->sessions; session; session = session->next) {
        if (!session->watching || session->lag != LAG_NONE)
            continue;
        session->pushed = event->seq; /* nothing before this was for it */
        if (!push_wanted(session, event))
            continue;
        if (session->busy || session->park != PARK_NONE || push_held(session) ||
            push_send(session, event) != STATUS_OK) {
            session->pushed--;
            lag_set(session, LAG_BEHIND);
        }
    }
}

void notify_watch(session_t *session, uint64_t after)
{
    uint64_t now = engine_seq(session->hub->engine);
    assert(after + 1 >= session->client->first_seq); /* before that, its id may have been somebody else's */
    session->client->watcher_count += !session->watching;
    session->watching = true;
    session->pushed = after;
    session->own_until = now;
    lag_set(session, after < now ? LAG_BEHIND : LAG_NONE);
}

void notify_unwatch(session_t *session)
{
    if (!session->watching)
        return;
    session->client->watcher_count--;
    session->watching = false;
    lag_set(session, LAG_NONE);
}

/* Passes over what is about others, before the first event that SESSION has not been told about its client:
 * gone back to from the client's newest, along `prev`. False if there are too many of its own for that. */
static bool others_skip(session_t *session)
{
    const hub_t *hub = session->hub;
    uint64_t first = engine_seq(hub->engine) + 1;
    uint64_t seq = session->client->last_seq;
    for (unsigned i = 0; i < JUMP_EVENTS && seq > session->pushed; i++) {
        event_t event;
        event_log_read(hub->log, seq, &event);
        first = seq;
        seq = event.prev;
    }
    if (seq > session->pushed)
        return false;
    session->pushed = first - 1;
    return true;
}

/* SESSION is looked at again after a while. */
static void hold(session_t *session)
{
    hub_t *hub = session->hub;
    lag_set(session, LAG_HELD);
    if (hub->held_ms == INT64_MAX)
        hub->held_ms = hub->now_ms + HELD_MS;
}

/* Tells SESSION what it has not been told, looking at *BUDGET events at most, as far as its peer reads.
 * RESOURCE_EXHAUSTED if it is too slow, or too far behind for the log; UNAVAILABLE if memory is
 * refused: the rest waits in the log. */
static status_t catch_up(session_t *session, unsigned *budget)
{
    hub_t *hub = session->hub;
    uint64_t now = engine_seq(hub->engine);
    bool near = true; /* others_skip finds what is owed */
    if (session->pushed < event_log_oldest(hub->log))
        return STATUS_RESOURCE_EXHAUSTED;
    for (; *budget > 0 && session->pushed < now; --*budget) {
        event_t event;
        event_log_read(hub->log, session->pushed + 1, &event);
        if (!bytes_equal(event.client, client_id(session->client))) {
            near = near && others_skip(session);
            session->pushed += !near;
            continue;
        }
        if (push_wanted(session, &event)) {
            bool held = push_held(session);
            status_t status = held ? STATUS_OK : push_send(session, &event);
            if (held || status == STATUS_UNAVAILABLE)
                hold(session);
            if (held || status != STATUS_OK)
                return status;
        }
        session->pushed++;
    }
    lag_set(session, session->pushed < now ? LAG_BEHIND : LAG_NONE);
    return STATUS_OK;
}

status_t notify_catch_up(session_t *session)
{
    unsigned budget = TICK_EVENTS;
    return session->lag == LAG_NONE ? STATUS_OK : catch_up(session, &budget);
}

status_t notify_answered(session_t *session)
{
    unsigned budget = TICK_SLICE;
    status_t status = session->lag == LAG_BEHIND ? catch_up(session, &budget) : STATUS_OK;
    return status == STATUS_UNAVAILABLE ? STATUS_OK : status; /* it is tried again in its turn */
}

bool notify_tick(hub_t *hub, session_t **slow)
{
    *slow = NULL;
    if (hub->held_ms <= hub->now_ms)
        held_release(hub);
    const lagging_t *behind = &hub->lagging[LAG_BEHIND];
    const session_t *last = behind->last; /* who comes behind it had a turn already */
    unsigned budget = TICK_EVENTS;
    bool more = false;
    for (bool through = !last; !through && budget > 0;) {
        session_t *session = behind->first;
        through = session == last;
        if (session->park != PARK_NONE) { /* what it is told comes behind the answer */
            lag_set(session, LAG_BEHIND);
            continue;
        }
        unsigned slice = budget < TICK_SLICE ? budget : TICK_SLICE;
        unsigned left = slice;
        if (catch_up(session, &left) == STATUS_RESOURCE_EXHAUSTED) {
            *slow = session;
            return true;
        }
        budget -= slice - left;
        more |= session->lag == LAG_BEHIND;
    }
    return more || (budget == 0 && behind->first);
}

/* ---- Subscribers ------------------------------------------------------------------------------ */

static void event_publish(hub_t *hub, const event_t *event)
{
    char topic[LIMIT_NAME + 1];
    memcpy(topic, event->client.data, event->client.size);
    topic[event->client.size] = '/';
    buffer_t payload;
    notification_write(&payload, "event", event);
    if (payload.failed)
        log_memory("an event is not published; subscribers find it by `replay`");
    else
        hub->ops->publish(hub->context, bytes_of(topic, event->client.size + 1), &payload);
    buffer_release(&payload);
}

void notify_sync(hub_t *hub)
{
    hub->sync_ms = hub->now_ms + SYNC_MS;
    if (hub->ops->audience(hub->context) == 0)
        return;
    buffer_t payload;
    buffer_init(&payload, 2 * HEAD_BYTES);
    rpc_write_notification(&payload, bytes_from_text("sync"));
    rpc_write_array(&payload, 1);
    rpc_write_map(&payload, 3);
    rpc_write_text(&payload, "epoch");
    rpc_write_text(&payload, engine_epoch(hub->engine));
    rpc_write_text(&payload, "seq");
    rpc_write_uint(&payload, engine_seq(hub->engine));
    rpc_write_text(&payload, "time_ms");
    rpc_write_uint(&payload, (uint64_t)(hub->now_ms + hub->unix_offset_ms));
    if (!payload.failed)
        hub->ops->publish(hub->context, bytes_from_text("/"), &payload);
    buffer_release(&payload);
}

void notify_dismiss(session_t *session, bool strict)
{
    hub_t *hub = session->hub;
    if (!session->ticket)
        return;
    tickets_void(hub->tickets, &session->ticket);
    if (strict) {
        hub->ops->cut_events(hub->context, true);
        return;
    }
    hub->cut_due = true; /* once for all that end in a turn: it looks at every connection */
    if (hub->sweep_ms == INT64_MAX)
        hub->sweep_ms = hub->now_ms + SWEEP_MS;
}

void notify_cut(hub_t *hub)
{
    hub->cut_due = false;
    hub->ops->cut_events(hub->context, false);
}

void notify_sweep(hub_t *hub)
{
    hub->sweep_ms = INT64_MAX;
    hub->ops->sweep_events(hub->context);
}

/* ---- Changes ---------------------------------------------------------------------------------- */

void notify_change(hub_t *hub, const change_t *change)
{
    client_t *client = change->owner;
    bool put = change->kind == CHANGE_PUT;
    event_t event = {
        .seq = change->seq,
        .prev = client->last_seq,
        .time_ms = hub->now_ms + hub->unix_offset_ms,
        .kind = change->kind,
        .client = client_id(client),
        .key = change->key,
        .has_value = put ? change->value.size <= hub->settings->events_inline : change->value.size > 0,
        .binary = change->binary,
        .size = change->value.size,
        .ttl_ms = change->ttl_ms,
        .by = change->by.client,
        .user = change->by.user,
        .session = change->by.session,
    };
    if (client->last_seq == 0)
        client->first_seq = change->seq;
    if (event.has_value)
        event.value = change->value;
    client->last_seq = change->kind == CHANGE_DROP ? 0 : change->seq;
    event_log_append(hub->log, &event);
    size_t audience = hub->ops->audience(hub->context);
    if (audience > 0) {
        event_publish(hub, &event);
        hub->cost += audience * HEAR_COST;
    }
    if (client->watcher_count > 0)
        push_change(client, &event);
}
