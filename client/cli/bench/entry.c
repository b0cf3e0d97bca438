/* SPDX-License-Identifier: MPL-2.0 */
/* Owns what keys and values look like. */
#include "client/cli/bench/entry.h"

#include "client/cli/bench/dice.h"

enum {
    FILL = 'k',       /* before a key's digits */
    FIRST = '0',      /* the first of 64 characters of which values are made */
    VERSION_SIZE = 8, /* bytes that say the version, 6 bits each */
    VERSION_BITS = 6
};

static size_t digits_of(size_t size)
{
    return size < ENTRY_KEY_DIGITS ? size : ENTRY_KEY_DIGITS;
}

uint64_t entry_keys(uint64_t size)
{
    uint64_t keys = 1;
    for (size_t i = 0; i < digits_of(size); i++)
        keys *= 10;
    return keys;
}

void entry_key_write(uint64_t number, size_t size, char *key)
{
    size_t fill = size - digits_of(size);
    memset(key, FILL, fill);
    for (size_t at = size; at > fill; at--) {
        key[at - 1] = (char)('0' + number % 10);
        number /= 10;
    }
}

bool entry_key_read(bytes_t key, size_t size, uint64_t *number)
{
    if (key.size != size)
        return false;
    size_t fill = size - digits_of(size);
    uint64_t read = 0;
    for (size_t at = 0; at < size; at++) {
        uint8_t c = key.data[at];
        if (at < fill ? c != FILL : c < '0' || c > '9')
            return false;
        if (at >= fill)
            read = read * 10 + (uint64_t)(c - '0');
    }
    *number = read;
    return true;
}

/* The bytes behind the version come from here, ENTRY_VALUE_STEP at a time. */
static dice_t value_dice(uint64_t seed, uint64_t number, uint64_t version)
{
    return (dice_t){dice_mix(seed ^ dice_mix(number)) ^ version};
}

static uint64_t value_step(dice_t *dice)
{
    return (dice_next(dice) & UINT64_C(0x3f3f3f3f3f3f3f3f)) + UINT64_C(0x3030303030303030);
}

void entry_value_write(uint64_t seed, uint64_t number, uint64_t version, size_t size, char *value)
{
    for (size_t i = 0; i < VERSION_SIZE; i++)
        value[i] = (char)(FIRST + (int)(version >> (i * VERSION_BITS) & 63));
    dice_t dice = value_dice(seed, number, version);
    for (size_t at = VERSION_SIZE; at < size; at += ENTRY_VALUE_STEP) {
        uint64_t step = value_step(&dice);
        memcpy(value + at, &step, size - at < sizeof step ? size - at : sizeof step);
    }
}

bool entry_value_check(uint64_t seed, uint64_t number, bytes_t value, size_t size, uint64_t *version)
{
    if (value.size != size)
        return false;
    uint64_t read = 0;
    for (size_t i = 0; i < VERSION_SIZE; i++) {
        if (value.data[i] < FIRST || value.data[i] > FIRST + 63)
            return false;
        read |= (uint64_t)(value.data[i] - FIRST) << (i * VERSION_BITS);
    }
    dice_t dice = value_dice(seed, number, read);
    for (size_t at = VERSION_SIZE; at < size; at += ENTRY_VALUE_STEP) {
        uint64_t step = value_step(&dice);
        if (memcmp(value.data + at, &step, size - at < sizeof step ? size - at : sizeof step) != 0)
            return false;
    }
    *version = read;
    return true;
}
