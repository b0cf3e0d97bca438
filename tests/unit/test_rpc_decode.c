/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about reading requests and notifications, and about flagging what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/limits.h"
#include "common/rpc.h"
#include "tests/unit/exact.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Reads the first message of PAYLOAD, which holds nothing else. */
static rpc_message_t only_message(bytes_t payload)
{
    payload = exact(payload);
    rpc_message_t message;
    memset(&message, 0xa5, sizeof message);
    size_t at = 0;
    assert_int_equal(rpc_read(payload, &at, &message), RPC_STEP_MESSAGE);
    assert_int_equal(at, payload.size);
    assert_int_equal(rpc_read(payload, &at, &message), RPC_STEP_END);
    return message;
}

static void assert_ill_formed(bytes_t payload, uint32_t msgid, bool answered)
{
    rpc_message_t message = only_message(payload);
    assert_int_equal(message.kind, RPC_ILL_FORMED);
    assert_int_equal(message.msgid, msgid);
    assert_int_equal(message.answered, answered);
    assert_non_null(message.problem);
    assert_true(strlen(message.problem) > 0);
    assert_int_equal(message.value_count, 0);
    assert_null(rpc_param(&message, 0));
}

static const uint8_t GET[] = "\x94\x00\x07\xa3get\x91\xa4"
                             "city";

static void request__is_read(void **state)
{
    (void)state;
    rpc_message_t message = only_message(BYTES(GET));
    assert_int_equal(message.kind, RPC_REQUEST);
    assert_int_equal(message.msgid, 7);
    assert_null(message.problem);
    assert_true(bytes_equal(message.method, BYTES("get")));
    assert_int_equal(message.params, 1);
    assert_int_equal(message.value_count, 1);
    assert_false(message.truncated);
    const rpc_value_t *key = rpc_param(&message, 0);
    assert_int_equal(key->type, RPC_STR);
    assert_int_equal(key->span, 1);
    assert_true(bytes_equal(key->as.bytes, BYTES("city")));
    assert_null(rpc_param(&message, 1));
}

static void request__cut_at_every_byte__breaks_off_at_the_end(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof GET - 1; size++) {
        bytes_t payload = exact(bytes_of(GET, size));
        rpc_message_t message;
        size_t at = 0;
        assert_int_equal(rpc_read(payload, &at, &message), RPC_STEP_BROKEN);
        assert_int_equal(at, size);
    }
}

static void request__with_c1_anywhere__breaks_off_there(void **state)
{
    (void)state;
    static const size_t heads[] = {0, 1, 2, 3, 7, 8}; /* where values of GET begin */
    for (size_t i = 0; i < COUNT(heads); i++) {
        uint8_t data[sizeof GET - 1];
        memcpy(data, GET, sizeof data);
        data[heads[i]] = 0xc1;
        rpc_message_t message;
        size_t at = 0;
        assert_int_equal(rpc_read(exact(bytes_of(data, sizeof data)), &at, &message), RPC_STEP_BROKEN);
        assert_int_equal(at, heads[i]);
    }
}

static void request__in_wide_encodings__counts_by_value(void **state)
{
    (void)state;
    static const bytes_t forms[] = {
        LITERAL("\xdc\x00\x04\x00\x07\xa3get\x91\xa4"
                "city"),
        LITERAL("\xdd\x00\x00\x00\x04\xcc\x00\xcc\x07\xc4\x03get\xdc\x00\x01\xc4\x04"
                "city"),
        LITERAL("\x94\xd3\x00\x00\x00\x00\x00\x00\x00\x00\xd0\x07\xd9\x03get\x91\xda\x00\x04"
                "city"),
        LITERAL("\x94\x00\xcf\x00\x00\x00\x00\x00\x00\x00\x07\xdb\x00\x00\x00\x03get\xdd\x00\x00\x00\x01\xa4"
                "city"),
        LITERAL("\x94\x00\xd3\x00\x00\x00\x00\x00\x00\x00\x07\xa3get\x91\xa4"
                "city"),
    };
    for (size_t i = 0; i < COUNT(forms); i++) {
        rpc_message_t message = only_message(forms[i]);
        assert_int_equal(message.kind, RPC_REQUEST);
        assert_int_equal(message.msgid, 7);
        assert_true(bytes_equal(message.method, BYTES("get")));
        assert_true(bytes_equal(rpc_param(&message, 0)->as.bytes, BYTES("city")));
    }
}

static void request__with_the_highest_msgid__is_read(void **state)
{
    (void)state;
    rpc_message_t message = only_message(BYTES("\x94\x00\xce\xff\xff\xff\xff\xa4ping\x90"));
    assert_int_equal(message.kind, RPC_REQUEST);
    assert_int_equal(message.msgid, UINT32_MAX);
    assert_int_equal(message.params, 0);
}

static void notification__is_read(void **state)
{
    (void)state;
    rpc_message_t message = only_message(BYTES("\x93\x02\xa3put\x92\xa1k\xc4\x01\xff"));
    assert_int_equal(message.kind, RPC_NOTIFICATION);
    assert_int_equal(message.msgid, 0);
    assert_true(bytes_equal(message.method, BYTES("put")));
    assert_int_equal(message.params, 2);
    assert_int_equal(rpc_param(&message, 1)->type, RPC_BIN);
}

static void payload__of_nothing__is_broken_at_0(void **state)
{
    (void)state;
    rpc_message_t message;
    size_t at = 0;
    assert_int_equal(rpc_read(bytes_of(NULL, 0), &at, &message), RPC_STEP_BROKEN);
    assert_int_equal(at, 0);
}

static void batch__is_read_in_order_up_to_where_it_breaks_off(void **state)
{
    (void)state;
    bytes_t payload = exact(BYTES("\x94\x00\x01\xa4ping\x90"
                                  "\x93\x02\xa4ping\x90"
                                  "\x94\x00\x02\xa4ping\x90"
                                  "\x94\x00\xc1"));
    rpc_message_t message;
    size_t at = 0;
    assert_int_equal(rpc_read(payload, &at, &message), RPC_STEP_MESSAGE);
    assert_int_equal(message.msgid, 1);
    assert_int_equal(rpc_read(payload, &at, &message), RPC_STEP_MESSAGE);
    assert_int_equal(message.kind, RPC_NOTIFICATION);
    assert_int_equal(rpc_read(payload, &at, &message), RPC_STEP_MESSAGE);
    assert_int_equal(message.msgid, 2);
    assert_int_equal(rpc_read(payload, &at, &message), RPC_STEP_BROKEN);
    assert_int_equal(at, payload.size - 1);
}

static void what_is_no_request__is_flagged(void **state)
{
    (void)state;
    static const struct {
        bytes_t payload;
        uint32_t msgid;
        bool answered;
    } cases[] = {
        /* no array, or none that begins with a number that says what it is */
        {LITERAL("\xc0"), 0, true},
        {LITERAL("\x07"), 0, true},
        {LITERAL("\xa3get"), 0, true},
        {LITERAL("\x84\x00\x07\xa3get\x90\x01\x02\x03\x04"), 0, true},
        {LITERAL("\xca\x00\x00\x00\x00"), 0, true},
        {LITERAL("\xd4\x01x"), 0, true},
        {LITERAL("\xa1\xff"), 0, true},
        {LITERAL("\x90"), 0, true},
        {LITERAL("\x94\xa1\x30\x07\xa3get\x90"), 0, true},
        {LITERAL("\x94\xff\x07\xa3get\x90"), 0, true},
        {LITERAL("\x94\x03\x07\xa3get\x90"), 0, true},
        {LITERAL("\x94\xca\x00\x00\x00\x00\x07\xa3get\x90"), 0, true},
        {LITERAL("\x92\x94\x00\x07\xa3get\x90\x07"), 0, true},
        /* a response */
        {LITERAL("\x94\x01\x07\xc0\xc3"), 0, true},
        /* a request of the wrong length keeps its msgid */
        {LITERAL("\x91\x00"), 0, true},
        {LITERAL("\x92\x00\x07"), 7, true},
        {LITERAL("\x93\x00\x07\xa3get"), 7, true},
        {LITERAL("\x95\x00\x07\xa3get\x90\xc0"), 7, true},
        {LITERAL("\x93\x00\xce\xff\xff\xff\xff\xa3get"), UINT32_MAX, true},
        /* the msgid is no unsigned 32-bit number */
        {LITERAL("\x94\x00\xff\xa3get\x90"), 0, true},
        {LITERAL("\x94\x00\xcf\x00\x00\x00\x01\x00\x00\x00\x00\xa3get\x90"), 0, true},
        {LITERAL("\x94\x00\xc0\xa3get\x90"), 0, true},
        {LITERAL("\x94\x00\xa1\x37\xa3get\x90"), 0, true},
        {LITERAL("\x94\x00\xca\x00\x00\x00\x00\xa3get\x90"), 0, true},
        /* the method is no string, or no text */
        {LITERAL("\x94\x00\x07\x05\x90"), 7, true},
        {LITERAL("\x94\x00\x07\xc0\x90"), 7, true},
        {LITERAL("\x94\x00\x07\xa1\xff\x90"), 7, true},
        {LITERAL("\x94\x00\x07\xd9\x01\xff\x90"), 7, true},
        {LITERAL("\x94\x00\x07\x91\xa3get\x90"), 7, true},
        /* the params are no array */
        {LITERAL("\x94\x00\x07\xa3get\xc0"), 7, true},
        {LITERAL("\x94\x00\x07\xa3get\x80"), 7, true},
        {LITERAL("\x94\x00\x07\xa3get\xa1k"), 7, true},
        /* what begins with 2 is never answered */
        {LITERAL("\x91\x02"), 0, false},
        {LITERAL("\x92\x02\xa3put"), 0, false},
        {LITERAL("\x94\x02\x07\xa3put\x90"), 0, false},
        {LITERAL("\x93\x02\xa3put\xc0"), 0, false},
        {LITERAL("\x93\x02\x05\x90"), 0, false},
        {LITERAL("\x93\xcc\x02\xa3put\x91\xca\x00\x00\x00\x00"), 0, false},
        {LITERAL("\x93\x02\xa3put\x91\xa1\xff"), 0, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        print_message("case %zu\n", i);
        assert_ill_formed(cases[i].payload, cases[i].msgid, cases[i].answered);
    }
}

/* Writes `[0, 7, "put", [` of COUNT params. */
static void begin_put(buffer_t *buffer, uint32_t count)
{
    buffer_init(buffer, 1 << 20);
    rpc_write_request(buffer, 7, BYTES("put"));
    rpc_write_array(buffer, count);
}

static void what_a_message_may_not_hold__is_skipped_whole_wherever_it_stands(void **state)
{
    (void)state;
    static const bytes_t others[] = {
        LITERAL("\xca\x3f\x80\x00\x00"),
        LITERAL("\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"),
        LITERAL("\xd4\x01x"),
        LITERAL("\xc7\x03\x01xxx"),
        LITERAL("\xa2\xc3\x28"),
        LITERAL("\xd9\x0a"
                "123456789\xff"),
    };
    static const bytes_t places[][2] = {
        {LITERAL("\x92"), LITERAL("\x01")},                     /* first */
        {LITERAL("\x92\xa1k"), LITERAL("")},                    /* last */
        {LITERAL("\x92\xa1k\x81"), LITERAL("\x01")},            /* a key of a map */
        {LITERAL("\x92\xa1k\x81\xa1o"), LITERAL("")},           /* its value */
        {LITERAL("\x91\x91\x91\x91\x91\x91\x91"), LITERAL("")}, /* at depth 8 */
        {LITERAL(
             "\xdc\x00\x28\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"
             "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"),
         LITERAL("")}, /* the fortieth: beyond those that are kept */
    };
    for (size_t i = 0; i < COUNT(others); i++) {
        for (size_t k = 0; k < COUNT(places); k++) {
            buffer_t buffer;
            buffer_init(&buffer, 4096);
            rpc_write_request(&buffer, 7, BYTES("put"));
            buffer_append(&buffer, places[k][0].data, places[k][0].size);
            buffer_append(&buffer, others[i].data, others[i].size);
            buffer_append(&buffer, places[k][1].data, places[k][1].size);
            size_t first = buffer.size;
            buffer_append(&buffer, GET, sizeof GET - 1);

            bytes_t payload = exact(buffer_bytes(&buffer));
            buffer_release(&buffer);
            rpc_message_t message;
            size_t at = 0;
            assert_int_equal(rpc_read(payload, &at, &message), RPC_STEP_MESSAGE);
            assert_int_equal(message.kind, RPC_ILL_FORMED);
            assert_int_equal(message.msgid, 7);
            assert_true(message.answered);
            assert_int_equal(at, first);
            assert_int_equal(rpc_read(payload, &at, &message), RPC_STEP_MESSAGE);
            assert_int_equal(message.kind, RPC_REQUEST);
        }
    }
}

/* A put whose second param is DEPTH arrays (or maps, as values) within each other, so that the innermost
 * stands at 2 + DEPTH. */
static void nested_put(buffer_t *buffer, unsigned depth, bool maps)
{
    begin_put(buffer, 2);
    rpc_write_text(buffer, "k");
    for (unsigned i = 1; i < depth; i++) {
        if (maps) {
            rpc_write_map(buffer, 1);
            rpc_write_text(buffer, "o");
        } else {
            rpc_write_array(buffer, 1);
        }
    }
    rpc_write_array(buffer, 0);
}

static void nesting__of_8__is_taken_and_9_is_not(void **state)
{
    (void)state;
    for (int maps = 0; maps < 2; maps++) {
        buffer_t buffer;
        nested_put(&buffer, LIMIT_DEPTH - 2, maps);
        rpc_message_t message = only_message(buffer_bytes(&buffer));
        assert_int_equal(message.kind, RPC_REQUEST);
        assert_int_equal(message.params, 2);
        buffer_release(&buffer);

        nested_put(&buffer, LIMIT_DEPTH - 1, maps);
        assert_ill_formed(buffer_bytes(&buffer), 7, true);
        buffer_release(&buffer);
    }
}

static void nesting__too_deep__does_not_hide_the_next_message(void **state)
{
    (void)state;
    buffer_t buffer;
    nested_put(&buffer, 10000, false);
    size_t first = buffer.size;
    buffer_append(&buffer, GET, sizeof GET - 1);
    rpc_message_t message;
    size_t at = 0;
    assert_int_equal(rpc_read(buffer_bytes(&buffer), &at, &message), RPC_STEP_MESSAGE);
    assert_int_equal(message.kind, RPC_ILL_FORMED);
    assert_int_equal(at, first);
    assert_int_equal(rpc_read(buffer_bytes(&buffer), &at, &message), RPC_STEP_MESSAGE);
    assert_int_equal(message.kind, RPC_REQUEST);
    buffer_release(&buffer);
}

static void ill_formed_and_cut__is_broken(void **state)
{
    (void)state;
    /* a float, and then the end in the middle of a key */
    bytes_t payload = exact(BYTES("\x94\x00\x07\xa3put\x92\xca\x00\x00\x00\x00\xa4"
                                  "ci"));
    rpc_message_t message;
    size_t at = 0;
    assert_int_equal(rpc_read(payload, &at, &message), RPC_STEP_BROKEN);
    assert_int_equal(at, payload.size);
}

static void nested_params__are_flattened_in_order_with_their_spans(void **state)
{
    (void)state;
    /* ["k", {"a": [1, 2], "b": {}}, [], true] */
    rpc_message_t message = only_message(BYTES("\x94\x00\x07\xa3put\x94\xa1k\x82\xa1"
                                               "a\x92\x01\x02\xa1"
                                               "b\x80\x90\xc3"));
    static const struct {
        rpc_type_t type;
        uint32_t span;
    } expected[] = {
        {RPC_STR, 1},  {RPC_MAP, 7}, {RPC_STR, 1}, {RPC_ARRAY, 3}, {RPC_UINT, 1},
        {RPC_UINT, 1}, {RPC_STR, 1}, {RPC_MAP, 1}, {RPC_ARRAY, 1}, {RPC_BOOL, 1},
    };
    assert_int_equal(message.value_count, COUNT(expected));
    for (size_t i = 0; i < COUNT(expected); i++) {
        assert_int_equal(message.values[i].type, expected[i].type);
        assert_int_equal(message.values[i].span, expected[i].span);
    }
    assert_ptr_equal(rpc_param(&message, 0), &message.values[0]);
    assert_ptr_equal(rpc_param(&message, 1), &message.values[1]);
    assert_ptr_equal(rpc_param(&message, 2), &message.values[8]);
    assert_ptr_equal(rpc_param(&message, 3), &message.values[9]);
    assert_null(rpc_param(&message, 4));
}

static void params__as_many_as_are_kept__are_all_there_and_one_more_is_not(void **state)
{
    (void)state;
    for (uint32_t count = RPC_VALUES_MAX; count <= RPC_VALUES_MAX + 1; count++) {
        buffer_t buffer;
        begin_put(&buffer, count);
        for (uint32_t i = 0; i < count; i++)
            rpc_write_uint(&buffer, i);
        rpc_message_t message = only_message(buffer_bytes(&buffer));
        buffer_release(&buffer);
        assert_int_equal(message.kind, RPC_REQUEST);
        assert_int_equal(message.params, count);
        assert_int_equal(message.truncated, count > RPC_VALUES_MAX);
        assert_int_equal(message.value_count, RPC_VALUES_MAX);
        assert_int_equal(rpc_param(&message, RPC_VALUES_MAX - 1)->as.number, RPC_VALUES_MAX - 1);
        assert_null(rpc_param(&message, RPC_VALUES_MAX));
    }
}

static void params__inside_one_that_is_too_large__are_not_kept(void **state)
{
    (void)state;
    enum { PAIRS = 1000 };
    buffer_t buffer;
    begin_put(&buffer, 3);
    rpc_write_text(&buffer, "k");
    rpc_write_map(&buffer, PAIRS);
    for (uint32_t i = 0; i < PAIRS; i++) {
        rpc_write_uint(&buffer, i);
        rpc_write_array(&buffer, 0);
    }
    rpc_write_bool(&buffer, true);
    rpc_message_t message = only_message(buffer_bytes(&buffer));
    buffer_release(&buffer);
    assert_int_equal(message.kind, RPC_REQUEST);
    assert_true(message.truncated);
    assert_int_equal(message.value_count, RPC_VALUES_MAX);
    assert_int_equal(rpc_param(&message, 1)->span, 1 + 2 * PAIRS);
    assert_null(rpc_param(&message, 2)); /* it is there, but was not kept */
}

#define CLAIM(name) cmocka_unit_test_teardown(name, exact_release)

int main(void)
{
    const struct CMUnitTest claims[] = {
        CLAIM(request__is_read),
        CLAIM(request__cut_at_every_byte__breaks_off_at_the_end),
        CLAIM(request__with_c1_anywhere__breaks_off_there),
        CLAIM(request__in_wide_encodings__counts_by_value),
        CLAIM(request__with_the_highest_msgid__is_read),
        CLAIM(notification__is_read),
        CLAIM(payload__of_nothing__is_broken_at_0),
        CLAIM(batch__is_read_in_order_up_to_where_it_breaks_off),
        CLAIM(what_is_no_request__is_flagged),
        CLAIM(what_a_message_may_not_hold__is_skipped_whole_wherever_it_stands),
        CLAIM(nesting__of_8__is_taken_and_9_is_not),
        CLAIM(nesting__too_deep__does_not_hide_the_next_message),
        CLAIM(ill_formed_and_cut__is_broken),
        CLAIM(nested_params__are_flattened_in_order_with_their_spans),
        CLAIM(params__as_many_as_are_kept__are_all_there_and_one_more_is_not),
        CLAIM(params__inside_one_that_is_too_large__are_not_kept),
    };
    return cmocka_run_group_tests(claims, NULL, NULL);
}
