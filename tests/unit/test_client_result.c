/* SPDX-License-Identifier: MPL-2.0 */
/* How libkvzmq reads maps: the fields may come in any order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/lib/result.h"

enum { FIELDS = 3 };

typedef struct numbers {
    uint64_t of[FIELDS];
} numbers_t;

static const field_t fields[FIELDS] = {
    {"a", FIELD_UINT, offsetof(numbers_t, of[0])},
    {"b", FIELD_UINT, offsetof(numbers_t, of[1])},
    {"c", FIELD_UINT, offsetof(numbers_t, of[2])},
};

/* Reads a map in which each letter of NAMES is a field whose value is its index in NAMES. */
static bool read_map(const char *names, numbers_t *numbers)
{
    buffer_t body;
    size_t at = 0;
    buffer_init(&body, 1024);
    rpc_write_map(&body, (uint32_t)strlen(names));
    for (uint32_t i = 0; names[i] != '\0'; i++) {
        rpc_write_str(&body, bytes_of(&names[i], 1));
        rpc_write_uint(&body, i);
    }
    *numbers = (numbers_t){{0}};
    bool read = result_map(buffer_bytes(&body), &at, fields, FIELDS, numbers);
    assert_true(!read || at == body.size);
    buffer_release(&body);
    return read;
}

static void map__fields_in_any_order__are_read(void **state)
{
    static const char *const orders[] = {"abc", "acb", "bac", "bca", "cab", "cba"};
    (void)state;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        numbers_t numbers;
        assert_true(read_map(orders[i], &numbers));
        for (size_t place = 0; place < FIELDS; place++)
            assert_int_equal(numbers.of[orders[i][place] - 'a'], place);
    }
}

static void map__unknown_fields__are_passed_over(void **state)
{
    numbers_t numbers;
    (void)state;
    assert_true(read_map("xaybczx", &numbers));
    assert_int_equal(numbers.of[0], 1);
    assert_int_equal(numbers.of[1], 3);
    assert_int_equal(numbers.of[2], 4);
}

static void map__field_missing__is_refused(void **state)
{
    static const char *const without[] = {"", "ab", "bc", "ca", "axb", "aab"};
    (void)state;
    for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
        numbers_t numbers;
        assert_false(read_map(without[i], &numbers));
    }
}

static void map__field_given_twice__the_last_counts(void **state)
{
    numbers_t numbers;
    (void)state;
    assert_true(read_map("abcb", &numbers));
    assert_int_equal(numbers.of[1], 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map__fields_in_any_order__are_read),
        cmocka_unit_test(map__unknown_fields__are_passed_over),
        cmocka_unit_test(map__field_missing__is_refused),
        cmocka_unit_test(map__field_given_twice__the_last_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
