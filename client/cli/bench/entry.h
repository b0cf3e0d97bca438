/* SPDX-License-Identifier: MPL-2.0 */
/* Keys and values of the load. Both follow from numbers: a key from its number; a value from the key's
 * number, a version and the run's seed. So a value that was read can be checked without a table of what was
 * written: it is made again from the version that it names, and compared. */
#ifndef KV_CLIENT_CLI_BENCH_ENTRY_H
#define KV_CLIENT_CLI_BENCH_ENTRY_H

#include "common/bytes.h"
#include "common/status.h"

enum {
    ENTRY_KEY_DIGITS = 12, /* of a key, at most; what is before them is filled up */
    ENTRY_KEY_MAX = 1024,  /* bytes */
    ENTRY_VALUE_MIN = 16,  /* bytes: half of them say the version, the others prove key and version */
    ENTRY_VALUE_STEP = 8   /* bytes of a value that are made at once */
};

#define ENTRY_VERSION_MAX ((UINT64_C(1) << 48) - 1)

/* How many keys of SIZE bytes there are. */
uint64_t entry_keys(uint64_t size);

/* Writes key NUMBER, of SIZE bytes. Keys sort as their numbers do. */
void entry_key_write(uint64_t number, size_t size, char *key);

/* Reads the number of a key of SIZE bytes. False if KEY is none. */
KV_MUST_USE bool entry_key_read(bytes_t key, size_t size, uint64_t *number);

/* Writes the value of SIZE bytes for key NUMBER: printable ASCII. */
void entry_value_write(uint64_t seed, uint64_t number, uint64_t version, size_t size, char *value);

/* Whether VALUE is one for key NUMBER, of SIZE bytes; *VERSION is then its version. */
KV_MUST_USE bool entry_value_check(uint64_t seed, uint64_t number, bytes_t value, size_t size,
                                   uint64_t *version);

#endif
