/* SPDX-License-Identifier: MPL-2.0 */
/* The format for programs: one JSON value for each command. */
#ifndef KV_CLIENT_CLI_OUTPUT_JSON_H
#define KV_CLIENT_CLI_OUTPUT_JSON_H

#include "client/cli/output.h"

extern const output_ops_t output_json;

#endif
