/* SPDX-License-Identifier: MPL-2.0 */
/* The grammar of escape sequences (ECMA-48, with the additions of rxvt and the Linux console), and the
 * functions of keys. */
#include "client/cli/keys.h"

enum {
    ESCAPE = 0x1b,
    PARAMETERS_MAX = 2, /* numbers in a key's sequence: the key, and its modifiers */
    /* Modifiers: the number that is sent is one more than their sum. */
    HELD_SHIFT = 1,
    HELD_ALT = 2,
    HELD_CONTROL = 4
};

const char keys_paste_end[] = "\033[201~";

/* ---- Finding the end of a sequence ------------------------------------------------------------ */

static void keys_add(keys_t *keys, uint8_t byte)
{
    if (keys->size < sizeof keys->bytes)
        keys->bytes[keys->size++] = byte;
    else
        keys->overrun = true;
}

static keys_step_t keys_begin(keys_t *keys, uint8_t byte)
{
    *keys = (keys_t){.state = byte == ESCAPE ? KEYS_ESCAPE : KEYS_OUTSIDE};
    keys_add(keys, byte);
    return byte == ESCAPE ? KEYS_MORE : KEYS_PLAIN;
}

/* Takes a byte after ESC. A second ESC before a sequence means Alt; further ones are ignored. */
static keys_step_t escape_take(keys_t *keys, uint8_t byte)
{
    if (byte == ESCAPE && keys->size > 1)
        return KEYS_MORE;
    keys_add(keys, byte);
    if (byte == ESCAPE)
        return KEYS_MORE;
    keys->state = byte == '[' ? KEYS_CSI : byte == 'O' ? KEYS_SS3 : KEYS_OUTSIDE;
    return keys->state == KEYS_OUTSIDE ? KEYS_PLAIN : KEYS_MORE;
}

/* Whether only digits follow ESC [ so far. Then rxvt's $ ends the sequence; elsewhere $ is inside a sequence.
 */
static bool numbers_alone(const keys_t *keys)
{
    size_t digits = 0;
    while (digits < keys->size && keys->bytes[keys->size - 1 - digits] >= '0' &&
           keys->bytes[keys->size - 1 - digits] <= '9')
        digits++;
    return digits > 0 && keys->bytes[keys->size - 1 - digits] == '[';
}

keys_step_t keys_take(keys_t *keys, uint8_t byte)
{
    if (keys->state == KEYS_OUTSIDE)
        return keys_begin(keys, byte);
    if (keys->state == KEYS_ESCAPE)
        return escape_take(keys, byte);
    bool within = byte >= 0x20 && byte <= 0x3f;
    bool ends = byte >= 0x40 && byte <= 0x7e;
    if (!within && !ends)
        return keys_begin(keys, byte); /* the sequence was cut off */
    bool console = keys->state == KEYS_CSI && byte == '[' && keys->bytes[keys->size - 1] == '[';
    ends = (ends && !console) || (byte == '$' && keys->state == KEYS_CSI && numbers_alone(keys));
    keys_add(keys, byte);
    if (console)
        keys->state = KEYS_CONSOLE;
    if (!ends)
        return KEYS_MORE;
    keys->state = KEYS_OUTSIDE;
    return KEYS_SEQUENCE;
}

/* ---- Functions of sequences ------------------------------------------------------------------- */

/* A key, its function alone, and its function with Control or Alt. */
typedef struct key_row {
    char final;      /* last character of its sequence; '~' for all keys with a number */
    unsigned number; /* 0 = none */
    const char *alone;
    const char *held;
} key_row_t;

static const key_row_t key_rows[] = {
    {'A', 0, "ed-prev-history", "ed-prev-history"},         /* up */
    {'B', 0, "ed-next-history", "ed-next-history"},         /* down */
    {'C', 0, "ed-next-char", "em-next-word"},               /* right */
    {'D', 0, "ed-prev-char", "ed-prev-word"},               /* left */
    {'F', 0, "ed-move-to-end", "ed-move-to-end"},           /* end */
    {'H', 0, "ed-move-to-beg", "ed-move-to-beg"},           /* home */
    {'~', 1, "ed-move-to-beg", "ed-move-to-beg"},           /* home */
    {'~', 3, "ed-delete-next-char", "em-delete-next-word"}, /* delete */
    {'~', 4, "ed-move-to-end", "ed-move-to-end"},           /* end */
    {'~', 5, "ed-prev-history", "ed-prev-history"},         /* page up */
    {'~', 6, "ed-next-history", "ed-next-history"},         /* page down */
    {'~', 7, "ed-move-to-beg", "ed-move-to-beg"},           /* home */
    {'~', 8, "ed-move-to-end", "ed-move-to-end"},           /* end */
    {'~', 200, KEYS_PASTE, KEYS_PASTE},
};

/* A parsed sequence. */
typedef struct sequence {
    bool alt;
    bool ss3;
    char final;
    unsigned numbers[PARAMETERS_MAX];
    size_t count; /* of `numbers` */
} sequence_t;

/* Parses the numbers in TEXT, which is everything before the final byte. */
static bool numbers_parse(bytes_t text, sequence_t *sequence)
{
    if (text.size > 0)
        sequence->count = 1;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        unsigned *number = &sequence->numbers[sequence->count - 1];
        if (c == ';' && sequence->count < PARAMETERS_MAX)
            sequence->count++;
        else if (c >= '0' && c <= '9' && *number < 1000)
            *number = *number * 10 + (unsigned)(c - '0');
        else
            return false;
    }
    return true;
}

static bool sequence_parse(bytes_t bytes, sequence_t *sequence)
{
    *sequence = (sequence_t){.alt = bytes.size > 1 && bytes.data[1] == ESCAPE};
    size_t begin = sequence->alt ? 2 : 1;
    if (bytes.size < begin + 2)
        return false;
    sequence->ss3 = bytes.data[begin] == 'O';
    sequence->final = (char)bytes.data[bytes.size - 1];
    return numbers_parse(bytes_of(bytes.data + begin + 1, bytes.size - begin - 2), sequence);
}

/* Returns the modifiers (HELD_...) of SEQUENCE. Converts the forms of rxvt and old terminals to the standard
 * form. */
static unsigned sequence_take_held(sequence_t *sequence)
{
    static const char finals[] = "^$@"; /* rxvt, instead of ~ */
    static const unsigned held_by_final[] = {HELD_CONTROL, HELD_SHIFT, HELD_CONTROL | HELD_SHIFT};
    const char *found = strchr(finals, sequence->final);
    unsigned held = sequence->alt ? HELD_ALT : 0;
    bool numbered = found != NULL || sequence->final == '~';
    /* The last number has the modifiers unless it is the key's number: 1;5C, and the older 5C. */
    size_t last = sequence->count > 0 ? sequence->count - 1 : 0;
    if (sequence->numbers[last] > 0 && (last > 0 || !numbered))
        held |= sequence->numbers[last] - 1;
    if (found != NULL) {
        held |= held_by_final[found - finals];
        sequence->final = '~';
    }
    if (sequence->final >= 'a' && sequence->final <= 'd') { /* rxvt's arrows */
        held |= sequence->ss3 ? HELD_CONTROL : HELD_SHIFT;
        sequence->final = (char)(sequence->final - 'a' + 'A');
    }
    if (!numbered)
        sequence->numbers[0] = 0;
    return held;
}

const char *keys_function(bytes_t bytes)
{
    sequence_t sequence;
    if (!sequence_parse(bytes, &sequence))
        return NULL;
    unsigned held = sequence_take_held(&sequence);
    for (size_t i = 0; i < sizeof key_rows / sizeof *key_rows; i++) {
        const key_row_t *row = &key_rows[i];
        if (row->final == sequence.final && row->number == sequence.numbers[0])
            return (held & (HELD_ALT | HELD_CONTROL)) != 0 ? row->held : row->alone;
    }
    return NULL;
}
