/* SPDX-License-Identifier: MPL-2.0 */
#ifndef KV_COMMON_UTF8_H
#define KV_COMMON_UTF8_H

#include "common/buffer.h"

/* Whether TEXT is well-formed UTF-8 (Unicode 15, table 3-7: no surrogates, no overlong forms, nothing above
 * U+10FFFF). Empty text is. */
bool utf8_valid(bytes_t text);

/* Writes INPUT into OUT (OUT_SIZE bytes, at least 8, zero-terminated) for a message to people: printable
 * characters as they are, control characters, quotes, backslashes and bytes that are no UTF-8 escaped (\n, \x1b),
 * and cut with "..." where it does not fit. Never cuts inside a character: the result is valid UTF-8. Returns
 * OUT. */
const char *utf8_quote(bytes_t input, char *out, size_t out_size);

#endif
