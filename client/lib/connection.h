/* SPDX-License-Identifier: MPL-2.0 */
/* The connection object, and how one request is sent and its answer waited for. Private to the files of the
 * library that know connections: connection.c, session.c, call.c, batch.c. */
#ifndef KV_CLIENT_LIB_CONNECTION_H
#define KV_CLIENT_LIB_CONNECTION_H

#include "client/lib/context.h"
#include "client/lib/keeper.h"
#include "client/lib/options.h"
#include "client/lib/queue.h"
#include "common/rpc.h"

enum {
    CONNECTION_ERROR_SIZE = 512,          /* bytes of an error's text with its zero */
    CONNECTION_SESSION_REQUEST_MAX = 4096 /* bytes of a hello, auth or bye */
};

/* Who takes what a broker pushes about the own store: changes.c, once the application has asked for it. */
typedef struct push {
    /* A session is ready for a call, which has until DEADLINE; called for each call. Any status but KVZMQ_OK
     * ends the call and has its error text set. NULL = nobody takes anything. */
    kvzmq_status_t (*begin)(void *context, int64_t deadline);
    /* Takes the params of a `changed`, borrowed until it returns. */
    void (*take)(void *context, bytes_t params);
    /* The connection goes: frees CONTEXT. */
    void (*release)(void *context);
    void *context;
} push_t;

struct kvzmq {
    options_t options;
    context_t context;       /* libzmq's */
    link_t *link;            /* NULL = not connected */
    bool live;               /* the broker knows our session: hello was answered, no bye since */
    bool ended;              /* the broker said bye for good: the link is of no use any more */
    bool garbled;            /* something came that is not of the protocol: likewise */
    bool hopeless;           /* the last attempt to connect failed, and another one would fail too */
    bool authenticated;      /* the session has the options' account */
    keeper_t *keeper;        /* keeps the session between calls; NULL = not wanted, or none yet */
    unsigned depth;          /* calls that hold its lock, one within the other */
    kvzmq_session_t session; /* what the newest hello said */
    uint64_t sessions;       /* begun so far */
    int64_t sent_ms;         /* when the newest message was sent, monotonic */
    int64_t
        progress_ms;  /* when the batches in flight last moved: one was sent to an idle link, or answered */
    int64_t limit_ms; /* the time limit of the call under way, for error texts */
    uint32_t msgid;   /* the newest one used */
    buffer_t request; /* the bytes of the call under way */
    buffer_t session_request; /* of the hello, auth or bye around it */
    queue_t queue;            /* batches in flight */
    push_t push;              /* of changes of the own store */
    bool has_detail;
    uint64_t detail;                   /* of the last error */
    char error[CONNECTION_ERROR_SIZE]; /* its text, "" = none */
};

/* An answer that was received. Owned: response_release. */
typedef struct response {
    payload_t payload;
    rpc_reply_t reply; /* borrows from it */
} response_t;

static inline void response_release(response_t *response)
{
    payload_release(&response->payload);
}

/* libzmq's context of a connection that was live once, for sockets that are closed before it is destroyed. */
void *connection_context(const kvzmq_t *conn);
/* In the child of a fork: closes the copy of the connection's descriptor, and does not touch what the
 * parent's threads use. */
void connection_abandon(kvzmq_t *conn);

/* Every public call that uses the link, or what the keeper reads, does so between these two; the keeper waits
 * meanwhile. Pairs may be nested. */
void connection_enter(kvzmq_t *conn);
void connection_leave(kvzmq_t *conn);

/* Begins a public call: forgets the last error and starts the time limit, which *DEADLINE is the end of (may
 * be NULL). KVZMQ_INVALID_ARGUMENT where the options are not valid. */
KV_MUST_USE kvzmq_status_t connection_begin(kvzmq_t *conn, int limit_ms, int64_t *deadline);

/* Sets the error text, and returns STATUS. */
kvzmq_status_t connection_fail(kvzmq_t *conn, kvzmq_status_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The status of an error that the broker answered; its text and detail become the connection's. */
kvzmq_status_t connection_refused(kvzmq_t *conn, const rpc_reply_t *reply);
/* KVZMQ_PROTOCOL: what METHOD was answered with is not its result. */
kvzmq_status_t connection_garbled(kvzmq_t *conn, const char *method);

/* A msgid that no request in flight has. */
uint32_t connection_msgid(kvzmq_t *conn);

/* Whether a wait that a signal ended is to be given up. */
bool connection_interrupted(const kvzmq_t *conn);

/* Closes the link; batches that wait fail because of WHY. */
void connection_drop(kvzmq_t *conn, kvzmq_status_t why);

/* Takes what has arrived: carries out pushes, gives answers to their batches, and stops at the answer to
 * WANTED (0 = none is waited for): true, *RESPONSE is owned by the caller. There must be a link. */
bool connection_take(kvzmq_t *conn, uint32_t wanted, response_t *response);

/* Sends PAYLOAD over the link, whatever the session's state. KVZMQ_UNREACHABLE: it was not sent, the link is
 * dropped. */
KV_MUST_USE kvzmq_status_t connection_send(kvzmq_t *conn, bytes_t payload);

/* Waits for the answer to MSGID until DEADLINE. KVZMQ_OK: *RESPONSE is owned by the caller, error or not.
 * KVZMQ_UNREACHABLE, KVZMQ_TIMEOUT, KVZMQ_PROTOCOL: the link is dropped. KVZMQ_INTERRUPTED. */
KV_MUST_USE kvzmq_status_t connection_await(kvzmq_t *conn, uint32_t msgid, int64_t deadline,
                                            response_t *response);

#endif
