/* SPDX-License-Identifier: MPL-2.0 */
/* Names of clients, PROTOCOL.md section 3. */
#ifndef KV_COMMON_NAME_H
#define KV_COMMON_NAME_H

#include "common/bytes.h"

/* Whether NAME is valid: 1 to LIMIT_NAME bytes of printable ASCII (0x21 to 0x7e) without '/', and not only
 * digits. */
bool name_valid(bytes_t name);

/* Splits a socket identity `NAME` or `NAME/INSTANCE` at its first slash. If NAME is valid, returns true and
 * sets *NAME (borrowed from IDENTITY). Otherwise returns false and leaves *NAME unchanged. */
bool name_from_identity(bytes_t identity, bytes_t *name);

#endif
