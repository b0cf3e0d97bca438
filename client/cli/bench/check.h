/* SPDX-License-Identifier: MPL-2.0 */
/* Checks the answers of a client of the benchmark. */
#ifndef KV_CLIENT_CLI_BENCH_CHECK_H
#define KV_CLIENT_CLI_BENCH_CHECK_H

#include "client/cli/bench/client_state.h"
#include "common/status.h"

/* Takes ANSWER to REQUEST. True: its second half is to be sent. */
KV_MUST_USE bool check_answer(bench_client_t *client, bench_request_t *request, const kvzmq_answer_t *answer);

/* Notes that the run cannot go on, because of STATUS; TEXT says more. */
void client_lose(bench_client_t *client, kvzmq_status_t status, const char *text);

#endif
