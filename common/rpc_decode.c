/* SPDX-License-Identifier: MPL-2.0 */
/* Reads requests and notifications in place. Allocates nothing; knows no method. (msgpack-c's own unpackers
 * are not used: they reserve memory for declared lengths before the bytes are there.) */
#include "common/limits.h"
#include "common/rpc_token.h"

/* Each of the functions below reads a part of a message. They return NULL, or a problem for people. If the
 * bytes break off, any problem will do: `refuse` finds out itself where that is. */
static const char BROKEN[] = "the message is incomplete";

/* Why a value of FORM is not allowed. */
__attribute__((cold, noinline)) static const char *refuse_value(unsigned form)
{
    return form == FORM_STR ? "a str is not valid UTF-8: send bytes as bin"
                            : "floats and ext types are not allowed: send numbers as integers";
}

/* An array or a map inside the params, while its elements are read. */
typedef struct nest {
    uint64_t left;  /* values that come after it on its level */
    uint32_t index; /* its index in the flat sequence of values */
} nest_t;

/* Continues at P to read params: MESSAGE->value_count values were read, and LEFT more follow on the top
 * level; adds them to MESSAGE. Returns where the params end, or NULL with MESSAGE->problem set. It takes no
 * address of a caller's local variable, so those can stay in registers. */
__attribute__((noinline)) static const uint8_t *read_nested(const uint8_t *p, const uint8_t *end,
                                                            rpc_message_t *message, uint64_t left)
{
    nest_t nests[LIMIT_DEPTH - 2];        /* around the current value, inside the params */
    unsigned depth = 0;                   /* used elements of `nests` */
    uint32_t seen = message->value_count; /* fewer than the payload has bytes */
    rpc_value_t beyond;                   /* takes values that are not kept */
    message->problem = BROKEN;
    for (;; seen++) {
        while (left == 0 && depth > 0) {
            const nest_t *nest = &nests[--depth];
            left = nest->left;
            if (nest->index < RPC_VALUES_MAX)
                message->values[nest->index].span = seen - nest->index;
        }
        if (left == 0)
            break;
        left--;
        token_t token;
        if (!token_read(&p, end, &token))
            return NULL;
        rpc_value_t *value = seen < RPC_VALUES_MAX ? &message->values[seen] : &beyond;
        token_value(&token, value);
        if (value->type == RPC_OTHER) {
            message->problem = refuse_value(token.form);
            return NULL;
        }
        if (token.form >= FORM_ARRAY) {
            if (depth == LIMIT_DEPTH - 2) {
                message->problem = "a message must not be nested more than 8 deep";
                return NULL;
            }
            nests[depth++] = (nest_t){.left = left, .index = seen};
            left = token_children(&token);
        }
    }
    message->problem = NULL;
    message->value_count = seen;
    return p;
}

RPC_FAST const char *read_params(const uint8_t **at, const uint8_t *end, rpc_message_t *message)
{
    uint32_t params;
    if (!token_read_array(at, end, &params))
        return "the params, last in a message, must be an array";
    message->params = params;
    message->truncated = false;
    const uint8_t *p = *at;
    uint32_t seen = 0;
    for (; seen < params; seen++) {
        const uint8_t *before = p;
        rpc_value_t *value = &message->values[seen];
        if (seen < RPC_VALUES_MAX && token_read_short_str(&p, end, &value->as.bytes)) {
            value->type = RPC_STR;
            value->span = 1;
            continue;
        }
        token_t token;
        if (!token_read(&p, end, &token))
            return BROKEN;
        if (token.form >= FORM_ARRAY || seen == RPC_VALUES_MAX) {
            message->value_count = seen;
            p = read_nested(before, end, message, params - seen);
            if (p == NULL)
                return message->problem;
            seen = message->value_count;
            message->truncated = seen > RPC_VALUES_MAX;
            seen = message->truncated ? RPC_VALUES_MAX : seen;
            break;
        }
        token_value(&token, value);
        if (value->type == RPC_OTHER)
            return refuse_value(token.form);
    }
    message->value_count = seen;
    *at = p;
    return NULL;
}

/* Reads the beginning of a request or a notification, up to its msgid or method. Returns as read_nested
 * does. */
__attribute__((noinline)) static const uint8_t *read_kind(const uint8_t *p, const uint8_t *end,
                                                          rpc_message_t *message)
{
    uint32_t count = 0;
    uint64_t type = 0;
    message->problem = rpc_read_opening(&p, end, &count, &type);
    if (message->problem != NULL)
        return NULL;
    message->kind = (rpc_kind_t)type;
    switch (type) {
    case RPC_REQUEST:
        if (count == 4)
            return p;
        message->problem = "a request has 4 elements: [0, msgid, method, params]";
        return NULL;
    case RPC_NOTIFICATION:
        if (count == 3)
            return p;
        message->problem = "a notification has 3 elements: [2, method, params]";
        return NULL;
    case RPC_RESPONSE:
        message->problem = "a response ([1, ...]) was sent instead of a request: [0, msgid, method, params]";
        return NULL;
    default:
        message->problem = "a message must begin with 0 for a request, or 2 for a notification";
        return NULL;
    }
}

RPC_FAST const char *read_message(const uint8_t **at, const uint8_t *end, rpc_message_t *message)
{
    static const uint8_t USUAL[] = {0x94, RPC_REQUEST}; /* nearly all requests begin so: saves two tokens */
    const uint8_t *p = *at;
    message->kind = RPC_REQUEST;
    message->msgid = 0;
    message->problem = NULL;
    if ((size_t)(end - p) > sizeof USUAL && memcmp(p, USUAL, sizeof USUAL) == 0)
        p += sizeof USUAL;
    else
        p = read_kind(p, end, message);
    if (p == NULL)
        return message->problem;
    const char *problem = NULL;
    if (message->kind == RPC_REQUEST)
        problem = rpc_read_msgid(&p, end, &message->msgid);
    if (problem == NULL)
        problem = rpc_read_method(&p, end, &message->method);
    if (problem == NULL)
        problem = read_params(&p, end, message);
    *at = p;
    return problem;
}

/* Handles what is not a valid message: finds where the bytes break off, or skips a complete value that is
 * ill-formed. */
__attribute__((cold, noinline)) static rpc_step_t refuse(bytes_t payload, size_t *at, rpc_message_t *message,
                                                         const char *problem)
{
    size_t start = *at;
    if (!rpc_skip(payload, at))
        return RPC_STEP_BROKEN;
    bool notification;
    *message = (rpc_message_t){.kind = RPC_ILL_FORMED, .problem = problem};
    rpc_identify(payload, start, RPC_REQUEST, &message->msgid, &notification);
    message->answered = !notification;
    return RPC_STEP_MESSAGE;
}

rpc_step_t rpc_read(bytes_t payload, size_t *at, rpc_message_t *message)
{
    if (*at >= payload.size)
        return payload.size == 0 ? RPC_STEP_BROKEN : RPC_STEP_END;
    const uint8_t *p = payload.data + *at;
    const char *problem = read_message(&p, payload.data + payload.size, message);
    if (problem != NULL)
        return refuse(payload, at, message, problem);
    *at = (size_t)(p - payload.data);
    return RPC_STEP_MESSAGE;
}

const rpc_value_t *rpc_param(const rpc_message_t *message, uint32_t i)
{
    if (i >= message->params)
        return NULL;
    uint32_t index = 0;
    for (; i > 0 && index < message->value_count; i--)
        index += message->values[index].span;
    return index < message->value_count ? &message->values[index] : NULL;
}
