/* SPDX-License-Identifier: MPL-2.0 */
/* Verifies one store of a mirror: records the store's summary at each seq while the broker is asked for its
 * digest, and then compares the two as of the same seq. Which seq that is, is known only with the answer.
 * Does not know locks and threads. */
#ifndef KV_CLIENT_WATCH_MIRROR_PROBE_H
#define KV_CLIENT_WATCH_MIRROR_PROBE_H

#include "client/watch/mirror_store.h"

/* The summary of a store from `seq` on. */
typedef struct probe_note {
    uint64_t seq;
    mirror_summary_t summary;
} probe_note_t;

/* All zero: not active. */
typedef struct probe {
    bool active;
    bool broken;         /* there was a reset, or too many changes */
    bytes_t client;      /* whose store; borrowed from the caller of probe_begin until it is not active */
    probe_note_t *notes; /* owned; ascending in seq */
    size_t count;
    size_t capacity;
} probe_t;

/* The broker's side. */
typedef struct probe_answer {
    kvzmq_digest_t digest; /* if `absent`: only its seq is set, and later than the moment of absence */
    bool absent;           /* there is no such store */
    char epoch[sizeof((kvzmq_position_t *)0)->epoch]; /* to which the seq belongs */
} probe_answer_t;

/* Begins to record the summary of CLIENT's store, which is as of SEQ. */
void probe_begin(probe_t *probe, const mirror_store_t *store, bytes_t client, uint64_t seq);
/* CLIENT's store has changed, and is as of SEQ now. Does nothing if it is not the one that is recorded. */
void probe_change(probe_t *probe, const mirror_store_t *store, bytes_t client, uint64_t seq);
/* The mirror starts over: what was recorded cannot be compared. */
void probe_break(probe_t *probe);
/* Ends recording. */
void probe_end(probe_t *probe);
void probe_release(probe_t *probe);

/* Requests the digest of CLIENT's store. KVZMQ_UNAVAILABLE: the broker was restarted meanwhile. Any other
 * failure is that of the request. */
KV_MUST_USE kvzmq_status_t probe_ask(kvzmq_t *conn, const char *client, probe_answer_t *answer);

/* Compares what was recorded with ANSWER. If there is no such store, the broker had none at some time up to
 * the answer's seq; more is not known, so the store is equal if it was empty at any seq up to that.
 * KVZMQ_UNAVAILABLE: they cannot be compared. */
KV_MUST_USE kvzmq_status_t probe_compare(const probe_t *probe, const probe_answer_t *answer, bool *equal);

#endif
