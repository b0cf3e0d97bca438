/* SPDX-License-Identifier: MPL-2.0 */
/* CHECK is an assertion that is never compiled out. */
#ifndef KV_TESTS_FUZZ_CHECK_H
#define KV_TESTS_FUZZ_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(claim)                                                                                         \
    do {                                                                                                     \
        if (!(claim)) {                                                                                      \
            (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #claim);                 \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

#endif
