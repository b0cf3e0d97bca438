/* SPDX-License-Identifier: MPL-2.0 */
/* The broker without its sockets: the state that one thread owns (engine, clients, sessions, accounts,
 * counters) and the entry points: a payload came, a connection ended, a password was verified, time passed.
 * The caller supplies the time. */
#ifndef KV_BROKER_CORE_HUB_H
#define KV_BROKER_CORE_HUB_H

#include "broker/core/hub_state.h"
#include "broker/core/session.h"

/* Borrows SETTINGS until hub_configure (reconfigure.h), and what OUTLETS point to until hub_destroy. NOW_MS
 * is monotonic time, UNIX_MS the Unix time of the same moment. NULL if memory is refused. */
KV_MUST_USE hub_t *hub_new(const settings_t *settings, const outlets_t *outlets, int64_t now_ms,
                           int64_t unix_ms);
void hub_destroy(hub_t **hub);

/* Sets the Unix time. The loop calls this each turn, because the system's clock may be set. A difference of 1
 * ms is ignored: it is the resolution of the clocks, and without this an event could be stamped earlier than
 * the one before it. */
void hub_set_clock(hub_t *hub, int64_t now_ms, int64_t unix_ms);

/* Handles a payload that arrived for SESSION; if SESSION is NULL, begins a session. Returns the connection's
 * session, or NULL if it has none any more. */
KV_MUST_USE session_t *hub_receive(hub_t *hub, session_t *session, const arrival_t *arrival, int64_t now_ms);
/* A hint that payloads will arrive soon, COUNT of them: makes the processor fetch what they ask for, all at
 * once. Changes nothing. */
void hub_foresee(const hub_t *hub, const foreseen_t *foreseen, unsigned count);
/* The connection of SESSION is gone. The caller must not use SESSION any more. With a log, the session may
 * live on until what arrived on it is executed (batch_lingers); without one it ends at once. */
void hub_lost(hub_t *hub, session_t *session, int64_t now_ms);
/* VERDICT is the verifier's result for JOB: verification_t. */
void hub_verified(hub_t *hub, uint64_t job, verdict_t verdict, int64_t now_ms);
/* For a log (command_log.h): applies COMMAND at PLACE and resumes SESSION with the outcome. SESSION may be
 * NULL; it may be freed by this call. False if COMMAND was applied only in part: call this again with the
 * same PLACE, before any other command. */
KV_MUST_USE bool hub_apply(hub_t *hub, session_t *session, const command_t *command, const place_t *place);
/* For a log: SESSION, which asked for a barrier, may read now. SESSION may be freed by this call. */
void hub_pass(hub_t *hub, session_t *session);
/* Does timed work (session timeouts, delayed answers, expiry and more), a bounded amount, so call it once a
 * turn. Returns whether more work is due now. */
bool hub_tick(hub_t *hub, int64_t now_ms);
/* Publishes a sync for a new subscriber. */
void hub_sync(hub_t *hub, int64_t now_ms);
/* When hub_tick has something to do next: monotonic ms; INT64_MAX if nothing is planned. */
int64_t hub_next_due(const hub_t *hub);
/* Whether a session waits (for a verified password, a delayed answer, its next turn), or the log has commands
 * to apply. */
bool hub_waits(const hub_t *hub);
/* The broker stops: sends `bye` to every session and ends it. */
void hub_stop(hub_t *hub, int64_t now_ms);

/* The valid tickets, for the event socket. */
const tickets_t *hub_tickets(const hub_t *hub);
/* Bytes of keys, values and queued payloads in memory. */
uint64_t hub_held(const hub_t *hub);
/* Counts COUNT more refused connections to the event socket. */
void hub_count_refused(hub_t *hub, uint64_t count);

/* For tests: whether lists, counts and sums are consistent. */
KV_MUST_USE bool hub_sound(const hub_t *hub);

#endif
