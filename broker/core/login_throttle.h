/* SPDX-License-Identifier: MPL-2.0 */
/* How fast an address may guess passwords.
 *
 * Failures are counted for each pair (peer address, account): the first LOGIN_FREE_FAILURES cost nothing,
 * then there is a delay that doubles up to a limit. They are also counted for each address, with a generous
 * limit, which does not apply to a pair that has logged in and not failed since. The attempts in progress are
 * limited for each pair, for each address and in all, so that an attacker gains at most 20 guesses by
 * guessing in parallel. Memory is bounded: a new record replaces the one that was quiet for longest. */
#ifndef KV_BROKER_CORE_LOGIN_THROTTLE_H
#define KV_BROKER_CORE_LOGIN_THROTTLE_H

#include "common/bytes.h"
#include "common/status.h"

typedef struct login_throttle login_throttle_t;

enum {
    LOGIN_FREE_FAILURES = 5,
    LOGIN_PEER = 64,          /* bytes of a peer's address that count */
    LOGIN_PAIRS = 65536,      /* pairs (address, account) that are remembered */
    LOGIN_ADDRESSES = 8192,   /* addresses that are remembered */
    LOGIN_UNDER_WAY_MAX = 512 /* attempts under way in all */
};

/* NULL if memory is refused. */
KV_MUST_USE login_throttle_t *login_throttle_new(void);
void login_throttle_destroy(login_throttle_t **throttle);

/* USER, which need not exist, is attempted from PEER (an address, or "ipc user UID"). Returns 0 if the
 * attempt may begin: then call one of the next two when it is over. Otherwise returns in how many ms an
 * attempt is accepted. */
KV_MUST_USE uint64_t login_throttle_begin(login_throttle_t *throttle, bytes_t peer, bytes_t user,
                                          int64_t now_ms);
/* The attempt has ended. SUCCESS: the pair's failures are forgotten; otherwise it counts as one. */
void login_throttle_end(login_throttle_t *throttle, bytes_t peer, bytes_t user, bool success, int64_t now_ms);
/* The attempt was given up, and nothing is known about the password: it does not count. */
void login_throttle_withdraw(login_throttle_t *throttle, bytes_t peer, bytes_t user, int64_t now_ms);

#endif
