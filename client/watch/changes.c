/* SPDX-License-Identifier: MPL-2.0 */
/* Owns how far the application has been told of changes of its own store: PROTOCOL.md, 5 (`watch`) and 6.3.
 */
#include "client/watch/changes.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/lib/result.h"
#include "client/lib/session.h"
#include "client/watch/event.h"
#include "common/clock.h"

enum {
    EARLIEST_TRIES = 100 /* to begin with the oldest change, while the log goes on; then from now on */
};

/* Sends `watch`, and reads the seq that it is answered with. */
static kvzmq_status_t ask_watch(kvzmq_t *conn, bool on, const kvzmq_position_t *after, int64_t deadline,
                                uint64_t *seq)
{
    const char *problem;
    answer_t answer;
    uint32_t msgid = connection_msgid(conn);
    buffer_t *request = &conn->session_request;
    buffer_truncate(request, 0);
    kvzmq_status_t status =
        request_watch((request_target_t){.buffer = request, .msgid = msgid, .problem = &problem}, on, after);
    if (status != KVZMQ_OK)
        return connection_fail(conn, KVZMQ_NO_MEMORY, "no memory for a request");
    status = session_converse(conn, msgid, deadline, &answer);
    if (status != KVZMQ_OK)
        return status;
    bool understood = result_number(answer.reply.body, seq);
    answer_release(&answer);
    return understood ? KVZMQ_OK : connection_garbled(conn, "watch");
}

static void tell(kvzmq_t *conn, kvzmq_event_t *event)
{
    event->size = sizeof *event;
    changes_t *changes = &conn->changes;
    changes->told++;
    changes->changed(changes->context, event);
}

/* Something may have been missed: WHY. */
static void tell_reset(kvzmq_t *conn, const char *why)
{
    kvzmq_event_t event = {.kind = KVZMQ_EVENT_RESET,
                           .ttl_ms = -1,
                           .value = kvzmq_text(why),
                           .has_value = true,
                           .epoch = kvzmq_text(conn->session.epoch),
                           .client = kvzmq_text(conn->session.client)};
    tell(conn, &event);
}

/* Whether `position` is one in the store that this session has. */
static bool position_holds(const kvzmq_t *conn)
{
    const changes_t *changes = &conn->changes;
    const char *client = conn->session.client;
    if (session_by_number(client)) /* each session of such a client begins with an empty store */
        return false;
    return changes->client[0] == '\0' || strcmp(changes->client, client) == 0;
}

static const char *find_reset_reason(const kvzmq_t *conn)
{
    if (strcmp(conn->changes.position.epoch, conn->session.epoch) != 0)
        return "the broker was started anew";
    return position_holds(conn) ? "some changes are missing, the broker no longer keeps them"
                                : "this is another client than before, with a store of its own";
}

static void position_set(kvzmq_t *conn, uint64_t seq)
{
    kvzmq_position_t *position = &conn->changes.position;
    position->seq = seq;
    (void)snprintf(position->epoch, sizeof position->epoch, "%s", conn->session.epoch);
}

/* Goes on after the lowest position that the broker takes: to one that is too low it answers which that is,
 * unless the log has gone on by the time that it is asked for. */
static kvzmq_status_t ask_earliest(kvzmq_t *conn, int64_t deadline, uint64_t *seq)
{
    kvzmq_status_t status = KVZMQ_OUT_OF_RANGE;
    position_set(conn, 0);
    for (unsigned tries = 0; status == KVZMQ_OUT_OF_RANGE && tries < EARLIEST_TRIES; tries++) {
        status = ask_watch(conn, true, &conn->changes.position, deadline, seq);
        if (status == KVZMQ_OUT_OF_RANGE)
            position_set(conn, conn->detail);
    }
    return status;
}

kvzmq_status_t changes_arm(kvzmq_t *conn, int64_t deadline)
{
    changes_t *changes = &conn->changes;
    uint64_t seq = 0;
    if (changes->changed == NULL || changes->armed)
        return KVZMQ_OK;
    kvzmq_status_t status = KVZMQ_OUT_OF_RANGE;
    if (changes->earliest)
        status = ask_earliest(conn, deadline, &seq);
    else if (changes->placed && position_holds(conn))
        status = ask_watch(conn, true, &changes->position, deadline, &seq);
    bool missed = changes->placed && status == KVZMQ_OUT_OF_RANGE;
    bool anew = status == KVZMQ_OUT_OF_RANGE;
    if (anew)
        status = ask_watch(conn, true, NULL, deadline, &seq);
    if (status != KVZMQ_OK)
        return status;
    const char *why = missed ? find_reset_reason(conn) : "";
    if (anew)
        position_set(conn, seq);
    (void)snprintf(changes->client, sizeof changes->client, "%s", conn->session.client);
    changes->earliest = false;
    changes->placed = true;
    changes->armed = true;
    conn->error[0] = '\0'; /* what the first attempt said */
    conn->has_detail = false;
    if (missed)
        tell_reset(conn, why);
    return KVZMQ_OK;
}

/* What is pushed from here on has a hole before it: only a new session will bring it again, whole. */
static void changes_break(kvzmq_t *conn, bool *why)
{
    *why = true;
    conn->changes.armed = false;
}

void changes_take(kvzmq_t *conn, bytes_t params)
{
    changes_t *changes = &conn->changes;
    kvzmq_event_t event;
    if (changes->changed == NULL || !changes->armed)
        return;
    if (!event_read_params(params, &event)) {
        changes_break(conn, &conn->garbled);
        return;
    }
    if (event.seq <= changes->position.seq)
        return;
    event.epoch = kvzmq_text(conn->session.epoch);
    event_copy_t *copy = event_copy_new(&event); /* whose texts end with zeros */
    if (copy == NULL) {
        changes_break(conn, &conn->ended);
        return;
    }
    changes->position.seq = event.seq;
    tell(conn, &copy->event);
    free(copy);
}

/* Ends what was asked for. */
static kvzmq_status_t disarm(kvzmq_t *conn, int64_t deadline)
{
    uint64_t seq;
    bool known = conn->changes.armed && conn->live && conn->link != NULL;
    conn->changes.changed = NULL;
    conn->changes.armed = false;
    return known ? ask_watch(conn, false, NULL, deadline, &seq) : KVZMQ_OK;
}

static kvzmq_status_t arm(kvzmq_t *conn, kvzmq_change_fn *changed, void *context,
                          const kvzmq_position_t *after, bool earliest)
{
    int64_t deadline;
    changes_t *changes = &conn->changes;
    kvzmq_status_t status = connection_begin(conn, conn->options.given.call_ms, &deadline);
    if (status == KVZMQ_OK && after != NULL && memchr(after->epoch, 0, sizeof after->epoch) == NULL)
        status =
            connection_fail(conn, KVZMQ_INVALID_ARGUMENT, "on_change: the epoch does not end with a zero");
    if (status != KVZMQ_OK)
        return status;
    if (changed == NULL)
        return disarm(conn, deadline);
    bool goes_on =
        changes->changed != NULL && after == NULL && !earliest; /* another function, nothing else */
    bool placed = changes->placed;
    kvzmq_position_t position = changes->position;
    changes->changed = changed;
    changes->context = context;
    if (!goes_on) {
        changes->armed = false;
        changes->earliest = earliest;
        changes->placed = after != NULL;
        changes->client[0] = '\0';
        if (after != NULL)
            changes->position = *after;
    }
    status = session_ensure(conn, deadline);
    if (status != KVZMQ_OK && !goes_on) {
        changes->changed = NULL;
        changes->earliest = false;
        changes->placed = placed;
        changes->position = position;
    }
    return status;
}

kvzmq_status_t kvzmq_on_change(kvzmq_t *conn, kvzmq_change_fn *changed, void *context,
                               const kvzmq_position_t *after)
{
    connection_enter(conn);
    kvzmq_status_t status = arm(conn, changed, context, after, false);
    connection_leave(conn);
    return status;
}

kvzmq_status_t kvzmq_on_change_earliest(kvzmq_t *conn, kvzmq_change_fn *changed, void *context)
{
    connection_enter(conn);
    kvzmq_status_t status = arm(conn, changed, context, NULL, true);
    connection_leave(conn);
    return status;
}

bool kvzmq_change_position(const kvzmq_t *conn, kvzmq_position_t *position)
{
    if (conn->changes.placed)
        *position = conn->changes.position;
    return conn->changes.placed;
}

/* When the session is to be given a sign of life, monotonic. */
static int64_t keep_ms(const kvzmq_t *conn)
{
    return conn->sent_ms + (int64_t)(conn->session.timeout_ms / 3);
}

static kvzmq_status_t listen_for(kvzmq_t *conn, int timeout_ms)
{
    int64_t begun_ms = clock_monotonic_ms();
    int64_t until_ms = timeout_ms < 0 ? INT64_MAX : begun_ms + timeout_ms;
    uint64_t before = conn->changes.told;
    for (;;) {
        int64_t deadline;
        kvzmq_status_t status = connection_begin(conn, conn->options.given.call_ms, &deadline);
        if (status == KVZMQ_OK && conn->changes.changed == NULL)
            status =
                connection_fail(conn, KVZMQ_FAILED_PRECONDITION, "listen: kvzmq_on_change was not called");
        if (status == KVZMQ_OK)
            status = session_ensure(conn, deadline); /* takes what is there */
        if (status == KVZMQ_OK && clock_monotonic_ms() >= keep_ms(conn))
            status = kvzmq_ping(conn);
        if (status != KVZMQ_OK || conn->changes.told != before)
            return status;
        int64_t now_ms = clock_monotonic_ms();
        if (now_ms >= until_ms)
            return connection_fail(conn, KVZMQ_TIMEOUT, "no change within %d ms", timeout_ms);
        int64_t wake_ms = until_ms < keep_ms(conn) ? until_ms : keep_ms(conn);
        /* Before it waits too: the signal may have come between two calls. */
        if (connection_interrupted(conn) ||
            (!link_wait(conn->link, wake_ms - now_ms) && connection_interrupted(conn)))
            return connection_fail(conn, KVZMQ_INTERRUPTED, "interrupted while waiting for %s",
                                   conn->options.given.endpoint);
    }
}

kvzmq_status_t kvzmq_listen(kvzmq_t *conn, int timeout_ms)
{
    connection_enter(conn);
    kvzmq_status_t status = listen_for(conn, timeout_ms);
    connection_leave(conn);
    return status;
}
