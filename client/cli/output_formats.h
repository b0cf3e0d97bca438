/* SPDX-License-Identifier: MPL-2.0 */
/* The formats by their names. */
#ifndef KV_CLIENT_CLI_OUTPUT_FORMATS_H
#define KV_CLIENT_CLI_OUTPUT_FORMATS_H

#include "client/cli/output.h"

/* Finds the format NAME. NULL if there is none. */
const output_ops_t *output_find(const char *name);

/* All formats, ended by NULL. */
const output_ops_t *const *output_formats(void);

#endif
