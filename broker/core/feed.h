/* SPDX-License-Identifier: MPL-2.0 */
/* Who is notified of changes: the event log, the subscribers of the event socket, and the sessions that watch
 * their own store. PROTOCOL.md section 6. */
#ifndef KV_BROKER_CORE_FEED_H
#define KV_BROKER_CORE_FEED_H

#include "broker/core/event_log.h"
#include "broker/core/session.h"

typedef struct feed feed_t;

/* Borrows HUB: uses its settings and outlets now, and its engine later. NULL if memory is refused. */
KV_MUST_USE feed_t *feed_new(hub_t *hub);
void feed_destroy(feed_t **feed);

/* The latest events. */
const event_log_t *feed_log(const feed_t *feed);
/* The tickets that are valid. */
const tickets_t *feed_tickets(const feed_t *feed);
/* What it costs to publish one more change to the subscribers, in units of HUB_COST_TURN. */
uint64_t feed_change_cost(const feed_t *feed);

/* The state machine's listener: counts CHANGE, logs it, publishes it, and pushes it to the sessions that
 * watch. CONTEXT is the feed_t. */
void feed_change(void *context, const change_t *change);

/* SESSION watches its store from now on. After the answer it gets the changes since AFTER, its own included;
 * none if AFTER is the current seq. AFTER must not be before the client's store began. */
void feed_watch(session_t *session, uint64_t after);
/* SESSION does not watch any more. */
void feed_unwatch(session_t *session);

/* Sends SESSION its outstanding pushes before its next payload is executed, so that no later answer overtakes
 * them; as many as one turn allows. RESOURCE_EXHAUSTED if the session is too slow, or so far behind that the
 * log no longer has its events; UNAVAILABLE if memory is refused: see session_end_for. */
KV_MUST_USE status_t feed_catch_up(session_t *session);

/* Sends SESSION outstanding pushes right after an answer, a bounded number. A watch that begins at the oldest
 * change in the log cannot wait for its turn, because the next change drops that one. RESOURCE_EXHAUSTED if
 * the session is too slow, or so far behind that the log no longer has its events. */
KV_MUST_USE status_t feed_answered(session_t *session);

/* Sends outstanding pushes, a bounded number. Returns whether there are more. *SLOW is a session that is too
 * slow, or too far behind for the log, and must be ended; NULL if there is none. */
bool feed_push(feed_t *feed, session_t **slow);

/* Publishes a sync if there are subscribers, and plans the next one. */
void feed_sync(feed_t *feed);

/* SESSION's ticket, issued if it has none. NULL if memory is refused. */
KV_MUST_USE const ticket_t *feed_ticket(session_t *session);
/* SESSION is no longer a manager, or ends: its ticket becomes void, and its event connections are closed.
 * STRICT: at once, and also those that have not subscribed yet; else by feed_tick. */
void feed_dismiss(session_t *session, bool strict);

/* Timed work: syncs, and closing event connections whose ticket is void. */
void feed_tick(feed_t *feed);
/* When feed_tick or feed_push has something to do that was not due at their last call: monotonic ms;
 * INT64_MAX = nothing planned. */
int64_t feed_next_due(const feed_t *feed);

/* For tests: whether the lists are sound. *COUNT is set to how many sessions have a backlog. */
KV_MUST_USE bool feed_sound(const feed_t *feed, uint64_t *count);

#endif
