/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the state of the broker and its entry points. */
#include "broker/core/hub.h"

#include <assert.h>
#include <stdlib.h>

#include "broker/core/batch.h"
#include "broker/core/due.h"
#include "broker/core/feed.h"
#include "broker/core/sessions.h"
#include "broker/core/usual.h"
#include "broker/core/waits.h"
#include "common/log.h"

enum {
    TICK_DELAYED = 256, /* delayed answers in one turn */
    TICK_TURNS = 4,     /* sessions that continue a long request in one turn */
    TICK_DRAIN = 2000,  /* pieces of closed stores' memory freed in one turn: well below a millisecond */
    CLOCK_GRAIN_MS = 1  /* resolution of the clocks */
};

static const wait_result_t nothing = {.what = WAIT_NONE};

hub_t *hub_new(const settings_t *settings, const outlets_t *outlets, int64_t now_ms, int64_t unix_ms)
{
    hub_t *hub = calloc(1, sizeof *hub);
    if (hub == NULL)
        return NULL;
    *hub = (hub_t){
        .settings = settings, .outlets = *outlets, .now_ms = now_ms, .unix_offset_ms = unix_ms - now_ms};
    hub->stats.started_ms = now_ms;
    hub->accounts = accounts_new(settings->managers, settings->manager_count);
    hub->waits = waits_new();
    hub->sessions = sessions_new();
    hub->feed = feed_new(hub);
    listener_t listener = {
        .context = hub->feed, .change = feed_change, .role = sessions_role, .forgotten = sessions_forgotten};
    hub->machine = hub->feed != NULL ? state_machine_new(settings, &listener) : NULL;
    if (hub->accounts == NULL || hub->waits == NULL || hub->sessions == NULL || hub->machine == NULL) {
        hub_destroy(&hub);
        return NULL;
    }
    hub->engine = state_machine_engine(hub->machine);
    hub->registry = state_machine_registry(hub->machine);
    return hub;
}

void hub_destroy(hub_t **self)
{
    hub_t *hub = *self;
    if (hub == NULL)
        return;
    if (hub->sessions != NULL)
        sessions_end_all(hub->sessions, SESSION_END_LOST, hub->now_ms);
    sessions_destroy(&hub->sessions);
    state_machine_destroy(&hub->machine);
    accounts_destroy(&hub->accounts);
    feed_destroy(&hub->feed);
    waits_destroy(&hub->waits);
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
    if (session == NULL) {
        session = sessions_begin(hub, arrival, now_ms);
        if (session == NULL) {
            log_memory("a connection is closed because its session cannot begin");
            hub->outlets.transport.release(hub->outlets.transport.context, arrival->connection, true);
            return NULL;
        }
    } else {
        sessions_touch(session, now_ms);
    }
    if (arrival->envelope.size > 0)
        session->enveloped = true;
    while (session != NULL && session->wait.what != WAIT_NONE) {
        status_t status = session_enqueue(session, arrival);
        if (status == STATUS_OK)
            return session;
        if (session->wait.what != WAIT_YIELD) {
            sessions_end(session, session_end_for(status), (actor_t){0}, now_ms);
            return NULL;
        }
        session = batch_resume(session, &nothing, now_ms); /* instead of waiting for its turn */
    }
    return session != NULL ? batch_start(session, arrival, now_ms) : NULL;
}

void hub_foresee(const hub_t *hub, const foreseen_t *foreseen, unsigned count)
{
    if (!hub->general_only)
        usual_foresee(hub, foreseen, count);
}

void hub_lost(hub_t *hub, session_t *session, int64_t now_ms)
{
    hub->now_ms = now_ms;
    session->connection = NULL;
    if (!batch_lingers(session))
        sessions_end(session, SESSION_END_LOST, (actor_t){0}, now_ms);
}

void hub_verified(hub_t *hub, uint64_t job, verdict_t verdict, int64_t now_ms)
{
    hub->now_ms = now_ms;
    session_t *session = waits_first(hub->waits, WAIT_VERIFY);
    while (session != NULL && session->id != job)
        session = session->wait.next;
    if (session != NULL)
        batch_resume(session, &(wait_result_t){.what = WAIT_VERIFY, .verdict = verdict}, now_ms);
}

bool hub_apply(hub_t *hub, session_t *session, const command_t *command, const place_t *place)
{
    wait_result_t result = {.what = WAIT_LOG, .command = command};
    state_machine_apply(hub->machine, place, command, &result.outcome);
    if (result.outcome.kind == OUTCOME_MORE)
        return false;
    if (command->kind == COMMAND_TIME) {
        hub->expiring = false;
        hub->expiries++;
    }
    if (session != NULL)
        batch_resume(session, &result, hub->now_ms);
    return true;
}

void hub_pass(hub_t *hub, session_t *session)
{
    batch_resume(session, &(wait_result_t){.what = WAIT_LOG}, hub->now_ms);
}

/* Resumes sessions whose delay is over, as long as hub->told_cost is below END. Returns whether more are
 * due. */
static bool tick_delayed(hub_t *hub, int64_t now_ms, uint64_t end)
{
    for (unsigned i = 0; i < TICK_DELAYED && hub->told_cost < end; i++) {
        session_t *session = waits_first(hub->waits, WAIT_DELAY);
        if (session == NULL || session->wait.until_ms > now_ms)
            return false;
        batch_resume(session, &(wait_result_t){.what = WAIT_DELAY}, now_ms);
    }
    return true;
}

/* Resumes sessions that wait for their turn. Returns whether more wait. */
static bool tick_turns(hub_t *hub, int64_t now_ms)
{
    session_t *session;
    for (unsigned i = 0; i < TICK_TURNS && (session = waits_first(hub->waits, WAIT_TURN)) != NULL; i++)
        batch_resume(session, &nothing, now_ms);
    return waits_first(hub->waits, WAIT_TURN) != NULL;
}

/* Sends outstanding pushes, and ends a session that is too slow for them. Returns whether more are due. */
static bool tick_pushes(hub_t *hub, int64_t now_ms)
{
    session_t *slow;
    bool more = feed_push(hub->feed, &slow);
    if (slow != NULL)
        sessions_end(slow, SESSION_END_SLOW, (actor_t){0}, now_ms);
    return more;
}

/* Whether the log has commands to apply. */
static bool log_waits(const hub_t *hub)
{
    return hub->command_log != NULL && hub->command_log->waits(hub->command_log->context);
}

bool hub_tick(hub_t *hub, int64_t now_ms)
{
    hub->now_ms = now_ms;
    bool more = sessions_tick(hub, now_ms, hub->told_cost + HUB_COST_TURN);
    if (hub->command_log != NULL)
        hub->command_log->turn(hub->command_log->context);
    more |= tick_delayed(hub, now_ms, hub->told_cost + HUB_COST_TURN);
    more |= tick_turns(hub, now_ms);
    more |= due_expire(hub);
    more |= engine_drain(hub->engine, TICK_DRAIN);
    more |= tick_pushes(hub, now_ms); /* after all that changes stores: it ends a session that is too slow */
    feed_tick(hub->feed);
    return more || log_waits(hub);
}

void hub_sync(hub_t *hub, int64_t now_ms)
{
    hub->now_ms = now_ms;
    feed_sync(hub->feed);
}

static int64_t earlier(int64_t one_ms, int64_t other_ms)
{
    return one_ms < other_ms ? one_ms : other_ms;
}

int64_t hub_next_due(const hub_t *hub)
{
    if (engine_drains(hub->engine) || log_waits(hub))
        return 0;
    int64_t due_ms = earlier(waits_next_due(hub->waits), engine_due(hub->engine));
    due_ms = earlier(due_ms, sessions_next_due(hub));
    return earlier(due_ms, feed_next_due(hub->feed));
}

bool hub_waits(const hub_t *hub)
{
    return waits_any(hub->waits) || log_waits(hub);
}

void hub_stop(hub_t *hub, int64_t now_ms)
{
    hub->now_ms = now_ms;
    sessions_end_all(hub->sessions, SESSION_END_SHUTDOWN, now_ms);
}

const tickets_t *hub_tickets(const hub_t *hub)
{
    return feed_tickets(hub->feed);
}

uint64_t hub_held(const hub_t *hub)
{
    return engine_bytes(hub->engine) + hub->queued_bytes;
}

void hub_count_refused(hub_t *hub, uint64_t count)
{
    hub->stats.subscribers_refused_total += count;
}

/* ---- For tests -------------------------------------------------------------------------------- */

/* Whether the fields of SESSION are consistent. */
static bool session_sound(const hub_t *hub, const session_t *session)
{
    const session_auth_t *auth = &session->auth;
    bool waits = session->wait.what != WAIT_NONE;
    return session->hub == hub && !session->ended && !session_runs(session) && !session->bye &&
           (session->batch.stage == STAGE_IDLE || waits) &&
           (session->queue == NULL) == (session->queue_count == 0) && (waits || session->queue == NULL) &&
           (auth->asked.data != NULL || session->wait.what != WAIT_VERIFY) &&
           (auth->asked.data == NULL || session->wait.what == WAIT_VERIFY ||
            session->wait.what == WAIT_LOG) &&
           (session->wait.what == WAIT_LOG || (session->batch.pending.count <= 1 && !session->joining)) &&
           (session->role == ROLE_GUEST || session_admitted(session)) &&
           (auth->user == NULL ||
            accounts_version(hub->accounts, bytes_from_text(auth->user)) == auth->version) &&
           (session->feed.ticket == NULL || session->role == ROLE_MANAGER || hub->command_log != NULL) &&
           (!session->feed.watching || session_admitted(session)) &&
           (!session->unproven || session->client->claimed || waits ||
            session->client->local.unproven != NULL);
}

bool hub_sound(const hub_t *hub)
{
    uint64_t waiting = 0;
    uint64_t behind = 0;
    bool sound =
        sessions_sound(hub->sessions) && waits_sound(hub->waits, &waiting) && feed_sound(hub->feed, &behind);
    uint64_t queued = 0;
    for (const session_t *session = sessions_oldest(hub->sessions); session != NULL;
         session = session->newer) {
        sound = sound && session_sound(hub, session);
        waiting -= session->wait.what != WAIT_NONE;
        behind -= session->feed.backlog != BACKLOG_NONE;
        queued += session->queue_bytes;
    }
    return sound && waiting == 0 && behind == 0 && queued == hub->queued_bytes;
}
