/* SPDX-License-Identifier: MPL-2.0 */
/* libkvzmq's options: what is valid and what is copied. Also its status codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client/lib/options.h"
#include "common/status.h"

static kvzmq_options_t defaults(void)
{
    kvzmq_options_t options;
    kvzmq_options_init(&options);
    return options;
}

static bool valid(const kvzmq_options_t *given)
{
    options_t options;
    assert_true(options_init(&options, given));
    bool is_valid = options.problem == NULL;
    options_release(&options);
    return is_valid;
}

static void options__none_given__are_the_defaults(void **state)
{
    (void)state;
    options_t options;
    assert_true(options_init(&options, NULL));
    assert_null(options.problem);
    assert_string_equal(options.given.endpoint, KVZMQ_ENDPOINT_DEFAULT);
    assert_int_equal(options.given.connect_ms, KVZMQ_CONNECT_MS_DEFAULT);
    assert_int_equal(options.given.call_ms, KVZMQ_CALL_MS_DEFAULT);
    assert_int_equal(options.given.batches, KVZMQ_BATCHES_DEFAULT);
    assert_null(options.given.name);
    assert_null(options.given.user);
    assert_int_equal(options.given.secret.size, 0);
    options_release(&options);
}

static void options__are_copies(void **state)
{
    (void)state;
    char name[] = "lamp";
    char secret[] = "sixteen bytes at least";
    char user[] = "adam";
    kvzmq_options_t given = defaults();
    options_t options;
    given.name = name;
    given.secret = kvzmq_text(secret);
    given.user = user;
    given.password = user;
    assert_true(options_init(&options, &given));
    name[0] = secret[0] = user[0] = 'X';
    assert_string_equal(options.given.name, "lamp");
    assert_string_equal(options.given.secret.data, "sixteen bytes at least");
    assert_string_equal(options.given.user, "adam");
    options_forget_account(&options);
    assert_null(options.given.user);
    assert_null(options.given.password);
    options_release(&options);
}

static void secret__16_to_256_bytes__is_valid_and_none_else(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        bool valid;
    } cases[] = {{0, true}, {1, false}, {15, false}, {16, true}, {256, true}, {257, false}};
    char bytes[257] = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kvzmq_options_t given = defaults();
        given.name = "lamp";
        given.secret = kvzmq_binary(bytes, cases[i].size);
        assert_int_equal(valid(&given), cases[i].valid);
    }
}

static void options__that_do_not_fit_together__are_not_valid(void **state)
{
    (void)state;
    kvzmq_options_t given = defaults();
    given.secret = kvzmq_text("sixteen bytes at least"); /* without a name */
    assert_false(valid(&given));
    given = defaults();
    given.user = "adam"; /* without a password */
    assert_false(valid(&given));
    given = defaults();
    given.call_ms = -1;
    assert_false(valid(&given));
    given = defaults();
    given.connect_ms = -1;
    assert_false(valid(&given));
    given = defaults();
    given.batches = KVZMQ_BATCHES_MAX;
    assert_true(valid(&given));
    given.batches = KVZMQ_BATCHES_MAX + 1;
    assert_false(valid(&given));
    given = defaults();
    given.name = "a/b"; /* the library chooses the part after the slash */
    assert_false(valid(&given));
}

static void options__of_an_older_application__have_defaults_for_the_rest(void **state)
{
    (void)state;
    kvzmq_options_t given = defaults();
    options_t options;
    given.call_ms = 77;
    given.batches = 3; /* after the end of the struct: ignored */
    given.size = offsetof(kvzmq_options_t, batches);
    assert_true(options_init(&options, &given));
    assert_null(options.problem);
    assert_int_equal(options.given.call_ms, 77);
    assert_int_equal(options.given.batches, KVZMQ_BATCHES_DEFAULT);
    options_release(&options);
}

static void options__of_a_newer_application__are_valid_until_they_ask_for_what_is_not_known(void **state)
{
    (void)state;
    struct {
        kvzmq_options_t known;
        long more;
    } newer = {.known = defaults()};
    newer.known.size = sizeof newer;
    assert_true(valid(&newer.known));
    newer.more = 1;
    assert_false(valid(&newer.known));
}

static void status__each__has_the_text_of_the_wire_and_a_meaning(void **state)
{
    (void)state;
    static const kvzmq_status_t all[] = {
#define ENUMERATOR(name, number, meaning) KVZMQ_##name,
        KVZMQ_STATUS_LIST(ENUMERATOR)
#undef ENUMERATOR
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_string_not_equal(kvzmq_status_text(all[i]), "?");
        assert_string_not_equal(kvzmq_status_meaning(all[i]), "?");
        if ((int)all[i] < STATUS_COUNT)
            assert_string_equal(kvzmq_status_text(all[i]), status_text((status_t)all[i]));
    }
    assert_string_equal(kvzmq_status_text((kvzmq_status_t)31), "?");
    assert_string_equal(kvzmq_status_meaning((kvzmq_status_t)31), "?");
}

static void version__is_the_headers(void **state)
{
    (void)state;
    char text[32];
    (void)snprintf(text, sizeof text, "%d.%d.%d", KVZMQ_VERSION_MAJOR, KVZMQ_VERSION_MINOR,
                   KVZMQ_VERSION_PATCH);
    assert_string_equal(kvzmq_version(), text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version__is_the_headers),
        cmocka_unit_test(options__none_given__are_the_defaults),
        cmocka_unit_test(options__are_copies),
        cmocka_unit_test(secret__16_to_256_bytes__is_valid_and_none_else),
        cmocka_unit_test(options__that_do_not_fit_together__are_not_valid),
        cmocka_unit_test(options__of_an_older_application__have_defaults_for_the_rest),
        cmocka_unit_test(options__of_a_newer_application__are_valid_until_they_ask_for_what_is_not_known),
        cmocka_unit_test(status__each__has_the_text_of_the_wire_and_a_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
