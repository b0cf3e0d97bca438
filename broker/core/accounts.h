/* SPDX-License-Identifier: MPL-2.0 */
/* The managers' accounts, and how fast an address may guess passwords. This module decides, but does not
 * compute: argon2id takes tens of milliseconds, so a verifier does it in a thread of its own.
 *
 * An attempt is accounts_begin (which may refuse it for its rate), password_verify in the verifier, then
 * accounts_end. An unknown user is verified too, against a decoy hash, so that this takes as long as a wrong
 * password. Failures are counted for each pair (peer address, account): the first ACCOUNTS_FREE_FAILURES cost
 * nothing, then there is a delay that doubles up to a limit. They are also counted for each address, with a
 * generous limit, which does not apply to a pair that has logged in and not failed since. Memory is bounded:
 * a new record replaces the one that was quiet for longest. */
#ifndef KV_BROKER_CORE_ACCOUNTS_H
#define KV_BROKER_CORE_ACCOUNTS_H

#include "broker/core/settings.h"
#include "common/bytes.h"
#include "common/status.h"

typedef struct accounts accounts_t;

enum {
    ACCOUNTS_FREE_FAILURES = 5,
    ACCOUNTS_HASH_SIZE = 128,     /* crypto_pwhash_STRBYTES */
    ACCOUNTS_PEER = 64,           /* bytes of a peer's address that count */
    ACCOUNTS_PAIRS = 65536,       /* pairs (address, account) that are remembered */
    ACCOUNTS_ADDRESSES = 8192,    /* addresses that are remembered */
    ACCOUNTS_UNDER_WAY_MAX = 512, /* attempts under way in all */

    /* Limits of the costs of a hash: the memory that a verification takes, the passes over it, and their
     * product. */
    PASSWORD_MEMORY_KIB_MAX = 1048576,
    PASSWORD_PASSES_MAX = 1024,
    PASSWORD_WORK_KIB_MAX = 4 * 1048576
};

/* MANAGERS is copied. NULL if memory is refused. */
KV_MUST_USE accounts_t *accounts_new(const credential_t *managers, unsigned count);
void accounts_destroy(accounts_t **accounts);

/* Replaces the accounts by MANAGERS (copied); the counts of failures stay. False if memory is refused:
 * nothing has changed then. */
KV_MUST_USE bool accounts_configure(accounts_t *accounts, const credential_t *managers, unsigned count);

/* The version of the account USER: it changes when the hash changes, and no version is used twice. 0 = there
 * is no such account. */
uint64_t accounts_version(const accounts_t *accounts, bytes_t user);

/* Begins an attempt of USER from PEER (an address, or "ipc user UID"). STATUS_OK: *HASH is what to verify the
 * password against (a decoy for an unknown user). STATUS_RESOURCE_EXHAUSTED: too many failures; the next
 * attempt is accepted in *WAIT_MS. The attempts in progress are limited for each pair, for each address and
 * in all, so that an attacker gains at most 20 guesses by guessing in parallel. Each OK must be followed by
 * one accounts_end, accounts_abandon or accounts_withdraw. */
KV_MUST_USE status_t accounts_begin(accounts_t *accounts, bytes_t peer, bytes_t user, int64_t now_ms,
                                    char hash[ACCOUNTS_HASH_SIZE], uint64_t *wait_ms);

/* Ends the attempt. If MATCHED and the account exists, forgets the pair's failures and returns STATUS_OK;
 * else counts a failure and returns STATUS_UNAUTHENTICATED. A caller whose attempt cannot have matched may
 * ignore the result. */
status_t accounts_end(accounts_t *accounts, bytes_t peer, bytes_t user, bool matched, int64_t now_ms);

/* Ends an attempt whose session ended before its verification: it counts as a failure. */
void accounts_abandon(accounts_t *accounts, bytes_t peer, bytes_t user, int64_t now_ms);

/* Ends an attempt whose password was not verified, for lack of memory for example: it does not count. */
void accounts_withdraw(accounts_t *accounts, bytes_t peer, bytes_t user, int64_t now_ms);

/* Result of verifying a password. */
typedef enum verdict {
    VERDICT_WRONG,
    VERDICT_RIGHT,
    VERDICT_NONE /* not verified: memory was refused */
} verdict_t;

/* Whether HASH (argon2id, as crypto_pwhash_str writes it) is the hash of PASSWORD. Slow,
 * thread-safe. Takes as much memory as the hash says. */
KV_MUST_USE verdict_t password_verify(const char *hash, bytes_t password);
/* Writes the argon2id hash of PASSWORD (crypto_pwhash_*_INTERACTIVE costs). False if memory is refused. */
KV_MUST_USE bool password_hash(bytes_t password, char hash[ACCOUNTS_HASH_SIZE]);
/* Whether TEXT is an argon2id hash that libsodium can verify, within the limits of its costs (at most 1
 * GiB). */
bool password_hash_valid(const char *text);

#endif
