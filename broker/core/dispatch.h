/* SPDX-License-Identifier: MPL-2.0 */
/* Executes one request: finds it in the table of methods, checks it in the order of PROTOCOL.md section 2,
 * and calls its handler. */
#ifndef KV_BROKER_CORE_DISPATCH_H
#define KV_BROKER_CORE_DISPATCH_H

#include "broker/core/request.h"
#include "broker/core/session.h"

/* Flags of a method. */
enum {
    METHOD_CHANGES = 1 << 0,   /* changes something: its answer must be known to fit before it is executed */
    METHOD_PROVES = 1 << 1,    /* may be called before the secret of a claimed name is given */
    METHOD_ADMITS = 1 << 2,    /* may be called by a session that was refused (limits/clients, memory) */
    METHOD_OF_CLAIM = 1 << 3,  /* its client need not exist: a claim that a client made will do */
    METHOD_MANAGES = 1 << 4,   /* `manage`: executes the method that it names */
    METHOD_UNMANAGED = 1 << 5, /* cannot be called through `manage` */
    METHOD_READS = 1 << 6,     /* its answer depends on what others changed */
    METHOD_STREAMS = 1 << 7    /* waits only for an outcome, and does not depend on the answers of others that
                                  stream: several can be pending */
};

typedef struct method {
    const char *name;
    size_t name_size; /* characters of it */
    role_t role;      /* the lowest role that may call it */
    uint32_t required;
    param_t params[PARAMS_MAX];
    unsigned options;
    unsigned managed_options; /* options under `manage` */
    unsigned flags;
    handler_fn *handler; /* NULL: METHOD_MANAGES */
    finish_fn *finish;   /* NULL: it never waits */
} method_t;

/* The method called NAME, or NULL. */
const method_t *method_find(bytes_t name);

/* Checks and executes MESSAGE, a request or a notification. The caller sets request->hub, session, answer and
 * now_ms. METHOD is the result of method_find for it. Returns as a handler does. */
KV_MUST_USE handling_t dispatch(request_t *request, const method_t *method, const rpc_message_t *message);

#endif
