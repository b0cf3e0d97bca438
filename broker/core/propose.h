/* SPDX-License-Identifier: MPL-2.0 */
/* How a change is asked for. A broker on its own applies each command at once. */
#ifndef KV_BROKER_CORE_PROPOSE_H
#define KV_BROKER_CORE_PROPOSE_H

#include "broker/core/hub_state.h"

/* Where a command stands that is applied now. */
static inline place_t propose_place(const hub_t *hub)
{
    return (place_t){.now_ms = hub->now_ms, .time_ms = hub->now_ms + hub->unix_offset_ms};
}

/* True: COMMAND was applied, and *OUTCOME is what came of it. */
static inline bool propose(hub_t *hub, const command_t *command, outcome_t *outcome)
{
    place_t place = propose_place(hub);
    state_machine_apply(hub->machine, &place, command, outcome);
    return true;
}

#endif
