/* SPDX-License-Identifier: MPL-2.0 */
/* Owns how much expires at once. */
#include "broker/core/due.h"

#include "broker/core/feed.h"
#include "broker/core/propose.h"

enum {
    TURN_ENTRIES = 500, /* entries that expire at once. In a large store each takes some 4 us */
    STEP_ENTRIES = 20   /* entries between two checks of what the notifications cost */
};

/* How many entries one command expires. With a log only one such command is on its way, so it expires as many
 * as one turn may report. */
static unsigned step_entries(const hub_t *hub)
{
    uint64_t fit = HUB_COST_TURN / (feed_change_cost(hub->feed) + 1);
    if (hub->command_log == NULL)
        return STEP_ENTRIES;
    return fit > ENGINE_EXPIRE_MAX ? ENGINE_EXPIRE_MAX : (unsigned)fit + 1;
}

bool due_expire_some(hub_t *hub)
{
    uint64_t end = hub->told_cost + HUB_COST_TURN;
    command_t command = {.kind = COMMAND_TIME, .budget = step_entries(hub)};
    outcome_t outcome;
    for (unsigned done = 0; !hub->expiring && due_is(hub) && done < TURN_ENTRIES && hub->told_cost < end;
         done += STEP_ENTRIES)
        hub->expiring = !propose(hub, NULL, &command, &outcome);
    return due_is(hub);
}
