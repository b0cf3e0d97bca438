/* SPDX-License-Identifier: MPL-2.0 */
/* clients, role, forget, stats: what managers see of the fleet and do to its members. */
#include "broker/core/handlers/handlers.h"
#include "broker/core/handlers/page.h"
#include "broker/core/propose.h"
#include "broker/core/sessions.h"

static void client_write(request_t *request, const client_t *client)
{
    buffer_t *answer = request->answer;
    const session_t *newest = client->local.sessions;
    role_t role = ROLE_GUEST;
    for (const session_t *session = newest; session != NULL; session = session->next) {
        if (session->role > role)
            role = session->role;
    }
    rpc_write_map(answer, 10);
    rpc_write_text(answer, "id");
    rpc_write_str(answer, client_id(client));
    rpc_write_text(answer, "connected");
    rpc_write_bool(answer, client->session_count > 0);
    rpc_write_text(answer, "sessions");
    rpc_write_uint(answer, client->session_count);
    rpc_write_text(answer, "role");
    rpc_write_text(answer, role_text(role));
    rpc_write_text(answer, "claimed");
    rpc_write_bool(answer, client->claimed);
    rpc_write_text(answer, "peer");
    if (newest != NULL)
        rpc_write_text(answer, newest->peer);
    else
        rpc_write_nil(answer);
    rpc_write_text(answer, "since_ms");
    rpc_write_uint(answer, (uint64_t)(client->since_ms + request->hub->unix_offset_ms));
    rpc_write_text(answer, "idle_ms");
    rpc_write_uint(answer, (uint64_t)(request->now_ms - client->local.active_ms));
    rpc_write_text(answer, "keys");
    rpc_write_uint(answer, store_keys(client->store));
    rpc_write_text(answer, "bytes");
    rpc_write_uint(answer, store_bytes(client->store));
}

handling_t handle_clients(request_t *request)
{
    const args_t *args = &request->args;
    buffer_t *answer = request->answer;
    registry_t *registry = request->hub->registry;
    client_t *client =
        registry_next(registry, args->prefix, (args->given & OPTION_AFTER) ? &args->after : NULL);
    rpc_write_map(answer, 2);
    rpc_write_text(answer, "clients");
    page_t page = page_begin(request);
    while (client != NULL && page_open(&page)) {
        client_write(request, client);
        if (!page_add(&page))
            break;
        bytes_t id = client_id(client);
        client = registry_next(registry, args->prefix, &id);
    }
    page_end(&page);
    rpc_write_text(answer, "more");
    rpc_write_bool(answer, client != NULL);
    return HANDLED;
}

handling_t handle_role(request_t *request)
{
    const session_t *session = request->session;
    bool manager = request->args.manager;
    command_t command = {.kind = COMMAND_ROLE,
                         .client = request->client,
                         .by = session_actor(session),
                         .text = bytes_from_text(role_text(manager ? ROLE_MANAGER : ROLE_GUEST)),
                         .manager = manager};
    if (request->client == session->client && !manager) /* it gives up its own role */
        command.by.user = (bytes_t){0};
    return request_propose(request, &command, finish_role);
}

handling_t finish_role(request_t *request, const wait_result_t *result)
{
    const command_t *command = result->command;
    bytes_t id = result->outcome.kind == OUTCOME_DONE ? (bytes_t){0} : command_client_id(command);
    switch (result->outcome.kind) {
    case OUTCOME_DONE:
        rpc_write_str(request->answer, command->text);
        return HANDLED;
    case OUTCOME_AWAY:
        return request_fail(request, STATUS_FAILED_PRECONDITION, "client %.*s has no live session",
                            (int)id.size, (const char *)id.data);
    case OUTCOME_UNCLAIMED:
        return request_fail(
            request, STATUS_FAILED_PRECONDITION,
            "the name is not claimed, so anybody could connect as that manager: claim it first");
    case OUTCOME_GONE:
        return request_fail_absent(request, id);
    default:
        return request_fail_memory(request);
    }
}

handling_t handle_forget(request_t *request)
{
    registry_t *registry = request->hub->registry;
    client_t *client =
        request->client != NULL ? request->client : registry_find(registry, request->args.client);
    command_t command = {.kind = COMMAND_FORGET,
                         .client = client,
                         .by = session_actor(request->session),
                         .text = bytes_from_text(session_end_text(SESSION_END_FORGOTTEN))};
    return request_propose(request, &command, finish_forget);
}

handling_t finish_forget(request_t *request, const wait_result_t *result)
{
    const command_t *command = result->command;
    bytes_t id = result->outcome.kind == OUTCOME_DONE ? (bytes_t){0} : command_client_id(command);
    switch (result->outcome.kind) {
    case OUTCOME_DONE:
        rpc_write_bool(request->answer, true);
        return HANDLED;
    case OUTCOME_NUMBERED:
        return request_fail(request, STATUS_FAILED_PRECONDITION,
                            "client %.*s has no name: its store ends with its last session", (int)id.size,
                            (const char *)id.data);
    case OUTCOME_GONE:
        return request_fail_absent(request, id);
    default:
        return request_fail_memory(request);
    }
}

handling_t handle_stats(request_t *request)
{
    const hub_t *hub = request->hub;
    const struct {
        const char *name;
        uint64_t value;
    } gauges[] = {
        {"uptime_ms", (uint64_t)(request->now_ms - hub->stats.started_ms)},
        {"clients", registry_count(hub->registry)},
        {"sessions", sessions_count(hub->sessions)},
        {"keys", engine_keys(hub->engine)},
        {"bytes", engine_bytes(hub->engine)},
        {"seq", engine_seq(hub->engine)},
    };
    enum { GAUGES = sizeof gauges / sizeof gauges[0] };
    rpc_write_map(request->answer, GAUGES + STATS_COUNT);
    for (size_t i = 0; i < GAUGES; i++) {
        rpc_write_text(request->answer, gauges[i].name);
        rpc_write_uint(request->answer, gauges[i].value);
    }
#define STAT(name)                                                                                           \
    rpc_write_text(request->answer, #name);                                                                  \
    rpc_write_uint(request->answer, hub->stats.name);
#include "broker/core/stats.def"
#undef STAT
    return HANDLED;
}
