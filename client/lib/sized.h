/* SPDX-License-Identifier: MPL-2.0 */
/* Structs that an application and the library pass to each other. They begin with a size_t: the struct's size
 * in the kvzmq.h of the side that set it. They grow only at their end (kvzmq.h, Structs). */
#ifndef KV_CLIENT_LIB_SIZED_H
#define KV_CLIENT_LIB_SIZED_H

#include <stdbool.h>
#include <stddef.h>

#include "common/status.h"

/* Larger than any struct will ever be. A larger size means that the struct was not initialised. */
enum { SIZED_MAX = 4096 };

/* Copies the application's struct GIVEN to OWN, which has OWN_SIZE bytes. Members that GIVEN does not have
 * become zero. Returns NULL; or what is wrong with GIVEN, for people (static storage), and then OWN is all
 * zero. */
KV_MUST_USE const char *sized_take(void *own, size_t own_size, const void *given);

/* Whether the application set the `size` of its struct OUT. If not, do not write to it. */
KV_MUST_USE bool sized_is_set(const void *out);

/* Copies OWN to the application's struct OUT, as far as OUT reaches. Members that only OUT has become zero.
 * Keeps the `size` of OUT; if it is not set, does not touch OUT. */
void sized_give(void *out, const void *own, size_t own_size);

#endif
