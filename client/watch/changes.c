/* SPDX-License-Identifier: MPL-2.0 */
/* Reports changes of the own store (PROTOCOL.md 5, `watch`, and 6.3). Sends `watch` in each new session and
 * continues where the last one ended. Owns the position: the last change that was reported. */
#include <stdio.h>
#include <stdlib.h>

#include "client/keep.h"
#include "client/lib/result.h"
#include "client/lib/session.h"
#include "client/watch/earliest.h"
#include "client/watch/event.h"
#include "common/clock.h"

/* The state of kvzmq_on_change. */
typedef struct changes {
    kvzmq_t *conn;            /* borrowed; frees this when it is destroyed */
    kvzmq_change_fn *changed; /* NULL = changes are not wanted */
    void *context;            /* the application's */
    bool earliest;            /* begin with the oldest change; false once armed */
    uint64_t armed;           /* number of the session in which `watch` is on; 0 = none */
    bool placed;              /* `position` is valid */
    char client[sizeof((kvzmq_session_t *)0)->client]; /* owner of `position`; "" = the name */
    kvzmq_position_t position;
    uint64_t calls; /* calls of `changed` */
} changes_t;

/* NULL = kvzmq_on_change was not called. */
static changes_t *changes_of(const kvzmq_t *conn)
{
    return conn->push.context;
}

/* Whether `watch` is on in the current session. */
static bool is_armed(const changes_t *changes)
{
    return changes->armed != 0 && changes->armed == changes->conn->sessions;
}

/* Sends `watch` and reads *SEQ, its result. */
static kvzmq_status_t ask_watch(kvzmq_t *conn, bool on, const kvzmq_position_t *after, int64_t deadline,
                                uint64_t *seq)
{
    const char *problem;
    response_t response;
    request_target_t target = session_request(conn, &problem);
    kvzmq_status_t status = request_watch(target, on, after);
    if (status != KVZMQ_OK)
        return connection_fail(conn, KVZMQ_NO_MEMORY, "no memory for a request");
    status = session_converse(conn, target.msgid, deadline, &response);
    if (status != KVZMQ_OK)
        return status;
    bool understood = result_number(response.reply.body, seq);
    response_release(&response);
    return understood ? KVZMQ_OK : connection_garbled(conn, "watch");
}

static void tell(changes_t *changes, kvzmq_event_t *event)
{
    event->size = sizeof *event;
    changes->calls++;
    changes->changed(changes->context, event);
}

/* Reports RESET: changes may be missing because of WHY. */
static void tell_reset(changes_t *changes, const char *why)
{
    const kvzmq_session_t *session = &changes->conn->session;
    kvzmq_event_t event = {.kind = KVZMQ_EVENT_RESET,
                           .ttl_ms = -1,
                           .value = kvzmq_text(why),
                           .has_value = true,
                           .epoch = kvzmq_text(session->epoch),
                           .client = kvzmq_text(session->client)};
    tell(changes, &event);
}

/* Whether `position` belongs to the store of this session. */
static bool position_holds(const changes_t *changes)
{
    const char *client = changes->conn->session.client;
    if (session_by_number(client)) /* each session of such a client begins with an empty store */
        return false;
    return changes->client[0] == '\0' || strcmp(changes->client, client) == 0;
}

static const char *find_reset_reason(const changes_t *changes)
{
    if (strcmp(changes->position.epoch, changes->conn->session.epoch) != 0)
        return "the broker was restarted";
    return position_holds(changes) ? "some changes are missing because the broker no longer keeps them"
                                   : "this is another client than before, with a store of its own";
}

static void position_set(changes_t *changes, uint64_t seq)
{
    kvzmq_position_t *position = &changes->position;
    position->seq = seq;
    (void)snprintf(position->epoch, sizeof position->epoch, "%s", changes->conn->session.epoch);
}

/* Begins at the lowest position that the broker accepts. If a position is too low, the error's detail is the
 * lowest: earliest.h. */
static kvzmq_status_t ask_earliest(changes_t *changes, int64_t deadline, uint64_t *seq)
{
    kvzmq_status_t status = KVZMQ_OUT_OF_RANGE;
    position_set(changes, 0);
    for (unsigned tries = 0; status == KVZMQ_OUT_OF_RANGE && tries < EARLIEST_TRIES; tries++) {
        status = ask_watch(changes->conn, true, &changes->position, deadline, seq);
        if (status == KVZMQ_OUT_OF_RANGE)
            position_set(changes, earliest_next(changes->position.seq, changes->conn->detail, tries + 1));
    }
    return status;
}

/* push_t.begin: turns `watch` on in this session, if changes are wanted and it is not on yet. */
static kvzmq_status_t changes_arm(void *context, int64_t deadline)
{
    changes_t *changes = context;
    kvzmq_t *conn = changes->conn;
    uint64_t seq = 0;
    if (changes->changed == NULL || is_armed(changes))
        return KVZMQ_OK;
    kvzmq_status_t status = KVZMQ_OUT_OF_RANGE;
    if (changes->earliest)
        status = ask_earliest(changes, deadline, &seq);
    else if (changes->placed && position_holds(changes))
        status = ask_watch(conn, true, &changes->position, deadline, &seq);
    bool missed = changes->placed && status == KVZMQ_OUT_OF_RANGE;
    bool anew = status == KVZMQ_OUT_OF_RANGE;
    if (anew)
        status = ask_watch(conn, true, NULL, deadline, &seq);
    if (status != KVZMQ_OK)
        return status;
    const char *why = missed ? find_reset_reason(changes) : "";
    if (anew)
        position_set(changes, seq);
    (void)snprintf(changes->client, sizeof changes->client, "%s", conn->session.client);
    changes->earliest = false;
    changes->placed = true;
    changes->armed = conn->sessions;
    conn->error[0] = '\0'; /* of the first attempt */
    conn->has_detail = false;
    if (missed)
        tell_reset(changes, why);
    return KVZMQ_OK;
}

/* A change was lost, so later pushes cannot be used. Sets *WHY, a flag of the connection that makes it drop
 * the link. The next session replays from `position`. */
static void changes_break(changes_t *changes, bool *why)
{
    *why = true;
    changes->armed = 0;
}

/* push_t.take. */
static void changes_take(void *context, bytes_t params)
{
    changes_t *changes = context;
    kvzmq_t *conn = changes->conn;
    kvzmq_event_t event;
    if (changes->changed == NULL || !is_armed(changes))
        return;
    if (!event_read_params(params, &event)) {
        changes_break(changes, &conn->garbled);
        return;
    }
    if (event.seq <= changes->position.seq)
        return;
    event.epoch = kvzmq_text(conn->session.epoch);
    event_copy_t *copy = event_copy_new(&event); /* zero-terminated texts */
    if (copy == NULL) {
        changes_break(changes, &conn->ended);
        return;
    }
    changes->position.seq = event.seq;
    tell(changes, &copy->event);
    free(copy);
}

/* Turns `watch` off. */
static kvzmq_status_t disarm(changes_t *changes, int64_t deadline)
{
    uint64_t seq;
    const kvzmq_t *conn = changes->conn;
    bool known = is_armed(changes) && conn->live && conn->link != NULL;
    changes->changed = NULL;
    changes->armed = 0;
    return known ? ask_watch(changes->conn, false, NULL, deadline, &seq) : KVZMQ_OK;
}

/* The connection's changes, made if there are none. NULL if memory is refused. */
static changes_t *changes_ensure(kvzmq_t *conn)
{
    if (changes_of(conn) != NULL)
        return changes_of(conn);
    changes_t *changes = calloc(1, sizeof *changes);
    if (changes == NULL)
        return NULL;
    changes->conn = conn;
    conn->push = (push_t){.begin = changes_arm, .take = changes_take, .release = free, .context = changes};
    return changes;
}

static kvzmq_status_t arm(changes_t *changes, kvzmq_change_fn *changed, void *context,
                          const kvzmq_position_t *after, bool earliest, int64_t deadline)
{
    bool goes_on = changes->changed != NULL && after == NULL && !earliest; /* only the function changes */
    bool placed = changes->placed;
    kvzmq_position_t position = changes->position;
    changes->changed = changed;
    changes->context = context;
    if (!goes_on) {
        changes->armed = 0;
        changes->earliest = earliest;
        changes->placed = after != NULL;
        changes->client[0] = '\0';
        if (after != NULL)
            changes->position = *after;
    }
    kvzmq_status_t status = session_ensure(changes->conn, deadline);
    if (status != KVZMQ_OK && !goes_on) {
        changes->changed = NULL;
        changes->earliest = false;
        changes->placed = placed;
        changes->position = position;
    }
    return status;
}

static kvzmq_status_t on_change(kvzmq_t *conn, kvzmq_change_fn *changed, void *context,
                                const kvzmq_position_t *after, bool earliest)
{
    int64_t deadline;
    kvzmq_status_t status = connection_begin(conn, conn->options.given.call_ms, &deadline);
    if (status == KVZMQ_OK && after != NULL && memchr(after->epoch, 0, sizeof after->epoch) == NULL)
        status = connection_fail(conn, KVZMQ_INVALID_ARGUMENT, "on_change: the epoch is not zero-terminated");
    if (status != KVZMQ_OK)
        return status;
    if (changed == NULL)
        return changes_of(conn) == NULL ? KVZMQ_OK : disarm(changes_of(conn), deadline);
    changes_t *changes = changes_ensure(conn);
    if (changes == NULL)
        return connection_fail(conn, KVZMQ_NO_MEMORY, "no memory to report changes");
    return arm(changes, changed, context, after, earliest, deadline);
}

kvzmq_status_t kvzmq_on_change(kvzmq_t *conn, kvzmq_change_fn *changed, void *context,
                               const kvzmq_position_t *after)
{
    connection_enter(conn);
    kvzmq_status_t status = on_change(conn, changed, context, after, false);
    connection_leave(conn);
    return status;
}

kvzmq_status_t kvzmq_on_change_earliest(kvzmq_t *conn, kvzmq_change_fn *changed, void *context)
{
    connection_enter(conn);
    kvzmq_status_t status = on_change(conn, changed, context, NULL, true);
    connection_leave(conn);
    return status;
}

bool kvzmq_change_position(const kvzmq_t *conn, kvzmq_position_t *position)
{
    const changes_t *changes = changes_of(conn);
    if (changes == NULL || !changes->placed)
        return false;
    *position = changes->position;
    return true;
}

/* When to ping to keep the session alive (monotonic ms). */
static int64_t keep_ms(const kvzmq_t *conn)
{
    return conn->sent_ms + keep_part_ms(&conn->session);
}

static kvzmq_status_t listen_for(kvzmq_t *conn, int timeout_ms)
{
    int64_t begun_ms = clock_monotonic_ms();
    int64_t until_ms = timeout_ms < 0 ? INT64_MAX : begun_ms + timeout_ms;
    const changes_t *changes = changes_of(conn);
    if (changes == NULL || changes->changed == NULL) {
        kvzmq_status_t status = connection_begin(conn, conn->options.given.call_ms, NULL);
        return status != KVZMQ_OK ? status
                                  : connection_fail(conn, KVZMQ_FAILED_PRECONDITION,
                                                    "listen: kvzmq_on_change was not called");
    }
    uint64_t before = changes->calls;
    for (;;) {
        int64_t deadline;
        kvzmq_status_t status = connection_begin(conn, conn->options.given.call_ms, &deadline);
        if (status == KVZMQ_OK)
            status = session_ensure(conn, deadline); /* takes what has arrived */
        if (status == KVZMQ_OK && clock_monotonic_ms() >= keep_ms(conn))
            status = kvzmq_ping(conn);
        if (status != KVZMQ_OK || changes->calls != before)
            return status;
        int64_t now_ms = clock_monotonic_ms();
        if (now_ms >= until_ms)
            return connection_fail(conn, KVZMQ_TIMEOUT, "no change within %d ms", timeout_ms);
        int64_t wake_ms = until_ms < keep_ms(conn) ? until_ms : keep_ms(conn);
        /* Ask before waiting too: the signal may have come between two calls. */
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
