/* SPDX-License-Identifier: MPL-2.0 */
/* Compares field by field, so that a failure says which one differs. */
#include "tests/support/same_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "broker/core/members.h"

static void assert_same_bytes(bytes_t one, bytes_t other)
{
    assert_int_equal(one.size, other.size);
    if (one.size > 0)
        assert_memory_equal(one.data, other.data, one.size);
}

static void assert_same_event(const event_t *one, const event_t *other)
{
    assert_true(one->prev == other->prev && one->time_ms == other->time_ms && one->kind == other->kind);
    assert_true(one->size == other->size && one->ttl_ms == other->ttl_ms && one->session == other->session);
    assert_true(one->has_value == other->has_value && one->binary == other->binary);
    assert_same_bytes(one->client, other->client);
    assert_same_bytes(one->key, other->key);
    assert_same_bytes(one->value, other->value);
    assert_same_bytes(one->by, other->by);
    assert_same_bytes(one->user, other->user);
}

static void assert_same_entries(const state_t *state, const store_t *store, const state_t *other,
                                const store_t *twin, int64_t now_ms)
{
    engine_walk_t walk;
    engine_walk_t twin_walk;
    entry_t entry;
    entry_t same;
    engine_walk_begin(&walk, state->engine, store, (bytes_t){0}, NULL, now_ms);
    engine_walk_begin(&twin_walk, other->engine, twin, (bytes_t){0}, NULL, now_ms);
    while (engine_walk_next(&walk, &entry)) {
        assert_true(engine_walk_next(&twin_walk, &same));
        assert_same_bytes(entry.key, same.key);
        assert_same_bytes(entry.value, same.value);
        assert_true(entry.revision == same.revision && entry.ttl_ms == same.ttl_ms);
        assert_int_equal(engine_get(other->engine, twin, entry.key, engine_lookup(other->engine, entry.key),
                                    now_ms, &same),
                         STATUS_OK); /* the walk is by the tree, this is by the index */
        assert_same_bytes(entry.value, same.value);
    }
    assert_false(engine_walk_next(&twin_walk, &same));
}

static void assert_same_store(const state_t *state, store_t *store, const state_t *other, store_t *twin,
                              int64_t now_ms, bool digests)
{
    assert_int_equal(store_keys(store), store_keys(twin));
    assert_int_equal(store_bytes(store), store_bytes(twin));
    if (digests)
        assert_true(engine_digest(state->engine, store) == engine_digest(other->engine, twin));
    assert_same_entries(state, store, other, twin, now_ms);
}

static void assert_same_client(const client_t *client, const client_t *twin)
{
    assert_int_equal(client->life, twin->life);
    assert_int_equal(client->first_seq, twin->first_seq);
    assert_int_equal(client->last_seq, twin->last_seq);
    assert_int_equal(client->since_ms, twin->since_ms);
    assert_int_equal(client->session_count, twin->session_count);
    assert_true(client->numbered == twin->numbered && client->claimed == twin->claimed);
    assert_true(!client->claimed || strcmp(client->claim, twin->claim) == 0);
    const member_t *other = twin->members;
    for (const member_t *member = client->members; member; member = member->next, other = other->next) {
        assert_non_null(other);
        assert_true(member->session == other->session && member->manager == other->manager);
    }
    assert_null(other);
}

void assert_same_state(const state_t *one, const state_t *other, int64_t now_ms, bool digests)
{
    assert_int_equal(engine_seq(one->engine), engine_seq(other->engine));
    assert_int_equal(engine_bytes(one->engine), engine_bytes(other->engine));
    assert_int_equal(registry_count(one->registry), registry_count(other->registry));
    bytes_t id = {0};
    for (client_t *client = registry_next(one->registry, id, NULL); client;
         client = registry_next(one->registry, (bytes_t){0}, &id)) {
        id = client_id(client);
        const client_t *twin = registry_find(other->registry, id);
        assert_non_null(twin);
        assert_same_client(client, twin);
        assert_same_store(one, client->store, other, twin->store, now_ms, digests);
    }
}

void assert_same_events(const event_log_t *one, const event_log_t *other, uint64_t *compared, uint64_t seq)
{
    assert_true(event_log_oldest(one) <= *compared && event_log_oldest(other) <= *compared);
    while (*compared < seq) {
        event_t event;
        event_t same;
        event_log_read(one, ++*compared, &event);
        event_log_read(other, *compared, &same);
        assert_same_event(&event, &same);
    }
}
