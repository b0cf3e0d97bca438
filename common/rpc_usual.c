/* SPDX-License-Identifier: MPL-2.0 */
/* Usual requests byte by byte: where the quick way may not read ahead, or does not know the encoding. */
#include "common/rpc_usual.h"

/* Reads a method's name of at most RPC_USUAL_NAME bytes. */
static bool name_read(const uint8_t **at, const uint8_t *end, uint64_t *name)
{
    const uint8_t *p = *at;
    uint64_t bytes = 0;
    if (p == end || (*p & 0xe0) != 0xa0)
        return false;
    uint32_t size = (*p & 0x1f) + 1; /* with the byte that tells it */
    if (size > RPC_USUAL_NAME + 1 || (size_t)(end - p) < size)
        return false;
    if ((size_t)(end - p) >= sizeof bytes) {
        memcpy(&bytes, p, sizeof bytes);
        bytes = le64toh(bytes) & ((UINT64_C(1) << (8 * size)) - 1);
    } else {
        for (uint32_t i = 0; i < size; i++)
            bytes |= (uint64_t)p[i] << (8 * i);
    }
    *name = bytes;
    *at = p + size;
    return true;
}

/* Reads one param. */
static bool param_read(const uint8_t **at, const uint8_t *end, bytes_t *param, bool *binary)
{
    *binary = false;
    if (token_read_short_str(at, end, param))
        return true;
    token_t token;
    if (!token_read(at, end, &token) || !token_is_text(&token))
        return false;
    *binary = token.form == FORM_BIN;
    *param = bytes_of(token.body, (size_t)token.argument);
    return true;
}

bool rpc_read_usual_any(const uint8_t **at, const uint8_t *end, rpc_usual_t *message)
{
    const uint8_t *p = *at;
    if (end - p < 4) /* below, one byte behind the opening is read without a look */
        return false;
    message->owed = p[0] == 0x94 && p[1] == RPC_REQUEST;
    if (!message->owed && !(p[0] == 0x93 && p[1] == RPC_NOTIFICATION))
        return false;
    p += 2;
    message->msgid = 0;
    if (message->owed && *p < 0x80) {
        message->msgid = *p++;
    } else if (message->owed) {
        token_t token;
        if (!token_read(&p, end, &token) || token.form != FORM_UINT || token.argument > UINT32_MAX)
            return false;
        message->msgid = (uint32_t)token.argument;
    }
    uint32_t count;
    if (!name_read(&p, end, &message->name) || !token_read_short(&p, end, 0x90, 0x0f, &count) ||
        count > RPC_USUAL_PARAMS)
        return false;
    message->count = (uint8_t)count;
    message->binary = false;
    for (uint32_t i = 0; i < count; i++) {
        if (message->binary || !param_read(&p, end, &message->params[i], &message->binary))
            return false;
    }
    *at = p;
    return true;
}
