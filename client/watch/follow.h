/* SPDX-License-Identifier: MPL-2.0 */
/* The recipe of PROTOCOL.md 6.2 as a state machine: it decides what to request next, and what to report to
 * the watcher. Pure: no sockets, threads or call-backs, and no clock: time is an argument (monotonic ms).
 *
 * The driver loops: follow_next says what to do, the driver does it and passes the result on:
 *
 *     FOLLOW_TICKET   `events`; make an event connection      follow_ticket
 *     FOLLOW_MESSAGE  wait for a message until until_ms       follow_event, follow_sync; else follow_quiet
 *     FOLLOW_NOW      `events`, only for its seq              follow_now
 *     FOLLOW_CLIENTS  a page of `clients` after `after`       follow_client each, follow_clients_end
 *     FOLLOW_LIST     a page of `client`'s list after `after` follow_listed, or follow_list_absent
 *     FOLLOW_ROWS     the rows of the last listed page        follow_row each, follow_rows_end
 *     FOLLOW_REPLAY   a page of `replay` after `seq`          follow_replay_event each, follow_replayed; or
 *                                                             follow_out_of_range
 *     FOLLOW_PAUSE    wait until until_ms                     follow_quiet
 *
 * After each of these calls, it reports all events to the watcher:
 *
 *     while (follow_tell (follow, &event))
 *         follow_commit (follow, taken);
 *
 * Before it passes an answer on, it calls follow_session, which says whether the answer is still valid. If a
 * request gets no answer, it calls follow_failed.
 *
 * Why the state is exact although it is read in pages: `pos` is the seq up to which all events about the
 * *covered* part (the part already read) were reported. Each page has its own seq, which may be greater than
 * pos. Before the page's rows are reported, replay brings the covered part up to the page's seq (FILL). So
 * the covered part is always as of one seq, and the memory needed does not grow with the stores. A part that
 * was found empty without a seq (ids between two clients of a page) counts as covered as of pos: its later
 * events are reported, even if the page was read after them. */
#ifndef KV_CLIENT_WATCH_FOLLOW_H
#define KV_CLIENT_WATCH_FOLLOW_H

#include "client/watch/event.h"
#include "client/watch/follow_config.h"

/* NULL if memory is refused. */
KV_MUST_USE follow_t *follow_new(const follow_config_t *config);
void follow_destroy(follow_t **follow);

typedef enum follow_want {
    FOLLOW_TICKET,
    FOLLOW_MESSAGE,
    FOLLOW_NOW,
    FOLLOW_CLIENTS,
    FOLLOW_LIST,
    FOLLOW_ROWS,
    FOLLOW_REPLAY,
    FOLLOW_PAUSE
} follow_want_t;

/* Borrowed until the next call. */
typedef struct follow_action {
    follow_want_t want;
    int64_t until_ms;     /* MESSAGE, PAUSE */
    const char *client;   /* LIST; TICKET, REPLAY: NULL = all */
    kvzmq_slice_t prefix; /* LIST: of keys; size 0 = all */
    kvzmq_slice_t after;  /* CLIENTS, LIST: size 0 = from the beginning */
    uint64_t seq;         /* REPLAY */
    const char *epoch;    /* REPLAY */
    bool messages; /* REPLAY: first pass on the messages that have arrived, without waiting. Their events are
                      replayed, but they say how far */
} follow_action_t;

void follow_next(const follow_t *follow, follow_action_t *action);

/* The next event to report; false: there is none. It borrows from the arguments of the call that caused it,
 * so report it before you make another call. */
KV_MUST_USE bool follow_tell(const follow_t *follow, kvzmq_event_t *event);
/* Call it after reporting the event. TAKEN: the watcher took it. If not, the state is as if the event's input
 * had not arrived, and the events after it are dropped. Then stop, or call follow_failed. */
void follow_commit(follow_t *follow, bool taken);

/* Call it before passing an answer on, except the answer to FOLLOW_TICKET. NUMBER identifies the request
 * connection's session, EPOCH the broker. False: the broker was restarted; drop the answer, and follow_next
 * says how to continue. An answer in another session of the same broker is valid. Only the ticket is then
 * void, and a new one is requested when the watch waits for events again. (Otherwise a connection that breaks
 * often could never finish reading.) */
KV_MUST_USE bool follow_session(follow_t *follow, uint64_t number, const char *epoch);

/* The answer to `events`, in session NUMBER. Copies EPOCH. */
void follow_ticket(follow_t *follow, int64_t now_ms, uint64_t number, const char *epoch, uint64_t seq,
                   uint64_t oldest);
void follow_now(follow_t *follow, int64_t now_ms, uint64_t seq);

/* From the event connection. */
void follow_event(follow_t *follow, int64_t now_ms, const kvzmq_event_t *event);
void follow_sync(follow_t *follow, int64_t now_ms, const sync_t *sync);
/* No message has arrived. */
void follow_quiet(follow_t *follow, int64_t now_ms);

/* False: memory is refused, or the clients are not in order. Then call follow_failed. */
KV_MUST_USE bool follow_client(follow_t *follow, kvzmq_slice_t id, uint64_t keys);
void follow_clients_end(follow_t *follow, bool more);

void follow_listed(follow_t *follow, int64_t now_ms, uint64_t seq, bool more);
/* The client does not exist. */
void follow_list_absent(follow_t *follow);
/* False: the row is not in order. Skip the rest of the page. */
KV_MUST_USE bool follow_row(follow_t *follow, const kvzmq_row_t *row);
void follow_rows_end(follow_t *follow, int64_t now_ms);

void follow_replay_event(follow_t *follow, const kvzmq_event_t *event);
void follow_replayed(follow_t *follow, int64_t now_ms, uint64_t seq);
/* OLDEST: the lowest position that `replay` accepts. */
void follow_out_of_range(follow_t *follow, int64_t now_ms, uint64_t oldest);

/* A request got no answer, or an answer that is not valid. WHY is one line for people. */
void follow_failed(follow_t *follow, int64_t now_ms, const char *why);

/* The counters so far. */
void follow_counts(const follow_t *follow, kvzmq_watch_counts_t *counts);

#endif
