/* SPDX-License-Identifier: MPL-2.0 */
/* A connection's libzmq context: the application's, or one of its own that is made anew where it has to be.
 */
#ifndef KV_CLIENT_LIB_CONTEXT_H
#define KV_CLIENT_LIB_CONTEXT_H

#include <stdbool.h>

#include "common/status.h"

enum {
    /* Descriptors that libzmq opens with the first socket of a context (two threads, each with a mailbox and
       a poller); it aborts if it gets too few. */
    CONTEXT_DESCRIPTORS = 4,
    /* And one more for each new context. */
    CONTEXT_DESCRIPTORS_NEW = 1
};

typedef struct context {
    void *zmq;        /* libzmq's; NULL = to be made */
    bool owned;       /* it is not the application's */
    bool started;     /* a socket was made in it: its threads run */
    bool spent;       /* its start failed halfway, which libzmq does not get over */
    unsigned process; /* that it belongs to: system_process */
} context_t;

/* GIVEN: the application's context, NULL = one of its own. False if that is refused. */
KV_MUST_USE bool context_init(context_t *context, void *given);
/* Ends an own context, all of whose sockets are closed. One of a parent process is left alone. */
void context_release(context_t *context);

/* Sees to it that sockets can be made in the context, which need DESCRIPTORS beside the context's own.
 *   STATUS_RESOURCE_EXHAUSTED   memory, threads or descriptors are refused
 *   STATUS_FAILED_PRECONDITION  the application's context was made before a fork, and this is the child */
KV_MUST_USE status_t context_prepare(context_t *context, unsigned descriptors);

/* Tells how making the first socket after context_prepare went. */
void context_used(context_t *context, bool made);

/* Whether it belongs to a parent process. */
bool context_foreign(const context_t *context);

#endif
