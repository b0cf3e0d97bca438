/* SPDX-License-Identifier: MPL-2.0 */
/* Encodes and checks keys and values. */
#include "client/cli/bench/entry.h"

#include "client/cli/bench/dice.h"

enum { FILL = 'k' /* fills a key before its digits */ };

/* Each character of a value is '0' and 6 bits. */
#define FIRSTS   UINT64_C(0x3030303030303030)
#define SIX_BITS UINT64_C(0x3f3f3f3f3f3f3f3f)

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

/* Two digits at a time, for speed: each request writes a key. */
static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

void entry_key_write(uint64_t number, size_t size, char *key)
{
    size_t fill = size - digits_of(size);
    size_t at = size;
    memset(key, FILL, fill);
    for (; at > fill + 1; at -= 2) {
        uint64_t rest = number / 100;
        memcpy(key + at - 2, &pairs[(number - rest * 100) * 2], 2);
        number = rest;
    }
    if (at > fill)
        key[fill] = (char)('0' + number % 10);
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

/* Encodes VERSION as 8 characters of 6 bits. Splits its 48 bits into groups of 24, 12 and then 6. */
static uint64_t version_spread(uint64_t version)
{
    uint64_t x = (version & 0xffffff) | (version & UINT64_C(0xffffff000000)) << 8;
    x = (x & UINT64_C(0x00000fff00000fff)) | (x & UINT64_C(0x00fff00000fff000)) << 4;
    x = (x & UINT64_C(0x003f003f003f003f)) | (x & UINT64_C(0x0fc00fc00fc00fc0)) << 2;
    return x + FIRSTS;
}

/* Decodes 8 characters to a version. False if they are not an encoded version. */
static bool version_gather(uint64_t characters, uint64_t *version)
{
    uint64_t x = (characters - FIRSTS) & SIX_BITS;
    x = (x & UINT64_C(0x003f003f003f003f)) | (x & UINT64_C(0x3f003f003f003f00)) >> 2;
    x = (x & UINT64_C(0x00000fff00000fff)) | (x & UINT64_C(0x0fff00000fff0000)) >> 4;
    *version = (x & 0xffffff) | (x >> 8 & UINT64_C(0xffffff000000));
    return version_spread(*version) == characters;
}

/* Generates the characters after the version, ENTRY_VALUE_STEP at a time. */
static dice_t value_dice(uint64_t seed, uint64_t number, uint64_t version)
{
    return (dice_t){dice_mix(seed ^ number) ^ version};
}

static uint64_t value_step(dice_t *dice)
{
    return (dice_next(dice) & SIX_BITS) + FIRSTS;
}

void entry_value_write(uint64_t seed, uint64_t number, uint64_t version, size_t size, char *value)
{
    uint64_t step = version_spread(version);
    dice_t dice = value_dice(seed, number, version);
    size_t at = 0;
    for (; at + ENTRY_VALUE_STEP <= size; at += ENTRY_VALUE_STEP) {
        memcpy(value + at, &step, ENTRY_VALUE_STEP);
        step = value_step(&dice);
    }
    memcpy(value + at, &step, size - at);
}

bool entry_value_check(uint64_t seed, uint64_t number, bytes_t value, size_t size, uint64_t *version)
{
    uint64_t step;
    uint64_t read;
    if (value.size != size)
        return false;
    memcpy(&step, value.data, sizeof step);
    if (!version_gather(step, &read))
        return false;
    dice_t dice = value_dice(seed, number, read);
    size_t at = ENTRY_VALUE_STEP;
    for (; at + ENTRY_VALUE_STEP <= size; at += ENTRY_VALUE_STEP) {
        step = value_step(&dice);
        if (memcmp(value.data + at, &step, ENTRY_VALUE_STEP) != 0)
            return false;
    }
    if (at < size) {
        step = value_step(&dice);
        if (memcmp(value.data + at, &step, size - at) != 0)
            return false;
    }
    *version = read;
    return true;
}
