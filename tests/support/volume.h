/* SPDX-License-Identifier: MPL-2.0 */
/* How much a test does. Under valgrind a test takes some 30 times as long. Valgrind finds wrong uses of
 * memory at the first run of a path, so a test need take each path only a few times there. */
#ifndef KV_TESTS_SUPPORT_VOLUME_H
#define KV_TESTS_SUPPORT_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

static inline bool under_valgrind(void)
{
    return getenv("KV_VALGRIND") != NULL;
}

/* Returns USUAL, or SMALL under valgrind. */
static inline size_t volume(size_t usual, size_t small)
{
    return under_valgrind() ? small : usual;
}

#endif
