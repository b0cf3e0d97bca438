/* SPDX-License-Identifier: MPL-2.0 */
/* Owns how much expires at once. */
#include "broker/core/due.h"

#include "broker/core/feed.h"
#include "broker/core/propose.h"

enum {
    TURN_ENTRIES = 2000, /* that expire in one turn: well below a millisecond */
    STEP_ENTRIES = 20    /* of them before it is looked how long they took to tell */
};

bool due_expire_some(hub_t *hub)
{
    uint64_t end = feed_cost(hub->feed) + HUB_COST_TURN;
    command_t command = {.kind = COMMAND_TIME, .budget = STEP_ENTRIES};
    outcome_t outcome;
    for (unsigned done = 0; due_is(hub) && done < TURN_ENTRIES && feed_cost(hub->feed) < end;
         done += STEP_ENTRIES)
        propose(hub, &command, &outcome);
    return due_is(hub);
}
