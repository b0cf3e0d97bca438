/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about the storage engine. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/engine/engine.h"
#include "common/digest.h"
#include "tests/support/volume.h"

enum { LOG_ROOM = 64 };

#define AT(now) ((place_t){.now_ms = (now)})

typedef struct fixture {
    limits_t limits;
    engine_t *engine;
    store_t *store;
    unsigned changes;              /* changes that the engine reported, expiries included */
    change_kind_t kinds[LOG_ROOM]; /* of the first changes */
    char keys[LOG_ROOM][16];       /* of the first changes, cut */
    int owner;
} fixture_t;

static void on_change(void *context, change_t *change)
{
    fixture_t *fixture = context;
    assert_int_equal(change->seq, ++fixture->changes);
    if (fixture->changes > LOG_ROOM)
        return;
    unsigned i = fixture->changes - 1;
    fixture->kinds[i] = change->kind;
    (void)snprintf(fixture->keys[i], sizeof fixture->keys[i], "%.*s", (int)change->key.size,
                   (const char *)change->key.data);
    assert_ptr_equal(change->owner, &fixture->owner);
}

static int setup(void **state)
{
    fixture_t *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->limits = (limits_t)LIMITS_DEFAULT;
    fixture->engine = engine_new(
        &(engine_options_t){.limits = &fixture->limits, .on_change = on_change, .context = fixture});
    assert_non_null(fixture->engine);
    fixture->store = engine_open(fixture->engine, &fixture->owner);
    assert_non_null(fixture->store);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;
    engine_destroy(&fixture->engine);
    assert_null(fixture->engine);
    free(fixture);
    return 0;
}

static lookup_t lookup_text(const fixture_t *fixture, const char *key)
{
    return engine_lookup(fixture->engine, bytes_from_text(key));
}

static status_t try_put(fixture_t *fixture, const put_t *put, int64_t now_ms, uint64_t *revision,
                        const char **limit)
{
    put_t found = *put;
    found.lookup = engine_lookup(fixture->engine, put->key);
    return engine_put(fixture->engine, fixture->store, &found, &(actor_t){0}, &AT(now_ms), revision, limit);
}

static uint64_t put_text(fixture_t *fixture, const char *key, const char *value, uint64_t ttl_ms,
                         int64_t now_ms)
{
    uint64_t revision = 0;
    const char *limit;
    put_t put = {.key = bytes_from_text(key),
                 .value = bytes_from_text(value),
                 .ttl_ms = ttl_ms,
                 .if_revision = REVISION_ANY};
    assert_int_equal(try_put(fixture, &put, now_ms, &revision, &limit), STATUS_OK);
    return revision;
}

static status_t get_text(fixture_t *fixture, const char *key, int64_t now_ms, entry_t *entry)
{
    return engine_get(fixture->engine, fixture->store, bytes_from_text(key), lookup_text(fixture, key),
                      now_ms, entry);
}

/* ---- Entries ---------------------------------------------------------------------------------- */

static void get__absent_key__is_not_found(void **state)
{
    entry_t entry;
    assert_int_equal(get_text(*state, "city", 0, &entry), STATUS_NOT_FOUND);
}

static void get__after_put__gives_what_was_put(void **state)
{
    entry_t entry;
    uint64_t revision = put_text(*state, "city", "Kolkata", 0, 0);
    assert_int_equal(get_text(*state, "city", 0, &entry), STATUS_OK);
    assert_true(bytes_equal(entry.key, bytes_from_text("city")));
    assert_true(bytes_equal(entry.value, bytes_from_text("Kolkata")));
    assert_false(entry.binary);
    assert_int_equal(entry.revision, revision);
    assert_int_equal(entry.ttl_ms, -1);
}

static void get__empty_value__is_there(void **state)
{
    entry_t entry;
    (void)put_text(*state, "city", "", 0, 0);
    assert_int_equal(get_text(*state, "city", 0, &entry), STATUS_OK);
    assert_int_equal(entry.value.size, 0);
}

static void put__values_of_all_sizes__come_back_byte_for_byte(void **state)
{
    static const size_t sizes[] = {0,    1,    247,  248,   249,     1000, 1007, 1008,
                                   1009, 2000, 1006, 65536, 1048576, 3,    249,  0};
    fixture_t *fixture = *state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t revision;
        const char *limit;
        entry_t entry;
        uint8_t *value = malloc(sizes[i] + 1);
        assert_non_null(value);
        memset(value, (int)i, sizes[i] + 1);
        put_t put = {.key = bytes_from_text("k"),
                     .value = bytes_of(value, sizes[i]),
                     .binary = true,
                     .if_revision = REVISION_ANY};
        assert_int_equal(try_put(fixture, &put, 0, &revision, &limit), STATUS_OK);
        assert_int_equal(get_text(fixture, "k", 0, &entry), STATUS_OK);
        assert_true(bytes_equal(entry.value, put.value));
        assert_true(entry.binary);
        assert_int_equal(store_bytes(fixture->store), 1 + sizes[i]);
        free(value);
    }
}

static void stores__same_key_in_two__are_kept_apart(void **state)
{
    fixture_t *fixture = *state;
    entry_t entry;
    store_t *other = engine_open(fixture->engine, &fixture->owner);
    assert_non_null(other);
    (void)put_text(fixture, "city", "Kolkata", 0, 0);
    assert_int_equal(
        engine_get(fixture->engine, other, bytes_from_text("city"), lookup_text(fixture, "city"), 0, &entry),
        STATUS_NOT_FOUND);
    engine_close(fixture->engine, &other);
    assert_null(other);
    assert_int_equal(get_text(fixture, "city", 0, &entry), STATUS_OK);
}

/* ---- The sequence ----------------------------------------------------------------------------- */

static void seq__every_change__takes_the_next_number(void **state)
{
    fixture_t *fixture = *state;
    uint64_t revision;
    assert_int_equal(engine_seq(fixture->engine), 0);
    engine_record(fixture->engine, CHANGE_CONNECT, &fixture->owner, (bytes_t){0}, &(actor_t){0}, &AT(0));
    assert_int_equal(engine_seq(fixture->engine), 1);
    assert_int_equal(put_text(fixture, "a", "1", 0, 0), 2);
    assert_int_equal(put_text(fixture, "a", "2", 0, 0), 3);
    assert_int_equal(engine_del(fixture->engine, fixture->store, bytes_from_text("a"),
                                lookup_text(fixture, "a"), REVISION_ANY, &(actor_t){0}, &AT(0), &revision),
                     STATUS_OK);
    assert_int_equal(revision, 4);
    assert_int_equal(engine_seq(fixture->engine), 4);
    assert_int_equal(fixture->kinds[0], CHANGE_CONNECT);
    assert_int_equal(fixture->kinds[2], CHANGE_PUT);
    assert_int_equal(fixture->kinds[3], CHANGE_DEL);
}

static void epoch__two_engines__differ(void **state)
{
    fixture_t *fixture = *state;
    engine_t *other = engine_new(&(engine_options_t){.limits = &fixture->limits});
    assert_non_null(other);
    assert_int_equal(strlen(engine_epoch(fixture->engine)), ENGINE_EPOCH_SIZE - 1);
    assert_string_not_equal(engine_epoch(fixture->engine), engine_epoch(other));
    engine_destroy(&other);
}

/* ---- Conditions ------------------------------------------------------------------------------- */

static void put__if_absent_on_a_present_key__fails_and_tells_its_revision(void **state)
{
    fixture_t *fixture = *state;
    const char *limit;
    uint64_t has = put_text(fixture, "a", "1", 0, 0);
    uint64_t revision = 99;
    put_t put = {.key = bytes_from_text("a"), .value = bytes_from_text("2"), .if_revision = 0};
    assert_int_equal(try_put(fixture, &put, 0, &revision, &limit), STATUS_FAILED_PRECONDITION);
    assert_int_equal(revision, has);
    assert_int_equal(engine_seq(fixture->engine), has);
}

static void put__if_revision_on_an_absent_key__fails_and_tells_zero(void **state)
{
    fixture_t *fixture = *state;
    const char *limit;
    uint64_t revision = 99;
    put_t put = {.key = bytes_from_text("a"), .value = bytes_from_text("2"), .if_revision = 7};
    assert_int_equal(try_put(fixture, &put, 0, &revision, &limit), STATUS_FAILED_PRECONDITION);
    assert_int_equal(revision, 0);
    assert_int_equal(store_keys(fixture->store), 0);
}

static void del__if_revision_zero_on_an_absent_key__is_not_found(void **state)
{
    fixture_t *fixture = *state;
    uint64_t revision = 99;
    assert_int_equal(engine_del(fixture->engine, fixture->store, bytes_from_text("a"),
                                lookup_text(fixture, "a"), 0, &(actor_t){0}, &AT(0), &revision),
                     STATUS_NOT_FOUND);
    assert_int_equal(revision, 99);
}

static void del__if_revision_that_it_has_not__fails_and_keeps_it(void **state)
{
    fixture_t *fixture = *state;
    uint64_t revision = 99;
    entry_t entry;
    uint64_t has = put_text(fixture, "a", "1", 0, 0);
    assert_int_equal(engine_del(fixture->engine, fixture->store, bytes_from_text("a"),
                                lookup_text(fixture, "a"), has + 1, &(actor_t){0}, &AT(0), &revision),
                     STATUS_FAILED_PRECONDITION);
    assert_int_equal(revision, has);
    assert_int_equal(get_text(fixture, "a", 0, &entry), STATUS_OK);
}

/* ---- Limits ----------------------------------------------------------------------------------- */

static void assert_limit(fixture_t *fixture, const char *key, const char *value, int64_t now_ms,
                         const char *name)
{
    uint64_t revision = 99;
    const char *limit = NULL;
    put_t put = {.key = bytes_from_text(key), .value = bytes_from_text(value), .if_revision = REVISION_ANY};
    uint64_t seq = engine_seq(fixture->engine);
    assert_int_equal(try_put(fixture, &put, now_ms, &revision, &limit), STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(limit, name);
    assert_int_equal(engine_seq(fixture->engine), seq);
}

static void put__one_key_past_the_limit__is_refused(void **state)
{
    fixture_t *fixture = *state;
    fixture->limits.keys_per_client = 2;
    (void)put_text(fixture, "a", "1", 0, 0);
    (void)put_text(fixture, "b", "1", 0, 0);
    assert_limit(fixture, "c", "1", 0, "limits/keys_per_client");
    (void)put_text(fixture, "b", "2", 0, 0);
}

static void put__one_byte_past_the_stores_limit__is_refused(void **state)
{
    fixture_t *fixture = *state;
    fixture->limits.bytes_per_client = 6;
    (void)put_text(fixture, "a", "12", 0, 0);
    (void)put_text(fixture, "b", "12", 0, 0);
    assert_limit(fixture, "b", "123", 0, "limits/bytes_per_client");
    (void)put_text(fixture, "b", "1", 0, 0);
    (void)put_text(fixture, "a", "123", 0, 0);
}

static void put__one_byte_past_the_limit_of_all__is_refused(void **state)
{
    fixture_t *fixture = *state;
    fixture->limits.bytes_total = 4;
    (void)put_text(fixture, "a", "123", 0, 0);
    assert_limit(fixture, "b", "", 0, "limits/bytes_total");
}

static void put__at_the_limit_with_an_expired_entry__has_its_room(void **state)
{
    fixture_t *fixture = *state;
    fixture->limits.keys_per_client = 1;
    (void)put_text(fixture, "a", "1", 10, 0);
    assert_limit(fixture, "b", "1", 9, "limits/keys_per_client");
    (void)put_text(fixture, "b", "1", 0, 10);
    assert_int_equal(fixture->kinds[1], CHANGE_EXPIRE);
    assert_int_equal(fixture->kinds[2], CHANGE_PUT);
}

/* ---- Time ------------------------------------------------------------------------------------- */

static void ttl__before_its_time__tells_what_is_left(void **state)
{
    entry_t entry;
    (void)put_text(*state, "a", "1", 100, 1000);
    assert_int_equal(get_text(*state, "a", 1099, &entry), STATUS_OK);
    assert_int_equal(entry.ttl_ms, 1);
}

static void ttl__key_that_is_due__get_finds_nothing_and_changes_nothing(void **state)
{
    fixture_t *fixture = *state;
    entry_t entry;
    (void)put_text(fixture, "a", "1", 100, 1000);
    assert_int_equal(get_text(fixture, "a", 1100, &entry), STATUS_NOT_FOUND);
    assert_int_equal(fixture->changes, 1);
    assert_int_equal(store_keys(fixture->store), 1);
}

static void ttl__del_of_a_key_that_is_due__records_that_it_expired(void **state)
{
    fixture_t *fixture = *state;
    uint64_t revision = 99;
    (void)put_text(fixture, "a", "1", 100, 1000);
    assert_int_equal(engine_del(fixture->engine, fixture->store, bytes_from_text("a"),
                                lookup_text(fixture, "a"), REVISION_ANY, &(actor_t){0}, &AT(1100), &revision),
                     STATUS_NOT_FOUND);
    assert_int_equal(fixture->changes, 2);
    assert_int_equal(fixture->kinds[1], CHANGE_EXPIRE);
    assert_string_equal(fixture->keys[1], "a");
}

static void expire__of_equal_times__the_lowest_revision_is_first(void **state)
{
    enum { MANY = 9 }; /* a node of the heap has 4 children */
    fixture_t *fixture = *state;
    for (char key[] = "a"; key[0] < 'a' + MANY; key[0]++)
        (void)put_text(fixture, key, "1", 10, 0);
    (void)put_text(fixture, "a", "2", 10, 0); /* now the newest of them */
    assert_false(engine_expire(fixture->engine, &AT(10), 100));
    for (unsigned i = 0; i + 1 < MANY; i++)
        assert_int_equal(fixture->keys[MANY + 1 + i][0], 'b' + i);
    assert_string_equal(fixture->keys[MANY + 1 + MANY - 1], "a");
}

static void ttl__put_without_it__makes_the_entry_permanent(void **state)
{
    fixture_t *fixture = *state;
    entry_t entry;
    (void)put_text(fixture, "a", "1", 100, 0);
    (void)put_text(fixture, "a", "1", 0, 50);
    assert_int_equal(engine_due(fixture->engine), INT64_MAX);
    assert_int_equal(get_text(fixture, "a", INT64_MAX, &entry), STATUS_OK);
    assert_int_equal(entry.ttl_ms, -1);
}

static void ttl__longest__does_not_overflow(void **state)
{
    entry_t entry;
    (void)put_text(*state, "a", "1", LIMIT_TTL_MS, INT64_C(1) << 53);
    assert_int_equal(get_text(*state, "a", INT64_C(1) << 53, &entry), STATUS_OK);
    assert_int_equal(entry.ttl_ms, LIMIT_TTL_MS);
}

static void walk__entries_that_are_due__are_passed_over(void **state)
{
    fixture_t *fixture = *state;
    engine_walk_t walk;
    entry_t entry;
    (void)put_text(fixture, "a", "1", 10, 0);
    (void)put_text(fixture, "b", "1", 0, 0);
    (void)put_text(fixture, "c", "1", 10, 0);
    (void)put_text(fixture, "d", "1", 11, 0);
    engine_walk_begin(&walk, fixture->engine, fixture->store, (bytes_t){0}, NULL, 10);
    assert_true(engine_walk_next(&walk, &entry));
    assert_true(bytes_equal(entry.key, bytes_from_text("b")));
    assert_true(engine_walk_next(&walk, &entry));
    assert_true(bytes_equal(entry.key, bytes_from_text("d")));
    assert_false(engine_walk_next(&walk, &entry));
    assert_int_equal(fixture->changes, 4);
}

static void expire__what_is_due__within_the_budget(void **state)
{
    fixture_t *fixture = *state;
    (void)put_text(fixture, "a", "1", 10, 0);
    (void)put_text(fixture, "b", "1", 20, 0);
    (void)put_text(fixture, "c", "1", 30, 0);
    assert_int_equal(engine_due(fixture->engine), 10);
    assert_false(engine_expire(fixture->engine, &AT(9), 100));
    assert_int_equal(store_keys(fixture->store), 3);
    assert_true(engine_expire(fixture->engine, &AT(20), 1));
    assert_string_equal(fixture->keys[3], "a");
    assert_false(engine_expire(fixture->engine, &AT(20), 1));
    assert_string_equal(fixture->keys[4], "b");
    assert_int_equal(engine_due(fixture->engine), 30);
}

static void close__large_store__is_given_back_in_pieces_without_changes(void **state)
{
    enum { MANY = 20000 };
    fixture_t *fixture = *state;
    char key[24];
    unsigned ticks = 0;
    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(key, sizeof key, "%u", i);
        (void)put_text(fixture, key, "value", i % 4 == 0 ? 10 : 0, 0);
    }
    engine_close(fixture->engine, &fixture->store);
    assert_int_equal(engine_keys(fixture->engine), 0);
    assert_int_equal(engine_bytes(fixture->engine), 0);
    assert_true(engine_drains(fixture->engine));
    while (engine_drain(fixture->engine, 100))
        ticks++;
    assert_true(ticks > MANY / 4 / 100);
    assert_int_equal(fixture->changes, MANY);
    assert_int_equal(engine_due(fixture->engine), INT64_MAX);
}

/* ---- Look-ups --------------------------------------------------------------------------------- */

/* Even if an attacker knows the hash and its seed, all keys are found, changed and removed. */
static void entries__100000_keys_with_one_hash__are_kept(void **state)
{
    static const lookup_t same = {.hash = 42};
    fixture_t *fixture = *state;
    uint64_t many = volume(100000, 5000);
    uint64_t revision;
    const char *limit;
    entry_t entry;
    char key[24];
    for (unsigned round = 0; round < 2; round++)
        for (uint64_t i = 0; i < many; i++) {
            (void)snprintf(key, sizeof key, "%" PRIu64, i);
            put_t put = {.key = bytes_from_text(key),
                         .lookup = same,
                         .value = bytes_from_text(key),
                         .if_revision = REVISION_ANY};
            put.value.size = round == 0 ? 0 : put.value.size;
            assert_int_equal(
                engine_put(fixture->engine, fixture->store, &put, &(actor_t){0}, &AT(0), &revision, &limit),
                STATUS_OK);
        }
    assert_int_equal(store_keys(fixture->store), many);
    for (uint64_t i = 0; i < many; i++) {
        (void)snprintf(key, sizeof key, "%" PRIu64, i);
        assert_int_equal(engine_get(fixture->engine, fixture->store, bytes_from_text(key), same, 0, &entry),
                         STATUS_OK);
        assert_true(bytes_equal(entry.value, bytes_from_text(key)));
    }
    assert_int_equal(engine_get(fixture->engine, fixture->store, bytes_from_text("x"), same, 0, &entry),
                     STATUS_NOT_FOUND);
    for (uint64_t i = 0; i < many; i++) {
        (void)snprintf(key, sizeof key, "%" PRIu64, i);
        assert_int_equal(engine_del(fixture->engine, fixture->store, bytes_from_text(key), same, REVISION_ANY,
                                    &(actor_t){0}, &AT(0), &revision),
                         STATUS_OK);
    }
    assert_int_equal(store_keys(fixture->store), 0);
}

static void prepare__keys_of_stores_of_all_sizes__changes_nothing(void **state)
{
    enum { HINTS = ENGINE_PREPARE_MAX };
    fixture_t *fixture = *state;
    uint64_t many = 40000;
    char names[HINTS][24];
    bytes_t keys[HINTS];
    lookup_t lookups[HINTS];
    entry_t entry;
    const store_t *stores[HINTS];
    store_t *empty = engine_open(fixture->engine, NULL);
    assert_non_null(empty);
    for (uint64_t i = 0; i < many; i++) {
        char key[24];
        (void)snprintf(key, sizeof key, "%" PRIu64, i);
        (void)put_text(fixture, key, "value", 0, 0);
        if (i % 997 != 0)
            continue;
        for (unsigned j = 0; j < HINTS; j++) { /* half of them exist */
            (void)snprintf(names[j], sizeof names[j], "%" PRIu64, (i * 2 + 1) * j / HINTS);
            keys[j] = bytes_from_text(names[j]);
        }
        unsigned count = (unsigned)(i % (HINTS + 1));
        engine_lookup_all(fixture->engine, keys, count, lookups);
        (void)engine_prepare(fixture->engine, fixture->store, lookups, count);
        engine_prepare_new(fixture->engine, fixture->store, keys, count);
        for (unsigned j = 0; j < HINTS; j++)
            stores[j] = j % 3 == 0 ? empty : fixture->store;
        engine_foresee(fixture->engine, stores, keys, count);
    }
    engine_close(fixture->engine, &empty);
    assert_true(engine_prepares(fixture->engine, fixture->store));
    assert_int_equal(store_keys(fixture->store), many);
    assert_int_equal(get_text(fixture, "39999", 0, &entry), STATUS_OK);
}

/* ---- The digest ------------------------------------------------------------------------------- */

static void digest__one_entry__is_the_protocols(void **state)
{
    fixture_t *fixture = *state;
    assert_int_equal(engine_digest(fixture->engine, fixture->store), 0);
    (void)put_text(fixture, "city", "Kolkata", 0, 0);
    /* python3 -c 'import xxhash;
     * print(hex(xxhash.xxh64_intdigest(b"\4\0\0\0city\0Kolkata\1\0\0\0\0\0\0\0")))' */
    assert_int_equal(engine_digest(fixture->engine, fixture->store), UINT64_C(0x13c408a35e5c4416));
}

static void digest__back_to_empty__is_zero(void **state)
{
    fixture_t *fixture = *state;
    uint64_t revision;
    (void)put_text(fixture, "a", "1", 10, 0);
    (void)put_text(fixture, "b", "1", 0, 0);
    assert_int_not_equal(engine_digest(fixture->engine, fixture->store), 0);
    assert_int_equal(engine_del(fixture->engine, fixture->store, bytes_from_text("b"),
                                lookup_text(fixture, "b"), REVISION_ANY, &(actor_t){0}, &AT(0), &revision),
                     STATUS_OK);
    assert_false(engine_expire(fixture->engine, &AT(10), 100));
    assert_int_equal(engine_digest(fixture->engine, fixture->store), 0);
}

static void digest__prepared_in_steps_between_changes__is_that_of_all_at_once(void **state)
{
    enum { MANY = 3000, STEP = 100 };
    fixture_t *fixture = *state;
    char key[24];
    unsigned steps = 0;
    store_t *store = fixture->store;
    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(key, sizeof key, "%u", i);
        (void)put_text(fixture, key, "before", 0, 0);
    }
    while (!engine_digest_prepare(fixture->engine, store, STEP)) {
        uint64_t revision;
        (void)snprintf(key, sizeof key, "%u", ++steps * 7 % MANY);
        (void)put_text(fixture, key, "after", 0, 0);
        (void)snprintf(key, sizeof key, "%u", steps * 13 % MANY);
        status_t status = engine_del(fixture->engine, store, bytes_from_text(key), lookup_text(fixture, key),
                                     REVISION_ANY, &(actor_t){0}, &AT(0), &revision);
        assert_true(status == STATUS_OK || status == STATUS_NOT_FOUND);
    }
    assert_true(steps >= MANY / STEP - 2);
    uint64_t expected = 0;
    engine_walk_t walk;
    entry_t entry;
    engine_walk_begin(&walk, fixture->engine, store, (bytes_t){0}, NULL, 0);
    while (engine_walk_next(&walk, &entry))
        expected ^= digest_entry(entry.key, entry.binary, entry.value, entry.revision);
    assert_int_equal(engine_digest(fixture->engine, store), expected);
}

#define ENGINE_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(get__absent_key__is_not_found),
        ENGINE_TEST(get__after_put__gives_what_was_put),
        ENGINE_TEST(get__empty_value__is_there),
        ENGINE_TEST(put__values_of_all_sizes__come_back_byte_for_byte),
        ENGINE_TEST(stores__same_key_in_two__are_kept_apart),
        ENGINE_TEST(seq__every_change__takes_the_next_number),
        ENGINE_TEST(epoch__two_engines__differ),
        ENGINE_TEST(put__if_absent_on_a_present_key__fails_and_tells_its_revision),
        ENGINE_TEST(put__if_revision_on_an_absent_key__fails_and_tells_zero),
        ENGINE_TEST(del__if_revision_zero_on_an_absent_key__is_not_found),
        ENGINE_TEST(del__if_revision_that_it_has_not__fails_and_keeps_it),
        ENGINE_TEST(put__one_key_past_the_limit__is_refused),
        ENGINE_TEST(put__one_byte_past_the_stores_limit__is_refused),
        ENGINE_TEST(put__one_byte_past_the_limit_of_all__is_refused),
        ENGINE_TEST(put__at_the_limit_with_an_expired_entry__has_its_room),
        ENGINE_TEST(ttl__before_its_time__tells_what_is_left),
        ENGINE_TEST(ttl__key_that_is_due__get_finds_nothing_and_changes_nothing),
        ENGINE_TEST(ttl__del_of_a_key_that_is_due__records_that_it_expired),
        ENGINE_TEST(expire__of_equal_times__the_lowest_revision_is_first),
        ENGINE_TEST(ttl__put_without_it__makes_the_entry_permanent),
        ENGINE_TEST(ttl__longest__does_not_overflow),
        ENGINE_TEST(walk__entries_that_are_due__are_passed_over),
        ENGINE_TEST(expire__what_is_due__within_the_budget),
        ENGINE_TEST(close__large_store__is_given_back_in_pieces_without_changes),
        ENGINE_TEST(entries__100000_keys_with_one_hash__are_kept),
        ENGINE_TEST(prepare__keys_of_stores_of_all_sizes__changes_nothing),
        ENGINE_TEST(digest__one_entry__is_the_protocols),
        ENGINE_TEST(digest__back_to_empty__is_zero),
        ENGINE_TEST(digest__prepared_in_steps_between_changes__is_that_of_all_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
