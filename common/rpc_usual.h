/* SPDX-License-Identifier: MPL-2.0 */
/* Reads requests and notifications of the usual form with few instructions: a method with a short name, and
 * at most two params, each of them a string or bytes. Whatever is not of this form, wrong messages too, is
 * for rpc_read. */
#ifndef KV_COMMON_RPC_USUAL_H
#define KV_COMMON_RPC_USUAL_H

#include "common/rpc_token.h"

enum { RPC_USUAL_PARAMS = 2, RPC_USUAL_NAME = 6 /* bytes of a method's name, at most */ };

typedef struct rpc_usual {
    uint64_t name;  /* of the method: RPC_NAME */
    uint32_t msgid; /* of a request */
    bool owed;      /* it is a request */
    bool binary;    /* the last param is bin, those before are str; a str is valid UTF-8 */
    uint8_t count;  /* params */
    bytes_t params[RPC_USUAL_PARAMS];
} rpc_usual_t;

/* The number for the name of SIZE characters A, B, C and so on, 0 behind the last: its MessagePack, lowest
 * byte first. */
#define RPC_NAME(size, a, b, c, d, e)                                                                        \
    ((uint64_t)(0xa0 | (size)) | (uint64_t)(a) << 8 | (uint64_t)(b) << 16 | (uint64_t)(c) << 24 |            \
     (uint64_t)(d) << 32 | (uint64_t)(e) << 40)

/* Reads a method's name of at most RPC_USUAL_NAME bytes. */
RPC_FAST bool rpc_usual_name(const uint8_t **at, const uint8_t *end, uint64_t *name)
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
RPC_FAST bool rpc_usual_param(const uint8_t **at, const uint8_t *end, bytes_t *param, bool *binary)
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

/* Reads the message at *AT and moves *AT behind it. False if it is not of the usual form: *AT is of no
 * meaning then. */
KV_MUST_USE RPC_FAST bool rpc_read_usual(const uint8_t **at, const uint8_t *end, rpc_usual_t *message)
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
    if (!rpc_usual_name(&p, end, &message->name) || !token_read_short(&p, end, 0x90, 0x0f, &count) ||
        count > RPC_USUAL_PARAMS)
        return false;
    message->count = (uint8_t)count;
    message->binary = false;
    for (uint32_t i = 0; i < count; i++) {
        if (message->binary || !rpc_usual_param(&p, end, &message->params[i], &message->binary))
            return false;
    }
    *at = p;
    return true;
}

/* ---- Answers ---------------------------------------------------------------------------------- */

enum {
    RPC_RESULT_HEAD = 8, /* bytes of a response before its result, at most */
    RPC_UINT_BYTES = 9,  /* of a number, at most */
    RPC_STRING_HEAD = 5  /* of a str or bin before its bytes, at most */
};

/* Writes NUMBER. */
RPC_FAST uint8_t *rpc_put_uint(uint8_t *to, uint64_t number)
{
    if (number < 0x80) {
        *to++ = (uint8_t)number;
    } else if (number <= UINT8_MAX) {
        *to++ = 0xcc;
        *to++ = (uint8_t)number;
    } else if (number <= UINT16_MAX) {
        uint16_t two = htobe16((uint16_t)number);
        *to++ = 0xcd;
        memcpy(to, &two, sizeof two);
        to += sizeof two;
    } else if (number <= UINT32_MAX) {
        uint32_t four = htobe32((uint32_t)number);
        *to++ = 0xce;
        memcpy(to, &four, sizeof four);
        to += sizeof four;
    } else {
        uint64_t eight = htobe64(number);
        *to++ = 0xcf;
        memcpy(to, &eight, sizeof eight);
        to += sizeof eight;
    }
    return to;
}

/* Writes `[1, MSGID, nil,` at TO, which has room for RPC_RESULT_HEAD bytes. Returns where the result goes. */
RPC_FAST uint8_t *rpc_put_result(uint8_t *to, uint32_t msgid)
{
    *to++ = 0x94;
    *to++ = RPC_RESPONSE;
    to = rpc_put_uint(to, msgid);
    *to++ = 0xc0;
    return to;
}

/* Writes TEXT, at most UINT32_MAX bytes, as str or as bin. */
RPC_FAST uint8_t *rpc_put_string(uint8_t *to, bytes_t text, bool binary)
{
    if (!binary && text.size < 32) {
        *to++ = (uint8_t)(0xa0 | text.size);
    } else if (text.size <= UINT8_MAX) {
        *to++ = binary ? 0xc4 : 0xd9;
        *to++ = (uint8_t)text.size;
    } else if (text.size <= UINT16_MAX) {
        uint16_t two = htobe16((uint16_t)text.size);
        *to++ = binary ? 0xc5 : 0xda;
        memcpy(to, &two, sizeof two);
        to += sizeof two;
    } else {
        uint32_t four = htobe32((uint32_t)text.size);
        *to++ = binary ? 0xc6 : 0xdb;
        memcpy(to, &four, sizeof four);
        to += sizeof four;
    }
    return bytes_put(to, text.data, text.size);
}

#endif
