/* SPDX-License-Identifier: MPL-2.0 */
/* Lines of commands. */
#ifndef KV_CLIENT_CLI_SCRIPT_H
#define KV_CLIENT_CLI_SCRIPT_H

#include "client/cli/watching.h"

/* Runs one line, which may be empty. BACKGROUND: see call_t. */
outcome_t script_line(cli_t *cli, bytes_t text, watching_t **background);

/* Runs the lines of the file descriptor FILE in order. Skips lines that are empty or begin with #. Continues
 * after a line that fails, but stops if the broker cannot be reached or does not answer in time, and after
 * Ctrl-C. Returns the outcome of the first line that failed, or OUTCOME_OK. */
outcome_t script_run(cli_t *cli, int file);

#endif
