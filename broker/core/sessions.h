/* SPDX-License-Identifier: MPL-2.0 */
/* The life of sessions: how they begin, are admitted to a client, time out and end. PROTOCOL.md section 3. */
#ifndef KV_BROKER_CORE_SESSIONS_H
#define KV_BROKER_CORE_SESSIONS_H

#include "broker/core/session.h"

typedef struct sessions sessions_t; /* all of a hub's */

/* NULL if memory is refused. */
KV_MUST_USE sessions_t *sessions_new(void);
/* The sessions must have ended. */
void sessions_destroy(sessions_t **sessions);

/* Begins a session for what arrived on a connection. It has no client yet. NULL if memory is refused. */
KV_MUST_USE session_t *sessions_begin(hub_t *hub, const arrival_t *arrival, int64_t now_ms);

/* Tries to admit a session that has no client; if ABOVE_LIMIT, even above limits/clients. It stays without a
 * client if its name is claimed and it has not given the secret, if limits/clients is reached, or if memory
 * is refused. True: this is decided. False: call sessions_joined when the outcome arrives. */
KV_MUST_USE bool sessions_admit(session_t *session, bool above_limit, int64_t now_ms);
/* The same for an unproven session that gave the secret of its name's claim. *OUTCOME is set if true. */
KV_MUST_USE bool sessions_prove(session_t *session, int64_t now_ms, outcome_t *outcome);
/* Handles the outcome of the session's JOIN. */
void sessions_joined(session_t *session, const outcome_t *outcome, int64_t now_ms);
/* Whether its socket identity was probably meant as a client's name, but is not a valid one. */
bool session_misnamed(const session_t *session);

/* The session's `bye` was executed: it ends after the answer. LEFT: it is no longer a member of its client.
 */
void sessions_bye(session_t *session, bool left);
/* Ends the session: removes it from its client, which records `disconnect` if it was the last one, and
 * releases its connection (unless END is LOST: the transport knows). Frees it at once, or when its payload is
 * done if one runs. BY is who ended it. With FORGOTTEN its client has no members any more; a session that
 * forgot its own client is freed after its answer. */
void sessions_end(session_t *session, session_end_t end, actor_t by, int64_t now_ms);
/* Ends all sessions for the reason END. */
void sessions_end_all(sessions_t *sessions, session_end_t end, int64_t now_ms);
/* Notes that a message arrived: the session is now the most recently active one. */
void sessions_touch(session_t *session, int64_t now_ms);

/* The state machine's listener: COMMAND set the role of sessions of CLIENT. */
void sessions_role(void *context, client_t *client, const command_t *command);
/* The state machine's listener: CLIENT is being forgotten. Ends its sessions on this broker. */
void sessions_forgotten(void *context, client_t *client, const command_t *command);

/* Sends `[2, "bye", [{"reason": REASON}]]`, unless nothing may be pushed to this session. */
void sessions_push_bye(session_t *session, const char *reason);

/* Ends sessions that were silent for session/timeout: a bounded number, and only while hub->told_cost is
 * below END. Returns whether more may be due. */
bool sessions_tick(hub_t *hub, int64_t now_ms, uint64_t end);
/* When the next session times out: monotonic ms; INT64_MAX = never. */
int64_t sessions_next_due(const hub_t *hub);

uint64_t sessions_count(const sessions_t *sessions);
/* The session that was silent for longest, NULL if there is none; session->newer is the next one. */
session_t *sessions_oldest(const sessions_t *sessions);

/* For tests: whether the order and the count are sound. */
KV_MUST_USE bool sessions_sound(const sessions_t *sessions);

#endif
