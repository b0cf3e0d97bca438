/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the accounts and the tables of recent failures. Knows nothing about sessions, and never computes
 * argon2id for an attempt.
 *
 * Both tables are divided into sets of SET_WAYS records. A keyed hash (siphash with a random key) chooses the
 * set, so that no peer can choose whose record its own one replaces. The size of the tables never changes. */
#include "broker/core/accounts.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    SET_WAYS = 8,
    SUM_SIZE = 32, /* bytes of argon2id's result in what crypto_pwhash_str writes */
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

/* What is remembered of a pair (address, account), or of an address. */
typedef struct record {
    uint8_t key[KEY_SIZE];
    int64_t touched_ms; /* when its last attempt began or ended */
    int64_t until_ms;   /* pair: no attempt before it. Address: when its bucket of failures is empty */
    uint32_t failures;  /* pair: in a row */
    uint16_t under_way; /* attempts in progress */
    bool used;
    bool trusted; /* pair: it logged in and has not failed since: the address's limit does not apply */
} record_t;

typedef struct table {
    record_t *records; /* sets of SET_WAYS; zeroed pages until they are touched */
    size_t sets;
} table_t;

typedef struct account {
    char *name;
    char *hash;
    uint64_t version; /* never used twice */
} account_t;

struct accounts {
    account_t *managers; /* owned, with its texts; sorted by name */
    size_t count;
    uint64_t last_version;
    table_t pairs;
    table_t addresses;
    unsigned under_way; /* attempts in all, at most ACCOUNTS_UNDER_WAY_MAX */
    uint8_t secret[crypto_shorthash_siphashx24_KEYBYTES];
};

/* For unknown users if there is no account at all: well-formed, with the costs of password_hash, and of no
 * known password. */
static const char decoy_hash[] = "$argon2id$v=19$m=65536,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
                                 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/* ---- The tables ------------------------------------------------------------------------------- */

static bool table_init(table_t *table, size_t records)
{
    table->sets = records / SET_WAYS;
    table->records = calloc(records, sizeof *table->records);
    return table->records != NULL;
}

static bool forgotten(const record_t *record, int64_t now_ms)
{
    return !record->used || (record->under_way == 0 && now_ms - record->touched_ms >= FORGET_MS);
}

/* Whether A is replaced before B: first one without an attempt in progress, then the one that was quiet for
 * longer. */
static bool yields_before(const record_t *a, const record_t *b)
{
    if ((a->under_way == 0) != (b->under_way == 0))
        return a->under_way == 0;
    return a->touched_ms < b->touched_ms;
}

/* The record of KEY. If there is none, makes it in place of the one that was quiet for longest. */
static record_t *table_at(table_t *table, const uint8_t key[KEY_SIZE], int64_t now_ms)
{
    uint64_t hash;
    memcpy(&hash, key, sizeof hash);
    record_t *set = &table->records[hash % table->sets * SET_WAYS];
    record_t *place = &set[0];
    for (record_t *record = set; record < set + SET_WAYS; record++) {
        bool unused = forgotten(record, now_ms);
        if (!unused && memcmp(record->key, key, KEY_SIZE) == 0)
            return record;
        if (forgotten(place, now_ms))
            continue;
        if (unused || yields_before(record, place))
            place = record;
    }
    *place = (record_t){.used = true, .touched_ms = now_ms};
    memcpy(place->key, key, KEY_SIZE);
    return place;
}

/* A keyed hash of FIRST and SECOND: equal only if both are. */
static void key_make(const accounts_t *accounts, bytes_t first, bytes_t second, uint8_t key[KEY_SIZE])
{
    uint8_t text[sizeof(uint64_t) + ACCOUNTS_PEER + LIMIT_USER];
    uint64_t size = first.size < ACCOUNTS_PEER ? first.size : ACCOUNTS_PEER;
    uint64_t rest = second.size < LIMIT_USER ? second.size : LIMIT_USER;
    memcpy(text, &size, sizeof size);
    if (size > 0)
        memcpy(text + sizeof size, first.data, size);
    if (rest > 0)
        memcpy(text + sizeof size + size, second.data, rest);
    crypto_shorthash_siphashx24(key, text, sizeof size + size + rest, accounts->secret);
}

static record_t *pair_at(accounts_t *accounts, bytes_t peer, bytes_t user, int64_t now_ms)
{
    uint8_t key[KEY_SIZE];
    key_make(accounts, peer, user, key);
    return table_at(&accounts->pairs, key, now_ms);
}

static record_t *address_at(accounts_t *accounts, bytes_t peer, int64_t now_ms)
{
    uint8_t key[KEY_SIZE];
    key_make(accounts, peer, bytes_of(NULL, 0), key);
    return table_at(&accounts->addresses, key, now_ms);
}

/* ---- The accounts ----------------------------------------------------------------------------- */

static void managers_free(account_t *managers, size_t count)
{
    for (size_t i = 0; managers != NULL && i < count; i++) {
        free(managers[i].name);
        free(managers[i].hash);
    }
    free(managers);
}

static int account_compare(const void *a, const void *b)
{
    return strcmp(((const account_t *)a)->name, ((const account_t *)b)->name);
}

static const account_t *account_find(const accounts_t *accounts, bytes_t user)
{
    size_t low = 0;
    size_t high = accounts->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const account_t *account = &accounts->managers[middle];
        int order = bytes_compare(user, bytes_from_text(account->name));
        if (order == 0)
            return account;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* Fills ACCOUNT with a copy of CREDENTIAL; an existing account keeps its version. */
static bool account_init(accounts_t *accounts, account_t *account, const credential_t *credential)
{
    account->name = strdup(credential->name);
    account->hash = strdup(credential->hash);
    if (account->name == NULL || account->hash == NULL)
        return false;
    const account_t *before = account_find(accounts, bytes_from_text(credential->name));
    bool same = before != NULL && strcmp(before->hash, credential->hash) == 0;
    account->version = same ? before->version : ++accounts->last_version;
    return true;
}

bool accounts_configure(accounts_t *accounts, const credential_t *managers, unsigned count)
{
    account_t *copies = calloc(count > 0 ? count : 1, sizeof *copies);
    bool done = copies != NULL;
    for (unsigned i = 0; done && i < count; i++)
        done = account_init(accounts, &copies[i], &managers[i]);
    if (!done) {
        managers_free(copies, count);
        return false;
    }
    qsort(copies, count, sizeof *copies, account_compare);
    managers_free(accounts->managers, accounts->count);
    accounts->managers = copies;
    accounts->count = count;
    return true;
}

uint64_t accounts_version(const accounts_t *accounts, bytes_t user)
{
    const account_t *account = account_find(accounts, user);
    return account == NULL ? 0 : account->version;
}

accounts_t *accounts_new(const credential_t *managers, unsigned count)
{
    accounts_t *accounts = calloc(1, sizeof *accounts);
    if (accounts == NULL)
        return NULL;
    randombytes_buf(accounts->secret, sizeof accounts->secret);
    if (!accounts_configure(accounts, managers, count) || !table_init(&accounts->pairs, ACCOUNTS_PAIRS) ||
        !table_init(&accounts->addresses, ACCOUNTS_ADDRESSES))
        accounts_destroy(&accounts);
    return accounts;
}

void accounts_destroy(accounts_t **accounts)
{
    accounts_t *self = *accounts;
    if (self == NULL)
        return;
    managers_free(self->managers, self->count);
    free(self->pairs.records);
    free(self->addresses.records);
    sodium_memzero(self->secret, sizeof self->secret);
    free(self);
    *accounts = NULL;
}

/* Copies the text of a hash. */
static void text_write(const char *source, char hash[ACCOUNTS_HASH_SIZE])
{
    size_t size = strlen(source) + 1;
    assert(size <= ACCOUNTS_HASH_SIZE);
    memcpy(hash, source, size);
}

/* Writes the hash to verify against for a user that does not exist: the hash of an account, always the same
 * account for the same user, with its sum overwritten. So unknown users take as long as known ones, even if
 * accounts differ in their costs, and no password matches. */
static void decoy_write(const accounts_t *accounts, bytes_t user, char hash[ACCOUNTS_HASH_SIZE])
{
    const char *source = decoy_hash;
    if (accounts->count > 0) {
        uint8_t key[KEY_SIZE];
        uint64_t choice;
        key_make(accounts, bytes_from_text("decoy"), user, key);
        memcpy(&choice, key, sizeof choice);
        source = accounts->managers[choice % accounts->count].hash;
    }
    text_write(source, hash);
    char *sum = strrchr(hash, '$');
    assert(sum != NULL);
    memset(sum + 1, 'A', strlen(sum + 1));
}

/* ---- Attempts --------------------------------------------------------------------------------- */

static int64_t delay_after(uint32_t failures)
{
    if (failures < ACCOUNTS_FREE_FAILURES)
        return 0;
    int64_t delay_ms = DELAY_FIRST_MS;
    for (uint32_t i = ACCOUNTS_FREE_FAILURES; i < failures && delay_ms < DELAY_LAST_MS; i++)
        delay_ms *= 2;
    return delay_ms < DELAY_LAST_MS ? delay_ms : DELAY_LAST_MS;
}

/* How long PAIR has to wait; 0 = not at all. */
static int64_t pair_wait(const record_t *pair, int64_t now_ms)
{
    if (now_ms < pair->until_ms)
        return pair->until_ms - now_ms;
    uint32_t side_by_side = pair->failures < PAIR_UNDER_WAY_MAX ? PAIR_UNDER_WAY_MAX - pair->failures : 1;
    return pair->under_way >= side_by_side ? BUSY_MS : 0;
}

/* How long ADDRESS has to wait: a leaky bucket of failures. */
static int64_t address_wait(const record_t *address, int64_t now_ms)
{
    int64_t over_ms = address->until_ms - now_ms - (ADDRESS_BURST - 1) * (int64_t)ADDRESS_FAILURE_MS;
    if (over_ms > 0)
        return over_ms;
    return address->under_way >= ADDRESS_UNDER_WAY_MAX ? BUSY_MS : 0;
}

status_t accounts_begin(accounts_t *accounts, bytes_t peer, bytes_t user, int64_t now_ms,
                        char hash[ACCOUNTS_HASH_SIZE], uint64_t *wait_ms)
{
    record_t *pair = pair_at(accounts, peer, user, now_ms);
    record_t *address = address_at(accounts, peer, now_ms);
    int64_t wait = pair_wait(pair, now_ms);
    if (wait == 0 && !pair->trusted)
        wait = address_wait(address, now_ms);
    if (wait == 0 && accounts->under_way == ACCOUNTS_UNDER_WAY_MAX)
        wait = BUSY_MS;
    if (wait > 0) {
        *wait_ms = (uint64_t)wait;
        return STATUS_RESOURCE_EXHAUSTED;
    }
    accounts->under_way++;
    pair->under_way++;
    pair->touched_ms = now_ms;
    address->under_way++;
    address->touched_ms = now_ms;
    address->until_ms = (address->until_ms > now_ms ? address->until_ms : now_ms) + ADDRESS_FAILURE_MS;

    const account_t *account = account_find(accounts, user);
    if (account != NULL)
        text_write(account->hash, hash);
    else
        decoy_write(accounts, user, hash);
    return STATUS_OK;
}

/* Takes back the failure that accounts_begin has counted in advance. */
static void address_refund(record_t *address, int64_t now_ms)
{
    if (address->until_ms > now_ms)
        address->until_ms -= ADDRESS_FAILURE_MS;
}

static void record_end(record_t *record, int64_t now_ms)
{
    record->touched_ms = now_ms;
    if (record->under_way > 0) /* 0 if the record was replaced meanwhile, and is made again */
        record->under_way--;
}

void accounts_withdraw(accounts_t *accounts, bytes_t peer, bytes_t user, int64_t now_ms)
{
    assert(accounts->under_way > 0);
    accounts->under_way--;
    record_t *address = address_at(accounts, peer, now_ms);
    record_end(pair_at(accounts, peer, user, now_ms), now_ms);
    record_end(address, now_ms);
    address_refund(address, now_ms);
}

status_t accounts_end(accounts_t *accounts, bytes_t peer, bytes_t user, bool matched, int64_t now_ms)
{
    assert(accounts->under_way > 0);
    accounts->under_way--;
    record_t *pair = pair_at(accounts, peer, user, now_ms);
    record_t *address = address_at(accounts, peer, now_ms);
    record_end(pair, now_ms);
    record_end(address, now_ms);
    if (matched && account_find(accounts, user) != NULL) {
        pair->failures = 0;
        pair->until_ms = 0;
        pair->trusted = true;
        address_refund(address, now_ms);
        return STATUS_OK;
    }
    pair->trusted = false;
    if (pair->failures < UINT32_MAX)
        pair->failures++;
    pair->until_ms = now_ms + delay_after(pair->failures);
    return STATUS_UNAUTHENTICATED;
}

void accounts_abandon(accounts_t *accounts, bytes_t peer, bytes_t user, int64_t now_ms)
{
    status_t status = accounts_end(accounts, peer, user, false, now_ms);
    assert(status == STATUS_UNAUTHENTICATED);
    (void)status;
}

/* ---- Passwords -------------------------------------------------------------------------------- */

/* libsodium needs a pointer even if there is no byte. */
static const char *characters(bytes_t password)
{
    return password.size > 0 ? (const char *)password.data : "";
}

#define HASH_PREFIX "$argon2id$v=19$m=" /* memory in KiB follows */

/* A hash in its parts. */
typedef struct hash_parts {
    unsigned long memory_kib;
    unsigned long passes;
    uint8_t salt[crypto_pwhash_SALTBYTES];
    uint8_t sum[SUM_SIZE];
} hash_parts_t;

/* Reads PREFIX and the number after it, and moves *TEXT past them. False if *TEXT begins otherwise. */
static bool figure_take(const char **text, const char *prefix, unsigned long *number)
{
    size_t length = strlen(prefix);
    if (strncmp(*text, prefix, length) != 0)
        return false;
    char *end = NULL;
    *number = strtoul(*text + length, &end, 10);
    bool some = end != *text + length;
    *text = end;
    return some;
}

/* Splits a hash into its parts. False if it has another form than crypto_pwhash_str writes. */
static bool hash_parts_read(const char *hash, hash_parts_t *parts)
{
    static const int variant = sodium_base64_VARIANT_ORIGINAL_NO_PADDING;
    unsigned long lanes = 0;
    if (!figure_take(&hash, HASH_PREFIX, &parts->memory_kib) || !figure_take(&hash, ",t=", &parts->passes) ||
        !figure_take(&hash, ",p=", &lanes) || lanes != 1 || *hash != '$')
        return false;
    const char *salt = hash + 1;
    const char *dollar = strchr(salt, '$');
    size_t salt_size = 0;
    size_t sum_size = 0;
    return dollar != NULL &&
           sodium_base642bin(parts->salt, sizeof parts->salt, salt, (size_t)(dollar - salt), NULL, &salt_size,
                             NULL, variant) == 0 &&
           salt_size == sizeof parts->salt &&
           sodium_base642bin(parts->sum, sizeof parts->sum, dollar + 1, strlen(dollar + 1), NULL, &sum_size,
                             NULL, variant) == 0 &&
           sum_size == sizeof parts->sum;
}

/* Whether the system can give SIZE bytes now. */
static bool memory_there(size_t size)
{
    void *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return block != MAP_FAILED && munmap(block, size) == 0;
}

/* password_verify for a hash of a form that other programs write: several lanes, another size of salt or sum.
 * libsodium reports refused memory as a wrong password. So if the system cannot give that much memory, right
 * before or right after, the result is unknown. */
static verdict_t foreign_verify(const char *hash, bytes_t password)
{
    size_t size = strtoul(hash + strlen(HASH_PREFIX), NULL, 10) << 10;
    if (!memory_there(size))
        return VERDICT_NONE;
    if (crypto_pwhash_str_verify(hash, characters(password), password.size) == 0)
        return VERDICT_RIGHT;
    return memory_there(size) ? VERDICT_WRONG : VERDICT_NONE;
}

verdict_t password_verify(const char *hash, bytes_t password)
{
    /* crypto_pwhash_str_verify reports refused memory as a wrong password. So the hash is computed and
     * compared here, except in forms that only that call understands. */
    hash_parts_t parts;
    if (!hash_parts_read(hash, &parts))
        return foreign_verify(hash, password);
    uint8_t sum[SUM_SIZE];
    if (crypto_pwhash(sum, sizeof sum, characters(password), password.size, parts.salt, parts.passes,
                      parts.memory_kib << 10, crypto_pwhash_ALG_ARGON2ID13) != 0)
        return VERDICT_NONE;
    return sodium_memcmp(sum, parts.sum, sizeof sum) == 0 ? VERDICT_RIGHT : VERDICT_WRONG;
}

bool password_hash(bytes_t password, char hash[ACCOUNTS_HASH_SIZE])
{
    return crypto_pwhash_str_alg(hash, characters(password), password.size,
                                 crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
                                 crypto_pwhash_ALG_ARGON2ID13) == 0;
}

bool password_hash_valid(const char *text)
{
    static const char prefix[] = HASH_PREFIX;
    if (strncmp(text, prefix, sizeof prefix - 1) != 0 || strlen(text) >= ACCOUNTS_HASH_SIZE)
        return false;
    char *end = NULL;
    unsigned long memory_kib = strtoul(text + sizeof prefix - 1, &end, 10);
    if (strncmp(end, ",t=", 3) != 0)
        return false;
    unsigned long passes = strtoul(end + 3, &end, 10);
    if (memory_kib > PASSWORD_MEMORY_KIB_MAX || passes > PASSWORD_PASSES_MAX ||
        memory_kib * passes > PASSWORD_WORK_KIB_MAX)
        return false;
    /* libsodium parses the whole text for this, so it also tells whether it is well-formed; the costs passed
     * do not matter. */
    return crypto_pwhash_argon2id_str_needs_rehash(text, crypto_pwhash_OPSLIMIT_INTERACTIVE,
                                                   crypto_pwhash_MEMLIMIT_INTERACTIVE) != -1;
}
