/* SPDX-License-Identifier: MPL-2.0 */
/* Owns what each command does: conditions, limits, claims and presence are decided here. */
#include "broker/core/state_machine.h"

#include <stdlib.h>

struct state_machine {
    engine_t *engine;
    registry_t *registry;
    listener_fn *listener;
    void *context; /* given to it */
};

/* Every change passes here: it is chained to the one before it about the same client, and a client that may
 * have lost its last key is noted. */
static void on_change(void *context, change_t *change)
{
    const state_machine_t *machine = context;
    client_t *client = change->owner;
    change->prev = client->last_seq;
    if (client->last_seq == 0)
        client->first_seq = change->seq;
    client->last_seq = change->kind == CHANGE_DROP ? 0 : change->seq;
    bool removes = change->kind == CHANGE_DEL || change->kind == CHANGE_EXPIRE;
    if (removes && client->session_count == 0)
        registry_note(machine->registry, client);
    if (machine->listener)
        machine->listener(machine->context, change);
}

state_machine_t *state_machine_new(const settings_t *settings, listener_fn *listener, void *context)
{
    state_machine_t *machine = calloc(1, sizeof *machine);
    if (!machine)
        return NULL;
    machine->listener = listener;
    machine->context = context;
    engine_options_t options = {.limits = &settings->limits, .on_change = on_change, .context = machine};
    machine->engine = engine_new(&options);
    machine->registry = machine->engine ? registry_new(machine->engine, settings) : NULL;
    if (!machine->registry)
        state_machine_destroy(&machine);
    return machine;
}

void state_machine_destroy(state_machine_t **self)
{
    state_machine_t *machine = *self;
    if (!machine)
        return;
    registry_destroy(&machine->registry);
    engine_destroy(&machine->engine);
    free(machine);
    *self = NULL;
}

bool state_machine_prepare(state_machine_t *machine, const settings_t *settings)
{
    return registry_prepare(machine->registry, settings);
}

void state_machine_abandon(state_machine_t *machine, const settings_t *settings)
{
    registry_abandon(machine->registry, settings);
}

void state_machine_configure(state_machine_t *machine, const settings_t *settings,
                             registry_claimed_fn *claimed, void *context, const place_t *place)
{
    engine_configure(machine->engine, &settings->limits);
    registry_configure(machine->registry, settings, claimed, context, place);
}

engine_t *state_machine_engine(const state_machine_t *machine)
{
    return machine->engine;
}

registry_t *state_machine_registry(const state_machine_t *machine)
{
    return machine->registry;
}

/* ---- Stores ----------------------------------------------------------------------------------- */

/* Makes the client that COMMAND names. Its put is known to meet its condition. */
static outcome_kind_t client_create(state_machine_t *machine, const command_t *command, const place_t *place,
                                    client_t **created)
{
    registry_t *registry = machine->registry;
    client_t *client = registry_obtain(registry, command->name);
    if (!client)
        return OUTCOME_MEMORY;
    outcome_kind_t kind = OUTCOME_DONE;
    if (client_exists(client)) { /* it came to be while the command was on its way */
        kind = command->claim ? OUTCOME_EXISTS : OUTCOME_DONE;
    } else if (command->claim && client->claimed) {
        kind = OUTCOME_CLAIMED;
    } else {
        status_t status = registry_open(registry, client, false, place);
        if (status != STATUS_OK)
            kind = status == STATUS_UNAVAILABLE ? OUTCOME_MEMORY : OUTCOME_CLIENTS;
    }
    if (kind == OUTCOME_DONE)
        *created = client;
    else
        registry_release(registry, client);
    return kind;
}

static void apply_put(state_machine_t *machine, const place_t *place, const command_t *command,
                      outcome_t *outcome)
{
    const put_t *put = &command->put;
    client_t *client = command->client;
    if (!client) {
        if (put->if_revision != REVISION_ANY && put->if_revision != 0) {
            outcome->kind = OUTCOME_CONDITION;
            outcome->revision = 0;
            return;
        }
        outcome->kind = client_create(machine, command, place, &client);
        if (outcome->kind != OUTCOME_DONE)
            return;
    }
    bool created = !command->client && client->last_seq == 0;
    uint64_t hash = command->client ? command->hash : engine_hash(machine->engine, put->key);
    outcome->limit = NULL;
    status_t status = engine_put(machine->engine, client->store, put, hash, command->by, place,
                                 &outcome->revision, &outcome->limit);
    if (status == STATUS_OK) {
        outcome->kind = OUTCOME_DONE;
        if (created && command->claim)
            registry_claim(client, command->claim);
        return;
    }
    if (created)
        registry_undo(machine->registry, client);
    if (status == STATUS_FAILED_PRECONDITION)
        outcome->kind = OUTCOME_CONDITION;
    else if (status == STATUS_UNAVAILABLE)
        outcome->kind = OUTCOME_MEMORY;
    else
        outcome->kind = outcome->limit ? OUTCOME_LIMIT : OUTCOME_MORE;
}

static void apply_del(state_machine_t *machine, const place_t *place, const command_t *command,
                      outcome_t *outcome)
{
    status_t status = engine_del(machine->engine, command->client->store, command->put.key, command->hash,
                                 command->put.if_revision, command->by, place, &outcome->revision);
    if (status == STATUS_FAILED_PRECONDITION)
        outcome->kind = OUTCOME_CONDITION;
    else
        outcome->kind = status == STATUS_OK ? OUTCOME_DONE : OUTCOME_ABSENT;
}

/* ---- Clients and their sessions --------------------------------------------------------------- */

static void apply_join(state_machine_t *machine, const place_t *place, const command_t *command,
                       outcome_t *outcome)
{
    registry_t *registry = machine->registry;
    bool named = command->name.size > 0;
    client_t *client = named ? registry_obtain(registry, command->name) : registry_number(registry);
    outcome->client = client;
    if (!client) {
        outcome->kind = OUTCOME_MEMORY;
        return;
    }
    if (client->claimed && !(command->claim && strcmp(command->claim, client->claim) == 0)) {
        outcome->kind = OUTCOME_CLAIMED;
        return;
    }
    if (!client_exists(client)) {
        status_t status = registry_open(registry, client, command->above_limit, place);
        if (status != STATUS_OK) {
            registry_release(registry, client);
            outcome->client = NULL;
            outcome->kind = status == STATUS_UNAVAILABLE ? OUTCOME_MEMORY : OUTCOME_CLIENTS;
            return;
        }
    }
    outcome->kind = OUTCOME_DONE;
    if (client->session_count++ > 0)
        return;
    client->since_ms = place->now_ms;
    actor_t by = command->by;
    by.client = client_id(client);
    engine_record(machine->engine, CHANGE_CONNECT, client, (bytes_t){0}, by, place);
}

static void apply_leave(state_machine_t *machine, const place_t *place, const command_t *command)
{
    client_t *client = command->client;
    if (--client->session_count == 0) {
        client->since_ms = place->now_ms;
        engine_record(machine->engine, CHANGE_DISCONNECT, client, command->text, command->by, place);
    }
    if (!command->forgets)
        registry_review(machine->registry, client, place);
}

static outcome_kind_t apply_claim(const command_t *command)
{
    client_t *client = command->client;
    if (client->numbered)
        return OUTCOME_NUMBERED;
    if (client->claimed)
        return OUTCOME_CLAIMED;
    if (client->session_count > 1)
        return OUTCOME_SHARED;
    if (store_keys(client->store) > 0)
        return OUTCOME_KEYS;
    registry_claim(client, command->claim);
    return OUTCOME_DONE;
}

static outcome_kind_t apply_forget(state_machine_t *machine, const place_t *place, const command_t *command)
{
    if (command->client->numbered)
        return OUTCOME_NUMBERED;
    registry_forget(machine->registry, command->client, command->by, place);
    return OUTCOME_DONE;
}

/* ---- Commands --------------------------------------------------------------------------------- */

void state_machine_apply(state_machine_t *machine, const place_t *place, const command_t *command,
                         outcome_t *outcome)
{
    outcome->kind = OUTCOME_DONE;
    switch (command->kind) {
    case COMMAND_PUT:
        apply_put(machine, place, command, outcome);
        break;
    case COMMAND_DEL:
        apply_del(machine, place, command, outcome);
        break;
    case COMMAND_TIME:
        if (engine_expire(machine->engine, place, command->budget))
            outcome->kind = OUTCOME_MORE;
        break;
    case COMMAND_EXPIRE:
        engine_expire_key(machine->engine, command->client->store, command->put.key, command->hash, place);
        break;
    case COMMAND_JOIN:
        apply_join(machine, place, command, outcome);
        break;
    case COMMAND_LEAVE:
        apply_leave(machine, place, command);
        break;
    case COMMAND_CLAIM:
        outcome->kind = apply_claim(command);
        break;
    case COMMAND_ROLE:
        engine_record(machine->engine, CHANGE_ROLE, command->client, command->text, command->by, place);
        break;
    case COMMAND_FORGET:
        outcome->kind = apply_forget(machine, place, command);
        break;
    }
    registry_review_noted(machine->registry, place);
}
