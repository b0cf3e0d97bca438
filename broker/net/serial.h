/* SPDX-License-Identifier: MPL-2.0 */
/* A connection's serial as text, which libzmq attaches to each of its messages (User-Id). It is parsed for
 * each message, so its form can be parsed without a loop: 8 characters of 6 bits each, the lowest first. */
#ifndef KV_BROKER_NET_SERIAL_H
#define KV_BROKER_NET_SERIAL_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

enum { SERIAL_SIZE = 9 }; /* bytes of the text with its terminating zero */

#define SERIAL_MAX ((UINT64_C(1) << 48) - 1)

/* Writes SERIAL to TEXT. Requires SERIAL <= SERIAL_MAX. */
static inline void serial_write(uint64_t serial, char text[SERIAL_SIZE])
{
    for (int i = 0; i < SERIAL_SIZE - 1; i++)
        text[i] = (char)('0' + (serial >> (6 * i) & 0x3f));
    text[SERIAL_SIZE - 1] = '\0';
}

/* Returns the serial that serial_write wrote to TEXT. */
static inline uint64_t serial_read(const char *text)
{
    uint64_t bits;
    memcpy(&bits, text, sizeof bits);
    bits = le64toh(bits) - UINT64_C(0x3030303030303030);
    /* From 8 fields of 6 bits to 4 fields of 12, to 2 of 24, to one of 48. */
    bits = (bits & UINT64_C(0x003f003f003f003f)) | (bits & UINT64_C(0x3f003f003f003f00)) >> 2;
    bits = (bits & UINT64_C(0x00000fff00000fff)) | (bits & UINT64_C(0x0fff00000fff0000)) >> 4;
    return (bits & UINT64_C(0xffffff)) | (bits >> 32 & UINT64_C(0xffffff)) << 24;
}

#endif
