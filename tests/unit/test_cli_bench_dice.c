/* SPDX-License-Identifier: MPL-2.0 */
/* The benchmark's random numbers. The seeds are fixed, so statistical checks give the same result in every
 * run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <math.h>

#include "client/cli/bench/dice.h"

enum { DRAWS = 200000, RANKS = 1000, SEED = 1 };

/* Fails unless COUNT of DRAWS is within 5 standard deviations of the number that PROBABILITY implies. */
static void check_count(uint64_t count, double probability)
{
    double expected = (double)DRAWS * probability;
    double deviation = sqrt(expected * (1 - probability));
    assert_true(fabs((double)count - expected) <= 5 * deviation);
}

static void below__is_uniform(void **state)
{
    enum { LIMIT = 100 };
    uint64_t counts[LIMIT] = {0};
    dice_t dice = {SEED};
    (void)state;
    for (size_t i = 0; i < DRAWS; i++) {
        uint64_t drawn = dice_below(&dice, LIMIT);
        assert_true(drawn < LIMIT);
        counts[drawn]++;
    }
    for (size_t i = 0; i < LIMIT; i++)
        check_count(counts[i], 1.0 / (double)LIMIT);
}

static void zipf__each_rank__is_as_frequent_as_its_weight_says(void **state)
{
    static uint64_t counts[RANKS];
    dice_t dice = {SEED};
    zipf_t zipf;
    double sum = 0;
    (void)state;
    zipf_init(&zipf, RANKS);
    for (size_t i = 0; i < DRAWS; i++) {
        uint64_t rank = zipf_next(&zipf, &dice);
        assert_true(rank < RANKS);
        counts[rank]++;
    }
    for (size_t i = 1; i <= RANKS; i++)
        sum += pow((double)i, -0.99);
    for (size_t i = 0; i < 100; i++)
        check_count(counts[i], pow((double)i + 1, -0.99) / sum);
    for (size_t first = 100; first < RANKS; first += 100) {
        uint64_t count = 0;
        double weight = 0;
        for (size_t i = first; i < first + 100; i++) {
            count += counts[i];
            weight += pow((double)i + 1, -0.99);
        }
        check_count(count, weight / sum);
    }
}

static void zipf__any_count__draws_below_it(void **state)
{
    static const uint64_t counts[] = {1, 2, 3, 10, 1000000, UINT64_C(1) << 40};
    dice_t dice = {SEED};
    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        zipf_t zipf;
        zipf_init(&zipf, counts[i]);
        for (size_t k = 0; k < 1000; k++)
            assert_true(zipf_next(&zipf, &dice) < counts[i]);
    }
}

static void scatter__any_count__gives_each_rank_a_number_of_its_own(void **state)
{
    static const uint64_t counts[] = {1, 2, 3, 4, 5, 6, 10, 97, 1000, 4096, 30030};
    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        scatter_t scatter;
        uint8_t *seen = calloc(counts[i], 1);
        assert_non_null(seen);
        scatter_init(&scatter, counts[i]);
        for (uint64_t rank = 0; rank < counts[i]; rank++) {
            uint64_t number = scatter_of(&scatter, rank);
            assert_true(number < counts[i] && !seen[number]);
            seen[number] = 1;
        }
        free(seen);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(below__is_uniform),
        cmocka_unit_test(zipf__each_rank__is_as_frequent_as_its_weight_says),
        cmocka_unit_test(zipf__any_count__draws_below_it),
        cmocka_unit_test(scatter__any_count__gives_each_rank_a_number_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
