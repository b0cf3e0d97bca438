/* SPDX-License-Identifier: MPL-2.0 */
/* Chance for randomised tests: numbers that follow from a seed, which is printed and which KV_SEED repeats
 * (chance.py is the same for Python). No test draws from anything else; check_chance.py finds those that do.
 *
 * KV_ROUNDS says how many times as many rounds a randomised test does (1): tests/run is quick, tests/long
 * thorough.
 */
#ifndef KV_TESTS_SUPPORT_CHANCE_H
#define KV_TESTS_SUPPORT_CHANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct chance {
    uint64_t state; /* never 0 */
} chance_t;

/* KV_SEED, where it is set, else OTHERWISE. For a program whose output is read by tests: it prints nothing.
 */
static inline uint64_t chance_seed_or(uint64_t otherwise)
{
    const char *given = getenv("KV_SEED");
    return given != NULL ? strtoull(given, NULL, 10) : otherwise;
}

/* KV_SEED, where it is set, else the time; printed. */
static inline uint64_t chance_seed(void)
{
    struct timespec now;
    (void)timespec_get(&now, TIME_UTC);
    uint64_t seed = chance_seed_or((uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
    printf("KV_SEED=%llu\n", (unsigned long long)seed);
    (void)fflush(stdout); /* before a crash can lose it */
    return seed;
}

/* How many rounds to do if NUMBER of them are enough for tests/run. */
static inline size_t chance_rounds(size_t number)
{
    const char *given = getenv("KV_ROUNDS");
    size_t times = given != NULL ? strtoull(given, NULL, 10) : 1;
    return number * (times > 1 ? times : 1);
}

static inline chance_t chance_from(uint64_t seed)
{
    return (chance_t){seed * 2 + 1};
}

/* xorshift64*, its better bits. */
static inline uint64_t chance_next(chance_t *chance)
{
    chance->state ^= chance->state << 13;
    chance->state ^= chance->state >> 7;
    chance->state ^= chance->state << 17;
    return chance->state * UINT64_C(0x2545F4914F6CDD1D) >> 16;
}

static inline size_t chance_below(chance_t *chance, size_t limit)
{
    return (size_t)(chance_next(chance) % limit);
}

static inline bool chance_hits(chance_t *chance, unsigned percent)
{
    return chance_below(chance, 100) < percent;
}

#endif
