/* SPDX-License-Identifier: MPL-2.0 */
/* The syntax of times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/duration.h"

static void check_duration(const char *text, uint64_t expected_ms)
{
    uint64_t duration_ms;
    assert_true(duration_parse(bytes_from_text(text), &duration_ms));
    assert_int_equal(duration_ms, expected_ms);
}

static void check_no_duration(const char *text)
{
    uint64_t duration_ms = 77;
    assert_false(duration_parse(bytes_from_text(text), &duration_ms));
    assert_int_equal(duration_ms, 77);
}

static void duration__without_a_unit__is_seconds(void **state)
{
    (void)state;
    check_duration("5", 5000);
    check_duration("0.25", 250);
    check_duration("2.5", 2500);
}

static void duration__every_unit__is_known(void **state)
{
    (void)state;
    check_duration("500ms", 500);
    check_duration("1s", 1000);
    check_duration("1.5m", 90000);
    check_duration("2h", 7200000);
    check_duration("7d", 604800000);
}

static void duration__below_a_millisecond__is_rounded_up(void **state)
{
    (void)state;
    check_duration("0.0001", 1);
    check_duration("0.5ms", 1);
    check_duration("1.0000000001", 1000); /* the tenth digit is ignored */
}

static void duration__zero_and_what_is_none__is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",   "0",   "0.0", "0ms", "-1",  "+1",  ".5",  "1.",
                                        "1x", "1 s", " 1",  "s",   "1.m", "1e3", "1..5"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_no_duration(texts[i]);
}

static void duration__at_the_bound__passes_and_one_more_is_refused(void **state)
{
    (void)state;
    check_duration("9007199254740992ms", UINT64_C(1) << 53);
    check_no_duration("9007199254740993ms");
    check_duration("9007199254740.992", UINT64_C(1) << 53);
    check_no_duration("9007199254740.993");
    check_no_duration("104249991375d");
    check_no_duration("99999999999999999999999");
}

static void duration__several_units_in_falling_order__are_added(void **state)
{
    (void)state;
    check_duration("1h30m", 5400000);
    check_duration("1m30s", 90000);
    check_duration("2d12h", 216000000);
    check_duration("1d2h3m4s5ms", 93784005);
    check_duration("1h0m", 3600000);
    check_duration("0h1ms", 1);
    check_duration("1h0.5m", 3630000);
    check_duration("1s0.5ms", 1001);
    check_duration("90m90s", 5490000);
}

static void duration__several_units_otherwise__is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"30m1h", "1h1h", "1h30", "1.5h30m", "1h 30m", "1h30x", "1hm",  "h1m",
                                        "1ms1s", "1s1s", "30 ",  "1hh",     "1h-1m",  "0h0m",  "1h.5m"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_no_duration(texts[i]);
    check_duration("104249991d8h59m992ms", UINT64_C(1) << 53);
    check_no_duration("104249991d8h59m993ms");
    check_no_duration("104249991d2501999792h150119987579m9007199254740s9007199254740992ms");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(duration__without_a_unit__is_seconds),
        cmocka_unit_test(duration__every_unit__is_known),
        cmocka_unit_test(duration__below_a_millisecond__is_rounded_up),
        cmocka_unit_test(duration__zero_and_what_is_none__is_refused),
        cmocka_unit_test(duration__at_the_bound__passes_and_one_more_is_refused),
        cmocka_unit_test(duration__several_units_in_falling_order__are_added),
        cmocka_unit_test(duration__several_units_otherwise__is_refused),
    };
    return cmocka_run_group_tests_name("duration", tests, NULL, NULL);
}
