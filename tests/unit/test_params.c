/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about params: values at each bound and one past it, options, and the line that says what is wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/core/params.h"

enum { ROOM = 4096 };

static const limits_t limits = LIMITS_DEFAULT;
static const uint8_t letters[LIMIT_KEY_MAX + 1] = {'a'}; /* the rest are zeros, which are valid UTF-8 */

/* The params of a message. A test calls begin, writes the params, then calls bind_all. */
typedef struct given {
    buffer_t payload;
    rpc_message_t message;
    args_t args;
    char problem[PARAM_PROBLEM_SIZE];
} given_t;

static void begin(given_t *given, uint32_t count)
{
    buffer_init(&given->payload, ROOM);
    rpc_write_request(&given->payload, 1, bytes_from_text("m"));
    rpc_write_array(&given->payload, count);
}

static status_t bind_all(given_t *given, const param_t params[PARAMS_MAX], uint32_t required,
                         unsigned options)
{
    size_t at = 0;
    assert_false(given->payload.failed);
    assert_int_equal(rpc_read(buffer_bytes(&given->payload), &at, &given->message), RPC_STEP_MESSAGE);
    assert_int_equal(given->message.kind, RPC_REQUEST);
    args_init(&given->args);
    given->problem[0] = '\0';
    status_t status =
        args_bind(&given->args, &given->message, 0, params, required, options, &limits, given->problem);
    assert_int_equal(status == STATUS_OK, given->problem[0] == '\0');
    buffer_release(&given->payload);
    return status;
}

static status_t bind_bytes(param_t param, size_t size, bool binary)
{
    const param_t params[PARAMS_MAX] = {param};
    given_t given;
    begin(&given, 1);
    if (binary)
        rpc_write_bin(&given.payload, bytes_of(letters, size));
    else
        rpc_write_str(&given.payload, bytes_of(letters, size));
    return bind_all(&given, params, 1, 0);
}

static void sizes__at_the_bound__are_taken_and_one_past_it_not(void **state)
{
    (void)state;
    static const struct {
        param_t param;
        size_t low;
        size_t high;
    } rows[] = {
        {PARAM_KEY, 1, LIMIT_KEY_MAX}, {PARAM_PREFIX, 0, LIMIT_KEY_MAX},    {PARAM_USER, 1, LIMIT_USER},
        {PARAM_CLIENT, 1, LIMIT_NAME}, {PARAM_PASSWORD, 0, LIMIT_PASSWORD},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int binary = 0; binary < 2; binary++) {
            assert_int_equal(bind_bytes(rows[i].param, rows[i].low, binary), STATUS_OK);
            assert_int_equal(bind_bytes(rows[i].param, rows[i].high, binary), STATUS_OK);
            assert_int_equal(bind_bytes(rows[i].param, rows[i].high + 1, binary), STATUS_INVALID_ARGUMENT);
            if (rows[i].low > 0)
                assert_int_equal(bind_bytes(rows[i].param, rows[i].low - 1, binary), STATUS_INVALID_ARGUMENT);
        }
    }
}

static status_t bind_bin(param_t param, const char *data)
{
    const param_t params[PARAMS_MAX] = {param};
    given_t given;
    begin(&given, 1);
    rpc_write_bin(&given.payload, bytes_from_text(data));
    return bind_all(&given, params, 1, 0);
}

static void bin_that_is_no_text__is_refused_where_text_is_wanted_only(void **state)
{
    (void)state;
    static const param_t texts[] = {PARAM_KEY, PARAM_PREFIX, PARAM_USER, PARAM_CLIENT};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(bind_bin(texts[i], "\xff"), STATUS_INVALID_ARGUMENT);
        assert_int_equal(bind_bin(texts[i], "\xc3\xa9"), STATUS_OK);
    }
    assert_int_equal(bind_bin(PARAM_PASSWORD, "\xff"), STATUS_OK);
    assert_int_equal(bind_bin(PARAM_VALUE, "\xff"), STATUS_OK);
}

static void client__given_as_a_number__is_its_decimal_text(void **state)
{
    (void)state;
    const param_t params[PARAMS_MAX] = {PARAM_CLIENT};
    given_t given;
    begin(&given, 1);
    rpc_write_uint(&given.payload, UINT64_MAX);
    assert_int_equal(bind_all(&given, params, 1, 0), STATUS_OK);
    assert_true(bytes_equal(given.args.client, bytes_from_text("18446744073709551615")));
    begin(&given, 1);
    rpc_write_int(&given.payload, -1);
    assert_int_equal(bind_all(&given, params, 1, 0), STATUS_INVALID_ARGUMENT);
}

static void count__of_params__must_be_in_the_range(void **state)
{
    (void)state;
    const param_t params[PARAMS_MAX] = {PARAM_KEY, PARAM_VALUE, PARAM_OPTIONS};
    for (uint32_t count = 0; count <= 5; count++) {
        given_t given;
        begin(&given, count);
        for (uint32_t i = 0; i < count; i++) {
            if (i == 2)
                rpc_write_nil(&given.payload);
            else
                rpc_write_text(&given.payload, "t");
        }
        status_t expected = count == 2 || count == 3 ? STATUS_OK : STATUS_INVALID_ARGUMENT;
        assert_int_equal(bind_all(&given, params, 2, OPTION_TTL_MS), expected);
    }
}

/* Binds one option with a number. */
static status_t bind_number(unsigned option, const char *name, uint64_t number, args_t *args)
{
    const param_t params[PARAMS_MAX] = {PARAM_OPTIONS};
    given_t given;
    begin(&given, 1);
    rpc_write_map(&given.payload, 1);
    rpc_write_text(&given.payload, name);
    rpc_write_uint(&given.payload, number);
    status_t status = bind_all(&given, params, 0, option);
    *args = given.args;
    return status;
}

static void numbers_of_options__at_the_bound__are_taken_and_one_past_it_not(void **state)
{
    (void)state;
    args_t args;
    assert_int_equal(bind_number(OPTION_TTL_MS, "ttl_ms", 0, &args), STATUS_INVALID_ARGUMENT);
    assert_int_equal(bind_number(OPTION_TTL_MS, "ttl_ms", 1, &args), STATUS_OK);
    assert_int_equal(bind_number(OPTION_TTL_MS, "ttl_ms", LIMIT_TTL_MS, &args), STATUS_OK);
    assert_true(args.ttl_ms == LIMIT_TTL_MS && args.given == OPTION_TTL_MS);
    assert_int_equal(bind_number(OPTION_TTL_MS, "ttl_ms", LIMIT_TTL_MS + 1, &args), STATUS_INVALID_ARGUMENT);
    assert_int_equal(bind_number(OPTION_IF_REVISION, "if_revision", 0, &args), STATUS_OK);
    assert_int_equal(bind_number(OPTION_IF_REVISION, "if_revision", LIMIT_REVISION, &args), STATUS_OK);
    assert_int_equal(bind_number(OPTION_IF_REVISION, "if_revision", LIMIT_REVISION + 1, &args),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(bind_number(OPTION_LIMIT, "limit", 0, &args), STATUS_INVALID_ARGUMENT);
    assert_int_equal(bind_number(OPTION_LIMIT, "limit", LIMIT_PAGE_ENTRIES, &args), STATUS_OK);
    assert_int_equal(bind_number(OPTION_LIMIT, "limit", LIMIT_PAGE_ENTRIES + 1, &args),
                     STATUS_INVALID_ARGUMENT);
}

static void options__unknown_or_not_of_this_method__are_named(void **state)
{
    (void)state;
    const param_t params[PARAMS_MAX] = {PARAM_OPTIONS};
    static const char *const names[] = {"limit", "TTL_MS", "", "ttl_ms ", "\x01"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        given_t given;
        begin(&given, 1);
        rpc_write_map(&given.payload, 1);
        rpc_write_text(&given.payload, names[i]);
        rpc_write_uint(&given.payload, 1);
        assert_int_equal(bind_all(&given, params, 0, OPTION_TTL_MS), STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(given.problem, "unknown option"));
        if (i < 2)
            assert_non_null(strstr(given.problem, names[i]));
    }
}

static void options__given_twice_or_with_a_key_that_is_no_string__are_refused(void **state)
{
    (void)state;
    const param_t params[PARAMS_MAX] = {PARAM_OPTIONS};
    given_t given;
    begin(&given, 1);
    rpc_write_map(&given.payload, 2);
    for (int i = 0; i < 2; i++) {
        rpc_write_text(&given.payload, "ttl_ms");
        rpc_write_uint(&given.payload, 5);
    }
    assert_int_equal(bind_all(&given, params, 0, OPTION_TTL_MS), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(given.problem, "twice"));
    begin(&given, 1);
    rpc_write_map(&given.payload, 1);
    rpc_write_map(&given.payload, 1); /* a map as a key; it contains what looks like an option */
    rpc_write_text(&given.payload, "ttl_ms");
    rpc_write_uint(&given.payload, 5);
    rpc_write_nil(&given.payload);
    assert_int_equal(bind_all(&given, params, 0, OPTION_TTL_MS), STATUS_INVALID_ARGUMENT);
}

static void options__that_are_nil__are_not_given(void **state)
{
    (void)state;
    const param_t params[PARAMS_MAX] = {PARAM_OPTIONS};
    static const char *const names[] = {"secret", "ttl_ms", "if_revision", "after", "limit",
                                        "prefix", "create", "client",      "epoch"};
    enum { NAMES = sizeof names / sizeof names[0], ALL = (1 << 10) - 1 };
    given_t given;
    begin(&given, 1);
    rpc_write_map(&given.payload, NAMES);
    for (int i = 0; i < NAMES; i++) {
        rpc_write_text(&given.payload, names[i]);
        rpc_write_nil(&given.payload);
    }
    assert_int_equal(bind_all(&given, params, 0, ALL), STATUS_OK);
    args_t untouched;
    args_init(&untouched);
    assert_int_equal(given.args.given, 0);
    assert_true(given.args.if_revision == untouched.if_revision && given.args.limit == untouched.limit);
    assert_int_equal(given.args.ttl_ms, 0);
    /* A nil beside an option that is given; then a nil that is given twice. */
    begin(&given, 1);
    rpc_write_map(&given.payload, 2);
    rpc_write_text(&given.payload, "ttl_ms");
    rpc_write_nil(&given.payload);
    rpc_write_text(&given.payload, "if_revision");
    rpc_write_uint(&given.payload, 5);
    assert_int_equal(bind_all(&given, params, 0, ALL), STATUS_OK);
    assert_int_equal(given.args.given, OPTION_IF_REVISION);
    assert_int_equal(given.args.if_revision, 5);
    begin(&given, 1);
    rpc_write_map(&given.payload, 2);
    for (int i = 0; i < 2; i++) {
        rpc_write_text(&given.payload, "ttl_ms");
        rpc_write_nil(&given.payload);
    }
    assert_int_equal(bind_all(&given, params, 0, ALL), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(given.problem, "twice"));
}

static void options__whose_value_is_an_array__are_refused_and_do_not_shift_what_follows(void **state)
{
    (void)state;
    const param_t params[PARAMS_MAX] = {PARAM_OPTIONS};
    given_t given;
    begin(&given, 1);
    rpc_write_map(&given.payload, 1);
    rpc_write_text(&given.payload, "ttl_ms");
    rpc_write_array(&given.payload, 2);
    rpc_write_uint(&given.payload, 5);
    rpc_write_uint(&given.payload, 6);
    assert_int_equal(bind_all(&given, params, 0, OPTION_TTL_MS), STATUS_INVALID_ARGUMENT);
    assert_int_equal(given.args.ttl_ms, 0);
}

static void params__of_more_values_than_any_method_takes__are_refused(void **state)
{
    (void)state;
    const param_t params[PARAMS_MAX] = {PARAM_KEY, PARAM_OPTIONS};
    given_t given;
    begin(&given, 2);
    rpc_write_text(&given.payload, "k");
    rpc_write_map(&given.payload, 100);
    for (int i = 0; i < 200; i++)
        rpc_write_text(&given.payload, "ttl_ms");
    assert_int_equal(bind_all(&given, params, 1, OPTION_TTL_MS), STATUS_INVALID_ARGUMENT);
}

static void role__is_guest_or_manager_and_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(bind_bin(PARAM_ROLE, "guest"), STATUS_OK);
    assert_int_equal(bind_bin(PARAM_ROLE, "manager"), STATUS_OK);
    assert_int_equal(bind_bin(PARAM_ROLE, "Manager"), STATUS_INVALID_ARGUMENT);
    assert_int_equal(bind_bin(PARAM_ROLE, ""), STATUS_INVALID_ARGUMENT);
    assert_int_equal(bind_bin(PARAM_ROLE, "managers"), STATUS_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes__at_the_bound__are_taken_and_one_past_it_not),
        cmocka_unit_test(bin_that_is_no_text__is_refused_where_text_is_wanted_only),
        cmocka_unit_test(client__given_as_a_number__is_its_decimal_text),
        cmocka_unit_test(count__of_params__must_be_in_the_range),
        cmocka_unit_test(numbers_of_options__at_the_bound__are_taken_and_one_past_it_not),
        cmocka_unit_test(options__unknown_or_not_of_this_method__are_named),
        cmocka_unit_test(options__given_twice_or_with_a_key_that_is_no_string__are_refused),
        cmocka_unit_test(options__that_are_nil__are_not_given),
        cmocka_unit_test(options__whose_value_is_an_array__are_refused_and_do_not_shift_what_follows),
        cmocka_unit_test(params__of_more_values_than_any_method_takes__are_refused),
        cmocka_unit_test(role__is_guest_or_manager_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
