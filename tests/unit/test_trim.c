/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about when trim gives memory back. The linker redirects malloc_trim to this file.
 * tests/interop/test_memory_returns.py tests that the system really gets the memory. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/net/trim.h"
#include "common/clock.h"

static unsigned trims;  /* calls of malloc_trim */
static int64_t work_ms; /* CPU time of a call */
static int waiting_ms;  /* time that a call waits without using CPU time */

int __wrap_malloc_trim(size_t pad);

int __wrap_malloc_trim(size_t pad)
{
    assert_int_equal(pad, 0);
    trims++;
    (void)poll(NULL, 0, waiting_ms);
    for (int64_t end_ms = clock_thread_ms() + work_ms; clock_thread_ms() < end_ms;) {
    }
    return 1;
}

static int setup(void **state)
{
    static trim_t trim;
    trim_init(&trim);
    trims = 0;
    work_ms = 0;
    waiting_ms = 0;
    *state = &trim;
    return 0;
}

/* Makes the planned look due now. */
static void let_time_pass(trim_t *trim)
{
    assert_true(trim->due_ms < INT64_MAX);
    trim->due_ms = clock_monotonic_ms();
}

static void turn__with_little_freed__plans_nothing(void **state)
{
    trim_t *trim = *state;
    trim_turn(trim, TRIM_BYTES - 1, TRIM_BYTES - 1, true);
    assert_true(trim->due_ms == INT64_MAX);
    assert_int_equal(trims, 0);
}

static void turn__with_much_freed__trims_after_the_delay_when_idle(void **state)
{
    trim_t *trim = *state;
    int64_t before_ms = clock_monotonic_ms();
    trim_turn(trim, TRIM_BYTES, 0, true);
    int64_t due_ms = trim->due_ms;
    assert_true(due_ms >= before_ms + TRIM_DELAY_MS && due_ms <= clock_monotonic_ms() + TRIM_DELAY_MS);
    assert_int_equal(trims, 0);
    let_time_pass(trim);
    trim_turn(trim, TRIM_BYTES + 1, 0, false); /* the loop is busy */
    assert_int_equal(trims, 0);
    trim_turn(trim, TRIM_BYTES + 1, 0, true);
    assert_int_equal(trims, 1);
    assert_true(trim->due_ms == INT64_MAX);
    trim_turn(trim, 2 * (uint64_t)TRIM_BYTES, 0, true); /* one byte less than makes a look due */
    assert_true(trim->due_ms == INT64_MAX);
    trim_turn(trim, 2 * (uint64_t)TRIM_BYTES + 1, 0, true);
    assert_true(trim->due_ms < INT64_MAX);
}

static void turn__with_much_moved__trims_only_if_the_process_has_grown(void **state)
{
    trim_t *trim = *state;
    uint64_t moved = TRIM_BYTES;
    trim->resident = UINT64_MAX / 2; /* so the process has not grown since the last trim */
    trim_turn(trim, 0, moved, true);
    let_time_pass(trim);
    trim_turn(trim, 0, moved, true);
    assert_int_equal(trims, 0);
    assert_true(trim->due_ms == INT64_MAX); /* the look is done */
    char *grown = malloc(2 * (size_t)TRIM_BYTES);
    assert_non_null(grown);
    for (size_t at = 0; at < 2 * (size_t)TRIM_BYTES; at += 1024)
        *(volatile char *)(grown + at) = 1;
    trim->resident = 1;
    moved += TRIM_BYTES;
    trim_turn(trim, 0, moved, true);
    let_time_pass(trim);
    trim_turn(trim, 0, moved, true);
    assert_int_equal(trims, 1);
    assert_true(trim->resident > 2 * (uint64_t)TRIM_BYTES);
    free(grown);
}

static void turn__soon_after_a_trim_that_took_long__is_planned_for_later(void **state)
{
    trim_t *trim = *state;
    trim->not_before_ms = clock_monotonic_ms() + 10 * TRIM_DELAY_MS;
    trim_turn(trim, TRIM_BYTES, 0, true);
    assert_true(trim->due_ms == trim->not_before_ms);
}

static void trim_once(trim_t *trim)
{
    trim_turn(trim, TRIM_BYTES, 0, true);
    let_time_pass(trim);
    trim_turn(trim, TRIM_BYTES, 0, true);
    assert_int_equal(trims, 1);
}

static void trim__that_took_long__is_not_repeated_soon(void **state)
{
    trim_t *trim = *state;
    int64_t before_ms = clock_monotonic_ms();
    work_ms = 20;
    trim_once(trim);
    assert_true(trim->not_before_ms >= before_ms + work_ms * TRIM_SHARE);
}

static void trim__that_was_kept_waiting_for_a_processor__took_no_longer(void **state)
{
    trim_t *trim = *state;
    waiting_ms = 200;
    trim_once(trim);
    assert_true(trim->not_before_ms < clock_monotonic_ms() + waiting_ms / 2 * TRIM_SHARE);
}

#define TRIM_TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIM_TEST(turn__with_little_freed__plans_nothing),
        TRIM_TEST(turn__with_much_freed__trims_after_the_delay_when_idle),
        TRIM_TEST(turn__with_much_moved__trims_only_if_the_process_has_grown),
        TRIM_TEST(turn__soon_after_a_trim_that_took_long__is_planned_for_later),
        TRIM_TEST(trim__that_took_long__is_not_repeated_soon),
        TRIM_TEST(trim__that_was_kept_waiting_for_a_processor__took_no_longer),
    };
    return cmocka_run_group_tests_name("trim", tests, NULL, NULL);
}
