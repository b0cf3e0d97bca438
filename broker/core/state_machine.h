/* SPDX-License-Identifier: MPL-2.0 */
/* The one door for changes: clients, their stores, claims and presence change by commands, and by nothing
 * else. What came of each change is told to listeners, in order.
 *
 * Several brokers can share one truth if each applies the same commands in the same order; that is why a
 * command may not look at a clock, at chance, or at what only one machine knows. */
#ifndef KV_BROKER_CORE_STATE_MACHINE_H
#define KV_BROKER_CORE_STATE_MACHINE_H

#include "broker/core/command.h"

typedef struct state_machine state_machine_t;

/* Who is told what came of commands, within the call that applies them. Must not change anything here. */
typedef struct listener {
    void *context; /* given to each function */
    /* Each change, in order. */
    void (*change)(void *context, const change_t *change);
    /* Sessions of CLIENT have another role by COMMAND, a ROLE that is not quiet; behind its change. */
    void (*role)(void *context, client_t *client, const command_t *command);
    /* CLIENT is being forgotten by COMMAND: it has no members any more, and is gone after this. Those that
     * hang on it here must let go. */
    void (*forgotten)(void *context, client_t *client, const command_t *command);
} listener_t;

/* SETTINGS (limits, ids, names; until state_machine_configure) are borrowed. LISTENER is copied. NULL if
 * memory is refused. */
KV_MUST_USE state_machine_t *state_machine_new(const settings_t *settings, const listener_t *listener);
void state_machine_destroy(state_machine_t **machine);

/* Makes room for what SETTINGS claim. After true, call state_machine_configure. False if memory is refused.
 */
KV_MUST_USE bool state_machine_prepare(state_machine_t *machine, const settings_t *settings);
/* Undoes state_machine_prepare. */
void state_machine_abandon(state_machine_t *machine, const settings_t *settings);
/* Switches to SETTINGS, borrowed instead of the old ones. CLAIMED is called with CONTEXT for each client
 * whose claim is new: see registry_configure. */
void state_machine_configure(state_machine_t *machine, const settings_t *settings,
                             registry_claimed_fn *claimed, void *context, const place_t *place);

/* Applies COMMAND at PLACE. The same commands at the same places make the same outcomes and changes. A client
 * that is left with neither a session nor a key is gone afterwards; command->client too may be. After
 * OUTCOME_MORE, apply COMMAND once more; at the same place, if it must be the same elsewhere. */
void state_machine_apply(state_machine_t *machine, const place_t *place, const command_t *command,
                         outcome_t *outcome);

/* To read. Nobody else changes what they hold. */
engine_t *state_machine_engine(const state_machine_t *machine);
registry_t *state_machine_registry(const state_machine_t *machine);

#endif
