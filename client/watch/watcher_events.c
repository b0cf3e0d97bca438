/* SPDX-License-Identifier: MPL-2.0 */
/* Knows the messages `event` and `sync`. `follow` decides what they mean; watcher_tell reports what follows
 * from them. */
#include "client/watch/watcher_events.h"

#include <stdio.h>

#include "client/lib/connection.h"
#include "client/lib/resolve.h"
#include "client/watch/watcher_tell.h"
#include "common/clock.h"
#include "common/rpc.h"

enum { MESSAGES_AT_ONCE = 1000 }; /* taken before other work */

kvzmq_status_t watcher_events_connect(watcher_t *watcher, const ticket_t *ticket, const char *client,
                                      const char **problem)
{
    const resolve_wait_t wait = {.deadline = clock_monotonic_ms() + watcher->conn->options.given.call_ms,
                                 .wake = watcher->wake};
    char endpoint[RESOLVE_ENDPOINT_MAX + 1];
    char numeric[RESOLVE_ENDPOINT_MAX + 1];
    *problem = "it is not an endpoint, or not a mechanism of this library";
    if (!event_link_endpoint(ticket->endpoint))
        return KVZMQ_PROTOCOL;
    (void)snprintf(endpoint, sizeof endpoint, "%.*s", (int)ticket->endpoint.size, ticket->endpoint.data);
    resolve_status_t resolved = resolve_endpoint(endpoint, &wait, numeric);
    if (resolved != RESOLVE_DONE) {
        *problem = resolve_status_text(resolved);
        return resolved == RESOLVE_NO_MEMORY ? KVZMQ_NO_MEMORY : KVZMQ_UNREACHABLE;
    }
    event_link_options_t options = {.endpoint = numeric,
                                    .mechanism = ticket->mechanism,
                                    .username = ticket->username,
                                    .password = ticket->password,
                                    .client = client,
                                    .receive_hwm = watcher->config.receive_hwm};
    kvzmq_status_t status = event_link_new(connection_context(watcher->conn), &options, &watcher->events);
    if (status == KVZMQ_NO_MEMORY)
        *problem = resolve_status_text(RESOLVE_NO_MEMORY);
    return status;
}

/* Handles a message of the event connection. Ignores anything but events and syncs. */
static void take_message(watcher_t *watcher, bytes_t payload)
{
    rpc_reply_t reply;
    kvzmq_event_t event;
    sync_t sync;
    size_t at = 0;
    if (rpc_read_reply(payload, &at, &reply) != RPC_STEP_MESSAGE || reply.kind != RPC_NOTIFICATION)
        return;
    int64_t now_ms = clock_monotonic_ms();
    if (bytes_equal(reply.method, bytes_from_text("event"))) {
        if (event_read_params(reply.body, &event))
            follow_event(watcher->follow, now_ms, &event);
    } else if (bytes_equal(reply.method, bytes_from_text("sync"))) {
        if (event_read_sync(reply.body, &sync))
            follow_sync(watcher->follow, now_ms, &sync);
    }
    (void)watcher_tell(watcher);
}

/* Whether the next action takes messages, with or without waiting. */
static bool takes_messages(const watcher_t *watcher)
{
    follow_action_t action;
    follow_next(watcher->follow, &action);
    return watcher->final == KVZMQ_OK && (action.want == FOLLOW_MESSAGE || action.messages);
}

unsigned watcher_events_take(watcher_t *watcher)
{
    payload_t payload;
    unsigned taken = 0;
    while (taken < MESSAGES_AT_ONCE && takes_messages(watcher) &&
           event_link_receive(watcher->events, &payload)) {
        take_message(watcher, payload_bytes(&payload));
        payload_release(&payload);
        taken++;
    }
    return taken;
}
