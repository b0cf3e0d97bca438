/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the tables of recent failures. Knows neither accounts nor sessions.
 *
 * Both tables are divided into sets of SET_WAYS records. A keyed hash (siphash with a random key) chooses the
 * set, so that no peer can choose whose record its own one replaces. The size of the tables never changes. */
#include "broker/core/login_throttle.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "common/limits.h"

enum {
    SET_WAYS = 8,
    KEY_SIZE = crypto_shorthash_siphashx24_BYTES, /* 16: two different pairs never share a record */

    DELAY_FIRST_MS = 250,     /* after the last free failure; each further one doubles it */
    DELAY_LAST_MS = 300000,   /* at most this */
    BUSY_MS = 250,            /* wait that is reported if only the attempts in progress are too many */
    FORGET_MS = 24 * 3600000, /* a record that was quiet for this long is forgotten */

    PAIR_UNDER_WAY_MAX = 20, /* of a pair: failures, plus attempts in progress */
    ADDRESS_UNDER_WAY_MAX = 64,
    ADDRESS_FAILURE_MS = 250, /* an address may fail once in this time, over all accounts, ... */
    ADDRESS_BURST = 256       /* ... and this often at once */
};

/* What is remembered of the attempts of a pair (address, account), or of an address. */
typedef struct attempts {
    uint8_t key[KEY_SIZE];
    int64_t touched_ms; /* when its last attempt began or ended */
    int64_t until_ms;   /* pair: no attempt before it. Address: when its bucket of failures is empty */
    uint32_t failures;  /* pair: in a row */
    uint16_t under_way; /* attempts in progress */
    bool used;
    bool trusted; /* pair: it logged in and has not failed since: the address's limit does not apply */
} attempts_t;

typedef struct table {
    attempts_t *records; /* sets of SET_WAYS; zeroed pages until they are touched */
    size_t sets;
} table_t;

struct login_throttle {
    table_t pairs;
    table_t addresses;
    unsigned under_way; /* attempts in all, at most LOGIN_UNDER_WAY_MAX */
    uint8_t secret[crypto_shorthash_siphashx24_KEYBYTES];
};

/* ---- The tables ------------------------------------------------------------------------------- */

static bool table_init(table_t *table, size_t records)
{
    table->sets = records / SET_WAYS;
    table->records = calloc(records, sizeof *table->records);
    return table->records != NULL;
}

static bool forgotten(const attempts_t *record, int64_t now_ms)
{
    return !record->used || (record->under_way == 0 && now_ms - record->touched_ms >= FORGET_MS);
}

/* Whether A is replaced before B: first one without an attempt in progress, then the one that was quiet for
 * longer. */
static bool yields_before(const attempts_t *a, const attempts_t *b)
{
    if ((a->under_way == 0) != (b->under_way == 0))
        return a->under_way == 0;
    return a->touched_ms < b->touched_ms;
}

/* The record of KEY. If there is none, makes it in place of the one that was quiet for longest. */
static attempts_t *table_at(table_t *table, const uint8_t key[KEY_SIZE], int64_t now_ms)
{
    uint64_t hash;
    memcpy(&hash, key, sizeof hash);
    attempts_t *set = &table->records[hash % table->sets * SET_WAYS];
    attempts_t *place = &set[0];
    for (attempts_t *record = set; record < set + SET_WAYS; record++) {
        bool unused = forgotten(record, now_ms);
        if (!unused && memcmp(record->key, key, KEY_SIZE) == 0)
            return record;
        if (forgotten(place, now_ms))
            continue;
        if (unused || yields_before(record, place))
            place = record;
    }
    *place = (attempts_t){.used = true, .touched_ms = now_ms};
    memcpy(place->key, key, KEY_SIZE);
    return place;
}

/* A keyed hash of FIRST and SECOND: equal only if both are. */
static void key_make(const login_throttle_t *throttle, bytes_t first, bytes_t second, uint8_t key[KEY_SIZE])
{
    uint8_t text[sizeof(uint64_t) + LOGIN_PEER + LIMIT_USER];
    uint64_t size = first.size < LOGIN_PEER ? first.size : LOGIN_PEER;
    uint64_t rest = second.size < LIMIT_USER ? second.size : LIMIT_USER;
    memcpy(text, &size, sizeof size);
    if (size > 0)
        memcpy(text + sizeof size, first.data, size);
    if (rest > 0)
        memcpy(text + sizeof size + size, second.data, rest);
    crypto_shorthash_siphashx24(key, text, sizeof size + size + rest, throttle->secret);
}

static attempts_t *pair_at(login_throttle_t *throttle, bytes_t peer, bytes_t user, int64_t now_ms)
{
    uint8_t key[KEY_SIZE];
    key_make(throttle, peer, user, key);
    return table_at(&throttle->pairs, key, now_ms);
}

static attempts_t *address_at(login_throttle_t *throttle, bytes_t peer, int64_t now_ms)
{
    uint8_t key[KEY_SIZE];
    key_make(throttle, peer, bytes_of(NULL, 0), key);
    return table_at(&throttle->addresses, key, now_ms);
}

login_throttle_t *login_throttle_new(void)
{
    login_throttle_t *throttle = calloc(1, sizeof *throttle);
    if (throttle == NULL)
        return NULL;
    randombytes_buf(throttle->secret, sizeof throttle->secret);
    if (!table_init(&throttle->pairs, LOGIN_PAIRS) || !table_init(&throttle->addresses, LOGIN_ADDRESSES))
        login_throttle_destroy(&throttle);
    return throttle;
}

void login_throttle_destroy(login_throttle_t **self)
{
    login_throttle_t *throttle = *self;
    if (throttle == NULL)
        return;
    free(throttle->pairs.records);
    free(throttle->addresses.records);
    sodium_memzero(throttle->secret, sizeof throttle->secret);
    free(throttle);
    *self = NULL;
}

/* ---- Attempts --------------------------------------------------------------------------------- */

static int64_t delay_after(uint32_t failures)
{
    if (failures < LOGIN_FREE_FAILURES)
        return 0;
    int64_t delay_ms = DELAY_FIRST_MS;
    for (uint32_t i = LOGIN_FREE_FAILURES; i < failures && delay_ms < DELAY_LAST_MS; i++)
        delay_ms *= 2;
    return delay_ms < DELAY_LAST_MS ? delay_ms : DELAY_LAST_MS;
}

/* How long PAIR has to wait; 0 = not at all. */
static int64_t pair_wait(const attempts_t *pair, int64_t now_ms)
{
    if (now_ms < pair->until_ms)
        return pair->until_ms - now_ms;
    uint32_t side_by_side = pair->failures < PAIR_UNDER_WAY_MAX ? PAIR_UNDER_WAY_MAX - pair->failures : 1;
    return pair->under_way >= side_by_side ? BUSY_MS : 0;
}

/* How long ADDRESS has to wait: a leaky bucket of failures. */
static int64_t address_wait(const attempts_t *address, int64_t now_ms)
{
    int64_t over_ms = address->until_ms - now_ms - (ADDRESS_BURST - 1) * (int64_t)ADDRESS_FAILURE_MS;
    if (over_ms > 0)
        return over_ms;
    return address->under_way >= ADDRESS_UNDER_WAY_MAX ? BUSY_MS : 0;
}

uint64_t login_throttle_begin(login_throttle_t *throttle, bytes_t peer, bytes_t user, int64_t now_ms)
{
    attempts_t *pair = pair_at(throttle, peer, user, now_ms);
    attempts_t *address = address_at(throttle, peer, now_ms);
    int64_t wait_ms = pair_wait(pair, now_ms);
    if (wait_ms == 0 && !pair->trusted)
        wait_ms = address_wait(address, now_ms);
    if (wait_ms == 0 && throttle->under_way == LOGIN_UNDER_WAY_MAX)
        wait_ms = BUSY_MS;
    if (wait_ms > 0)
        return (uint64_t)wait_ms;
    throttle->under_way++;
    pair->under_way++;
    pair->touched_ms = now_ms;
    address->under_way++;
    address->touched_ms = now_ms;
    address->until_ms = (address->until_ms > now_ms ? address->until_ms : now_ms) + ADDRESS_FAILURE_MS;
    return 0;
}

/* Takes back the failure that login_throttle_begin has counted in advance. */
static void address_refund(attempts_t *address, int64_t now_ms)
{
    if (address->until_ms > now_ms)
        address->until_ms -= ADDRESS_FAILURE_MS;
}

static void record_end(attempts_t *record, int64_t now_ms)
{
    record->touched_ms = now_ms;
    if (record->under_way > 0) /* 0 if the record was replaced meanwhile, and is made again */
        record->under_way--;
}

void login_throttle_withdraw(login_throttle_t *throttle, bytes_t peer, bytes_t user, int64_t now_ms)
{
    assert(throttle->under_way > 0);
    throttle->under_way--;
    attempts_t *address = address_at(throttle, peer, now_ms);
    record_end(pair_at(throttle, peer, user, now_ms), now_ms);
    record_end(address, now_ms);
    address_refund(address, now_ms);
}

void login_throttle_end(login_throttle_t *throttle, bytes_t peer, bytes_t user, bool success, int64_t now_ms)
{
    assert(throttle->under_way > 0);
    throttle->under_way--;
    attempts_t *pair = pair_at(throttle, peer, user, now_ms);
    attempts_t *address = address_at(throttle, peer, now_ms);
    record_end(pair, now_ms);
    record_end(address, now_ms);
    pair->trusted = success;
    if (success) {
        pair->failures = 0;
        pair->until_ms = 0;
        address_refund(address, now_ms);
        return;
    }
    if (pair->failures < UINT32_MAX)
        pair->failures++;
    pair->until_ms = now_ms + delay_after(pair->failures);
}
