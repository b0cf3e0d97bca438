/* SPDX-License-Identifier: MPL-2.0 */
/* Reads results. Each function takes the whole encoded result of a method, and returns false if it is not
 * valid (a field is missing or has another type). Slices borrow from the result. Unknown fields are ignored:
 * a newer broker may send them. */
#ifndef KV_CLIENT_LIB_RESULT_H
#define KV_CLIENT_LIB_RESULT_H

#include "client/include/kvzmq.h"
#include "common/rpc.h"

/* The type of a field, and what nil means. */
typedef enum field_type {
    FIELD_UINT,  /* uint64_t; nil = 0 */
    FIELD_BOOL,  /* bool */
    FIELD_TTL,   /* int64_t; nil = -1 */
    FIELD_SLICE, /* kvzmq_slice_t; nil = size 0 */
    FIELD_BODY   /* bytes_t: the encoded value, of any type */
} field_type_t;

typedef struct field {
    const char *name;
    field_type_t type;
    size_t offset; /* of its member in the record */
} field_t;

/* Reads the value at *AT as TYPE into MEMBER, and moves *AT past it. */
KV_MUST_USE bool result_field(bytes_t body, size_t *at, field_type_t type, void *member);

/* Reads the map at *AT into RECORD, and moves *AT past it. The map must have all COUNT fields. */
KV_MUST_USE bool result_map(bytes_t body, size_t *at, const field_t *fields, size_t count, void *record);

KV_MUST_USE bool result_is_nil(bytes_t body);
/* A value of a store: str or bin, not nil. */
KV_MUST_USE bool result_value(bytes_t body, kvzmq_slice_t *value);
KV_MUST_USE bool result_number(bytes_t body, uint64_t *number);
/* `entry`: sets the value, revision and ttl_ms of ROW. */
KV_MUST_USE bool result_entry(bytes_t body, kvzmq_row_t *row);
KV_MUST_USE bool result_digest(bytes_t body, kvzmq_digest_t *digest);
/* `auth`: the role. */
KV_MUST_USE bool result_role(bytes_t body, kvzmq_slice_t *role);
/* `hello`. False also if a text does not fit its member. */
KV_MUST_USE bool result_hello(bytes_t body, kvzmq_session_t *session);
/* The `reason` in the params of a pushed `bye`. */
KV_MUST_USE bool result_bye(bytes_t params, kvzmq_slice_t *reason);

#endif
