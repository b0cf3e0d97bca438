/* SPDX-License-Identifier: MPL-2.0 */
/* Reads results: each function takes the whole encoded result of a method and returns false where it is not
 * what the protocol says (a field missing, another type). Slices borrow from the result. Fields that the
 * protocol does not have are passed over: a newer broker may send them. */
#ifndef KV_CLIENT_LIB_RESULT_H
#define KV_CLIENT_LIB_RESULT_H

#include "client/include/kvzmq.h"
#include "common/rpc.h"

/* What a field of a map holds, and what nil stands for. */
typedef enum field_type {
    FIELD_UINT,  /* uint64_t; nil = 0 */
    FIELD_BOOL,  /* bool */
    FIELD_TTL,   /* int64_t; nil = -1 */
    FIELD_SLICE, /* kvzmq_slice_t; nil = size 0 */
    FIELD_BODY   /* bytes_t: the encoded value itself, whatever it is */
} field_type_t;

typedef struct field {
    const char *name;
    field_type_t type;
    size_t offset; /* of the member that takes it, in the record */
} field_t;

/* Reads the value at *AT as TYPE into MEMBER and moves *AT behind it. */
KV_MUST_USE bool result_field(bytes_t body, size_t *at, field_type_t type, void *member);

/* Reads the map at *AT into RECORD. Each of the COUNT fields must be there. */
KV_MUST_USE bool result_map(bytes_t body, size_t *at, const field_t *fields, size_t count, void *record);

KV_MUST_USE bool result_is_nil(bytes_t body);
/* A value of a store: str or bin, not nil. */
KV_MUST_USE bool result_value(bytes_t body, kvzmq_slice_t *value);
KV_MUST_USE bool result_number(bytes_t body, uint64_t *number);
/* `entry`: value, revision and ttl_ms of ROW, whose key is left alone. */
KV_MUST_USE bool result_entry(bytes_t body, kvzmq_row_t *row);
KV_MUST_USE bool result_digest(bytes_t body, kvzmq_digest_t *digest);
/* `auth`: the role. */
KV_MUST_USE bool result_role(bytes_t body, kvzmq_slice_t *role);
/* `hello`. False also where a text is longer than its member. */
KV_MUST_USE bool result_hello(bytes_t body, kvzmq_session_t *session);
/* The `reason` in the params of a pushed `bye`. */
KV_MUST_USE bool result_bye(bytes_t params, kvzmq_slice_t *reason);

#endif
