/* SPDX-License-Identifier: MPL-2.0 */
/* The broker without its sockets: the state that one thread owns (engine, clients, sessions, accounts,
 * counters) and the entry points: a payload came, a connection ended, a password was verified, time passed.
 * All of it is driven with a clock that the caller sets. */
#ifndef KV_BROKER_CORE_HUB_H
#define KV_BROKER_CORE_HUB_H

#include "broker/core/hub_state.h"
#include "broker/core/session.h"

/* SETTINGS (until hub_configure) and what OUTLETS point to are borrowed for the hub's life. The time now is
 * given as monotonic and as Unix time. NULL if memory is refused. */
KV_MUST_USE hub_t *hub_new(const settings_t *settings, const outlets_t *outlets, int64_t now_ms,
                           int64_t unix_ms);
void hub_destroy(hub_t **hub);

/* Switches to SETTINGS, which are borrowed instead of the old ones: nothing refers to the old ones any more.
 * Limits, times and sizes apply at once; a payload under way keeps the bounds that it began with. If an
 * account is gone or has another hash, its sessions become guests, with the `role` event and without their
 * tickets. If a name is claimed anew, or with another secret, its sessions end (`revoked`). Settings that a
 * hub uses only when it is made (ids, limits/message, events/keep, events/keep_bytes) must be unchanged.
 * False if memory is refused: nothing has changed then. */
KV_MUST_USE bool hub_configure(hub_t *hub, const settings_t *settings, int64_t now_ms);

/* What Unix time it is. The system's clock may be set, so the loop calls this each turn: events then have its
 * time. A difference of 1 ms, which is how finely the two are read, is none: else one event could seem older
 * than the one before. */
void hub_set_clock(hub_t *hub, int64_t now_ms, int64_t unix_ms);

/* Handles a payload that came for SESSION, which is begun where it is NULL. Returns the session that the
 * connection has now: NULL if it ended. */
KV_MUST_USE session_t *hub_receive(hub_t *hub, session_t *session, const arrival_t *arrival, int64_t now_ms);
/* The connection of SESSION is gone, and so is the session: for the caller at once, though with a log it ends
 * when what came on it is carried out. */
void hub_lost(hub_t *hub, session_t *session, int64_t now_ms);
/* The verifier's answer to TICKET. */
void hub_verified(hub_t *hub, uint64_t ticket, verdict_t verdict, int64_t now_ms);
/* For a log (command_log.h): applies COMMAND, whose turn has come at PLACE, and brings its outcome to
 * SESSION, which may be NULL or be gone afterwards. False: it was applied in part; call this again, at the
 * same PLACE and before any other. */
KV_MUST_USE bool hub_apply(hub_t *hub, session_t *session, const command_t *command, const place_t *place);
/* For a log: SESSION, which asked for a barrier, may read. It may be gone afterwards. */
void hub_pass(hub_t *hub, session_t *session);
/* Time's work: sessions that time out, delayed answers, what the engine has due; bounded, so call it once a
 * turn. Returns whether work is left that is due now. */
bool hub_tick(hub_t *hub, int64_t now_ms);
/* Publishes a sync: a subscriber is new. */
void hub_sync(hub_t *hub, int64_t now_ms);
/* When hub_tick has something to do next: monotonic ms; INT64_MAX = nothing planned. */
int64_t hub_next_due(const hub_t *hub);
/* Whether a session waits: for a password to be verified, a delayed answer, its next turn; or the log has
 * something to apply. */
bool hub_waits(const hub_t *hub);
/* The broker stops: every session gets `bye` and ends. */
void hub_stop(hub_t *hub, int64_t now_ms);

/* The tickets that are valid: the event socket asks them. */
const tickets_t *hub_tickets(const hub_t *hub);
/* Bytes of keys, values and queued payloads that it holds. */
uint64_t hub_held(const hub_t *hub);
/* COUNT more connections to the event socket were refused. */
void hub_count_refused(hub_t *hub, uint64_t count);

/* For tests: whether lists, counts and sums agree with each other. */
KV_MUST_USE bool hub_sound(const hub_t *hub);

#endif
