/* SPDX-License-Identifier: MPL-2.0 */
/* The benchmark's histogram, compared with the exact quantiles of the same values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client/cli/bench/dice.h"
#include "client/cli/bench/histogram.h"

enum { VALUES = 20000, SEED = 1 };

static int setup(void **state)
{
    *state = calloc(1, sizeof(histogram_t));
    return *state == NULL;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* Returns the least of COUNT sorted VALUES such that a share of PER_MILLE is not above it. Counts, so as not
 * to use the histogram's own arithmetic. */
static uint64_t exact_quantile(const uint64_t *values, size_t count, unsigned per_mille)
{
    size_t below = 0;
    while ((below + 1) * 1000 < count * per_mille)
        below++;
    return values[below];
}

static void quantile__values_of_all_sizes__is_at_most_a_128th_above_the_exact_one(void **state)
{
    histogram_t *histogram = *state;
    static const unsigned parts[] = {1, 10, 250, 500, 900, 990, 999, 1000};
    static uint64_t values[VALUES];
    dice_t dice = {SEED};
    for (size_t i = 0; i < VALUES; i++) {
        values[i] = dice_next(&dice) >> dice_below(&dice, 64);
        histogram_record(histogram, values[i]);
    }
    qsort(values, VALUES, sizeof *values, compare);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        uint64_t exact = exact_quantile(values, VALUES, parts[i]);
        uint64_t told = histogram_quantile(histogram, parts[i] / 1000.0);
        assert_true(told >= exact);
        assert_true(told - exact <= exact / 128);
    }
    assert_true(histogram_quantile(histogram, 1) == values[VALUES - 1]);
}

static void quantile__values_below_256__is_exact(void **state)
{
    histogram_t *histogram = *state;
    for (uint64_t value = 0; value < 256; value++)
        histogram_record(histogram, value);
    for (unsigned i = 1; i <= 256; i++)
        assert_int_equal(histogram_quantile(histogram, i / 256.0), i - 1);
}

static void quantile__one_value__is_that_value_whatever_its_size(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits <= 64; bits++) {
        histogram_t *histogram = calloc(1, sizeof *histogram);
        uint64_t value = bits == 64 ? UINT64_MAX : UINT64_C(1) << bits;
        assert_non_null(histogram);
        histogram_record(histogram, value);
        assert_true(histogram_quantile(histogram, 0.5) == value);
        free(histogram);
    }
}

static void quantile__no_values__is_0(void **state)
{
    assert_int_equal(histogram_quantile(*state, 0.5), 0);
}

static void add__two_histograms__is_that_of_all_values(void **state)
{
    histogram_t *all = *state;
    histogram_t *parts = calloc(2, sizeof *parts);
    dice_t dice = {SEED};
    assert_non_null(parts);
    for (size_t i = 0; i < VALUES; i++) {
        uint64_t value = dice_next(&dice) >> 40;
        histogram_record(all, value);
        histogram_record(&parts[i % 2], value);
    }
    histogram_add(&parts[0], &parts[1]);
    assert_memory_equal(&parts[0], all, sizeof *all);
    free(parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(quantile__values_of_all_sizes__is_at_most_a_128th_above_the_exact_one,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(quantile__values_below_256__is_exact, setup, teardown),
        cmocka_unit_test(quantile__one_value__is_that_value_whatever_its_size),
        cmocka_unit_test_setup_teardown(quantile__no_values__is_0, setup, teardown),
        cmocka_unit_test_setup_teardown(add__two_histograms__is_that_of_all_values, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
