/* SPDX-License-Identifier: MPL-2.0 */
/* How a watch begins, continues after a failure, and starts over: what it then reports, and at which
 * position. */
#include "client/watch/follow_state.h"

#include "client/slice.h"
#include "client/watch/event.h"

static kvzmq_slice_t text_slice(const char *text)
{
    return text == NULL ? (kvzmq_slice_t){0} : kvzmq_text(text);
}

/* ---- Reporting --------------------------------------------------------------------------------- */

void state_tell(follow_t *follow, const kvzmq_event_t *event)
{
    outbox_add(&follow->outbox, event, follow->epoch);
}

/* Reports an event of KIND that is not about a client. */
static void tell_plain(follow_t *follow, kvzmq_event_kind_t kind, uint64_t seq)
{
    state_tell(follow, &(kvzmq_event_t){.kind = kind, .seq = seq, .ttl_ms = -1});
}

void state_tell_why(follow_t *follow, kvzmq_event_kind_t kind, const char *why)
{
    state_tell(follow,
               &(kvzmq_event_t){.kind = kind, .ttl_ms = -1, .value = text_slice(why), .has_value = true});
}

bool state_wants(const follow_t *follow, const kvzmq_event_t *event)
{
    if (follow->prefix.size == 0 || event->kind == KVZMQ_EVENT_DROP)
        return true;
    return event_changes_entry(event->kind) &&
           bytes_starts_with(slice_bytes(event->key), buffer_bytes(&follow->prefix));
}

void state_pass(follow_t *follow, uint64_t seq)
{
    follow->pos = seq;
    follow->counts.events++;
}

void state_take(follow_t *follow, const kvzmq_event_t *event, bool wanted)
{
    if (wanted)
        state_tell(follow, event);
    else
        state_pass(follow, event->seq);
}

void state_tell_position(follow_t *follow)
{
    if (follow->pos > follow->complete_seq)
        tell_plain(follow, KVZMQ_EVENT_POSITION, follow->pos);
}

/* ---- Failures ---------------------------------------------------------------------------------- */

void state_pause(follow_t *follow, int64_t now_ms)
{
    int64_t pause_ms = FOLLOW_PAUSE_FIRST_MS;
    for (unsigned i = 1; i < follow->failures && pause_ms < FOLLOW_PAUSE_MAX_MS; i++)
        pause_ms *= 2;
    follow->pause_ms = now_ms + (pause_ms < FOLLOW_PAUSE_MAX_MS ? pause_ms : FOLLOW_PAUSE_MAX_MS);
    follow->phase = PHASE_PAUSE;
    follow->failures++;
}

void state_start_over(follow_t *follow, int64_t now_ms)
{
    follow->based = false;
    follow->ready = false;
    reading_stop(&follow->reading);
    if (follow->failures > 0)
        state_pause(follow, now_ms);
    else
        follow->phase = PHASE_TICKET;
    follow->failures++;
}

/* ---- Beginning --------------------------------------------------------------------------------- */

void state_live(follow_t *follow, int64_t now_ms)
{
    follow->phase = follow->ticket_void ? PHASE_TICKET : PHASE_LIVE;
    follow->target = 0;
    follow->quiet_ms = now_ms + FOLLOW_SYNC_MS;
}

void state_tell_ready(follow_t *follow)
{
    follow->based = true;
    follow->ready = true;
    follow->complete_seq = follow->pos;
    tell_plain(follow, KVZMQ_EVENT_READY, follow->pos);
}

void state_ready(follow_t *follow, int64_t now_ms)
{
    reading_stop(&follow->reading);
    state_tell_ready(follow);
    state_live(follow, now_ms);
}

void state_reach(follow_t *follow, int64_t now_ms, uint64_t target)
{
    if (follow->pos >= target) {
        state_live(follow, now_ms);
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
        return "the broker was restarted";
    return follow->pos > seq ? "the broker has not reached that number yet, so it is from another broker"
                             : "some changes are missing because the broker no longer keeps them";
}

/* Begins at a new position. If the broker was restarted and has kept all events since, begins with the first.
 */
static void base_anew(follow_t *follow, int64_t now_ms, uint64_t seq)
{
    bool other = follow->epoch[0] != '\0' && strcmp(follow->epoch, follow->ticket_epoch) != 0;
    epoch_copy(follow->epoch, follow->ticket_epoch);
    reading_stop(&follow->reading);
    follow->ready = false;
    if (follow->announced) {
        state_tell_why(follow, KVZMQ_EVENT_RESET, find_reset_reason(follow, other, seq));
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
    state_ready(follow, now_ms);
    state_reach(follow, now_ms, seq);
}

/* Begins with the oldest event. The log may move on, so READY waits until `replay` accepts the position. */
static void earliest_begin(follow_t *follow, int64_t now_ms, uint64_t seq)
{
    epoch_copy(follow->epoch, follow->ticket_epoch);
    follow->pos = follow->ticket_oldest;
    if (follow->pos >= seq)
        state_ready(follow, now_ms);
    else
        state_reach(follow, now_ms, seq);
}

void state_settle(follow_t *follow, int64_t now_ms, uint64_t seq)
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
            state_ready(follow, now_ms);
        state_reach(follow, now_ms, seq);
    } else {
        base_anew(follow, now_ms, seq);
    }
}
