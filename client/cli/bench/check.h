/* SPDX-License-Identifier: MPL-2.0 */
/* Checks the answers that a client of the benchmark gets. */
#ifndef KV_CLIENT_CLI_BENCH_CHECK_H
#define KV_CLIENT_CLI_BENCH_CHECK_H

#include "client/cli/bench/client_state.h"
#include "common/status.h"

/* Checks ANSWER to REQUEST. True: send the second request of a read-modify-write, which REQUEST is now. */
KV_MUST_USE bool check_answer(bench_client_t *client, bench_request_t *request, const kvzmq_answer_t *answer);

/* Records that the run cannot continue because of STATUS. TEXT gives details; "" = none. */
void client_lose(bench_client_t *client, kvzmq_status_t status, const char *text);

#endif
