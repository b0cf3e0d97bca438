/* SPDX-License-Identifier: MPL-2.0 */
/* Reads MessagePack-RPC in place. Owns nothing and allocates nothing; it knows the bytes of MessagePack, and
 * no method. (msgpack-c's own unpackers reserve memory from declared lengths before the bytes are there.) */
#include "common/rpc.h"

#include "common/limits.h"
#include "common/utf8.h"

/* ---- Bytes to values -------------------------------------------------------------------------- */

typedef enum form {
    FORM_NEVER, /* 0xc1: no MessagePack */
    FORM_NIL,
    FORM_FALSE,
    FORM_TRUE,
    FORM_UINT,
    FORM_INT,
    FORM_STR,
    FORM_BIN,
    FORM_OTHER, /* float, ext */
    FORM_ARRAY,
    FORM_MAP
} form_t;

/* What a first byte says. Its argument is (first byte & mask) + extra + the big-endian number behind it: a
 * value, a count, or how many bytes of body follow. */
typedef struct head {
    uint8_t form;
    uint8_t width; /* bytes of the number behind the first byte: 0, 1, 2, 4, 8 */
    uint8_t mask;
    uint8_t extra;
} head_t;

#define FOUR(...)                                                                                            \
    {__VA_ARGS__}, {__VA_ARGS__}, {__VA_ARGS__},                                                             \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }
#define SIXTEEN(...) FOUR(__VA_ARGS__), FOUR(__VA_ARGS__), FOUR(__VA_ARGS__), FOUR(__VA_ARGS__)

/* clang-format off: a line a group of the format's table */
static const head_t HEADS[256] = {
    /* 00 */ SIXTEEN(FORM_UINT, 0, 0x7f, 0), SIXTEEN(FORM_UINT, 0, 0x7f, 0),
    /* 20 */ SIXTEEN(FORM_UINT, 0, 0x7f, 0), SIXTEEN(FORM_UINT, 0, 0x7f, 0),
    /* 40 */ SIXTEEN(FORM_UINT, 0, 0x7f, 0), SIXTEEN(FORM_UINT, 0, 0x7f, 0),
    /* 60 */ SIXTEEN(FORM_UINT, 0, 0x7f, 0), SIXTEEN(FORM_UINT, 0, 0x7f, 0),
    /* 80 */ SIXTEEN(FORM_MAP, 0, 0x0f, 0),
    /* 90 */ SIXTEEN(FORM_ARRAY, 0, 0x0f, 0),
    /* a0 */ SIXTEEN(FORM_STR, 0, 0x1f, 0), SIXTEEN(FORM_STR, 0, 0x1f, 0),
    /* c0 */ {FORM_NIL, 0, 0, 0}, {FORM_NEVER, 0, 0, 0}, {FORM_FALSE, 0, 0, 0}, {FORM_TRUE, 0, 0, 0},
    /* c4 bin */ {FORM_BIN, 1, 0, 0}, {FORM_BIN, 2, 0, 0}, {FORM_BIN, 4, 0, 0},
    /* c7 ext */ {FORM_OTHER, 1, 0, 1}, {FORM_OTHER, 2, 0, 1}, {FORM_OTHER, 4, 0, 1},
    /* ca float */ {FORM_OTHER, 0, 0, 4}, {FORM_OTHER, 0, 0, 8},
    /* cc uint */ {FORM_UINT, 1, 0, 0}, {FORM_UINT, 2, 0, 0}, {FORM_UINT, 4, 0, 0}, {FORM_UINT, 8, 0, 0},
    /* d0 int */ {FORM_INT, 1, 0, 0}, {FORM_INT, 2, 0, 0}, {FORM_INT, 4, 0, 0}, {FORM_INT, 8, 0, 0},
    /* d4 fixext */ {FORM_OTHER, 0, 0, 2}, {FORM_OTHER, 0, 0, 3}, {FORM_OTHER, 0, 0, 5}, {FORM_OTHER, 0, 0, 9},
    /* d8 fixext */ {FORM_OTHER, 0, 0, 17},
    /* d9 str */ {FORM_STR, 1, 0, 0}, {FORM_STR, 2, 0, 0}, {FORM_STR, 4, 0, 0},
    /* dc array */ {FORM_ARRAY, 2, 0, 0}, {FORM_ARRAY, 4, 0, 0},
    /* de map */ {FORM_MAP, 2, 0, 0}, {FORM_MAP, 4, 0, 0},
    /* e0 */ SIXTEEN(FORM_INT, 0, 0xff, 0), SIXTEEN(FORM_INT, 0, 0xff, 0),
};
/* clang-format on */

/* The big-endian number of WIDTH bytes at DATA. */
static inline uint64_t load(const uint8_t *data, unsigned width)
{
    uint64_t number = data[0];
    for (unsigned i = 1; i < width; i++)
        number = number << 8 | data[i];
    return number;
}

/* A value's first byte, taken apart. */
typedef struct token {
    form_t form;
    unsigned width;
    uint64_t argument;
    const uint8_t *body; /* behind the head: `argument` bytes, all there, of STR, BIN and OTHER */
} token_t;

/* Reads the head at *AT and moves *AT behind it and its body. False, with *AT where it broke off, as
 * rpc_read_value. */
static inline bool read_token(const uint8_t **at, const uint8_t *end, token_t *token)
{
    if (*at == end)
        return false;
    const uint8_t *p = *at;
    const head_t *head = &HEADS[*p];
    uint64_t argument = (uint64_t)(*p & head->mask) + head->extra;
    p++;
    if (head->width != 0) {
        if ((size_t)(end - p) < head->width) {
            *at = end;
            return false;
        }
        argument += load(p, head->width);
        p += head->width;
    }
    token->form = (form_t)head->form;
    token->width = head->width;
    token->argument = argument;
    token->body = p;
    if (head->form >= FORM_STR && head->form <= FORM_OTHER) {
        if ((uint64_t)(end - p) < argument) {
            *at = end;
            return false;
        }
        p += argument;
    } else if (head->form == FORM_NEVER) {
        return false;
    }
    *at = p;
    return true;
}

/* The signed number whose two's complement is the low WIDTH bytes (0 stands for 1) of BITS. */
static inline int64_t sign_extended(uint64_t bits, unsigned width)
{
    unsigned unused = 64 - 8 * (width == 0 ? 1 : width);
    uint64_t sign = UINT64_C(1) << (63 - unused);
    uint64_t extended = (bits ^ sign) - sign;
    int64_t number;
    memcpy(&number, &extended, sizeof number);
    return number;
}

/* Fills in VALUE from TOKEN, `span` too: 1. */
static inline void value_of_token(const token_t *token, rpc_value_t *value)
{
    value->span = 1;
    switch (token->form) {
    case FORM_NIL:
        value->type = RPC_NIL;
        return;
    case FORM_FALSE:
    case FORM_TRUE:
        value->type = RPC_BOOL;
        value->as.boolean = token->form == FORM_TRUE;
        return;
    case FORM_UINT:
        value->type = RPC_UINT;
        value->as.number = token->argument;
        return;
    case FORM_INT: {
        int64_t number = sign_extended(token->argument, token->width);
        value->type = number < 0 ? RPC_INT : RPC_UINT;
        value->as.negative = number; /* the same bits as `number` where it is not negative */
        return;
    }
    case FORM_STR:
    case FORM_BIN:
        value->as.bytes = bytes_of(token->body, (size_t)token->argument);
        value->type = RPC_BIN;
        if (token->form == FORM_STR)
            value->type = utf8_valid(value->as.bytes) ? RPC_STR : RPC_OTHER;
        return;
    case FORM_ARRAY:
    case FORM_MAP:
        value->type = token->form == FORM_ARRAY ? RPC_ARRAY : RPC_MAP;
        value->as.count = (uint32_t)token->argument;
        return;
    case FORM_OTHER:
    case FORM_NEVER:
        value->type = RPC_OTHER;
        return;
    }
}

/* Values that follow the head TOKEN and belong to it. */
static inline uint64_t children(const token_t *token)
{
    if (token->form < FORM_ARRAY)
        return 0;
    return token->form == FORM_MAP ? 2 * token->argument : token->argument;
}

/* Reads a value, of an array or a map the head alone; as read_token. */
static inline bool read_value(const uint8_t **at, const uint8_t *end, rpc_value_t *value)
{
    token_t token;
    if (!read_token(at, end, &token))
        return false;
    value_of_token(&token, value);
    return true;
}

/* Moves *AT behind a value with all inside it; as read_token. */
static bool skip(const uint8_t **at, const uint8_t *end)
{
    /* Cannot wrap: 5 bytes of input add less than 2^33, so that would take a payload of 10 GiB. */
    uint64_t pending = 1;
    while (pending > 0) {
        token_t token;
        if (!read_token(at, end, &token))
            return false;
        pending += children(&token) - 1;
    }
    return true;
}

bool rpc_read_value(bytes_t payload, size_t *at, rpc_value_t *value)
{
    if (*at >= payload.size)
        return false;
    const uint8_t *p = payload.data + *at;
    bool whole = read_value(&p, payload.data + payload.size, value);
    *at = (size_t)(p - payload.data);
    if (whole)
        value->span = 0;
    return whole;
}

bool rpc_skip(bytes_t payload, size_t *at)
{
    if (*at >= payload.size)
        return false;
    const uint8_t *p = payload.data + *at;
    bool whole = skip(&p, payload.data + payload.size);
    *at = (size_t)(p - payload.data);
    return whole;
}

size_t rpc_count(bytes_t payload, size_t limit)
{
    size_t count = 0;
    for (size_t at = 0; count <= limit && rpc_skip(payload, &at);)
        count++;
    return count;
}

/* ---- Values to messages ----------------------------------------------------------------------- */

/* The parts of a message are read by functions that return NULL, or a problem for people. Where the bytes
 * stop being MessagePack they return BROKEN; the way out, ill_formed_or_broken, finds out by itself where
 * that is. */
static const char BROKEN[] = "the message is not whole";

/* An array or a map in params whose elements are being read. */
typedef struct nest {
    uint64_t left;  /* values still to come, not counting those inside them */
    uint32_t index; /* its own place in the flat sequence of values */
} nest_t;

static bool is_string(const rpc_value_t *value)
{
    return value->type == RPC_STR || value->type == RPC_BIN;
}

/* Reads how a message begins: an array's head and the number that is its first element. */
static inline const char *read_opening(const uint8_t **at, const uint8_t *end, uint32_t *count,
                                       uint64_t *type)
{
    rpc_value_t value;
    if (!read_value(at, end, &value))
        return BROKEN;
    if (value.type != RPC_ARRAY)
        return "a message is an array, [0, msgid, method, params]; this is another type";
    if (value.as.count == 0)
        return "a message is an array, [0, msgid, method, params]; this one is empty";
    *count = value.as.count;
    if (!read_value(at, end, &value))
        return BROKEN;
    if (value.type != RPC_UINT)
        return "a message begins with a number: 0 for a request, 2 for a notification";
    *type = value.as.number;
    return NULL;
}

static inline const char *read_msgid(const uint8_t **at, const uint8_t *end, uint32_t *msgid)
{
    rpc_value_t value;
    if (!read_value(at, end, &value))
        return BROKEN;
    if (value.type != RPC_UINT || value.as.number > UINT32_MAX)
        return "the msgid, second in a message, is an integer from 0 to 4294967295";
    *msgid = (uint32_t)value.as.number;
    return NULL;
}

static inline const char *read_method(const uint8_t **at, const uint8_t *end, bytes_t *method)
{
    rpc_value_t value;
    if (!read_value(at, end, &value))
        return BROKEN;
    if (!is_string(&value))
        return "the method is a string, and a str is valid UTF-8";
    *method = value.as.bytes;
    return NULL;
}

static const char *read_params(const uint8_t **at, const uint8_t *end, rpc_message_t *message)
{
    rpc_value_t beyond; /* where values go that are not kept */
    if (!read_value(at, end, &beyond))
        return BROKEN;
    if (beyond.type != RPC_ARRAY)
        return "the params, last in a message, are an array";
    message->params = beyond.as.count;

    nest_t nests[LIMIT_DEPTH - 1]; /* [0] is the params array itself, which stands at depth 2 */
    unsigned top = 0;
    uint32_t seen = 0; /* values so far; fewer than bytes of the payload */
    nests[0].left = message->params;
    for (;;) {
        while (nests[top].left == 0 && top > 0) {
            uint32_t index = nests[top--].index;
            if (index < RPC_VALUES_MAX)
                message->values[index].span = seen - index;
        }
        if (nests[top].left == 0)
            break;
        nests[top].left--;
        rpc_value_t *value = seen < RPC_VALUES_MAX ? &message->values[seen] : &beyond;
        if (!read_value(at, end, value))
            return BROKEN;
        if (value->type >= RPC_ARRAY) {
            if (value->type == RPC_OTHER)
                return "a message holds no floats, no ext types, and no str that is not valid UTF-8 (send "
                       "integers, or bytes as bin)";
            if (++top == LIMIT_DEPTH - 1)
                return "a message is nested at most 8 deep";
            nests[top].left = (uint64_t)value->as.count << (value->type == RPC_MAP);
            nests[top].index = seen;
        }
        seen++;
    }
    message->truncated = seen > RPC_VALUES_MAX;
    message->value_count = message->truncated ? RPC_VALUES_MAX : seen;
    return NULL;
}

static const char *read_message(const uint8_t **at, const uint8_t *end, rpc_message_t *message)
{
    uint32_t count = 0;
    uint64_t type = 0;
    const char *problem = read_opening(at, end, &count, &type);
    if (problem != NULL)
        return problem;
    message->msgid = 0;
    switch (type) {
    case RPC_REQUEST:
        if (count != 4)
            return "a request has 4 elements: [0, msgid, method, params]";
        message->kind = RPC_REQUEST;
        problem = read_msgid(at, end, &message->msgid);
        break;
    case RPC_NOTIFICATION:
        if (count != 3)
            return "a notification has 3 elements: [2, method, params]";
        message->kind = RPC_NOTIFICATION;
        break;
    case RPC_RESPONSE:
        return "a response ([1, ...]) was sent where a request is expected: [0, msgid, method, params]";
    default:
        return "a message begins with 0 for a request, or 2 for a notification";
    }
    if (problem == NULL)
        problem = read_method(at, end, &message->method);
    if (problem == NULL)
        problem = read_params(at, end, message);
    return problem;
}

/* Finds in the whole message at START what an answer to it needs: *MSGID, where it is an array that begins
 * with WITH_ID and a msgid (else 0), and whether it begins with 2. */
static void identify(const uint8_t *start, const uint8_t *end, unsigned with_id, uint32_t *msgid,
                     bool *notification)
{
    const uint8_t *at = start;
    uint32_t count = 0;
    uint64_t type = 0;
    *msgid = 0;
    *notification = false;
    if (read_opening(&at, end, &count, &type) != NULL)
        return;
    *notification = type == RPC_NOTIFICATION;
    /* Where it is no msgid, the 0 stays; that it is one message was seen before. */
    if (type == with_id && count > 1)
        (void)read_msgid(&at, end, msgid);
}

rpc_step_t rpc_read(bytes_t payload, size_t *at, rpc_message_t *message)
{
    if (*at >= payload.size)
        return payload.size == 0 ? RPC_STEP_BROKEN : RPC_STEP_END;
    const uint8_t *start = payload.data + *at;
    const uint8_t *end = payload.data + payload.size;
    const uint8_t *p = start;
    const char *problem = read_message(&p, end, message);
    if (problem != NULL) {
        p = start;
        if (!skip(&p, end)) {
            *at = (size_t)(p - payload.data);
            return RPC_STEP_BROKEN;
        }
        bool notification;
        identify(start, end, RPC_REQUEST, &message->msgid, &notification);
        message->kind = RPC_ILL_FORMED;
        message->answered = !notification;
        message->method = bytes_of(NULL, 0);
        message->truncated = false;
        message->params = 0;
        message->value_count = 0;
    }
    message->problem = problem;
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

/* ---- Replies ---------------------------------------------------------------------------------- */

/* Reads a response's error: nil, [code, message] or [code, message, detail]. */
static const char *read_error(const uint8_t **at, const uint8_t *end, rpc_reply_t *reply)
{
    static const char FORM[] = "a response's error is nil, [code, message] or [code, message, detail]";
    rpc_value_t error;
    rpc_value_t part;
    if (!read_value(at, end, &error))
        return BROKEN;
    if (error.type == RPC_NIL)
        return NULL;
    if (error.type != RPC_ARRAY || error.as.count < 2 || error.as.count > 3)
        return FORM;
    reply->failed = true;
    if (!read_value(at, end, &part))
        return BROKEN;
    if (!is_string(&part))
        return FORM;
    reply->code = part.as.bytes;
    if (!read_value(at, end, &part))
        return BROKEN;
    if (!is_string(&part))
        return FORM;
    reply->text = part.as.bytes;
    if (error.as.count == 2)
        return NULL;
    if (!read_value(at, end, &part))
        return BROKEN;
    if (part.type != RPC_UINT)
        return FORM;
    reply->has_detail = true;
    reply->detail = part.as.number;
    return NULL;
}

static const char *read_response(const uint8_t **at, const uint8_t *end, uint32_t count, rpc_reply_t *reply)
{
    reply->kind = RPC_RESPONSE;
    if (count != 4)
        return "a response has 4 elements: [1, msgid, error, result]";
    const char *problem = read_msgid(at, end, &reply->msgid);
    if (problem == NULL)
        problem = read_error(at, end, reply);
    return problem;
}

static const char *read_pushed(const uint8_t **at, const uint8_t *end, uint32_t count, rpc_reply_t *reply)
{
    reply->kind = RPC_NOTIFICATION;
    if (count != 3)
        return "a notification has 3 elements: [2, method, params]";
    const char *problem = read_method(at, end, &reply->method);
    if (problem != NULL)
        return problem;
    const uint8_t *ahead = *at;
    rpc_value_t params;
    if (!read_value(&ahead, end, &params))
        return BROKEN;
    return params.type == RPC_ARRAY ? NULL : "the params, last in a message, are an array";
}

static const char *read_reply(const uint8_t **at, const uint8_t *end, rpc_reply_t *reply)
{
    uint32_t count = 0;
    uint64_t type = 0;
    const char *problem = read_opening(at, end, &count, &type);
    if (problem != NULL)
        return problem;
    if (type == RPC_RESPONSE)
        problem = read_response(at, end, count, reply);
    else if (type == RPC_NOTIFICATION)
        problem = read_pushed(at, end, count, reply);
    else
        problem = "what a broker sends begins with 1 for a response, or 2 for a notification";
    if (problem != NULL)
        return problem;
    const uint8_t *body = *at;
    if (!skip(at, end))
        return BROKEN;
    reply->body = bytes_of(body, (size_t)(*at - body));
    return NULL;
}

rpc_step_t rpc_read_reply(bytes_t payload, size_t *at, rpc_reply_t *reply)
{
    if (*at >= payload.size)
        return payload.size == 0 ? RPC_STEP_BROKEN : RPC_STEP_END;
    const uint8_t *start = payload.data + *at;
    const uint8_t *end = payload.data + payload.size;
    const uint8_t *p = start;
    *reply = (rpc_reply_t){.kind = RPC_ILL_FORMED};
    if (read_reply(&p, end, reply) != NULL) {
        p = start;
        if (!skip(&p, end)) {
            *at = (size_t)(p - payload.data);
            return RPC_STEP_BROKEN;
        }
        bool notification;
        *reply = (rpc_reply_t){.kind = RPC_ILL_FORMED};
        identify(start, end, RPC_RESPONSE, &reply->msgid, &notification);
    }
    *at = (size_t)(p - payload.data);
    return RPC_STEP_MESSAGE;
}
