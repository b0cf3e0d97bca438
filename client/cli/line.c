/* SPDX-License-Identifier: MPL-2.0 */
/* The quoting rules. Unquoting never makes a word longer, so one block, as long as the line plus a zero byte
 * for each word, has room for all words. */
#include "client/cli/line.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* The position in the line, and the place for the next unquoted byte. */
typedef struct cursor {
    bytes_t text;
    size_t at;    /* next byte of `text` */
    size_t begin; /* start of the last character or escape in a quoted part */
    uint8_t *out;
} cursor_t;

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool at_end(const cursor_t *cursor)
{
    return cursor->at == cursor->text.size;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (uint8_t)tolower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes DIGITS hexadecimal digits. */
static bool take_hex(cursor_t *cursor, unsigned digits, uint32_t *number)
{
    uint32_t sum = 0;
    if (cursor->text.size - cursor->at < digits)
        return false;
    for (unsigned i = 0; i < digits; i++) {
        int digit = hex_digit(cursor->text.data[cursor->at + i]);
        if (digit < 0)
            return false;
        sum = sum * 16 + (uint32_t)digit;
    }
    cursor->at += digits;
    *number = sum;
    return true;
}

static line_status_t take_byte(cursor_t *cursor)
{
    uint32_t number;
    if (!take_hex(cursor, 2, &number))
        return LINE_DIGITS;
    *cursor->out++ = (uint8_t)number;
    return LINE_OK;
}

static bool is_high(uint32_t unit)
{
    return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low(uint32_t unit)
{
    return unit >= 0xdc00 && unit < 0xe000;
}

static void put_character(cursor_t *cursor, uint32_t code)
{
    static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    unsigned size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (unsigned i = size - 1; i > 0; i--) {
        cursor->out[i] = (uint8_t)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    cursor->out[0] = (uint8_t)(leads[size] | code);
    cursor->out += size;
}

/* Takes the rest of a \uXXXX escape. As in JSON, a character above U+FFFF is a surrogate pair. */
static line_status_t take_character(cursor_t *cursor)
{
    uint32_t code;
    uint32_t low;
    if (!take_hex(cursor, 4, &code))
        return LINE_DIGITS;
    if (is_low(code))
        return LINE_SURROGATE;
    if (is_high(code)) {
        const uint8_t *next = cursor->text.data + cursor->at;
        if (cursor->text.size - cursor->at < 2 || next[0] != '\\' || next[1] != 'u')
            return LINE_SURROGATE;
        cursor->at += 2;
        if (!take_hex(cursor, 4, &low))
            return LINE_DIGITS;
        if (!is_low(low))
            return LINE_SURROGATE;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    put_character(cursor, code);
    return LINE_OK;
}

/* Takes an escape after its backslash. Refuses an unknown escape, which is probably a mistake. */
static line_status_t take_escape(cursor_t *cursor)
{
    static const char names[] = "nrtbfa\\/\"'";
    static const char meanings[] = "\n\r\t\b\f\a\\/\"'";
    uint8_t c = cursor->text.data[cursor->at++];
    if (c == 'x')
        return take_byte(cursor);
    if (c == 'u')
        return take_character(cursor);
    const char *found = c == 0 ? NULL : strchr(names, c);
    if (found == NULL)
        return LINE_ESCAPE;
    *cursor->out++ = (uint8_t)meanings[found - names];
    return LINE_OK;
}

/* Takes a quoted part; the cursor is after its opening QUOTE. */
static line_status_t take_quoted(cursor_t *cursor, uint8_t quote)
{
    while (!at_end(cursor)) {
        cursor->begin = cursor->at;
        uint8_t c = cursor->text.data[cursor->at++];
        if (c == quote) {
            bool closed = at_end(cursor) || is_space(cursor->text.data[cursor->at]);
            return closed ? LINE_OK : LINE_UNBALANCED;
        }
        bool escapes =
            c == '\\' && !at_end(cursor) && (quote == '"' || cursor->text.data[cursor->at] == '\'');
        line_status_t status = LINE_OK;
        if (escapes)
            status = take_escape(cursor);
        else
            *cursor->out++ = c;
        if (status != LINE_OK)
            return status;
    }
    return LINE_UNBALANCED;
}

static line_status_t take_word(cursor_t *cursor)
{
    line_status_t status = LINE_OK;
    while (status == LINE_OK && !at_end(cursor) && !is_space(cursor->text.data[cursor->at])) {
        uint8_t c = cursor->text.data[cursor->at++];
        if (c != '"' && c != '\'')
            *cursor->out++ = c;
        else
            status = take_quoted(cursor, c);
    }
    return status;
}

static line_status_t take_words(cursor_t *cursor, line_t *line)
{
    for (;;) {
        while (!at_end(cursor) && is_space(cursor->text.data[cursor->at]))
            cursor->at++;
        if (at_end(cursor))
            return LINE_OK;
        if (line->count == LINE_WORDS_MAX)
            return LINE_TOO_LONG;
        uint8_t *begin = cursor->out;
        line_status_t status = take_word(cursor);
        if (status != LINE_OK)
            return status;
        line->words[line->count++] = bytes_of(begin, (size_t)(cursor->out - begin));
        *cursor->out++ = 0;
    }
}

line_status_t line_split(bytes_t text, line_t *line)
{
    *line = (line_t){.count = 0};
    if (text.size > LINE_BYTES_MAX)
        return LINE_TOO_LONG;
    line_t split = {.storage_size = text.size + LINE_WORDS_MAX};
    split.storage = calloc(1, split.storage_size);
    if (split.storage == NULL)
        return LINE_NO_MEMORY;
    cursor_t cursor = {.text = text, .out = split.storage};
    line_status_t status = take_words(&cursor, &split);
    if (status != LINE_OK)
        line_release(&split);
    split.fault_at = status == LINE_OK ? 0 : cursor.begin;
    *line = split;
    return status;
}

size_t line_length(bytes_t text)
{
    uint8_t quote = 0; /* the open quote; 0 = none */
    for (size_t at = 0; at < text.size; at++) {
        uint8_t c = text.data[at];
        bool last = at + 1 == text.size;
        if (quote == 0 && c == '\n')
            return at + 1;
        if (quote != 0 && c == '\\' && !last && (quote == '"' || text.data[at + 1] == '\''))
            at++;
        else if (c == quote)
            quote = 0;
        else if (quote == 0 && (c == '"' || c == '\''))
            quote = c;
    }
    return text.size;
}

void line_release(line_t *line)
{
    if (line->storage != NULL)
        explicit_bzero(line->storage, line->storage_size);
    free(line->storage);
    *line = (line_t){.count = 0};
}

const char *line_problem(line_status_t status, const line_t *line, char out[LINE_PROBLEM_SIZE])
{
    static const char escapes[] = "an unknown escape; the escapes are \\n \\r \\t \\b \\f \\a \\\\ \\/ \\\" "
                                  "\\' \\xHH \\uXXXX; write \\\\ for a backslash, or use '...'";
    static const char surrogate[] = "half a surrogate pair; write both halves, as in \\ud83d\\ude00";
    static const char *const texts[] = {
        [LINE_OK] = "well-formed",
        [LINE_UNBALANCED] = "a quote is not closed, or no space follows the closing one",
        [LINE_ESCAPE] = escapes,
        [LINE_DIGITS] = "\\x takes 2 hexadecimal digits, and \\u takes 4",
        [LINE_SURROGATE] = surrogate,
        [LINE_TOO_LONG] = "too many bytes or words",
        [LINE_NO_MEMORY] = "out of memory",
    };
    bool placed = status == LINE_ESCAPE || status == LINE_DIGITS || status == LINE_SURROGATE;
    if (placed)
        snprintf(out, LINE_PROBLEM_SIZE, "byte %zu: %s", line->fault_at + 1, texts[status]);
    else
        snprintf(out, LINE_PROBLEM_SIZE, "%s", texts[status]);
    return out;
}
