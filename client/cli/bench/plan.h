/* SPDX-License-Identifier: MPL-2.0 */
/* What a run of the benchmark is to do: the workload, how much of it, and how it is spread over clients. */
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
    PLAN_LIST_MAX = 100,     /* entries that one list of workload e asks for, at most */
    PLAN_LOAD_BYTES = 65536, /* of a message that loads or deletes keys, about */
    PLAN_LOAD_FLIGHT = 4,    /* such messages in flight for each client */
    PLAN_NAME_SIZE = 32
};

typedef enum bench_op {
    BENCH_GET,
    BENCH_PUT,    /* over an entry that exists */
    BENCH_INSERT, /* put of a new key */
    BENCH_LIST,
    BENCH_MODIFY, /* read an entry, then put it if it still has the revision that was read */
    BENCH_OPS
} bench_op_t;

typedef enum distribution {
    DISTRIBUTION_UNIFORM,
    DISTRIBUTION_ZIPFIAN, /* few keys get most of the requests */
    DISTRIBUTION_LATEST,  /* likewise, and these are the newest keys */
    DISTRIBUTIONS
} distribution_t;

typedef struct workload {
    const char *name;
    const char *help;
    distribution_t distribution; /* unless another is asked for */
    uint8_t percent[BENCH_OPS];  /* of each kind of operation; 100 in all */
} workload_t;

/* The table, ended by a row without a name. */
extern const workload_t workloads[];

/* NULL if there is none of that name. */
const workload_t *workload_find(bytes_t name);

/* Writes a line of help for each workload, and what a run does. */
void workload_help(FILE *stream);

/* Draws the next operation. */
bench_op_t workload_next(const workload_t *workload, dice_t *dice);

/* The name of a distribution, and which one NAME is; DISTRIBUTIONS if none. */
const char *distribution_name(distribution_t distribution);
distribution_t distribution_find(bytes_t name);

typedef struct bench_plan {
    const workload_t *workload;
    distribution_t distribution;
    uint64_t clients;            /* sessions */
    uint64_t threads;            /* that drive them */
    uint64_t in_flight;          /* messages that each client has on the way */
    uint64_t batch;              /* requests in a message */
    uint64_t keys;               /* that are loaded, in all stores */
    uint64_t key_size;           /* bytes */
    uint64_t value_size;         /* bytes */
    uint64_t duration_ms;        /* 0: until `operations` are done */
    uint64_t operations;         /* 0: until `duration_ms` have passed */
    uint64_t rate;               /* operations a second, of all clients; 0: as fast as answers come */
    uint64_t seed;               /* of everything random */
    uint64_t load_batch;         /* requests in a message that loads or deletes; set by bench_plan_check */
    bool shared;                 /* all clients use one store; else each has its own */
    char prefix[PLAN_NAME_SIZE]; /* of the stores' names; the rest is a number */
} bench_plan_t;

/* Sets the defaults, and draws a seed and a prefix. */
void bench_plan_init(bench_plan_t *plan);

/* Whether the parts of PLAN fit each other and the limits of the broker. */
KV_MUST_USE bool bench_plan_check(bench_plan_t *plan, const kvzmq_session_t *session, problem_t *problem);

/* How many keys client INDEX loads. */
uint64_t bench_plan_share(const bench_plan_t *plan, uint64_t index);

#endif
