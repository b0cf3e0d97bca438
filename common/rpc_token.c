/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the table of MessagePack's first bytes, and what works on values of any kind: read one, skip one,
 * count. */
#include "common/rpc_token.h"

/* clang-format off */
#define FOUR(...)    {__VA_ARGS__}, {__VA_ARGS__}, {__VA_ARGS__}, {__VA_ARGS__}
#define SIXTEEN(...) FOUR(__VA_ARGS__), FOUR(__VA_ARGS__), FOUR(__VA_ARGS__), FOUR(__VA_ARGS__)

const head_t rpc_heads[256] = {
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

/* Where the bytes break off, if the head at AT could not be read. */
static const uint8_t *break_of(const uint8_t *at, const uint8_t *end)
{
    return at < end && rpc_heads[*at].form == FORM_NEVER ? at : end;
}

bool rpc_read_value(bytes_t payload, size_t *at, rpc_value_t *value)
{
    if (*at >= payload.size)
        return false;
    const uint8_t *p = payload.data + *at;
    const uint8_t *end = payload.data + payload.size;
    token_t token;
    if (!token_read(&p, end, &token)) {
        *at = (size_t)(break_of(p, end) - payload.data);
        return false;
    }
    token_value(&token, value);
    value->span = 0;
    *at = (size_t)(p - payload.data);
    return true;
}

bool rpc_skip(bytes_t payload, size_t *at)
{
    if (*at >= payload.size)
        return false;
    const uint8_t *p = payload.data + *at;
    const uint8_t *end = payload.data + payload.size;
    /* Cannot wrap: 5 bytes of input add less than 2^33, so that would take a payload of 10 GiB. */
    for (uint64_t pending = 1; pending > 0; pending--) {
        token_t token;
        if (!token_read(&p, end, &token)) {
            *at = (size_t)(break_of(p, end) - payload.data);
            return false;
        }
        pending += token_children(&token);
    }
    *at = (size_t)(p - payload.data);
    return true;
}

size_t rpc_count(bytes_t payload, size_t limit)
{
    size_t count = 0;
    for (size_t at = 0; count <= limit && rpc_skip(payload, &at);)
        count++;
    return count;
}

const char *rpc_read_opening(const uint8_t **at, const uint8_t *end, uint32_t *count, uint64_t *type)
{
    if (!token_read_array(at, end, count))
        return "a message must be an array: [0, msgid, method, params]";
    if (*count == 0 || !token_read_number(at, end, type))
        return "a message must begin with a number: 0 for a request, 2 for a notification";
    return NULL;
}

void rpc_identify(bytes_t payload, size_t start, uint64_t with_id, uint32_t *msgid, bool *notification)
{
    const uint8_t *at = payload.data + start;
    const uint8_t *end = payload.data + payload.size;
    uint32_t count = 0;
    uint64_t type = 0;
    *msgid = 0;
    *notification = false;
    if (rpc_read_opening(&at, end, &count, &type) != NULL)
        return;
    *notification = type == RPC_NOTIFICATION;
    if (type == with_id && count > 1 && rpc_read_msgid(&at, end, msgid) != NULL)
        *msgid = 0;
}
