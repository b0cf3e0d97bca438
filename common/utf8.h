/* SPDX-License-Identifier: MPL-2.0 */
/* Text: whether bytes are UTF-8, and how to show untrusted bytes to people. */
#ifndef KV_COMMON_UTF8_H
#define KV_COMMON_UTF8_H

#include <stdarg.h>

#include "common/buffer.h"

#define UTF8_HIGH_BITS UINT64_C(0x8080808080808080) /* set in a byte that is not ASCII */

/* Whether TEXT is ASCII. Checks 16 bytes in a step; the last step may overlap the one before. */
static inline bool utf8_is_ascii(bytes_t text)
{
    uint64_t words[2];
    uint32_t b;
    uint32_t c;
    uint64_t a = 0;
    if (text.size >= sizeof words) {
        for (size_t at = 0; at + sizeof words < text.size; at += sizeof words) {
            memcpy(words, text.data + at, sizeof words);
            if (((words[0] | words[1]) & UTF8_HIGH_BITS) != 0)
                return false;
        }
        memcpy(words, text.data + text.size - sizeof words, sizeof words);
        a = words[0] | words[1];
    } else if (text.size >= sizeof words[0]) {
        memcpy(&words[0], text.data, sizeof words[0]);
        memcpy(&words[1], text.data + text.size - sizeof words[1], sizeof words[1]);
        a = words[0] | words[1];
    } else if (text.size >= sizeof b) {
        memcpy(&b, text.data, sizeof b);
        memcpy(&c, text.data + text.size - sizeof c, sizeof c);
        a = b | c;
    } else if (text.size > 0) {
        a = text.data[0] | text.data[text.size / 2] | text.data[text.size - 1];
    }
    return (a & UTF8_HIGH_BITS) == 0;
}

/* Does the work of utf8_valid for text that is not pure ASCII. */
KV_MUST_USE bool utf8_valid_mixed(bytes_t text);

/* Whether TEXT is well-formed UTF-8 (Unicode 15, table 3-7): no surrogates, no overlong forms, nothing above
 * U+10FFFF. Empty text is well-formed. */
KV_MUST_USE static inline bool utf8_valid(bytes_t text)
{
    return utf8_is_ascii(text) || utf8_valid_mixed(text);
}

enum { UTF8_QUOTE_SIZE = 64 }; /* bytes for a quoted name or id; longer ones are cut */

/* Writes INPUT to OUT (OUT_SIZE bytes, at least 8, zero-terminated) for a message to people. Control
 * characters, quotes, backslashes and bytes that are not UTF-8 are escaped (\n, \x1b). If it does not fit, it
 * is cut and ends with "...". It is never cut within a character: the result is valid UTF-8. Returns OUT. */
const char *utf8_quote(bytes_t input, char *out, size_t out_size);

/* The same, but does not escape quotes and backslashes: for a whole line with parts that are already quoted.
 */
const char *utf8_line(bytes_t input, char *out, size_t out_size);

enum { UTF8_FORMAT_MAX = 2048 }; /* most bytes that utf8_format writes */

/* These make every text for people that consists of parts: errors, log lines, the output of the tool. They
 * format like vsnprintf and then escape like utf8_line. So the result is one line of valid UTF-8 without
 * control characters, whatever the parts contain (endpoints, options, paths, what a peer sent). Requires
 * OUT_SIZE from 8 to UTF8_FORMAT_MAX. Return OUT. */
const char *utf8_vformat(char *out, size_t out_size, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));
const char *utf8_format(char *out, size_t out_size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
