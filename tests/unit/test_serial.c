/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about the text of a connection's serial. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/net/serial.h"

static void assert_comes_back(uint64_t serial)
{
    char text[SERIAL_SIZE];
    serial_write(serial, text);
    assert_int_equal(strlen(text), SERIAL_SIZE - 1);
    for (const char *at = text; *at; at++)
        assert_in_range(*at, '0', 'o');
    assert_int_equal(serial_read(text), serial);
}

static void serial__of_any_size__comes_back(void **state)
{
    (void)state;
    assert_comes_back(0);
    assert_comes_back(SERIAL_MAX);
    for (int bit = 0; bit < 48; bit++) {
        assert_comes_back(UINT64_C(1) << bit);
        assert_comes_back(SERIAL_MAX ^ UINT64_C(1) << bit);
    }
    for (uint64_t serial = 1; serial < 100000; serial++)
        assert_comes_back(serial);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serial__of_any_size__comes_back),
    };
    return cmocka_run_group_tests_name("serial", tests, NULL, NULL);
}
