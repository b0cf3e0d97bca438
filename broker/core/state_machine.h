/* SPDX-License-Identifier: MPL-2.0 */
/* The only way to change clients, their stores, claims and presence: by commands, and by new settings
 * (state_machine_configure). Listeners are called for each change, in order.
 *
 * Several brokers have the same state if each applies the same commands in the same order. So applying a
 * command must not depend on a clock, on random numbers, or on what only one machine knows. */
#ifndef KV_BROKER_CORE_STATE_MACHINE_H
#define KV_BROKER_CORE_STATE_MACHINE_H

#include "broker/core/command.h"

typedef struct state_machine state_machine_t;

/* Called while a command is applied. Must not change the state machine. */
typedef struct listener {
    void *context; /* given to each function */
    /* Each change, in order. */
    void (*change)(void *context, const change_t *change);
    /* COMMAND, a ROLE that is not quiet, has set the role of sessions of CLIENT. Called after its change. */
    void (*role)(void *context, client_t *client, const command_t *command);
    /* COMMAND forgets CLIENT, which has no members any more and is freed after this call: remove everything
     * that refers to it. */
    void (*forgotten)(void *context, client_t *client, const command_t *command);
} listener_t;

/* Borrows SETTINGS (limits, ids, names) until state_machine_configure. Copies LISTENER. NULL if memory is
 * refused. */
KV_MUST_USE state_machine_t *state_machine_new(const settings_t *settings, const listener_t *listener);
void state_machine_destroy(state_machine_t **machine);

/* Allocates what the claims in SETTINGS need. After true, call state_machine_configure or
 * state_machine_abandon. False if memory is refused. */
KV_MUST_USE bool state_machine_prepare(state_machine_t *machine, const settings_t *settings);
/* Undoes state_machine_prepare. */
void state_machine_abandon(state_machine_t *machine, const settings_t *settings);
/* Switches to SETTINGS, borrowed instead of the old ones. CLAIMED is called with CONTEXT for each client
 * whose claim is new: see registry_configure. */
void state_machine_configure(state_machine_t *machine, const settings_t *settings,
                             registry_claimed_fn *claimed, void *context, const place_t *place);

/* Applies COMMAND at PLACE. The same commands at the same places have the same outcomes and changes. A client
 * left without sessions and keys is freed; this may be command->client. After OUTCOME_MORE, apply COMMAND
 * again; use the same place if other brokers must come to the same result. */
void state_machine_apply(state_machine_t *machine, const place_t *place, const command_t *command,
                         outcome_t *outcome);

/* For reading: only the state machine changes what they hold. */
engine_t *state_machine_engine(const state_machine_t *machine);
registry_t *state_machine_registry(const state_machine_t *machine);

#endif
