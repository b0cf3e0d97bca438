/* SPDX-License-Identifier: MPL-2.0 */
/* Whole numbers as people write them: decimal digits, nothing else. */
#ifndef KV_COMMON_NUMBER_H
#define KV_COMMON_NUMBER_H

#include <stdint.h>

#include "common/bytes.h"
#include "common/status.h"

/* Removes the digits at the beginning of TEXT and reads them as a number. Returns false and changes nothing
 * if there are none or the number exceeds 64 bits. */
KV_MUST_USE bool number_take(bytes_t *text, uint64_t *number);

/* Reads all of TEXT as a number. Returns false if it is not a number or exceeds 64 bits. */
KV_MUST_USE bool number_parse(bytes_t text, uint64_t *number);

static inline bool digit_is(uint8_t c)
{
    return c >= '0' && c <= '9';
}

#endif
