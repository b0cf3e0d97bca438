/* SPDX-License-Identifier: MPL-2.0 */
/* Times as people write them, on the command line and in configurations. */
#ifndef KV_COMMON_DURATION_H
#define KV_COMMON_DURATION_H

#include <stdint.h>

#include "common/bytes.h"
#include "common/status.h"

/* For error texts: what a time looks like. */
#define DURATION_EXPECTED "a time above 0, such as 2.5 (seconds), 500ms, 5m or 1h30m"

/* Reads a time in one of two forms:
 *
 *   90, 2.5              a number of seconds;
 *   500ms, 1.5h, 2d12h   one or more numbers, each with a unit: d, h, m, s or ms. Larger units come first,
 * and each at most once.
 *
 * Only the last number may have a fraction. Rounds up to whole milliseconds. Returns false if TEXT has
 * neither form, is 0, or exceeds 2^53 ms. */
KV_MUST_USE bool duration_parse(bytes_t text, uint64_t *duration_ms);

#endif
