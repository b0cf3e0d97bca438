/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about valid names, PROTOCOL.md section 3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/limits.h"
#include "common/name.h"

static bool valid(const char *text)
{
    return name_valid(bytes_from_text(text));
}

static void name__printable_ascii__is_valid(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        const uint8_t name[] = {'a', (uint8_t)c};
        bool expected = c >= 0x21 && c <= 0x7e && c != '/';
        if (name_valid(bytes_of(name, sizeof name)) != expected)
            fail_msg("byte %#x: expected %d", (unsigned)c, expected);
    }
}

static void name__digits_alone__is_not_valid(void **state)
{
    (void)state;
    assert_false(valid("0"));
    assert_false(valid("48106"));
    assert_true(valid("48106a"));
    assert_true(valid("-1"));
    assert_true(valid("1.5"));
}

static void name__empty__is_not_valid(void **state)
{
    (void)state;
    assert_false(name_valid(bytes_of(NULL, 0)));
}

static void name__at_its_longest__is_valid_and_one_past_is_not(void **state)
{
    (void)state;
    uint8_t name[LIMIT_NAME + 1];
    memset(name, 'n', sizeof name);
    assert_true(name_valid(bytes_of(name, LIMIT_NAME)));
    assert_false(name_valid(bytes_of(name, LIMIT_NAME + 1)));
}

static void identity__is_split_at_its_first_slash(void **state)
{
    (void)state;
    bytes_t name;
    assert_true(name_from_identity(bytes_from_text("pump-7/a/b"), &name));
    assert_true(bytes_equal(name, bytes_from_text("pump-7")));
    assert_true(name_from_identity(bytes_from_text("pump-7"), &name));
    assert_true(bytes_equal(name, bytes_from_text("pump-7")));
    assert_true(name_from_identity(bytes_from_text("pump-7/"), &name));
    assert_true(bytes_equal(name, bytes_from_text("pump-7")));
}

static void identity__instance_is_any_bytes(void **state)
{
    (void)state;
    bytes_t name;
    const uint8_t identity[] = {'p', '/', 0, 0xff, '\n'};
    assert_true(name_from_identity(bytes_of(identity, sizeof identity), &name));
    assert_int_equal(name.size, 1);
}

static void identity__without_a_valid_name__has_none(void **state)
{
    (void)state;
    static const char *const identities[] = {"",    "/",     "/instance", "123/instance",
                                             "a b", "\x01x", "\xc3\xa4"};
    bytes_t name = bytes_from_text("untouched");
    for (size_t i = 0; i < sizeof identities / sizeof identities[0]; i++)
        assert_false(name_from_identity(bytes_from_text(identities[i]), &name));
    assert_true(bytes_equal(name, bytes_from_text("untouched")));
}

static void identity__of_libzmq_itself__has_no_name(void **state)
{
    (void)state;
    bytes_t name;
    const uint8_t given_out[] = {0, 0x6b, 0x8b, 0x45, 0x67};
    assert_false(name_from_identity(bytes_of(given_out, sizeof given_out), &name));
}

int main(void)
{
    const struct CMUnitTest claims[] = {
        cmocka_unit_test(name__printable_ascii__is_valid),
        cmocka_unit_test(name__digits_alone__is_not_valid),
        cmocka_unit_test(name__empty__is_not_valid),
        cmocka_unit_test(name__at_its_longest__is_valid_and_one_past_is_not),
        cmocka_unit_test(identity__is_split_at_its_first_slash),
        cmocka_unit_test(identity__instance_is_any_bytes),
        cmocka_unit_test(identity__without_a_valid_name__has_none),
        cmocka_unit_test(identity__of_libzmq_itself__has_no_name),
    };
    return cmocka_run_group_tests(claims, NULL, NULL);
}
