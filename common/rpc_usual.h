/* SPDX-License-Identifier: MPL-2.0 */
/* Reads and answers the most frequent requests (get, put and ping) with few instructions. What is not of
 * their usual form, malformed messages too, is left to rpc_read. */
#ifndef KV_COMMON_RPC_USUAL_H
#define KV_COMMON_RPC_USUAL_H

#include <byteswap.h>

#include "common/rpc_token.h"

typedef enum rpc_usual_kind {
    RPC_USUAL_NONE,
    RPC_USUAL_GET,
    RPC_USUAL_PUT, /* without options */
    RPC_USUAL_PING
} rpc_usual_kind_t;

typedef struct rpc_usual {
    uint32_t msgid; /* of a request */
    bool owed;      /* it is a request, not a notification */
    bool binary;    /* PUT: the value is bin, else str */
    bytes_t value;  /* PUT; a str is valid UTF-8 */
} rpc_usual_t;

enum {
    RPC_USUAL_AHEAD = 16,   /* bytes that rpc_read_usual reads before it checks them */
    RPC_USUAL_GET_HEAD = 5, /* bytes of the name and the head of the params */
    RPC_USUAL_PUT_HEAD = 5,
    RPC_USUAL_PING_HEAD = 6
};

/* The name, of SIZE characters A, B, C and D, and the head of the params, as MessagePack, lowest byte first.
 */
#define RPC_USUAL_HEAD(size, a, b, c, d, params)                                                             \
    ((uint64_t)(0xa0 | (size)) | (uint64_t)(a) << 8 | (uint64_t)(b) << 16 | (uint64_t)(c) << 24 |            \
     ((size) == 4 ? (uint64_t)(d) << 32 : 0) | (uint64_t)(0x90 | (params)) << (8 * ((size) + 1)))
#define RPC_USUAL_HEAD_GET  RPC_USUAL_HEAD(3, 'g', 'e', 't', 0, 1)
#define RPC_USUAL_HEAD_PUT  RPC_USUAL_HEAD(3, 'p', 'u', 't', 0, 2)
#define RPC_USUAL_HEAD_PING RPC_USUAL_HEAD(4, 'p', 'i', 'n', 'g', 0)

/* The part of rpc_read_usual for the end of a payload, and for rare encodings. */
KV_MUST_USE rpc_usual_kind_t rpc_read_usual_any(const uint8_t **at, const uint8_t *end, rpc_usual_t *message,
                                                bytes_t *key);

/* Reads a str or a bin, at most 255 bytes. Two bytes must be there at *AT. False if it is anything else. */
RPC_FAST bool rpc_usual_string(const uint8_t **at, const uint8_t *end, bytes_t *string, bool *binary)
{
    const uint8_t *p = *at;
    size_t size = (size_t)p[0] - 0xa0;
    *binary = false;
    if (size < 0x20) {
        p++;
    } else {
        *binary = p[0] == 0xc4;
        if (!*binary && p[0] != 0xd9)
            return false;
        size = p[1];
        p += 2;
    }
    *string = bytes_of(p, size);
    *at = p + size;
    return (size_t)(end - p) >= size;
}

/* Reads the message at *AT and moves *AT past it. *KEY: of PUT, a str that is valid UTF-8; of GET, a str that
 * need not be valid: the caller checks it, but only if there is no such key, because no key is invalid. Of
 * PING it is empty. NONE if the message is not usual: *AT and *KEY are undefined then. */
KV_MUST_USE RPC_FAST rpc_usual_kind_t rpc_read_usual(const uint8_t **at, const uint8_t *end,
                                                     rpc_usual_t *message, bytes_t *key)
{
    const uint8_t *p = *at;
    rpc_usual_kind_t kind;
    uint16_t opening;
    uint32_t msgid;
    uint64_t head;
    bool binary;
    if (end - p < RPC_USUAL_AHEAD)
        return p == end ? RPC_USUAL_NONE : rpc_read_usual_any(at, end, message, key);
    memcpy(&opening, p, sizeof opening);
    p += 2;
    message->owed = le16toh(opening) == (0x94 | RPC_REQUEST << 8);
    if (!message->owed) {
        if (le16toh(opening) != (0x93 | RPC_NOTIFICATION << 8))
            return RPC_USUAL_NONE;
        message->msgid = 0;
    } else if (*p < 0x80) {
        message->msgid = *p++;
    } else if (*p == 0xce) {
        memcpy(&msgid, p + 1, sizeof msgid);
        message->msgid = be32toh(msgid);
        p += 1 + sizeof msgid;
    } else if (*p == 0xcd) {
        message->msgid = (uint32_t)p[1] << 8 | p[2];
        p += 3;
    } else if (*p == 0xcc) {
        message->msgid = p[1];
        p += 2;
    } else {
        return rpc_read_usual_any(at, end, message, key);
    }
    memcpy(&head, p, sizeof head);
    head = le64toh(head);
    if ((head & UINT64_C(0xffffffffff)) == RPC_USUAL_HEAD_GET) {
        p += RPC_USUAL_GET_HEAD;
        if (!rpc_usual_string(&p, end, key, &binary) || binary)
            return rpc_read_usual_any(at, end, message, key);
        kind = RPC_USUAL_GET;
    } else if ((head & UINT64_C(0xffffffffff)) == RPC_USUAL_HEAD_PUT) {
        p += RPC_USUAL_PUT_HEAD;
        if (!rpc_usual_string(&p, end, key, &binary) || binary || !utf8_is_ascii(*key) || end - p < 2 ||
            !rpc_usual_string(&p, end, &message->value, &message->binary) ||
            !(message->binary || utf8_is_ascii(message->value)))
            return rpc_read_usual_any(at, end, message, key);
        kind = RPC_USUAL_PUT;
    } else if ((head & UINT64_C(0xffffffffffff)) == RPC_USUAL_HEAD_PING) {
        p += RPC_USUAL_PING_HEAD;
        *key = (bytes_t){0};
        kind = RPC_USUAL_PING;
    } else {
        return RPC_USUAL_NONE;
    }
    *at = p;
    return kind;
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
    uint64_t head = 0x94 | RPC_RESPONSE << 8; /* lowest byte first; the result overwrites what is behind it */
    unsigned size;
    if (msgid > UINT16_MAX) {
        head |= UINT64_C(0xce) << 16 | (uint64_t)bswap_32(msgid) << 24 | UINT64_C(0xc0) << 56;
        size = 8;
    } else if (msgid > UINT8_MAX) {
        head |= UINT64_C(0xcd) << 16 | (uint64_t)bswap_16((uint16_t)msgid) << 24 | UINT64_C(0xc0) << 40;
        size = 6;
    } else if (msgid >= 0x80) {
        head |= UINT64_C(0xcc) << 16 | (uint64_t)msgid << 24 | UINT64_C(0xc0) << 32;
        size = 5;
    } else {
        head |= (uint64_t)msgid << 16 | UINT64_C(0xc0) << 24;
        size = 4;
    }
    head = htole64(head);
    memcpy(to, &head, sizeof head);
    return to + size;
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
