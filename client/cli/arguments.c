/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the syntax of numbers and times. Counts in whole nanoseconds' worth of digits, never in floating
 * point: what is written is what is meant. */
#include "client/cli/arguments.h"

#include "common/limits.h"

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Takes the digits that TEXT begins with, at least one, off it. */
static bool digits_take(bytes_t *text, uint64_t *number)
{
    uint64_t sum = 0;
    size_t taken = 0;
    for (; taken < text->size && is_digit(text->data[taken]); taken++) {
        unsigned digit = (unsigned)text->data[taken] - '0';
        if (sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    if (taken == 0)
        return false;
    *text = bytes_of(text->data + taken, text->size - taken);
    *number = sum;
    return true;
}

bool number_parse(bytes_t text, uint64_t *number)
{
    uint64_t sum;
    if (!digits_take(&text, &sum) || text.size > 0)
        return false;
    *number = sum;
    return true;
}

typedef struct unit {
    const char *name;
    uint64_t size_ms;
} unit_t;

static const unit_t units[] = {
    {"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000},
};

static const unit_t *unit_find(bytes_t name)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (bytes_equal(name, bytes_from_text(units[i].name)))
            return &units[i];
    }
    return NULL;
}

/* Takes ".DIGITS" off TEXT, as parts in SCALE; anything behind the ninth digit is too fine to matter. */
static bool fraction_take(bytes_t *text, uint64_t *parts, uint64_t *scale)
{
    *parts = 0;
    *scale = 1;
    if (text->size == 0 || text->data[0] != '.')
        return true;
    size_t at = 1;
    for (; at < text->size && is_digit(text->data[at]); at++) {
        if (at <= 9) {
            *parts = *parts * 10 + (uint64_t)(text->data[at] - '0');
            *scale *= 10;
        }
    }
    if (at == 1)
        return false;
    *text = bytes_of(text->data + at, text->size - at);
    return true;
}

bool duration_parse(bytes_t text, uint64_t *duration_ms)
{
    uint64_t whole;
    uint64_t parts;
    uint64_t scale;
    if (!digits_take(&text, &whole) || !fraction_take(&text, &parts, &scale))
        return false;
    const unit_t *unit = unit_find(text);
    if (unit == NULL || whole > LIMIT_TTL_MS / unit->size_ms)
        return false;
    uint64_t sum = whole * unit->size_ms + (parts * unit->size_ms + scale - 1) / scale;
    if (sum == 0 || sum > LIMIT_TTL_MS)
        return false;
    *duration_ms = sum;
    return true;
}
