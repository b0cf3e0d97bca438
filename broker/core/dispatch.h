/* SPDX-License-Identifier: MPL-2.0 */
/* One request: found in the table of methods, checked in the order of PROTOCOL.md section 2, and handed to
 * its handler. */
#ifndef KV_BROKER_CORE_DISPATCH_H
#define KV_BROKER_CORE_DISPATCH_H

#include "broker/core/request.h"
#include "broker/core/session.h"

/* Flags of a method. */
enum {
    METHOD_CHANGES = 1 << 0, /* changes something: its answer must be known to fit before it is carried out */
    METHOD_PROVES = 1 << 1,  /* may be called before the secret of a claimed name is given */
    METHOD_ADMITS = 1 << 2,  /* may be called by a session that was refused (limits/clients, memory) */
    METHOD_OF_CLAIM = 1 << 3,  /* its client may be a mere claim that a client made */
    METHOD_MANAGES = 1 << 4,   /* `manage`: stands for the method that it names */
    METHOD_UNMANAGED = 1 << 5, /* cannot be called through `manage` */
    METHOD_READS = 1 << 6,     /* its answer depends on what others changed */
    METHOD_STREAMS = 1 << 7 /* all that it can wait for is an outcome: others that stream may be carried out
                               meanwhile, as it does not depend on what they answer */
};

typedef struct method {
    const char *name;
    size_t name_size; /* characters of it */
    role_t role;      /* who may */
    uint32_t required;
    param_t params[PARAMS_MAX];
    unsigned options;
    unsigned managed_options; /* those that it takes through `manage` */
    unsigned flags;
    handler_fn *handler; /* NULL: METHOD_MANAGES */
    finish_fn *finish;   /* NULL: it never waits */
} method_t;

/* The method called NAME, or NULL. */
const method_t *method_find(bytes_t name);

/* Checks and carries out MESSAGE (a request or a notification). request->hub, session, answer and now_ms are
 * set; the rest is set here. METHOD is what method_find gave for it. Returns as a handler does. */
KV_MUST_USE handling_t dispatch(request_t *request, const method_t *method, const rpc_message_t *message);

#endif
