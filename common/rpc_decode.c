/* SPDX-License-Identifier: MPL-2.0 */
/* Reads MessagePack-RPC in place. Owns nothing and allocates nothing; it knows the bytes of MessagePack, and
 * no method. (msgpack-c's own unpackers reserve memory from declared lengths before the bytes are there.) */
#include "common/rpc.h"

#include "common/limits.h"
#include "common/utf8.h"

#include <endian.h>

/* On the way of every request: inlined by force, as calls and arguments in memory would double what one
 * costs. */
#define FAST __attribute__((always_inline)) static inline

/* ---- Bytes to values -------------------------------------------------------------------------- */

/* In this order: those with a body first, those with elements last. */
typedef enum form {
    FORM_STR,
    FORM_BIN,
    FORM_OTHER, /* float, ext */
    FORM_NEVER, /* 0xc1: no MessagePack */
    FORM_NIL,
    FORM_FALSE,
    FORM_TRUE,
    FORM_UINT,
    FORM_INT,
    FORM_ARRAY,
    FORM_MAP
} form_t;

/* What a first byte says. Its argument is (first byte & mask) + the big-endian number behind it: a value, a
 * count, or a length. A body of length + extra bytes follows where the form has one. */
typedef struct head {
    uint8_t form;
    uint8_t width; /* bytes of the number behind the first byte: 0, 1, 2, 4, 8 */
    uint8_t mask;  /* of the first byte */
    uint8_t extra; /* bytes */
} head_t;

/* clang-format off */
#define FOUR(...)    {__VA_ARGS__}, {__VA_ARGS__}, {__VA_ARGS__}, {__VA_ARGS__}
#define SIXTEEN(...) FOUR(__VA_ARGS__), FOUR(__VA_ARGS__), FOUR(__VA_ARGS__), FOUR(__VA_ARGS__)

static const head_t HEADS[256] = {
    /*      form, width, mask, extra */
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
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (width) {
    case 1:
        return data[0];
    case 2:
        memcpy(&two, data, sizeof two);
        return be16toh(two);
    case 4:
        memcpy(&four, data, sizeof four);
        return be32toh(four);
    default:
        memcpy(&eight, data, sizeof eight);
        return be64toh(eight);
    }
}

/* A value's head, taken apart. */
typedef struct token {
    form_t form;
    unsigned width;      /* as in head_t */
    uint64_t argument;   /* as in head_t */
    const uint8_t *body; /* behind the head: its bytes are there */
} token_t;

/* Reads the head at *AT and moves *AT behind it and its body. False, with *AT as it was, where the bytes are
 * no whole head and body. */
FAST bool read_token(const uint8_t **at, const uint8_t *end, token_t *token)
{
    const uint8_t *p = *at;
    if (p == end)
        return false;
    const head_t head = HEADS[*p];
    uint64_t argument = *p++ & head.mask;
    if (head.width != 0) {
        if ((size_t)(end - p) < head.width)
            return false;
        argument += load(p, head.width);
        p += head.width;
    }
    *token = (token_t){.form = (form_t)head.form, .width = head.width, .argument = argument, .body = p};
    if (head.form <= FORM_NEVER) {
        uint64_t body = argument + head.extra; /* cannot wrap: a length has 4 bytes at most */
        if ((uint64_t)(end - p) < body || head.form == FORM_NEVER)
            return false;
        p += body;
    }
    *at = p;
    return true;
}

/* Where the bytes stopped being MessagePack, for a head at AT that could not be read. */
static const uint8_t *break_of(const uint8_t *at, const uint8_t *end)
{
    return at < end && HEADS[*at].form == FORM_NEVER ? at : end;
}

/* Values that follow the head TOKEN and belong to it. */
static inline uint64_t children(const token_t *token)
{
    if (token->form < FORM_ARRAY)
        return 0;
    return token->argument << (token->form == FORM_MAP);
}

/* The signed number whose two's complement is the low WIDTH bytes (0 stands for 1) of BITS. */
static int64_t sign_extended(uint64_t bits, unsigned width)
{
    uint64_t sign = UINT64_C(1) << (width == 0 ? 7 : 8 * width - 1);
    uint64_t extended = (bits ^ sign) - sign;
    int64_t number;
    memcpy(&number, &extended, sizeof number);
    return number;
}

static inline bool is_text(const token_t *token)
{
    return token->form == FORM_BIN ||
           (token->form == FORM_STR && utf8_valid(bytes_of(token->body, (size_t)token->argument)));
}

/* Fills in VALUE from TOKEN; of an array or a map the head alone, with a `span` of 1 as if it were empty. */
FAST void value_of_token(const token_t *token, rpc_value_t *value)
{
    value->span = 1;
    switch (token->form) {
    case FORM_STR:
    case FORM_BIN:
        value->as.bytes = bytes_of(token->body, (size_t)token->argument);
        value->type = token->form == FORM_BIN ? RPC_BIN : RPC_STR;
        if (!is_text(token))
            value->type = RPC_OTHER;
        return;
    case FORM_OTHER:
    case FORM_NEVER:
        value->type = RPC_OTHER;
        return;
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
    case FORM_ARRAY:
    case FORM_MAP:
        value->type = token->form == FORM_ARRAY ? RPC_ARRAY : RPC_MAP;
        value->as.count = (uint32_t)token->argument;
        return;
    }
}

/* Moves *AT behind a value with all inside it. False where it is not whole, with *AT where it broke off. */
static bool skip(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *p = *at;
    /* Cannot wrap: 5 bytes of input add less than 2^33, so that would take a payload of 10 GiB. */
    for (uint64_t pending = 1; pending > 0; pending--) {
        token_t token;
        if (!read_token(&p, end, &token)) {
            *at = break_of(p, end);
            return false;
        }
        pending += children(&token);
    }
    *at = p;
    return true;
}

bool rpc_read_value(bytes_t payload, size_t *at, rpc_value_t *value)
{
    if (*at >= payload.size)
        return false;
    const uint8_t *p = payload.data + *at;
    const uint8_t *end = payload.data + payload.size;
    token_t token;
    if (!read_token(&p, end, &token)) {
        *at = (size_t)(break_of(p, end) - payload.data);
        return false;
    }
    value_of_token(&token, value);
    value->span = 0;
    *at = (size_t)(p - payload.data);
    return true;
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

static const char UNSENDABLE[] =
    "a message holds no floats, no ext types, and no str that is not valid UTF-8 (send "
    "numbers as integers, bytes as bin)";

/* An array or a map inside the params while what it holds is read. */
typedef struct nest {
    uint64_t left;  /* values that come after it, beside it */
    uint32_t index; /* its own place in the flat sequence of values */
} nest_t;

/* The one-byte forms, tried first where they are usual: TAG in the bits outside MASK, a number of at most
 * MASK within. */
FAST bool read_short(const uint8_t **at, const uint8_t *end, uint8_t tag, uint8_t mask, uint32_t *number)
{
    const uint8_t *p = *at;
    if (p == end || (*p & ~mask) != tag)
        return false;
    *number = *p & mask;
    *at = p + 1;
    return true;
}

/* Reads an integer from 0, which may come in a signed encoding too. */
FAST bool read_number(const uint8_t **at, const uint8_t *end, uint64_t *number)
{
    token_t token;
    if (!read_token(at, end, &token))
        return false;
    *number = token.argument;
    return token.form == FORM_UINT ||
           (token.form == FORM_INT && sign_extended(token.argument, token.width) >= 0);
}

FAST bool read_string(const uint8_t **at, const uint8_t *end, bytes_t *string)
{
    const uint8_t *p = *at;
    uint32_t size;
    if (read_short(&p, end, 0xa0, 0x1f, &size) && (size_t)(end - p) >= size) {
        *string = bytes_of(p, size);
        *at = p + size;
        return utf8_valid(*string);
    }
    token_t token;
    if (!read_token(at, end, &token) || !is_text(&token))
        return false;
    *string = bytes_of(token.body, (size_t)token.argument);
    return true;
}

FAST bool read_array(const uint8_t **at, const uint8_t *end, uint32_t *count)
{
    if (read_short(at, end, 0x90, 0x0f, count))
        return true;
    token_t token;
    if (!read_token(at, end, &token) || token.form != FORM_ARRAY)
        return false;
    *count = (uint32_t)token.argument;
    return true;
}

/* Reads how a message begins: an array's head and the number that is its first element. */
static const char *read_opening(const uint8_t **at, const uint8_t *end, uint32_t *count, uint64_t *type)
{
    if (!read_array(at, end, count))
        return "a message is an array: [0, msgid, method, params]";
    if (*count == 0 || !read_number(at, end, type))
        return "a message begins with a number: 0 for a request, 2 for a notification";
    return NULL;
}

FAST const char *read_msgid(const uint8_t **at, const uint8_t *end, uint32_t *msgid)
{
    uint64_t number;
    if (!read_number(at, end, &number) || number > UINT32_MAX)
        return "the msgid, second in a request, is an integer from 0 to 4294967295";
    *msgid = (uint32_t)number;
    return NULL;
}

FAST const char *read_method(const uint8_t **at, const uint8_t *end, bytes_t *method)
{
    return read_string(at, end, method) ? NULL : "the method is a string (a str is valid UTF-8)";
}

/* Reads on at P in params of which LEFT values are to come and MESSAGE->value_count have been read, and adds
 * the others to it. Returns where the params end, or NULL and sets MESSAGE->problem: no local of the fast way
 * needs an address. */
__attribute__((noinline)) static const uint8_t *read_nested(const uint8_t *p, const uint8_t *end,
                                                            rpc_message_t *message, uint64_t left)
{
    nest_t nests[LIMIT_DEPTH - 2];        /* around the value that is read, inside the params */
    unsigned depth = 0;                   /* of those */
    uint32_t seen = message->value_count; /* fewer than the payload has bytes */
    rpc_value_t beyond;                   /* where a value goes that is not kept */
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
        if (!read_token(&p, end, &token))
            return NULL;
        rpc_value_t *value = seen < RPC_VALUES_MAX ? &message->values[seen] : &beyond;
        value_of_token(&token, value);
        if (value->type == RPC_OTHER) {
            message->problem = UNSENDABLE;
            return NULL;
        }
        if (token.form >= FORM_ARRAY) {
            if (depth == LIMIT_DEPTH - 2) {
                message->problem = "a message is nested at most 8 deep";
                return NULL;
            }
            nests[depth++] = (nest_t){.left = left, .index = seen};
            left = children(&token);
        }
    }
    message->problem = NULL;
    message->value_count = seen;
    return p;
}

FAST const char *read_params(const uint8_t **at, const uint8_t *end, rpc_message_t *message)
{
    uint32_t params;
    if (!read_array(at, end, &params))
        return "the params, last in a message, are an array";
    message->params = params;
    message->truncated = false;
    const uint8_t *p = *at;
    uint32_t seen = 0;
    for (; seen < params; seen++) {
        const uint8_t *before = p;
        token_t token;
        if (!read_token(&p, end, &token))
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
        value_of_token(&token, &message->values[seen]);
        if (message->values[seen].type == RPC_OTHER)
            return UNSENDABLE;
    }
    message->value_count = seen;
    *at = p;
    return NULL;
}

/* Reads how a request or a notification begins, up to its msgid or method, as read_nested does. */
__attribute__((noinline)) static const uint8_t *read_kind(const uint8_t *p, const uint8_t *end,
                                                          rpc_message_t *message)
{
    uint32_t count = 0;
    uint64_t type = 0;
    message->problem = read_opening(&p, end, &count, &type);
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
        message->problem =
            "a response ([1, ...]) was sent where a request is expected: [0, msgid, method, params]";
        return NULL;
    default:
        message->problem = "a message begins with 0 for a request, or 2 for a notification";
        return NULL;
    }
}

FAST const char *read_message(const uint8_t **at, const uint8_t *end, rpc_message_t *message)
{
    static const uint8_t USUAL[] = {0x94, RPC_REQUEST}; /* how nearly all requests begin: spares two tokens */
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
        problem = read_msgid(&p, end, &message->msgid);
    if (problem == NULL)
        problem = read_method(&p, end, &message->method);
    if (problem == NULL)
        problem = read_params(&p, end, message);
    *at = p;
    return problem;
}

/* Finds in the value at START, which is whole, what an answer to it needs: *MSGID, where it is an array that
 * begins with WITH_ID and a msgid (else 0), and whether it is an array that begins with 2. */
static void identify(bytes_t payload, size_t start, uint64_t with_id, uint32_t *msgid, bool *notification)
{
    const uint8_t *at = payload.data + start;
    const uint8_t *end = payload.data + payload.size;
    uint32_t count = 0;
    uint64_t type = 0;
    *msgid = 0;
    *notification = false;
    if (read_opening(&at, end, &count, &type) != NULL)
        return;
    *notification = type == RPC_NOTIFICATION;
    if (type == with_id && count > 1 && read_msgid(&at, end, msgid) != NULL)
        *msgid = 0;
}

/* The way out for what is no message: says where the bytes break off, or skips what is one value but
 * ill-formed. */
__attribute__((cold, noinline)) static rpc_step_t refuse(bytes_t payload, size_t *at, rpc_message_t *message,
                                                         const char *problem)
{
    size_t start = *at;
    if (!rpc_skip(payload, at))
        return RPC_STEP_BROKEN;
    bool notification;
    *message = (rpc_message_t){.kind = RPC_ILL_FORMED, .problem = problem};
    identify(payload, start, RPC_REQUEST, &message->msgid, &notification);
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

/* ---- Replies ---------------------------------------------------------------------------------- */

/* Reads a response's error: nil, [code, message] or [code, message, detail]. */
static const char *read_error(const uint8_t **at, const uint8_t *end, rpc_reply_t *reply)
{
    static const char FORM[] = "a response's error is nil, [code, message] or [code, message, detail]";
    token_t error;
    if (!read_token(at, end, &error))
        return BROKEN;
    if (error.form == FORM_NIL)
        return NULL;
    if (error.form != FORM_ARRAY || error.argument < 2 || error.argument > 3)
        return FORM;
    reply->failed = true;
    reply->has_detail = error.argument == 3;
    if (!read_string(at, end, &reply->code) || !read_string(at, end, &reply->text))
        return FORM;
    if (reply->has_detail && !read_number(at, end, &reply->detail))
        return FORM;
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
    uint32_t params;
    return read_array(&ahead, end, &params) ? NULL : "the params, last in a message, are an array";
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
    const uint8_t *p = payload.data + *at;
    *reply = (rpc_reply_t){.kind = RPC_ILL_FORMED};
    if (read_reply(&p, payload.data + payload.size, reply) == NULL) {
        *at = (size_t)(p - payload.data);
        return RPC_STEP_MESSAGE;
    }
    size_t start = *at;
    if (!rpc_skip(payload, at))
        return RPC_STEP_BROKEN;
    bool notification;
    *reply = (rpc_reply_t){.kind = RPC_ILL_FORMED};
    identify(payload, start, RPC_RESPONSE, &reply->msgid, &notification);
    return RPC_STEP_MESSAGE;
}
