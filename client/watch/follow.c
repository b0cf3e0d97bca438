/* SPDX-License-Identifier: MPL-2.0 */
/* Handles all input of a watch: events, syncs, tickets, pages, and whether the watcher took a reported event.
 * follow_state.c decides how to begin and to continue; follow_read.c tracks how far a state is read. */
#include "client/watch/follow.h"

#include <assert.h>
#include <stdlib.h>

#include "client/slice.h"
#include "client/watch/earliest.h"
#include "client/watch/follow_state.h"
#include "common/limits.h"

follow_t *follow_new(const follow_config_t *config)
{
    follow_t *follow = calloc(1, sizeof *follow);
    if (follow == NULL)
        return NULL;
    follow->initial = config->initial;
    follow->earliest = config->earliest;
    buffer_init(&follow->prefix, LIMIT_KEY_MAX);
    buffer_append(&follow->prefix, config->prefix.data, config->prefix.size);
    if (config->client != NULL)
        follow->client = strdup(config->client);
    bool room = reading_init(&follow->reading, follow->client);
    if (!room || follow->prefix.failed || (config->client != NULL && follow->client == NULL))
        follow_destroy(&follow);
    else if (config->resume) {
        follow->based = true;
        follow->announced = true;
        follow->pos = config->since.seq;
        epoch_copy(follow->epoch, config->since.epoch);
    }
    return follow;
}

void follow_destroy(follow_t **follow)
{
    follow_t *gone = *follow;
    *follow = NULL;
    if (gone == NULL)
        return;
    reading_release(&gone->reading);
    buffer_release(&gone->prefix);
    free(gone->client);
    free(gone);
}

void follow_counts(const follow_t *follow, kvzmq_watch_counts_t *counts)
{
    *counts = follow->counts;
}

/* ---- Reporting --------------------------------------------------------------------------------- */

bool follow_tell(const follow_t *follow, kvzmq_event_t *event)
{
    return outbox_next(&follow->outbox, event);
}

/* The watcher took EVENT. */
static void commit_taken(follow_t *follow, const kvzmq_event_t *event)
{
    switch (event->kind) {
    case KVZMQ_EVENT_LOST:
    case KVZMQ_EVENT_AGAIN:
        follow->lost = event->kind == KVZMQ_EVENT_LOST;
        return;
    case KVZMQ_EVENT_RESET:
        follow->announced = false;
        return;
    case KVZMQ_EVENT_READY:
        follow->announced = true;
        follow->earliest = false;
        return;
    case KVZMQ_EVENT_POSITION:
        follow->complete_seq = event->seq;
        return;
    case KVZMQ_EVENT_ENTRY:
        reading_row_told(&follow->reading, event->key);
        return;
    default:
        follow->complete_seq = event->seq;
        state_pass(follow, event->seq);
        return;
    }
}

/* The watcher did not take EVENT, or EVENT follows one that it did not take. */
static void commit_refused(follow_t *follow, const kvzmq_event_t *event)
{
    follow->gap = true; /* stops a replay in progress */
    if (event->kind == KVZMQ_EVENT_READY || event->kind == KVZMQ_EVENT_RESET)
        follow->ready = false;
    if (event->kind == KVZMQ_EVENT_RESET) { /* so that it is reported again */
        follow->based = false;
        reading_stop(&follow->reading);
    }
}

void follow_commit(follow_t *follow, bool taken)
{
    kvzmq_event_t event;
    bool told = outbox_take(&follow->outbox, &event);
    assert(told);
    (void)told;
    if (taken) {
        commit_taken(follow, &event);
        return;
    }
    do
        commit_refused(follow, &event);
    while (outbox_take(&follow->outbox, &event));
}

/* ---- Failures ---------------------------------------------------------------------------------- */

void follow_failed(follow_t *follow, int64_t now_ms, const char *why)
{
    if (!follow->lost)
        state_tell_why(follow, KVZMQ_EVENT_LOST, why);
    state_pause(follow, now_ms);
}

bool follow_session(follow_t *follow, uint64_t number, const char *epoch)
{
    bool same = strcmp(epoch, follow->ticket_epoch) == 0;
    bool waits = follow->phase == PHASE_LIVE || follow->phase == PHASE_HANDSHAKE;
    follow->ticket_void = follow->ticket_void || !same || number != follow->session;
    if (!same || (waits && follow->ticket_void))
        follow->phase = PHASE_TICKET;
    return same;
}

/* ---- Beginning --------------------------------------------------------------------------------- */

void follow_ticket(follow_t *follow, int64_t now_ms, uint64_t number, const char *epoch, uint64_t seq,
                   uint64_t oldest)
{
    follow->session = number;
    follow->ticket_void = false;
    epoch_copy(follow->ticket_epoch, epoch);
    follow->ticket_seq = seq;
    follow->ticket_oldest = oldest;
    follow->phase = PHASE_HANDSHAKE;
    follow->quiet_ms = now_ms + FOLLOW_SYNC_MS;
    follow->counts.tickets++;
}

/* ---- Messages of the event connection ---------------------------------------------------------- */

static bool epoch_is(kvzmq_slice_t epoch, const char *text)
{
    return bytes_equal(slice_bytes(epoch), bytes_from_text(text));
}

/* Extends the replay up to SEQ. During a repair, incoming events are dropped and replayed with the rest.
 * Otherwise a busy stream would be behind again when the repair ends. */
static void raise_target(follow_t *follow, uint64_t seq)
{
    if (seq > follow->target)
        follow->target = seq;
}

void follow_sync(follow_t *follow, int64_t now_ms, const sync_t *sync)
{
    bool same = epoch_is(sync->epoch, follow->ticket_epoch);
    if (follow->phase == PHASE_REPAIR && same)
        raise_target(follow, sync->seq);
    if (follow->phase != PHASE_HANDSHAKE && follow->phase != PHASE_LIVE)
        return;
    if (!same) {
        if (follow->phase == PHASE_LIVE)
            follow->phase = PHASE_TICKET;
        else
            follow_failed(follow, now_ms, "the broker has just been restarted");
        return;
    }
    if (follow->phase == PHASE_HANDSHAKE) {
        state_settle(follow, now_ms, sync->seq);
        return;
    }
    follow->failures = 0;
    follow->quiet_ms = now_ms + FOLLOW_SYNC_MS;
    if (sync->seq > follow->pos)
        state_reach(follow, now_ms, sync->seq);
    else
        state_tell_position(follow);
}

/* Whether no wanted event lies between `pos` and EVENT. For one client `prev` shows this, unless it is 0:
 * then the client may have been created and dropped in between. */
static bool is_next(const follow_t *follow, const kvzmq_event_t *event)
{
    if (event->seq == follow->pos + 1)
        return true;
    return follow->client != NULL && event->prev > 0 && event->prev <= follow->pos;
}

static bool is_about(const follow_t *follow, const kvzmq_event_t *event)
{
    return follow->client == NULL || epoch_is(event->client, follow->client);
}

void follow_event(follow_t *follow, int64_t now_ms, const kvzmq_event_t *event)
{
    if (follow->phase == PHASE_REPAIR && is_about(follow, event))
        raise_target(follow, event->seq);
    if (follow->phase != PHASE_LIVE || !is_about(follow, event))
        return;
    follow->quiet_ms = now_ms + FOLLOW_SYNC_MS;
    if (event->seq <= follow->pos)
        return;
    if (is_next(follow, event)) {
        state_take(follow, event, state_wants(follow, event)); /* if not taken, it is a gap */
        return;
    }
    raise_target(follow, event->seq);
    if (now_ms >= follow->repair_ms)
        state_reach(follow, now_ms, follow->target);
}

void follow_quiet(follow_t *follow, int64_t now_ms)
{
    if (follow->phase == PHASE_PAUSE && now_ms >= follow->pause_ms)
        follow->phase = PHASE_TICKET;
    if (follow->phase == PHASE_LIVE && follow->target > follow->pos && now_ms >= follow->repair_ms)
        state_reach(follow, now_ms, follow->target);
    if ((follow->phase == PHASE_LIVE || follow->phase == PHASE_HANDSHAKE) && now_ms >= follow->quiet_ms)
        follow_failed(
            follow, now_ms,
            "no sync has come over the event connection for 3 s: is the events endpoint reachable?");
}

/* ---- Catching up to a page's seq --------------------------------------------------------------- */

static void fill_end(follow_t *follow, int64_t now_ms)
{
    if (reading_filled(&follow->reading))
        state_ready(follow, now_ms);
}

static void fill_begin(follow_t *follow, int64_t now_ms, uint64_t target)
{
    follow->target = target;
    follow->gap = false;
    follow->moved = false;
    if (follow->pos >= target)
        fill_end(follow, now_ms);
}

/* ---- Answers to replay ------------------------------------------------------------------------- */

void follow_replay_event(follow_t *follow, const kvzmq_event_t *event)
{
    bool reading = follow->phase == PHASE_READ;
    if (follow->gap || event->seq <= follow->pos || (reading && event->seq > follow->target))
        return;
    if (!is_about(follow, event) || (follow->client == NULL && event->seq != follow->pos + 1)) {
        follow->gap = true;
        return;
    }
    follow->moved = true;
    bool wanted = state_wants(follow, event);
    if (!reading && follow->earliest)
        state_tell_ready(follow);
    if (reading && !reading_covers(&follow->reading, event))
        wanted = false;
    if (reading && wanted)
        follow->announced = true;
    state_take(follow, event, wanted);
}

void follow_replayed(follow_t *follow, int64_t now_ms, uint64_t seq)
{
    bool reading = follow->phase == PHASE_READ;
    uint64_t reached = reading && seq > follow->target ? follow->target : seq;
    bool all_told = follow->client != NULL || reached <= follow->pos;
    if (follow->gap || !all_told) {
        state_start_over(follow, now_ms);
        return;
    }
    if (follow->earliest)
        state_tell_ready(follow);
    follow->moved = follow->moved || reached > follow->pos;
    bool moved = follow->moved;
    follow->moved = false;
    if (reached > follow->pos)
        follow->pos = reached;
    if (follow->pos >= follow->target) {
        if (reading)
            fill_end(follow, now_ms);
        else {
            state_live(follow, now_ms);
            state_tell_position(follow);
        }
    } else if (!moved) { /* or it would repeat the request for ever */
        follow_failed(follow, now_ms,
                      "replay makes no progress, although there is more: a fault of the broker");
    }
}

void follow_out_of_range(follow_t *follow, int64_t now_ms, uint64_t oldest)
{
    if (follow->earliest && follow->tries < EARLIEST_TRIES) {
        follow->pos = earliest_next(follow->pos, oldest, ++follow->tries);
        return;
    }
    follow->earliest = false;
    state_start_over(follow, now_ms);
}

/* ---- Answers while reading the state ----------------------------------------------------------- */

static bool reads(const follow_t *follow, read_step_t step)
{
    return follow->phase == PHASE_READ && follow->reading.step == step;
}

void follow_now(follow_t *follow, int64_t now_ms, uint64_t seq)
{
    if (!reads(follow, READ_NOW))
        return;
    reading_finish(&follow->reading);
    fill_begin(follow, now_ms, seq);
}

bool follow_client(follow_t *follow, kvzmq_slice_t id, uint64_t keys)
{
    return !reads(follow, READ_CLIENTS) || reading_client_take(&follow->reading, id, keys);
}

void follow_clients_end(follow_t *follow, bool more)
{
    if (reads(follow, READ_CLIENTS))
        reading_clients_end(&follow->reading, more);
}

void follow_listed(follow_t *follow, int64_t now_ms, uint64_t seq, bool more)
{
    if (!reads(follow, READ_LIST))
        return;
    if (follow->client != NULL && !follow->reading.has_cursor)
        follow->pos = seq; /* nothing is covered yet, so there is nothing to bring up to date */
    reading_listed(&follow->reading, more);
    fill_begin(follow, now_ms, seq);
}

void follow_list_absent(follow_t *follow)
{
    if (reads(follow, READ_LIST))
        reading_absent(&follow->reading);
}

bool follow_row(follow_t *follow, const kvzmq_row_t *row)
{
    reading_t *reading = &follow->reading;
    if (!reads(follow, READ_ROWS) || !reading_row_follows(reading, row->key))
        return false;
    kvzmq_event_t entry = {.kind = KVZMQ_EVENT_ENTRY,
                           .seq = row->revision,
                           .client = kvzmq_text(reading_client(reading)),
                           .key = row->key,
                           .value = row->value,
                           .has_value = true,
                           .value_size = row->value.size,
                           .ttl_ms = row->ttl_ms,
                           .revision = row->revision};
    follow->announced = true;
    state_tell(follow, &entry);
    return true;
}

void follow_rows_end(follow_t *follow, int64_t now_ms)
{
    if (reads(follow, READ_ROWS) && reading_rows_end(&follow->reading))
        state_ready(follow, now_ms);
}

/* ---- The next action --------------------------------------------------------------------------- */

static void read_next(const follow_t *follow, follow_action_t *action)
{
    static const follow_want_t wants[] = {
        [READ_CLIENTS] = FOLLOW_CLIENTS, [READ_LIST] = FOLLOW_LIST, [READ_FILL] = FOLLOW_REPLAY,
        [READ_ROWS] = FOLLOW_ROWS,       [READ_NOW] = FOLLOW_NOW,   [READ_FINISH] = FOLLOW_REPLAY,
    };
    const reading_t *reading = &follow->reading;
    action->want = wants[reading->step];
    action->after = reading_after(reading);
    if (action->want == FOLLOW_LIST || action->want == FOLLOW_ROWS)
        action->client = reading_client(reading);
    if (action->want == FOLLOW_LIST)
        action->prefix = slice_of(buffer_bytes(&follow->prefix));
}

void follow_next(const follow_t *follow, follow_action_t *action)
{
    *action = (follow_action_t){.client = follow->client, .epoch = follow->epoch, .seq = follow->pos};
    switch (follow->phase) {
    case PHASE_TICKET:
        action->want = FOLLOW_TICKET;
        return;
    case PHASE_HANDSHAKE:
        action->want = FOLLOW_MESSAGE;
        action->until_ms = follow->quiet_ms;
        return;
    case PHASE_LIVE:
        action->want = FOLLOW_MESSAGE;
        action->until_ms = follow->quiet_ms;
        if (follow->target > follow->pos && follow->repair_ms < follow->quiet_ms)
            action->until_ms = follow->repair_ms;
        return;
    case PHASE_REPAIR:
        action->want = FOLLOW_REPLAY;
        action->messages = true;
        return;
    case PHASE_PAUSE:
        action->want = FOLLOW_PAUSE;
        action->until_ms = follow->pause_ms;
        return;
    case PHASE_READ:
        read_next(follow, action);
        return;
    }
}
