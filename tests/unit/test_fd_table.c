/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about fd_table.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/net/fd_table.h"
#include "tests/support/refuse_memory.h"

typedef struct row {
    uint64_t number;
} row_t;

static uint64_t number_at(fd_table_t *table, int fd)
{
    const row_t *row = fd_table_at(table, fd);
    assert_non_null(row);
    return row->number;
}

static void at__new_row__is_zero_and_rows_stay_when_the_table_grows(void **state)
{
    (void)state;
    fd_table_t table;
    fd_table_init(&table, sizeof(row_t));
    for (int fd = 0; fd < 5000; fd += 7) {
        row_t *row = fd_table_at(&table, fd);
        assert_non_null(row);
        assert_int_equal(row->number, 0);
        row->number = (uint64_t)fd + 1;
    }
    for (int fd = 0; fd < 5000; fd++)
        assert_int_equal(number_at(&table, fd), fd % 7 == 0 ? fd + 1 : 0);
    fd_table_release(&table);
}

static void at__number_below_zero__has_no_row(void **state)
{
    (void)state;
    fd_table_t table;
    fd_table_init(&table, sizeof(row_t));
    assert_null(fd_table_at(&table, -1));
    fd_table_release(&table);
}

static void at__without_memory__has_no_row_and_the_others_stay(void **state)
{
    (void)state;
    fd_table_t table;
    fd_table_init(&table, sizeof(row_t));
    row_t *row = fd_table_at(&table, 3);
    assert_non_null(row);
    row->number = 5;
    refuse_after = 0;
    void *none = fd_table_at(&table, 100000);
    refuse_after = REFUSE_NEVER;
    assert_null(none);
    assert_int_equal(number_at(&table, 3), 5);
    assert_int_equal(number_at(&table, 100000), 0);
    fd_table_release(&table);
}

static void release__then_asked_again__begins_with_zeros(void **state)
{
    (void)state;
    fd_table_t table;
    fd_table_init(&table, sizeof(row_t));
    row_t *row = fd_table_at(&table, 0);
    assert_non_null(row);
    row->number = 1;
    fd_table_release(&table);
    assert_int_equal(number_at(&table, 0), 0);
    fd_table_release(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at__new_row__is_zero_and_rows_stay_when_the_table_grows),
        cmocka_unit_test(at__number_below_zero__has_no_row),
        cmocka_unit_test(at__without_memory__has_no_row_and_the_others_stay),
        cmocka_unit_test(release__then_asked_again__begins_with_zeros),
    };
    return cmocka_run_group_tests_name("fd_table", tests, NULL, NULL);
}
