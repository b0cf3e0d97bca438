/* SPDX-License-Identifier: MPL-2.0 */
/* One client of the benchmark: a session that sends messages of requests, keeps some of them in flight, and
 * checks every answer. Used by one thread at a time; never waits. */
#ifndef KV_CLIENT_CLI_BENCH_CLIENT_H
#define KV_CLIENT_CLI_BENCH_CLIENT_H

#include "client/cli/bench/histogram.h"
#include "client/cli/bench/model.h"
#include "client/cli/bench/plan.h"

enum { CLIENT_NAME_SIZE = PLAN_NAME_SIZE + 24, CLIENT_STATUSES = KVZMQ_OTHER + 1 };

typedef enum bench_phase {
    PHASE_LOAD, /* puts the client's share of the keys */
    PHASE_RUN,  /* the workload */
    PHASE_CLEAN /* deletes all keys that this client put */
} bench_phase_t;

typedef enum bench_fault {
    FAULT_NONE,
    FAULT_WRONG, /* an answer was not what it had to be */
    FAULT_LOST   /* no answer came, or nothing could be sent: the run cannot go on */
} bench_fault_t;

/* What the answers were. */
typedef struct bench_tally {
    uint64_t operations; /* done, whatever came of them */
    uint64_t requests;   /* answered: read-modify-write takes two */
    uint64_t conflicts;  /* conditional puts that found another revision, as they may */
    uint64_t removed;    /* entries that were deleted */
    uint64_t gone;       /* keys of which a del said that they are not there any more */
    uint64_t bad;        /* answers that were errors; `errors` has them by status */
    uint64_t errors[CLIENT_STATUSES];
} bench_tally_t;

typedef struct bench_client bench_client_t;

/* For client INDEX. PLAN is borrowed. LATENCIES (ns), borrowed, is used in PHASE_RUN only. CONNECTION has the
 * defaults for the client's connection, its name apart. NULL: no memory. */
KV_MUST_USE bench_client_t *bench_client_new(const bench_plan_t *plan, uint64_t index, histogram_t *latencies,
                                             const kvzmq_options_t *connection);

/* *CLIENT may be NULL, and is set to it. */
void bench_client_destroy(bench_client_t **client);

/* Its connection, to connect it and to say goodbye. */
kvzmq_t *bench_client_connection(bench_client_t *client);

/* Begins a phase at START_NS (clock_monotonic_ns). False: no memory. */
KV_MUST_USE bool bench_client_begin(bench_client_t *client, bench_phase_t phase, int64_t start_ns);

/* Sends what is due at NOW_NS, if STOP is false, and takes the answers that are there. True: there may be
 * more to do at once; else wait for its descriptor or its time. */
bool bench_client_step(bench_client_t *client, int64_t now_ns, bool stop);

/* Whether it has sent all, and got all answers. */
bool bench_client_is_idle(const bench_client_t *client);

/* When it wants to send next (clock_monotonic_ns); INT64_MAX if it waits for answers, or has sent all. */
int64_t bench_client_due(const bench_client_t *client);

/* Its descriptor, to wait for answers: -1 if there is none. */
int bench_client_fd(const bench_client_t *client);

/* Its answers must be looked at, whether or not its descriptor is readable. */
void bench_client_look(bench_client_t *client);

/* What has gone wrong so far, and a line about it ("" if nothing, or only errors that are counted). */
bench_fault_t bench_client_fault(const bench_client_t *client, kvzmq_status_t *status, const char **text);

/* The first error answer that is counted, in a line; "" if there is none. */
const char *bench_client_error(const bench_client_t *client);

const bench_tally_t *bench_client_tally(const bench_client_t *client);

/* Keys that this client put and that may still be there. */
uint64_t bench_client_left(const bench_client_t *client);

#endif
