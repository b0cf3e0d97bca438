/* SPDX-License-Identifier: MPL-2.0 */
/* MessagePack-RPC as in PROTOCOL.md section 2: reads messages in place, and writes them.
 *
 * Reading never allocates, and never trusts a declared length before the bytes are there. Slices in what is
 * read borrow from the payload. Only the rpc_* files know the bytes of MessagePack. */
#ifndef KV_COMMON_RPC_H
#define KV_COMMON_RPC_H

#include <assert.h>

#include "common/buffer.h"
#include "common/bytes.h"
#include "common/status.h"

enum { RPC_PROTOCOL_VERSION = 1 }; /* of PROTOCOL.md, as `hello` reports it */

/* ---- Reading: values -------------------------------------------------------------------------- */

typedef enum rpc_type {
    RPC_NIL,
    RPC_BOOL,
    RPC_UINT, /* an integer of 0 or more, in any encoding */
    RPC_INT,  /* an integer below 0 */
    RPC_STR,  /* valid UTF-8 */
    RPC_BIN,
    RPC_ARRAY, /* its elements follow it */
    RPC_MAP,   /* its keys and values follow it, in turn */
    RPC_OTHER  /* float, ext, or a str that is not UTF-8: never valid in a message */
} rpc_type_t;

typedef struct rpc_value {
    rpc_type_t type;
    /* Values of the flat sequence that belong to this one: itself and all inside it. Set by rpc_read (it may
     * reach past the values kept of a truncated message); 0 from rpc_read_value. */
    uint32_t span;
    union {
        bool boolean;
        uint64_t number;  /* RPC_UINT */
        int64_t negative; /* RPC_INT */
        uint32_t count;   /* RPC_ARRAY: elements; RPC_MAP: pairs */
        bytes_t bytes;    /* RPC_STR, RPC_BIN: borrowed */
    } as;
} rpc_value_t;

/* Reads the value at *AT in PAYLOAD and moves *AT past it; for an array or a map, only past its head: further
 * calls read its elements. Returns false if the bytes at *AT are not a complete head and body; *AT is then
 * where they break off (PAYLOAD.size if the input ends too soon). */
KV_MUST_USE bool rpc_read_value(bytes_t payload, size_t *at, rpc_value_t *value);

/* Moves *AT past the whole value that begins there, with its elements, however deep, in constant memory.
 * Returns false as rpc_read_value does. */
KV_MUST_USE bool rpc_skip(bytes_t payload, size_t *at);

/* ---- Reading: messages ------------------------------------------------------------------------ */

enum { RPC_VALUES_MAX = 32 }; /* values kept of one message's params; no method takes as many */

/* Up to RPC_NOTIFICATION these are the numbers that messages begin with. */
typedef enum rpc_kind {
    RPC_REQUEST = 0,      /* [0, msgid, method, params] */
    RPC_RESPONSE = 1,     /* [1, msgid, error, result]; only a client reads these */
    RPC_NOTIFICATION = 2, /* [2, method, params] */
    RPC_ILL_FORMED        /* anything else; `problem` says what is wrong */
} rpc_kind_t;

/* One message. What it holds stays valid while the payload does. */
typedef struct rpc_message {
    rpc_kind_t kind;
    bool answered;  /* RPC_ILL_FORMED: whether an error must be sent (not for an array that begins with 2) */
    uint32_t msgid; /* of a request or response; of an ill-formed message if it has one, else 0 */
    const char *problem;  /* RPC_ILL_FORMED: for people, static storage */
    bytes_t method;       /* of a request or notification */
    bool truncated;       /* params had more than RPC_VALUES_MAX values: those beyond are not in `values` */
    uint32_t params;      /* number of params */
    uint32_t value_count; /* values in `values` */
    rpc_value_t values[RPC_VALUES_MAX]; /* the params, flattened in order: an array or a map is followed by
                                           what is inside it (`span`) */
} rpc_message_t;

/* If PAYLOAD is clearly text instead of messages (PROTOCOL.md section 2, *Text by mistake*), returns an error
 * text for people, static storage. Else NULL: read the payload. */
const char *rpc_foreign(bytes_t payload);

typedef enum rpc_step {
    RPC_STEP_MESSAGE, /* *message is filled in */
    RPC_STEP_END,     /* the payload is used up */
    RPC_STEP_BROKEN   /* the bytes at *at are not MessagePack. This, at byte 0, also for an empty payload */
} rpc_step_t;

/* Reads the message at *AT and moves *AT past it. A message with floats, ext types, a str that is not UTF-8,
 * or nesting deeper than LIMIT_DEPTH is RPC_ILL_FORMED and skipped whole. Start with *AT = 0. Not for the
 * responses of a broker, whose results may be large: see rpc_read_reply. */
KV_MUST_USE rpc_step_t rpc_read(bytes_t payload, size_t *at, rpc_message_t *message);

/* Counts the messages of PAYLOAD, up to LIMIT + 1, without checking what is in them: for the bound on a
 * batch. If the bytes break off, counts the messages before that. */
size_t rpc_count(bytes_t payload, size_t limit);

/* Whether PAYLOAD holds more than LIMIT messages. A payload of at most LIMIT bytes cannot, and is not
 * read. */
KV_MUST_USE static inline bool rpc_count_exceeds(bytes_t payload, size_t limit)
{
    return payload.size > limit && rpc_count(payload, limit) > limit;
}

/* A response or a notification as a client reads it. Its body is not decoded, but given as a slice. */
typedef struct rpc_reply {
    rpc_kind_t kind; /* RPC_RESPONSE, RPC_NOTIFICATION or RPC_ILL_FORMED */
    uint32_t msgid;  /* of a response */
    bool failed;     /* the error is not nil */
    bytes_t code;    /* of the error: its wire text, as sent */
    bytes_t text;    /* of the error: the message for people */
    bool has_detail; /* the error has a third element: an unsigned number */
    uint64_t detail;
    bytes_t method; /* of a notification */
    bytes_t body;   /* the whole encoded result (or a notification's params array) */
} rpc_reply_t;

/* Reads the reply at *AT and moves *AT past it, as rpc_read does. RPC_ILL_FORMED (a request, or an error of
 * another form) has the msgid if it is an array that begins with 1 and a msgid, else 0. The contents of
 * `body` are not checked: rpc_read_value returns RPC_OTHER for what a message may not hold. */
KV_MUST_USE rpc_step_t rpc_read_reply(bytes_t payload, size_t *at, rpc_reply_t *reply);

/* The I-th param (0-based) of MESSAGE, or NULL if there are fewer or it was not kept. */
const rpc_value_t *rpc_param(const rpc_message_t *message, uint32_t i);

/* ---- Writing ---------------------------------------------------------------------------------- *
 * All append to BUFFER; an append that does not fit sets buffer->failed and later ones change nothing. */

void rpc_write_nil(buffer_t *buffer);
void rpc_write_bool(buffer_t *buffer, bool value);
void rpc_write_uint(buffer_t *buffer, uint64_t value);
void rpc_write_int(buffer_t *buffer, int64_t value);
void rpc_write_str(buffer_t *buffer, bytes_t text);
void rpc_write_bin(buffer_t *buffer, bytes_t data);
void rpc_write_array(buffer_t *buffer, uint32_t count);
void rpc_write_map(buffer_t *buffer, uint32_t pairs);
void rpc_write_text(buffer_t *buffer, const char *text); /* rpc_write_str of a C string */

/* rpc_write_text of a string literal of at most 31 bytes. The compiler knows the size of the copy, which is
 * faster for maps that are written very often. (The head of a str that short is one byte: msgpack spec,
 * fixstr.) */
#define rpc_write_key(buffer, literal)                                                                       \
    do {                                                                                                     \
        static const struct {                                                                                \
            uint8_t head;                                                                                    \
            char text[sizeof(literal) - 1];                                                                  \
        } key_ = {0xa0 | (sizeof(literal) - 1), literal};                                                    \
        static_assert(sizeof key_ == sizeof(literal) && sizeof(literal) <= 32,                               \
                      "a literal, and a short one");                                                         \
        buffer_append(buffer, &key_, sizeof key_);                                                           \
    } while (0)

/* Writes an array whose length is not known before its elements are written: rpc_open_array returns a mark,
 * and rpc_close_array sets the COUNT of elements written since. The head is always five bytes. */
KV_MUST_USE size_t rpc_open_array(buffer_t *buffer);
void rpc_close_array(buffer_t *buffer, size_t mark, uint32_t count);

/* `[0, msgid, method,` : the params array follows. */
void rpc_write_request(buffer_t *buffer, uint32_t msgid, bytes_t method);
/* `[2, method,` : the params array follows. */
void rpc_write_notification(buffer_t *buffer, bytes_t method);
/* `[1, msgid, nil,` : the result follows. */
void rpc_write_result(buffer_t *buffer, uint32_t msgid);
/* A whole response with an error. DETAIL may be NULL. TEXT is valid UTF-8. */
void rpc_write_error(buffer_t *buffer, uint32_t msgid, status_t status, const char *text,
                     const uint64_t *detail);

#endif
