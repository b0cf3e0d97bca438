/* SPDX-License-Identifier: MPL-2.0 */
/* One request: found in the table of methods, checked in the order of PROTOCOL.md section 2, and handed to
 * its handler. */
#ifndef KV_BROKER_CORE_DISPATCH_H
#define KV_BROKER_CORE_DISPATCH_H

#include "broker/core/hub.h"
#include "broker/core/params.h"

enum { REQUEST_PROBLEM_SIZE = PARAM_PROBLEM_SIZE };

/* A request as its handler finds it. */
typedef struct request {
    hub_t *hub;
    session_t *session;
    client_t *client; /* the client it is about: the session's own, or the one named; NULL if one named is
                         not there and need not be */
    args_t args;
    buffer_t *answer; /* the handler appends its result here */
    int64_t now_ms;
    bool has_detail; /* of an error */
    uint64_t detail;
    char problem[REQUEST_PROBLEM_SIZE]; /* of an error: one line for people, valid UTF-8 */
} request_t;

/* A handler appends one value to request->answer and returns STATUS_OK; or calls request_fail; or parks the
 * session (session_park, request_again) and returns STATUS_OK: what it appended is dropped, and the request
 * is finished later by payload_resume.
 */
typedef status_t handler_fn(request_t *request);

typedef struct method {
    const char *name;
    size_t name_size; /* characters of it */
    role_t role;
    uint32_t required;
    param_t params[PARAMS_MAX];
    unsigned options;
    unsigned managed_options; /* METHOD_UNMANAGED: not to be had through `manage` */
    bool changes;             /* its answer must be known to fit before it is carried out */
    handler_fn *handler;      /* NULL: `manage`, which stands for the method that it names */
} method_t;

enum { METHOD_UNMANAGED = 1 << 30 };

/* The method called NAME, or NULL. */
const method_t *method_find(bytes_t name);

/* Parks the session: the request is carried out anew in the next turn, as if it came then. For work that is
 * too long for one turn and is remembered as far as it got. Returns what the handler returns. */
status_t request_again(request_t *request);

/* Notes the text of an error and returns STATUS. */
status_t request_fail(request_t *request, status_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* UNAVAILABLE: the system refused memory. RESOURCE_EXHAUSTED is for limits, which somebody set. */
status_t request_fail_memory(request_t *request);

/* UNAUTHENTICATED: the session's name is claimed, and it has not given the secret. */
status_t request_fail_unproven(request_t *request);

/* Checks and carries out MESSAGE (a request or a notification). request->hub, session, answer and now_ms are
 * set; the rest is set here. METHOD is what method_find gave for it. */
KV_MUST_USE status_t dispatch(request_t *request, const method_t *method, const rpc_message_t *message);

#endif
