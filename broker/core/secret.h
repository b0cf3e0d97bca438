/* SPDX-License-Identifier: MPL-2.0 */
/* Secrets of claimed names, kept as a keyed hash: BLAKE2b-256 keyed with a random salt (libsodium,
 * crypto_generichash), printed as `$blake2b$SALT$HASH` in unpadded URL-safe base64. A fast hash suffices: a
 * secret is random and at least 16 bytes, not a password. */
#ifndef KV_BROKER_CORE_SECRET_H
#define KV_BROKER_CORE_SECRET_H

#include "common/bytes.h"
#include "common/status.h"

enum { SECRET_HASH_SIZE = 80 }; /* bytes of a hash's text with its terminating zero, at most */

/* Writes the hash of SECRET under a new random salt. sodium_init must have been called. */
void secret_hash(bytes_t secret, char hash[SECRET_HASH_SIZE]);

/* Whether TEXT has the form that secret_hash writes. */
bool secret_hash_valid(const char *text);

/* Whether HASH was made from SECRET; compared in constant time. */
KV_MUST_USE bool secret_matches(const char *hash, bytes_t secret);

#endif
