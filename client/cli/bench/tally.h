/* SPDX-License-Identifier: MPL-2.0 */
/* The phases, faults and counters of a client of the benchmark. */
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
    FAULT_WRONG, /* an answer was not correct */
    FAULT_LOST   /* no answer, or sending failed: the run cannot continue */
} bench_fault_t;

/* Counts the answers. */
typedef struct bench_tally {
    uint64_t operations; /* completed, successful or not */
    uint64_t requests;   /* answered; a read-modify-write has two */
    uint64_t conflicts;  /* conditional puts that found another revision, which is not an error */
    uint64_t removed;    /* entries deleted */
    uint64_t gone;       /* keys that do not exist any more, as a del reported */
    uint64_t bad;        /* error answers; `errors` counts them by status */
    uint64_t errors[TALLY_STATUSES];
} bench_tally_t;

#endif
