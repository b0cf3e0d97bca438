/* SPDX-License-Identifier: MPL-2.0 */
/* events, replay, watch: how one follows changes. */
#include <inttypes.h>

#include "broker/handlers/handlers.h"
#include "broker/handlers/page.h"
#include "broker/notify.h"

enum { REPLAY_SCAN = 20000 }; /* events of the log that one `replay` looks at: some milliseconds */

status_t handle_events(request_t *request)
{
    hub_t *hub = request->hub;
    session_t *session = request->session;
    buffer_t *answer = request->answer;
    if (!session->ticket)
        session->ticket = tickets_issue(hub->tickets);
    if (!session->ticket)
        return request_fail(request, STATUS_RESOURCE_EXHAUSTED,
                            "out of memory for a ticket: try again later");
    char endpoint[HUB_ENDPOINT_SIZE];
    hub->ops->event_endpoint(hub->context, session->connection, endpoint, sizeof endpoint);
    rpc_write_map(answer, 7);
    rpc_write_text(answer, "endpoint");
    rpc_write_text(answer, endpoint);
    rpc_write_text(answer, "mechanism");
    rpc_write_text(answer, "PLAIN");
    rpc_write_text(answer, "username");
    rpc_write_text(answer, session->ticket->username);
    rpc_write_text(answer, "password");
    rpc_write_text(answer, session->ticket->password);
    rpc_write_text(answer, "epoch");
    rpc_write_text(answer, engine_epoch(hub->engine));
    rpc_write_text(answer, "seq");
    rpc_write_uint(answer, engine_seq(hub->engine));
    rpc_write_text(answer, "oldest");
    rpc_write_uint(answer, event_log_oldest(hub->log));
    return STATUS_OK;
}

/* Whether the log can go on after request->args.after_seq, OLDEST at the lowest, in the epoch named. */
static status_t position_check(request_t *request, uint64_t oldest)
{
    const hub_t *hub = request->hub;
    const args_t *args = &request->args;
    const char *problem = NULL;
    if ((args->given & OPTION_EPOCH) && !bytes_equal(args->epoch, bytes_from_text(engine_epoch(hub->engine))))
        problem = "another epoch: the broker was started anew";
    else if (args->after_seq < oldest)
        problem = "the events after that are not kept any more";
    else if (args->after_seq > engine_seq(hub->engine))
        problem = "no event has that number yet";
    if (!problem)
        return STATUS_OK;
    request->has_detail = true;
    request->detail = oldest;
    return request_fail(request, STATUS_OUT_OF_RANGE, "%s; read the stores anew", problem);
}

status_t handle_replay(request_t *request)
{
    const hub_t *hub = request->hub;
    status_t status = position_check(request, event_log_oldest(hub->log));
    if (status != STATUS_OK)
        return status;
    const args_t *args = &request->args;
    buffer_t *answer = request->answer;
    uint64_t now = engine_seq(hub->engine);
    uint64_t seq = args->after_seq;
    rpc_write_map(answer, 2);
    rpc_write_text(answer, "events");
    page_t page = page_begin(request);
    for (unsigned scanned = 0; seq < now && page_open(&page) && scanned < REPLAY_SCAN; scanned++) {
        event_t event;
        event_log_read(hub->log, seq + 1, &event);
        if (!(args->given & OPTION_OF_CLIENT) || bytes_equal(event.client, args->of_client)) {
            event_write(answer, &event);
            if (!page_add(&page))
                break;
        }
        seq++;
    }
    request->session->run.work += seq - args->after_seq;
    page_end(&page);
    rpc_write_text(answer, "seq");
    rpc_write_uint(answer, seq);
    return STATUS_OK;
}

/* The lowest position that a watch of the session's own store can go on from. What was before its store began
 * is not told: that may have been somebody else's, and nobody knows what was lost with it. */
static uint64_t watch_oldest(const request_t *request)
{
    uint64_t oldest = event_log_oldest(request->hub->log);
    uint64_t begin = request->client->first_seq - 1;
    return begin > oldest ? begin : oldest;
}

status_t handle_watch(request_t *request)
{
    session_t *session = request->session;
    uint64_t now = engine_seq(request->hub->engine);
    if (!request->args.flag) {
        notify_unwatch(session);
    } else {
        bool placed = request->args.given & OPTION_AFTER_SEQ;
        if (!placed)
            request->args.after_seq = now;
        status_t status = position_check(request, watch_oldest(request));
        if (status != STATUS_OK)
            return status;
        if (placed || !session->watching) /* asked again, what it is owed stays owed */
            notify_watch(session, request->args.after_seq);
    }
    rpc_write_uint(request->answer, now);
    return STATUS_OK;
}
