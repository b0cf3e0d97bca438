/* SPDX-License-Identifier: MPL-2.0 */
/* Numbers and times as people write them. */
#ifndef KV_CLIENT_CLI_ARGUMENTS_H
#define KV_CLIENT_CLI_ARGUMENTS_H

#include <stdint.h>

#include "common/bytes.h"
#include "common/status.h"

/* Reads a decimal number, nothing but digits. Returns false where TEXT is none or exceeds 64 bits. */
KV_MUST_USE bool number_parse(bytes_t text, uint64_t *number);

/* Reads a time: a decimal number, with a fraction or not, and a unit out of ms, s, m, h, d (s where none is
 * given): "5", "0.25", "500ms", "1.5h". Rounds up to whole milliseconds. Returns false where TEXT is none, or
 * is 0, or exceeds 2^53 ms. */
KV_MUST_USE bool duration_parse(bytes_t text, uint64_t *duration_ms);

#endif
