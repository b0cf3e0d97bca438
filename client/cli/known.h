/* SPDX-License-Identifier: MPL-2.0 */
/* What keys hold, as far as a watch was told: from it comes the old value of a change. Knows no events. */
#ifndef KV_CLIENT_CLI_KNOWN_H
#define KV_CLIENT_CLI_KNOWN_H

#include "common/bytes.h"
#include "common/status.h"

typedef enum known_state {
    KNOWN_NOT,    /* not known */
    KNOWN_ABSENT, /* there is no such key */
    KNOWN_VALUE,
    KNOWN_SIZE /* there is a value, of which the size alone is known */
} known_state_t;

typedef struct known_value {
    known_state_t state;
    bytes_t bytes; /* of KNOWN_VALUE; borrowed until the next change of the known_t */
    uint64_t size; /* of KNOWN_VALUE and KNOWN_SIZE: bytes */
    bool binary;   /* of KNOWN_VALUE: any bytes, else text */
} known_value_t;

typedef struct known known_t;

/* Knows nothing yet, and will never take more than LIMIT bytes: what finds no room is forgotten, so that
 * nothing it tells is out of date. NULL if memory is refused. Free with known_destroy. */
KV_MUST_USE known_t *known_new(size_t limit);
void known_destroy(known_t **known);

/* What KEY of CLIENT's store holds. */
known_value_t known_find(const known_t *known, bytes_t client, bytes_t key);

/* From now on it holds VALUE (not KNOWN_NOT), which is copied. */
void known_set(known_t *known, bytes_t client, bytes_t key, const known_value_t *value);

/* CLIENT's store begins anew, and is empty. */
void known_begin(known_t *known, bytes_t client);

/* Every entry that there is was told: a key that is not known is absent. */
void known_complete(known_t *known);

/* Nothing is known any more. */
void known_forget(known_t *known);

#endif
