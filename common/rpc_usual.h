/* SPDX-License-Identifier: MPL-2.0 */
/* Reads requests and notifications of the usual form with few instructions: a method with a short name, and
 * at most two params, each of them a string or bytes. Whatever is not of this form, wrong messages too, is
 * for rpc_read. */
#ifndef KV_COMMON_RPC_USUAL_H
#define KV_COMMON_RPC_USUAL_H

#include <byteswap.h>

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

/* The quick way reads so many bytes at once before it looks at what they say. */
enum { RPC_USUAL_AHEAD = 16 };

/* rpc_read_usual for every message of the usual form: at a payload's end, and in encodings that are rare. */
KV_MUST_USE bool rpc_read_usual_any(const uint8_t **at, const uint8_t *end, rpc_usual_t *message);

/* Reads one param, of which two bytes are there. False if its encoding is rare. */
RPC_FAST bool rpc_usual_param(const uint8_t **at, const uint8_t *end, bytes_t *param, bool *binary)
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
    *param = bytes_of(p, size);
    *at = p + size;
    return (size_t)(end - p) >= size && (*binary || utf8_is_ascii(*param));
}

/* Reads the message at *AT and moves *AT behind it. False if it is not of the usual form: *AT is of no
 * meaning then. */
KV_MUST_USE RPC_FAST bool rpc_read_usual(const uint8_t **at, const uint8_t *end, rpc_usual_t *message)
{
    const uint8_t *p = *at;
    uint64_t word;
    uint32_t number;
    if (end - p < RPC_USUAL_AHEAD || p[1] != RPC_REQUEST || p[0] != 0x94)
        return rpc_read_usual_any(at, end, message);
    p += 2;
    if (*p < 0x80) {
        message->msgid = *p++;
    } else if (*p == 0xce) {
        memcpy(&number, p + 1, sizeof number);
        message->msgid = be32toh(number);
        p += 1 + sizeof number;
    } else if (*p == 0xcd) {
        message->msgid = (uint32_t)p[1] << 8 | p[2];
        p += 3;
    } else {
        return rpc_read_usual_any(at, end, message);
    }
    memcpy(&word, p, sizeof word);
    word = le64toh(word);
    unsigned name_size = (unsigned)(word & 0xff) - 0xa0 + 1; /* with the byte that tells it */
    if (name_size >= sizeof word)
        return rpc_read_usual_any(at, end, message);
    message->name = word & ((UINT64_C(1) << (8 * name_size)) - 1);
    unsigned count = (unsigned)(word >> (8 * name_size) & 0xff) - 0x90;
    p += name_size + 1;
    message->owed = true;
    message->binary = false;
    message->count = (uint8_t)count;
    if (count == 0)
        goto done;
    if (count > RPC_USUAL_PARAMS || end - p < 2 ||
        !rpc_usual_param(&p, end, &message->params[0], &message->binary))
        return rpc_read_usual_any(at, end, message);
    if (count == 2 &&
        (message->binary || end - p < 2 || !rpc_usual_param(&p, end, &message->params[1], &message->binary)))
        return rpc_read_usual_any(at, end, message);
done:
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
    uint64_t head = 0x94 | RPC_RESPONSE << 8; /* lowest byte first; what is behind it is written over */
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
