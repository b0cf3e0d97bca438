/* SPDX-License-Identifier: MPL-2.0 */
/* Owns what each command does: conditions, limits, claims and presence are decided here. */
#include "broker/core/state_machine.h"

#include <stdlib.h>

#include "broker/core/members.h"
#include "common/name.h"

struct state_machine {
    engine_t *engine;
    registry_t *registry;
    members_t *members;
    const settings_t *settings; /* borrowed */
    listener_t listener;
    bool review_pending; /* the registry has clients to review */
};

/* Called for every change: links it to the change before it about the same client, and has a client reviewed
 * that may have lost its last key. */
static void on_change(void *context, change_t *change)
{
    state_machine_t *machine = context;
    client_t *client = change->owner;
    change->prev = client->last_seq;
    if (client->last_seq == 0)
        client->first_seq = change->seq;
    client->last_seq = change->kind == CHANGE_DROP ? 0 : change->seq;
    bool removes = change->kind == CHANGE_DEL || change->kind == CHANGE_EXPIRE;
    if (removes && client->session_count == 0) {
        registry_review_later(machine->registry, client);
        machine->review_pending = true;
    }
    machine->listener.change(machine->listener.context, change);
}

state_machine_t *state_machine_new(const settings_t *settings, const listener_t *listener)
{
    state_machine_t *machine = calloc(1, sizeof *machine);
    if (machine == NULL)
        return NULL;
    machine->listener = *listener;
    machine->settings = settings;
    engine_options_t options = {.limits = &settings->limits, .on_change = on_change, .context = machine};
    machine->engine = engine_new(&options);
    machine->registry = machine->engine != NULL ? registry_new(machine->engine, settings) : NULL;
    machine->members = members_new();
    if (machine->registry == NULL || machine->members == NULL)
        state_machine_destroy(&machine);
    return machine;
}

void state_machine_destroy(state_machine_t **self)
{
    state_machine_t *machine = *self;
    if (machine == NULL)
        return;
    members_destroy(&machine->members);
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
    machine->settings = settings;
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

/* ---- Which client ----------------------------------------------------------------------------- */

/* The client that COMMAND is about. NULL if that life of it is over. */
static inline client_t *client_of(const state_machine_t *machine, const command_t *command)
{
    if (command->client != NULL)
        return command->client;
    client_t *client = registry_find(machine->registry, command->client_id);
    return client != NULL && client->life == command->client_life ? client : NULL;
}

/* Creates the client that COMMAND names: a put whose condition holds. */
static outcome_kind_t client_create(state_machine_t *machine, const command_t *command, const place_t *place,
                                    client_t **created)
{
    registry_t *registry = machine->registry;
    client_t *client = registry_obtain(registry, command->name);
    if (client == NULL)
        return OUTCOME_MEMORY;
    outcome_kind_t kind = OUTCOME_DONE;
    if (command->claim != NULL && client->claimed) {
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

/* The client for a put without command->client; *CREATED tells whether it was created for it. NULL: OUTCOME
 * says why there is none. */
static client_t *client_for_put(state_machine_t *machine, const command_t *command, const place_t *place,
                                bool *created, outcome_t *outcome)
{
    const put_t *put = &command->put;
    const limits_t *limits = &machine->settings->limits;
    *created = false;
    if (put->key.size > limits->key || put->value.size > limits->value) {
        outcome->kind = OUTCOME_SIZE;
        return NULL;
    }
    bool named = command->name.size > 0;
    client_t *client = named ? registry_find(machine->registry, command->name) : client_of(machine, command);
    if (client != NULL && client_exists(client)) {
        outcome->kind = named && command->claim != NULL ? OUTCOME_EXISTS : OUTCOME_DONE;
        return outcome->kind == OUTCOME_DONE ? client : NULL;
    }
    outcome->kind = OUTCOME_GONE;
    if (!named || !name_valid(command->name)) /* a client with a number is not created */
        return NULL;
    if (put->if_revision != REVISION_ANY && put->if_revision != 0) {
        outcome->kind = OUTCOME_CONDITION;
        outcome->revision = 0;
        return NULL;
    }
    outcome->kind = client_create(machine, command, place, &client);
    *created = outcome->kind == OUTCOME_DONE;
    return *created ? client : NULL;
}

/* ---- Stores ----------------------------------------------------------------------------------- */

/* The lookup of COMMAND's key. A command from a log has none: each process hashes with its own seed. */
static lookup_t lookup_of(const state_machine_t *machine, const command_t *command)
{
    return command->client != NULL ? command->put.lookup : engine_lookup(machine->engine, command->put.key);
}

static outcome_kind_t put_failure(status_t status, const outcome_t *outcome)
{
    if (status == STATUS_FAILED_PRECONDITION)
        return OUTCOME_CONDITION;
    if (status == STATUS_UNAVAILABLE)
        return OUTCOME_MEMORY;
    return outcome->limit != NULL ? OUTCOME_LIMIT : OUTCOME_MORE;
}

/* Writes PUT to CLIENT's store, for COMMAND. Returns whether that was done. */
static inline bool put_into(state_machine_t *machine, const place_t *place, const command_t *command,
                            const put_t *put, const client_t *client, outcome_t *outcome)
{
    outcome->limit = NULL;
    status_t status = engine_put(machine->engine, client->store, put, &command->by, place, &outcome->revision,
                                 &outcome->limit);
    if (status != STATUS_OK)
        outcome->kind = put_failure(status, outcome);
    return status == STATUS_OK;
}

/* A put to a client that must be found first, and may have to be created. */
static void apply_put(state_machine_t *machine, const place_t *place, const command_t *command,
                      outcome_t *outcome)
{
    bool created;
    client_t *client = client_for_put(machine, command, place, &created, outcome);
    if (client == NULL)
        return;
    put_t put = command->put;
    put.lookup = lookup_of(machine, command);
    bool done = put_into(machine, place, command, &put, client, outcome);
    if (created && !done)
        registry_undo(machine->registry, client);
    else if (created && command->claim != NULL)
        registry_claim(client, command->claim);
}

static void apply_del(state_machine_t *machine, const place_t *place, const command_t *command,
                      outcome_t *outcome)
{
    const client_t *client = client_of(machine, command);
    if (client == NULL) {
        outcome->kind = OUTCOME_GONE;
        return;
    }
    status_t status =
        engine_del(machine->engine, client->store, command->put.key, lookup_of(machine, command),
                   command->put.if_revision, &command->by, place, &outcome->revision);
    if (status == STATUS_FAILED_PRECONDITION)
        outcome->kind = OUTCOME_CONDITION;
    else
        outcome->kind = status == STATUS_OK ? OUTCOME_DONE : OUTCOME_ABSENT;
}

static void apply_expire(state_machine_t *machine, const place_t *place, const command_t *command)
{
    const client_t *client = client_of(machine, command);
    if (client != NULL)
        engine_expire_key(machine->engine, client->store, command->put.key, lookup_of(machine, command),
                          place);
}

/* ---- Clients and their sessions --------------------------------------------------------------- */

/* Makes COMMAND's session a member of CLIENT, which is opened if it does not exist. */
static outcome_kind_t client_join(state_machine_t *machine, const place_t *place, const command_t *command,
                                  client_t *client)
{
    registry_t *registry = machine->registry;
    bool created = !client_exists(client);
    status_t status = created ? registry_open(registry, client, command->above_limit, place) : STATUS_OK;
    if (status != STATUS_OK) {
        registry_release(registry, client);
        return status == STATUS_UNAVAILABLE ? OUTCOME_MEMORY : OUTCOME_CLIENTS;
    }
    if (members_add(machine->members, client, command->session))
        return OUTCOME_DONE;
    if (created)
        registry_undo(registry, client);
    return OUTCOME_MEMORY;
}

static void apply_join(state_machine_t *machine, const place_t *place, const command_t *command,
                       outcome_t *outcome)
{
    registry_t *registry = machine->registry;
    bool named = command->name.size > 0;
    client_t *client = named ? registry_obtain(registry, command->name) : registry_number(registry);
    outcome->client = client;
    if (client == NULL) {
        outcome->kind = OUTCOME_MEMORY;
        return;
    }
    if (client->claimed && !(command->claim != NULL && strcmp(command->claim, client->claim) == 0)) {
        outcome->kind = OUTCOME_CLAIMED;
        return;
    }
    outcome->kind = client_join(machine, place, command, client);
    if (outcome->kind != OUTCOME_DONE) {
        outcome->client = NULL;
        return;
    }
    if (client->session_count > 1)
        return;
    client->since_ms = place->now_ms;
    actor_t by = command->by;
    by.client = client_id(client);
    engine_record(machine->engine, CHANGE_CONNECT, client, (bytes_t){0}, &by, place);
}

static void disconnect_record(state_machine_t *machine, const place_t *place, const command_t *command,
                              client_t *client)
{
    client->since_ms = place->now_ms;
    engine_record(machine->engine, CHANGE_DISCONNECT, client, command->text, &command->by, place);
}

static outcome_kind_t apply_leave(state_machine_t *machine, const place_t *place, const command_t *command)
{
    member_t *member = members_find(machine->members, command->session);
    if (member == NULL)
        return OUTCOME_GONE;
    client_t *client = member->client;
    members_remove(machine->members, member);
    if (client->session_count == 0)
        disconnect_record(machine, place, command, client);
    registry_review(machine->registry, client, place);
    return OUTCOME_DONE;
}

static outcome_kind_t apply_claim(state_machine_t *machine, const place_t *place, const command_t *command)
{
    client_t *client = client_of(machine, command);
    if (client == NULL)
        return OUTCOME_GONE;
    if (client->numbered)
        return OUTCOME_NUMBERED;
    if (client->claimed)
        return OUTCOME_CLAIMED;
    if (client->session_count > 1)
        return OUTCOME_SHARED;
    if (store_keys(client->store) > 0 && engine_expire(machine->engine, place, ENGINE_EXPIRE_MAX))
        return OUTCOME_MORE; /* perhaps all its keys are due */
    if (store_keys(client->store) > 0)
        return OUTCOME_KEYS;
    registry_claim(client, command->claim);
    return OUTCOME_DONE;
}

/* Sets MEMBER's role as COMMAND says. Returns whether it has changed. */
static bool role_set(member_t *member, const command_t *command)
{
    bool changed = member->manager != command->manager;
    member->manager = command->manager;
    return changed;
}

static outcome_kind_t apply_role(state_machine_t *machine, const place_t *place, const command_t *command)
{
    client_t *client = client_of(machine, command);
    if (client == NULL)
        return OUTCOME_GONE;
    bool changed = false;
    if (command->session != 0) {
        member_t *member = members_find(machine->members, command->session);
        if (member == NULL || member->client != client)
            return OUTCOME_GONE;
        changed = role_set(member, command);
    } else {
        if (client->session_count == 0)
            return OUTCOME_AWAY;
        if (command->manager && !client->numbered && !client->claimed)
            return OUTCOME_UNCLAIMED;
        for (member_t *member = client->members; member != NULL; member = member->next)
            changed |= role_set(member, command);
    }
    if (command->quiet)
        return OUTCOME_DONE;
    if (changed)
        engine_record(machine->engine, CHANGE_ROLE, client, command->text, &command->by, place);
    machine->listener.role(machine->listener.context, client, command);
    return OUTCOME_DONE;
}

static outcome_kind_t apply_forget(state_machine_t *machine, const place_t *place, const command_t *command)
{
    client_t *client = command->client;
    if (client == NULL)
        client = registry_find(machine->registry, command->client_id);
    if (client == NULL || (command->client_life != 0 && client->life != command->client_life))
        return command->client_life == 0 ? OUTCOME_DONE : OUTCOME_GONE;
    if (client->numbered)
        return OUTCOME_NUMBERED;
    bool connected = client->session_count > 0;
    while (client->members != NULL)
        members_remove(machine->members, client->members);
    if (connected)
        disconnect_record(machine, place, command, client);
    machine->listener.forgotten(machine->listener.context, client, command);
    registry_forget(machine->registry, client, &command->by, place);
    return OUTCOME_DONE;
}

/* ---- Commands --------------------------------------------------------------------------------- */

/* Applies any command except a put with command->client. */
static __attribute__((noinline)) void apply_any(state_machine_t *machine, const place_t *place,
                                                const command_t *command, outcome_t *outcome)
{
    switch (command->kind) {
    case COMMAND_PUT:
        apply_put(machine, place, command, outcome);
        break;
    case COMMAND_DEL:
        apply_del(machine, place, command, outcome);
        break;
    case COMMAND_TIME:
        engine_expire(machine->engine, place, command->budget);
        break;
    case COMMAND_EXPIRE:
        apply_expire(machine, place, command);
        break;
    case COMMAND_JOIN:
        apply_join(machine, place, command, outcome);
        break;
    case COMMAND_LEAVE:
        outcome->kind = apply_leave(machine, place, command);
        break;
    case COMMAND_CLAIM:
        outcome->kind = apply_claim(machine, place, command);
        break;
    case COMMAND_ROLE:
        outcome->kind = apply_role(machine, place, command);
        break;
    case COMMAND_FORGET:
        outcome->kind = apply_forget(machine, place, command);
        break;
    }
}

void state_machine_apply(state_machine_t *machine, const place_t *place, const command_t *command,
                         outcome_t *outcome)
{
    outcome->kind = OUTCOME_DONE;
    if (command->kind == COMMAND_PUT && command->client != NULL)
        put_into(machine, place, command, &command->put, command->client, outcome);
    else
        apply_any(machine, place, command, outcome);
    if (machine->review_pending) {
        machine->review_pending = false;
        registry_review_pending(machine->registry, place);
    }
}
