/* SPDX-License-Identifier: MPL-2.0 */
/* The life of sessions: how they begin, come to belong to a client, time out and end. PROTOCOL.md section 3.
 */
#ifndef KV_BROKER_CORE_SESSIONS_H
#define KV_BROKER_CORE_SESSIONS_H

#include "broker/core/session.h"

typedef struct sessions sessions_t; /* all of a hub's */

/* NULL if memory is refused. */
KV_MUST_USE sessions_t *sessions_new(void);
/* The sessions must have ended. */
void sessions_destroy(sessions_t **sessions);

/* Begins a session for what arrived on a connection and puts it with its client, where it may be. NULL if
 * memory is refused. */
KV_MUST_USE session_t *sessions_begin(hub_t *hub, const arrival_t *arrival, int64_t now_ms);

/* Tries to put a session that belongs to no client with its client: it has not given its secret (stays so
 * while its name is claimed), or was refused for limits/clients (which do not hold for a manager) or for want
 * of memory. */
void sessions_admit(session_t *session, int64_t now_ms);
/* Whether its socket identity was probably meant to name a client, and is not a valid name. */
bool session_misnamed(const session_t *session);
/* The secret was right: puts an unproven session with its client. RESOURCE_EXHAUSTED where limits/clients is
 * reached, UNAVAILABLE where memory is refused. */
KV_MUST_USE status_t sessions_prove(session_t *session, int64_t now_ms);

/* Ends the session: takes it from its client, records `disconnect` where it was the last one, tells the
 * transport (unless LOST, which the transport said itself) and frees it, at once or, if its payload runs,
 * when that is through. BY is who did it. The client is reviewed unless the end is FORGOTTEN (then forgetting
 * goes on). */
void sessions_end(session_t *session, session_end_t end, actor_t by, int64_t now_ms);
/* Ends all, as END. */
void sessions_end_all(sessions_t *sessions, session_end_t end, int64_t now_ms);
/* Notes that a message came: the session is the newest one again. */
void sessions_touch(session_t *session, int64_t now_ms);

/* Sends `[2, "bye", [{"reason": REASON}]]`, unless nothing may be pushed to this session. */
void sessions_push_bye(session_t *session, const char *reason);

/* Ends sessions that were silent for too long, until telling that has cost the feed END in all, and a bounded
 * number. Returns whether more may be due. */
bool sessions_tick(hub_t *hub, int64_t now_ms, uint64_t end);
/* When the next one times out: monotonic ms; INT64_MAX = never. */
int64_t sessions_next_due(const hub_t *hub);

uint64_t sessions_count(const sessions_t *sessions);
/* The one that was silent for longest, NULL if there is none; session->newer is the next one. */
session_t *sessions_oldest(const sessions_t *sessions);

/* For tests: whether the order and the count are sound. */
KV_MUST_USE bool sessions_sound(const sessions_t *sessions);

#endif
