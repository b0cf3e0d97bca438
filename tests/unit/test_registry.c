/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about clients: when they exist, what keeps their records, and which names are claimed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sodium.h>

#include "broker/core/client_registry.h"

static const place_t place = {.now_ms = 1000};

typedef struct fixture {
    settings_t settings;
    credential_t name;
    engine_t *engine;
    registry_t *registry;
} fixture_t;

static int setup(void **state)
{
    static char name[] = "conf";
    static char hash[SECRET_HASH_SIZE];
    fixture_t *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    assert_true(sodium_init() >= 0);
    secret_hash(bytes_from_text("0123456789abcdef"), hash);
    fixture->name = (credential_t){.name = name, .hash = hash};
    fixture->settings = (settings_t){
        .first_id = 100, .last_id = 101, .names = &fixture->name, .name_count = 1, .limits = LIMITS_DEFAULT};
    fixture->settings.limits.clients = 2;
    engine_options_t options = {.limits = &fixture->settings.limits};
    fixture->engine = engine_new(&options);
    assert_non_null(fixture->engine);
    fixture->registry = registry_new(fixture->engine, &fixture->settings);
    assert_non_null(fixture->registry);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;
    registry_destroy(&fixture->registry);
    engine_destroy(&fixture->engine);
    free(fixture);
    return 0;
}

static client_t *opened(fixture_t *fixture, const char *name)
{
    client_t *client = registry_obtain(fixture->registry, bytes_from_text(name));
    assert_non_null(client);
    assert_int_equal(registry_open(fixture->registry, client, false, &place), STATUS_OK);
    return client;
}

static void put(fixture_t *fixture, client_t *client)
{
    put_t put = {.key = bytes_from_text("k"), .value = bytes_from_text("v"), .if_revision = REVISION_ANY};
    uint64_t revision;
    const char *limit;
    put.lookup = engine_lookup(fixture->engine, put.key);
    assert_int_equal(
        engine_put(fixture->engine, client->store, &put, &(actor_t){0}, &place, &revision, &limit),
        STATUS_OK);
}

static void obtain__a_name_twice__gives_one_record_that_does_not_exist_yet(void **state)
{
    fixture_t *fixture = *state;
    client_t *client = registry_obtain(fixture->registry, bytes_from_text("ann"));
    assert_ptr_equal(registry_obtain(fixture->registry, bytes_from_text("ann")), client);
    assert_false(client_exists(client));
    assert_int_equal(registry_count(fixture->registry), 0);
    assert_null(registry_next(fixture->registry, (bytes_t){0}, NULL));
    registry_review(fixture->registry, client, &place);
    assert_null(registry_find(fixture->registry, bytes_from_text("ann")));
}

static void open__at_the_limit__is_refused_but_above_it_where_asked(void **state)
{
    fixture_t *fixture = *state;
    opened(fixture, "ann");
    opened(fixture, "bob");
    client_t *client = registry_obtain(fixture->registry, bytes_from_text("cid"));
    assert_int_equal(registry_open(fixture->registry, client, false, &place), STATUS_RESOURCE_EXHAUSTED);
    assert_false(client_exists(client));
    assert_int_equal(registry_open(fixture->registry, client, true, &place), STATUS_OK);
    assert_int_equal(registry_count(fixture->registry), 3);
}

static void review__a_name_with_a_key__stays_and_goes_with_its_claim_when_it_is_forgotten(void **state)
{
    fixture_t *fixture = *state;
    client_t *client = opened(fixture, "ann");
    client->claimed = true;
    put(fixture, client);
    registry_review(fixture->registry, client, &place);
    assert_true(client_exists(client) && client->claimed);
    registry_forget(fixture->registry, client, &(actor_t){0}, &place);
    assert_null(registry_find(fixture->registry, bytes_from_text("ann")));
    assert_int_equal(engine_keys(fixture->engine), 0);
    client = opened(fixture, "ann");
    assert_false(client->claimed);
    assert_int_equal(store_keys(client->store), 0);
}

static void
review__a_numbered_client_without_session__drops_its_keys_and_frees_the_number_as_the_last(void **state)
{
    fixture_t *fixture = *state;
    client_t *client = registry_number(fixture->registry);
    assert_int_equal(registry_open(fixture->registry, client, false, &place), STATUS_OK);
    assert_string_equal(client->id, "100");
    put(fixture, client);
    registry_review(fixture->registry, client, &place);
    assert_null(registry_find(fixture->registry, bytes_from_text("100")));
    assert_int_equal(engine_keys(fixture->engine), 0);
    client = registry_number(fixture->registry);
    assert_string_equal(client->id, "101");
    client_t *again = registry_number(fixture->registry);
    assert_string_equal(again->id, "100");
    assert_int_equal(registry_open(fixture->registry, again, false, &place), STATUS_OK);
    assert_int_equal(store_keys(again->store), 0);
}

static void forget__a_name_claimed_by_the_configuration__keeps_the_claim(void **state)
{
    fixture_t *fixture = *state;
    client_t *client = registry_find(fixture->registry, bytes_from_text("conf"));
    assert_non_null(client);
    assert_true(client->claimed && !client_exists(client));
    assert_int_equal(registry_open(fixture->registry, client, false, &place), STATUS_OK);
    put(fixture, client);
    registry_forget(fixture->registry, client, &(actor_t){0}, &place);
    client = registry_find(fixture->registry, bytes_from_text("conf"));
    assert_non_null(client);
    assert_true(client->claimed && !client_exists(client));
    assert_true(secret_matches(client->claim, bytes_from_text("0123456789abcdef")));
    assert_false(secret_matches(client->claim, bytes_from_text("0123456789abcdeF")));
}

static void undo__leaves_no_event_and_no_record(void **state)
{
    fixture_t *fixture = *state;
    client_t *client = opened(fixture, "ann");
    uint64_t seq = engine_seq(fixture->engine);
    registry_undo(fixture->registry, client);
    assert_int_equal(engine_seq(fixture->engine), seq);
    assert_null(registry_find(fixture->registry, bytes_from_text("ann")));
    assert_int_equal(registry_count(fixture->registry), 0);
}

static void note__a_client_twice__reviews_it_once_and_a_forgotten_one_is_kept_until_then(void **state)
{
    fixture_t *fixture = *state;
    client_t *client = opened(fixture, "ann");
    client_t *other = opened(fixture, "bob");
    registry_review_later(fixture->registry, client);
    registry_review_later(fixture->registry, other);
    registry_review_later(fixture->registry, client);
    registry_forget(fixture->registry, client, &(actor_t){0}, &place);
    registry_review_pending(fixture->registry, &place);
    registry_review_pending(fixture->registry, &place);
    assert_null(registry_find(fixture->registry, bytes_from_text("ann")));
    assert_null(registry_find(fixture->registry, bytes_from_text("bob")));
}

static void next__with_prefix_and_after__gives_those_that_exist_in_byte_order(void **state)
{
    fixture_t *fixture = *state;
    fixture->settings.limits.clients = 10;
    static const char *const names[] = {"b", "ab", "a", "a~", "aa"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        opened(fixture, names[i]);
    static const char *const expected[] = {"a", "aa", "ab", "a~"};
    const bytes_t prefix = bytes_from_text("a");
    bytes_t after;
    client_t *client = registry_next(fixture->registry, prefix, NULL);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_non_null(client);
        assert_string_equal(client->id, expected[i]);
        after = client_id(client);
        client = registry_next(fixture->registry, prefix, &after);
    }
    assert_null(client);
    after = bytes_from_text("Z"); /* sorts before the prefix, so nothing is skipped */
    assert_string_equal(registry_next(fixture->registry, prefix, &after)->id, "a");
}

#define REGISTRY_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REGISTRY_TEST(obtain__a_name_twice__gives_one_record_that_does_not_exist_yet),
        REGISTRY_TEST(open__at_the_limit__is_refused_but_above_it_where_asked),
        REGISTRY_TEST(review__a_name_with_a_key__stays_and_goes_with_its_claim_when_it_is_forgotten),
        REGISTRY_TEST(
            review__a_numbered_client_without_session__drops_its_keys_and_frees_the_number_as_the_last),
        REGISTRY_TEST(forget__a_name_claimed_by_the_configuration__keeps_the_claim),
        REGISTRY_TEST(undo__leaves_no_event_and_no_record),
        REGISTRY_TEST(note__a_client_twice__reviews_it_once_and_a_forgotten_one_is_kept_until_then),
        REGISTRY_TEST(next__with_prefix_and_after__gives_those_that_exist_in_byte_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
