/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about port-mimicking ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/core/port_ids.h"

static int teardown(void **state)
{
    port_ids_destroy((port_ids_t **)state);
    return 0;
}

static int setup(void **state)
{
    *state = port_ids_new(100, 103);
    return *state != NULL ? 0 : -1;
}

static void assert_taken(port_ids_t *ids, uint64_t first, uint64_t last)
{
    for (uint64_t number = first; number <= last; number++)
        assert_int_equal(port_ids_take(ids), number);
}

static void take__from_the_beginning__gives_the_range_in_order(void **state)
{
    assert_taken(*state, 100, 103);
}

static void free__a_number__is_the_last_to_be_given_again(void **state)
{
    port_ids_t *ids = *state;
    assert_taken(ids, 100, 101);
    port_ids_free(ids, 100);
    assert_taken(ids, 102, 103);
    assert_taken(ids, 100, 100);
}

static void free__in_any_order__comes_back_in_that_order(void **state)
{
    port_ids_t *ids = *state;
    assert_taken(ids, 100, 103);
    port_ids_free(ids, 102);
    port_ids_free(ids, 100);
    port_ids_free(ids, 103);
    assert_taken(ids, 102, 102);
    assert_taken(ids, 100, 100);
    assert_taken(ids, 103, 103);
}

static void take__beyond_the_range__goes_on_above_every_port_and_uses_no_number_twice(void **state)
{
    port_ids_t *ids = *state;
    assert_taken(ids, 100, 103);
    assert_taken(ids, 65536, 65537);
    port_ids_free(ids, 65536);
    assert_taken(ids, 65538, 65538);
    port_ids_free(ids, 101); /* a free number of the range comes first */
    assert_taken(ids, 101, 101);
    assert_taken(ids, 65539, 65539);
}

static void many_rounds__of_one_number_at_a_time__go_round_the_range(void **state)
{
    port_ids_t *ids = *state;
    for (unsigned i = 0; i < 1000; i++) {
        assert_taken(ids, 100 + i % 4, 100 + i % 4);
        port_ids_free(ids, 100 + i % 4);
    }
}

static void ranges__of_one_number_and_of_all_ports__are_taken(void **state)
{
    (void)state;
    port_ids_t *one = port_ids_new(65535, 65535);
    assert_non_null(one);
    assert_taken(one, 65535, 65537);
    port_ids_destroy(&one);
    assert_null(one);
    port_ids_t *all = port_ids_new(1, 65535);
    assert_non_null(all);
    assert_taken(all, 1, 65536);
    port_ids_destroy(&all);
}

#define IDS_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IDS_TEST(take__from_the_beginning__gives_the_range_in_order),
        IDS_TEST(free__a_number__is_the_last_to_be_given_again),
        IDS_TEST(free__in_any_order__comes_back_in_that_order),
        IDS_TEST(take__beyond_the_range__goes_on_above_every_port_and_uses_no_number_twice),
        IDS_TEST(many_rounds__of_one_number_at_a_time__go_round_the_range),
        cmocka_unit_test(ranges__of_one_number_and_of_all_ports__are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
