/* SPDX-License-Identifier: MPL-2.0 */
/* A publisher's process, one writer that makes it publish, and many subscribers that all get every event.
 * The writer is never more than a window ahead of the slowest subscriber, so no queue overflows. Any
 * failure, or 10 s without progress, ends the process with an error message. */
#ifndef KV_TESTS_BENCH_FANOUT_H
#define KV_TESTS_BENCH_FANOUT_H

#include <signal.h>
#include <stdint.h>

#include "tests/bench/bare_publisher.h"

enum {
    FANOUT_MEMBERS_MAX = 100,
    /* Less than half of a queue of 1,000 messages (the default of ZMQ_SNDHWM): libzmq updates the count of
     * read messages only every 500, and syncs need room too. */
    FANOUT_WINDOW = 384
};

typedef struct fanout fanout_t;

/* Set by a signal handler: the next wait ends the process. */
extern volatile sig_atomic_t fanout_interrupted;

/* Return a new fanout, owned, connected to a broker as the manager USER, or to a bare publisher. PID is the
 * process whose processor time is measured. */
fanout_t *fanout_to_broker(void *zmq_context, pid_t pid, const char *endpoint, const char *user,
                           const char *password);
fanout_t *fanout_to_bare(void *zmq_context, const bare_publisher_t *bare);
void fanout_destroy(fanout_t **fanout);

/* Connects or closes subscribers until there are MEMBERS. Returns when each has received a sync, so that it
 * misses no later event. */
void fanout_resize(fanout_t *fanout, unsigned members);

/* Only with a broker: connects one more subscriber, which reads its first sync and then nothing. To the
 * publisher it looks like a stopped process. The writer does not wait for it. */
void fanout_laggard_add(fanout_t *fanout);
/* Reads what the laggard can still get, up to a sync with the last run's seq, and closes it. Returns how many
 * events it got. */
uint64_t fanout_laggard_remove(fanout_t *fanout);

/* What the writer sends. */
typedef struct load {
    uint32_t batches; /* payloads */
    uint32_t batch;   /* puts in a payload */
    uint32_t window;  /* events that the writer may be ahead of the slowest subscriber */
} load_t;

/* The measurements of a run. A batch has arrived when its last event has. Times are from seconds_now. */
typedef struct timing {
    double seconds;     /* from the first payload to the last event or answer */
    double cpu_seconds; /* processor time of the publisher's process */
    uint32_t batches;
    unsigned members;
    double *sent;     /* [batch] */
    double *answered; /* [batch] */
    double *arrived;  /* [member * batches + batch] */
} timing_t;

/* Runs LOAD and fills TIMING; release it with timing_release. Returns when every member has received every
 * event. */
void fanout_run(fanout_t *fanout, const load_t *load, timing_t *timing);
void timing_release(timing_t *timing);

/* Runs LOAD with one member and stores the frames that it gets, and the last answer, in RECORDING. RECORDING
 * is zeroed or holds an earlier recording, which is released. */
void fanout_record(fanout_t *fanout, const load_t *load, recording_t *recording);
void recording_release(recording_t *recording);
/* Only with a bare publisher: gives it RECORDING. */
void fanout_teach(fanout_t *fanout, const recording_t *recording);

#endif
