/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about rpc_usual.h: it reads what rpc_read reads, and not a byte beyond the payload. Each payload is
 * an allocation of just its size, so that the sanitizers and valgrind see such a byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/rpc_usual.h"
#include "common/utf8.h"
#include "tests/support/chance.h"
#include "tests/support/volume.h"

enum { ROUNDS = 20000, ROUNDS_VALGRIND = 500, LONGEST = 300, PAYLOAD_MAX = 4096 };

/* Appends a str or a bin of SIZE bytes, all FILL. */
static void add_string(buffer_t *payload, size_t size, uint8_t fill, bool binary)
{
    uint8_t text[LONGEST];
    memset(text, fill, size);
    if (binary)
        rpc_write_bin(payload, bytes_of(text, size));
    else
        rpc_write_str(payload, bytes_of(text, size));
}

static size_t any_size(chance_t *chance)
{
    return (size_t)chance_below(chance, chance_below(chance, 2) == 0 ? 40 : LONGEST + 1);
}

/* Appends a get, put or ping, with a msgid of any size, or a notification. */
static void add_message(buffer_t *payload, chance_t *chance)
{
    static const char *const methods[] = {"ping", "get", "put"};
    unsigned params = (unsigned)chance_below(chance, 3);
    bool owed = chance_below(chance, 4) > 0;
    rpc_write_array(payload, owed ? 4 : 3);
    rpc_write_uint(payload, owed ? 0 : 2);
    if (owed)
        rpc_write_uint(payload, (uint32_t)(chance_next(chance) >> (32 + chance_below(chance, 32))));
    rpc_write_text(payload, methods[params]);
    rpc_write_array(payload, params);
    for (unsigned i = 0; i < params; i++)
        add_string(payload, any_size(chance), chance_below(chance, 8) == 0 ? 0xff : 'a',
                   chance_below(chance, 8) == 0);
}

/* Reads the one message of BYTES both ways. */
static rpc_usual_kind_t read_both_ways(bytes_t bytes)
{
    uint8_t *exact = malloc(bytes.size > 0 ? bytes.size : 1);
    assert_non_null(exact);
    if (bytes.size > 0)
        memcpy(exact, bytes.data, bytes.size);
    const uint8_t *at = exact;
    rpc_usual_t usual;
    bytes_t key;
    rpc_usual_kind_t kind = rpc_read_usual(&at, exact + bytes.size, &usual, &key);
    if (kind != RPC_USUAL_NONE) {
        static const char *const names[] = {
            [RPC_USUAL_GET] = "get", [RPC_USUAL_PUT] = "put", [RPC_USUAL_PING] = "ping"};
        size_t behind = 0;
        rpc_message_t message;
        assert_int_equal(rpc_read(bytes_of(exact, bytes.size), &behind, &message), RPC_STEP_MESSAGE);
        /* The caller checks the key of a get. */
        bool valid = kind != RPC_USUAL_GET || utf8_valid(key);
        rpc_kind_t expected = usual.owed ? RPC_REQUEST : RPC_NOTIFICATION;
        assert_int_equal(message.kind, valid ? expected : RPC_ILL_FORMED);
        assert_true(!valid || bytes_equal(message.method, bytes_from_text(names[kind])));
        assert_int_equal(behind, (size_t)(at - exact));
        assert_true(!usual.owed || message.msgid == usual.msgid);
        assert_true(key.size == 0 || kind != RPC_USUAL_PING);
        assert_true(kind != RPC_USUAL_PUT || utf8_valid(key));
        assert_true(kind != RPC_USUAL_PUT || usual.binary || utf8_valid(usual.value));
    }
    free(exact);
    return kind;
}

static void read__of_any_message_cut_anywhere__is_as_rpc_read_and_within_the_payload(void **state)
{
    (void)state;
    chance_t chance = chance_from(chance_seed());
    unsigned read[RPC_USUAL_PING + 1] = {0};
    for (size_t i = volume(chance_rounds(ROUNDS), ROUNDS_VALGRIND); i > 0; i--) {
        buffer_t payload;
        buffer_init(&payload, PAYLOAD_MAX);
        add_message(&payload, &chance);
        assert_false(payload.failed);
        bytes_t whole = buffer_bytes(&payload);
        read[read_both_ways(whole)]++;
        assert_int_equal(read_both_ways(bytes_of(whole.data, (size_t)chance_below(&chance, whole.size))),
                         RPC_USUAL_NONE);
        buffer_release(&payload);
    }
    for (unsigned kind = RPC_USUAL_GET; kind <= RPC_USUAL_PING; kind++)
        assert_true(read[kind] > 0);
}

/* Writes a number and a result at each limit of their encodings. */
static void put__result_of_any_msgid__is_what_rpc_write_writes(void **state)
{
    static const uint32_t msgids[] = {0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000, UINT32_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof msgids / sizeof *msgids; i++) {
        uint8_t room[RPC_RESULT_HEAD + RPC_UINT_BYTES];
        const uint8_t *end = rpc_put_uint(rpc_put_result(room, msgids[i]), msgids[i]);
        buffer_t expected;
        buffer_init(&expected, PAYLOAD_MAX);
        rpc_write_result(&expected, msgids[i]);
        rpc_write_uint(&expected, msgids[i]);
        assert_int_equal(end - room, expected.size);
        assert_memory_equal(room, expected.data, expected.size);
        buffer_release(&expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read__of_any_message_cut_anywhere__is_as_rpc_read_and_within_the_payload),
        cmocka_unit_test(put__result_of_any_msgid__is_what_rpc_write_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
