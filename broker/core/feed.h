/* SPDX-License-Identifier: MPL-2.0 */
/* Who hears of changes: the log, the subscribers of the event socket, and the sessions that watch their own
 * store. PROTOCOL.md section 6. */
#ifndef KV_BROKER_CORE_FEED_H
#define KV_BROKER_CORE_FEED_H

#include "broker/core/event_log.h"
#include "broker/core/session.h"

typedef struct feed feed_t;

/* HUB, whose settings and outlets it uses, and later its engine, is borrowed. NULL if memory is refused. */
KV_MUST_USE feed_t *feed_new(hub_t *hub);
void feed_destroy(feed_t **feed);

/* The latest events. */
const event_log_t *feed_log(const feed_t *feed);
/* The tickets that are valid. */
const tickets_t *feed_tickets(const feed_t *feed);
/* What telling one change more costs by those who hear of all. */
uint64_t feed_change_cost(const feed_t *feed);

/* Counts CHANGE, logs it, publishes it, pushes it to the sessions that watch: the state machine's listener;
 * CONTEXT is the feed_t. */
void feed_change(void *context, const change_t *change);

/* SESSION watches its store from here on, and is told after the answer what happened since AFTER, its own
 * changes included (AFTER = the seq now: nothing). AFTER is not before the client's store began. */
void feed_watch(session_t *session, uint64_t after);
/* It watches no longer. */
void feed_unwatch(session_t *session);

/* Sends what is owed to SESSION before its next payload is carried out, so that no later answer overtakes it:
 * as much as one turn allows. Fails if it is too slow, or too far behind for the log (RESOURCE_EXHAUSTED),
 * or memory is refused (UNAVAILABLE): see session_end_for. */
KV_MUST_USE status_t feed_catch_up(session_t *session);

/* Sends what is owed to SESSION right behind an answer, a bounded number. A watch that begins with the oldest
 * change in the log cannot wait for its turn: the next change of anybody drops that one. Fails if the session
 * is too slow, or too far behind for the log (RESOURCE_EXHAUSTED). */
KV_MUST_USE status_t feed_answered(session_t *session);

/* Sends pushes that are owed, a bounded number. Returns whether more are owed. *SLOW: a session that is too
 * slow, or too far behind for the log, and must be ended; NULL if none is. */
bool feed_push(feed_t *feed, session_t **slow);

/* Publishes a sync where anybody may hear it, and plans the next one. */
void feed_sync(feed_t *feed);

/* SESSION's ticket, issued if it has none. NULL if memory is refused. */
KV_MUST_USE const ticket_t *feed_ticket(session_t *session);
/* SESSION is no manager any more, or ends: its ticket is void. Its event connections are cut, STRICT (so are
 * those that did not subscribe yet) at once, else by feed_tick. */
void feed_dismiss(session_t *session, bool strict);

/* Time's work: syncs, and closing event connections whose ticket is void. */
void feed_tick(feed_t *feed);
/* When feed_tick or feed_push has something to do that was not due at their last call: monotonic ms;
 * INT64_MAX = nothing planned. */
int64_t feed_next_due(const feed_t *feed);

/* For tests: whether the lists are sound. *COUNT is set to how many sessions have a backlog. */
KV_MUST_USE bool feed_sound(const feed_t *feed, uint64_t *count);

#endif
