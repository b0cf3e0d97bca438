/* SPDX-License-Identifier: MPL-2.0 */
/* How much a test does. Valgrind makes all of it some 30 times as slow and looks for wrong memory on each
 * path. So a test takes every path there, but only a few times.
 */
#ifndef KV_TESTS_SUPPORT_VOLUME_H
#define KV_TESTS_SUPPORT_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

static inline bool under_valgrind(void)
{
    return getenv("KV_VALGRIND") != NULL;
}

/* USUAL, or SMALL under valgrind. */
static inline size_t volume(size_t usual, size_t small)
{
    return under_valgrind() ? small : usual;
}

#endif
