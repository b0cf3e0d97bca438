/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about how a client reads what a broker sends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/rpc.h"
#include "tests/unit/exact.h"

/* Reads the one reply that a literal is. */
#define READ(literal) read_only(BYTES(literal))

static rpc_reply_t read_only(bytes_t data)
{
    bytes_t payload = exact(data);
    rpc_reply_t reply;
    memset(&reply, 0xa5, sizeof reply);
    size_t at = 0;
    assert_int_equal(rpc_read_reply(payload, &at, &reply), RPC_STEP_MESSAGE);
    assert_int_equal(at, payload.size);
    rpc_reply_t none;
    assert_int_equal(rpc_read_reply(payload, &at, &none), RPC_STEP_END);
    return reply;
}

static void assert_bytes(bytes_t bytes, const char *text)
{
    assert_true(bytes_equal(bytes, bytes_from_text(text)));
}

static const uint8_t DENIED[] = "\x94\x01\x07\x93\xb3"
                                "FAILED_PRECONDITION\xa2no\xcd\x01\x00\xc0";

static void result__is_given_as_it_stands(void **state)
{
    (void)state;
    rpc_reply_t reply = READ("\x94\x01\x07\xc0\xa7Kolkata");
    assert_int_equal(reply.kind, RPC_RESPONSE);
    assert_int_equal(reply.msgid, 7);
    assert_false(reply.failed);
    assert_false(reply.has_detail);
    assert_bytes(reply.body, "\xa7Kolkata");
}

static void result__of_nil__is_no_error(void **state)
{
    (void)state;
    rpc_reply_t reply = READ("\x94\x01\x07\xc0\xc0");
    assert_int_equal(reply.kind, RPC_RESPONSE);
    assert_false(reply.failed);
    assert_bytes(reply.body, "\xc0");
}

static void result__that_is_nested__is_given_whole(void **state)
{
    (void)state;
    rpc_reply_t reply = READ("\x94\x01\x07\xc0\x81\xa7"
                             "entries\x92\x91\xa1k\x90");
    assert_bytes(reply.body, "\x81\xa7"
                             "entries\x92\x91\xa1k\x90");
}

static void error__with_a_detail__is_read(void **state)
{
    (void)state;
    rpc_reply_t reply = READ(DENIED);
    assert_int_equal(reply.kind, RPC_RESPONSE);
    assert_true(reply.failed);
    assert_bytes(reply.code, "FAILED_PRECONDITION");
    assert_bytes(reply.text, "no");
    assert_true(reply.has_detail);
    assert_int_equal(reply.detail, 256);
    assert_bytes(reply.body, "\xc0");
}

static void error__without_a_detail__is_read(void **state)
{
    (void)state;
    rpc_reply_t reply = READ("\x94\x01\x00\x92\xa9NOT_FOUND\xa2no\xc0");
    assert_true(reply.failed);
    assert_int_equal(reply.msgid, 0);
    assert_bytes(reply.code, "NOT_FOUND");
    assert_false(reply.has_detail);
}

static void notification__is_read(void **state)
{
    (void)state;
    rpc_reply_t reply = READ("\x93\x02\xa3"
                             "bye\x91\x81\xa6reason\xa7timeout");
    assert_int_equal(reply.kind, RPC_NOTIFICATION);
    assert_bytes(reply.method, "bye");
    assert_bytes(reply.body, "\x91\x81\xa6reason\xa7timeout");
}

static void batch__is_read_in_order(void **state)
{
    (void)state;
    static const uint8_t data[] = "\x94\x01\x01\xc0\x01\x94\x01\x02\xc0\x02\x94\x01\x03";
    bytes_t payload = exact(BYTES(data));
    rpc_reply_t reply;
    size_t at = 0;
    for (uint32_t id = 1; id <= 2; id++) {
        assert_int_equal(rpc_read_reply(payload, &at, &reply), RPC_STEP_MESSAGE);
        assert_int_equal(reply.msgid, id);
        assert_int_equal(reply.body.data[0], id);
    }
    assert_int_equal(rpc_read_reply(payload, &at, &reply), RPC_STEP_BROKEN);
    assert_int_equal(at, payload.size);
}

static void reply__cut_at_every_byte__breaks_off_at_the_end(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof DENIED - 1; size++) {
        bytes_t payload = size == 0 ? bytes_of(NULL, 0) : exact(bytes_of(DENIED, size));
        rpc_reply_t reply;
        size_t at = 0;
        assert_int_equal(rpc_read_reply(payload, &at, &reply), RPC_STEP_BROKEN);
        assert_int_equal(at, size);
    }
}

static void what_no_broker_sends__is_flagged_with_its_msgid(void **state)
{
    (void)state;
    static const struct {
        bytes_t payload;
        uint32_t msgid;
    } cases[] = {
        {LITERAL("\xc0"), 0},
        {LITERAL("\x90"), 0},
        {LITERAL("\x94\x00\x07\xa3get\x90"), 0}, /* a request */
        {LITERAL("\x93\x01\x07\xc0"), 7},        /* of the wrong length */
        {LITERAL("\x95\x01\x07\xc0\xc0\xc0"), 7},
        {LITERAL("\x94\x01\xff\xc0\xc0"), 0},    /* no msgid */
        {LITERAL("\x94\x01\x07\xa3oh!\xc0"), 7}, /* an error of another form */
        {LITERAL("\x94\x01\x07\x90\xc0"), 7},
        {LITERAL("\x94\x01\x07\x91\xa1x\xc0"), 7},
        {LITERAL("\x94\x01\x07\x92\x01\xa1x\xc0"), 7},
        {LITERAL("\x94\x01\x07\x92\xa1x\x01\xc0"), 7},
        {LITERAL("\x94\x01\x07\x93\xa1x\xa1y\xa1z\xc0"), 7},
        {LITERAL("\x94\x01\x07\x93\xa1x\xa1y\xff\xc0"), 7},
        {LITERAL("\x94\x01\x07\x94\xa1x\xa1y\x01\x01\xc0"), 7},
        {LITERAL("\x94\x01\x07\x92\xa1\xff\xa1y\xc0"), 7},
        {LITERAL("\x92\x02\xa1x"), 0},     /* a notification of the wrong length */
        {LITERAL("\x93\x02\x01\x90"), 0},  /* whose method is no string */
        {LITERAL("\x93\x02\xa1x\xc0"), 0}, /* whose params are no array */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        print_message("case %zu\n", i);
        rpc_reply_t reply = read_only(cases[i].payload);
        assert_int_equal(reply.kind, RPC_ILL_FORMED);
        assert_int_equal(reply.msgid, cases[i].msgid);
        assert_false(reply.failed);
        assert_int_equal(reply.body.size, 0);
    }
}

#define CLAIM(name) cmocka_unit_test_teardown(name, exact_release)

int main(void)
{
    const struct CMUnitTest claims[] = {
        CLAIM(result__is_given_as_it_stands),
        CLAIM(result__of_nil__is_no_error),
        CLAIM(result__that_is_nested__is_given_whole),
        CLAIM(error__with_a_detail__is_read),
        CLAIM(error__without_a_detail__is_read),
        CLAIM(notification__is_read),
        CLAIM(batch__is_read_in_order),
        CLAIM(reply__cut_at_every_byte__breaks_off_at_the_end),
        CLAIM(what_no_broker_sends__is_flagged_with_its_msgid),
    };
    return cmocka_run_group_tests(claims, NULL, NULL);
}
