/* SPDX-License-Identifier: MPL-2.0 */
/* libkvzmq's requests, byte for byte. Options that are not set are left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client/lib/request.h"

enum { MSGID = 7, ROOM = 256 };

#define BYTES(text) (text), sizeof(text) - 1

/* Where the tests write requests to. */
static buffer_t out;
static const char *problem;

static request_target_t target(const char *client)
{
    buffer_truncate(&out, 0);
    return (request_target_t){.buffer = &out, .msgid = MSGID, .client = client, .problem = &problem};
}

static void assert_bytes(const char *bytes, size_t size)
{
    assert_int_equal(out.size, size);
    assert_memory_equal(out.data, bytes, size);
}

static int setup(void **state)
{
    (void)state;
    buffer_init(&out, ROOM);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buffer_release(&out);
    return 0;
}

static void get__own_and_managed(void **state)
{
    (void)state;
    assert_int_equal(request_key(target(NULL), METHOD_GET, kvzmq_text("k")), KVZMQ_OK);
    assert_bytes(BYTES("\x94\x00\x07\xa3get\x91\xa1k"));
    assert_int_equal(request_key(target("48106"), METHOD_GET, kvzmq_text("k")), KVZMQ_OK);
    assert_bytes(BYTES("\x94\x00\x07\xa6manage\x93\xa5"
                       "48106\xa3get\xa1k"));
}

static void put__with_and_without_options(void **state)
{
    (void)state;
    kvzmq_put_options_t none = {.size = sizeof none};
    kvzmq_put_options_t all = {.size = sizeof all,
                               .ttl_ms = 5,
                               .conditional = true,
                               .if_revision = 0,
                               .create = true,
                               .secret = kvzmq_text("0123456789abcdef")};
    assert_int_equal(request_put(target(NULL), kvzmq_text("k"), kvzmq_binary("\xff", 1), NULL), KVZMQ_OK);
    assert_bytes(BYTES("\x94\x00\x07\xa3put\x92\xa1k\xc4\x01\xff"));
    assert_int_equal(request_put(target(NULL), kvzmq_text("k"), kvzmq_text(""), &none), KVZMQ_OK);
    assert_bytes(BYTES("\x94\x00\x07\xa3put\x93\xa1k\xa0\xc0"));
    assert_int_equal(request_put(target("a"), kvzmq_text("k"), kvzmq_text("v"), &all), KVZMQ_OK);
    assert_bytes(BYTES("\x94\x00\x07\xa6manage\x95\xa1"
                       "a\xa3put\xa1k\xa1v\x84\xa6ttl_ms\x05\xabif_revision\x00\xa6"
                       "create\xc3\xa6secret\xc4\x10"
                       "0123456789abcdef"));
}

static void ranges__list_has_its_prefix_as_a_param_and_clients_as_an_option(void **state)
{
    (void)state;
    kvzmq_range_t range = {
        .size = sizeof range, .prefix = kvzmq_text("p"), .after = kvzmq_text("q"), .limit = 9};
    assert_int_equal(request_range(target(NULL), METHOD_LIST, NULL), KVZMQ_OK);
    assert_bytes(BYTES("\x94\x00\x07\xa4list\x92\xa0\x80"));
    assert_int_equal(request_range(target(NULL), METHOD_LIST, &range), KVZMQ_OK);
    assert_bytes(BYTES("\x94\x00\x07\xa4list\x92\xa1p\x82\xa5"
                       "after\xa1q\xa5limit\x09"));
    assert_int_equal(request_range(target(NULL), METHOD_CLIENTS, &range), KVZMQ_OK);
    assert_bytes(BYTES("\x94\x00\x07\xa7"
                       "clients\x91\x83\xa6prefix\xa1p\xa5"
                       "after\xa1q\xa5limit\x09"));
}

static void hello__has_a_secret_only_where_there_is_one(void **state)
{
    (void)state;
    assert_int_equal(request_hello(target(NULL), kvzmq_text("")), KVZMQ_OK);
    assert_bytes(BYTES("\x94\x00\x07\xa5hello\x90"));
    assert_int_equal(request_hello(target(NULL), kvzmq_text("s")), KVZMQ_OK);
    assert_bytes(BYTES("\x94\x00\x07\xa5hello\x91\x81\xa6secret\xc4\x01s"));
}

static void request__that_does_not_fit__leaves_the_buffer_as_it_was(void **state)
{
    (void)state;
    char large[ROOM] = {0};
    assert_int_equal(request_key(target(NULL), METHOD_GET, kvzmq_text("k")), KVZMQ_OK);
    request_target_t behind = {.buffer = &out, .msgid = MSGID, .problem = &problem};
    assert_int_equal(request_put(behind, kvzmq_text("k"), kvzmq_binary(large, sizeof large), NULL),
                     KVZMQ_RESOURCE_EXHAUSTED);
    assert_bytes(BYTES("\x94\x00\x07\xa3get\x91\xa1k"));
    assert_int_equal(request_plain(behind, METHOD_PING), KVZMQ_OK); /* and usable */
}

static void encoded__other_than_one_whole_array__is_invalid(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        kvzmq_status_t status;
    } cases[] = {
        {BYTES(""), KVZMQ_OK},
        {BYTES("\x90"), KVZMQ_OK},
        {BYTES("\x92\x91\x90\xa1k"), KVZMQ_OK},
        {BYTES("\x91"), KVZMQ_INVALID_ARGUMENT},      /* cut */
        {BYTES("\x91\xa5k"), KVZMQ_INVALID_ARGUMENT}, /* cut within */
        {BYTES("\x90\x90"), KVZMQ_INVALID_ARGUMENT},  /* two */
        {BYTES("\x80"), KVZMQ_INVALID_ARGUMENT},      /* a map */
        {BYTES("\x07"), KVZMQ_INVALID_ARGUMENT},      /* a number */
        {BYTES("\xc1"), KVZMQ_INVALID_ARGUMENT},      /* nothing */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(
            request_encoded(target(NULL), "any", kvzmq_binary(cases[i].bytes, cases[i].size), KVZMQ_READ),
            cases[i].status);
    assert_int_equal(request_encoded(target(NULL), "any", kvzmq_text(""), 2), KVZMQ_INVALID_ARGUMENT);
    assert_int_equal(request_encoded(target(NULL), "bye", kvzmq_text(""), 0), KVZMQ_INVALID_ARGUMENT);
    assert_int_equal(request_encoded(target(NULL), NULL, kvzmq_text(""), 0), KVZMQ_INVALID_ARGUMENT);
}

static void methods__that_change_something__are_writes(void **state)
{
    (void)state;
    static const method_t writes[] = {METHOD_PUT, METHOD_DEL, METHOD_ROLE, METHOD_FORGET, METHOD_BYE};
    size_t found = 0;
    for (int method = 0; method < METHOD_ANY; method++) {
        assert_true(strlen(method_name((method_t)method)) > 0);
        found += method_writes((method_t)method);
    }
    assert_int_equal(found, sizeof writes / sizeof *writes);
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++)
        assert_true(method_writes(writes[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get__own_and_managed),
        cmocka_unit_test(put__with_and_without_options),
        cmocka_unit_test(ranges__list_has_its_prefix_as_a_param_and_clients_as_an_option),
        cmocka_unit_test(hello__has_a_secret_only_where_there_is_one),
        cmocka_unit_test(request__that_does_not_fit__leaves_the_buffer_as_it_was),
        cmocka_unit_test(encoded__other_than_one_whole_array__is_invalid),
        cmocka_unit_test(methods__that_change_something__are_writes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
