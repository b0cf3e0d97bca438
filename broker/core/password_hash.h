/* SPDX-License-Identifier: MPL-2.0 */
/* Hashes of managers' passwords: argon2id, as libsodium's crypto_pwhash_str writes them. It is slow and takes
 * much memory on purpose, because people choose passwords; secret.h has the fast hash for random secrets. */
#ifndef KV_BROKER_CORE_PASSWORD_HASH_H
#define KV_BROKER_CORE_PASSWORD_HASH_H

#include "common/bytes.h"
#include "common/status.h"

enum {
    PASSWORD_HASH_SIZE = 128, /* crypto_pwhash_STRBYTES */

    /* Limits of the costs of a hash: the memory that a verification takes, the passes over it, and their
     * product. */
    PASSWORD_MEMORY_KIB_MAX = 1048576,
    PASSWORD_PASSES_MAX = 1024,
    PASSWORD_WORK_KIB_MAX = 4 * 1048576
};

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
KV_MUST_USE bool password_hash(bytes_t password, char hash[PASSWORD_HASH_SIZE]);
/* Whether TEXT is an argon2id hash that libsodium can verify, within the limits of its costs (at most 1
 * GiB). */
bool password_hash_valid(const char *text);

#endif
