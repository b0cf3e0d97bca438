/* SPDX-License-Identifier: MPL-2.0 */
/* The format for pipes: a value's bytes, and nothing else. */
#ifndef KV_CLIENT_CLI_OUTPUT_RAW_H
#define KV_CLIENT_CLI_OUTPUT_RAW_H

#include "client/cli/output.h"

extern const output_ops_t output_raw;

#endif
