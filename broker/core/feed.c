/* SPDX-License-Identifier: MPL-2.0 */
/* Owns who is notified of a change, and in what order. A push never overtakes an answer: while a session's
 * payload runs, or while it is behind, its pushes are read from the log in its turn. */
#include "broker/core/feed.h"

#include <assert.h>
#include <stdlib.h>

#include "broker/core/event_wire.h"
#include "common/log.h"

enum {
    SYNC_MS = 1000,     /* PROTOCOL.md 6.2 */
    TICK_EVENTS = 2000, /* events of the log that are read in one turn, for sessions that are behind */
    TICK_SLICE = 500,   /* of these for one session */
    HELD_MS = 20,       /* until a session whose peer did not read is tried again */
    JUMP_EVENTS = 64,   /* events of a client that are followed back to find the first one to push */
    PUSH_COST = 10,     /* of a push, in units of HUB_COST_TURN */
    HEAR_COST = 4,      /* of a published event, for each connection, in the same units */
    SWEEP_MS = 500,     /* after a ticket went void, for connections that have not subscribed */
    SYNC_BYTES = 128    /* of a sync at most */
};

/* Sessions with outstanding pushes, in the order of their turns. */
typedef struct backlog_list {
    session_t *first;
    session_t *last;
} backlog_list_t;

struct feed {
    hub_t *hub;
    event_log_t *log;
    tickets_t *tickets;
    backlog_list_t backlog[BACKLOG_COUNT];
    int64_t sync_ms;  /* monotonic: when the next sync is due */
    int64_t held_ms;  /* monotonic: when BACKLOG_HELD is tried again */
    int64_t sweep_ms; /* monotonic: when connections that have not subscribed are closed */
    bool cut_due;     /* tickets of ended sessions are void: close their connections */
};

feed_t *feed_new(hub_t *hub)
{
    feed_t *feed = calloc(1, sizeof *feed);
    if (feed == NULL)
        return NULL;
    feed->hub = hub;
    feed->held_ms = INT64_MAX;
    feed->sweep_ms = INT64_MAX;
    feed->log = event_log_new(hub->settings->events_keep, hub->settings->events_keep_bytes);
    feed->tickets = tickets_new();
    if (feed->log == NULL || feed->tickets == NULL)
        feed_destroy(&feed);
    return feed;
}

void feed_destroy(feed_t **self)
{
    feed_t *feed = *self;
    if (feed == NULL)
        return;
    event_log_destroy(&feed->log);
    tickets_destroy(&feed->tickets);
    free(feed);
    *self = NULL;
}

const event_log_t *feed_log(const feed_t *feed)
{
    return feed->log;
}

const tickets_t *feed_tickets(const feed_t *feed)
{
    return feed->tickets;
}

/* ---- Sessions that watch ---------------------------------------------------------------------- */

/* Moves SESSION to the end of the list BACKLOG. BACKLOG_NONE has no list. */
static void backlog_set(session_t *session, backlog_t backlog)
{
    feed_t *feed = session->hub->feed;
    session_feed_t *own = &session->feed;
    backlog_list_t *from = &feed->backlog[own->backlog];
    backlog_list_t *to = &feed->backlog[backlog];
    if (own->backlog != BACKLOG_NONE) {
        *(own->next != NULL ? &own->next->feed.previous : &from->last) = own->previous;
        *(own->previous != NULL ? &own->previous->feed.next : &from->first) = own->next;
    }
    own->backlog = backlog;
    if (backlog == BACKLOG_NONE)
        return;
    own->next = NULL;
    own->previous = to->last;
    *(to->last != NULL ? &to->last->feed.next : &to->first) = session;
    to->last = session;
}

/* Gives the sessions whose peers did not read another turn. */
static void held_release(feed_t *feed)
{
    while (feed->backlog[BACKLOG_HELD].first != NULL)
        backlog_set(feed->backlog[BACKLOG_HELD].first, BACKLOG_DUE);
    feed->held_ms = INT64_MAX;
}

/* Whether EVENT, which is about SESSION's client, is pushed to SESSION. */
static bool push_wanted(const session_t *session, const event_t *event)
{
    if (session->enveloped ||
        (event->kind != CHANGE_PUT && event->kind != CHANGE_DEL && event->kind != CHANGE_EXPIRE))
        return false;
    return event->session != session->id || event->seq <= session->feed.echo_own_until_seq;
}

/* Whether so much waits for the session's peer that pushes should stay in the log. */
static bool push_held(const session_t *session)
{
    const transport_t *transport = &session->hub->outlets.transport;
    return session->connection != NULL && transport->congested(transport->context, session->connection);
}

/* Pushes EVENT. RESOURCE_EXHAUSTED if the session was too slow, UNAVAILABLE if memory is refused. */
static status_t push_send(session_t *session, const event_t *event)
{
    buffer_t push;
    event_wire_notification(&push, "changed", event);
    session->hub->told_cost += PUSH_COST;
    status_t status = STATUS_UNAVAILABLE;
    if (!push.failed)
        status = session_send(session, (bytes_t){0}, &push);
    buffer_release(&push);
    if (status == STATUS_UNAVAILABLE)
        log_memory("changes wait in the log for a session that watches");
    return status;
}

/* Pushes EVENT, a change of CLIENT's store, to its sessions that are up to date. The others read it from
 * the log in their turn. (A session that is too slow is ended then, not here in the middle of another's
 * request.) */
static void push_change(feed_t *feed, const client_t *client, const event_t *event)
{
    feed->hub->told_cost += client->session_count;
    for (session_t *session = client->local.sessions; session != NULL; session = session->next) {
        if (!session->feed.watching || session->feed.backlog != BACKLOG_NONE)
            continue;
        session->feed.pushed = event->seq; /* no event between was for it */
        if (!push_wanted(session, event))
            continue;
        if (session_engaged(session) || push_held(session) || push_send(session, event) != STATUS_OK) {
            session->feed.pushed--;
            backlog_set(session, BACKLOG_DUE);
        }
    }
}

void feed_watch(session_t *session, uint64_t after)
{
    session_feed_t *own = &session->feed;
    uint64_t now = engine_seq(session->hub->engine);
    assert(after + 1 >= session->client->first_seq); /* before that, another client may have had its id */
    session->client->local.watcher_count += !own->watching;
    own->watching = true;
    own->pushed = after;
    own->echo_own_until_seq = now;
    backlog_set(session, after < now ? BACKLOG_DUE : BACKLOG_NONE);
}

void feed_unwatch(session_t *session)
{
    if (!session->feed.watching)
        return;
    session->client->local.watcher_count--;
    session->feed.watching = false;
    backlog_set(session, BACKLOG_NONE);
}

/* Skips events about other clients: follows `prev` back from the client's newest event to the first one that
 * is not pushed yet, and sets `pushed` right before it. False if the client has too many of them for that. */
static bool others_skip(session_t *session)
{
    const hub_t *hub = session->hub;
    uint64_t first = engine_seq(hub->engine) + 1;
    uint64_t seq = session->client->last_seq;
    for (unsigned i = 0; i < JUMP_EVENTS && seq > session->feed.pushed; i++) {
        event_t event;
        event_log_read(hub->feed->log, seq, &event);
        first = seq;
        seq = event.prev;
    }
    if (seq > session->feed.pushed)
        return false;
    session->feed.pushed = first - 1;
    return true;
}

/* SESSION is tried again after HELD_MS. */
static void hold(session_t *session)
{
    feed_t *feed = session->hub->feed;
    backlog_set(session, BACKLOG_HELD);
    if (feed->held_ms == INT64_MAX)
        feed->held_ms = session->hub->now_ms + HELD_MS;
}

/* Sends SESSION its outstanding pushes as long as its peer reads; reads at most *BUDGET events, which is
 * counted down. RESOURCE_EXHAUSTED if it is too slow, or so far behind that the log no longer has its events;
 * UNAVAILABLE if memory is refused: the rest waits in the log. */
static status_t catch_up(session_t *session, unsigned *budget)
{
    session_feed_t *own = &session->feed;
    const event_log_t *log = session->hub->feed->log;
    uint64_t now = engine_seq(session->hub->engine);
    bool near = true; /* others_skip can find the next one */
    if (own->pushed < event_log_oldest(log))
        return STATUS_RESOURCE_EXHAUSTED;
    for (; *budget > 0 && own->pushed < now; --*budget) {
        event_t event;
        event_log_read(log, own->pushed + 1, &event);
        if (!bytes_equal(event.client, client_id(session->client))) {
            near = near && others_skip(session);
            own->pushed += !near;
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
        own->pushed++;
    }
    backlog_set(session, own->pushed < now ? BACKLOG_DUE : BACKLOG_NONE);
    return STATUS_OK;
}

status_t feed_catch_up(session_t *session)
{
    unsigned budget = TICK_EVENTS;
    return session->feed.backlog == BACKLOG_NONE ? STATUS_OK : catch_up(session, &budget);
}

status_t feed_answered(session_t *session)
{
    unsigned budget = TICK_SLICE;
    status_t status = session->feed.backlog == BACKLOG_DUE ? catch_up(session, &budget) : STATUS_OK;
    return status == STATUS_UNAVAILABLE ? STATUS_OK : status; /* it is tried again in its turn */
}

bool feed_push(feed_t *feed, session_t **slow)
{
    *slow = NULL;
    if (feed->held_ms <= feed->hub->now_ms)
        held_release(feed);
    const backlog_list_t *due = &feed->backlog[BACKLOG_DUE];
    const session_t *last = due->last; /* those after it have had their turn */
    unsigned budget = TICK_EVENTS;
    bool more = false;
    for (bool through = last == NULL; !through && budget > 0;) {
        session_t *session = due->first;
        through = session == last;
        if (session_engaged(session)) { /* its pushes must follow the answer */
            backlog_set(session, BACKLOG_DUE);
            continue;
        }
        unsigned slice = budget < TICK_SLICE ? budget : TICK_SLICE;
        unsigned left = slice;
        if (catch_up(session, &left) == STATUS_RESOURCE_EXHAUSTED) {
            *slow = session;
            return true;
        }
        budget -= slice - left;
        more |= session->feed.backlog == BACKLOG_DUE;
    }
    return more || (budget == 0 && due->first != NULL);
}

/* ---- Subscribers ------------------------------------------------------------------------------ */

static void event_publish(const feed_t *feed, const event_t *event)
{
    const publisher_t *publisher = &feed->hub->outlets.publisher;
    char topic[LIMIT_NAME + 1];
    memcpy(topic, event->client.data, event->client.size);
    topic[event->client.size] = '/';
    buffer_t payload;
    event_wire_notification(&payload, "event", event);
    if (payload.failed)
        log_memory("an event is not published; subscribers find it by `replay`");
    else
        publisher->publish(publisher->context, bytes_of(topic, event->client.size + 1), &payload);
    buffer_release(&payload);
}

static size_t audience(const feed_t *feed)
{
    const publisher_t *publisher = &feed->hub->outlets.publisher;
    return publisher->audience(publisher->context);
}

uint64_t feed_change_cost(const feed_t *feed)
{
    return audience(feed) * HEAR_COST;
}

void feed_sync(feed_t *feed)
{
    const hub_t *hub = feed->hub;
    feed->sync_ms = hub->now_ms + SYNC_MS;
    if (audience(feed) == 0)
        return;
    const publisher_t *publisher = &hub->outlets.publisher;
    buffer_t payload;
    buffer_init(&payload, SYNC_BYTES);
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
        publisher->publish(publisher->context, bytes_from_text("/"), &payload);
    buffer_release(&payload);
}

const ticket_t *feed_ticket(session_t *session)
{
    if (session->feed.ticket == NULL)
        session->feed.ticket = tickets_issue(session->hub->feed->tickets);
    return session->feed.ticket;
}

void feed_dismiss(session_t *session, bool strict)
{
    feed_t *feed = session->hub->feed;
    const publisher_t *publisher = &session->hub->outlets.publisher;
    if (session->feed.ticket == NULL)
        return;
    tickets_void(feed->tickets, &session->feed.ticket);
    if (strict) {
        publisher->cut(publisher->context, feed->tickets, true);
        return;
    }
    feed->cut_due = true; /* once for all that end in a turn, because it visits every connection */
    if (feed->sweep_ms == INT64_MAX)
        feed->sweep_ms = session->hub->now_ms + SWEEP_MS;
}

/* ---- Time ------------------------------------------------------------------------------------- */

void feed_tick(feed_t *feed)
{
    int64_t now_ms = feed->hub->now_ms;
    const publisher_t *publisher = &feed->hub->outlets.publisher;
    if (feed->sync_ms <= now_ms)
        feed_sync(feed);
    if (feed->cut_due) {
        feed->cut_due = false;
        publisher->cut(publisher->context, feed->tickets, false);
    }
    if (feed->sweep_ms <= now_ms) {
        feed->sweep_ms = INT64_MAX;
        publisher->sweep(publisher->context, feed->tickets);
    }
}

int64_t feed_next_due(const feed_t *feed)
{
    int64_t due_ms = feed->held_ms < feed->sweep_ms ? feed->held_ms : feed->sweep_ms;
    return feed->sync_ms < due_ms && audience(feed) > 0 ? feed->sync_ms : due_ms;
}

/* ---- Changes ---------------------------------------------------------------------------------- */

/* CHANGE as an event. Borrows from it. */
static event_t event_of(const change_t *change, bytes_t client, bool has_value)
{
    return (event_t){
        .seq = change->seq,
        .prev = change->prev,
        .time_ms = change->time_ms,
        .kind = change->kind,
        .client = client,
        .key = change->key,
        .value = has_value ? change->value : (bytes_t){0},
        .has_value = has_value,
        .binary = change->binary,
        .size = change->value.size,
        .ttl_ms = change->ttl_ms,
        .by = change->by->client,
        .user = change->by->user,
        .session = change->by->session,
    };
}

/* Logs CHANGE, publishes it to HEARERS subscribers, and pushes it to sessions that watch. */
static __attribute__((noinline)) void change_tell(feed_t *feed, const change_t *change, bytes_t id,
                                                  bool has_value, size_t hearers)
{
    const client_t *client = change->owner;
    event_log_append(feed->log, change, id, has_value);
    event_t event = event_of(change, id, has_value);
    if (hearers > 0) {
        event_publish(feed, &event);
        feed->hub->told_cost += hearers * HEAR_COST;
    }
    if (client->local.watcher_count > 0)
        push_change(feed, client, &event);
}

void feed_change(void *context, const change_t *change)
{
    feed_t *feed = context;
    const client_t *client = change->owner;
    bytes_t id = client_id(client);
    bool has_value = change->value.size > 0;
    if (change->kind == CHANGE_PUT)
        has_value = change->value.size <= feed->hub->settings->events_inline;
    stats_count_change(&feed->hub->stats, change->kind);
    size_t hearers = audience(feed);
    if (hearers == 0 && client->local.watcher_count == 0)
        event_log_append(feed->log, change, id, has_value);
    else
        change_tell(feed, change, id, has_value, hearers);
}

/* ---- For tests -------------------------------------------------------------------------------- */

bool feed_sound(const feed_t *feed, uint64_t *count)
{
    *count = 0;
    for (int i = 0; i < BACKLOG_COUNT; i++) {
        const session_t *previous = NULL;
        for (const session_t *session = feed->backlog[i].first; session != NULL;
             previous = session, session = session->feed.next, ++*count) {
            if ((int)session->feed.backlog != i || !session->feed.watching ||
                session->feed.previous != previous)
                return false;
        }
        if (feed->backlog[i].last != previous)
            return false;
    }
    return feed->backlog[BACKLOG_NONE].first == NULL &&
           (feed->backlog[BACKLOG_HELD].first == NULL || feed->held_ms != INT64_MAX);
}
