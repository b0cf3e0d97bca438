/* SPDX-License-Identifier: MPL-2.0 */
/* A connection of peer_client to another server, and what its protocol must know to be measured. */
#ifndef KV_TESTS_BENCH_PEER_H
#define KV_TESTS_BENCH_PEER_H

#include "tests/bench/result.h"
#include "tests/bench/workload.h"

enum {
    PEER_INPUT_SIZE = 128 * 1024, /* most bytes of one recv */
    PEER_LINE_SIZE = 512,         /* most bytes of a line or a request */
    PEER_INBOX_SIZE = 12          /* bytes of a connection's inbox */
};

typedef enum op { OP_GET, OP_PUT } op_t;

typedef struct connection connection_t;

/* How to speak with a server. */
typedef struct protocol {
    const char *name;
    /* Appends a batch to REQUEST, and to ANSWER what `take` compares the answer with. */
    void (*write)(buffer_t *request, buffer_t *answer, op_t op, const uint64_t *keys, uint64_t batch);
    /* Writes what differs between connections into a batch that is about to be sent; may be NULL. */
    void (*address)(const connection_t *connection, uint8_t *batch, size_t size);
    /* Checks the complete answers in DATA. Returns how many bytes it consumed. */
    size_t (*take)(connection_t *connection, bytes_t data);
    void (*greet)(connection_t *connection);  /* begins a connection; may be NULL */
    void (*create)(connection_t *connection); /* prepares the server for the first put; may be NULL */
} protocol_t;

extern const protocol_t peer_redis;
extern const protocol_t peer_memcached;
extern const protocol_t peer_nats;

typedef struct load {
    const protocol_t *protocol;
    const char *what;
    op_t op;
    bool sequential; /* put each key in turn */
    uint64_t messages;
    uint64_t batch;
    uint64_t in_flight; /* batches of one connection */
    uint64_t keys;
    uint64_t connections;
} load_t;

/* The state that all connections share. */
typedef struct run {
    size_t payloads;    /* prepared payloads */
    buffer_t *requests; /* [payloads] */
    buffer_t *answers;  /* [payloads] */
    uint64_t sent;      /* batches of all connections */
    uint64_t answered;  /* batches of all connections */
    result_t *result;   /* NULL while warming up */
} run_t;

/* A batch in flight. */
typedef struct pending {
    double sent;
    size_t payload; /* index of the prepared payload */
} pending_t;

struct connection {
    const load_t *load;
    run_t *run;
    int fd;
    char inbox[PEER_INBOX_SIZE + 1]; /* where answers are sent, if the protocol has such a thing */
    uint8_t *input;                  /* [PEER_INPUT_SIZE]; the first `kept` bytes are an incomplete answer */
    size_t kept;
    uint8_t *output; /* [output_room]; the bytes from `written` to `filled` are still to be sent */
    size_t output_room;
    size_t written;
    size_t filled;
    pending_t *pending; /* [in_flight], a ring */
    uint64_t oldest;    /* batches answered so far; also the position of the oldest in the ring */
    uint64_t sent;      /* batches sent so far */
    size_t answered;    /* how much of the oldest batch is answered, in the protocol's unit */
    uint64_t sequence;  /* of the last answer, if the protocol numbers them */
};

/* Ends the process with one line on stderr and status 1. */
_Noreturn void peer_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Fails with errno unless DONE. */
void peer_check(bool done, const char *what);

/* Appends a text of less than PEER_LINE_SIZE bytes. */
void peer_append(buffer_t *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What `write` noted about the batch that must be answered next. Fails if there is none. */
bytes_t peer_expected(const connection_t *connection);
/* Call when that batch is answered. */
void peer_answered(connection_t *connection);

/* Appends BYTES to the output. There must be room. */
void peer_output(connection_t *connection, bytes_t bytes);
/* Sends TEXT and reads until ANSWER or an error arrives; an error ends the process. Blocks. */
void peer_dialogue(connection_t *connection, const char *text, const char *answer);

/* The `take` of protocols whose answers are known to the byte: `write` noted them. */
size_t peer_take_exact(connection_t *connection, bytes_t data);

#endif
