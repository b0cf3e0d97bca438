/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the accounts. Knows nothing about sessions, and never computes argon2id for an attempt. */
#include "broker/core/accounts.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "broker/core/login_throttle.h"

typedef struct account {
    char *name;
    char *hash;
    uint64_t version; /* never used twice */
} account_t;

struct accounts {
    account_t *managers; /* owned, with its texts; sorted by name */
    size_t count;
    uint64_t last_version;
    login_throttle_t *throttle;
    uint8_t secret[crypto_shorthash_KEYBYTES]; /* chooses decoys */
};

/* For unknown users if there is no account at all: well-formed, with the costs of password_hash, and of no
 * known password. */
static const char decoy_hash[] = "$argon2id$v=19$m=65536,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
                                 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

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
    accounts->throttle = login_throttle_new();
    if (accounts->throttle == NULL || !accounts_configure(accounts, managers, count))
        accounts_destroy(&accounts);
    return accounts;
}

void accounts_destroy(accounts_t **self)
{
    accounts_t *accounts = *self;
    if (accounts == NULL)
        return;
    managers_free(accounts->managers, accounts->count);
    login_throttle_destroy(&accounts->throttle);
    sodium_memzero(accounts->secret, sizeof accounts->secret);
    free(accounts);
    *self = NULL;
}

/* ---- Attempts --------------------------------------------------------------------------------- */

/* Copies the text of a hash. */
static void text_write(const char *source, char hash[PASSWORD_HASH_SIZE])
{
    size_t size = strlen(source) + 1;
    assert(size <= PASSWORD_HASH_SIZE);
    memcpy(hash, source, size);
}

/* Writes the hash to verify against for a user that does not exist: the hash of an account, always the same
 * account for the same user, with its sum overwritten. So unknown users take as long as known ones, even if
 * accounts differ in their costs, and no password matches. */
static void decoy_write(const accounts_t *accounts, bytes_t user, char hash[PASSWORD_HASH_SIZE])
{
    const char *source = decoy_hash;
    if (accounts->count > 0) {
        uint64_t choice;
        static_assert(sizeof choice == crypto_shorthash_BYTES, "one number");
        crypto_shorthash((unsigned char *)&choice, user.data, user.size, accounts->secret);
        source = accounts->managers[choice % accounts->count].hash;
    }
    text_write(source, hash);
    char *sum = strrchr(hash, '$');
    assert(sum != NULL);
    memset(sum + 1, 'A', strlen(sum + 1));
}

status_t accounts_begin(accounts_t *accounts, bytes_t peer, bytes_t user, int64_t now_ms,
                        char hash[PASSWORD_HASH_SIZE], uint64_t *wait_ms)
{
    uint64_t wait = login_throttle_begin(accounts->throttle, peer, user, now_ms);
    if (wait > 0) {
        *wait_ms = wait;
        return STATUS_RESOURCE_EXHAUSTED;
    }
    const account_t *account = account_find(accounts, user);
    if (account != NULL)
        text_write(account->hash, hash);
    else
        decoy_write(accounts, user, hash);
    return STATUS_OK;
}

status_t accounts_end(accounts_t *accounts, bytes_t peer, bytes_t user, bool matched, int64_t now_ms)
{
    bool success = matched && account_find(accounts, user) != NULL;
    login_throttle_end(accounts->throttle, peer, user, success, now_ms);
    return success ? STATUS_OK : STATUS_UNAUTHENTICATED;
}

void accounts_abandon(accounts_t *accounts, bytes_t peer, bytes_t user, int64_t now_ms)
{
    login_throttle_end(accounts->throttle, peer, user, false, now_ms);
}

void accounts_withdraw(accounts_t *accounts, bytes_t peer, bytes_t user, int64_t now_ms)
{
    login_throttle_withdraw(accounts->throttle, peer, user, now_ms);
}
