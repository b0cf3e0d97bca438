/* SPDX-License-Identifier: MPL-2.0 */
/* The connection object: sends a request and waits for its answer. Private to the library. */
#ifndef KV_CLIENT_LIB_CONNECTION_H
#define KV_CLIENT_LIB_CONNECTION_H

#include "client/lib/context.h"
#include "client/lib/keeper.h"
#include "client/lib/options.h"
#include "client/lib/queue.h"
#include "common/rpc.h"

enum {
    CONNECTION_ERROR_SIZE = 512,          /* bytes of an error text, with its terminating zero */
    CONNECTION_SESSION_REQUEST_MAX = 4096 /* bytes of a hello, auth, bye or watch */
};

/* Receives the changes of the own store that the broker pushes. changes.c sets it when the application asks
 * for them. */
typedef struct push {
    /* Called before each request, with a live session. May make requests until DEADLINE. Any status but
     * KVZMQ_OK ends the call; the error text is then set. NULL = changes are not wanted. */
    kvzmq_status_t (*begin)(void *context, int64_t deadline);
    /* Handles the params of a pushed `changed`, borrowed until it returns. */
    void (*take)(void *context, bytes_t params);
    /* Frees CONTEXT when the connection is destroyed. */
    void (*release)(void *context);
    void *context;
} push_t;

struct kvzmq {
    options_t options;
    context_t context;       /* libzmq's */
    link_t *link;            /* NULL = not connected */
    bool live;               /* there is a session: hello was answered, and no bye came since */
    bool ended;              /* the broker ended the connection with a bye: drop the link */
    bool garbled;            /* the broker violated the protocol: drop the link */
    bool hopeless;           /* the last attempt to connect failed, and another one would fail too */
    bool authenticated;      /* the session has the options' account */
    keeper_t *keeper;        /* keeps the session alive between calls; NULL = not wanted, or not started */
    unsigned depth;          /* nesting of connection_enter */
    kvzmq_session_t session; /* what the newest hello said */
    uint64_t sessions;       /* begun so far */
    int64_t sent_ms;         /* when the newest message was sent, monotonic */
    int64_t
        progress_ms;  /* when the batches in flight last moved: one was sent to an idle link, or answered */
    int64_t limit_ms; /* the time limit of the current call, for error texts */
    uint32_t msgid;   /* the last one used */
    buffer_t request; /* the bytes of the current call */
    buffer_t session_request; /* the bytes of a hello, auth, bye or watch */
    queue_t queue;            /* batches in flight */
    push_t push;              /* changes of the own store */
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

/* The connection's libzmq context. The connection must have had a session. Close sockets in this context
 * before the connection is destroyed. */
void *connection_context(const kvzmq_t *conn);
/* In the child of a fork: closes the child's copy of the connection's descriptor. Touches nothing that the
 * parent's threads use. */
void connection_abandon(kvzmq_t *conn);

/* A public call uses the link, and the members that the keeper reads, only between these two. The keeper
 * waits meanwhile. Pairs may be nested. */
void connection_enter(kvzmq_t *conn);
void connection_leave(kvzmq_t *conn);

/* Begins a public call: clears the last error and starts the time limit. DEADLINE (may be NULL) receives its
 * end. KVZMQ_INVALID_ARGUMENT if the options are not valid. */
KV_MUST_USE kvzmq_status_t connection_begin(kvzmq_t *conn, int limit_ms, int64_t *deadline);

/* Sets the error text, and returns STATUS. */
kvzmq_status_t connection_fail(kvzmq_t *conn, kvzmq_status_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Sets the error text and detail from an error answer of the broker, and returns its status. */
kvzmq_status_t connection_refused(kvzmq_t *conn, const rpc_reply_t *reply);
/* Sets the error text for an answer to METHOD that is not a valid result. Returns KVZMQ_PROTOCOL. */
kvzmq_status_t connection_garbled(kvzmq_t *conn, const char *method);

/* A msgid that no request in flight has. */
uint32_t connection_msgid(kvzmq_t *conn);

/* Asks the application whether to end a wait after a signal. */
bool connection_interrupted(const kvzmq_t *conn);

/* Closes the link. Batches that wait for an answer fail with WHY. */
void connection_drop(kvzmq_t *conn, kvzmq_status_t why);

/* Takes what has arrived: handles pushes and assigns answers to their batches. Stops at the answer to the
 * request with msgid WANTED (0 = none) and returns true; the caller then owns *RESPONSE. There must be a
 * link. */
bool connection_take(kvzmq_t *conn, uint32_t wanted, response_t *response);

/* Sends PAYLOAD over the link, without checking the session. KVZMQ_UNREACHABLE: it was not sent, and the link
 * is dropped. */
KV_MUST_USE kvzmq_status_t connection_send(kvzmq_t *conn, bytes_t payload);

/* Waits for the answer to MSGID until DEADLINE. KVZMQ_OK: the caller owns *RESPONSE, which may be an error
 * answer. KVZMQ_UNREACHABLE, KVZMQ_TIMEOUT, KVZMQ_PROTOCOL: the link is dropped. Or KVZMQ_INTERRUPTED. */
KV_MUST_USE kvzmq_status_t connection_await(kvzmq_t *conn, uint32_t msgid, int64_t deadline,
                                            response_t *response);

#endif
