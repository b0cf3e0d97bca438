/* SPDX-License-Identifier: MPL-2.0 */
/* Hashes of the secrets of names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sodium.h>

#include "broker/core/secret.h"
#include "common/limits.h"

static const char secret_text[] = "sixteen bytes ok";

static void secret__hash_of_it__matches(void **state)
{
    (void)state;
    char hash[SECRET_HASH_SIZE];
    secret_hash(bytes_from_text(secret_text), hash);
    assert_true(secret_matches(hash, bytes_from_text(secret_text)));
}

static void secret__longest_with_zero_bytes__matches_only_itself(void **state)
{
    (void)state;
    uint8_t secret[LIMIT_SECRET_MAX] = {0};
    char hash[SECRET_HASH_SIZE];
    secret_hash(bytes_of(secret, sizeof secret), hash);
    assert_true(secret_matches(hash, bytes_of(secret, sizeof secret)));
    assert_false(secret_matches(hash, bytes_of(secret, sizeof secret - 1)));
    secret[sizeof secret - 1] = 1;
    assert_false(secret_matches(hash, bytes_of(secret, sizeof secret)));
}

static void secret__another__does_not_match(void **state)
{
    (void)state;
    char hash[SECRET_HASH_SIZE];
    secret_hash(bytes_from_text(secret_text), hash);
    assert_false(secret_matches(hash, bytes_from_text("sixteen bytes oK")));
    assert_false(secret_matches(hash, bytes_of(NULL, 0)));
}

static void secret__hashed_twice__gives_two_texts(void **state)
{
    (void)state;
    char one[SECRET_HASH_SIZE];
    char other[SECRET_HASH_SIZE];
    secret_hash(bytes_from_text(secret_text), one);
    secret_hash(bytes_from_text(secret_text), other);
    assert_string_not_equal(one, other);
}

static void hash__as_written__is_valid(void **state)
{
    (void)state;
    char hash[SECRET_HASH_SIZE];
    secret_hash(bytes_from_text(secret_text), hash);
    assert_true(secret_hash_valid(hash));
}

static void hash__malformed__is_not_valid_and_matches_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "$blake2b$",
        "$blake2b$AAAAAAAAAAAAAAAAAAAAAA",
        "$blake2b$AAAAAAAAAAAAAAAAAAAAAA$",
        "$blake2b$AAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",    /* salt short */
        "$blake2b$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",    /* sum short */
        "$blake2b$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", /* sum long */
        "$blake2b$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "$blake2b$AAAAAAAAAAAAAAAAAAAA+A$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$blake2s$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=65536,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_false(secret_hash_valid(texts[i]));
        assert_false(secret_matches(texts[i], bytes_from_text(secret_text)));
    }
}

static int set_up(void **state)
{
    (void)state;
    return sodium_init() < 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secret__hash_of_it__matches),
        cmocka_unit_test(secret__longest_with_zero_bytes__matches_only_itself),
        cmocka_unit_test(secret__another__does_not_match),
        cmocka_unit_test(secret__hashed_twice__gives_two_texts),
        cmocka_unit_test(hash__as_written__is_valid),
        cmocka_unit_test(hash__malformed__is_not_valid_and_matches_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
