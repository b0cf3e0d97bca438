/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the form of a secret's hash. Knows nothing of names or who asks. */
#include "broker/core/secret.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>

#define PREFIX "$blake2b$"

enum {
    SALT_SIZE = crypto_generichash_KEYBYTES_MIN, /* 16 bytes */
    SUM_SIZE = crypto_generichash_BYTES,         /* 32 bytes */
    BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING,
    SALT_TEXT = sodium_base64_ENCODED_LEN(SALT_SIZE, BASE64), /* with the terminating zero */
    SUM_TEXT = sodium_base64_ENCODED_LEN(SUM_SIZE, BASE64)
};
static_assert(sizeof PREFIX - 1 + SALT_TEXT + SUM_TEXT <= SECRET_HASH_SIZE, "a hash must fit its text");

/* A hash taken apart. */
typedef struct parts {
    uint8_t salt[SALT_SIZE];
    uint8_t sum[SUM_SIZE];
} parts_t;

static bool parts_read(parts_t *parts, const char *text)
{
    if (strncmp(text, PREFIX, sizeof PREFIX - 1) != 0)
        return false;
    const char *salt = text + sizeof PREFIX - 1;
    const char *dollar = strchr(salt, '$');
    if (dollar == NULL)
        return false;
    const char *sum = dollar + 1;
    size_t size = 0;
    if (sodium_base642bin(parts->salt, SALT_SIZE, salt, (size_t)(dollar - salt), NULL, &size, NULL, BASE64) !=
            0 ||
        size != SALT_SIZE)
        return false;
    return sodium_base642bin(parts->sum, SUM_SIZE, sum, strlen(sum), NULL, &size, NULL, BASE64) == 0 &&
           size == SUM_SIZE;
}

static void sum_make(uint8_t sum[SUM_SIZE], const uint8_t salt[SALT_SIZE], bytes_t secret)
{
    int refused = crypto_generichash(sum, SUM_SIZE, secret.data, secret.size, salt, SALT_SIZE);
    assert(refused == 0);
    (void)refused;
}

void secret_hash(bytes_t secret, char hash[SECRET_HASH_SIZE])
{
    parts_t parts;
    randombytes_buf(parts.salt, sizeof parts.salt);
    sum_make(parts.sum, parts.salt, secret);
    char salt[SALT_TEXT];
    char sum[SUM_TEXT];
    sodium_bin2base64(salt, sizeof salt, parts.salt, SALT_SIZE, BASE64);
    sodium_bin2base64(sum, sizeof sum, parts.sum, SUM_SIZE, BASE64);
    int length = snprintf(hash, SECRET_HASH_SIZE, PREFIX "%s$%s", salt, sum);
    assert(length > 0 && length < SECRET_HASH_SIZE);
    (void)length;
}

bool secret_hash_valid(const char *text)
{
    parts_t parts;
    return parts_read(&parts, text);
}

bool secret_matches(const char *hash, bytes_t secret)
{
    parts_t parts;
    if (!parts_read(&parts, hash))
        return false;
    uint8_t sum[SUM_SIZE];
    sum_make(sum, parts.salt, secret);
    bool same = sodium_memcmp(sum, parts.sum, SUM_SIZE) == 0;
    sodium_memzero(sum, sizeof sum);
    return same;
}
