/* SPDX-License-Identifier: MPL-2.0 */
/* Owns nothing. */
#include "client/lib/sized.h"

#include <string.h>

static size_t size_of(const void *sized)
{
    size_t size;
    memcpy(&size, sized, sizeof size);
    return size >= sizeof size && size <= SIZED_MAX ? size : 0;
}

static bool is_zero(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

const char *sized_take(void *own, size_t own_size, const void *given)
{
    size_t size = size_of(given);
    memset(own, 0, own_size);
    if (size == 0)
        return "a struct is not initialised (its size is not set): call its _init function, such as "
               "kvzmq_options_init";
    if (size > own_size && !is_zero((const char *)given + own_size, size - own_size))
        return "a struct sets members of a newer kvzmq.h that this library does not know";
    memcpy(own, given, size < own_size ? size : own_size);
    memcpy(own, &own_size, sizeof own_size);
    return NULL;
}

bool sized_is_set(const void *out)
{
    return size_of(out) > 0;
}

void sized_give(void *out, const void *own, size_t own_size)
{
    size_t size = size_of(out);
    if (size == 0)
        return;
    size_t copied = size < own_size ? size : own_size;
    memcpy((char *)out + sizeof size, (const char *)own + sizeof size, copied - sizeof size);
    memset((char *)out + copied, 0, size - copied);
}
