/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about a hub that gets new settings. tests/interop/test_reload.py tests what clients see of it. */
#include "broker/core/reconfigure.h"
#include "tests/support/hub_fixture.h"
#include "tests/support/refuse_memory.h"

#define HASH_OF(letter)                                                                                      \
    "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" letter
#define SECRET_HASH "$blake2b$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static char adam[] = "adam";
static char ruth[] = "ruth";
static char hash_a[] = HASH_OF("A");
static char hash_b[] = HASH_OF("B");
static char bell[] = "bell";
static char lamp[] = "lamp";
static char secret_hash_text[] = SECRET_HASH;

/* Returns new settings: those of FIXTURE, but with these accounts and names. */
static settings_t settings_with(const fixture_t *fixture, credential_t *managers, unsigned manager_count,
                                credential_t *names, unsigned name_count)
{
    settings_t settings = fixture->settings;
    settings.managers = managers;
    settings.manager_count = manager_count;
    settings.names = names;
    settings.name_count = name_count;
    return settings;
}

static bool known(const fixture_t *fixture, const char *name)
{
    return registry_find(fixture->hub->registry, bytes_from_text(name)) != NULL;
}

static void configure__memory_refused_anywhere__changes_nothing(void **state)
{
    fixture_t *fixture = *state;
    struct connection *peer = &fixture->peers[0];
    login(fixture, peer, true);
    uint64_t version = accounts_version(fixture->hub->accounts, bytes_from_text(adam));
    credential_t managers[] = {{adam, hash_b}, {ruth, hash_a}};
    credential_t names[] = {{bell, secret_hash_text}, {lamp, secret_hash_text}};
    settings_t next = settings_with(fixture, managers, 2, names, 2);
    next.timeout_ms = 5;
    bool done = false;
    for (int granted = 0; !done; granted++) {
        refuse_after = granted;
        done = hub_configure(fixture->hub, &next, fixture->now_ms);
        refuse_after = REFUSE_NEVER;
        if (done)
            break;
        assert_true(granted < 100);
        assert_ptr_equal(fixture->hub->settings, &fixture->settings);
        assert_true(version == accounts_version(fixture->hub->accounts, bytes_from_text(adam)));
        assert_int_equal(accounts_version(fixture->hub->accounts, bytes_from_text(ruth)), 0);
        assert_false(known(fixture, bell) || known(fixture, lamp));
        ask(fixture, peer, "stats", "");
        assert_got(peer, "");
    }
    assert_true(refused > 4);
    assert_ptr_equal(fixture->hub->settings, &next);
    assert_true(known(fixture, bell) && known(fixture, lamp));
    ask(fixture, peer, "stats", "");
    assert_got(peer, "PERMISSION_DENIED");
    assert_true(hub_configure(fixture->hub, &fixture->settings, fixture->now_ms));
    assert_false(known(fixture, bell) || known(fixture, lamp));
}

static void configure__an_account_gone_and_back__is_another_one(void **state)
{
    fixture_t *fixture = *state;
    struct connection *peer = &fixture->peers[0];
    settings_t without = settings_with(fixture, NULL, 0, NULL, 0);
    ask(fixture, peer, "auth", "ss", "adam", "eve");
    assert_true(hub_configure(fixture->hub, &without, fixture->now_ms));
    assert_true(hub_configure(fixture->hub, &fixture->settings, fixture->now_ms));
    hub_verified(fixture->hub, fixture->job, VERDICT_RIGHT, fixture->now_ms); /* of the old account */
    assert_got(peer, "UNAUTHENTICATED");
    login(fixture, peer, true);
    assert_got(peer, "");
    fixture->audience = 1;
    fixture->published = 0;
    assert_true(hub_configure(fixture->hub, &without, fixture->now_ms));
    assert_int_equal(fixture->published, 1);
    assert_true(hub_configure(fixture->hub, &without, fixture->now_ms));
    assert_int_equal(fixture->published, 1);
    assert_true(hub_configure(fixture->hub, &fixture->settings, fixture->now_ms));
    ask(fixture, peer, "stats", "");
    assert_got(peer, "PERMISSION_DENIED");
}

static void configure__a_name_with_a_parked_session__ends_it(void **state)
{
    fixture_t *fixture = *state;
    struct connection *peer = &fixture->peers[0];
    credential_t names[] = {{lamp, secret_hash_text}};
    settings_t next = settings_with(fixture, &fixture->manager, 1, names, 1);
    snprintf(peer->identity, sizeof peer->identity, "lamp/1");
    ask(fixture, peer, "auth", "ss", "adam", "eve");
    assert_non_null(peer->session);
    assert_true(hub_configure(fixture->hub, &next, fixture->now_ms));
    assert_null(peer->session);
    assert_false(peer->cut);
    hub_verified(fixture->hub, fixture->job, VERDICT_RIGHT, fixture->now_ms); /* nobody waits for it */
    ask(fixture, peer, "ping", "");
    assert_got(peer, "UNAUTHENTICATED");
    assert_true(hub_configure(fixture->hub, &fixture->settings, fixture->now_ms));
    ping_is_answered(fixture, peer);
}

#define HUB_TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HUB_TEST(configure__memory_refused_anywhere__changes_nothing),
        HUB_TEST(configure__an_account_gone_and_back__is_another_one),
        HUB_TEST(configure__a_name_with_a_parked_session__ends_it),
    };
    return cmocka_run_group_tests_name("reconfigure", tests, NULL, NULL);
}
