/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about UTF-8: what is well-formed, and how untrusted text is shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/utf8.h"
#include "tests/support/chance.h"

/* Encodes CODE without any check and returns its size. A simple implementation to compare with. */
static size_t encode(uint32_t code, uint8_t out[4])
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = size; i-- > 1; code >>= 6)
        out[i] = (uint8_t)(0x80 | (code & 0x3f));
    out[0] = (uint8_t)((0xf00 >> size) | code);
    return size;
}

static void every_code_point__is_valid_but_surrogates(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x1fffff; code++) {
        uint8_t text[4];
        bool expected = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
        if (utf8_valid(bytes_of(text, encode(code, text))) != expected)
            fail_msg("U+%04X: expected %d", code, expected);
    }
}

static void overlong_and_stray_bytes__are_not_valid(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xf5\x80\x80",
        "\xff",
        "\xfe",
        "\xed\xa0\x80",
        "\xf4\x90\x80\x80",
        "\xc3\xc3",
        "\xe2\x82\x41",
        "\xe2\x41",
        "\xc3",
        "\xe2\x82",
        "\xf0\x9f\x98\x41",
        "a\x80",
        "\xc3\xa4\xa4",
        "\xf8\x88\x80\x80\x80",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (utf8_valid(bytes_from_text(texts[i])))
            fail_msg("text %zu was taken", i);
    }
}

static void a_bad_byte__is_found_wherever_it_stands(void **state)
{
    (void)state;
    for (size_t size = 1; size < 40; size++) {
        for (size_t place = 0; place < size; place++) {
            uint8_t *text =
                malloc(size); /* of exactly this size, so that a sanitizer finds a read beyond it */
            assert_non_null(text);
            memset(text, 'a', size);
            assert_true(utf8_valid(bytes_of(text, size)));
            text[place] = 0x80;
            assert_false(utf8_valid(bytes_of(text, size)));
            free(text);
        }
    }
}

static void a_long_character__is_taken_at_every_offset_and_not_when_cut(void **state)
{
    (void)state;
    for (size_t before = 0; before < 20; before++) {
        for (size_t after = 0; after < 20; after++) {
            uint8_t text[64];
            memset(text, 'x', sizeof text);
            memcpy(text + before, "\xf0\x9f\x98\x80", 4);
            assert_true(utf8_valid(bytes_of(text, before + 4 + after)));
        }
        uint8_t cut[64];
        memset(cut, 'x', sizeof cut);
        memcpy(cut + before, "\xf0\x9f\x98\x80", 4);
        for (size_t kept = 1; kept < 4; kept++)
            assert_false(utf8_valid(bytes_of(cut, before + kept)));
    }
}

static void empty__is_valid(void **state)
{
    (void)state;
    assert_true(utf8_valid(bytes_of(NULL, 0)));
}

static void assert_quoted(const char *input, size_t size, const char *expected)
{
    char out[64];
    assert_string_equal(utf8_quote(bytes_of(input, size), out, sizeof out), expected);
}
#define ASSERT_QUOTED(input, expected) assert_quoted(input, sizeof(input) - 1, expected)

static void quote__printable_text__stays(void **state)
{
    (void)state;
    ASSERT_QUOTED("", "");
    ASSERT_QUOTED("plain text ~", "plain text ~");
    ASSERT_QUOTED("K\xc3\xb6ln \xe6\x9d\xb1 \xf0\x9f\x98\x80", "K\xc3\xb6ln \xe6\x9d\xb1 \xf0\x9f\x98\x80");
}

static void quote__what_is_not_text__is_escaped(void **state)
{
    (void)state;
    ASSERT_QUOTED("a\"b'c\\d", "a\\\"b\\'c\\\\d");
    ASSERT_QUOTED("\n\r\t\x1b[31m\x7f", "\\n\\r\\t\\x1b[31m\\x7f");
    ASSERT_QUOTED("a\0b", "a\\x00b");
    ASSERT_QUOTED("\xff\xc3", "\\xff\\xc3");
    ASSERT_QUOTED("\xed\xa0\x80", "\\xed\\xa0\\x80");
}

static void quote__what_hides_or_turns_a_line__is_escaped(void **state)
{
    (void)state;
    ASSERT_QUOTED("\xc2\x85", "\\u{85}");            /* next line, C1 */
    ASSERT_QUOTED("\xe2\x80\xae", "\\u{202e}");      /* right-to-left override */
    ASSERT_QUOTED("\xe2\x80\xa8", "\\u{2028}");      /* line separator */
    ASSERT_QUOTED("\xe2\x80\x8b", "\\u{200b}");      /* zero width space */
    ASSERT_QUOTED("\xf3\xa0\x81\x81", "\\u{e0041}"); /* tag */
}

static void quote__too_long__is_cut_between_characters(void **state)
{
    (void)state;
    char out[8];
    assert_string_equal(utf8_quote(bytes_from_text("1234567"), out, sizeof out), "1234567");
    assert_string_equal(utf8_quote(bytes_from_text("12345678"), out, sizeof out), "1234...");
    assert_string_equal(utf8_quote(bytes_from_text("123\xc3\xa4\xc3\xa4"), out, sizeof out),
                        "123\xc3\xa4\xc3\xa4");
    assert_string_equal(utf8_quote(bytes_from_text("123\xc3\xa4\xc3\xa4z"), out, sizeof out), "123...");
    assert_string_equal(utf8_quote(bytes_from_text("\xff\xff\xff"), out, sizeof out), "\\xff...");
    assert_string_equal(utf8_quote(bytes_from_text("\xf3\xa0\x81\x81 "), out, sizeof out), "...");
}

static void quote__of_random_bytes__is_always_printable_utf8_that_fits(void **state)
{
    (void)state;
    chance_t chance = chance_from(chance_seed());
    for (int round = 0; round < 20000; round++) {
        uint8_t input[48];
        size_t size = 0;
        for (size_t end = chance_below(&chance, sizeof input); size < end; size++)
            input[size] = (uint8_t)chance_next(&chance);
        size_t out_size = 8 + chance_below(&chance, 60);
        char *out = malloc(out_size);
        assert_non_null(out);
        (void)utf8_quote(bytes_of(input, size), out, out_size);
        bytes_t shown = bytes_from_text(out);
        assert_true(shown.size < out_size);
        assert_true(utf8_valid(shown));
        for (size_t i = 0; i < shown.size; i++)
            assert_true(shown.data[i] >= 0x20 && shown.data[i] != 0x7f);
        free(out);
    }
}

static void line__of_parts__keeps_quotes_and_escapes_the_rest(void **state)
{
    (void)state;
    char out[64];
    assert_string_equal(utf8_line(bytes_from_text("a \"b\" 'c' \\n\n\xff"), out, sizeof out),
                        "a \"b\" 'c' \\n\\n\\xff");
    assert_string_equal(utf8_format(out, sizeof out, "%s: %d", "tcp://a\n\x1b[31m", 7),
                        "tcp://a\\n\\x1b[31m: 7");
}

static void format__too_long__is_cut_between_characters_and_says_so(void **state)
{
    (void)state;
    char parts[UTF8_FORMAT_MAX + 100];
    char out[UTF8_FORMAT_MAX];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(parts, 'x', shift);
        for (size_t at = shift; at + 4 < sizeof parts; at += 4)
            memcpy(parts + at, "\xf0\x9f\x98\x80", 5);
        for (size_t size = 8; size <= sizeof out; size = size < 40 ? size + 1 : size * 2 - 1) {
            (void)utf8_format(out, size, "%s", parts);
            bytes_t shown = bytes_from_text(out);
            assert_true(utf8_valid(shown));
            assert_in_range(shown.size, size - 1 - 7, size - 1);
            assert_string_equal(out + shown.size - 3, "...");
        }
        (void)utf8_format(out, sizeof out, "%s", parts);
        assert_true(utf8_valid(bytes_from_text(out)));
    }
}

int main(void)
{
    const struct CMUnitTest claims[] = {
        cmocka_unit_test(every_code_point__is_valid_but_surrogates),
        cmocka_unit_test(overlong_and_stray_bytes__are_not_valid),
        cmocka_unit_test(a_bad_byte__is_found_wherever_it_stands),
        cmocka_unit_test(a_long_character__is_taken_at_every_offset_and_not_when_cut),
        cmocka_unit_test(empty__is_valid),
        cmocka_unit_test(quote__printable_text__stays),
        cmocka_unit_test(quote__what_is_not_text__is_escaped),
        cmocka_unit_test(quote__what_hides_or_turns_a_line__is_escaped),
        cmocka_unit_test(quote__too_long__is_cut_between_characters),
        cmocka_unit_test(quote__of_random_bytes__is_always_printable_utf8_that_fits),
        cmocka_unit_test(line__of_parts__keeps_quotes_and_escapes_the_rest),
        cmocka_unit_test(format__too_long__is_cut_between_characters_and_says_so),
    };
    return cmocka_run_group_tests(claims, NULL, NULL);
}
