/* SPDX-License-Identifier: MPL-2.0 */
/* The digest of one entry. A small entry is copied to the stack and hashed with one call, which costs half as
 * much as hashing it piece by piece. */
#include "common/digest.h"

#include <endian.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
    AT_ONCE_MAX = 512, /* bytes of key and value that are hashed with one call */
    FRAME = 4 + 1 + 8  /* bytes of key length, type and revision */
};

static uint64_t digest_at_once(bytes_t key, bool binary, bytes_t value, uint64_t revision)
{
    uint8_t bytes[AT_ONCE_MAX + FRAME];
    uint8_t *to = bytes;
    uint32_t key_size = htole32((uint32_t)key.size);
    uint64_t number = htole64(revision);
    memcpy(to, &key_size, sizeof key_size);
    to += sizeof key_size;
    memcpy(to, key.data, key.size);
    to += key.size;
    *to++ = binary;
    if (value.size != 0)
        memcpy(to, value.data, value.size);
    to += value.size;
    memcpy(to, &number, sizeof number);
    to += sizeof number;
    return XXH64(bytes, (size_t)(to - bytes), 0);
}

uint64_t digest_entry(bytes_t key, bool binary, bytes_t value, uint64_t revision)
{
    if (key.size + value.size <= AT_ONCE_MAX)
        return digest_at_once(key, binary, value, revision);
    XXH64_state_t state;
    uint32_t key_size = htole32((uint32_t)key.size);
    uint64_t number = htole64(revision);
    uint8_t type = binary;
    XXH64_reset(&state, 0);
    XXH64_update(&state, &key_size, sizeof key_size);
    XXH64_update(&state, key.data, key.size);
    XXH64_update(&state, &type, 1);
    XXH64_update(&state, value.data, value.size);
    XXH64_update(&state, &number, sizeof number);
    return XXH64_digest(&state);
}
