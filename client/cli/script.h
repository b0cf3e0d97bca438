/* SPDX-License-Identifier: MPL-2.0 */
/* Lines of commands. */
#ifndef KV_CLIENT_CLI_SCRIPT_H
#define KV_CLIENT_CLI_SCRIPT_H

#include "client/cli/watching.h"

/* Carries out one line, an empty one too. BACKGROUND: see call_t. */
outcome_t script_line(cli_t *cli, bytes_t text, watching_t **background);

/* Carries out the lines of the file descriptor FILE, one after another; those that are empty or begin with #
 * are skipped. A line that fails does not keep the next from being tried, but where the broker is not
 * reached, gives no answer in time, or Ctrl-C came, nothing more is. Returns how the first line ended that
 * did not end well. */
outcome_t script_run(cli_t *cli, int file);

#endif
