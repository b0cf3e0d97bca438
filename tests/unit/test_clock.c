/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about the clocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "common/clock.h"

static void monotonic__never_goes_back_and_goes_on(void **state)
{
    (void)state;
    int64_t first = clock_monotonic_ms();
    int64_t last = first;
    while (last < first + 5) { /* bounded: the clock runs */
        int64_t now = clock_monotonic_ms();
        assert_true(now >= last);
        last = now;
    }
}

static void unix_ms__is_the_system_s_time_in_milliseconds(void **state)
{
    (void)state;
    int64_t before = (int64_t)time(NULL);
    int64_t now = clock_unix_ms() / 1000;
    int64_t after = (int64_t)time(NULL);
    assert_in_range(now, before, after + 1); /* time(2) may lag by a tick, because its clock is coarser */
}

int main(void)
{
    const struct CMUnitTest claims[] = {
        cmocka_unit_test(monotonic__never_goes_back_and_goes_on),
        cmocka_unit_test(unix_ms__is_the_system_s_time_in_milliseconds),
    };
    return cmocka_run_group_tests(claims, NULL, NULL);
}
