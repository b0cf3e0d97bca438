/* SPDX-License-Identifier: MPL-2.0 */
/* How a change is asked for. A broker on its own applies each command at once; with a log (command_log.h) a
 * command is applied when its turn has come. */
#ifndef KV_BROKER_CORE_PROPOSE_H
#define KV_BROKER_CORE_PROPOSE_H

#include "broker/core/hub_state.h"
#include "broker/core/request.h"

/* Where a command stands that is applied now. */
static inline place_t propose_place(const hub_t *hub)
{
    return (place_t){.now_ms = hub->now_ms, .time_ms = hub->now_ms + hub->unix_offset_ms};
}

/* The part of the next that only a broker with a log has. */
KV_MUST_USE bool propose_later(hub_t *hub, struct session *session, const command_t *command,
                               outcome_t *outcome);

/* True: COMMAND was applied (or cannot be: OUTCOME_MEMORY), and *OUTCOME is what came of it. False: it is
 * applied later, behind all that SESSION proposed before; hub_apply then brings the outcome to SESSION, which
 * waits for it (WAIT_LOG) unless it has ended. SESSION is NULL for the broker itself. */
KV_MUST_USE static inline bool propose(hub_t *hub, struct session *session, const command_t *command,
                                       outcome_t *outcome)
{
    if (hub->log)
        return propose_later(hub, session, command, outcome);
    place_t place = propose_place(hub);
    state_machine_apply(hub->machine, &place, command, outcome);
    return true;
}

/* True: SESSION may read now. False: its request is to be read again when nothing of it is on its way any
 * more (WAIT_LOG). Always true without a log. */
KV_MUST_USE bool propose_barrier(struct session *session);

/* Proposes COMMAND, of whose outcome nobody needs to hear. */
void propose_unheard(hub_t *hub, struct session *session, const command_t *command);

/* Proposes COMMAND for a request. FINISH, its method's, is called with what came of it: at once, or later. */
KV_MUST_USE handling_t request_propose(request_t *request, const command_t *command, finish_fn *finish);

#endif
