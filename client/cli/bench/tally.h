/* SPDX-License-Identifier: MPL-2.0 */
/* What a client of the benchmark is about, and what became of it so far. */
#ifndef KV_CLIENT_CLI_BENCH_TALLY_H
#define KV_CLIENT_CLI_BENCH_TALLY_H

#include <kvzmq.h>

enum { TALLY_STATUSES = KVZMQ_OTHER + 1 };

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
    uint64_t errors[TALLY_STATUSES];
} bench_tally_t;

#endif
