/* SPDX-License-Identifier: MPL-2.0 */
/* Runs a call, or shows why it cannot be run. */
#ifndef KV_CLIENT_CLI_RUN_H
#define KV_CLIENT_CLI_RUN_H

#include "client/cli/call.h"

/* Runs the call in RESULT, which was made with CLI->options. Flushes everything shown. */
outcome_t run_call(cli_t *cli, call_result_t *result);

/* Runs COUNT WORDS of a piped or typed line. BACKGROUND: see call_t. */
outcome_t run_line(cli_t *cli, const bytes_t *words, size_t count, watching_t **background);

#endif
