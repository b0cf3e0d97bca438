/* SPDX-License-Identifier: MPL-2.0 */
/* A connection's libzmq context: the application's, or its own, which is replaced if necessary. */
#ifndef KV_CLIENT_LIB_CONTEXT_H
#define KV_CLIENT_LIB_CONTEXT_H

#include <stdbool.h>

#include "common/status.h"

enum {
    /* Descriptors that libzmq opens with the first socket of a context (two threads, each with a mailbox and
       a poller); it aborts if it gets too few. */
    CONTEXT_DESCRIPTORS = 4,
    /* One more for a new context. */
    CONTEXT_DESCRIPTORS_NEW = 1
};

typedef struct context {
    void *zmq;        /* libzmq's; NULL = not made yet */
    bool owned;       /* it is not the application's */
    bool started;     /* a socket was made in it, so its threads run */
    bool spent;       /* the first socket failed; libzmq cannot use the context after that */
    unsigned process; /* the process that made it: system_process */
} context_t;

/* GIVEN: the application's context, NULL = make one. False if that fails. */
KV_MUST_USE bool context_init(context_t *context, void *given);
/* Ends the context if it is owned. All its sockets must be closed. A context of a parent process is left
 * alone. */
void context_release(context_t *context);

/* Makes sure that libzmq can make sockets in the context without an abort. DESCRIPTORS: how many these
 * sockets need, not counting the context's own.
 *   STATUS_RESOURCE_EXHAUSTED   memory, threads or descriptors are refused
 *   STATUS_FAILED_PRECONDITION  the application's context was made before a fork, and this is the child */
KV_MUST_USE status_t context_prepare(context_t *context, unsigned descriptors);

/* Reports the first socket after context_prepare: MADE, or failed. */
void context_used(context_t *context, bool made);

/* Whether it belongs to a parent process. */
bool context_foreign(const context_t *context);

#endif
