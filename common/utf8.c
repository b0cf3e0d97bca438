/* SPDX-License-Identifier: MPL-2.0 */
/* Checks UTF-8, and escapes untrusted text before it is shown to people. */
#include "common/utf8.h"

#include <assert.h>
#include <stdio.h>

/* One row of Unicode 15, table 3-7: a range of lead bytes, how many bytes follow, and the range of the first
 * of these (the others are 80..BF). */
typedef struct lead {
    uint8_t first, last;
    uint8_t follow;
    uint8_t low, high;
} lead_t;

static const lead_t LEADS[] = {
    {0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf}, {0xe1, 0xec, 2, 0x80, 0xbf},
    {0xed, 0xed, 2, 0x80, 0x9f}, {0xee, 0xef, 2, 0x80, 0xbf}, {0xf0, 0xf0, 3, 0x90, 0xbf},
    {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f},
};

/* Code points above ASCII that are invisible, or break a line or change its direction when it is shown. */
static const struct {
    uint32_t first, last;
} HIDDEN[] = {
    {0x80, 0x9f},       /* C1 controls */
    {0xad, 0xad},       /* soft hyphen */
    {0x200b, 0x200f},   /* zero width, direction marks */
    {0x2028, 0x202e},   /* line and paragraph separators, direction overrides */
    {0x2060, 0x206f},   /* word joiner, direction isolates */
    {0xfeff, 0xfeff},   /* byte order mark */
    {0xfff9, 0xfffb},   /* interlinear annotation */
    {0xe0000, 0xe007f}, /* tags */
};

/* Returns the size of the character at the start of TEXT, which is not empty; 0 if it is not well-formed. */
static size_t character_size(bytes_t text)
{
    const uint8_t *c = text.data;
    if (c[0] < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof LEADS / sizeof LEADS[0]; i++) {
        const lead_t *lead = &LEADS[i];
        if (c[0] < lead->first || c[0] > lead->last)
            continue;
        if (text.size <= lead->follow || c[1] < lead->low || c[1] > lead->high)
            return 0;
        for (size_t k = 2; k <= lead->follow; k++) {
            if ((c[k] & 0xc0) != 0x80)
                return 0;
        }
        return (size_t)lead->follow + 1;
    }
    return 0;
}

bool utf8_valid_mixed(bytes_t text)
{
    for (size_t at = 0; at < text.size;) {
        uint64_t eight;
        if (text.size - at >= sizeof eight) {
            memcpy(&eight, text.data + at, sizeof eight);
            if ((eight & UTF8_HIGH_BITS) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        size_t size = character_size(bytes_of(text.data + at, text.size - at));
        if (size == 0)
            return false;
        at += size;
    }
    return true;
}

static uint32_t code_point(const uint8_t *c, size_t size)
{
    uint32_t code = size == 1 ? c[0] : c[0] & (0x7fU >> size);
    for (size_t i = 1; i < size; i++)
        code = code << 6 | (c[i] & 0x3fU);
    return code;
}

static bool is_hidden(uint32_t code)
{
    for (size_t i = 0; i < sizeof HIDDEN / sizeof HIDDEN[0]; i++) {
        if (code >= HIDDEN[i].first && code <= HIDDEN[i].last)
            return true;
    }
    return false;
}

enum { PIECE_SIZE = 16 }; /* bytes of an escape or a character, with a terminating zero */

/* Characters with a short escape, each followed by what stands after the backslash. SHORT is the part of
 * QUOTES without quotes and backslash. */
static const char QUOTES[] = "\"\"''\\\\\aa\bb\tt\nn\vv\ff\rr";
static const char *const SHORT = QUOTES + 6;

/* Writes the form in which the first character (or stray byte) of TEXT is shown to PIECE. ESCAPES is QUOTES
 * or SHORT. Returns how many bytes of TEXT that took. */
static size_t show_character(bytes_t text, const char *escapes, char piece[PIECE_SIZE])
{
    size_t size = character_size(text);
    if (size == 0) {
        (void)snprintf(piece, PIECE_SIZE, "\\x%02x", text.data[0]);
        return 1;
    }
    uint32_t code = code_point(text.data, size);
    for (const char *escape = escapes; *escape != '\0'; escape += 2) {
        if (code == (uint8_t)*escape) {
            (void)snprintf(piece, PIECE_SIZE, "\\%c", escape[1]);
            return size;
        }
    }
    if (code < 0x20 || code == 0x7f) {
        (void)snprintf(piece, PIECE_SIZE, "\\x%02x", code);
    } else if (is_hidden(code)) {
        (void)snprintf(piece, PIECE_SIZE, "\\u{%x}", code);
    } else {
        memcpy(piece, text.data, size);
        piece[size] = '\0';
    }
    return size;
}

static const char *show(bytes_t input, const char *escapes, char *out, size_t out_size)
{
    static const char CUT[] = "...";
    assert(out_size >= 8);
    size_t used = 0;
    size_t cut_at = 0; /* the last place between two characters after which CUT still fits */
    for (size_t at = 0; at < input.size;) {
        char piece[PIECE_SIZE];
        at += show_character(bytes_of(input.data + at, input.size - at), escapes, piece);
        size_t length = strlen(piece);
        if (used + length >= out_size) {
            memcpy(out + cut_at, CUT, sizeof CUT);
            return out;
        }
        memcpy(out + used, piece, length);
        used += length;
        if (used + sizeof CUT <= out_size)
            cut_at = used;
    }
    out[used] = '\0';
    return out;
}

const char *utf8_quote(bytes_t input, char *out, size_t out_size)
{
    return show(input, QUOTES, out, out_size);
}

const char *utf8_line(bytes_t input, char *out, size_t out_size)
{
    return show(input, SHORT, out, out_size);
}

const char *utf8_vformat(char *out, size_t out_size, const char *format, va_list arguments)
{
    char text[UTF8_FORMAT_MAX + 8]; /* longer than OUT, so a character that is cut here does not get there */
    assert(out_size <= UTF8_FORMAT_MAX);
    int wanted = vsnprintf(text, sizeof text, format, arguments);
    size_t size = wanted < 0 ? 0 : (size_t)wanted < sizeof text ? (size_t)wanted : sizeof text - 1;
    return utf8_line(bytes_of(text, size), out, out_size);
}

const char *utf8_format(char *out, size_t out_size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)utf8_vformat(out, out_size, format, arguments);
    va_end(arguments);
    return out;
}
