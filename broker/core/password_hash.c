/* SPDX-License-Identifier: MPL-2.0 */
/* Owns what argon2id computes, and the form of its hashes. Knows nothing of accounts. */
#include "broker/core/password_hash.h"

#include <sodium.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { SUM_SIZE = 32 }; /* bytes of argon2id's result in what crypto_pwhash_str writes */

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

bool password_hash(bytes_t password, char hash[PASSWORD_HASH_SIZE])
{
    return crypto_pwhash_str_alg(hash, characters(password), password.size,
                                 crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
                                 crypto_pwhash_ALG_ARGON2ID13) == 0;
}

bool password_hash_valid(const char *text)
{
    static const char prefix[] = HASH_PREFIX;
    if (strncmp(text, prefix, sizeof prefix - 1) != 0 || strlen(text) >= PASSWORD_HASH_SIZE)
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
