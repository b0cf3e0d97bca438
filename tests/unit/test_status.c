/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about status codes: the gRPC canonical names on the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/status.h"

static void every_status__is_found_by_its_text(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STATUS_COUNT; i++) {
        status_t status = STATUS_COUNT;
        assert_true(status_from_text(bytes_from_text(status_text((status_t)i)), &status));
        assert_int_equal(status, i);
    }
}

static void another_text__is_none(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "not_found", "NOT_FOUND ", "NOT_FOUN", "ABORTED"};
    status_t status = STATUS_INTERNAL;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(status_from_text(bytes_from_text(texts[i]), &status));
    assert_int_equal(status, STATUS_INTERNAL);
}

static void wire_text__is_the_canonical_name(void **state)
{
    (void)state;
    assert_string_equal(status_text(STATUS_INVALID_ARGUMENT), "INVALID_ARGUMENT");
    assert_string_equal(status_text(STATUS_OUT_OF_RANGE), "OUT_OF_RANGE");
}

int main(void)
{
    const struct CMUnitTest claims[] = {
        cmocka_unit_test(every_status__is_found_by_its_text),
        cmocka_unit_test(another_text__is_none),
        cmocka_unit_test(wire_text__is_the_canonical_name),
    };
    return cmocka_run_group_tests(claims, NULL, NULL);
}
