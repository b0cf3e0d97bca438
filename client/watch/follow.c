/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the position of a watch and what becomes of it: holes, syncs, new tickets and epochs. How far the
 * state is read is follow_read.c's. */
#include "client/watch/follow.h"

#include <assert.h>
#include <stdlib.h>

#include "client/watch/follow_read.h"
#include "client/watch/tellings.h"
#include "common/buffer.h"
#include "common/limits.h"

typedef enum follow_phase {
    PHASE_TICKET,    /* a ticket and an event connection are wanted */
    PHASE_HANDSHAKE, /* the connection is made, no sync has come */
    PHASE_READ,      /* the state is read: see read_step_t */
    PHASE_REPAIR,    /* what was missed is replayed, up to `target` */
    PHASE_LIVE,      /* events are told as they come */
    PHASE_PAUSE      /* after a failure, before another ticket */
} follow_phase_t;

struct follow {
    tellings_t tellings; /* what is to be told */
    char *client;        /* owned; NULL = all */
    buffer_t prefix;     /* of keys */
    bool initial;        /* the state is wanted */
    bool earliest;  /* READY is to be told at the oldest position there is, once `replay` has taken that */
    unsigned tries; /* positions that it did not take any more */
    follow_phase_t phase;
    epoch_t epoch;    /* that `pos` is of; "" = none yet */
    bool based;       /* `pos` is a position from which the watcher was told, or will be, every event */
    bool ready;       /* READY was told since */
    bool announced;   /* the watcher has been told something that a RESET would take back */
    bool lost;        /* LOST was told, and no AGAIN since */
    uint64_t pos;     /* everything wanted up to here was told; while reading: about what is covered */
    uint64_t told;    /* the highest seq that the watcher knows to be complete */
    uint64_t target;  /* of a repair, or while reading */
    bool gap;         /* the replay under way left something out that it must not */
    bool moved;       /* the replay under way brought something */
    uint64_t session; /* the ticket is of */
    bool ticket_void; /* that session is gone: no event will come by it. Answers in the meantime are good */
    epoch_t ticket_epoch;
    uint64_t ticket_seq;
    uint64_t ticket_oldest;
    int64_t quiet_ms;  /* when silence has lasted too long */
    int64_t repair_ms; /* before this no repair begins, unless a sync comes */
    int64_t pause_ms;  /* end of the pause */
    unsigned failures; /* since events were last told as they came */
    reading_t reading;
    kvzmq_watch_counts_t counts;
};

static kvzmq_slice_t text_slice(const char *text)
{
    return text == NULL ? (kvzmq_slice_t){0} : kvzmq_text(text);
}

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

/* ---- Telling ----------------------------------------------------------------------------------- */

static void tell(follow_t *follow, const kvzmq_event_t *event)
{
    tellings_add(&follow->tellings, event, follow->epoch);
}

/* Tells an event of KIND that is about no client. */
static void tell_plain(follow_t *follow, kvzmq_event_kind_t kind, uint64_t seq)
{
    tell(follow, &(kvzmq_event_t){.kind = kind, .seq = seq, .ttl_ms = -1});
}

/* The same with a reason, for people. */
static void tell_why(follow_t *follow, kvzmq_event_kind_t kind, const char *why)
{
    tell(follow, &(kvzmq_event_t){.kind = kind, .ttl_ms = -1, .value = text_slice(why), .has_value = true});
}

bool follow_tell(const follow_t *follow, kvzmq_event_t *event)
{
    return tellings_next(&follow->tellings, event);
}

static bool is_wanted(const follow_t *follow, const kvzmq_event_t *event)
{
    if (follow->prefix.size == 0 || event->kind == KVZMQ_EVENT_DROP)
        return true;
    return event_changes_entry(event->kind) &&
           bytes_starts_with(bytes_of(event->key.data, event->key.size), buffer_bytes(&follow->prefix));
}

/* Everything up to SEQ was told, or is of no interest. */
static void pass(follow_t *follow, uint64_t seq)
{
    follow->pos = seq;
    follow->counts.events++;
}

/* Takes EVENT, the next one there is: tells it if it is WANTED. */
static void take(follow_t *follow, const kvzmq_event_t *event, bool wanted)
{
    if (wanted)
        tell(follow, event);
    else
        pass(follow, event->seq);
}

/* The watcher learns how far it knows all, where events did not tell it. */
static void tell_position(follow_t *follow)
{
    if (follow->pos > follow->told)
        tell_plain(follow, KVZMQ_EVENT_POSITION, follow->pos);
}

/* EVENT was taken. */
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
        follow->told = event->seq;
        return;
    case KVZMQ_EVENT_ENTRY:
        reading_row_told(&follow->reading, event->key);
        return;
    default:
        follow->told = event->seq;
        pass(follow, event->seq);
        return;
    }
}

/* EVENT was not taken, or is dropped. */
static void commit_refused(follow_t *follow, const kvzmq_event_t *event)
{
    follow->gap = true; /* of a replay under way */
    if (event->kind == KVZMQ_EVENT_READY || event->kind == KVZMQ_EVENT_RESET)
        follow->ready = false;
    if (event->kind == KVZMQ_EVENT_RESET) { /* it is to be told again */
        follow->based = false;
        reading_stop(&follow->reading);
    }
}

void follow_commit(follow_t *follow, bool taken)
{
    kvzmq_event_t event;
    bool told = tellings_take(&follow->tellings, &event);
    assert(told);
    (void)told;
    if (taken) {
        commit_taken(follow, &event);
        return;
    }
    do
        commit_refused(follow, &event);
    while (tellings_take(&follow->tellings, &event));
}

/* ---- Going on after a failure ------------------------------------------------------------------ */

/* Another ticket, after a pause that is longer with each failure. */
static void pause_begin(follow_t *follow, int64_t now_ms)
{
    int64_t pause_ms = FOLLOW_PAUSE_FIRST_MS;
    for (unsigned i = 1; i < follow->failures && pause_ms < FOLLOW_PAUSE_MAX_MS; i++)
        pause_ms *= 2;
    follow->pause_ms = now_ms + (pause_ms < FOLLOW_PAUSE_MAX_MS ? pause_ms : FOLLOW_PAUSE_MAX_MS);
    follow->phase = PHASE_PAUSE;
    follow->failures++;
}

void follow_failed(follow_t *follow, int64_t now_ms, const char *why)
{
    if (!follow->lost)
        tell_why(follow, KVZMQ_EVENT_LOST, why);
    pause_begin(follow, now_ms);
}

/* What was missed cannot be had any more: all is begun anew. */
static void start_over(follow_t *follow, int64_t now_ms)
{
    follow->based = false;
    follow->ready = false;
    reading_stop(&follow->reading);
    if (follow->failures > 0)
        pause_begin(follow, now_ms);
    else
        follow->phase = PHASE_TICKET;
    follow->failures++;
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

static void live_begin(follow_t *follow, int64_t now_ms)
{
    follow->phase = follow->ticket_void ? PHASE_TICKET : PHASE_LIVE;
    follow->target = 0;
    follow->quiet_ms = now_ms + FOLLOW_SYNC_MS;
}

static void tell_ready(follow_t *follow)
{
    follow->based = true;
    follow->ready = true;
    follow->told = follow->pos;
    tell_plain(follow, KVZMQ_EVENT_READY, follow->pos);
}

static void ready(follow_t *follow, int64_t now_ms)
{
    reading_stop(&follow->reading);
    tell_ready(follow);
    live_begin(follow, now_ms);
}

static void reach(follow_t *follow, int64_t now_ms, uint64_t target)
{
    if (follow->pos >= target) {
        live_begin(follow, now_ms);
        return;
    }
    follow->target = target;
    follow->gap = false;
    follow->moved = false;
    follow->repair_ms = now_ms + FOLLOW_REPAIR_MS;
    follow->phase = PHASE_REPAIR;
    follow->counts.repairs++;
}

static const char *find_reset_reason(const follow_t *follow, bool other, uint64_t seq)
{
    if (other)
        return "the broker was started anew";
    return follow->pos > seq ? "the broker has not reached that number yet, so it is from another broker"
                             : "some changes are missing, the broker no longer keeps them";
}

/* A position to begin at. A broker that was started anew, and has kept everything since, has it from its
 * beginning. */
static void base_anew(follow_t *follow, int64_t now_ms, uint64_t seq)
{
    bool other = follow->epoch[0] != '\0' && strcmp(follow->epoch, follow->ticket_epoch) != 0;
    epoch_copy(follow->epoch, follow->ticket_epoch);
    reading_stop(&follow->reading);
    follow->ready = false;
    if (follow->announced) {
        tell_why(follow, KVZMQ_EVENT_RESET, find_reset_reason(follow, other, seq));
        follow->counts.resets++;
    }
    follow->pos = follow->ticket_seq;
    if (follow->initial) {
        follow->based = false;
        follow->phase = PHASE_READ;
        reading_begin(&follow->reading);
        return;
    }
    if (other && follow->ticket_oldest == 0)
        follow->pos = 0;
    ready(follow, now_ms);
    reach(follow, now_ms, seq);
}

/* Begins with the oldest event. The log goes on meanwhile, so READY waits until `replay` has taken the
 * position. */
static void earliest_begin(follow_t *follow, int64_t now_ms, uint64_t seq)
{
    epoch_copy(follow->epoch, follow->ticket_epoch);
    follow->pos = follow->ticket_oldest;
    if (follow->pos >= seq)
        ready(follow, now_ms);
    else
        reach(follow, now_ms, seq);
}

/* The event connection lives, and the broker is at SEQ: how do we go on? */
static void settle(follow_t *follow, int64_t now_ms, uint64_t seq)
{
    if (follow->lost)
        tell_plain(follow, KVZMQ_EVENT_AGAIN, 0);
    bool same = strcmp(follow->epoch, follow->ticket_epoch) == 0;
    if (follow->earliest) {
        earliest_begin(follow, now_ms, seq);
    } else if (same && follow->reading.active) {
        follow->phase = PHASE_READ;
        reading_again(&follow->reading);
    } else if (same && follow->based && follow->pos >= follow->ticket_oldest && follow->pos <= seq) {
        if (!follow->ready)
            ready(follow, now_ms);
        reach(follow, now_ms, seq);
    } else {
        base_anew(follow, now_ms, seq);
    }
}

/* ---- What the event connection brings ---------------------------------------------------------- */

static bool epoch_is(kvzmq_slice_t epoch, const char *text)
{
    return bytes_equal(bytes_of(epoch.data, epoch.size), bytes_from_text(text));
}

/* There is more to be replayed. While a repair goes on, what comes is dropped and replayed with the rest:
 * else it would be behind again when it ends, if events are many. */
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
            follow_failed(follow, now_ms, "the broker was started anew just now");
        return;
    }
    if (follow->phase == PHASE_HANDSHAKE) {
        settle(follow, now_ms, sync->seq);
        return;
    }
    follow->failures = 0;
    follow->quiet_ms = now_ms + FOLLOW_SYNC_MS;
    if (sync->seq > follow->pos)
        reach(follow, now_ms, sync->seq);
    else
        tell_position(follow);
}

/* Whether nothing that is wanted lies between `pos` and EVENT. About one client: `prev` says so, except that
 * 0 does not tell whether a whole life of the client was missed. */
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
        take(follow, event, is_wanted(follow, event)); /* if it is not taken, it is a hole */
        return;
    }
    raise_target(follow, event->seq);
    if (now_ms >= follow->repair_ms)
        reach(follow, now_ms, follow->target);
}

void follow_quiet(follow_t *follow, int64_t now_ms)
{
    if (follow->phase == PHASE_PAUSE && now_ms >= follow->pause_ms)
        follow->phase = PHASE_TICKET;
    if (follow->phase == PHASE_LIVE && follow->target > follow->pos && now_ms >= follow->repair_ms)
        reach(follow, now_ms, follow->target);
    if ((follow->phase == PHASE_LIVE || follow->phase == PHASE_HANDSHAKE) && now_ms >= follow->quiet_ms)
        follow_failed(
            follow, now_ms,
            "no sync has come over the event connection for 3 s: is the events endpoint reachable?");
}

/* ---- Bringing what is covered up to the target ------------------------------------------------- */

static void fill_end(follow_t *follow, int64_t now_ms)
{
    if (reading_filled(&follow->reading))
        ready(follow, now_ms);
}

static void fill_begin(follow_t *follow, int64_t now_ms, uint64_t target)
{
    follow->target = target;
    follow->gap = false;
    follow->moved = false;
    if (follow->pos >= target)
        fill_end(follow, now_ms);
}

/* ---- What replay brings ------------------------------------------------------------------------ */

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
    bool wanted = is_wanted(follow, event);
    if (!reading && follow->earliest)
        tell_ready(follow);
    if (reading && !reading_covers(&follow->reading, event))
        wanted = false;
    if (reading && wanted)
        follow->announced = true;
    take(follow, event, wanted);
}

void follow_replayed(follow_t *follow, int64_t now_ms, uint64_t seq)
{
    bool reading = follow->phase == PHASE_READ;
    uint64_t reached = reading && seq > follow->target ? follow->target : seq;
    bool all_told = follow->client != NULL || reached <= follow->pos;
    if (follow->gap || !all_told) {
        start_over(follow, now_ms);
        return;
    }
    if (follow->earliest)
        tell_ready(follow);
    follow->moved = follow->moved || reached > follow->pos;
    bool moved = follow->moved;
    follow->moved = false;
    if (reached > follow->pos)
        follow->pos = reached;
    if (follow->pos >= follow->target) {
        if (reading)
            fill_end(follow, now_ms);
        else {
            live_begin(follow, now_ms);
            tell_position(follow);
        }
    } else if (!moved) { /* it would be asked for ever */
        follow_failed(follow, now_ms, "replay does not go on, although there is more: a fault of the broker");
    }
}

void follow_out_of_range(follow_t *follow, int64_t now_ms, uint64_t oldest)
{
    if (follow->earliest && oldest > follow->pos && follow->tries < FOLLOW_EARLIEST_TRIES) {
        follow->tries++;
        follow->pos = oldest;
        return;
    }
    follow->earliest = false;
    start_over(follow, now_ms);
}

/* ---- What reading the state brings ------------------------------------------------------------- */

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
        follow->pos = seq; /* nothing is covered that would have to be brought up to it */
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
    tell(follow, &entry);
    return true;
}

void follow_rows_end(follow_t *follow, int64_t now_ms)
{
    if (reads(follow, READ_ROWS) && reading_rows_end(&follow->reading))
        ready(follow, now_ms);
}

/* ---- What is next ------------------------------------------------------------------------------ */

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
        action->prefix = kvzmq_text_of((const char *)follow->prefix.data, follow->prefix.size);
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
