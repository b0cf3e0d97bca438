/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about reading MessagePack values and MessagePack-RPC messages in place. Every payload stands in
 * memory of exactly its size, so that a sanitizer or valgrind sees a read beyond it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/limits.h"
#include "common/rpc.h"

#define LITERAL(text)                                                                                        \
    {                                                                                                        \
        (const uint8_t *)(text), sizeof(text) - 1                                                            \
    }
#define BYTES(literal) ((bytes_t)LITERAL(literal))
#define COUNT(array)   (sizeof(array) / sizeof(array)[0])

static uint8_t *copy_data; /* of the running test's payload */

/* A copy of DATA in memory of exactly its size; valid until the next one. */
static bytes_t exact(bytes_t data)
{
    free(copy_data);
    copy_data = malloc(data.size == 0 ? 1 : data.size);
    assert_non_null(copy_data);
    if (data.size > 0)
        memcpy(copy_data, data.data, data.size);
    return bytes_of(copy_data, data.size);
}

static int release_copy(void **state)
{
    (void)state;
    free(copy_data);
    copy_data = NULL;
    return 0;
}

/* ---- Values ----------------------------------------------------------------------------------- */

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

/* ---- Messages --------------------------------------------------------------------------------- */

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

/* ---- Counting --------------------------------------------------------------------------------- */

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

#define CLAIM(name) cmocka_unit_test_teardown(name, release_copy)

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
        CLAIM(count__at_the_bound_and_one_past),
        CLAIM(count__of_the_smallest_messages__is_exact),
        CLAIM(count__takes_what_stands_before_a_break),
    };
    return cmocka_run_group_tests(claims, NULL, NULL);
}
