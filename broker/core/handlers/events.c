/* SPDX-License-Identifier: MPL-2.0 */
/* events, replay, watch: following changes. */
#include <inttypes.h>

#include "broker/core/event_wire.h"
#include "broker/core/feed.h"
#include "broker/core/handlers/handlers.h"
#include "broker/core/handlers/page.h"
#include "broker/core/hub_state.h"

enum { LOG_SCAN = 20000 }; /* events of the log that one `replay` or `watch` reads: some milliseconds */

handling_t handle_events(request_t *request)
{
    hub_t *hub = request->hub;
    session_t *session = request->session;
    buffer_t *answer = request->answer;
    const ticket_t *ticket = feed_ticket(session);
    if (ticket == NULL)
        return request_fail_memory(request);
    char endpoint[OUTLETS_ENDPOINT_SIZE] = "";
    const publisher_t *publisher = &hub->outlets.publisher;
    if (session->connection != NULL)
        publisher->endpoint(publisher->context, session->connection, endpoint, sizeof endpoint);
    rpc_write_map(answer, 7);
    rpc_write_text(answer, "endpoint");
    rpc_write_text(answer, endpoint);
    rpc_write_text(answer, "mechanism");
    rpc_write_text(answer, "PLAIN");
    rpc_write_text(answer, "username");
    rpc_write_text(answer, ticket->username);
    rpc_write_text(answer, "password");
    rpc_write_text(answer, ticket->password);
    rpc_write_text(answer, "epoch");
    rpc_write_text(answer, engine_epoch(hub->engine));
    rpc_write_text(answer, "seq");
    rpc_write_uint(answer, engine_seq(hub->engine));
    rpc_write_text(answer, "oldest");
    rpc_write_uint(answer, event_log_oldest(feed_log(hub->feed)));
    return HANDLED;
}

/* Refuses a position because of PROBLEM; LOWEST is one that would be accepted. */
static handling_t position_refuse(request_t *request, uint64_t lowest, const char *problem)
{
    request->has_detail = true;
    request->detail = lowest;
    return request_fail(request, STATUS_OUT_OF_RANGE, "%s; read the stores again", problem);
}

/* Whether the log has everything after request->args.after_seq, in the epoch named. HANDLED if so, else
 * FAILED. */
static handling_t position_check(request_t *request)
{
    const hub_t *hub = request->hub;
    const args_t *args = &request->args;
    uint64_t oldest = event_log_oldest(feed_log(hub->feed));
    if ((args->given & OPTION_EPOCH) && !bytes_equal(args->epoch, bytes_from_text(engine_epoch(hub->engine))))
        return position_refuse(request, oldest, "another epoch: the broker was restarted");
    if (args->after_seq < oldest)
        return position_refuse(request, oldest, "the events after that are no longer kept");
    if (args->after_seq > engine_seq(hub->engine))
        return position_refuse(request, oldest, "no event has that number yet");
    return HANDLED;
}

handling_t handle_replay(request_t *request)
{
    const hub_t *hub = request->hub;
    if (position_check(request) != HANDLED)
        return FAILED;
    const args_t *args = &request->args;
    buffer_t *answer = request->answer;
    uint64_t now = engine_seq(hub->engine);
    uint64_t seq = args->after_seq;
    rpc_write_map(answer, 2);
    rpc_write_text(answer, "events");
    page_t page = page_begin(request);
    for (unsigned scanned = 0; seq < now && page_open(&page) && scanned < LOG_SCAN; scanned++) {
        event_t event;
        event_log_read(feed_log(hub->feed), seq + 1, &event);
        if (!(args->given & OPTION_OF_CLIENT) || bytes_equal(event.client, args->of_client)) {
            event_wire_write(answer, &event);
            if (!page_add(&page))
                break;
        }
        seq++;
    }
    request->cost += seq - args->after_seq;
    page_end(&page);
    rpc_write_text(answer, "seq");
    rpc_write_uint(answer, seq);
    return HANDLED;
}

/* Whether EVENT, about an earlier store of CLIENT's id, shows that there may have been entries in it. (A
 * named client that the broker itself dropped had no keys by then.) */
static bool event_of_loss(const event_t *event, const client_t *client)
{
    bool dropped = event->kind == CHANGE_DROP && (event->by.size > 0 || client->numbered);
    return dropped || event->kind == CHANGE_PUT || event->kind == CHANGE_DEL || event->kind == CHANGE_EXPIRE;
}

/* Whether an earlier store of the client's id was changed or lost since request->args.after_seq. The client's
 * sessions do not get those changes, because that store may have belonged to somebody else. If there are too
 * many events to read, it counts as lost. */
static bool lost_since(request_t *request)
{
    const client_t *client = request->client;
    uint64_t seq = request->args.after_seq;
    if (client->first_seq > seq && client->first_seq - seq > LOG_SCAN)
        return true;
    while (++seq < client->first_seq) {
        event_t event;
        event_log_read(feed_log(request->hub->feed), seq, &event);
        request->cost++;
        if (bytes_equal(event.client, client_id(client)) && event_of_loss(&event, client))
            return true;
    }
    return false;
}

handling_t handle_watch(request_t *request)
{
    session_t *session = request->session;
    uint64_t now = engine_seq(request->hub->engine);
    if (!request->args.flag) {
        feed_unwatch(session);
    } else {
        bool placed = request->args.given & OPTION_AFTER_SEQ;
        uint64_t begin = request->client->first_seq - 1; /* nothing before that is pushed */
        if (!placed)
            request->args.after_seq = now;
        if (position_check(request) != HANDLED)
            return FAILED;
        if (lost_since(request))
            return position_refuse(request, begin, "the client's store was lost since then");
        if (placed || !session->feed.watching) /* if it watches already, outstanding pushes stay */
            feed_watch(session, begin > request->args.after_seq ? begin : request->args.after_seq);
    }
    rpc_write_uint(request->answer, now);
    return HANDLED;
}
