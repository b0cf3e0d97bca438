/* SPDX-License-Identifier: MPL-2.0 */
/* The store of a mirror, compared with a simple model: an array of all possible keys in their order. KV_SEED
 * repeats a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "client/watch/mirror_store.h"
#include "common/digest.h"
#include "tests/support/chance.h"
#include "tests/support/volume.h"

enum {
    OPERATIONS = 200000,
    VALGRIND_DIVISOR = 20, /* under valgrind, divides OPERATIONS */
    CHECK_EVERY = 512,     /* operations between two comparisons */
    CLIENTS = 4,
    KEYS = 300
};

static const char *const client_names[CLIENTS] = {"32768", "a", "a-1", "b"};

typedef struct cell {
    uint64_t revision; /* 0 = absent */
    bool hollow;
} cell_t;

typedef struct model {
    mirror_store_t *store;
    chance_t random;
    char keys[KEYS][16]; /* in order */
    cell_t cells[CLIENTS][KEYS];
} model_t;

static size_t pick(model_t *model, size_t count)
{
    return chance_below(&model->random, count);
}

/* Returns the value that a put with this revision had. */
static bytes_t value_of(const uint64_t *revision)
{
    return bytes_of(revision, *revision % (sizeof *revision + 1));
}

static void check_store(const model_t *model, size_t client)
{
    bytes_t name = bytes_from_text(client_names[client]);
    mirror_summary_t right = {0};
    mirror_entry_t entry;
    bytes_t after = {0};
    for (size_t k = 0; k < KEYS; k++) {
        const cell_t *cell = &model->cells[client][k];
        bytes_t key = bytes_from_text(model->keys[k]);
        assert_int_equal(mirror_store_get(model->store, name, key, &entry), cell->revision != 0);
        if (cell->revision == 0)
            continue;
        right.keys++;
        right.hollow += cell->hollow;
        if (!cell->hollow)
            right.digest ^=
                digest_entry(key, cell->revision % 2 == 0, value_of(&cell->revision), cell->revision);
        assert_true(mirror_store_next(model->store, name, after, false, &entry));
        assert_true(bytes_equal(entry.key, key));
        assert_int_equal(entry.revision, cell->revision);
        assert_int_equal(entry.has_value, !cell->hollow);
        assert_true(cell->hollow || bytes_equal(entry.value, value_of(&cell->revision)));
        assert_true(mirror_store_next(model->store, name, key, true, &entry));
        assert_true(bytes_equal(entry.key, key));
        after = key;
    }
    assert_false(mirror_store_next(model->store, name, after, false, &entry));
    mirror_summary_t summary;
    mirror_store_summary(model->store, name, &summary);
    assert_int_equal(summary.keys, right.keys);
    assert_int_equal(summary.hollow, right.hollow);
    assert_int_equal(summary.digest, right.digest);
}

static void check(const model_t *model)
{
    uint64_t clients = 0;
    uint64_t keys = 0;
    bytes_t after = {0};
    bytes_t client;
    for (size_t c = 0; c < CLIENTS; c++) {
        mirror_summary_t summary;
        check_store(model, c);
        mirror_store_summary(model->store, bytes_from_text(client_names[c]), &summary);
        if (summary.keys == 0)
            continue;
        clients++;
        keys += summary.keys;
        assert_true(mirror_store_next_client(model->store, after, &client));
        assert_true(bytes_equal(client, bytes_from_text(client_names[c])));
        after = client;
    }
    assert_false(mirror_store_next_client(model->store, after, &client));
    uint64_t all_clients;
    uint64_t all_keys;
    mirror_store_totals(model->store, &all_clients, &all_keys);
    assert_int_equal(all_clients, clients);
    assert_int_equal(all_keys, keys);
}

static void put(model_t *model, size_t client, size_t key, uint64_t revision)
{
    bool hollow = pick(model, 10) == 0;
    mirror_entry_t entry = {.key = bytes_from_text(model->keys[key]),
                            .value = hollow ? (bytes_t){0} : value_of(&revision),
                            .binary = revision % 2 == 0,
                            .has_value = !hollow,
                            .revision = revision,
                            .due_ms = INT64_MAX};
    assert_true(mirror_store_put(model->store, bytes_from_text(client_names[client]), &entry));
    model->cells[client][key] = (cell_t){.revision = revision, .hollow = hollow};
}

static void operate(model_t *model, uint64_t revision)
{
    size_t client = pick(model, CLIENTS);
    size_t key = pick(model, KEYS);
    size_t what = pick(model, 2000);
    if (what == 0) {
        mirror_store_drop(model->store, bytes_from_text(client_names[client]));
        memset(model->cells[client], 0, sizeof model->cells[client]);
    } else if (what == 1 && pick(model, 10) == 0) {
        mirror_store_clear(model->store);
        memset(model->cells, 0, sizeof model->cells);
    } else if (what < 900) {
        mirror_store_del(model->store, bytes_from_text(client_names[client]),
                         bytes_from_text(model->keys[key]));
        model->cells[client][key] = (cell_t){0};
    } else {
        put(model, client, key, revision);
    }
}

static void store__random_operations__is_as_the_model(void **state)
{
    (void)state;
    int operations = (int)volume(OPERATIONS, OPERATIONS / VALGRIND_DIVISOR);
    model_t *model = calloc(1, sizeof *model);
    assert_non_null(model);
    model->random = chance_from(chance_seed());
    model->store = mirror_store_new();
    assert_non_null(model->store);
    for (int k = 0; k < KEYS; k++)
        (void)snprintf(model->keys[k], sizeof model->keys[k], "k%03d", k);
    for (int i = 1; i <= operations; i++) {
        operate(model, (uint64_t)i);
        if (i % CHECK_EVERY == 0)
            check(model);
    }
    mirror_store_destroy(&model->store);
    assert_null(model->store);
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(store__random_operations__is_as_the_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
