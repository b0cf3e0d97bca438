/* SPDX-License-Identifier: MPL-2.0 */
/* Runs a call, or says why there is none. */
#ifndef KV_CLIENT_CLI_RUN_H
#define KV_CLIENT_CLI_RUN_H

#include "client/cli/call.h"

/* Runs the call that was made of words, as CLI->options were. Flushes everything shown. */
outcome_t run_call(cli_t *cli, call_result_t *result);

/* Runs the COUNT WORDS of a piped or typed line. BACKGROUND: see call_t. */
outcome_t run_line(cli_t *cli, const bytes_t *words, size_t count, watching_t **background);

#endif
