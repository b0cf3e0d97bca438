/* SPDX-License-Identifier: MPL-2.0 */
/* libkvzmq: a client of kvbroker, the message-queue based key-value broker. The one header to include.
 *
 *     kvzmq_options_t options;
 *     kvzmq_options_init(&options);
 *     options.endpoint = "tcp://127.0.0.1:5000";
 *
 *     kvzmq_t *conn = kvzmq_new(&options);
 *     if (kvzmq_put(conn, NULL, kvzmq_text("city"), kvzmq_text("Kolkata"), NULL, NULL) != KVZMQ_OK)
 *         fprintf(stderr, "%s\n", kvzmq_error(conn));
 *     kvzmq_destroy(&conn);
 *
 * Threads. Use a connection (kvzmq_t) and what was made from it (batches) in one thread at a time: they have
 * no locks. (The thread of the option keep_alive is safe.) Different connections may be used in different
 * threads at the same time. Values and pages belong to the program and do not need the connection. A watch
 * and a mirror have a thread of their own. One thread at a time may read a watch; any thread may read a
 * mirror.
 *
 * Signals. A signal never makes a call fail, whatever its handler's flags: a call that waits continues to
 * wait, unless the option `interrupted` ends it. The library's threads block all signals.
 *
 * Forks. A connection that was made before fork() or daemon() may be used and destroyed in the child. There
 * it begins a session of its own (KVZMQ_NOTICE_RECONNECTED; a client without a name is a new client), and
 * requests in flight are answered as after a broken connection. The parent's session is not touched, and ends
 * with the parent. An application's zmq_context cannot cross a fork: with one, each call in the child returns
 * KVZMQ_FAILED_PRECONDITION. So do the calls on a watch and a mirror: in the child, destroy them or make new
 * ones. A child that destroys what it does not use no longer holds the parent's sessions open: the broker
 * sees at once that the parent has ended. libzmq's other descriptors stay open in the child until it ends or
 * calls exec.
 *
 * Descriptors. If the process has too few descriptors left, or may not have more threads, calls return
 * KVZMQ_NO_MEMORY at once. They work again as soon as there are enough. A connection takes 10 descriptors; in
 * a shared zmq_context it takes 5.
 *
 * Names. A host in an endpoint is a name, an IPv4 address, or an IPv6 address with or without brackets. If a
 * name has several addresses, all are tried, in the order that the system gives, each for its part of the
 * time limit. A name that does not exist is KVZMQ_UNREACHABLE at once. If name servers do not answer,
 * attempts continue until the time limit. A lookup that is still running then finishes in a thread of its
 * own. There are at most 16 of these threads, and because of them the library cannot be unloaded.
 *
 * Time. Units are milliseconds (_ms). Every call that talks to the broker returns within its time limit.
 *
 * Sessions. The broker ends a session that sends nothing for `timeout_ms` (60 s by default, see
 * kvzmq_session). To keep a session, set the option `keep_alive`, or call kvzmq_ping in time. If the session
 * or its connection is gone, the next call makes a new one: it gives the name and the secret, and
 * authenticates only if the options have an account. A client without a name is then a new client with an
 * empty store: see KVZMQ_NOTICE_NEW_CLIENT.
 *
 * Repeating. If the connection breaks during a read, the read is repeated once on a new connection, within
 * its time limit. A write (put, del, role, forget, bye) is sent at most once: if no answer comes, the status
 * is KVZMQ_OUTCOME_UNKNOWN. A write that returns KVZMQ_UNREACHABLE or KVZMQ_TIMEOUT was certainly not sent.
 * (kvzmq_call: see its flags.)
 *
 * Texts. A zero byte follows every text or bytes that the library returns; `size` does not count it.
 *
 * Structs. A struct that may get more members in a later version begins with `size`: the bytes that it has
 * for the side that sets it, the program or the library. New members come at its end, so a program and a
 * library of different versions work together:
 *   - If the program fills in the struct (options, ranges): set the defaults with its _init function, or in
 *     one line: kvzmq_put_options_t brief = {.size = sizeof brief, .ttl_ms = 100}; (C, C++20). Members that
 *     an older, shorter struct does not have get their defaults. A newer, longer struct is accepted if the
 *     members that this library does not know are zero. Otherwise, or without `size`, the call returns
 *     KVZMQ_INVALID_ARGUMENT.
 *   - If the library fills in the struct (events, answers, rows): there is nothing to do, the calls set
 *     `size`. An older struct gets what fits; in a newer one, members that this library does not know are
 *     zero. (That is why these calls are inline functions. A program that does not use this header, such as
 *     one in another language, sets `size` and calls the function of the same name that ends with _sized.)
 *   - If the struct is borrowed from the library (kvzmq_session, an event in a call-back): it may be shorter
 *     than in the program's header if the library is older. Check with KVZMQ_HAS before you read a member
 *     that is newer than the oldest library you want to support.
 * Structs without `size` (kvzmq_slice_t, kvzmq_value_t, kvzmq_position_t) never change. */
#ifndef KVZMQ_H
#define KVZMQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KVZMQ_VERSION_MAJOR 0
#define KVZMQ_VERSION_MINOR 1
#define KVZMQ_VERSION_PATCH 0

#if defined(__GNUC__)
#define KVZMQ_EXPORT   __attribute__((visibility("default")))
#define KVZMQ_MUST_USE __attribute__((warn_unused_result))
#else
#define KVZMQ_EXPORT
#define KVZMQ_MUST_USE
#endif

/* Whether the struct at POINTER, borrowed from the library, is long enough to have MEMBER. */
#define KVZMQ_HAS(pointer, member)                                                                           \
    ((size_t)((const char *)(&(pointer)->member + 1) - (const char *)(pointer)) <= (pointer)->size)

/* "0.1.0": the version of the library that runs. Static storage. */
KVZMQ_EXPORT const char *kvzmq_version(void);

/* ---- Status -------------------------------------------------------------------------------- */

/* Every status: X (name, number, meaning). Numbers never change. 1 to 31 are the broker's error codes,
 * of the same name on the wire; from 32 on they are the library's own. */
#define KVZMQ_STATUS_LIST(X)                                                                                 \
    X(OK, 0, "done")                                                                                         \
    X(INVALID_ARGUMENT, 1, "an argument or option is not valid; found by the library or by the broker")      \
    X(NOT_FOUND, 2, "there is no such client")                                                               \
    X(PERMISSION_DENIED, 3, "only managers may do that")                                                     \
    X(UNAUTHENTICATED, 4, "wrong user, password or secret, or the name's secret is missing")                 \
    X(RESOURCE_EXHAUSTED, 5,                                                                                 \
      "a limit is reached; or too many failures to authenticate: detail = ms to wait")                       \
    X(FAILED_PRECONDITION, 6, "a condition does not hold; of if_revision: detail = the revision it has")     \
    X(OUT_OF_RANGE, 7, "a position before the oldest or after the newest: detail = the oldest")              \
    X(UNIMPLEMENTED, 8, "the broker does not know the method")                                               \
    X(INTERNAL, 9, "the broker failed")                                                                      \
    X(UNAVAILABLE, 10, "the broker cannot do it now; try again later")                                       \
    X(ABSENT, 32, "there is no such key; an answer, not an error")                                           \
    X(TIMEOUT, 33, "connected, but no answer within the time limit")                                         \
    X(UNREACHABLE, 34, "no connection within the time limit, or it broke")                                   \
    X(OUTCOME_UNKNOWN, 35, "a write was sent and not answered: it may or may not have been carried out")     \
    X(INTERRUPTED, 36, "interrupted while waiting; a write may have been carried out")                       \
    X(BUSY, 37, "as many batches are in flight as the options allow: kvzmq_poll first")                      \
    X(NO_MEMORY, 38, "memory, descriptors or threads are refused")                                           \
    X(PROTOCOL, 39, "an answer is not what the protocol says: not a kvbroker, or a newer protocol")          \
    X(OTHER, 40, "an error code that this library does not know; kvzmq_error has it")

typedef enum kvzmq_status {
#define KVZMQ_STATUS_ENUMERATOR(name, number, meaning) KVZMQ_##name = number,
    KVZMQ_STATUS_LIST(KVZMQ_STATUS_ENUMERATOR)
#undef KVZMQ_STATUS_ENUMERATOR
} kvzmq_status_t;

/* "NOT_FOUND" and the like; "?" for a number that is no status. Static storage. */
KVZMQ_EXPORT const char *kvzmq_status_text(kvzmq_status_t status);
/* What it means, for people, in a few words: the list's third column; "?" likewise. Static storage. */
KVZMQ_EXPORT const char *kvzmq_status_meaning(kvzmq_status_t status);

/* ---- Bytes --------------------------------------------------------------------------------- */

/* Borrowed bytes, for keys and values. */
typedef struct kvzmq_slice {
    const char *data; /* may be NULL if size is 0 */
    size_t size;      /* bytes */
    bool binary;      /* of a value: MessagePack bin, else str, which must be UTF-8. Ignored elsewhere */
} kvzmq_slice_t;

/* A zero-terminated text (UTF-8). */
static inline kvzmq_slice_t kvzmq_text(const char *text)
{
    kvzmq_slice_t slice = {text, strlen(text), false};
    return slice;
}

/* SIZE bytes of text (UTF-8), zero bytes allowed. */
static inline kvzmq_slice_t kvzmq_text_of(const char *data, size_t size)
{
    kvzmq_slice_t slice = {data, size, false};
    return slice;
}

/* SIZE bytes of any kind. */
static inline kvzmq_slice_t kvzmq_binary(const void *data, size_t size)
{
    kvzmq_slice_t slice = {(const char *)data, size, true};
    return slice;
}

/* Owned bytes: a value that a call returned. Free with kvzmq_value_release. */
typedef struct kvzmq_value {
    char *data;  /* never NULL in what a call returned; a zero byte follows */
    size_t size; /* bytes */
    bool binary; /* put as bin, else as str (UTF-8) */
} kvzmq_value_t;

/* Frees VALUE's bytes and empties it. An empty one ({0}) is allowed, and NULL. */
KVZMQ_EXPORT void kvzmq_value_release(kvzmq_value_t *value);

/* ---- Connections --------------------------------------------------------------------------- */

typedef struct kvzmq kvzmq_t; /* a connection to a broker */

/* News that the library reports besides answers. */
typedef enum kvzmq_notice {
    KVZMQ_NOTICE_BYE = 1,         /* the broker ended the session; text = its reason: "timeout", "shutdown",
                                     "forgotten", "revoked", ... */
    KVZMQ_NOTICE_RECONNECTED = 2, /* a new session has begun; text = the client id */
    KVZMQ_NOTICE_NEW_CLIENT = 3,  /* it belongs to another client than before, with an empty store (after
                                     RECONNECTED); text = the new client id */
    KVZMQ_NOTICE_NEW_EPOCH = 4,   /* the broker was restarted: all its stores were empty then, and revisions
                                     count from 1 again (after RECONNECTED); text = the new epoch */
    KVZMQ_NOTICE_NOTE = 5 /* the broker has a note about the new session; text = `note` of kvzmq_session */
} kvzmq_notice_t;

/* Called from within a call on the connection, in its thread. TEXT is borrowed until it returns. It must not
 * call the library on this connection, except kvzmq_session. */
typedef void kvzmq_notice_fn(void *context, kvzmq_notice_t notice, const char *text);

/* Called if a signal handler has run while a call waits, and before kvzmq_watch_next and kvzmq_listen begin
 * to wait, because they may wait for ever. True ends the call with KVZMQ_INTERRUPTED. */
typedef bool kvzmq_interrupted_fn(void *context);

#define KVZMQ_ENDPOINT_DEFAULT   "tcp://127.0.0.1:5000"
#define KVZMQ_CONNECT_MS_DEFAULT 5000
#define KVZMQ_CALL_MS_DEFAULT    5000
#define KVZMQ_BATCHES_DEFAULT    16
#define KVZMQ_BATCHES_MAX        1024

/* If all but `size` is zero, the defaults apply. kvzmq_new copies everything that it points to, except
 * `zmq_context` and `context`. */
typedef struct kvzmq_options {
    size_t size; /* bytes of this struct; set by kvzmq_options_init */
    const char
        *endpoint;  /* of the broker's request socket, tcp:// or ipc://; NULL = KVZMQ_ENDPOINT_DEFAULT */
    int connect_ms; /* time limit of kvzmq_connect, without authentication; 0 = the default, else from 1 */
    int call_ms;    /* time limit of every other call, reconnecting included; 0 = the default, else from 1 */
    bool connect_once; /* true: if the first attempt is refused, return KVZMQ_UNREACHABLE. false: try until
                          the time limit, so that a broker that is still starting is found */
    bool keep_alive;   /* true: a thread of the library keeps each session from timing out while the program
                          does other work */
    const char *name;  /* the client's name: 1 to 200 bytes of printable ASCII without '/' and not digits
                          alone. NULL: a client by number, whose store is dropped with its session */
    kvzmq_slice_t secret; /* claims the name, or proves the claim: 16 to 256 bytes, kept in memory. Size 0 =
                             none; only with a name */
    const char *user; /* an account, to authenticate as a manager on each new session. NULL = none. Kept in
                         memory with its password until kvzmq_destroy, which wipes both */
    const char *password; /* of `user`; ignored without one */
    unsigned batches;     /* most batches in flight, to KVZMQ_BATCHES_MAX; 0 = KVZMQ_BATCHES_DEFAULT. Answers
                             not yet polled take at most this times the broker's `limit_message` of memory */
    void *zmq_context; /* a libzmq context to use; it must outlive the connection. NULL = one of its own, with
                          one I/O thread */
    kvzmq_notice_fn *notice;           /* NULL = none */
    kvzmq_interrupted_fn *interrupted; /* NULL = signals never end a call */
    void *context;                     /* given to both */
} kvzmq_options_t;

/* Sets every option to its default. */
static inline void kvzmq_options_init(kvzmq_options_t *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}

/* Makes a connection object, without connecting. OPTIONS is borrowed until return; NULL = the defaults.
 * Returns NULL only if memory or a libzmq context is refused. If an option is not valid, kvzmq_connect and
 * every other call return KVZMQ_INVALID_ARGUMENT. Free with kvzmq_destroy. */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_t *kvzmq_new(const kvzmq_options_t *options);

/* Closes the connection at once and frees it; answers not yet polled are lost. The broker sees the session as
 * lost; after kvzmq_bye, as ended. Batches made from it and not sent must be destroyed before. *CONN may be
 * NULL, and is set to it. */
KVZMQ_EXPORT void kvzmq_destroy(kvzmq_t **conn);

/* Every function below that takes a connection and returns a status replaces the connection's error text and
 * detail. Besides the statuses listed with it, each may return:
 *   KVZMQ_INVALID_ARGUMENT     options or arguments are not valid (the text says which)
 *   KVZMQ_UNREACHABLE          nobody listens at the endpoint, or the connection broke; the text names it
 *   KVZMQ_TIMEOUT              connected, but no answer in time
 *   KVZMQ_OUTCOME_UNKNOWN      writes only
 *   KVZMQ_UNAUTHENTICATED      the name is claimed and the secret is missing or wrong; or the broker refused
 * the account of the options (it is not tried again: the session continues as a guest)
 *   KVZMQ_FAILED_PRECONDITION  the name cannot be claimed now: it has other sessions or keys
 *   KVZMQ_RESOURCE_EXHAUSTED   a limit of the broker's (clients, failures to authenticate)
 *   KVZMQ_INTERRUPTED, KVZMQ_NO_MEMORY, KVZMQ_PROTOCOL, KVZMQ_OTHER, KVZMQ_INTERNAL, KVZMQ_UNAVAILABLE
 * Results are written only if the status is KVZMQ_OK. An out-pointer may be NULL if the result is not
 * needed. */

/* Connects, says hello, and authenticates if the options have an account. Does nothing if there is a live
 * session. Not needed before other calls: they connect by themselves, within call_ms. */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_connect(kvzmq_t *conn);

/* One line for people that says what went wrong in the last call, where, and what to do; "" after KVZMQ_OK
 * and KVZMQ_ABSENT. Valid UTF-8 without control characters. Borrowed until the next call. */
KVZMQ_EXPORT const char *kvzmq_error(const kvzmq_t *conn);

/* Whether the last error came with a number (a revision, milliseconds: see the status), and that number. */
KVZMQ_EXPORT bool kvzmq_detail(const kvzmq_t *conn, uint64_t *detail);

/* What the broker's hello said about the current session, or about the last one if that is gone. */
typedef struct kvzmq_session {
    size_t size;          /* bytes of this struct, see Structs above */
    char client[256];     /* the client id: the name, or a number's decimal text */
    char role[32];        /* "guest" or "manager"; updated by kvzmq_auth, not if a manager changes the role */
    char broker[128];     /* "kvbroker 0.1.0" */
    char epoch[128];      /* new with every start of the broker */
    uint64_t protocol;    /* 1 */
    uint64_t timeout_ms;  /* the session ends if it sends nothing for this time */
    uint64_t limit_key;   /* bytes of a key */
    uint64_t limit_value; /* bytes of a value */
    uint64_t limit_batch; /* requests in a batch */
    uint64_t limit_message; /* bytes of a batch, and of its answers */
    char note[256];         /* a note of the broker about the session, for people; "" = none */
} kvzmq_session_t;

/* Borrowed for the life of the connection; a later call may change it. NULL before the first session. */
KVZMQ_EXPORT const kvzmq_session_t *kvzmq_session(const kvzmq_t *conn);

/* How many sessions followed the first one, whether on a new connection or on the same one after a timeout.
 */
KVZMQ_EXPORT uint64_t kvzmq_reconnects(const kvzmq_t *conn);

/* The endpoint in use. Borrowed for the life of the connection. */
KVZMQ_EXPORT const char *kvzmq_endpoint(const kvzmq_t *conn);

/* Says hello again, which updates kvzmq_session (for example the role). */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_hello(kvzmq_t *conn);

/* Checks that the broker answers. Like every request, this keeps the session from timing out. */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_ping(kvzmq_t *conn);

/* Makes the session a manager. The account is not kept: after a reconnect the session is a guest again. To
 * authenticate automatically, put the account into the options. USER and PASSWORD are zero-terminated.
 *   KVZMQ_UNAUTHENTICATED     unknown user or wrong password
 *   KVZMQ_RESOURCE_EXHAUSTED  too many failures; detail = ms to wait */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_auth(kvzmq_t *conn, const char *user, const char *password);

/* Ends the session in an orderly way. A later call on CONN begins a new one. */
KVZMQ_EXPORT kvzmq_status_t kvzmq_bye(kvzmq_t *conn);

/* ---- Stores --------------------------------------------------------------------------------- *
 * CLIENT is NULL for one's own store, or another client's id, whose store a manager may use. Then also:
 *   KVZMQ_NOT_FOUND          no such client
 *   KVZMQ_PERMISSION_DENIED  this session is not a manager
 * A key is 1 to limit_key bytes of UTF-8, a value 0 to limit_value bytes, else KVZMQ_INVALID_ARGUMENT. */

/* Reads a value. *VALUE is owned by the caller (kvzmq_value_release).
 *   KVZMQ_ABSENT  no such key; an empty value is KVZMQ_OK with size 0 */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_get(kvzmq_t *conn, const char *client, kvzmq_slice_t key,
                                                     kvzmq_value_t *value);

/* Reads an entry. *VALUE as for kvzmq_get; *REVISION is the number of the put that wrote it; *TTL_MS is the
 * time until it expires, -1 = permanent. Each may be NULL.
 *   KVZMQ_ABSENT  no such key */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_entry(kvzmq_t *conn, const char *client, kvzmq_slice_t key,
                                                       kvzmq_value_t *value, uint64_t *revision,
                                                       int64_t *ttl_ms);

/* If all but `size` is zero, no option applies. */
typedef struct kvzmq_put_options {
    size_t size;          /* bytes of this struct, see Structs above */
    uint64_t ttl_ms;      /* life of the entry, 1 to 2^53; 0 = permanent */
    bool conditional;     /* put only if the entry has the revision `if_revision` now */
    uint64_t if_revision; /* 0 = only if absent */
    bool create;          /* with CLIENT only: make the store of a valid name that does not exist yet */
    kvzmq_slice_t secret; /* with `create` only: claims the name, 16 to 256 bytes; size 0 = none */
} kvzmq_put_options_t;

/* Sets every option to its default: none applies. */
static inline void kvzmq_put_options_init(kvzmq_put_options_t *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}

/* Writes an entry whole. *REVISION (may be NULL) is set to its new revision. OPTIONS may be NULL.
 *   KVZMQ_FAILED_PRECONDITION  the condition does not hold; detail = the revision it has, 0 = absent
 *   KVZMQ_RESOURCE_EXHAUSTED   a store's or the broker's limit of keys or bytes */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_put(kvzmq_t *conn, const char *client, kvzmq_slice_t key,
                                                     kvzmq_slice_t value, const kvzmq_put_options_t *options,
                                                     uint64_t *revision);

/* Deletes an entry; with IF_REVISION (may be NULL) only if it has that revision now. *REVISION (may be NULL)
 * is set to the number of the deletion.
 *   KVZMQ_ABSENT               no such key
 *   KVZMQ_FAILED_PRECONDITION  the condition does not hold; detail = the revision it has */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_del(kvzmq_t *conn, const char *client, kvzmq_slice_t key,
                                                     const uint64_t *if_revision, uint64_t *revision);

typedef struct kvzmq_digest {
    size_t size;     /* bytes of this struct, see Structs above */
    uint64_t seq;    /* the broker's newest change when this was computed */
    uint64_t digest; /* PROTOCOL.md, section 7 */
    uint64_t keys;   /* entries in the store */
} kvzmq_digest_t;

/* The digest of a store: two copies with the same digest are equal. */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_digest_sized(kvzmq_t *conn, const char *client,
                                                              kvzmq_digest_t *digest);
KVZMQ_MUST_USE static inline kvzmq_status_t kvzmq_digest(kvzmq_t *conn, const char *client,
                                                         kvzmq_digest_t *digest)
{
    if (digest != NULL)
        digest->size = sizeof *digest;
    return kvzmq_digest_sized(conn, client, digest);
}

/* ---- Pages --------------------------------------------------------------------------------- */

typedef struct kvzmq_page kvzmq_page_t; /* rows that a call returned, read with the `next` of their kind */

/* Which part of a listing. If all but `size` is zero: from the beginning. To get the next page, give the last
 * row's key (or id) as `after`; destroy the page only after the call has returned. */
typedef struct kvzmq_range {
    size_t size;          /* bytes of this struct, see Structs above */
    kvzmq_slice_t prefix; /* only keys (or ids) that begin with it; size 0 = all */
    kvzmq_slice_t after;  /* only those that sort after it; size 0 = all */
    uint64_t limit; /* rows at most, 1 to 10,000; 0 = the broker's default (1,000). A page may be shorter */
} kvzmq_range_t;

/* Sets RANGE to the whole listing. */
static inline void kvzmq_range_init(kvzmq_range_t *range)
{
    memset(range, 0, sizeof *range);
    range->size = sizeof *range;
}

/* Frees a page and what its rows borrow. *PAGE may be NULL, and is set to it. */
KVZMQ_EXPORT void kvzmq_page_destroy(kvzmq_page_t **page);
/* Whether more rows follow this page. */
KVZMQ_EXPORT bool kvzmq_page_more(const kvzmq_page_t *page);
/* Rows in the page. */
KVZMQ_EXPORT size_t kvzmq_page_count(const kvzmq_page_t *page);
/* Of a list: the broker's newest change when the page was read; else 0. */
KVZMQ_EXPORT uint64_t kvzmq_page_seq(const kvzmq_page_t *page);

typedef struct kvzmq_row {
    size_t size; /* bytes of this struct, see Structs above */
    kvzmq_slice_t key;
    kvzmq_slice_t value;
    uint64_t revision; /* of the put that wrote it */
    int64_t ttl_ms;    /* what is left, -1 = permanent */
} kvzmq_row_t;

/* Lists entries in byte order of the keys. RANGE may be NULL. *PAGE is owned by the caller. A page that is
 * not the next one in order is KVZMQ_PROTOCOL, so a loop over pages ends even with a faulty broker. */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_list(kvzmq_t *conn, const char *client,
                                                      const kvzmq_range_t *range, kvzmq_page_t **page);
/* The next row of a list; false at its end, and for a page of another kind. ROW's slices are borrowed from
 * the page. */
KVZMQ_EXPORT KVZMQ_MUST_USE bool kvzmq_page_next_sized(kvzmq_page_t *page, kvzmq_row_t *row);
KVZMQ_MUST_USE static inline bool kvzmq_page_next(kvzmq_page_t *page, kvzmq_row_t *row)
{
    row->size = sizeof *row;
    return kvzmq_page_next_sized(page, row);
}

typedef struct kvzmq_client {
    size_t size;      /* bytes of this struct, see Structs above */
    kvzmq_slice_t id; /* usable as CLIENT of other calls (id.data) */
    bool connected;
    uint64_t sessions;  /* live ones */
    kvzmq_slice_t role; /* "guest" or "manager", the highest of its sessions; size 0 = no session */
    bool claimed;       /* the name needs its secret */
    kvzmq_slice_t peer; /* network address; size 0 = none */
    uint64_t since_ms;  /* Unix time at which `connected` changed last */
    uint64_t idle_ms;   /* since its last message, or since it was made if there is none */
    uint64_t keys;      /* in its store */
    uint64_t bytes;     /* of keys and values */
} kvzmq_client_t;

/* Lists clients, sorted by id. Managers only (KVZMQ_PERMISSION_DENIED). *PAGE is owned by the caller. */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_clients(kvzmq_t *conn, const kvzmq_range_t *range,
                                                         kvzmq_page_t **page);
/* The next client; false at the end, and for a page of another kind. */
KVZMQ_EXPORT KVZMQ_MUST_USE bool kvzmq_page_next_client_sized(kvzmq_page_t *page, kvzmq_client_t *client);
KVZMQ_MUST_USE static inline bool kvzmq_page_next_client(kvzmq_page_t *page, kvzmq_client_t *client)
{
    client->size = sizeof *client;
    return kvzmq_page_next_client_sized(page, client);
}

/* The broker's counters and gauges. Managers only (KVZMQ_PERMISSION_DENIED). *PAGE is owned by the caller. */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_stats(kvzmq_t *conn, kvzmq_page_t **page);
/* The next counter; false at the end, and for a page of another kind. *NAME is borrowed from the page. */
KVZMQ_EXPORT KVZMQ_MUST_USE bool kvzmq_page_next_stat(kvzmq_page_t *page, const char **name,
                                                      uint64_t *number);

/* ---- Managing ------------------------------------------------------------------------------- *
 * Managers only: KVZMQ_PERMISSION_DENIED. KVZMQ_NOT_FOUND if there is no such client. */

/* Gives ROLE ("guest" or "manager") to all live sessions of a client.
 *   KVZMQ_FAILED_PRECONDITION  it has no live session, or its name is not claimed (anybody could connect
 *                              under it) */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_role(kvzmq_t *conn, const char *client, const char *role);

/* Drops a named client's store and claim and ends its sessions.
 *   KVZMQ_FAILED_PRECONDITION  it is a client by number */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_forget(kvzmq_t *conn, const char *client);

/* ---- Any method ---------------------------------------------------------------------------- */

enum {
    KVZMQ_READ = 1 /* it changes nothing: it may be repeated, and never returns KVZMQ_OUTCOME_UNKNOWN */
};

/* Calls METHOD with PARAMS, a MessagePack array (size 0 = no params), for methods and options that this
 * header does not have. *RESULT is the MessagePack bytes of the result, owned by the caller. FLAGS: 0 or
 * KVZMQ_READ. Not for `hello`, `auth` and `bye`, for which the library keeps state
 * (KVZMQ_INVALID_ARGUMENT). */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_call(kvzmq_t *conn, const char *method, kvzmq_slice_t params,
                                                      unsigned flags, kvzmq_value_t *result);

/* ---- Batches: many requests a message, many messages in flight ------------------------------ *
 *
 *     kvzmq_batch_t *batch = kvzmq_batch_new(conn);
 *     for (each key)
 *         status = kvzmq_batch_get(batch, NULL, key, tag);
 *     while ((status = kvzmq_batch_send(&batch)) == KVZMQ_BUSY)
 *         if (kvzmq_poll(conn, -1, &answer) == KVZMQ_OK)
 *             use(answer.tag, answer.status, answer.value);
 *     ...more batches...
 *     while (kvzmq_poll(conn, -1, &answer) == KVZMQ_OK)
 *         use(answer.tag, answer.status, answer.value);
 *
 * Answers come in the order of the requests. A batch is ordered, not atomic. Nothing in a batch is ever
 * repeated: if the connection breaks, or answers stop for call_ms, each request in flight gets an answer of
 * its own, KVZMQ_OUTCOME_UNKNOWN for a write, KVZMQ_UNREACHABLE or KVZMQ_TIMEOUT for a read. Every request
 * that was sent is answered by kvzmq_poll exactly once. Other calls may be made in between; they wait for the
 * batches before them. */

typedef struct kvzmq_batch kvzmq_batch_t;

/* Makes an empty batch for CONN, which it must not outlive. NULL if memory is refused. */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_batch_t *kvzmq_batch_new(kvzmq_t *conn);
/* Frees a batch that was not sent. *BATCH may be NULL, and is set to it. */
KVZMQ_EXPORT void kvzmq_batch_destroy(kvzmq_batch_t **batch);
/* Requests in the batch so far. */
KVZMQ_EXPORT size_t kvzmq_batch_count(const kvzmq_batch_t *batch);

/* Each adds one request, as the call of the same name; what it points to is copied. TAG comes back with the
 * answer. If the status is not KVZMQ_OK, the batch is unchanged; the error text is not set.
 *   KVZMQ_INVALID_ARGUMENT    arguments that cannot be a request
 *   KVZMQ_RESOURCE_EXHAUSTED  the batch is full (limit_batch requests or limit_message bytes), or memory for
 *                             its bytes was refused: send it, begin another
 *   KVZMQ_NO_MEMORY           memory for one more request was refused */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_batch_get(kvzmq_batch_t *batch, const char *client,
                                                           kvzmq_slice_t key, void *tag);
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_batch_entry(kvzmq_batch_t *batch, const char *client,
                                                             kvzmq_slice_t key, void *tag);
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_batch_put(kvzmq_batch_t *batch, const char *client,
                                                           kvzmq_slice_t key, kvzmq_slice_t value,
                                                           const kvzmq_put_options_t *options, void *tag);
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_batch_del(kvzmq_batch_t *batch, const char *client,
                                                           kvzmq_slice_t key, const uint64_t *if_revision,
                                                           void *tag);
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_batch_list(kvzmq_batch_t *batch, const char *client,
                                                            const kvzmq_range_t *range, void *tag);
/* As kvzmq_call; the answer has its `result`. */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_batch_call(kvzmq_batch_t *batch, const char *method,
                                                            kvzmq_slice_t params, unsigned flags, void *tag);

/* Sends a batch, without waiting for answers (but connects first if there is no live session). On KVZMQ_OK
 * the connection has taken the batch and *BATCH is NULL; else *BATCH is as before, nothing of it was sent,
 * and it may be sent again. An empty batch is KVZMQ_INVALID_ARGUMENT.
 *   KVZMQ_BUSY  as many batches are in flight as the options allow: kvzmq_poll first */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_batch_send(kvzmq_batch_t **batch);

/* Requests sent in batches whose answers kvzmq_poll has not yet given. */
KVZMQ_EXPORT size_t kvzmq_in_flight(const kvzmq_t *conn);

/* One request's answer. Slices are borrowed until the next call on the connection. */
typedef struct kvzmq_answer {
    size_t size;           /* bytes of this struct, see Structs above */
    void *tag;             /* as given with the request */
    kvzmq_status_t status; /* as the call of the same name would have returned */
    kvzmq_slice_t value;   /* get, entry */
    uint64_t revision;     /* entry, put, del */
    int64_t ttl_ms;        /* entry; -1 = permanent */
    bool has_detail;       /* the error came with a number */
    uint64_t detail;       /* that number, as kvzmq_detail */
    kvzmq_slice_t result;  /* the whole result, MessagePack bytes without a zero after them; size 0 if there
                              was an error */
} kvzmq_answer_t;

/* Takes the next answer, waiting for it at most TIMEOUT_MS (0 = not at all, -1 = until one is there, which
 * call_ms bounds).
 *   KVZMQ_OK       *ANSWER is filled in; kvzmq_error and kvzmq_detail are those of the answer
 *   KVZMQ_TIMEOUT  none came in time
 *   KVZMQ_ABSENT   no answer will come: nothing is in flight. Messages that the broker pushed are still
 *                  handled (see kvzmq_notice_t), and a broken connection is closed: kvzmq_fd is then -1 */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_poll_sized(kvzmq_t *conn, int timeout_ms,
                                                            kvzmq_answer_t *answer);
KVZMQ_MUST_USE static inline kvzmq_status_t kvzmq_poll(kvzmq_t *conn, int timeout_ms, kvzmq_answer_t *answer)
{
    answer->size = sizeof *answer;
    return kvzmq_poll_sized(conn, timeout_ms, answer);
}

/* The page of a list's answer; owned by the caller. RANGE is the one that the request was added with, NULL if
 * that had none. KVZMQ_PROTOCOL if the answer is not a list's, or the page is not the next one of RANGE in
 * order, so a loop over pages ends even with a faulty broker. KVZMQ_INVALID_ARGUMENT if the size of RANGE is
 * not set. KVZMQ_NO_MEMORY. */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_answer_page(const kvzmq_answer_t *answer,
                                                             const kvzmq_range_t *range, kvzmq_page_t **page);

/* A descriptor for an event loop, -1 if there is no connection. When it is readable, call kvzmq_poll(conn, 0,
 * ...) until there is no more answer. It becomes readable for answers, for what the broker pushes, and for a
 * connection that broke. Like ZeroMQ's it is edge-triggered, so poll once more after each send. It changes
 * with every new connection, so ask again after each call. Also call kvzmq_poll when call_ms have passed, so
 * that time limits are noticed. */
KVZMQ_EXPORT int kvzmq_fd(const kvzmq_t *conn);

/* ---- Events -------------------------------------------------------------------------------- */

/* Kinds of events: X (name, number, text). Numbers never change. Up to OTHER they are the broker's, with
 * their text on the wire; from RESET on a watch adds them to its stream (see kvzmq_watch_next). */
#define KVZMQ_EVENT_KIND_LIST(X)                                                                             \
    X(PUT, 1, "put")               /* an entry was written */                                                \
    X(DEL, 2, "del")               /* an entry was deleted */                                                \
    X(EXPIRE, 3, "expire")         /* an entry expired */                                                    \
    X(CONNECT, 4, "connect")       /* a client's first session began */                                      \
    X(DISCONNECT, 5, "disconnect") /* its last one ended; value = why */                                     \
    X(ROLE, 6, "role")             /* a session's role changed; value = the role */                          \
    X(DROP, 7, "drop")             /* a client and its store are gone */                                     \
    X(OTHER, 31, "other")          /* a kind that this library does not know */                              \
    X(RESET, 32, "reset")          /* discard everything from before: the stream begins again */             \
    X(ENTRY, 33, "entry")          /* an entry that exists */                                                \
    X(READY, 34, "ready")          /* the state is complete as of seq; all later events follow */            \
    X(POSITION, 35, "position")    /* no other wanted event up to seq */                                     \
    X(LOST, 36, "lost")            /* the broker does not answer; value = why */                             \
    X(AGAIN, 37, "again")          /* the broker is back */

typedef enum kvzmq_event_kind {
#define KVZMQ_EVENT_ENUMERATOR(name, number, text) KVZMQ_EVENT_##name = number,
    KVZMQ_EVENT_KIND_LIST(KVZMQ_EVENT_ENUMERATOR)
#undef KVZMQ_EVENT_ENUMERATOR
} kvzmq_event_kind_t;

/* "put" and the like; "?" for a number that is no kind. Static storage. */
KVZMQ_EXPORT const char *kvzmq_event_kind_text(kvzmq_event_kind_t kind);

/* What happened. A slice that does not apply has data NULL, a number 0. */
typedef struct kvzmq_event {
    size_t size; /* bytes of this struct, see Structs above */
    kvzmq_event_kind_t kind;
    uint64_t seq; /* its number; of READY and POSITION: every change up to it was reported; of LOST, AGAIN and
                     RESET: 0 */
    uint64_t prev; /* the seq of the event before it about the same client; 0 = none since its store began */
    uint64_t time_ms;     /* when, Unix */
    kvzmq_slice_t epoch;  /* which seq belongs to */
    kvzmq_slice_t client; /* id of the client it is about */
    kvzmq_slice_t key;    /* of put, del, expire, entry */
    kvzmq_slice_t value;  /* of put and entry; of disconnect, role, lost and reset: a text */
    bool has_value;       /* there is a value; an event leaves out a large one: read it with kvzmq_entry */
    uint64_t value_size;  /* bytes of the value of a put or entry, even if it is left out */
    int64_t ttl_ms;       /* of a put: its life; of an entry: what is left; -1 = permanent */
    uint64_t revision;    /* of a put or entry */
    kvzmq_slice_t by;     /* id of the client whose session did it; size 0 = the broker */
    kvzmq_slice_t user;   /* the account or certificate that made `by` a manager; size 0 = none */
} kvzmq_event_t;

/* ---- One's own store: changes by others ----------------------------------------------------- */

/* Called from within a call on the connection, in its thread, for each put, del and expire in its own store
 * that this session did not make. EVENT is borrowed until it returns. It must not call the library on this
 * connection, except kvzmq_session: note what to do, and do it after the call.
 *
 * KVZMQ_EVENT_RESET instead of changes: some may be missing, because the broker no longer keeps them or was
 * restarted, or because the store was dropped or belongs to another client than before. Read the whole store;
 * later changes are reported again.
 *
 * To keep an exact copy, compare numbers, because a change may be reported late. Apply a change only if its
 * `seq` is greater than both: the kvzmq_page_seq of the page that has (or would have) the key, and the
 * revision that this connection's own last put or del of the key returned. A write with KVZMQ_OUTCOME_UNKNOWN
 * that was executed is reported as a change of a former session. */
typedef void kvzmq_change_fn(void *context, const kvzmq_event_t *event);

/* Where to continue: the `seq` and `epoch` of the last change that was reported. An application with a name
 * (see kvzmq_options_t) may save it and use it after its own restart. */
typedef struct kvzmq_position {
    uint64_t seq;
    char epoch[128]; /* zero-terminated */
} kvzmq_position_t;

/* Calls CHANGED with CONTEXT from now on; NULL = no longer. AFTER: where to continue; NULL = with the next
 * change. Changes since AFTER come at once, including those by the client's own former sessions (`by` says
 * so); or RESET comes. In a new session (kvzmq_reconnects) the connection continues where it was. Connects if
 * necessary.
 *   KVZMQ_UNIMPLEMENTED  the broker is too old */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_on_change(kvzmq_t *conn, kvzmq_change_fn *changed,
                                                           void *context, const kvzmq_position_t *after);

/* Like kvzmq_on_change, but begins with the oldest change of the own store that the broker still keeps.
 * kvzmq_change_position, called right after it, returns the number before that change. */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_on_change_earliest(kvzmq_t *conn, kvzmq_change_fn *changed,
                                                                    void *context);

/* The last change that was reported. False if kvzmq_on_change never succeeded. */
KVZMQ_EXPORT bool kvzmq_change_position(const kvzmq_t *conn, kvzmq_position_t *position);

/* Waits for changes, TIMEOUT_MS at most (-1 = until one comes), and keeps the session alive meanwhile. For an
 * application that makes no other calls: every call on the connection reports changes too.
 *   KVZMQ_OK       CHANGED was called at least once
 *   KVZMQ_TIMEOUT  none came in time
 *   KVZMQ_FAILED_PRECONDITION  kvzmq_on_change was not called
 * After any other status the application may call it again: it reconnects. With an event loop: wait for
 * kvzmq_fd, then call it with 0; also call it at least every third of timeout_ms (kvzmq_session). */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_listen(kvzmq_t *conn, int timeout_ms);

/* ---- Watching: every change of one or all stores, for managers ------------------------------ *
 *
 *     kvzmq_options_t connection;
 *     kvzmq_options_init(&connection);
 *     connection.user = "adam";
 *     connection.password = "eve";
 *
 *     kvzmq_watch_options_t wanted;
 *     kvzmq_watch_options_init(&wanted);
 *     wanted.client = "lamp";
 *
 *     kvzmq_watch_t *watch = kvzmq_watch_new(&connection, &wanted);
 *     kvzmq_event_t event;
 *     kvzmq_status_t status;
 *     while ((status = kvzmq_watch_next(watch, -1, &event)) == KVZMQ_OK)
 *         print(&event);
 *     fprintf(stderr, "%s: %s\n", kvzmq_status_text(status), kvzmq_watch_error(watch));
 *     kvzmq_watch_destroy(&watch);
 *
 * A watch does not use an existing connection: it makes one of its own, for its thread, and makes it again
 * if it is lost. So it takes options, in two structs: how to connect (as for kvzmq_new; you may use the
 * options of your own connection) and what to watch.
 *
 * Errors come from one place. kvzmq_watch_new does not wait and checks nothing. If the options, the account
 * or the broker are wrong, at the beginning or later, kvzmq_watch_next returns the status, and
 * kvzmq_watch_error the text. Both accept a NULL watch, which means that memory was refused. If the broker
 * cannot be reached, that is not an error but an event (LOST): the watch continues when the broker is back.
 * (examples/watch.c is this as a program.) */

typedef struct kvzmq_watch kvzmq_watch_t;

#define KVZMQ_WATCH_QUEUE_DEFAULT 10000
#define KVZMQ_WATCH_QUEUE_BYTES   (16 * 1024 * 1024)

/* If all but `size` is zero: every change of all stores from now on. Copied by kvzmq_watch_new. */
typedef struct kvzmq_watch_options {
    size_t size;          /* bytes of this struct; set by kvzmq_watch_options_init */
    const char *client;   /* whose store; NULL = all */
    kvzmq_slice_t prefix; /* only keys that begin with it; size 0 = all. With a prefix, connect, disconnect
                             and role are not reported */
    bool initial;         /* the stream begins with the state, also after a RESET */
    bool resume;          /* continue after `since`: the last seq and epoch that were reported */
    bool earliest;     /* begin with the oldest change that the broker still keeps, or soon after it if others
                          write faster than it can be asked for. READY has the number before it. Not with
                          `initial` or `resume` */
    bool large_values; /* read values that an event leaves out (has_value), if they are still current */
    unsigned queue;  /* most events that wait for the application; 0 = KVZMQ_WATCH_QUEUE_DEFAULT. They take at
                        most KVZMQ_WATCH_QUEUE_BYTES plus one event */
    int receive_hwm; /* most messages in ZeroMQ's queue (ZMQ_RCVHWM); 0 = ZeroMQ's default of 1,000 */
    kvzmq_position_t since;
} kvzmq_watch_options_t;

/* Sets every option to its default. */
static inline void kvzmq_watch_options_init(kvzmq_watch_options_t *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}

/* Begins to watch, in a thread of its own with a connection of its own. CONNECTION: how to connect. Its
 * endpoint, user, password and name count; `notice` is not used, and only kvzmq_watch_next uses
 * `interrupted`. A watch needs an account, or a name that is a manager: the role of another session does not
 * count here. WATCH: what to watch; NULL = all. Both are copied. Returns NULL only if memory, a thread or
 * descriptors are refused. Free with kvzmq_watch_destroy.
 *
 * The stream. What kvzmq_watch_next hands out is one ordered stream:
 *   ENTRY ... READY   with `initial`: the state. Until READY, puts, dels, expires and drops may come between
 *                     the entries; they update what was reported before
 *   READY             else: events begin after its seq
 *   put, del, ...     then each event after READY's seq, in the broker's order, without gaps or duplicates
 *   POSITION          about once a second, if unwanted events (another client, another prefix) happened
 *   LOST, AGAIN       the broker does not answer, and answers again; no event is lost
 *   RESET             the broker no longer keeps what was missed, or was restarted: the stream begins again,
 *                     with the state (`initial`) or with READY alone
 * A slow application slows only its own watch. The queue of events is bounded; if the broker drops events
 * meanwhile, the watch requests them again. */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_watch_t *kvzmq_watch_new(const kvzmq_options_t *connection,
                                                           const kvzmq_watch_options_t *watch);

/* Ends the thread and frees the watch. Waits until the thread's current call and its goodbye have ended; if
 * the broker hangs, each takes at most the connection's call_ms. *WATCH may be NULL, and is set to it. */
KVZMQ_EXPORT void kvzmq_watch_destroy(kvzmq_watch_t **watch);

/* Takes the next event of the stream, waiting for it at most TIMEOUT_MS (0 = not at all, -1 = for ever). One
 * thread at a time. *EVENT is borrowed until the next call on WATCH.
 *   KVZMQ_OK           *EVENT is filled in
 *   KVZMQ_TIMEOUT      none came in time
 *   KVZMQ_INTERRUPTED  the connection options' `interrupted` returned true
 * Anything else is final, with kvzmq_watch_error: the watch has ended, and all its events were handed out:
 *   KVZMQ_PERMISSION_DENIED, KVZMQ_UNAUTHENTICATED     not a manager, or no longer
 *   KVZMQ_INVALID_ARGUMENT                             options are not valid
 *   KVZMQ_UNIMPLEMENTED, KVZMQ_FAILED_PRECONDITION     as for any call
 *   KVZMQ_NO_MEMORY                                    WATCH is NULL */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_watch_next_sized(kvzmq_watch_t *watch, int timeout_ms,
                                                                  kvzmq_event_t *event);
KVZMQ_MUST_USE static inline kvzmq_status_t kvzmq_watch_next(kvzmq_watch_t *watch, int timeout_ms,
                                                             kvzmq_event_t *event)
{
    event->size = sizeof *event;
    return kvzmq_watch_next_sized(watch, timeout_ms, event);
}

/* One line for people about the last status of kvzmq_watch_next that was final, as kvzmq_error's; "" before.
 */
KVZMQ_EXPORT const char *kvzmq_watch_error(const kvzmq_watch_t *watch);

/* A descriptor for event loops: it is readable while kvzmq_watch_next(watch, 0, ...) would not return
 * KVZMQ_TIMEOUT. Level-triggered; only poll it. */
KVZMQ_EXPORT int kvzmq_watch_fd(const kvzmq_watch_t *watch);

/* What a watch did so far, for tests and statistics. */
typedef struct kvzmq_watch_counts {
    size_t size;      /* bytes of this struct, see Structs above */
    uint64_t events;  /* received from the broker, without duplicates */
    uint64_t repairs; /* times that it requested missed events */
    uint64_t resets;  /* RESETs reported */
    uint64_t tickets; /* event connections made */
} kvzmq_watch_counts_t;

KVZMQ_EXPORT void kvzmq_watch_counts_sized(kvzmq_watch_t *watch, kvzmq_watch_counts_t *counts);
static inline void kvzmq_watch_counts(kvzmq_watch_t *watch, kvzmq_watch_counts_t *counts)
{
    counts->size = sizeof *counts;
    kvzmq_watch_counts_sized(watch, counts);
}

/* ---- Mirrors: a local copy of one or all stores, for managers ------------------------------ */

typedef struct kvzmq_mirror kvzmq_mirror_t;

/* Begins to keep a copy, with its own watch: CONNECTION as for kvzmq_watch_new. CLIENT: whose store, NULL =
 * all. PREFIX: only keys that begin with it; size 0 = all. NULL only if memory, a thread or descriptors are
 * refused; kvzmq_mirror_wait and kvzmq_mirror_error accept NULL and report this. Free with
 * kvzmq_mirror_destroy.
 *
 *     kvzmq_mirror_t *mirror = kvzmq_mirror_new(&connection, "lamp", kvzmq_text(""));
 *     kvzmq_status_t status = kvzmq_mirror_wait(mirror, 0, 10000);
 *     if (status != KVZMQ_OK)
 *         fprintf(stderr, "%s: %s\n", kvzmq_status_text(status), kvzmq_mirror_error(mirror));
 *
 * Any thread may call the functions on a mirror, except kvzmq_mirror_destroy. STORE is a client's id; NULL =
 * the one that is mirrored (not allowed if all are). A store or key that is not mirrored is
 * KVZMQ_INVALID_ARGUMENT. A status that is final for a watch is final for its mirror too, and all its
 * functions return it. */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_mirror_t *kvzmq_mirror_new(const kvzmq_options_t *connection,
                                                             const char *client, kvzmq_slice_t prefix);
/* As kvzmq_watch_destroy. */
KVZMQ_EXPORT void kvzmq_mirror_destroy(kvzmq_mirror_t **mirror);

/* How far the copy is. */
typedef struct kvzmq_mirror_state {
    size_t size;               /* bytes of this struct, see Structs above */
    bool ready;                /* complete; false while it is built, at first and after a reset */
    bool connected;            /* the broker answers: no LOST without AGAIN */
    kvzmq_status_t failure;    /* KVZMQ_OK, or why the mirror has ended */
    kvzmq_position_t position; /* every change up to here is in the copy; seq 0 while not ready */
    uint64_t stores;           /* with keys in the copy */
    uint64_t keys;             /* in all of them */
    uint64_t resets;           /* times that the copy was rebuilt */
} kvzmq_mirror_state_t;

KVZMQ_EXPORT void kvzmq_mirror_state_sized(kvzmq_mirror_t *mirror, kvzmq_mirror_state_t *state);
static inline void kvzmq_mirror_state(kvzmq_mirror_t *mirror, kvzmq_mirror_state_t *state)
{
    state->size = sizeof *state;
    kvzmq_mirror_state_sized(mirror, state);
}

/* One line about `failure`; "" if there is none. Borrowed for the life of the mirror. */
KVZMQ_EXPORT const char *kvzmq_mirror_error(kvzmq_mirror_t *mirror);

/* Waits until the mirror is ready and has every change up to SEQ: give a put's revision to see your own
 * write, or 0 to wait for `ready` only. TIMEOUT_MS: -1 = for ever. KVZMQ_TIMEOUT. (After a restart of the
 * broker, numbers begin again; an older SEQ may never come.) */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_mirror_wait(kvzmq_mirror_t *mirror, uint64_t seq,
                                                             int timeout_ms);

/* Looks a key up. *VALUE is owned by the caller (kvzmq_value_release). VALUE, REVISION may be NULL.
 *   KVZMQ_ABSENT       no such key
 *   KVZMQ_UNAVAILABLE  not ready; or the value is large and was replaced before it could be read: the next
 *                      change of the key has it, and is on its way
 *   KVZMQ_NO_MEMORY */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_mirror_get(kvzmq_mirror_t *mirror, const char *store,
                                                            kvzmq_slice_t key, kvzmq_value_t *value,
                                                            uint64_t *revision);

/* Lists entries of the copy as kvzmq_list does; a mirror with a prefix has only the entries with that. *PAGE
 * is as of its kvzmq_page_seq; read it with kvzmq_page_next. Entries whose value is missing (see
 * kvzmq_mirror_get) are left out. KVZMQ_UNAVAILABLE, KVZMQ_NO_MEMORY. */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_mirror_list(kvzmq_mirror_t *mirror, const char *store,
                                                             const kvzmq_range_t *range, kvzmq_page_t **page);

/* The first store with keys whose id sorts after AFTER ("" or NULL = from the beginning). *STORE is owned by
 * the caller (kvzmq_value_release). KVZMQ_ABSENT: there is none. KVZMQ_UNAVAILABLE, KVZMQ_NO_MEMORY. */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_mirror_next_store(kvzmq_mirror_t *mirror, const char *after,
                                                                   kvzmq_value_t *store);

/* Compares the copy of STORE with the broker's, by their digests at the same seq, within TIMEOUT_MS. CONN is
 * a manager's connection to the same broker, used by the calling thread. *EQUAL is the result; *SEQ (may be
 * NULL) is that seq. Stores may change meanwhile.
 *   KVZMQ_UNAVAILABLE          the copy was not ready at that seq, or lacked a large value: try again
 *   KVZMQ_FAILED_PRECONDITION  a mirror of a prefix cannot be verified
 *   KVZMQ_TIMEOUT, and what kvzmq_digest returns */
KVZMQ_EXPORT KVZMQ_MUST_USE kvzmq_status_t kvzmq_mirror_verify(kvzmq_mirror_t *mirror, kvzmq_t *conn,
                                                               const char *store, int timeout_ms, bool *equal,
                                                               uint64_t *seq);

#ifdef __cplusplus
}
#endif

#endif
