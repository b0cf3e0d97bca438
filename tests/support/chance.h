/* SPDX-License-Identifier: MPL-2.0 */
/* Random numbers for randomised tests. They follow from a seed that is printed; KV_SEED repeats it (chance.py
 * is the same for Python). Tests must not use other random numbers; check_chance.py finds those that do.
 *
 * KV_ROUNDS (default 1) multiplies the rounds of randomised tests: tests/run is quick, tests/long is
 * thorough. */
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

/* Returns KV_SEED if it is set, otherwise OTHERWISE. Prints nothing, for programs whose output tests read. */
static inline uint64_t chance_seed_or(uint64_t otherwise)
{
    const char *given = getenv("KV_SEED");
    return given != NULL ? strtoull(given, NULL, 10) : otherwise;
}

/* Returns KV_SEED if it is set, otherwise the time. Prints it. */
static inline uint64_t chance_seed(void)
{
    struct timespec now;
    (void)timespec_get(&now, TIME_UTC);
    uint64_t seed = chance_seed_or((uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
    printf("KV_SEED=%llu\n", (unsigned long long)seed);
    (void)fflush(stdout); /* so that a crash does not lose it */
    return seed;
}

/* Returns how many rounds to do if NUMBER of them are enough for tests/run. */
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

/* xorshift64*, without its 16 lowest bits, which are less random. */
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
