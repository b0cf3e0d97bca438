/* SPDX-License-Identifier: MPL-2.0 */
/* A publisher's process, the one writer that makes it publish, and a crowd of subscribers that all get
 * everything: the writer is never more than a window ahead of the slowest, so that no queue overflows. Any
 * failure, and 10 s without progress, end the process with a line that says what. */
#ifndef KV_TESTS_BENCH_FANOUT_H
#define KV_TESTS_BENCH_FANOUT_H

#include <signal.h>
#include <stdint.h>

#include "tests/bench/bare_publisher.h"

enum {
    FANOUT_MEMBERS_MAX = 100,
    /* A queue of 1,000 messages (ZMQ_SNDHWM's default) learns only every 500 what was read of it, and syncs
     * take room too. */
    FANOUT_WINDOW = 384
};

typedef struct fanout fanout_t;

/* Set by a signal handler: whatever waits ends the process. */
extern volatile sig_atomic_t fanout_interrupted;

/* Ends the process with one line on stderr. */
_Noreturn void fanout_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* To a broker with a manager's account, or to a bare publisher. PID is the publisher's. */
fanout_t *fanout_to_broker(void *zmq_context, pid_t pid, const char *endpoint, const char *user,
                           const char *password);
fanout_t *fanout_to_bare(void *zmq_context, const bare_publisher_t *bare);
void fanout_destroy(fanout_t **fanout);

/* Connects or closes subscribers until there are MEMBERS; each has heard a sync when this returns. */
void fanout_resize(fanout_t *fanout, unsigned members);

/* To a broker only: connects one more subscriber, which reads its first sync, and from then on nothing: a
 * stopped process as its publisher sees it. Nobody waits for it. */
void fanout_laggard_add(fanout_t *fanout);
/* Reads what still comes to it, up to a sync that tells of the last run's events, and closes it. Returns how
 * many events it got. */
uint64_t fanout_laggard_remove(fanout_t *fanout);

/* What the writer does: payloads of BATCH puts each. */
typedef struct load {
    uint32_t batches;
    uint32_t batch;
    uint32_t window; /* events that the writer may be ahead of the slowest subscriber */
} load_t;

/* What came of it. A batch is there when its last event is. Times as seconds_now has them. */
typedef struct timing {
    double seconds;     /* from the first payload to the last event or answer */
    double cpu_seconds; /* that the publisher's process used */
    uint32_t batches;
    unsigned members;
    double *sent;     /* [batch] */
    double *answered; /* [batch] */
    double *arrived;  /* [member * batches + batch] */
} timing_t;

/* Carries out LOAD; every event reached every member. */
void fanout_run(fanout_t *fanout, const load_t *load, timing_t *timing);
void timing_release(timing_t *timing);

/* Carries out LOAD with one member and keeps what it gets, and the last answer, in RECORDING, which is empty
 * or was filled by this. */
void fanout_record(fanout_t *fanout, const load_t *load, recording_t *recording);
void recording_release(recording_t *recording);
/* To a bare publisher only: teaches it. */
void fanout_teach(fanout_t *fanout, const recording_t *recording);

#endif
