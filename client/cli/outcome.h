/* SPDX-License-Identifier: MPL-2.0 */
/* How a command, and so the program, ends. */
#ifndef KV_CLIENT_CLI_OUTCOME_H
#define KV_CLIENT_CLI_OUTCOME_H

/* The enumerators are the exit codes. */
typedef enum outcome {
#define OUTCOME(name, code, text) OUTCOME_##name = (code),
#include "client/cli/outcome.def"
#undef OUTCOME
} outcome_t;

#endif
