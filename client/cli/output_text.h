/* SPDX-License-Identifier: MPL-2.0 */
/* The format for people. */
#ifndef KV_CLIENT_CLI_OUTPUT_TEXT_H
#define KV_CLIENT_CLI_OUTPUT_TEXT_H

#include "client/cli/output.h"

extern const output_ops_t output_text;

#endif
