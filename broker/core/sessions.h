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

/* Begins a session, which belongs to no client yet, for what arrived on a connection. NULL if memory is
 * refused.
 */
KV_MUST_USE session_t *sessions_begin(hub_t *hub, const arrival_t *arrival, int64_t now_ms);

/* Tries to put a session that belongs to no client with its client, limits/clients or not if ABOVE_LIMIT. It
 * stays without one while its name is claimed and it has not given the secret, or if it is refused for
 * limits/clients or for want of memory. True: that is decided. False: call sessions_joined when the outcome
 * is there. */
KV_MUST_USE bool sessions_admit(session_t *session, bool above_limit, int64_t now_ms);
/* The same with the claim whose secret it gave, for an unproven session. *OUTCOME is set with true. */
KV_MUST_USE bool sessions_prove(session_t *session, int64_t now_ms, outcome_t *outcome);
/* OUTCOME is what came of its JOIN. */
void sessions_joined(session_t *session, const outcome_t *outcome, int64_t now_ms);
/* Whether its socket identity was probably meant to name a client, and is not a valid name. */
bool session_misnamed(const session_t *session);

/* Ends the session: takes it from its client, records `disconnect` where it was the last one, tells the
 * transport (unless LOST, which the transport said itself) and frees it, at once or, if its payload runs,
 * when that is through. BY is who did it. With FORGOTTEN its client has no members any more, and a session
 * that did that itself is freed behind its answer. */
void sessions_end(session_t *session, session_end_t end, actor_t by, int64_t now_ms);
/* Ends all, as END. */
void sessions_end_all(sessions_t *sessions, session_end_t end, int64_t now_ms);
/* Notes that a message came: the session is the newest one again. */
void sessions_touch(session_t *session, int64_t now_ms);

/* Sessions of CLIENT have another role: the state machine's listener. */
void sessions_role(void *context, client_t *client, const command_t *command);
/* CLIENT is being forgotten: ends its sessions here. The state machine's listener. */
void sessions_forgotten(void *context, client_t *client, const command_t *command);

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
