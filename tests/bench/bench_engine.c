/* SPDX-License-Identifier: MPL-2.0 */
/* Measures the storage engine: memory of an entry, throughput by the number of entries, the longest single
 * operation, and what keys cost whose hashes collide, beside a tree alone. The throughputs come from one
 * interleaved run, because on a shared machine only their ratios mean anything.
 *
 *   bench_engine                   everything, with 10 thousand to 10 million entries
 *   bench_engine smoke             the same with few entries, in a second
 *   bench_engine memory N          memory of N entries
 *   bench_engine throughput        throughput by the number of entries
 *   bench_engine colliding         100,000 keys with one hash: the index leaves them to the tree (index.h),
 * so a look-up may cost what it costs in a tree, and a little bench_engine get|put|del N COUNT puts N
 * entries, then does COUNT operations on them, for callgrind:
 *       valgrind --tool=callgrind --toggle-collect=engine_get --toggle-collect=engine_lookup \
 *           bench_engine get 100000 100000 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "broker/engine/engine.h"
#include "broker/engine/tree.h"
#include "tests/support/make_record.h"

enum {
    KEY_SIZE = 16,
    VALUE_SIZE = 32,
    SIZE_COUNT = 4,
    ROUNDS = 5,
    BATCH = 64,
    COLLIDING = 100000, /* keys with one hash */
    SMOKE_DIVISOR = 1000
};

typedef enum key_order { KEYS_RANDOM, KEYS_SEQUENTIAL } key_order_t;

static uint64_t scatter(uint64_t n)
{
    n += UINT64_C(0x9E3779B97F4A7C15);
    n = (n ^ (n >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    n = (n ^ (n >> 27)) * UINT64_C(0x94D049BB133111EB);
    return n ^ (n >> 31);
}

/* Writes the N-th key, of 16 bytes, to ROOM and returns it. */
static bytes_t make_key(key_order_t order, uint64_t n, uint8_t room[KEY_SIZE + 1])
{
    if (order == KEYS_SEQUENTIAL) {
        (void)snprintf((char *)room, KEY_SIZE + 1, "key:%012" PRIu64, n % UINT64_C(1000000000000));
    } else {
        uint64_t words[2] = {scatter(n), scatter(~n)};
        memcpy(room, words, sizeof words);
    }
    return bytes_of(room, KEY_SIZE);
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint64_t resident_bytes(void)
{
    char text[128] = "";
    char *at = text;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fgets(text, sizeof text, file) == NULL)
        text[0] = '\0';
    if (file != NULL)
        (void)fclose(file);
    (void)strtoull(at, &at, 10); /* skip the total size; the resident pages follow */
    return strtoull(at, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void put_one(engine_t *engine, store_t *store, bytes_t key, lookup_t lookup, const uint8_t *value)
{
    uint64_t revision;
    const char *limit;
    put_t put = {
        .key = key, .lookup = lookup, .value = bytes_of(value, VALUE_SIZE), .if_revision = REVISION_ANY};
    if (engine_put(engine, store, &put, &(actor_t){0}, &(place_t){0}, &revision, &limit) != STATUS_OK) {
        (void)fprintf(stderr, "put failed: %s\n", limit);
        exit(EXIT_FAILURE);
    }
}

static void get_one(engine_t *engine, store_t *store, bytes_t key, lookup_t lookup)
{
    entry_t entry;
    if (engine_get(engine, store, key, lookup, 0, &entry) != STATUS_OK || entry.value.size != VALUE_SIZE) {
        (void)fprintf(stderr, "an entry is missing\n");
        exit(EXIT_FAILURE);
    }
}

static void del_one(engine_t *engine, store_t *store, bytes_t key)
{
    uint64_t revision;
    if (engine_del(engine, store, key, engine_lookup(engine, key), REVISION_ANY, &(actor_t){0}, &(place_t){0},
                   &revision) != STATUS_OK) {
        (void)fprintf(stderr, "an entry is missing\n");
        exit(EXIT_FAILURE);
    }
}

/* The lookup of a key whose hash is that of all others. */
static const lookup_t colliding = {.hash = UINT64_C(0x1234567890abcdef)};

/* Puts COUNT entries into STORE, with the lookup ALL if it is given. Returns the longest put in ns of the
 * thread's processor time, or 0 unless TIMED. */
static int64_t fill(engine_t *engine, store_t *store, key_order_t order, uint64_t count, const lookup_t *all,
                    bool timed)
{
    static const uint8_t value[VALUE_SIZE] = "a value of thirty-two bytes.....";
    uint8_t room[KEY_SIZE + 1];
    int64_t longest = 0;
    for (uint64_t i = 0; i < count; i++) {
        bytes_t key = make_key(order, i, room);
        int64_t before = timed ? clock_ns(CLOCK_THREAD_CPUTIME_ID) : 0;
        put_one(engine, store, key, all != NULL ? *all : engine_lookup(engine, key), value);
        int64_t took = timed ? clock_ns(CLOCK_THREAD_CPUTIME_ID) - before : 0;
        longest = took > longest ? took : longest;
    }
    return longest;
}

/* Closes STORE and frees its memory in ticks, as the broker does. Returns the longest tick in ns. */
static int64_t drain(engine_t *engine, store_t **store)
{
    int64_t longest = 0;
    engine_close(engine, store);
    for (bool more = true; more;) {
        int64_t before = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        more = engine_drain(engine, 64);
        int64_t took = clock_ns(CLOCK_THREAD_CPUTIME_ID) - before;
        longest = took > longest ? took : longest;
    }
    return longest;
}

static void report_memory(engine_t *engine, key_order_t order, uint64_t count)
{
    uint64_t before = resident_bytes();
    store_t *store = engine_open(engine, NULL);
    if (store == NULL)
        exit(EXIT_FAILURE);
    int64_t longest = fill(engine, store, order, count, NULL, true);
    double each = (double)((int64_t)resident_bytes() - (int64_t)before) / (double)count;
    int64_t tick = drain(engine, &store);
    double left = (double)((int64_t)resident_bytes() - (int64_t)before) / (double)count;
    printf("%-10s %9" PRIu64 " entries: %6.1f bytes an entry (%.1f left after close), longest put %" PRId64
           " us, longest tick of 64 while closing %" PRId64 " us\n",
           order == KEYS_RANDOM ? "random" : "sequential", count, each, left, longest / 1000, tick / 1000);
}

/* The operations that are measured; the last two after engine_prepare. */
typedef enum way { GET, PUT, GET_PREPARED, PUT_PREPARED, WAYS } way_t;

static const char *const way_names[WAYS] = {"get", "put over", "get in batches", "put over in batches"};

/* Does about COUNT operations on random keys out of SIZE, with the lookup ALL if it is given. Returns the
 * thread's processor time for one operation, in ns. */
static double measure(engine_t *engine, store_t *store, uint64_t size, uint64_t count, way_t way,
                      const lookup_t *all, uint64_t seed)
{
    uint8_t value[VALUE_SIZE] = {0};
    uint8_t rooms[BATCH][KEY_SIZE + 1];
    bytes_t keys[BATCH];
    lookup_t lookups[BATCH];
    int64_t took = 0;
    uint64_t done = 0;
    for (; done < count; done += BATCH) {
        for (unsigned i = 0; i < BATCH; i++)
            keys[i] = make_key(KEYS_RANDOM, scatter(seed + done + i) % size, rooms[i]);
        memcpy(value, &done, sizeof done);
        int64_t before = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        engine_lookup_all(engine, keys, BATCH, lookups);
        for (unsigned i = 0; all != NULL && i < BATCH; i++)
            lookups[i] = *all;
        if (way == GET_PREPARED || way == PUT_PREPARED)
            (void)engine_prepare(engine, store, lookups, BATCH);
        for (unsigned i = 0; i < BATCH; i++)
            if (way == PUT || way == PUT_PREPARED)
                put_one(engine, store, keys[i], lookups[i], value);
            else
                get_one(engine, store, keys[i], lookups[i]);
        took += clock_ns(CLOCK_THREAD_CPUTIME_ID) - before;
    }
    return (double)took / (double)done;
}

static void report_throughput(engine_t *engine, uint64_t divisor)
{
    static const uint64_t sizes[SIZE_COUNT] = {10000, 100000, 1000000, 10000000};
    store_t *stores[SIZE_COUNT];
    double best[SIZE_COUNT][WAYS] = {{0}};
    for (unsigned i = 0; i < SIZE_COUNT; i++) {
        stores[i] = engine_open(engine, NULL);
        if (stores[i] == NULL)
            exit(EXIT_FAILURE);
        (void)fill(engine, stores[i], KEYS_RANDOM, sizes[i] / divisor, NULL, false);
    }
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned i = 0; i < SIZE_COUNT; i++)
            for (unsigned way = 0; way < WAYS; way++) {
                double each = measure(engine, stores[i], sizes[i] / divisor, 300000 / divisor, (way_t)way,
                                      NULL, scatter(round * WAYS + way));
                if (round == 0 || each < best[i][way])
                    best[i][way] = each;
            }
    for (unsigned i = 0; i < SIZE_COUNT; i++)
        for (unsigned way = 0; way < WAYS; way++)
            printf("%9" PRIu64 " entries: %-20s %5.0f ns, %.2f of the throughput at %" PRIu64 "\n",
                   sizes[i] / divisor, way_names[way], best[i][way], best[0][way] / best[i][way],
                   sizes[0] / divisor);
}

/* Looks up about COUNT random keys out of the SIZE in TREE. Returns the thread's processor time for one, in
 * ns.
 */
static double measure_tree(const tree_t *tree, uint64_t size, uint64_t count, uint64_t seed)
{
    uint8_t rooms[BATCH][KEY_SIZE + 1];
    bytes_t keys[BATCH];
    int64_t took = 0;
    uint64_t done = 0;
    for (; done < count; done += BATCH) {
        for (unsigned i = 0; i < BATCH; i++)
            keys[i] = make_key(KEYS_RANDOM, scatter(seed + done + i) % size, rooms[i]);
        int64_t before = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        for (unsigned i = 0; i < BATCH; i++)
            if (tree_find(tree, keys[i]) == 0)
                exit(EXIT_FAILURE);
        took += clock_ns(CLOCK_THREAD_CPUTIME_ID) - before;
    }
    return (double)took / (double)done;
}

/* A tree_drop_fn. CONTEXT is the slab. */
static unsigned drop_record(void *context, uint32_t record)
{
    slab_give(context, record);
    return 1;
}

/* Measures a store whose keys all have one hash, in turn with a tree of the same keys alone. */
static void report_colliding(engine_t *engine, uint64_t divisor)
{
    uint64_t size = COLLIDING / divisor;
    unsigned all = UINT_MAX;
    double best[WAYS] = {0};
    double tree_best = 0;
    uint8_t room[KEY_SIZE + 1];
    slab_t slab;
    tree_t tree;
    store_t *store = engine_open(engine, NULL);
    if (store == NULL)
        exit(EXIT_FAILURE);
    (void)fill(engine, store, KEYS_RANDOM, size, &colliding, false);
    slab_init(&slab);
    tree_init(&tree, &slab);
    for (uint64_t i = 0; i < size; i++)
        if (!tree_insert(&tree, make_record(&slab, make_key(KEYS_RANDOM, i, room), 0)))
            exit(EXIT_FAILURE);
    for (unsigned round = 0; round < ROUNDS; round++) {
        double alone = measure_tree(&tree, size, 300000 / divisor, scatter(round));
        tree_best = round == 0 || alone < tree_best ? alone : tree_best;
        for (unsigned way = 0; way < WAYS; way++) {
            double each = measure(engine, store, size, 300000 / divisor, (way_t)way, &colliding,
                                  scatter(round * WAYS + way));
            best[way] = round == 0 || each < best[way] ? each : best[way];
        }
    }
    for (unsigned way = 0; way < WAYS; way++)
        printf("%9" PRIu64 " colliding keys: %-16s %5.0f ns, %.2f of a look-up in the tree alone\n", size,
               way_names[way], best[way], best[way] / tree_best);
    (void)drain(engine, &store);
    (void)tree_drain(&tree, &all, drop_record, &slab);
    slab_release(&slab);
}

static void report_memory_of(engine_t *engine, uint64_t count)
{
    report_memory(engine, KEYS_RANDOM, count);
    report_memory(engine, KEYS_SEQUENTIAL, count);
}

/* For callgrind: puts SIZE entries, then does COUNT operations NAME ("get", "put" or "del") on them. */
static void count_operations(engine_t *engine, const char *name, uint64_t size, uint64_t count)
{
    uint8_t room[KEY_SIZE + 1];
    store_t *store = engine_open(engine, NULL);
    if (store == NULL || size == 0)
        exit(EXIT_FAILURE);
    (void)fill(engine, store, KEYS_RANDOM, size, NULL, false);
    if (strcmp(name, "del") == 0)
        for (uint64_t i = 0; i < count && i < size; i++)
            del_one(engine, store, make_key(KEYS_RANDOM, i, room));
    else
        (void)measure(engine, store, size, count, strcmp(name, "put") == 0 ? PUT : GET, NULL, 1);
}

int main(int argc, char **argv)
{
    limits_t limits = LIMITS_DEFAULT;
    limits.keys_per_client = limits.bytes_per_client = limits.bytes_total = UINT64_MAX / 2;
    engine_t *engine = engine_new(&(engine_options_t){.limits = &limits});
    if (engine == NULL)
        return EXIT_FAILURE;
    if (argc == 4) {
        count_operations(engine, argv[1], strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
    } else if (argc == 2 && strcmp(argv[1], "throughput") == 0) {
        report_throughput(engine, 1);
    } else if (argc == 2 && strcmp(argv[1], "colliding") == 0) {
        report_colliding(engine, 1);
    } else if (argc == 3) {
        report_memory_of(engine, strtoull(argv[2], NULL, 10));
    } else {
        uint64_t divisor = argc == 2 && strcmp(argv[1], "smoke") == 0 ? SMOKE_DIVISOR : 1;
        report_memory_of(engine, 1000000 / divisor);
        report_memory_of(engine, 10000000 / divisor);
        report_throughput(engine, divisor);
        report_colliding(engine, divisor);
    }
    engine_destroy(&engine);
    return EXIT_SUCCESS;
}
