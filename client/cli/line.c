/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the quoting rules. A word never grows by unquoting, so one block as long as the line and a zero byte a
 * word holds them all. */
#include "client/cli/line.h"

#include <ctype.h>
#include <stdlib.h>

/* A place in the line that is read, and where the unquoted bytes go. */
typedef struct cursor {
    bytes_t text;
    size_t at; /* next byte of `text` */
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

/* Whether the cursor stands on `xHH`, behind a backslash. */
static bool at_hex_escape(const cursor_t *cursor)
{
    const uint8_t *next = cursor->text.data + cursor->at;
    return cursor->text.size - cursor->at >= 3 && next[0] == 'x' && hex_digit(next[1]) >= 0 &&
           hex_digit(next[2]) >= 0;
}

/* What stands for itself and for a control character behind a backslash. */
static uint8_t unescape(uint8_t c)
{
    static const char names[] = "nrtba";
    static const char meanings[] = "\n\r\t\b\a";
    const char *found = c == 0 ? NULL : strchr(names, c);
    return found == NULL ? c : (uint8_t)meanings[found - names];
}

static void take_escape(cursor_t *cursor)
{
    if (at_hex_escape(cursor)) {
        const uint8_t *next = cursor->text.data + cursor->at;
        *cursor->out++ = (uint8_t)(hex_digit(next[1]) * 16 + hex_digit(next[2]));
        cursor->at += 3;
    } else {
        *cursor->out++ = unescape(cursor->text.data[cursor->at++]);
    }
}

/* Takes a quoted part, the cursor behind its opening QUOTE. */
static bool take_quoted(cursor_t *cursor, uint8_t quote)
{
    while (!at_end(cursor)) {
        uint8_t c = cursor->text.data[cursor->at++];
        if (c == quote)
            return at_end(cursor) || is_space(cursor->text.data[cursor->at]);
        bool escapes =
            c == '\\' && !at_end(cursor) && (quote == '"' || cursor->text.data[cursor->at] == '\'');
        if (escapes)
            take_escape(cursor);
        else
            *cursor->out++ = c;
    }
    return false;
}

static bool take_word(cursor_t *cursor)
{
    while (!at_end(cursor) && !is_space(cursor->text.data[cursor->at])) {
        uint8_t c = cursor->text.data[cursor->at++];
        if (c != '"' && c != '\'')
            *cursor->out++ = c;
        else if (!take_quoted(cursor, c))
            return false;
    }
    return true;
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
        if (!take_word(cursor))
            return LINE_UNBALANCED;
        line->words[line->count++] = bytes_of(begin, (size_t)(cursor->out - begin));
        *cursor->out++ = 0;
    }
}

line_status_t line_split(bytes_t text, line_t *line)
{
    if (text.size > LINE_BYTES_MAX)
        return LINE_TOO_LONG;
    line_t split = {.storage_size = text.size + LINE_WORDS_MAX};
    split.storage = calloc(1, split.storage_size);
    if (split.storage == NULL)
        return LINE_NO_MEMORY;
    cursor_t cursor = {.text = text, .out = split.storage};
    line_status_t status = take_words(&cursor, &split);
    if (status == LINE_OK)
        *line = split;
    else
        line_release(&split);
    return status;
}

size_t line_length(bytes_t text)
{
    uint8_t quote = 0; /* the one that is open */
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

const char *line_status_text(line_status_t status)
{
    static const char *const texts[] = {
        [LINE_OK] = "well-formed",
        [LINE_UNBALANCED] = "a quote is not closed, or no space follows the closing one",
        [LINE_TOO_LONG] = "too many bytes or words",
        [LINE_NO_MEMORY] = "out of memory",
    };
    return texts[status];
}
