/* SPDX-License-Identifier: MPL-2.0 */
/* Sends `events` and `replay`, and decodes their answers. */
#include "client/watch/follow_request.h"

#include "client/lib/result.h"
#include "common/limits.h"
#include "common/rpc.h"

enum { PARAMS_MAX = 1024 }; /* bytes of the params of `replay` */

#define FIELDS(table) (table), sizeof(table) / sizeof *(table)

kvzmq_status_t ticket_ask(kvzmq_t *conn, kvzmq_value_t *result, ticket_t *ticket)
{
    static const field_t fields[] = {
        {"endpoint", FIELD_SLICE, offsetof(ticket_t, endpoint)},
        {"mechanism", FIELD_SLICE, offsetof(ticket_t, mechanism)},
        {"username", FIELD_SLICE, offsetof(ticket_t, username)},
        {"password", FIELD_SLICE, offsetof(ticket_t, password)},
        {"epoch", FIELD_SLICE, offsetof(ticket_t, epoch)},
        {"seq", FIELD_UINT, offsetof(ticket_t, seq)},
        {"oldest", FIELD_UINT, offsetof(ticket_t, oldest)},
    };
    size_t at = 0;
    kvzmq_status_t status = kvzmq_call(conn, "events", (kvzmq_slice_t){0}, KVZMQ_READ, result);
    *ticket = (ticket_t){0};
    if (status != KVZMQ_OK)
        return status;
    bool read = result_map(bytes_of(result->data, result->size), &at, FIELDS(fields), ticket);
    return read && ticket->endpoint.size > 0 && ticket->epoch.size > 0 ? KVZMQ_OK : KVZMQ_PROTOCOL;
}

/* `[after, {epoch, client}]` */
kvzmq_status_t replay_ask(kvzmq_t *conn, const follow_action_t *action, kvzmq_value_t *result)
{
    buffer_t params;
    buffer_init(&params, PARAMS_MAX);
    rpc_write_array(&params, 2);
    rpc_write_uint(&params, action->seq);
    rpc_write_map(&params, action->client != NULL ? 2 : 1);
    rpc_write_text(&params, "epoch");
    rpc_write_text(&params, action->epoch);
    if (action->client != NULL) {
        rpc_write_text(&params, "client");
        rpc_write_text(&params, action->client);
    }
    kvzmq_status_t status = KVZMQ_NO_MEMORY;
    if (!params.failed)
        status = kvzmq_call(conn, "replay", kvzmq_binary(params.data, params.size), KVZMQ_READ, result);
    buffer_release(&params);
    return status;
}

bool replay_read(bytes_t body, replay_t *replay)
{
    static const field_t fields[] = {
        {"events", FIELD_BODY, offsetof(replay_t, events)},
        {"seq", FIELD_UINT, offsetof(replay_t, seq)},
    };
    rpc_value_t head;
    size_t at = 0;
    *replay = (replay_t){0};
    if (!result_map(body, &at, FIELDS(fields), replay) ||
        !rpc_read_value(replay->events, &replay->at, &head) || head.type != RPC_ARRAY)
        return false;
    replay->left = head.as.count;
    return true;
}

bool replay_next(replay_t *replay, kvzmq_event_t *event)
{
    replay->left--;
    return event_read(replay->events, &replay->at, event);
}
