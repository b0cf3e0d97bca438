/* SPDX-License-Identifier: MPL-2.0 */
/* The command that measures the broker. */
#ifndef KV_CLIENT_CLI_COMMAND_BENCH_H
#define KV_CLIENT_CLI_COMMAND_BENCH_H

#include "client/cli/command.h"

outcome_t command_bench(cli_t *cli, const call_t *call);

#endif
