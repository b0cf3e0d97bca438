/* SPDX-License-Identifier: MPL-2.0 */
/* Private to rpc_*.c: reads MessagePack as tokens (a head and its body), in place, and the parts that
 * messages of both directions have. Allocates nothing. Readers begin at *AT, never read past END, and move
 * *AT past what they read. */
#ifndef KV_COMMON_RPC_TOKEN_H
#define KV_COMMON_RPC_TOKEN_H

#include <endian.h>

#include "common/rpc.h"
#include "common/utf8.h"

/* For functions that every request needs: always inlined, because calls and arguments in memory would double
 * the cost of a request. */
#define RPC_FAST __attribute__((always_inline)) static inline

/* The order matters: those with a body come first, those with elements last. */
typedef enum form {
    FORM_STR,
    FORM_BIN,
    FORM_OTHER, /* float, ext */
    FORM_NEVER, /* 0xc1: not MessagePack */
    FORM_NIL,
    FORM_FALSE,
    FORM_TRUE,
    FORM_UINT,
    FORM_INT,
    FORM_ARRAY,
    FORM_MAP
} form_t;

/* What a first byte means. Its argument is (first byte & mask) + the big-endian number after it: a value, a
 * count, or a length. If the form has a body, length + extra bytes follow. */
typedef struct head {
    uint8_t form;
    uint8_t width; /* bytes of the number after the first byte: 0, 1, 2, 4, 8 */
    uint8_t mask;  /* of the first byte */
    uint8_t extra; /* bytes */
} head_t;

/* By first byte. */
extern const head_t rpc_heads[256];

/* The big-endian number of WIDTH bytes at DATA. */
static inline uint64_t token_load(const uint8_t *data, unsigned width)
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

/* The decoded head of a value. */
typedef struct token {
    form_t form;
    unsigned width;      /* as in head_t */
    uint64_t argument;   /* as in head_t */
    const uint8_t *body; /* after the head; all its bytes are there */
} token_t;

/* Reads the head at *AT and moves *AT past it and its body. False, with *AT unchanged, if they are incomplete
 * or not MessagePack. */
RPC_FAST bool token_read(const uint8_t **at, const uint8_t *end, token_t *token)
{
    const uint8_t *p = *at;
    if (p == end)
        return false;
    const head_t head = rpc_heads[*p];
    uint64_t argument = *p++ & head.mask;
    if (head.width != 0) {
        if ((size_t)(end - p) < head.width)
            return false;
        argument += token_load(p, head.width);
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

/* Number of values that follow the head TOKEN and belong to it. */
static inline uint64_t token_children(const token_t *token)
{
    if (token->form < FORM_ARRAY)
        return 0;
    return token->argument << (token->form == FORM_MAP);
}

/* The signed number whose two's complement is the low WIDTH bytes (0 stands for 1) of BITS. */
static inline int64_t token_signed(uint64_t bits, unsigned width)
{
    uint64_t sign = UINT64_C(1) << (width == 0 ? 7 : 8 * width - 1);
    uint64_t extended = (bits ^ sign) - sign;
    int64_t number;
    memcpy(&number, &extended, sizeof number);
    return number;
}

static inline bool token_is_text(const token_t *token)
{
    return token->form == FORM_BIN ||
           (token->form == FORM_STR && utf8_valid(bytes_of(token->body, (size_t)token->argument)));
}

/* Fills in VALUE from TOKEN; for an array or a map only the head, with a `span` of 1 as if it were empty. */
RPC_FAST void token_value(const token_t *token, rpc_value_t *value)
{
    value->span = 1;
    switch (token->form) {
    case FORM_STR:
    case FORM_BIN:
        value->as.bytes = bytes_of(token->body, (size_t)token->argument);
        value->type = token->form == FORM_BIN ? RPC_BIN : RPC_STR;
        if (!token_is_text(token))
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
        int64_t number = token_signed(token->argument, token->width);
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

/* Reads a form of one byte, to be tried first if it is frequent: TAG in the bits outside MASK, a number of at
 * most MASK within. */
RPC_FAST bool token_read_short(const uint8_t **at, const uint8_t *end, uint8_t tag, uint8_t mask,
                               uint32_t *number)
{
    const uint8_t *p = *at;
    if (p == end || (*p & ~mask) != tag)
        return false;
    *number = *p & mask;
    *at = p + 1;
    return true;
}

/* Reads an integer of 0 or more, in an unsigned or a signed encoding. */
RPC_FAST bool token_read_number(const uint8_t **at, const uint8_t *end, uint64_t *number)
{
    token_t token;
    if (!token_read(at, end, &token))
        return false;
    *number = token.argument;
    return token.form == FORM_UINT ||
           (token.form == FORM_INT && token_signed(token.argument, token.width) >= 0);
}

/* Reads a str of at most 31 bytes that is valid UTF-8: most strings are such. */
RPC_FAST bool token_read_short_str(const uint8_t **at, const uint8_t *end, bytes_t *string)
{
    const uint8_t *p = *at;
    uint32_t size;
    if (!token_read_short(&p, end, 0xa0, 0x1f, &size) || (size_t)(end - p) < size)
        return false;
    *string = bytes_of(p, size);
    if (!utf8_valid(*string))
        return false;
    *at = p + size;
    return true;
}

RPC_FAST bool token_read_string(const uint8_t **at, const uint8_t *end, bytes_t *string)
{
    if (token_read_short_str(at, end, string))
        return true;
    token_t token;
    if (!token_read(at, end, &token) || !token_is_text(&token))
        return false;
    *string = bytes_of(token.body, (size_t)token.argument);
    return true;
}

RPC_FAST bool token_read_array(const uint8_t **at, const uint8_t *end, uint32_t *count)
{
    if (token_read_short(at, end, 0x90, 0x0f, count))
        return true;
    token_t token;
    if (!token_read(at, end, &token) || token.form != FORM_ARRAY)
        return false;
    *count = (uint32_t)token.argument;
    return true;
}

RPC_FAST const char *rpc_read_msgid(const uint8_t **at, const uint8_t *end, uint32_t *msgid)
{
    uint64_t number;
    if (!token_read_number(at, end, &number) || number > UINT32_MAX)
        return "the msgid, second in a request, must be an integer from 0 to 4294967295";
    *msgid = (uint32_t)number;
    return NULL;
}

RPC_FAST const char *rpc_read_method(const uint8_t **at, const uint8_t *end, bytes_t *method)
{
    return token_read_string(at, end, method) ? NULL
                                              : "the method must be a string (a str must be valid UTF-8)";
}

/* Reads the beginning of a message: an array's head and the number that is its first element. Returns NULL or
 * a problem. */
const char *rpc_read_opening(const uint8_t **at, const uint8_t *end, uint32_t *count, uint64_t *type);

/* Finds in the complete value at START what an answer to it needs: *MSGID, if it is an array that begins with
 * WITH_ID and a msgid (else 0), and *NOTIFICATION: whether it is an array that begins with 2. */
void rpc_identify(bytes_t payload, size_t start, uint64_t with_id, uint32_t *msgid, bool *notification);

#endif
