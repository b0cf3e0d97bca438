/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about writing MessagePack and MessagePack-RPC: always the shortest form, never beyond the bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/rpc.h"
#include "tests/support/chance.h"

enum { LIMIT = 1 << 20 };

static int setup(void **state)
{
    static buffer_t buffer;
    buffer_init(&buffer, LIMIT);
    *state = &buffer;
    return 0;
}

static int teardown(void **state)
{
    buffer_release(*state);
    return 0;
}

/* That BUFFER holds the bytes of a literal, and empties it. */
#define ASSERT_WROTE(buffer, literal) assert_wrote(buffer, literal, sizeof(literal) - 1)

static void assert_wrote(buffer_t *buffer, const void *expected, size_t size)
{
    assert_false(buffer->failed);
    assert_int_equal(buffer->size, size);
    assert_memory_equal(buffer->data, expected, size);
    buffer_truncate(buffer, 0);
}

static void nil_and_bools__are_one_byte(void **state)
{
    buffer_t *buffer = *state;
    rpc_write_nil(buffer);
    rpc_write_bool(buffer, false);
    rpc_write_bool(buffer, true);
    ASSERT_WROTE(buffer, "\xc0\xc2\xc3");
}

static void integers__take_the_shortest_form(void **state)
{
    buffer_t *buffer = *state;
    static const struct {
        int64_t number;
        size_t size;
        const char *bytes;
    } cases[] = {
        {0, 1, "\x00"},
        {127, 1, "\x7f"},
        {128, 2, "\xcc\x80"},
        {255, 2, "\xcc\xff"},
        {256, 3, "\xcd\x01\x00"},
        {65535, 3, "\xcd\xff\xff"},
        {65536, 5, "\xce\x00\x01\x00\x00"},
        {4294967295, 5, "\xce\xff\xff\xff\xff"},
        {4294967296, 9, "\xcf\x00\x00\x00\x01\x00\x00\x00\x00"},
        {INT64_MAX, 9, "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"},
        {-1, 1, "\xff"},
        {-32, 1, "\xe0"},
        {-33, 2, "\xd0\xdf"},
        {-128, 2, "\xd0\x80"},
        {-129, 3, "\xd1\xff\x7f"},
        {-32768, 3, "\xd1\x80\x00"},
        {-32769, 5, "\xd2\xff\xff\x7f\xff"},
        {-2147483648LL, 5, "\xd2\x80\x00\x00\x00"},
        {-2147483649LL, 9, "\xd3\xff\xff\xff\xff\x7f\xff\xff\xff"},
        {INT64_MIN, 9, "\xd3\x80\x00\x00\x00\x00\x00\x00\x00"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rpc_write_int(buffer, cases[i].number);
        assert_wrote(buffer, cases[i].bytes, cases[i].size);
        if (cases[i].number >= 0) {
            rpc_write_uint(buffer, (uint64_t)cases[i].number);
            assert_wrote(buffer, cases[i].bytes, cases[i].size);
        }
    }
    rpc_write_uint(buffer, UINT64_MAX);
    ASSERT_WROTE(buffer, "\xcf\xff\xff\xff\xff\xff\xff\xff\xff");
}

/* What WRITE puts before SIZE bytes. */
static void assert_head(buffer_t *buffer, void (*write)(buffer_t *, bytes_t), size_t size, const char *head,
                        size_t head_size)
{
    uint8_t *data = malloc(size + 1);
    assert_non_null(data);
    memset(data, 'x', size);
    write(buffer, bytes_of(data, size));
    assert_false(buffer->failed);
    assert_int_equal(buffer->size, head_size + size);
    assert_memory_equal(buffer->data, head, head_size);
    if (size > 0)
        assert_memory_equal(buffer->data + head_size, data, size);
    free(data);
    buffer_truncate(buffer, 0);
}

static void str__takes_the_shortest_head(void **state)
{
    buffer_t *buffer = *state;
    assert_head(buffer, rpc_write_str, 0, "\xa0", 1);
    assert_head(buffer, rpc_write_str, 31, "\xbf", 1);
    assert_head(buffer, rpc_write_str, 32, "\xd9\x20", 2);
    assert_head(buffer, rpc_write_str, 255, "\xd9\xff", 2);
    assert_head(buffer, rpc_write_str, 256, "\xda\x01\x00", 3);
    assert_head(buffer, rpc_write_str, 65535, "\xda\xff\xff", 3);
    assert_head(buffer, rpc_write_str, 65536, "\xdb\x00\x01\x00\x00", 5);
}

static void bin__takes_the_shortest_head(void **state)
{
    buffer_t *buffer = *state;
    assert_head(buffer, rpc_write_bin, 0, "\xc4\x00", 2);
    assert_head(buffer, rpc_write_bin, 255, "\xc4\xff", 2);
    assert_head(buffer, rpc_write_bin, 256, "\xc5\x01\x00", 3);
    assert_head(buffer, rpc_write_bin, 65535, "\xc5\xff\xff", 3);
    assert_head(buffer, rpc_write_bin, 65536, "\xc6\x00\x01\x00\x00", 5);
}

static void arrays_and_maps__take_the_shortest_head(void **state)
{
    buffer_t *buffer = *state;
    rpc_write_array(buffer, 0);
    rpc_write_array(buffer, 15);
    rpc_write_array(buffer, 16);
    rpc_write_array(buffer, 65535);
    rpc_write_array(buffer, 65536);
    ASSERT_WROTE(buffer, "\x90\x9f\xdc\x00\x10\xdc\xff\xff\xdd\x00\x01\x00\x00");
    rpc_write_map(buffer, 0);
    rpc_write_map(buffer, 15);
    rpc_write_map(buffer, 16);
    rpc_write_map(buffer, 65535);
    rpc_write_map(buffer, UINT32_MAX);
    ASSERT_WROTE(buffer, "\x80\x8f\xde\x00\x10\xde\xff\xff\xdf\xff\xff\xff\xff");
}

static void an_array_of_a_count_not_known_yet__is_read_as_any(void **state)
{
    buffer_t *buffer = *state;
    size_t mark = rpc_open_array(buffer);
    for (uint32_t i = 0; i < 3; i++)
        rpc_write_uint(buffer, i);
    rpc_close_array(buffer, mark, 3);
    ASSERT_WROTE(buffer, "\xdd\x00\x00\x00\x03\x00\x01\x02");

    mark = rpc_open_array(buffer);
    rpc_close_array(buffer, mark, 0x01020304);
    ASSERT_WROTE(buffer, "\xdd\x01\x02\x03\x04");
}

static void an_array_that_did_not_fit__is_not_closed(void **state)
{
    (void)state;
    buffer_t small;
    buffer_init(&small, 6);
    rpc_write_uint(&small, 1);
    rpc_write_uint(&small, 2);
    size_t mark = rpc_open_array(&small);
    assert_true(small.failed);
    rpc_close_array(&small, mark, 3);
    assert_int_equal(small.size, 2);
    buffer_release(&small);
}

static void messages__have_the_form_of_the_protocol(void **state)
{
    buffer_t *buffer = *state;
    rpc_write_request(buffer, 300, bytes_from_text("get"));
    ASSERT_WROTE(buffer, "\x94\x00\xcd\x01\x2c\xa3get");
    rpc_write_notification(buffer, bytes_from_text("bye"));
    ASSERT_WROTE(buffer, "\x93\x02\xa3"
                         "bye");
    rpc_write_result(buffer, UINT32_MAX);
    ASSERT_WROTE(buffer, "\x94\x01\xce\xff\xff\xff\xff\xc0");
    rpc_write_error(buffer, 7, STATUS_NOT_FOUND, "no", NULL);
    ASSERT_WROTE(buffer, "\x94\x01\x07\x92\xa9NOT_FOUND\xa2no\xc0");
    rpc_write_error(buffer, 7, STATUS_OUT_OF_RANGE, "no", &(uint64_t){0});
    ASSERT_WROTE(buffer, "\x94\x01\x07\x93\xacOUT_OF_RANGE\xa2no\x00\xc0");
}

static void writing__at_the_bound__fits_and_one_past_fails(void **state)
{
    (void)state;
    buffer_t whole;
    buffer_init(&whole, LIMIT);
    rpc_write_error(&whole, 70000, STATUS_OUT_OF_RANGE, "too late", &(uint64_t){70000});
    for (size_t limit = 0; limit <= whole.size; limit++) {
        buffer_t buffer;
        buffer_init(&buffer, limit);
        rpc_write_error(&buffer, 70000, STATUS_OUT_OF_RANGE, "too late", &(uint64_t){70000});
        assert_int_equal(buffer.failed, limit < whole.size);
        assert_true(buffer.size <= limit);
        /* What is there is what the whole one begins with: nothing was left out in the middle. */
        if (buffer.size > 0)
            assert_memory_equal(buffer.data, whole.data, buffer.size);
        buffer_release(&buffer);
    }
    buffer_release(&whole);
}

static void writing__of_a_string_beyond_32_bits__fails(void **state)
{
    buffer_t *buffer = *state;
    const uint8_t byte = 0;
    rpc_write_str(buffer, bytes_of(&byte, (size_t)UINT32_MAX + 1));
    assert_true(buffer->failed);
    assert_int_equal(buffer->size, 0);
    buffer_truncate(buffer, 0);
    rpc_write_bin(buffer, bytes_of(&byte, (size_t)UINT32_MAX + 1));
    assert_true(buffer->failed);
}

static void what_is_written__is_read_equal(void **state)
{
    buffer_t *buffer = *state;
    chance_t chance = chance_from(chance_seed());
    for (int round = 0; round < 100000; round++) {
        uint64_t number = (chance_next(&chance) << 32 ^ chance_next(&chance)) >> chance_below(&chance, 64);
        int64_t negative = number == 0 ? -1 : -(int64_t)(number >> 1) - 1;
        buffer_truncate(buffer, 0);
        rpc_write_request(buffer, (uint32_t)number, bytes_from_text("put"));
        rpc_write_array(buffer, 3);
        rpc_write_uint(buffer, number);
        rpc_write_int(buffer, negative);
        rpc_write_bin(buffer, bytes_of(&number, sizeof number));

        rpc_message_t message;
        size_t at = 0;
        assert_int_equal(rpc_read(buffer_bytes(buffer), &at, &message), RPC_STEP_MESSAGE);
        assert_int_equal(at, buffer->size);
        assert_int_equal(message.msgid, (uint32_t)number);
        assert_true(rpc_param(&message, 0)->as.number == number);
        assert_true(rpc_param(&message, 1)->as.negative == negative);
        assert_memory_equal(rpc_param(&message, 2)->as.bytes.data, &number, sizeof number);
    }
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest claims[] = {
        CLAIM(nil_and_bools__are_one_byte),
        CLAIM(integers__take_the_shortest_form),
        CLAIM(str__takes_the_shortest_head),
        CLAIM(bin__takes_the_shortest_head),
        CLAIM(arrays_and_maps__take_the_shortest_head),
        CLAIM(an_array_of_a_count_not_known_yet__is_read_as_any),
        CLAIM(an_array_that_did_not_fit__is_not_closed),
        CLAIM(messages__have_the_form_of_the_protocol),
        CLAIM(writing__at_the_bound__fits_and_one_past_fails),
        CLAIM(writing__of_a_string_beyond_32_bits__fails),
        CLAIM(what_is_written__is_read_equal),
    };
    return cmocka_run_group_tests(claims, NULL, NULL);
}
