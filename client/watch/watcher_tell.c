/* SPDX-License-Identifier: MPL-2.0 */
/* Decides what the receiver gets: completes events whose value was left out, waits until there is room for
 * them, and turns failures into events or into the watcher's end. Does not know why events come. */
#include "client/watch/watcher_tell.h"

#include <stdio.h>

#include "client/lib/connection.h"
#include "client/slice.h"
#include "common/clock.h"

enum { THROTTLED_MAX_MS = 60000 }; /* longest wait that the broker can request */

/* Reads the value that EVENT left out. False: the broker did not answer. If the entry has another revision by
 * now, or is gone, EVENT stays without value: a later event will follow. EVENT also stays without value if
 * the broker was restarted (its epoch differs), because its revision may be equal by chance; a RESET will
 * follow. A new session with the same broker does no harm. */
static bool complete(watcher_t *watcher, kvzmq_event_t *event, kvzmq_value_t *value)
{
    uint64_t revision = 0;
    kvzmq_status_t status =
        kvzmq_entry(watcher->conn, event->client.data, event->key, value, &revision, NULL);
    bool same_broker =
        bytes_equal(slice_bytes(event->epoch), bytes_from_text(kvzmq_session(watcher->conn)->epoch));
    if (same_broker && status != KVZMQ_OK && status != KVZMQ_ABSENT && status != KVZMQ_NOT_FOUND) {
        watcher->refused = status;
        return false;
    }
    watcher->kept_ms = clock_monotonic_ms();
    if (same_broker && status == KVZMQ_OK && revision == event->revision) {
        event->value = (kvzmq_slice_t){value->data, value->size, value->binary};
        event->has_value = true;
    }
    return true;
}

/* Reports EVENT as soon as there is room for it, and keeps the session alive until then. False: it was
 * refused, or the thread is to end. */
static bool offer(watcher_t *watcher, const kvzmq_event_t *event)
{
    watcher_taking_t taking = WATCHER_FULL;
    while (taking == WATCHER_FULL && !watcher_stopping(watcher)) {
        int64_t ping_ms = watcher->kept_ms + watcher_keep_ms(watcher);
        taking = watcher->config.tell(watcher->config.context, event, ping_ms);
        if (taking == WATCHER_FULL && clock_monotonic_ms() >= ping_ms) {
            kvzmq_status_t status = kvzmq_ping(watcher->conn);
            (void)status; /* the next request notices a failure */
            watcher->kept_ms = clock_monotonic_ms();
        }
    }
    return taking == WATCHER_TAKEN;
}

/* Reports EVENT, with its value if `large_values` is set. False: it was not taken. */
static bool deliver(watcher_t *watcher, const kvzmq_event_t *event)
{
    kvzmq_event_t told = *event;
    kvzmq_value_t value = {0};
    if (watcher_stopping(watcher)) /* a page of events may take long if values are read */
        return false;
    char client[256]; /* zero-terminated, for the request */
    if (watcher->config.large_values && event->kind == KVZMQ_EVENT_PUT && !event->has_value) {
        (void)snprintf(client, sizeof client, "%.*s", (int)event->client.size, event->client.data);
        told.client.data = client;
        if (!complete(watcher, &told, &value))
            return false;
        told.client = event->client;
    }
    bool taken = offer(watcher, &told);
    kvzmq_value_release(&value);
    return taken;
}

/* ---- Failures ---------------------------------------------------------------------------------- */

/* Whether trying again is useless. */
static bool is_final(kvzmq_status_t status)
{
    return status == KVZMQ_INVALID_ARGUMENT || status == KVZMQ_PERMISSION_DENIED ||
           status == KVZMQ_UNAUTHENTICATED || status == KVZMQ_UNIMPLEMENTED ||
           status == KVZMQ_FAILED_PRECONDITION;
}

void watcher_fail(watcher_t *watcher, kvzmq_status_t status, const char *text)
{
    kvzmq_event_t event;
    uint64_t wait_ms = 0;
    char why[CONNECTION_ERROR_SIZE]; /* a copy: TEXT may be the connection's, and reporting may make calls */
    if (is_final(status)) {
        if (status == KVZMQ_PERMISSION_DENIED && watcher->anonymous)
            text = "a watch is for managers, and logs in by itself: give it an account (user, password)";
        watcher->final = status;
        watcher->config.ended(watcher->config.context, status, text);
        return;
    }
    bool throttled = status == KVZMQ_RESOURCE_EXHAUSTED && kvzmq_detail(watcher->conn, &wait_ms);
    (void)snprintf(why, sizeof why, "%s", text);
    follow_failed(watcher->follow, clock_monotonic_ms(), why);
    while (follow_tell(watcher->follow, &event))
        follow_commit(watcher->follow, deliver(watcher, &event));
    if (throttled)
        watcher_pause(watcher, wait_ms < THROTTLED_MAX_MS ? (int64_t)wait_ms : THROTTLED_MAX_MS);
}

void watcher_fail_call(watcher_t *watcher, kvzmq_status_t status)
{
    watcher_fail(watcher, status, kvzmq_error(watcher->conn));
}

bool watcher_tell(watcher_t *watcher)
{
    kvzmq_event_t event;
    bool taken = true;
    while (taken && follow_tell(watcher->follow, &event)) {
        taken = deliver(watcher, &event);
        follow_commit(watcher->follow, taken);
    }
    if (watcher->refused != KVZMQ_OK)
        watcher_fail_call(watcher, watcher->refused);
    else if (!taken && !watcher_stopping(watcher))
        watcher_fail(watcher, KVZMQ_NO_MEMORY, "no memory for an event");
    watcher->refused = KVZMQ_OK;
    return taken;
}
