/* SPDX-License-Identifier: MPL-2.0 */
/* The managers' accounts. This module decides, but does not compute: argon2id takes tens of milliseconds, so
 * a verifier does it in a thread of its own.
 *
 * An attempt is accounts_begin (which may refuse it for its rate: login_throttle.h), password_verify in the
 * verifier, then accounts_end. An unknown user is verified too, against a decoy hash, so that this takes as
 * long as a wrong password. */
#ifndef KV_BROKER_CORE_ACCOUNTS_H
#define KV_BROKER_CORE_ACCOUNTS_H

#include "broker/core/password_hash.h"
#include "broker/core/settings.h"
#include "common/bytes.h"
#include "common/status.h"

typedef struct accounts accounts_t;

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
 * attempt is accepted in *WAIT_MS. Each OK must be followed by one accounts_end, accounts_abandon or
 * accounts_withdraw. */
KV_MUST_USE status_t accounts_begin(accounts_t *accounts, bytes_t peer, bytes_t user, int64_t now_ms,
                                    char hash[PASSWORD_HASH_SIZE], uint64_t *wait_ms);

/* Ends the attempt. If MATCHED and the account exists, forgets the pair's failures and returns STATUS_OK;
 * else counts a failure and returns STATUS_UNAUTHENTICATED. */
KV_MUST_USE status_t accounts_end(accounts_t *accounts, bytes_t peer, bytes_t user, bool matched,
                                  int64_t now_ms);

/* Ends an attempt whose session ended before its verification: it counts as a failure. */
void accounts_abandon(accounts_t *accounts, bytes_t peer, bytes_t user, int64_t now_ms);

/* Ends an attempt whose password was not verified, for lack of memory for example: it does not count. */
void accounts_withdraw(accounts_t *accounts, bytes_t peer, bytes_t user, int64_t now_ms);

#endif
