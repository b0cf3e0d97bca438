/* SPDX-License-Identifier: MPL-2.0 */
/* Who hears of changes: the log, the subscribers of the event socket, and the sessions that watch their own
 * store. PROTOCOL.md section 6. */
#ifndef KV_BROKER_CORE_NOTIFY_H
#define KV_BROKER_CORE_NOTIFY_H

#include "broker/core/session.h"

/* Logs CHANGE, publishes it, pushes it to the sessions that watch. */
void notify_change(hub_t *hub, const change_t *change);

/* SESSION watches its store from here on, and is told after the answer what happened since AFTER, its own
 * changes included (AFTER = the seq now: nothing). AFTER is not before the client's store began. */
void notify_watch(session_t *session, uint64_t after);
/* It watches no longer. */
void notify_unwatch(session_t *session);

/* Sends what is owed to SESSION before its next payload is carried out, so that no later answer overtakes it:
 * as much as one turn allows. Fails if it is too slow, or too far behind for the log (RESOURCE_EXHAUSTED),
 * or memory is refused (UNAVAILABLE): see session_end_for. */
KV_MUST_USE status_t notify_catch_up(session_t *session);

/* Sends what is owed to SESSION right behind an answer, a bounded number. A watch that begins with the oldest
 * change in the log cannot wait for its turn: the next change of anybody drops that one. Fails if the session
 * is too slow, or too far behind for the log (RESOURCE_EXHAUSTED). */
KV_MUST_USE status_t notify_answered(session_t *session);

/* Sends pushes that are owed, a bounded number. Returns whether more are owed. *SLOW: a session that is too
 * slow, or too far behind for the log, and must be ended; NULL if none is. */
bool notify_tick(hub_t *hub, session_t **slow);

/* Publishes a sync where anybody may hear it, and plans the next one. */
void notify_sync(hub_t *hub);

/* SESSION is no manager any more, or ends: its ticket is void. Its event connections are cut, STRICT (so are
 * those that did not subscribe yet) at once, else by notify_cut and notify_sweep. */
void notify_dismiss(session_t *session, bool strict);
/* Closes the event connections of sessions that ended: at the end of a turn, where hub_t.cut_due. */
void notify_cut(hub_t *hub);
/* Closes the event connections that may be under a ticket that went void and did not subscribe: due at
 * hub_t.sweep_ms. */
void notify_sweep(hub_t *hub);

#endif
