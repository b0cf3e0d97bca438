/* SPDX-License-Identifier: MPL-2.0 */
/* Outcome of an operation: the protocol's error codes and OK. One list, status.def, makes the
 * enumeration, the texts on the wire and the documentation. */
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

/* The text that stands for STATUS on the wire ("NOT_FOUND"). Static storage. */
const char *status_text(status_t status);

/* Finds the status whose text is TEXT. Returns false, and leaves *STATUS alone, where no code has that
 * text; a client then treats the answer as an error of a newer broker. */
KV_MUST_USE bool status_from_text(bytes_t text, status_t *status);

#endif
