/* SPDX-License-Identifier: MPL-2.0 */
/* What fanout says to a broker and reads from it: requests, the ticket, the seq of what is published. Any
 * failure ends the process. */
#ifndef KV_TESTS_BENCH_FANOUT_SESSION_H
#define KV_TESTS_BENCH_FANOUT_SESSION_H

#include <zmq.h>

#include "common/rpc.h"

enum {
    FANOUT_PATIENCE_MS = 10000, /* longest time without progress */
    FANOUT_TEXT_SIZE = 128      /* bytes of an endpoint or credential, with its zero */
};

/* What a subscriber needs to connect. */
typedef struct fanout_ticket {
    char endpoint[FANOUT_TEXT_SIZE]; /* of the event socket */
    char username[FANOUT_TEXT_SIZE];
    char password[FANOUT_TEXT_SIZE];
} fanout_ticket_t;

/* Ends the process with one line on stderr and status 1. */
_Noreturn void fanout_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Fails with libzmq's error unless DONE. */
void fanout_check(bool done, const char *what);

/* Returns a new socket of TYPE without limits on its queues. */
void *fanout_socket(void *context, int type);

/* Sends PAYLOAD, one request, releases it and receives the answer. REPLY borrows from ANSWER. */
void fanout_call(void *socket, buffer_t *payload, zmq_msg_t *answer, rpc_reply_t *reply);
/* Makes the session on SOCKET one of the manager USER, and requests a ticket. */
void fanout_ticket(void *socket, const char *user, const char *password, fanout_ticket_t *ticket);

/* Returns the seq of an event or a sync. */
uint64_t fanout_seq(zmq_msg_t *payload);

#endif
