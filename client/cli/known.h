/* SPDX-License-Identifier: MPL-2.0 */
/* The values that a watch has seen, so that it can show the old value of a change. */
#ifndef KV_CLIENT_CLI_KNOWN_H
#define KV_CLIENT_CLI_KNOWN_H

#include "common/bytes.h"
#include "common/status.h"

typedef enum known_state {
    KNOWN_NOT,    /* not known */
    KNOWN_ABSENT, /* there is no such key */
    KNOWN_VALUE,
    KNOWN_SIZE /* there is a value; only its size is known */
} known_state_t;

typedef struct known_value {
    known_state_t state;
    bytes_t bytes; /* of KNOWN_VALUE; borrowed until the next change of the known_t */
    uint64_t size; /* of KNOWN_VALUE and KNOWN_SIZE: bytes */
    bool binary;   /* of KNOWN_VALUE: any bytes; else text */
} known_value_t;

typedef struct known known_t;

/* Makes an empty object that never takes more than LIMIT bytes. A value that finds no room is forgotten, so
 * known values are never out of date. NULL if memory is refused. Free with known_destroy. */
KV_MUST_USE known_t *known_new(size_t limit);
void known_destroy(known_t **known);

/* The value of KEY in CLIENT's store. */
known_value_t known_find(const known_t *known, bytes_t client, bytes_t key);

/* Sets the value of KEY to a copy of VALUE (not KNOWN_NOT). */
void known_set(known_t *known, bytes_t client, bytes_t key, const known_value_t *value);

/* CLIENT's store was dropped or created: it is empty now. */
void known_begin(known_t *known, bytes_t client);

/* All existing entries were set: from now on an unknown key is absent. */
void known_complete(known_t *known);

/* Forgets everything. */
void known_forget(known_t *known);

#endif
