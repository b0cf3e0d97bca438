/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about borrowed slices: their order is byte order, and an empty one needs no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "tests/unit/exact.h"

/* In byte order: bytes are unsigned, and a prefix comes before what it begins. */
static const bytes_t ORDERED[] = {
    {NULL, 0},        LITERAL("\x00"),     LITERAL("\x00\x00"), LITERAL("0"),        LITERAL("a"),
    LITERAL("a\x00"), LITERAL("aa"),       LITERAL("ab"),       LITERAL("b"),        LITERAL("\x7f"),
    LITERAL("\x80"),  LITERAL("\xc3\xa4"), LITERAL("\xff"),     LITERAL("\xff\xff"),
};
enum { ORDERED_COUNT = sizeof ORDERED / sizeof ORDERED[0] };

static void compare__is_byte_order(void **state)
{
    (void)state;
    for (int i = 0; i < ORDERED_COUNT; i++) {
        for (int k = 0; k < ORDERED_COUNT; k++) {
            int order = bytes_compare(ORDERED[i], ORDERED[k]);
            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
            assert_int_equal(bytes_equal(ORDERED[i], ORDERED[k]), i == k);
        }
    }
}

static void starts_with__takes_a_prefix_and_the_whole(void **state)
{
    (void)state;
    bytes_t whole = BYTES("sensor/17");
    assert_true(bytes_starts_with(whole, BYTES("")));
    assert_true(bytes_starts_with(whole, bytes_of(NULL, 0)));
    assert_true(bytes_starts_with(whole, BYTES("sensor/")));
    assert_true(bytes_starts_with(whole, whole));
    assert_false(bytes_starts_with(whole, BYTES("sensor/170")));
    assert_false(bytes_starts_with(whole, BYTES("tensor")));
    assert_true(bytes_starts_with(bytes_of(NULL, 0), bytes_of(NULL, 0)));
}

static void put__of_any_size__copies_all_of_it_and_nothing_else(void **state)
{
    (void)state;
    enum { LONGEST = 70, EDGE = 40 };
    for (size_t size = 0; size <= LONGEST; size++) {
        uint8_t numbers[LONGEST];
        uint8_t to[EDGE + LONGEST + EDGE];
        for (size_t i = 0; i < size; i++)
            numbers[i] = (uint8_t)(i + 1);
        const uint8_t *from = exact(bytes_of(numbers, size)).data;
        memset(to, 0xee, sizeof to);
        assert_ptr_equal(bytes_put(to + EDGE, from, size), to + EDGE + size);
        for (size_t i = 0; i < sizeof to; i++) {
            bool inside = i >= EDGE && i < EDGE + size;
            assert_int_equal(to[i], inside ? i - EDGE + 1 : 0xee);
        }
    }
}

int main(void)
{
    const struct CMUnitTest claims[] = {
        cmocka_unit_test(compare__is_byte_order),
        cmocka_unit_test(starts_with__takes_a_prefix_and_the_whole),
        cmocka_unit_test_teardown(put__of_any_size__copies_all_of_it_and_nothing_else, exact_release),
    };
    return cmocka_run_group_tests(claims, NULL, NULL);
}
