/* SPDX-License-Identifier: MPL-2.0 */
/* The syntax of whole numbers. */
#include "common/number.h"

bool number_take(bytes_t *text, uint64_t *number)
{
    uint64_t sum = 0;
    size_t taken = 0;
    for (; taken < text->size && digit_is(text->data[taken]); taken++) {
        unsigned digit = (unsigned)text->data[taken] - '0';
        if (sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    if (taken == 0)
        return false;
    *text = bytes_of(text->data + taken, text->size - taken);
    *number = sum;
    return true;
}

bool number_parse(bytes_t text, uint64_t *number)
{
    uint64_t sum;
    if (!number_take(&text, &sum) || text.size > 0)
        return false;
    *number = sum;
    return true;
}
