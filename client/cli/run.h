/* SPDX-License-Identifier: MPL-2.0 */
/* Carries a call out, or tells why there is none. */
#ifndef KV_CLIENT_CLI_RUN_H
#define KV_CLIENT_CLI_RUN_H

#include "client/cli/call.h"

/* Carries out what was made of words, of which CLI->options are. Everything shown is handed to the system. */
outcome_t run_call(cli_t *cli, call_result_t *result);

/* Tells that WORD is no command, and what may be meant. Returns OUTCOME_USAGE. */
outcome_t run_unknown(cli_t *cli, bytes_t word);

/* Carries out the COUNT WORDS of a piped or typed line. */
outcome_t run_line(cli_t *cli, const bytes_t *words, size_t count);

#endif
