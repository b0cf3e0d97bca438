/* SPDX-License-Identifier: MPL-2.0 */
/* Shows what was measured: parameters, results, and facts about the machine. */
#ifndef KV_CLIENT_CLI_BENCH_REPORT_H
#define KV_CLIENT_CLI_BENCH_REPORT_H

#include "client/cli/bench/machine.h"
#include "client/cli/bench/run.h"
#include "client/cli/output.h"

/* ENDPOINT and BROKER (its version) say what was measured. */
void bench_report(output_t *output, const bench_plan_t *plan, const bench_result_t *result,
                  const machine_t *machine, const char *endpoint, const char *broker);

#endif
