/* SPDX-License-Identifier: MPL-2.0 */
/* Reads what a broker sends, in place, for its clients. Allocates nothing, and does not decode results. */
#include "common/rpc_token.h"

/* Reads a response's error: nil, [code, message] or [code, message, detail]. */
static const char *read_error(const uint8_t **at, const uint8_t *end, rpc_reply_t *reply)
{
    static const char FORM[] = "a response's error must be nil, [code, message] or [code, message, detail]";
    token_t error;
    if (!token_read(at, end, &error))
        return FORM;
    if (error.form == FORM_NIL)
        return NULL;
    if (error.form != FORM_ARRAY || error.argument < 2 || error.argument > 3)
        return FORM;
    reply->failed = true;
    reply->has_detail = error.argument == 3;
    if (!token_read_string(at, end, &reply->code) || !token_read_string(at, end, &reply->text))
        return FORM;
    if (reply->has_detail && !token_read_number(at, end, &reply->detail))
        return FORM;
    return NULL;
}

static const char *read_response(const uint8_t **at, const uint8_t *end, uint32_t count, rpc_reply_t *reply)
{
    reply->kind = RPC_RESPONSE;
    if (count != 4)
        return "a response has 4 elements: [1, msgid, error, result]";
    const char *problem = rpc_read_msgid(at, end, &reply->msgid);
    if (problem == NULL)
        problem = read_error(at, end, reply);
    return problem;
}

static const char *read_pushed(const uint8_t **at, const uint8_t *end, uint32_t count, rpc_reply_t *reply)
{
    reply->kind = RPC_NOTIFICATION;
    if (count != 3)
        return "a notification has 3 elements: [2, method, params]";
    const char *problem = rpc_read_method(at, end, &reply->method);
    if (problem != NULL)
        return problem;
    const uint8_t *ahead = *at;
    uint32_t params;
    return token_read_array(&ahead, end, &params) ? NULL : "the params, last in a message, must be an array";
}

/* Reads a reply up to its body. */
static const char *read_front(const uint8_t **at, const uint8_t *end, rpc_reply_t *reply)
{
    uint32_t count = 0;
    uint64_t type = 0;
    const char *problem = rpc_read_opening(at, end, &count, &type);
    if (problem != NULL)
        return problem;
    if (type == RPC_RESPONSE)
        return read_response(at, end, count, reply);
    if (type == RPC_NOTIFICATION)
        return read_pushed(at, end, count, reply);
    return "what a broker sends must begin with 1 for a response, or 2 for a notification";
}

rpc_step_t rpc_read_reply(bytes_t payload, size_t *at, rpc_reply_t *reply)
{
    if (*at >= payload.size)
        return payload.size == 0 ? RPC_STEP_BROKEN : RPC_STEP_END;
    size_t start = *at;
    const uint8_t *p = payload.data + start;
    *reply = (rpc_reply_t){.kind = RPC_ILL_FORMED};
    bool is_reply = read_front(&p, payload.data + payload.size, reply) == NULL;
    size_t body = (size_t)(p - payload.data);
    if (is_reply)
        *at = body;
    if (!rpc_skip(payload, at))
        return RPC_STEP_BROKEN;
    if (is_reply) {
        reply->body = bytes_of(payload.data + body, *at - body);
    } else {
        bool notification;
        *reply = (rpc_reply_t){.kind = RPC_ILL_FORMED};
        rpc_identify(payload, start, RPC_RESPONSE, &reply->msgid, &notification);
    }
    return RPC_STEP_MESSAGE;
}
