/* SPDX-License-Identifier: MPL-2.0 */
/* Hashes of passwords: which are taken, and which passwords match them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sodium.h>

#include "broker/core/password_hash.h"
#include "tests/support/volume.h"

enum { MEMORY_MIN = 8192 }; /* bytes: the cheapest argon2id that libsodium computes */

static bytes_t text(const char *value)
{
    return bytes_from_text(value);
}

static void password__hash_of_it__matches_only_it(void **state)
{
    (void)state;
    char cheap[PASSWORD_HASH_SIZE];
    char hash[PASSWORD_HASH_SIZE];
    assert_true(password_hash(text("eve"), hash));
    assert_true(password_hash_valid(hash));
    assert_int_equal(password_verify(hash, text("eve")), VERDICT_RIGHT);
    assert_int_equal(crypto_pwhash_str_alg(cheap, "eve", 3, 1, MEMORY_MIN, crypto_pwhash_ALG_ARGON2ID13), 0);
    assert_int_equal(password_verify(cheap, text("eve")), VERDICT_RIGHT);
    assert_int_equal(password_verify(cheap, bytes_of(NULL, 0)), VERDICT_WRONG);
    if (!under_valgrind()) /* slow, and all of it is libsodium's code: a pass over 64 MiB */
        assert_int_equal(password_verify(hash, text("eva")), VERDICT_WRONG);
}

/* Hashes from the program argon2, with a salt of 8 bytes, two lanes, and a sum of 24 bytes. */
static void password__hash_of_another_form__is_verified(void **state)
{
    (void)state;
    static const char *const hashes[] = {
        "$argon2id$v=19$m=16,t=2,p=1$c2FsdHNhbHQ$ZhTuAAvMRkWmkhXmqCgmBUjv0hDGwZ0hPkEF6wkH9AA",
        "$argon2id$v=19$m=16,t=1,p=2$c2l4dGVlbiBieXRlcyBvaw$3tUCiqjdCsnZZ0zV/hpbpfwrKQloF2GxdHZhPSd/2x0",
        "$argon2id$v=19$m=32,t=3,p=1$c2l4dGVlbiBieXRlcyBvaw$UEUg4160zNzkxJx4/ingw4XjBlOAAzVs",
    };
    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
        assert_true(password_hash_valid(hashes[i]));
        assert_int_equal(password_verify(hashes[i], text("eve")), VERDICT_RIGHT);
        assert_int_equal(password_verify(hashes[i], text("eva")), VERDICT_WRONG);
    }
}

static void password_hash_valid__costs_up_to_the_bound__are_taken(void **state)
{
    (void)state;
    assert_true(password_hash_valid("$argon2id$v=19$m=1048576,t=4,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
                                    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
}

static void password_hash_valid__anything_else__is_refused(void **state)
{
    (void)state;
#define TAIL "$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    static const char *const texts[] = {
        "",
        "eve",
        "$argon2id$",
        "$argon2i$v=19$m=65536,t=2,p=1" TAIL,
        "$argon2d$v=19$m=65536,t=2,p=1" TAIL,
        "$argon2id$v=16$m=65536,t=2,p=1" TAIL,
        "$argon2id$v=19$m=65536,t=2,p=1",
        "$argon2id$v=19$m=65536,t=2" TAIL,
        "$argon2id$v=19$m=,t=2,p=1" TAIL,
        "$argon2id$v=19$m=-8,t=2,p=1" TAIL,
        "$argon2id$v=19$m= 65536,t=2,p=1" TAIL,
        "$argon2id$v=19$m=65536,t=2,p=1" TAIL "!",
        "$argon2id$v=19$m=1048577,t=1,p=1" TAIL,              /* above 1 GiB */
        "$argon2id$v=19$m=1048576,t=5,p=1" TAIL,              /* too much work */
        "$argon2id$v=19$m=8,t=4294967295,p=1" TAIL,           /* too many passes */
        "$argon2id$v=19$m=99999999999999999999,t=1,p=1" TAIL, /* no number */
        "$argon2id$v=19$m=65536,t=2,p=1" TAIL TAIL,
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (password_hash_valid(texts[i]))
            fail_msg("taken: %s", texts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(password__hash_of_another_form__is_verified),
        cmocka_unit_test(password__hash_of_it__matches_only_it),
        cmocka_unit_test(password_hash_valid__costs_up_to_the_bound__are_taken),
        cmocka_unit_test(password_hash_valid__anything_else__is_refused),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
