/* SPDX-License-Identifier: MPL-2.0 */
/* Keeps the session alive while the prompt waits, and notices at once if it is lost. */
#ifndef KV_CLIENT_CLI_KEEPING_H
#define KV_CLIENT_CLI_KEEPING_H

#include "client/cli/cli.h"

typedef struct keeping {
    cli_t *cli;        /* borrowed */
    int64_t asked_ms;  /* when the last ping was sent (clock_monotonic_ms) */
    uint64_t sessions; /* kvzmq_reconnects of the session that is kept */
    bool lost;         /* the session is lost, and this was shown */
    bool silent;       /* the last answer did not come in time */
} keeping_t;

/* CLI must have a session. */
void keeping_init(keeping_t *keeping, cli_t *cli);

/* Takes what has arrived, pings if that is due, and writes news to STREAM. Does not wait for the broker,
 * except to begin a new session after a timeout. */
void keeping_look(keeping_t *keeping, FILE *stream);

/* When to call keeping_look again, for a caller that also waits for something else: when the returned
 * descriptor (-1 = none) is readable, and at the latest after *WAIT_MS (-1 = no limit). Call it right after
 * keeping_look. */
int keeping_wait(const keeping_t *keeping, int *wait_ms);

#endif
