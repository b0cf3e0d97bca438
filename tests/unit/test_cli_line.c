/* SPDX-License-Identifier: MPL-2.0 */
/* How kvzmq-cli splits a line into words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "client/cli/line.h"

/* Checks that TEXT is split into the COUNT words in EXPECTED. */
static void check_words(bytes_t text, const bytes_t *expected, size_t count)
{
    line_t line;
    assert_int_equal(line_split(text, &line), LINE_OK);
    assert_int_equal(line.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(line.words[i].size, expected[i].size);
        assert_true(bytes_equal(line.words[i], expected[i]));
        assert_int_equal(line.words[i].data[line.words[i].size], 0);
    }
    line_release(&line);
}

#define CHECK_WORDS(text, ...)                                                                               \
    do {                                                                                                     \
        const bytes_t expected[] = {__VA_ARGS__};                                                            \
        check_words(bytes_from_text(text), expected, sizeof expected / sizeof *expected);                    \
    } while (0)

#define W(literal) bytes_of(literal, sizeof(literal) - 1)

static void check_refused(bytes_t text, line_status_t status)
{
    line_t line;
    assert_int_equal(line_split(text, &line), status);
}

static void split__plain_words__are_cut_at_any_space(void **state)
{
    (void)state;
    CHECK_WORDS("put city Kolkata", W("put"), W("city"), W("Kolkata"));
    CHECK_WORDS(" \t put\tcity   Kolkata \r\n", W("put"), W("city"), W("Kolkata"));
}

static void split__nothing_but_space__gives_no_words(void **state)
{
    (void)state;
    check_words(bytes_of(NULL, 0), NULL, 0);
    check_words(W(" \t\r\n"), NULL, 0);
}

static void split__empty_quotes__are_an_empty_word(void **state)
{
    (void)state;
    CHECK_WORDS("put k \"\"", W("put"), W("k"), W(""));
    CHECK_WORDS("put k ''", W("put"), W("k"), W(""));
}

static void split__double_quotes__keep_spaces_and_know_escapes(void **state)
{
    (void)state;
    CHECK_WORDS("\"a b\"", W("a b"));
    CHECK_WORDS("\"\\n\\r\\t\\b\\f\\a\\\\\\/\\\"\\'\"", W("\n\r\t\b\f\a\\/\"'"));
    CHECK_WORDS("\"'\"", W("'"));
}

static void split__hex_escapes__make_any_byte(void **state)
{
    (void)state;
    char text[4 * 256 + 3];
    uint8_t bytes[256];
    size_t at = 0;
    text[at++] = '"';
    for (unsigned i = 0; i < 256; i++) {
        bytes[i] = (uint8_t)i;
        at += (size_t)snprintf(text + at, sizeof text - at, i % 2 == 0 ? "\\x%02x" : "\\x%02X", i);
    }
    text[at++] = '"';
    bytes_t expected = bytes_of(bytes, sizeof bytes);
    check_words(bytes_of(text, at), &expected, 1);
}

/* Checks that TEXT is refused with STATUS, for an escape that begins at byte AT. */
static void check_escape_refused(const char *text, line_status_t status, size_t at)
{
    line_t line;
    char problem[LINE_PROBLEM_SIZE];
    char place[32];
    assert_int_equal(line_split(bytes_from_text(text), &line), status);
    assert_int_equal(line.count, 0);
    assert_int_equal(line.fault_at, at);
    (void)snprintf(place, sizeof place, "byte %zu: ", at + 1);
    assert_memory_equal(line_problem(status, &line, problem), place, strlen(place));
}

static void split__unicode_escapes__are_characters(void **state)
{
    (void)state;
    CHECK_WORDS("\"\\u001b]0\"", W("\x1b]0"));
    CHECK_WORDS("\"\\u0000\\u007f\\u0080\\u07ff\\u0800\\uffff\"",
                W("\0\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"));
    CHECK_WORDS("\"\\u00E9\\u00e9x\"", W("\xc3\xa9\xc3\xa9x"));
    CHECK_WORDS("\"\\ud83d\\ude00\\uD800\\uDC00\\uDBFF\\uDFFF\"",
                W("\xf0\x9f\x98\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
}

static void split__half_a_surrogate_pair__is_refused(void **state)
{
    (void)state;
    check_escape_refused("\"\\ud83d\"", LINE_SURROGATE, 1);
    check_escape_refused("\"\\ude00\\ud83d\"", LINE_SURROGATE, 1);
    check_escape_refused("\"a\\ud83d\\u0041\"", LINE_SURROGATE, 2);
    check_escape_refused("\"a\\ud83d\\n\"", LINE_SURROGATE, 2);
    check_escape_refused("\"a\\ud83d", LINE_SURROGATE, 2);
    check_escape_refused("\"\\ud83d\\ude0\"", LINE_DIGITS, 1);
}

static void split__escape_that_lacks_digits__is_refused(void **state)
{
    (void)state;
    check_escape_refused("put k \"\\xZZ\"", LINE_DIGITS, 7);
    check_escape_refused("\"\\x4\"", LINE_DIGITS, 1);
    check_escape_refused("\"\\x", LINE_DIGITS, 1);
    check_escape_refused("\"\\u12g4\"", LINE_DIGITS, 1);
    check_escape_refused("\"\\u123\"", LINE_DIGITS, 1);
    check_escape_refused("\"\\u", LINE_DIGITS, 1);
}

static void split__every_other_escape__is_refused(void **state)
{
    (void)state;
    for (unsigned c = 1; c < 256; c++) {
        const char text[] = {'"', 'a', '\\', (char)c, '"', '\0'};
        if (strchr("nrtbfa\\/\"'xu", (int)c) == NULL)
            check_escape_refused(text, LINE_ESCAPE, 2);
    }
}

static void split__single_quotes__know_only_the_quote_as_escape(void **state)
{
    (void)state;
    CHECK_WORDS("'a \\n \"b\"'", W("a \\n \"b\""));
    CHECK_WORDS("'it\\'s'", W("it's"));
}

static void split__quote_inside_a_word__continues_it(void **state)
{
    (void)state;
    CHECK_WORDS("foo\"bar baz\" x", W("foobar baz"), W("x"));
}

static void split__backslash_outside_quotes__is_itself(void **state)
{
    (void)state;
    CHECK_WORDS("a\\nb", W("a\\nb"));
}

static void split__bytes_that_are_no_text__pass(void **state)
{
    (void)state;
    const bytes_t expected[] = {W("put"), W("\xff\x00\x80")};
    check_words(W("put \xff\x00\x80"), expected, 2);
}

static void split__unbalanced_quotes__are_refused(void **state)
{
    (void)state;
    check_refused(W("\""), LINE_UNBALANCED);
    check_refused(W("put k \"v"), LINE_UNBALANCED);
    check_refused(W("put k 'v"), LINE_UNBALANCED);
    check_refused(W("put k \"v\\\""), LINE_UNBALANCED);
    check_refused(W("put k \"v\"w"), LINE_UNBALANCED);
    check_refused(W("put k 'v'w"), LINE_UNBALANCED);
    check_refused(W("put k \"v\\"), LINE_UNBALANCED);
}

/* Returns COUNT words of one letter (free with free(3)). */
static char *many_words(size_t count)
{
    char *text = malloc(2 * count);
    assert_non_null(text);
    for (size_t i = 0; i < count; i++) {
        text[2 * i] = 'w';
        text[2 * i + 1] = ' ';
    }
    return text;
}

static void split__as_many_words_as_allowed__pass_and_one_more_is_refused(void **state)
{
    (void)state;
    char *text = many_words(LINE_WORDS_MAX + 1);
    line_t line;
    assert_int_equal(line_split(bytes_of(text, (size_t)2 * LINE_WORDS_MAX), &line), LINE_OK);
    assert_int_equal(line.count, LINE_WORDS_MAX);
    line_release(&line);
    check_refused(bytes_of(text, (size_t)2 * LINE_WORDS_MAX + 1), LINE_TOO_LONG);
    free(text);
}

static void split__as_many_bytes_as_allowed__pass_and_one_more_is_refused(void **state)
{
    (void)state;
    char *text = malloc((size_t)LINE_BYTES_MAX + 1);
    assert_non_null(text);
    memset(text, 'a', (size_t)LINE_BYTES_MAX + 1);
    line_t line;
    assert_int_equal(line_split(bytes_of(text, LINE_BYTES_MAX), &line), LINE_OK);
    assert_int_equal(line.words[0].size, LINE_BYTES_MAX);
    line_release(&line);
    check_refused(bytes_of(text, (size_t)LINE_BYTES_MAX + 1), LINE_TOO_LONG);
    free(text);
}

static void length__newline_outside_quotes__ends_the_first_line(void **state)
{
    (void)state;
    assert_int_equal(line_length(W("")), 0);
    assert_int_equal(line_length(W("get k")), 5);
    assert_int_equal(line_length(W("get k\nget l")), 6);
    assert_int_equal(line_length(W("\n\n")), 1);
    assert_int_equal(line_length(W("put k it\\\nget")), 10); /* a backslash outside quotes is itself */
}

static void length__newline_within_quotes__ends_nothing(void **state)
{
    (void)state;
    assert_int_equal(line_length(W("k \"a\nb\"\nl")), 8);
    assert_int_equal(line_length(W("k 'a\nb'\nl")), 8);
    assert_int_equal(line_length(W("k \"a\\\"\n'\"\nl")), 10);
    assert_int_equal(line_length(W("k 'a\\'\n\"'\nl")), 10);
    assert_int_equal(line_length(W("k 'a\\\\'\nl")), 9); /* the second backslash and the quote are a quote */
    assert_int_equal(line_length(W("k \"a\nb\nl")), 8);  /* never closed */
    assert_int_equal(line_length(W("k \"\\")), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split__plain_words__are_cut_at_any_space),
        cmocka_unit_test(split__nothing_but_space__gives_no_words),
        cmocka_unit_test(split__empty_quotes__are_an_empty_word),
        cmocka_unit_test(split__double_quotes__keep_spaces_and_know_escapes),
        cmocka_unit_test(split__hex_escapes__make_any_byte),
        cmocka_unit_test(split__unicode_escapes__are_characters),
        cmocka_unit_test(split__half_a_surrogate_pair__is_refused),
        cmocka_unit_test(split__escape_that_lacks_digits__is_refused),
        cmocka_unit_test(split__every_other_escape__is_refused),
        cmocka_unit_test(split__single_quotes__know_only_the_quote_as_escape),
        cmocka_unit_test(split__quote_inside_a_word__continues_it),
        cmocka_unit_test(split__backslash_outside_quotes__is_itself),
        cmocka_unit_test(split__bytes_that_are_no_text__pass),
        cmocka_unit_test(split__unbalanced_quotes__are_refused),
        cmocka_unit_test(split__as_many_words_as_allowed__pass_and_one_more_is_refused),
        cmocka_unit_test(split__as_many_bytes_as_allowed__pass_and_one_more_is_refused),
        cmocka_unit_test(length__newline_outside_quotes__ends_the_first_line),
        cmocka_unit_test(length__newline_within_quotes__ends_nothing),
    };
    return cmocka_run_group_tests_name("cli_line", tests, NULL, NULL);
}
