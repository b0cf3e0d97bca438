/* SPDX-License-Identifier: MPL-2.0 */
/* Owned copies of bytes, for values that calls return. */
#ifndef KV_CLIENT_LIB_VALUE_H
#define KV_CLIENT_LIB_VALUE_H

#include "client/include/kvzmq.h"
#include "common/bytes.h"
#include "common/status.h"

/* Returns a copy of BYTES with a terminating zero; owned (free). NULL if memory is refused. */
KV_MUST_USE char *value_copy_bytes(bytes_t bytes);

/* Makes *VALUE a copy of BYTES, owned (kvzmq_value_release). False if memory is refused. */
KV_MUST_USE bool value_copy(kvzmq_value_t *value, bytes_t bytes, bool binary);

#endif
