/* SPDX-License-Identifier: MPL-2.0 */
/* A run of the benchmark: the workload, its amount, and how it is distributed over clients. */
#ifndef KV_CLIENT_CLI_BENCH_PLAN_H
#define KV_CLIENT_CLI_BENCH_PLAN_H

#include <kvzmq.h>
#include <stdio.h>

#include "client/cli/bench/dice.h"
#include "client/cli/problem.h"
#include "common/bytes.h"
#include "common/status.h"

enum {
    PLAN_CLIENTS_MAX = 10000,
    PLAN_THREADS_MAX = 64,
    PLAN_KEYS_MAX = 1000000000,
    PLAN_RATE_MAX = 1000000000,
    PLAN_LIST_MAX = 100,     /* most entries in a list of workload e */
    PLAN_LOAD_BYTES = 65536, /* approximate size of a message that loads or deletes keys */
    PLAN_LOAD_FLIGHT = 4,    /* such messages in flight for each client */
    PLAN_NAME_SIZE = 32
};

typedef enum bench_op {
    BENCH_GET,
    BENCH_PUT,    /* of an existing key */
    BENCH_INSERT, /* put of a new key */
    BENCH_LIST,
    BENCH_MODIFY, /* read an entry; put it if its revision has not changed */
    BENCH_OPS
} bench_op_t;

typedef enum distribution {
    DISTRIBUTION_UNIFORM,
    DISTRIBUTION_ZIPFIAN, /* few keys get most of the requests */
    DISTRIBUTION_LATEST,  /* likewise; these are the newest keys */
    DISTRIBUTIONS
} distribution_t;

typedef struct workload {
    const char *name;
    const char *help;
    distribution_t distribution; /* the default of the workload */
    uint8_t percent[BENCH_OPS];  /* of each operation; the sum is 100 */
} workload_t;

/* All workloads. The last row has no name. */
extern const workload_t workloads[];

/* Finds a workload by its name. NULL if there is none. */
const workload_t *workload_find(bytes_t name);

/* Writes help: a line for each workload, and what a run does. */
void workload_help(FILE *stream);

/* Draws the next operation. */
bench_op_t workload_next(const workload_t *workload, dice_t *dice);

/* Convert between distributions and names. distribution_find returns DISTRIBUTIONS if there is none. */
const char *distribution_name(distribution_t distribution);
distribution_t distribution_find(bytes_t name);

typedef struct bench_plan {
    const workload_t *workload;
    distribution_t distribution;
    uint64_t clients;            /* sessions */
    uint64_t threads;            /* that run the clients */
    uint64_t in_flight;          /* messages in flight for each client */
    uint64_t batch;              /* requests in a message */
    uint64_t keys;               /* keys to load, in all stores */
    uint64_t key_size;           /* bytes */
    uint64_t value_size;         /* bytes */
    uint64_t duration_ms;        /* 0 = until `operations` are done */
    uint64_t operations;         /* 0 = until `duration_ms` has passed */
    uint64_t rate;               /* operations per second of all clients; 0 = unlimited */
    uint64_t seed;               /* for all random numbers */
    uint64_t load_batch;         /* requests in a message that loads or deletes; set by bench_plan_check */
    bool shared;                 /* all clients use one store; else each has its own */
    char prefix[PLAN_NAME_SIZE]; /* of the names of stores; a number follows */
} bench_plan_t;

/* Sets the defaults, and draws a seed and a prefix. */
void bench_plan_init(bench_plan_t *plan);

/* Whether the members of PLAN agree with each other and with the broker's limits. Fills in missing defaults.
 */
KV_MUST_USE bool bench_plan_check(bench_plan_t *plan, const kvzmq_session_t *session, problem_t *problem);

/* How many keys client INDEX loads. */
uint64_t bench_plan_share(const bench_plan_t *plan, uint64_t index);

#endif
