/* SPDX-License-Identifier: MPL-2.0 */
/* How much a test does. Valgrind makes all of it some 30 times as slow and looks for wrong memory on each
 * path: there a test goes every path, and few times.
 */
#ifndef KV_TESTS_VOLUME_H
#define KV_TESTS_VOLUME_H

#include <stddef.h>
#include <stdlib.h>

/* USUAL, or SMALL under valgrind (KV_VALGRIND). */
static inline size_t volume(size_t usual, size_t small)
{
    return getenv("KV_VALGRIND") != NULL ? small : usual;
}

#endif
