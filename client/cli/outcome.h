/* SPDX-License-Identifier: MPL-2.0 */
/* The results of a command, and of the program. */
#ifndef KV_CLIENT_CLI_OUTCOME_H
#define KV_CLIENT_CLI_OUTCOME_H

/* The enumerators are the exit codes. */
typedef enum outcome {
#define OUTCOME(name, code, text) OUTCOME_##name = (code),
#include "client/cli/outcome.def"
#undef OUTCOME
} outcome_t;

#endif
