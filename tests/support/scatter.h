/* SPDX-License-Identifier: MPL-2.0 */
/* Numbers that look random and are the same in every run, for tests that visit many places in a fixed order.
 * (chance.h draws other numbers in every run.) */
#ifndef KV_TESTS_SUPPORT_SCATTER_H
#define KV_TESTS_SUPPORT_SCATTER_H

#include <stdint.h>

/* Returns a number that depends only on N. Each N has another one. */
static inline uint64_t scatter(uint64_t n)
{
    n = (n ^ (n >> 31)) * UINT64_C(0x9E3779B97F4A7C15);
    n = (n ^ (n >> 29)) * UINT64_C(0xBF58476D1CE4E5B9);
    return n ^ (n >> 32);
}

#endif
