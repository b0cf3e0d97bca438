/* SPDX-License-Identifier: MPL-2.0 */
/* Owns nothing. */
#include "client/lib/value.h"

#include <stdlib.h>

char *value_copy_bytes(bytes_t bytes)
{
    char *copy = malloc(bytes.size + 1);
    if (copy == NULL)
        return NULL;
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    copy[bytes.size] = '\0';
    return copy;
}

bool value_copy(kvzmq_value_t *value, bytes_t bytes, bool binary)
{
    char *data = value_copy_bytes(bytes);
    if (data != NULL)
        *value = (kvzmq_value_t){.data = data, .size = bytes.size, .binary = binary};
    return data != NULL;
}

void kvzmq_value_release(kvzmq_value_t *value)
{
    if (value == NULL)
        return;
    free(value->data);
    *value = (kvzmq_value_t){0};
}
