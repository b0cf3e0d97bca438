/* SPDX-License-Identifier: MPL-2.0 */
/* The recipe of PROTOCOL.md 6.2 as a state machine: what is to be asked next, and what a watcher is to be
 * told of what came. Pure: no sockets, no threads, no clock (time is an argument, monotonic milliseconds), no
 * call-backs.
 *
 * The driver loops: follow_next says what to do; it does that, and says what came of it:
 *
 *     FOLLOW_TICKET   `events`, and a new event connection    follow_ticket
 *     FOLLOW_MESSAGE  wait for a message until until_ms       follow_event, follow_sync; else follow_quiet
 *     FOLLOW_NOW      `events`, for the seq alone             follow_now
 *     FOLLOW_CLIENTS  a page of `clients` after `after`       follow_client each, follow_clients_end
 *     FOLLOW_LIST     a page of `client`'s list after `after` follow_listed, or follow_list_absent
 *     FOLLOW_ROWS     the rows of the page listed last        follow_row each, follow_rows_end
 *     FOLLOW_REPLAY   a page of `replay` after `seq`          follow_replay_event each, follow_replayed; or
 *                                                             follow_out_of_range
 *     FOLLOW_PAUSE    wait until until_ms                     follow_quiet
 *
 * After each of these calls it tells the watcher what there is to be told:
 *
 *     while (follow_tell (follow, &event))
 *         follow_commit (follow, taken);
 *
 * Before it passes an answer on it asks follow_session whether that still is of use. An answer that does not
 * come is follow_failed, whatever was asked.
 *
 * How the state is exact although it is read in pages. `pos` is the seq as of which everything that is
 * *covered* (read already) was told. A page is as of its own seq, above pos perhaps: then what is covered is
 * brought up to that seq by replay (FILL) before the page's rows are told. So everything covered is always as
 * of one seq, in memory that does not grow with the stores. A part that was found empty without a seq
 * (between two clients of a page) is covered as of pos: what happened there since is told, although it may
 * have been in what was found. */
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
    bool messages; /* REPLAY: those that are there are to be passed on first, without waiting: what they
                      are about is replayed, but they tell up to where */
} follow_action_t;

void follow_next(const follow_t *follow, follow_action_t *action);

/* The next event that the watcher is to be told; false: there is none. It borrows from what was passed to the
 * call that led to it, so it is told before another one is made. */
KV_MUST_USE bool follow_tell(const follow_t *follow, kvzmq_event_t *event);
/* Whether the watcher has TAKEN that event. If not, it stands as if what led to it had not come, and what was
 * to be told after it is dropped. The driver then stops, or says follow_failed. */
void follow_commit(follow_t *follow, bool taken);

/* What the request connection's session is now: NUMBER is another with each session. False: it is another
 * broker's, so the answer that just came is to be dropped, and follow_next says how to go on. The answer that
 * another session with the same broker got is good; only the ticket is void then, and a new one is asked for
 * when events are waited for. (Else a connection that is often cut would never be done with reading.) Not for
 * the answer to FOLLOW_TICKET. */
KV_MUST_USE bool follow_session(follow_t *follow, uint64_t number, const char *epoch);

/* What `events` answered, in session NUMBER. Strings are copied. */
void follow_ticket(follow_t *follow, int64_t now_ms, uint64_t number, const char *epoch, uint64_t seq,
                   uint64_t oldest);
void follow_now(follow_t *follow, int64_t now_ms, uint64_t seq);

/* From the event connection. */
void follow_event(follow_t *follow, int64_t now_ms, const kvzmq_event_t *event);
void follow_sync(follow_t *follow, int64_t now_ms, const sync_t *sync);
/* Nothing is there to be read. */
void follow_quiet(follow_t *follow, int64_t now_ms);

/* False: memory is refused, or they do not come in order; then say follow_failed. */
KV_MUST_USE bool follow_client(follow_t *follow, kvzmq_slice_t id, uint64_t keys);
void follow_clients_end(follow_t *follow, bool more);

void follow_listed(follow_t *follow, int64_t now_ms, uint64_t seq, bool more);
/* There is no such client. */
void follow_list_absent(follow_t *follow);
/* False: it does not come in order; what follows is not wanted. */
KV_MUST_USE bool follow_row(follow_t *follow, const kvzmq_row_t *row);
void follow_rows_end(follow_t *follow, int64_t now_ms);

void follow_replay_event(follow_t *follow, const kvzmq_event_t *event);
void follow_replayed(follow_t *follow, int64_t now_ms, uint64_t seq);
/* OLDEST: the lowest position that `replay` took then. */
void follow_out_of_range(follow_t *follow, int64_t now_ms, uint64_t oldest);

/* What was asked got no answer, or one that is of no use; WHY is one line for people. */
void follow_failed(follow_t *follow, int64_t now_ms, const char *why);

/* What it did so far; `tickets` is the driver's. */
void follow_counts(const follow_t *follow, kvzmq_watch_counts_t *counts);

#endif
