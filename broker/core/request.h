/* SPDX-License-Identifier: MPL-2.0 */
/* A request as its handler finds it, and what a handler can say about it. Knows neither who carries requests
 * out nor any method. */
#ifndef KV_BROKER_CORE_REQUEST_H
#define KV_BROKER_CORE_REQUEST_H

#include "broker/core/accounts.h"
#include "broker/core/params.h"
#include "broker/core/wait.h"
#include "common/buffer.h"

struct hub;
struct session;
struct client;
struct method;

enum { REQUEST_PROBLEM_SIZE = PARAM_PROBLEM_SIZE };

/* What became of a request: what its handler returns. */
typedef enum handling {
    HANDLED, /* the result is appended to `answer` */
    FAILED,  /* `status` and `problem` say why; nothing was changed. See request_fail */
    WAITS,   /* for what request_wait named; then the method's `finish` is called */
    AGAIN    /* has more to do than one turn may take, and remembers how far it got: call it anew in the next
                turn, as if the request came then */
} handling_t;

typedef struct request {
    struct hub *hub;
    struct session *session;
    struct client *client; /* the client it is about: the session's own, or the one named; NULL if one named
                              is not there and need not be */
    const struct method *method; /* what it is to do; of `manage`, the method that that names */
    args_t args;
    buffer_t *answer; /* the handler appends one value here; dropped unless it returns HANDLED */
    int64_t now_ms;
    status_t status; /* of an error */
    bool has_detail; /* of an error */
    uint64_t detail;
    uint64_t cost;                      /* of one that looks at many things: their number */
    wait_t wait;                        /* WAITS: for this, */
    int64_t until_ms;                   /* and WAIT_DELAY: until then */
    char problem[REQUEST_PROBLEM_SIZE]; /* of an error: one line for people, valid UTF-8 */
} request_t;

/* Carries out a request whose params are bound. */
typedef handling_t handler_fn(request_t *request);
/* Goes on with a request that waited, or with what came of its command at once; if it waited, args and client
 * are gone by then. May wait again. */
typedef handling_t finish_fn(request_t *request, const wait_result_t *result);

/* Notes an error and returns FAILED. */
handling_t request_fail(request_t *request, status_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* UNAVAILABLE: the system refused memory. RESOURCE_EXHAUSTED is for limits, which somebody set. */
handling_t request_fail_memory(request_t *request);
/* NOT_FOUND: there is no client ID. */
handling_t request_fail_absent(request_t *request, bytes_t id);
/* UNAUTHENTICATED: the session's name is claimed, and it has not given the secret. */
handling_t request_fail_unproven(request_t *request);

/* Notes what the request waits for and returns WAITS. UNTIL_MS is of no meaning unless WAIT_DELAY; of those,
 * a later request must not wait for an earlier time. */
handling_t request_wait(request_t *request, wait_t wait, int64_t until_ms);

#endif
