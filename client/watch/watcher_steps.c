/* SPDX-License-Identifier: MPL-2.0 */
/* Makes the requests of a watcher and passes their answers on to `follow`, which decides what comes next. */
#include "client/watch/watcher_steps.h"

#include "client/lib/connection.h"
#include "client/slice.h"
#include "client/watch/follow_request.h"
#include "client/watch/watcher_events.h"
#include "client/watch/watcher_tell.h"
#include "common/clock.h"
#include "common/utf8.h"

/* ---- Requests ---------------------------------------------------------------------------------- */

static const char *quote(kvzmq_slice_t foreign, char *out, size_t out_size)
{
    return utf8_quote(slice_bytes(foreign), out, out_size);
}

/* Frees the answer that a ticket was read from. It has the ticket's password. */
static void ticket_release(kvzmq_value_t *answer)
{
    if (answer->data != NULL)
        explicit_bzero(answer->data, answer->size);
    kvzmq_value_release(answer);
}

static void step_ticket(watcher_t *watcher, const follow_action_t *action)
{
    kvzmq_value_t result = {0};
    ticket_t ticket;
    const char *problem;
    char text[400];
    char endpoint[128];
    char mechanism[32];
    event_link_destroy(&watcher->events);
    kvzmq_status_t status = ticket_ask(watcher->conn, &result, &ticket);
    if (status != KVZMQ_OK) {
        watcher_fail(watcher, status,
                     status == KVZMQ_PROTOCOL ? "the answer to events is not kvbroker's protocol"
                                              : kvzmq_error(watcher->conn));
        goto cleanup;
    }
    watcher->kept_ms = clock_monotonic_ms();
    status = watcher_events_connect(watcher, &ticket, action->client, &problem);
    if (status != KVZMQ_OK) {
        (void)utf8_format(
            text, sizeof text, "cannot connect to the events endpoint %s (mechanism %s) of %s: %s",
            quote(ticket.endpoint, endpoint, sizeof endpoint),
            quote(ticket.mechanism, mechanism, sizeof mechanism), kvzmq_endpoint(watcher->conn), problem);
        watcher_fail(watcher, status, text);
        goto cleanup;
    }
    follow_ticket(watcher->follow, clock_monotonic_ms(), kvzmq_reconnects(watcher->conn),
                  kvzmq_session(watcher->conn)->epoch, ticket.seq, ticket.oldest);

cleanup:
    ticket_release(&result);
}

static void step_now(watcher_t *watcher, const follow_action_t *action)
{
    (void)action;
    kvzmq_value_t result = {0};
    ticket_t ticket;
    kvzmq_status_t status = ticket_ask(watcher->conn, &result, &ticket);
    if (status != KVZMQ_OK)
        watcher_fail_call(watcher, status);
    else if (watcher_answered(watcher))
        follow_now(watcher->follow, clock_monotonic_ms(), ticket.seq);
    ticket_release(&result);
}

static void step_clients(watcher_t *watcher, const follow_action_t *action)
{
    kvzmq_range_t range = {.size = sizeof range, .after = action->after};
    kvzmq_page_t *page = NULL;
    kvzmq_client_t client;
    kvzmq_status_t status = kvzmq_clients(watcher->conn, &range, &page);
    if (status != KVZMQ_OK) {
        watcher_fail_call(watcher, status);
        return;
    }
    bool taken = true;
    if (watcher_answered(watcher)) {
        while (taken && kvzmq_page_next_client(page, &client))
            taken = follow_client(watcher->follow, client.id, client.keys);
        if (taken)
            follow_clients_end(watcher->follow, kvzmq_page_more(page));
        else
            watcher_fail(watcher, KVZMQ_PROTOCOL, "the answer to clients is out of order, or memory ran out");
    }
    kvzmq_page_destroy(&page);
}

static void step_list(watcher_t *watcher, const follow_action_t *action)
{
    kvzmq_range_t range = {.size = sizeof range, .prefix = action->prefix, .after = action->after};
    kvzmq_page_destroy(&watcher->page);
    kvzmq_status_t status = kvzmq_list(watcher->conn, action->client, &range, &watcher->page);
    if (status != KVZMQ_OK && status != KVZMQ_NOT_FOUND)
        watcher_fail_call(watcher, status);
    else if (!watcher_answered(watcher))
        return;
    else if (status == KVZMQ_NOT_FOUND)
        follow_list_absent(watcher->follow);
    else
        follow_listed(watcher->follow, clock_monotonic_ms(), kvzmq_page_seq(watcher->page),
                      kvzmq_page_more(watcher->page));
}

/* Reports ROW. False: it was not taken. */
static bool take_row(watcher_t *watcher, const kvzmq_row_t *row)
{
    if (follow_row(watcher->follow, row))
        return watcher_tell(watcher);
    watcher_fail(watcher, KVZMQ_PROTOCOL, "the answer to list is out of order");
    return false;
}

static void step_rows(watcher_t *watcher, const follow_action_t *action)
{
    (void)action;
    kvzmq_row_t row;
    bool taken = true;
    while (taken && kvzmq_page_next(watcher->page, &row))
        taken = take_row(watcher, &row);
    if (taken)
        follow_rows_end(watcher->follow, clock_monotonic_ms());
    kvzmq_page_destroy(&watcher->page);
}

/* Passes on BODY, the result of `replay`. False if it is not valid. */
static bool take_replay(watcher_t *watcher, bytes_t body)
{
    replay_t replay;
    kvzmq_event_t event;
    if (!replay_read(body, &replay))
        return false;
    while (replay.left > 0) {
        if (!replay_next(&replay, &event))
            return false;
        follow_replay_event(watcher->follow, &event);
        if (!watcher_tell(watcher))
            return true;
    }
    follow_replayed(watcher->follow, clock_monotonic_ms(), replay.seq);
    return true;
}

static void step_replay(watcher_t *watcher, const follow_action_t *action)
{
    kvzmq_value_t result = {0};
    uint64_t oldest = 0;
    if (action->messages)
        (void)watcher_events_take(watcher);
    kvzmq_status_t status = replay_ask(watcher->conn, action, &result);
    if (status != KVZMQ_OK && status != KVZMQ_OUT_OF_RANGE)
        watcher_fail_call(watcher, status);
    else if (watcher_answered(watcher)) {
        if (status == KVZMQ_OUT_OF_RANGE) {
            (void)kvzmq_detail(watcher->conn, &oldest);
            follow_out_of_range(watcher->follow, clock_monotonic_ms(), oldest);
        } else if (!take_replay(watcher, bytes_of(result.data, result.size)))
            watcher_fail(watcher, KVZMQ_PROTOCOL, "the answer to replay is not kvbroker's protocol");
    }
    kvzmq_value_release(&result);
}

/* ---- Waiting ----------------------------------------------------------------------------------- */

/* Pings if it is time, to keep the session alive and to notice if the broker does not answer. */
static void keep(watcher_t *watcher)
{
    if (clock_monotonic_ms() - watcher->kept_ms < watcher_keep_ms(watcher))
        return;
    kvzmq_status_t status = kvzmq_ping(watcher->conn);
    if (status != KVZMQ_OK)
        watcher_fail_call(watcher, status);
    else
        (void)watcher_answered(watcher); /* follow_next says what to do if not */
}

/* Whether the next action is to wait for messages. */
static bool wants_messages(const watcher_t *watcher)
{
    follow_action_t action;
    follow_next(watcher->follow, &action);
    return watcher->final == KVZMQ_OK && action.want == FOLLOW_MESSAGE;
}

static void step_message(watcher_t *watcher, const follow_action_t *action)
{
    unsigned taken = watcher_events_take(watcher);
    keep(watcher);
    if (taken > 0 || !wants_messages(watcher) || watcher_stopping(watcher))
        return;
    int64_t now_ms = clock_monotonic_ms();
    int64_t due_ms = watcher->kept_ms + watcher_keep_ms(watcher);
    int64_t until_ms = action->until_ms < due_ms ? action->until_ms : due_ms;
    if (!event_link_wait(watcher->events, watcher->wake, until_ms - now_ms))
        follow_quiet(watcher->follow, clock_monotonic_ms());
}

static void step_pause(watcher_t *watcher, const follow_action_t *action)
{
    watcher_pause(watcher, action->until_ms - clock_monotonic_ms());
    follow_quiet(watcher->follow, clock_monotonic_ms());
}

void watcher_step(watcher_t *watcher)
{
    static void (*const steps[])(watcher_t *, const follow_action_t *) = {
        [FOLLOW_TICKET] = step_ticket,   [FOLLOW_MESSAGE] = step_message, [FOLLOW_NOW] = step_now,
        [FOLLOW_CLIENTS] = step_clients, [FOLLOW_LIST] = step_list,       [FOLLOW_ROWS] = step_rows,
        [FOLLOW_REPLAY] = step_replay,   [FOLLOW_PAUSE] = step_pause,
    };
    follow_action_t action;
    follow_next(watcher->follow, &action);
    steps[action.want](watcher, &action);
    (void)watcher_tell(watcher);
}
