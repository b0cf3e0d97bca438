/* SPDX-License-Identifier: MPL-2.0 */
/* Keeps the session while a person types, or does not, and notices at once when it is lost all the same. */
#ifndef KV_CLIENT_CLI_KEEPING_H
#define KV_CLIENT_CLI_KEEPING_H

#include "client/cli/cli.h"

typedef struct keeping {
    cli_t *cli;        /* borrowed */
    int64_t asked_ms;  /* when the broker was given a sign of life last (clock_monotonic_ms) */
    uint64_t sessions; /* that there were before the one that is kept */
    bool lost;         /* it is no more, which was told */
    bool silent;       /* because an answer did not come in time */
} keeping_t;

/* CLI has a session. */
void keeping_init(keeping_t *keeping, cli_t *cli);

/* Takes what has come, gives a sign of life where it is time, and tells on STREAM what there is to tell.
 * Never waits for the broker. */
void keeping_look(keeping_t *keeping, FILE *stream);

/* When to look again, for who waits for something else: as soon as the descriptor can be read (-1: none), and
 * at the latest after *WAIT_MS (-1: any time). Call it right after keeping_look. */
int keeping_wait(const keeping_t *keeping, int *wait_ms);

#endif
