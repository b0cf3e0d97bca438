/* SPDX-License-Identifier: MPL-2.0 */
/* The outcome of an operation: OK or an error code of the protocol. The list in status.def makes the
 * enumeration and the texts on the wire. */
#ifndef KV_COMMON_STATUS_H
#define KV_COMMON_STATUS_H

#include "common/bytes.h"

#define KV_MUST_USE __attribute__((warn_unused_result))

typedef enum status {
#define STATUS(name, text) STATUS_##name,
#include "common/status.def"
#undef STATUS
    STATUS_COUNT
} status_t;

/* Returns the text of STATUS on the wire ("NOT_FOUND"), in static storage. */
const char *status_text(status_t status);

/* Finds the status whose text is TEXT. Returns false and leaves *STATUS unchanged if there is none; a client
 * then assumes that a newer broker has more error codes. */
KV_MUST_USE bool status_from_text(bytes_t text, status_t *status);

#endif
