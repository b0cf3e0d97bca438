/* SPDX-License-Identifier: MPL-2.0 */
/* The state of a client, which client.c (sending) and check.c share. */
#ifndef KV_CLIENT_CLI_BENCH_CLIENT_STATE_H
#define KV_CLIENT_CLI_BENCH_CLIENT_STATE_H

#include "client/cli/bench/entry.h"
#include "client/cli/bench/histogram.h"
#include "client/cli/bench/model.h"
#include "client/cli/bench/plan.h"
#include "client/cli/bench/tally.h"

enum { CLIENT_NAME_SIZE = PLAN_NAME_SIZE + 24 };

typedef enum request_kind {
    REQUEST_GET,
    REQUEST_PUT,
    REQUEST_LIST,
    REQUEST_READ, /* the first request of a read-modify-write */
    REQUEST_SWAP, /* its second request: a put with if_revision */
    REQUEST_DEL
} request_kind_t;

typedef struct message message_t;

/* A request in flight; it is the tag of its answer. */
typedef struct bench_request {
    message_t *message;
    uint64_t number;   /* of the key */
    uint64_t version;  /* of the value that is put */
    uint64_t revision; /* of REQUEST_SWAP: the if_revision */
    uint32_t limit;    /* of REQUEST_LIST: entries */
    uint32_t read;     /* of REQUEST_SWAP: the model's version at the read */
    request_kind_t kind;
} bench_request_t;

/* A message that is free or in flight. */
struct message {
    message_t *next;           /* the next free one */
    bench_request_t *requests; /* space for `batch`; borrowed from the client */
    size_t count;              /* requests in it */
    size_t sent;               /* requests in the last sending: all, or the REQUEST_SWAPs */
    size_t left;               /* of `sent`, not yet answered */
    size_t swaps;              /* REQUEST_SWAPs to send */
    int64_t intended_ns;       /* when it was due; without a rate, when it was sent */
};

typedef struct bench_client {
    const bench_plan_t *plan; /* borrowed */
    uint64_t index;
    kvzmq_t *conn; /* owned */
    char name[CLIENT_NAME_SIZE];
    histogram_t *latencies; /* borrowed */

    /* Keys. The J-th key that this client loads is BASE + J * STRIDE; the J-th that it adds is ADD_BASE + J *
     * STRIDE. */
    uint64_t base, stride, add_base;
    uint64_t share;                  /* how many keys it loads */
    uint64_t domain;                 /* it reads the loaded keys 0 to DOMAIN - 1 */
    uint64_t loaded, added, cleaned; /* how many so far */
    bool exact;                      /* it is the only writer of its store, so `model` is exact */
    model_t model;
    uint64_t versions;      /* values made so far */
    uint64_t last_revision; /* of its last put or del */
    dice_t dice;
    zipf_t zipf;
    scatter_t scatter;

    /* The phase. */
    bench_phase_t phase;
    message_t *messages;       /* owned */
    bench_request_t *requests; /* owned; for all messages */
    message_t *free;
    size_t batch;     /* requests in a message */
    size_t busy;      /* messages in flight */
    bool ended;       /* do not send any more */
    double period_ns; /* between messages of all clients; 0: no rate */
    int64_t start_ns, end_ns;
    uint64_t turn;  /* messages sent */
    uint64_t quota; /* operations left to begin */

    bool look;      /* answers may have arrived */
    int fd;         /* -1: none */
    int64_t now_ns; /* arrival of the answers being checked */

    bench_tally_t tally;
    bench_fault_t fault;
    kvzmq_status_t fault_status;
    problem_t problem; /* about `fault` */
    problem_t error;   /* about the first error answer */
    char key[ENTRY_KEY_MAX];
    char *value; /* owned, value_size bytes */
} bench_client_t;

/* Key NUMBER; borrowed until the next call. */
static inline kvzmq_slice_t client_key(bench_client_t *client, uint64_t number)
{
    entry_key_write(number, client->plan->key_size, client->key);
    return kvzmq_text_of(client->key, client->plan->key_size);
}

#endif
