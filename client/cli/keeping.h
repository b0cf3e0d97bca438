/* SPDX-License-Identifier: MPL-2.0 */
/* Keeps the session alive while the prompt waits, and notices at once if it is lost anyway. */
#ifndef KV_CLIENT_CLI_KEEPING_H
#define KV_CLIENT_CLI_KEEPING_H

#include "client/cli/cli.h"

typedef struct keeping {
    cli_t *cli;        /* borrowed */
    int64_t asked_ms;  /* when the broker was given a sign of life last (clock_monotonic_ms) */
    uint64_t sessions; /* that there were before the one that is kept */
    bool lost;         /* it is lost, and that was shown */
    bool silent;       /* because an answer did not come in time */
} keeping_t;

/* CLI has a session. */
void keeping_init(keeping_t *keeping, cli_t *cli);

/* Takes what has come, sends a ping if it is due, and shows news on STREAM. Does not wait for the broker,
 * except for another session if this one timed out. */
void keeping_look(keeping_t *keeping, FILE *stream);

/* When to look again, for a caller that waits for something else: as soon as the descriptor can be read (-1:
 * none), and at the latest after *WAIT_MS (-1: any time). Call it right after keeping_look. */
int keeping_wait(const keeping_t *keeping, int *wait_ms);

#endif
