/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the state of the broker and its entry points. */
#include "broker/core/hub.h"
#include "broker/core/sessions.h"

#include <assert.h>
#include <stdlib.h>

#include "broker/core/notify.h"
#include "broker/core/payload.h"
#include "common/log.h"

enum {
    TICK_SESSIONS = 256, /* sessions that time out, or answers that were delayed, in one turn */
    TICK_TURNS = 4,      /* sessions that go on with what was too much for one turn */
    TICK_ENGINE = 2000,  /* pieces of the engine's work in one turn: well below a millisecond */
    TICK_PIECES = 20,    /* of them before it is looked how long they took to tell */
    CLOCK_GRAIN_MS = 1   /* how finely clocks are read */
};

/* Every change passes here: it is told, it is counted, and a client that may have lost its last key is noted.
 */
static void hub_on_change(void *context, const change_t *change)
{
    hub_t *hub = context;
    client_t *client = change->owner;
    notify_change(hub, change);
    switch (change->kind) {
    case CHANGE_PUT:
        hub->stats.puts_total++;
        return;
    case CHANGE_DEL:
        hub->stats.dels_total++;
        break;
    case CHANGE_EXPIRE:
        hub->stats.expires_total++;
        break;
    case CHANGE_CONNECT:
        hub->stats.connects_total++;
        return;
    case CHANGE_DISCONNECT:
        hub->stats.disconnects_total++;
        return;
    case CHANGE_ROLE:
        hub->stats.roles_total++;
        return;
    case CHANGE_DROP:
        hub->stats.drops_total++;
        return;
    case CHANGE_KIND_COUNT:
        assert(false && "a kind of change");
    }
    if (!client->sessions)
        registry_note(hub->registry, client);
}

hub_t *hub_new(const settings_t *settings, const hub_ops_t *ops, void *context, int64_t now_ms,
               int64_t unix_ms)
{
    hub_t *hub = calloc(1, sizeof *hub);
    if (!hub)
        return NULL;
    *hub = (hub_t){.settings = settings, .ops = ops, .context = context, .unix_offset_ms = unix_ms - now_ms};
    hub->stats.started_ms = now_ms;
    hub->now_ms = now_ms;
    hub->held_ms = INT64_MAX;
    hub->sweep_ms = INT64_MAX;
    for (int i = 0; i < PARK_COUNT; i++)
        hub->parked[i].tail = &hub->parked[i].first;
    engine_options_t options = {.limits = &settings->limits, .on_change = hub_on_change, .context = hub};
    hub->engine = engine_new(&options);
    hub->registry = hub->engine ? registry_new(hub->engine, settings) : NULL;
    hub->accounts = accounts_new(settings->managers, settings->manager_count);
    hub->log = event_log_new(settings->events_keep, settings->events_keep_bytes);
    hub->tickets = tickets_new();
    if (!hub->registry || !hub->accounts || !hub->log || !hub->tickets)
        hub_destroy(&hub);
    return hub;
}

void hub_destroy(hub_t **self)
{
    hub_t *hub = *self;
    if (!hub)
        return;
    while (hub->oldest)
        sessions_end(hub->oldest, SESSION_END_LOST, (actor_t){0}, hub->oldest->active_ms);
    registry_destroy(&hub->registry);
    engine_destroy(&hub->engine);
    accounts_destroy(&hub->accounts);
    event_log_destroy(&hub->log);
    tickets_destroy(&hub->tickets);
    free(hub);
    *self = NULL;
}

void hub_set_clock(hub_t *hub, int64_t now_ms, int64_t unix_ms)
{
    int64_t offset_ms = unix_ms - now_ms;
    int64_t difference_ms = offset_ms - hub->unix_offset_ms;
    if (difference_ms < -CLOCK_GRAIN_MS || difference_ms > CLOCK_GRAIN_MS)
        hub->unix_offset_ms = offset_ms;
}

session_t *hub_receive(hub_t *hub, session_t *session, const arrival_t *arrival, int64_t now_ms)
{
    hub->now_ms = now_ms;
    if (!session) {
        session = sessions_begin(hub, arrival, now_ms);
        if (!session) {
            log_memory("a connection is closed, as its session cannot begin");
            hub->ops->release(hub->context, arrival->connection, true);
            return NULL;
        }
    } else {
        if (!session_admitted(session))
            sessions_admit(session, now_ms);
        sessions_touch(session, now_ms);
    }
    if (arrival->envelope.size > 0)
        session->enveloped = true;
    while (session && session->park != PARK_NONE) {
        status_t status = session_queue(session, arrival);
        if (status == STATUS_OK)
            return session;
        if (!session->yields) {
            sessions_end(session, session_end_for(status), (actor_t){0}, now_ms);
            return NULL;
        }
        session = payload_resume(session, VERDICT_NONE, now_ms); /* preempted by other sessions' work */
    }
    return session ? payload_start(session, arrival, now_ms) : NULL;
}

void hub_lost(hub_t *hub, session_t *session, int64_t now_ms)
{
    hub->now_ms = now_ms;
    sessions_end(session, SESSION_END_LOST, (actor_t){0}, now_ms);
}

void hub_verified(hub_t *hub, uint64_t ticket, verdict_t verdict, int64_t now_ms)
{
    hub->now_ms = now_ms;
    session_t *session = hub->parked[PARK_VERIFY].first;
    while (session && session->id != ticket)
        session = session->next_parked;
    if (session)
        payload_resume(session, verdict, now_ms);
}

/* Sessions that were silent for too long, until hub_t.cost is END. */
static bool tick_timeouts(hub_t *hub, int64_t now_ms, uint64_t end)
{
    int64_t timeout_ms = hub->settings->timeout_ms;
    for (unsigned i = 0; i < TICK_SESSIONS && hub->cost < end; i++) {
        session_t *session = hub->oldest;
        if (!session || session->active_ms + timeout_ms > now_ms)
            return false;
        if (session->park != PARK_NONE) {
            sessions_touch(session, now_ms);
            continue;
        }
        sessions_push_bye(session, session_end_text(SESSION_END_TIMEOUT));
        sessions_end(session, SESSION_END_TIMEOUT, (actor_t){0}, now_ms);
    }
    return true;
}

/* Answers that were delayed, until hub_t.cost is END. */
static bool tick_delayed(hub_t *hub, int64_t now_ms, uint64_t end)
{
    for (unsigned i = 0; i < TICK_SESSIONS && hub->cost < end; i++) {
        session_t *session = hub->parked[PARK_DELAY].first;
        if (!session || session->park_until_ms > now_ms)
            return false;
        payload_resume(session, VERDICT_NONE, now_ms);
    }
    return true;
}

/* Sessions that had more to do than one turn may take, in turn. */
static bool tick_turns(hub_t *hub, int64_t now_ms)
{
    const parked_t *parked = &hub->parked[PARK_TURN];
    for (unsigned i = 0; i < TICK_TURNS && parked->first; i++)
        payload_resume(parked->first, VERDICT_NONE, now_ms);
    return parked->first;
}

/* What the engine has due, until that took much telling: what else was told in the turn counts apart, or
 * those who write without end would keep the engine from it. */
static bool tick_engine(hub_t *hub, int64_t now_ms)
{
    uint64_t end = hub->cost + HUB_COST_TURN;
    bool more = true;
    for (unsigned done = 0; more && done < TICK_ENGINE && hub->cost < end; done += TICK_PIECES)
        more = engine_tick(hub->engine, now_ms, TICK_PIECES);
    return more;
}

/* Pushes that are owed. */
static bool tick_pushes(hub_t *hub, int64_t now_ms)
{
    session_t *slow;
    bool more = notify_tick(hub, &slow);
    if (slow)
        sessions_end(slow, SESSION_END_SLOW, (actor_t){0}, now_ms);
    return more;
}

bool hub_tick(hub_t *hub, int64_t now_ms)
{
    hub->now_ms = now_ms;
    uint64_t end = hub->cost + HUB_COST_TURN;
    bool more = tick_timeouts(hub, now_ms, end);
    more |= tick_delayed(hub, now_ms, hub->cost + HUB_COST_TURN);
    more |= tick_turns(hub, now_ms);
    more |= tick_engine(hub, now_ms);
    more |= tick_pushes(hub, now_ms); /* behind all that changes stores: it ends who could not be told */
    if (hub->sync_ms <= now_ms)
        notify_sync(hub);
    if (hub->cut_due)
        notify_cut(hub);
    if (hub->sweep_ms <= now_ms)
        notify_sweep(hub);
    registry_review_noted(hub->registry);
    return more;
}

void hub_sync(hub_t *hub, int64_t now_ms)
{
    hub->now_ms = now_ms;
    notify_sync(hub);
}

int64_t hub_next_due(const hub_t *hub)
{
    if (hub->parked[PARK_TURN].first)
        return 0;
    int64_t due_ms = engine_next_due(hub->engine);
    if (hub->oldest && hub->oldest->active_ms + hub->settings->timeout_ms < due_ms)
        due_ms = hub->oldest->active_ms + hub->settings->timeout_ms;
    if (hub->sync_ms < due_ms && hub->ops->audience(hub->context) > 0)
        due_ms = hub->sync_ms;
    if (hub->held_ms < due_ms)
        due_ms = hub->held_ms;
    if (hub->sweep_ms < due_ms)
        due_ms = hub->sweep_ms;
    const session_t *delayed = hub->parked[PARK_DELAY].first;
    if (delayed && delayed->park_until_ms < due_ms)
        due_ms = delayed->park_until_ms;
    return due_ms;
}

bool hub_parked(const hub_t *hub)
{
    for (int park = 0; park < PARK_COUNT; park++) {
        if (hub->parked[park].first)
            return true;
    }
    return false;
}

void hub_stop(hub_t *hub, int64_t now_ms)
{
    hub->now_ms = now_ms;
    while (hub->oldest) {
        sessions_push_bye(hub->oldest, session_end_text(SESSION_END_SHUTDOWN));
        sessions_end(hub->oldest, SESSION_END_SHUTDOWN, (actor_t){0}, now_ms);
    }
}
