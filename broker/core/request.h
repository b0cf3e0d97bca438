/* SPDX-License-Identifier: MPL-2.0 */
/* A request as its handler sees it, and what a handler can return. Knows neither who executes requests nor
 * any method. */
#ifndef KV_BROKER_CORE_REQUEST_H
#define KV_BROKER_CORE_REQUEST_H

#include "broker/core/params.h"
#include "broker/core/wait.h"
#include "common/buffer.h"

struct hub;
struct session;
struct client;
struct method;

enum { REQUEST_PROBLEM_SIZE = PARAM_PROBLEM_SIZE };

/* What a handler returns. */
typedef enum handling {
    HANDLED, /* the result is appended to `answer` */
    FAILED,  /* `status` and `problem` say why; nothing was changed. See request_fail */
    WAITS,   /* the request waits for what request_wait said; then the method's `finish` is called */
    AGAIN /* it needs another turn, and remembers how far it got: it is executed again from the start, as if
             it arrived then */
} handling_t;

typedef struct request {
    struct hub *hub;
    struct session *session;
    struct client *client; /* the client it is about: the session's own, or the one named; NULL if the one
                              named need not exist and does not */
    const struct method *method; /* the method to execute; for `manage`, the method that it names */
    args_t args;
    buffer_t *answer; /* the handler appends one value here; dropped unless it returns HANDLED */
    int64_t now_ms;
    status_t status; /* of an error */
    bool has_detail; /* of an error */
    uint64_t detail;
    uint64_t cost;                      /* number of items visited, if there can be many */
    wait_t wait;                        /* WAITS: what for */
    int64_t until_ms;                   /* WAIT_DELAY: until when, monotonic */
    char problem[REQUEST_PROBLEM_SIZE]; /* of an error: one line for people, valid UTF-8 */
} request_t;

/* Executes a request whose params are bound. */
typedef handling_t handler_fn(request_t *request);
/* Continues a request that waited, or whose command was applied at once. If it waited, args and client are no
 * longer set. May wait again. */
typedef handling_t finish_fn(request_t *request, const wait_result_t *result);

/* Sets the error and returns FAILED. */
handling_t request_fail(request_t *request, status_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* UNAVAILABLE: the system refused memory. RESOURCE_EXHAUSTED is for configured limits. */
handling_t request_fail_memory(request_t *request);
/* NOT_FOUND: there is no client ID. */
handling_t request_fail_absent(request_t *request, bytes_t id);
/* UNAUTHENTICATED: the session's name is claimed, and it has not given the secret. */
handling_t request_fail_unproven(request_t *request);

/* Sets what the request waits for and returns WAITS. UNTIL_MS is only for WAIT_DELAY, and must not be before
 * that of an earlier request. */
handling_t request_wait(request_t *request, wait_t wait, int64_t until_ms);

#endif
