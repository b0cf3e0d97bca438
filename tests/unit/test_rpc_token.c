/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about reading, skipping and counting MessagePack values in place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/rpc.h"
#include "tests/unit/exact.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

typedef struct encoding {
    bytes_t bytes; /* a head and its body */
    rpc_type_t type;
    uint64_t number; /* of integers their bits, of arrays and maps the count, of strings the size, of bools 0
                        or 1 */
} encoding_t;

#define NEGATIVE(number) (uint64_t)(int64_t)(number)

static const encoding_t ENCODINGS[] = {
    {LITERAL("\xc0"), RPC_NIL, 0},
    {LITERAL("\xc2"), RPC_BOOL, 0},
    {LITERAL("\xc3"), RPC_BOOL, 1},
    /* integers by value, whatever their encoding */
    {LITERAL("\x00"), RPC_UINT, 0},
    {LITERAL("\x7f"), RPC_UINT, 127},
    {LITERAL("\xcc\x05"), RPC_UINT, 5},
    {LITERAL("\xcc\xff"), RPC_UINT, 255},
    {LITERAL("\xcd\x00\x05"), RPC_UINT, 5},
    {LITERAL("\xcd\xff\xfe"), RPC_UINT, 65534},
    {LITERAL("\xce\x00\x00\x00\x05"), RPC_UINT, 5},
    {LITERAL("\xce\xff\xff\xff\xfe"), RPC_UINT, 4294967294},
    {LITERAL("\xcf\x00\x00\x00\x00\x00\x00\x00\x05"), RPC_UINT, 5},
    {LITERAL("\xcf\xff\xff\xff\xff\xff\xff\xff\xfe"), RPC_UINT, UINT64_MAX - 1},
    {LITERAL("\xd0\x05"), RPC_UINT, 5},
    {LITERAL("\xd0\x7f"), RPC_UINT, 127},
    {LITERAL("\xd1\x7f\xff"), RPC_UINT, 32767},
    {LITERAL("\xd2\x7f\xff\xff\xff"), RPC_UINT, 2147483647},
    {LITERAL("\xd3\x7f\xff\xff\xff\xff\xff\xff\xff"), RPC_UINT, INT64_MAX},
    {LITERAL("\xff"), RPC_INT, NEGATIVE(-1)},
    {LITERAL("\xe0"), RPC_INT, NEGATIVE(-32)},
    {LITERAL("\xd0\xff"), RPC_INT, NEGATIVE(-1)},
    {LITERAL("\xd0\x80"), RPC_INT, NEGATIVE(-128)},
    {LITERAL("\xd1\x80\x00"), RPC_INT, NEGATIVE(-32768)},
    {LITERAL("\xd2\x80\x00\x00\x00"), RPC_INT, NEGATIVE(-2147483648LL)},
    {LITERAL("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), RPC_INT, NEGATIVE(INT64_MIN)},
    {LITERAL("\xd3\xff\xff\xff\xff\xff\xff\xff\xff"), RPC_INT, NEGATIVE(-1)},
    /* strings */
    {LITERAL("\xa0"), RPC_STR, 0},
    {LITERAL("\xa3"
             "abc"),
     RPC_STR, 3},
    {LITERAL("\xbf"
             "0123456789012345678901234567890"),
     RPC_STR, 31},
    {LITERAL("\xd9\x00"), RPC_STR, 0},
    {LITERAL("\xd9\x03"
             "abc"),
     RPC_STR, 3},
    {LITERAL("\xda\x00\x03"
             "abc"),
     RPC_STR, 3},
    {LITERAL("\xdb\x00\x00\x00\x03"
             "abc"),
     RPC_STR, 3},
    {LITERAL("\xa2\xc3\xa4"), RPC_STR, 2},
    {LITERAL("\xc4\x00"), RPC_BIN, 0},
    {LITERAL("\xc4\x02\xff\xfe"), RPC_BIN, 2},
    {LITERAL("\xc5\x00\x02\xff\xfe"), RPC_BIN, 2},
    {LITERAL("\xc6\x00\x00\x00\x02\xff\xfe"), RPC_BIN, 2},
    /* heads of arrays and maps */
    {LITERAL("\x90"), RPC_ARRAY, 0},
    {LITERAL("\x9f"), RPC_ARRAY, 15},
    {LITERAL("\xdc\x01\x02"), RPC_ARRAY, 258},
    {LITERAL("\xdd\xff\xff\xff\xff"), RPC_ARRAY, UINT32_MAX},
    {LITERAL("\x80"), RPC_MAP, 0},
    {LITERAL("\x8f"), RPC_MAP, 15},
    {LITERAL("\xde\x01\x02"), RPC_MAP, 258},
    {LITERAL("\xdf\xff\xff\xff\xff"), RPC_MAP, UINT32_MAX},
    /* never valid in a message, but whole values */
    {LITERAL("\xca\x3f\x80\x00\x00"), RPC_OTHER, 0},
    {LITERAL("\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"), RPC_OTHER, 0},
    {LITERAL("\xd4\x01x"), RPC_OTHER, 0},
    {LITERAL("\xd5\x01xx"), RPC_OTHER, 0},
    {LITERAL("\xd6\x01xxxx"), RPC_OTHER, 0},
    {LITERAL("\xd7\x01xxxxxxxx"), RPC_OTHER, 0},
    {LITERAL("\xd8\x01xxxxxxxxxxxxxxxx"), RPC_OTHER, 0},
    {LITERAL("\xc7\x00\x01"), RPC_OTHER, 0},
    {LITERAL("\xc7\x03\x01xxx"), RPC_OTHER, 0},
    {LITERAL("\xc8\x00\x03\x01xxx"), RPC_OTHER, 0},
    {LITERAL("\xc9\x00\x00\x00\x03\x01xxx"), RPC_OTHER, 0},
    {LITERAL("\xa1\x80"), RPC_OTHER, 0},
    {LITERAL("\xd9\x02\xc3\x28"), RPC_OTHER, 0},
};

static void assert_is(const rpc_value_t *value, const encoding_t *encoding)
{
    assert_int_equal(value->type, encoding->type);
    switch (value->type) {
    case RPC_BOOL:
        assert_int_equal(value->as.boolean, encoding->number);
        break;
    case RPC_UINT:
        assert_true(value->as.number == encoding->number);
        break;
    case RPC_INT:
        assert_true((uint64_t)value->as.negative == encoding->number);
        break;
    case RPC_STR:
    case RPC_BIN: {
        size_t size = (size_t)encoding->number;
        assert_int_equal(value->as.bytes.size, size);
        bytes_t body = bytes_of(encoding->bytes.data + encoding->bytes.size - size, size);
        assert_true(bytes_equal(value->as.bytes, body));
        break;
    }
    case RPC_ARRAY:
    case RPC_MAP:
        assert_int_equal(value->as.count, encoding->number);
        break;
    default:
        break;
    }
}

static void value__in_every_encoding__is_read_by_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ENCODINGS); i++) {
        bytes_t payload = exact(ENCODINGS[i].bytes);
        size_t at = 0;
        rpc_value_t value;
        if (!rpc_read_value(payload, &at, &value))
            fail_msg("encoding %zu was not read", i);
        assert_int_equal(at, payload.size);
        assert_int_equal(value.span, 0);
        assert_is(&value, &ENCODINGS[i]);
    }
}

static void value__cut_at_every_byte__breaks_off_at_the_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ENCODINGS); i++) {
        for (size_t size = 0; size < ENCODINGS[i].bytes.size; size++) {
            bytes_t payload = exact(bytes_of(ENCODINGS[i].bytes.data, size));
            size_t at = 0;
            rpc_value_t value = {.type = RPC_BOOL, .span = 99};
            assert_false(rpc_read_value(payload, &at, &value));
            assert_int_equal(at, size);
            assert_int_equal(value.span, 99); /* written only on success */
            at = 0;
            assert_false(rpc_skip(payload, &at));
            assert_int_equal(at, size);
        }
    }
}

static void value__of_byte_c1__breaks_off_there(void **state)
{
    (void)state;
    bytes_t payload = exact(BYTES("\x01\xc1\x01"));
    size_t at = 0;
    rpc_value_t value;
    assert_true(rpc_read_value(payload, &at, &value));
    assert_false(rpc_read_value(payload, &at, &value));
    assert_int_equal(at, 1);
    assert_false(rpc_skip(payload, &at));
    assert_int_equal(at, 1);
}

static void every_first_byte_but_c1__is_messagepack(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        uint8_t data[300] = {(uint8_t)first}; /* lengths of 0, or fixed ones, and then zeros */
        bytes_t payload = exact(bytes_of(data, sizeof data));
        size_t at = 0;
        rpc_value_t value;
        assert_int_equal(rpc_read_value(payload, &at, &value), first != 0xc1);
        assert_true(first == 0xc1 ? at == 0 : at > 0);
    }
}

static void declared_length__without_the_bytes__breaks_off_at_the_end(void **state)
{
    (void)state;
    static const encoding_t lies[] = {
        {LITERAL("\xdb\xff\xff\xff\xff"), RPC_STR, 0},
        {LITERAL("\xc6\xff\xff\xff\xff"), RPC_BIN, 0},
        {LITERAL("\xc9\xff\xff\xff\xff"), RPC_OTHER, 0},
        {LITERAL("\xdd\xff\xff\xff\xff"), RPC_ARRAY, 0},
        {LITERAL("\xdf\xff\xff\xff\xff"), RPC_MAP, 0},
        {LITERAL("\xda\xff\xff"), RPC_STR, 0},
        {LITERAL("\xdf\xff\xff\xff\xff\x01\x02\x03"), RPC_MAP, 0},
        {LITERAL("\xdb\xff\xff\xff\xff"
                 "abcd"),
         RPC_STR, 0},
    };
    for (size_t i = 0; i < COUNT(lies); i++) {
        bytes_t payload = exact(lies[i].bytes);
        size_t at = 0;
        assert_false(rpc_skip(payload, &at));
        assert_int_equal(at, payload.size);
    }
}

static void skip__passes_over_what_is_nested(void **state)
{
    (void)state;
    /* {"a": [1, {2: bin}], nil: float}, and then 7 */
    bytes_t payload = exact(BYTES("\x82\xa1"
                                  "a\x92\x01\x81\x02\xc4\x01\xff\xc0\xca\x00\x00\x00\x00\x07"));
    size_t at = 0;
    assert_true(rpc_skip(payload, &at));
    assert_int_equal(at, payload.size - 1);
    assert_true(rpc_skip(payload, &at));
    assert_int_equal(at, payload.size);
    assert_false(rpc_skip(payload, &at));
}

static void skip__of_a_million_nested_arrays__needs_no_stack(void **state)
{
    (void)state;
    enum { DEEP = 1000000 };
    uint8_t *data = malloc(DEEP);
    assert_non_null(data);
    memset(data, 0x91, DEEP);
    size_t at = 0;
    assert_false(rpc_skip(bytes_of(data, DEEP), &at));
    assert_int_equal(at, DEEP);
    data[DEEP - 1] = 0x90;
    at = 0;
    assert_true(rpc_skip(bytes_of(data, DEEP), &at));
    assert_int_equal(at, DEEP);
    free(data);
}

static const uint8_t GET[] = "\x94\x00\x07\xa3get\x91\xa1k";

static void count__at_the_bound_and_one_past(void **state)
{
    (void)state;
    enum { LIMIT = 10 };
    buffer_t buffer;
    buffer_init(&buffer, 4096);
    for (size_t messages = 0; messages <= LIMIT + 5; messages++) {
        size_t expected = messages > LIMIT ? LIMIT + 1 : messages;
        assert_int_equal(rpc_count(buffer_bytes(&buffer), LIMIT), expected);
        assert_int_equal(rpc_count_exceeds(buffer_bytes(&buffer), LIMIT), messages > LIMIT);
        buffer_append(&buffer, GET, sizeof GET - 1);
    }
    buffer_release(&buffer);
}

static void count__of_the_smallest_messages__is_exact(void **state)
{
    (void)state;
    assert_false(rpc_count_exceeds(exact(BYTES("\xc0\xc0\xc0")), 3));
    assert_true(rpc_count_exceeds(exact(BYTES("\xc0\xc0\xc0\xc0")), 3));
}

static void count__takes_what_stands_before_a_break(void **state)
{
    (void)state;
    assert_int_equal(rpc_count(exact(BYTES("\x94\x00\x07\xa3get\x90\xc0\x94\x00")), 100), 2);
    assert_int_equal(rpc_count(exact(BYTES("\xc0\xc1\xc0")), 100), 1);
    assert_int_equal(rpc_count(bytes_of(NULL, 0), 100), 0);
}

#define CLAIM(name) cmocka_unit_test_teardown(name, exact_release)

int main(void)
{
    const struct CMUnitTest claims[] = {
        CLAIM(value__in_every_encoding__is_read_by_value),
        CLAIM(value__cut_at_every_byte__breaks_off_at_the_end),
        CLAIM(value__of_byte_c1__breaks_off_there),
        CLAIM(every_first_byte_but_c1__is_messagepack),
        CLAIM(declared_length__without_the_bytes__breaks_off_at_the_end),
        CLAIM(skip__passes_over_what_is_nested),
        CLAIM(skip__of_a_million_nested_arrays__needs_no_stack),
        CLAIM(count__at_the_bound_and_one_past),
        CLAIM(count__of_the_smallest_messages__is_exact),
        CLAIM(count__takes_what_stands_before_a_break),
    };
    return cmocka_run_group_tests(claims, NULL, NULL);
}
