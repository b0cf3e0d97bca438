/* SPDX-License-Identifier: MPL-2.0 */
/* Translates errors of the library and the broker into the terms of the tool: its user gives --secret-file,
 * not an option of `hello`. */
#ifndef KV_CLIENT_CLI_WORDING_H
#define KV_CLIENT_CLI_WORDING_H

#include <stdbool.h>
#include <stddef.h>

/* Writes ERROR in the tool's terms into OUT (OUT_SIZE bytes, zero-terminated, cut if it is too long). ALONE:
 * no further command follows, so the text names options for the next run. Returns OUT. */
const char *wording_of(const char *error, bool alone, char *out, size_t out_size);

#endif
