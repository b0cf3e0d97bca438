/* SPDX-License-Identifier: MPL-2.0 */
/* Payloads for tests of readers: literals, and copies in blocks of exactly their size, so that a sanitizer or
 * valgrind finds a read beyond the end. */
#ifndef KV_TESTS_UNIT_EXACT_H
#define KV_TESTS_UNIT_EXACT_H

#include <stdlib.h>

#include "common/bytes.h"

/* The bytes of a literal without its terminating zero: as an initialiser, and as an expression. */
#define LITERAL(text)                                                                                        \
    {                                                                                                        \
        (const uint8_t *)(text), sizeof(text) - 1                                                            \
    }
#define BYTES(literal) ((bytes_t)LITERAL(literal))

/* The copy of the running test. (Static: a test program has one source file.) */
static uint8_t *exact_data;

/* Returns a copy of DATA, which is valid until the next copy or the end of the test. */
static inline bytes_t exact(bytes_t data)
{
    free(exact_data);
    exact_data = malloc(data.size == 0 ? 1 : data.size);
    if (exact_data == NULL)
        abort();
    if (data.data != NULL && data.size > 0)
        memcpy(exact_data, data.data, data.size);
    return bytes_of(exact_data, data.size);
}

/* A teardown function for cmocka. */
static inline int exact_release(void **state)
{
    (void)state;
    free(exact_data);
    exact_data = NULL;
    return 0;
}

#endif
