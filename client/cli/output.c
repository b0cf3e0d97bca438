/* SPDX-License-Identifier: MPL-2.0 */
/* What the formats share: converting cells to text, and escaping. */
#include "client/cli/output.h"

#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "common/utf8.h"

void output_init(output_t *output, const output_ops_t *ops, FILE *stream)
{
    *output = (output_t){.ops = ops, .stream = stream, .terminal = isatty(fileno(stream)) == 1};
}

bool output_finish(output_t *output)
{
    bool kept = fflush(output->stream) == 0 && ferror(output->stream) == 0 && !output->failed;
    clearerr(output->stream);
    output->failed = false;
    return kept;
}

/* The size of the UTF-8 character at the beginning of TEXT (not empty), or 0 if there is none. */
static size_t character_size(bytes_t text)
{
    uint8_t lead = text.data[0];
    size_t size = lead < 0x80 ? 1 : lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    return size <= text.size && utf8_valid(bytes_of(text.data, size)) ? size : 0;
}

/* Whether CHARACTER can change how the text around it looks: C0, DEL and C1 controls, line and paragraph
 * separators, and marks that change the direction of text (U+200E, U+200F, U+2028 to U+202E, U+2066 to
 * U+2069). */
static bool character_steers(bytes_t character)
{
    const uint8_t *c = character.data;
    switch (character.size) {
    case 1:
        return c[0] < 0x20 || c[0] == 0x7f;
    case 2:
        return c[0] == 0xc2 && c[1] < 0xa0;
    case 3:
        return c[0] == 0xe2 &&
               ((c[1] == 0x80 && (c[2] == 0x8e || c[2] == 0x8f || (c[2] >= 0xa8 && c[2] <= 0xae))) ||
                (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9));
    default:
        return false;
    }
}

static void byte_write_escaped(uint8_t byte, buffer_t *buffer)
{
    static const char controls[] = "\n\r\t\\";
    static const char names[] = "nrt\\";
    static const char digits[] = "0123456789abcdef";
    const char *found = byte == 0 ? NULL : strchr(controls, byte);
    if (found != NULL) {
        buffer_append(buffer, (const char[]){'\\', names[found - controls]}, 2);
    } else {
        buffer_append(buffer, (const char[]){'\\', 'x', digits[byte >> 4], digits[byte & 15]}, 4);
    }
}

static void bytes_write(bytes_t bytes, escape_t escape, buffer_t *buffer)
{
    if (escape == ESCAPE_NONE) {
        buffer_append(buffer, bytes.data, bytes.size);
        return;
    }
    while (bytes.size > 0) {
        size_t size = character_size(bytes);
        bytes_t character = bytes_of(bytes.data, size > 0 ? size : 1);
        bool plain = size > 0 && !character_steers(character);
        if (escape == ESCAPE_REVERSIBLE && character.data[0] == '\\')
            plain = false;
        if (plain)
            buffer_append(buffer, character.data, character.size);
        for (size_t i = 0; !plain && i < character.size; i++)
            byte_write_escaped(character.data[i], buffer);
        bytes = bytes_of(bytes.data + character.size, bytes.size - character.size);
    }
}

/* Whether CHARACTER may look like a space, or be invisible: spaces of other scripts, and all of general
 * punctuation (U+2000 to U+206F). */
static bool character_blank(bytes_t character)
{
    static const char *const blanks[] = {"\xc2\xa0", "\xc2\xad", "\xe1\x9a\x80", "\xe3\x80\x80",
                                         "\xef\xbb\xbf"};
    const uint8_t *c = character.data;
    if (character.size == 3 && c[0] == 0xe2 && (c[1] == 0x80 || c[1] == 0x81))
        return true;
    for (size_t i = 0; i < sizeof blanks / sizeof *blanks; i++) {
        if (bytes_equal(character, bytes_from_text(blanks[i])))
            return true;
    }
    return character.size == 1 && c[0] == ' ';
}

/* Whether TEXT is a plain word, which cannot be mistaken for several words or for a symbol of the line. */
static bool bytes_plain(bytes_t text)
{
    static const char *const signs[] = {"", "-", "?", "->"};
    bool special = text.size > 0 && (text.data[0] == '<' || text.data[0] == '(');
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        special = special || bytes_equal(text, bytes_from_text(signs[i]));
    while (!special && text.size > 0) {
        size_t size = character_size(text);
        bytes_t character = bytes_of(text.data, size);
        special = size == 0 || character_steers(character) || character_blank(character) ||
                  (size == 1 && memchr("\"'\\", text.data[0], 3) != NULL);
        text = bytes_of(text.data + size, text.size - size);
    }
    return !special;
}

static void number_write(const char *format, uint64_t number, buffer_t *buffer)
{
    char text[32];
    int size = snprintf(text, sizeof text, format, number);
    buffer_append(buffer, text, (size_t)size);
}

static void duration_write(uint64_t duration_ms, buffer_t *buffer)
{
    char text[48];
    int size =
        snprintf(text, sizeof text, "%" PRIu64 ".%03" PRIu64 " s", duration_ms / 1000, duration_ms % 1000);
    buffer_append(buffer, text, (size_t)size);
}

static void nanoseconds_write(uint64_t time_ns, buffer_t *buffer)
{
    char text[48];
    uint64_t time_us = (time_ns + 500) / 1000;
    int size = snprintf(text, sizeof text, "%" PRIu64 ".%03" PRIu64 " ms", time_us / 1000, time_us % 1000);
    buffer_append(buffer, text, (size_t)size);
}

static void time_write(uint64_t time_ms, buffer_t *buffer)
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm local;
    char text[64];
    size_t size = 0;
    if (localtime_r(&seconds, &local) != NULL)
        size = strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
    buffer_append(buffer, text, size);
}

void cell_write(const cell_t *cell, escape_t escape, buffer_t *buffer)
{
    switch (cell->type) {
    case CELL_NIL:
        buffer_append(buffer, "-", 1);
        break;
    case CELL_TEXT:
    case CELL_BIN:
        bytes_write(cell->bytes, escape, buffer);
        break;
    case CELL_NUMBER:
        number_write("%" PRIu64, cell->number, buffer);
        break;
    case CELL_BOOL:
        bytes_write(bytes_from_text(cell->number != 0 ? "yes" : "no"), ESCAPE_NONE, buffer);
        break;
    case CELL_DIGEST:
        number_write("%016" PRIx64, cell->number, buffer);
        break;
    case CELL_DURATION:
        duration_write(cell->number, buffer);
        break;
    case CELL_TIME:
        time_write(cell->number, buffer);
        break;
    case CELL_NANOSECONDS:
        nanoseconds_write(cell->number, buffer);
        break;
    }
}

/* Returns CELL, cut to CELL_SHOWN_MAX bytes or a little less, so that no UTF-8 character is cut. */
static cell_t cell_shown(const cell_t *cell, bool *cut)
{
    cell_t shown = *cell;
    *cut = shown.bytes.size > CELL_SHOWN_MAX;
    if (*cut) {
        shown.bytes.size = CELL_SHOWN_MAX;
        while (shown.bytes.size > CELL_SHOWN_MAX - 4 && (shown.bytes.data[shown.bytes.size] & 0xc0) == 0x80)
            shown.bytes.size--;
    }
    return shown;
}

void cell_write_short(const cell_t *cell, buffer_t *buffer)
{
    bool cut;
    cell_t shown = cell_shown(cell, &cut);
    cell_write(&shown, ESCAPE_CONTROLS, buffer);
    if (cut)
        buffer_append(buffer, "...", 3);
}

void cell_write_quoted(const cell_t *cell, bool whole, buffer_t *buffer)
{
    bool cut = false;
    cell_t shown = whole ? *cell : cell_shown(cell, &cut);
    bool text = cell->type == CELL_TEXT || cell->type == CELL_BIN;
    if (!text || (!cut && bytes_plain(shown.bytes))) {
        cell_write(&shown, ESCAPE_CONTROLS, buffer);
        return;
    }
    buffer_append(buffer, "\"", 1);
    while (shown.bytes.size > 0) {
        const uint8_t *quote = memchr(shown.bytes.data, '"', shown.bytes.size);
        size_t before = quote == NULL ? shown.bytes.size : (size_t)(quote - shown.bytes.data);
        bytes_write(bytes_of(shown.bytes.data, before), ESCAPE_REVERSIBLE, buffer);
        if (quote != NULL)
            buffer_append(buffer, "\\\"", 2);
        before += quote != NULL;
        shown.bytes = bytes_of(shown.bytes.data + before, shown.bytes.size - before);
    }
    buffer_append(buffer, "\"", 1);
    if (cut)
        buffer_append(buffer, "...", 3);
}

void output_cell(output_t *output, const cell_t *cell, escape_t escape)
{
    buffer_t text;
    buffer_init(&text, (size_t)4 * CELL_BYTES_MAX);
    cell_write(cell, escape, &text);
    if (text.failed || (text.size > 0 && fwrite(text.data, 1, text.size, output->stream) != text.size))
        output->failed = true;
    buffer_release(&text);
}
