/* SPDX-License-Identifier: MPL-2.0 */
/* Reads usual requests token by token. */
#include "common/rpc_usual.h"

/* Reads a str or bin of any encoding. */
static bool string_read(const uint8_t **at, const uint8_t *end, bytes_t *string, bool *binary)
{
    token_t token;
    if (!token_read(at, end, &token) || !token_is_text(&token))
        return false;
    *binary = token.form == FORM_BIN;
    *string = bytes_of(token.body, (size_t)token.argument);
    return true;
}

/* Reads the head of an array of COUNT elements, at most 15, in its shortest encoding. */
static bool array_read(const uint8_t **at, const uint8_t *end, unsigned count)
{
    uint32_t number;
    return token_read_short(at, end, 0x90, 0x0f, &number) && number == count;
}

rpc_usual_kind_t rpc_read_usual_any(const uint8_t **at, const uint8_t *end, rpc_usual_t *message,
                                    bytes_t *key)
{
    const uint8_t *p = *at;
    bytes_t name;
    uint32_t type;
    bool binary;
    message->msgid = 0;
    message->owed = array_read(&p, end, 4);
    if (!message->owed && !array_read(&p, end, 3))
        return RPC_USUAL_NONE;
    if (!token_read_short(&p, end, 0, 0x7f, &type) ||
        type != (message->owed ? RPC_REQUEST : RPC_NOTIFICATION))
        return RPC_USUAL_NONE;
    if (message->owed && rpc_read_msgid(&p, end, &message->msgid) != NULL)
        return RPC_USUAL_NONE;
    if (!token_read_short_str(&p, end, &name))
        return RPC_USUAL_NONE;
    if (bytes_equal(name, bytes_from_text("get"))) {
        if (!array_read(&p, end, 1) || !string_read(&p, end, key, &binary) || binary)
            return RPC_USUAL_NONE;
        *at = p;
        return RPC_USUAL_GET;
    }
    if (bytes_equal(name, bytes_from_text("put"))) {
        if (!array_read(&p, end, 2) || !string_read(&p, end, key, &binary) || binary ||
            !string_read(&p, end, &message->value, &message->binary))
            return RPC_USUAL_NONE;
        *at = p;
        return RPC_USUAL_PUT;
    }
    if (!bytes_equal(name, bytes_from_text("ping")) || !array_read(&p, end, 0))
        return RPC_USUAL_NONE;
    *key = (bytes_t){0};
    *at = p;
    return RPC_USUAL_PING;
}
