/* SPDX-License-Identifier: MPL-2.0 */
/* The syntax of times. Computes with integers, not floating point, so that decimal fractions are exact. */
#include "common/duration.h"

#include "common/limits.h"
#include "common/number.h"

typedef struct unit {
    const char *name;
    uint64_t size_ms;
} unit_t;

/* In the order in which they may appear. */
static const unit_t units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
enum {
    UNIT_COUNT = sizeof units / sizeof *units,
    FRACTION_DIGITS = 9, /* digits of a fraction that count; later ones are ignored */
};
static const unit_t seconds = {"", 1000};

/* Removes a unit from the beginning of TEXT. It must be units[*NEXT] or a later one; *NEXT becomes the index
 * after it. Returns NULL if there is no such unit. */
static const unit_t *unit_take(bytes_t *text, unsigned *next)
{
    size_t size = 0;
    while (size < text->size && !digit_is(text->data[size]))
        size++;
    bytes_t name = bytes_of(text->data, size);
    for (unsigned i = *next; i < UNIT_COUNT; i++) {
        if (!bytes_equal(name, bytes_from_text(units[i].name)))
            continue;
        *text = bytes_of(text->data + size, text->size - size);
        *next = i + 1;
        return &units[i];
    }
    return NULL;
}

/* Removes ".DIGITS" from the beginning of TEXT. The fraction is PARTS / SCALE, 0 if TEXT does not begin with
 * a point. Returns false if no digit follows the point. */
static bool fraction_take(bytes_t *text, uint64_t *parts, uint64_t *scale)
{
    *parts = 0;
    *scale = 1;
    if (text->size == 0 || text->data[0] != '.')
        return true;
    size_t at = 1;
    for (; at < text->size && digit_is(text->data[at]); at++) {
        if (at <= FRACTION_DIGITS) {
            *parts = *parts * 10 + (uint64_t)(text->data[at] - '0');
            *scale *= 10;
        }
    }
    if (at == 1)
        return false;
    *text = bytes_of(text->data + at, text->size - at);
    return true;
}

/* Removes one number with its unit from the beginning of TEXT. For NEXT see unit_take. */
static bool part_take(bytes_t *text, unsigned *next, uint64_t *part_ms)
{
    bool first = *next == 0;
    uint64_t whole;
    uint64_t parts;
    uint64_t scale;
    if (!number_take(text, &whole))
        return false;
    size_t behind_whole = text->size;
    if (!fraction_take(text, &parts, &scale))
        return false;
    bool fraction = text->size < behind_whole;
    const unit_t *unit = first && text->size == 0 ? &seconds : unit_take(text, next);
    if (unit == NULL || whole > LIMIT_TTL_MS / unit->size_ms || (fraction && text->size > 0))
        return false;
    *part_ms = whole * unit->size_ms + (parts * unit->size_ms + scale - 1) / scale;
    return true;
}

bool duration_parse(bytes_t text, uint64_t *duration_ms)
{
    uint64_t sum = 0;
    unsigned next = 0;
    do {
        uint64_t part_ms;
        if (!part_take(&text, &next, &part_ms))
            return false;
        sum += part_ms; /* no overflow: one part for each unit, each hardly above LIMIT_TTL_MS */
    } while (text.size > 0);
    if (sum == 0 || sum > LIMIT_TTL_MS)
        return false;
    *duration_ms = sum;
    return true;
}
