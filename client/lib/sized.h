/* SPDX-License-Identifier: MPL-2.0 */
/* Structs that an application and the library pass to each other. They begin with a size_t, the bytes that
 * the struct has in the kvzmq.h of the side that set it, and grow only at their end (kvzmq.h, Structs). */
#ifndef KV_CLIENT_LIB_SIZED_H
#define KV_CLIENT_LIB_SIZED_H

#include <stdbool.h>
#include <stddef.h>

#include "common/status.h"

/* More than any of the structs will ever have. A longer one was not initialised, and is not read. */
enum { SIZED_MAX = 4096 };

/* Copies the application's struct GIVEN to OWN, which has OWN_SIZE bytes; what GIVEN does not have becomes
 * zero. Returns NULL, or what is wrong with GIVEN, for people (static storage); OWN is then all zero. */
KV_MUST_USE const char *sized_take(void *own, size_t own_size, const void *given);

/* Whether the application set the `size` of its struct OUT: else nothing may be written to it. */
KV_MUST_USE bool sized_is_set(const void *out);

/* Copies OWN to the application's struct OUT, as much of it as that has; what only OUT has becomes zero. The
 * `size` of OUT stays; if it is not set, OUT is not touched. */
void sized_give(void *out, const void *own, size_t own_size);

#endif
