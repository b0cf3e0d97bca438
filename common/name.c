/* SPDX-License-Identifier: MPL-2.0 */
/* The rule for names of clients. */
#include "common/name.h"

#include "common/limits.h"
#include "common/number.h"

bool name_valid(bytes_t name)
{
    if (name.size == 0 || name.size > LIMIT_NAME)
        return false;
    bool digits_alone = true;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        if (c < 0x21 || c > 0x7e || c == '/')
            return false;
        digits_alone = digits_alone && digit_is(c);
    }
    return !digits_alone;
}

bool name_from_identity(bytes_t identity, bytes_t *name)
{
    if (identity.size == 0)
        return false;
    const uint8_t *slash = memchr(identity.data, '/', identity.size);
    bytes_t first = bytes_of(identity.data, slash == NULL ? identity.size : (size_t)(slash - identity.data));
    if (!name_valid(first))
        return false;
    *name = first;
    return true;
}
