/* SPDX-License-Identifier: MPL-2.0 */
/* Keys and values of the benchmark. A key is computed from its number, a value from the key's number, a
 * version and the seed of the run. So checking a value needs no table of what was written: compute it again
 * from the version that it contains, and compare. */
#ifndef KV_CLIENT_CLI_BENCH_ENTRY_H
#define KV_CLIENT_CLI_BENCH_ENTRY_H

#include "common/bytes.h"
#include "common/status.h"

enum {
    ENTRY_KEY_DIGITS = 12, /* most digits of a key; longer keys are filled */
    ENTRY_KEY_MAX = 1024,  /* bytes */
    ENTRY_VALUE_MIN = 16,  /* bytes: 8 for the version, 8 that check key and version */
    ENTRY_VALUE_STEP = 8   /* bytes of a value that are computed at a time */
};

#define ENTRY_VERSION_MAX ((UINT64_C(1) << 48) - 1)

/* How many different keys of SIZE bytes there are. */
uint64_t entry_keys(uint64_t size);

/* Writes key NUMBER, of SIZE bytes. Keys sort as their numbers do. */
void entry_key_write(uint64_t number, size_t size, char *key);

/* Reads the number of a key of SIZE bytes. False if KEY is not such a key. */
KV_MUST_USE bool entry_key_read(bytes_t key, size_t size, uint64_t *number);

/* Writes the value of SIZE bytes for key NUMBER: printable ASCII. */
void entry_value_write(uint64_t seed, uint64_t number, uint64_t version, size_t size, char *value);

/* Whether VALUE is a value of SIZE bytes for key NUMBER; if so, sets *VERSION. */
KV_MUST_USE bool entry_value_check(uint64_t seed, uint64_t number, bytes_t value, size_t size,
                                   uint64_t *version);

#endif
