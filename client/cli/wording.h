/* SPDX-License-Identifier: MPL-2.0 */
/* Says in the tool's terms what the library and the broker say in those of the protocol: a person gives
 * --secret-file, and no option of `hello`. */
#ifndef KV_CLIENT_CLI_WORDING_H
#define KV_CLIENT_CLI_WORDING_H

#include <stdbool.h>
#include <stddef.h>

/* Writes ERROR into OUT (OUT_SIZE bytes, zero-terminated, cut where it is longer) as the tool says it. ALONE:
 * nothing comes behind the command, so options of the next run are what helps. Returns OUT. */
const char *wording_of(const char *error, bool alone, char *out, size_t out_size);

#endif
