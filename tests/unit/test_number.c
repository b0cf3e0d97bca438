/* SPDX-License-Identifier: MPL-2.0 */
/* The syntax of whole numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/number.h"

static void number__digits__are_a_number_up_to_64_bits(void **state)
{
    (void)state;
    uint64_t number;
    assert_true(number_parse(bytes_from_text("0"), &number));
    assert_int_equal(number, 0);
    assert_true(number_parse(bytes_from_text("18446744073709551615"), &number));
    assert_true(number == UINT64_MAX);
}

static void number__anything_else__is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "-1", "+1", " 1", "1 ", "0x10", "1.0", "18446744073709551616"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint64_t number = 77;
        assert_false(number_parse(bytes_from_text(texts[i]), &number));
        assert_int_equal(number, 77);
    }
}

static void take__digits_before_others__are_taken_off(void **state)
{
    (void)state;
    bytes_t text = bytes_from_text("12ab");
    uint64_t number;
    assert_true(number_take(&text, &number));
    assert_int_equal(number, 12);
    assert_true(bytes_equal(text, bytes_from_text("ab")));
    assert_false(number_take(&text, &number));
    assert_true(bytes_equal(text, bytes_from_text("ab")));
    assert_int_equal(number, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(number__digits__are_a_number_up_to_64_bits),
        cmocka_unit_test(number__anything_else__is_refused),
        cmocka_unit_test(take__digits_before_others__are_taken_off),
    };
    return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
