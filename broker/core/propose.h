/* SPDX-License-Identifier: MPL-2.0 */
/* How a change is proposed. A single broker applies each command at once; with a log (command_log.h) it is
 * applied later, in the order of the log. */
#ifndef KV_BROKER_CORE_PROPOSE_H
#define KV_BROKER_CORE_PROPOSE_H

#include "broker/core/hub_state.h"
#include "broker/core/request.h"

/* The place of a command that is applied now. */
static inline place_t propose_place(const hub_t *hub)
{
    return (place_t){.now_ms = hub->now_ms, .time_ms = hub->now_ms + hub->unix_offset_ms};
}

/* The part of propose for a broker with a log. */
KV_MUST_USE bool propose_later(hub_t *hub, struct session *session, const command_t *command,
                               outcome_t *outcome);

/* Proposes COMMAND for SESSION, or for the broker itself if that is NULL. True: *OUTCOME is the outcome
 * (OUTCOME_MEMORY if the log could not take it). False: COMMAND is applied later, after everything that
 * SESSION proposed before; hub_apply then resumes SESSION, which must wait for it (WAIT_LOG) unless it has
 * ended, with the outcome. */
KV_MUST_USE static inline bool propose(hub_t *hub, struct session *session, const command_t *command,
                                       outcome_t *outcome)
{
    if (hub->command_log != NULL)
        return propose_later(hub, session, command, outcome);
    place_t place = propose_place(hub);
    state_machine_apply(hub->machine, &place, command, outcome);
    return true;
}

/* True: SESSION may read now. False: its request must be read again when nothing of the session is pending
 * any more (WAIT_LOG). Always true without a log. */
KV_MUST_USE bool propose_barrier(struct session *session);

/* The log has called hub_pass for SESSION, or has applied something of it: SESSION may read. */
void propose_pass(struct session *session);

/* Proposes COMMAND and ignores its outcome. */
void propose_unheard(hub_t *hub, struct session *session, const command_t *command);

/* Proposes COMMAND for a request. FINISH, of the request's method, is called with the outcome: at once, or
 * later. */
KV_MUST_USE handling_t request_propose(request_t *request, const command_t *command, finish_fn *finish);

#endif
