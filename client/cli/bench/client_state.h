/* SPDX-License-Identifier: MPL-2.0 */
/* A client: what sending and checking share. */
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
    REQUEST_READ, /* the first half of read-modify-write */
    REQUEST_SWAP, /* the second half: a put with if_revision */
    REQUEST_DEL
} request_kind_t;

typedef struct message message_t;

/* A request on its way; the tag of its answer. */
typedef struct bench_request {
    message_t *message;
    uint64_t number;   /* of the key */
    uint64_t version;  /* of the value that is put */
    uint64_t revision; /* of REQUEST_SWAP: which must still be there */
    uint32_t limit;    /* of REQUEST_LIST: entries */
    uint32_t read;     /* of REQUEST_SWAP: what the model held when it was read */
    request_kind_t kind;
} bench_request_t;

/* A message that is free, or whose answers are awaited. */
struct message {
    message_t *next;           /* the next free one */
    bench_request_t *requests; /* `batch` of them; borrowed from the client */
    size_t count;              /* requests in it */
    size_t sent;               /* of these, sent last: all, or the second halves */
    size_t left;               /* of these, not yet answered */
    size_t swaps;              /* second halves to be sent */
    int64_t intended_ns;       /* when it was to be sent */
};

typedef struct bench_client {
    const bench_plan_t *plan; /* borrowed */
    uint64_t index;
    kvzmq_t *conn; /* owned */
    char name[CLIENT_NAME_SIZE];
    histogram_t *latencies; /* borrowed */

    /* Keys. Of those loaded, number J of this client's is BASE + J * STRIDE; number J that it adds is
     * ADD_BASE + J * STRIDE. */
    uint64_t base, stride, add_base;
    uint64_t share;                  /* keys that it loads */
    uint64_t domain;                 /* loaded keys that it reads: 0 to DOMAIN - 1 */
    uint64_t loaded, added, cleaned; /* sent so far */
    bool exact;                      /* it alone writes to its store, so that `model` has what is there */
    model_t model;
    uint64_t versions;      /* values made so far */
    uint64_t last_revision; /* of its last put or del */
    dice_t dice;
    zipf_t zipf;
    scatter_t scatter;

    /* The phase. */
    bench_phase_t phase;
    message_t *messages;       /* owned */
    bench_request_t *requests; /* owned, of all messages */
    message_t *free;
    size_t batch;     /* requests in a message */
    size_t busy;      /* messages in flight */
    bool ended;       /* nothing more is to be sent */
    double period_ns; /* between messages of all clients; 0: no rate */
    int64_t start_ns, end_ns;
    uint64_t turn;  /* messages sent */
    uint64_t quota; /* operations that may still begin */

    bool look;      /* answers may be there */
    int fd;         /* -1: none */
    int64_t now_ns; /* when the answers that are looked at came */

    bench_tally_t tally;
    bench_fault_t fault;
    kvzmq_status_t fault_status;
    problem_t problem; /* about `fault` */
    problem_t error;   /* the first error that is counted */
    char key[ENTRY_KEY_MAX];
    char *value; /* owned, value_size bytes */
} bench_client_t;

/* The text of key NUMBER; borrowed until the next call. */
static inline kvzmq_slice_t client_key(bench_client_t *client, uint64_t number)
{
    entry_key_write(number, client->plan->key_size, client->key);
    return kvzmq_text_of(client->key, client->plan->key_size);
}

#endif
