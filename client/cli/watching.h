/* SPDX-License-Identifier: MPL-2.0 */
/* A running watch: lines about changes of all stores (managers) or of the own store. It runs in the
 * foreground as a command, or in the background of the prompt. */
#ifndef KV_CLIENT_CLI_WATCHING_H
#define KV_CLIENT_CLI_WATCHING_H

#include "client/cli/cli.h"

typedef struct watching watching_t;

/* Texts are borrowed until watching_begin returns. */
typedef struct watching_options {
    bool own;             /* the own store, over the tool's connection; without `client` and `initial` */
    const char *client;   /* whose store; NULL = all */
    kvzmq_slice_t prefix; /* keys that begin with it; size 0 = all */
    bool initial;         /* begin with the state */
    bool resume;          /* continue after `since` */
    kvzmq_position_t since;
    bool earliest; /* begin with the oldest change that is kept, and remark which */
    bool limited;  /* end after `count` changes */
    uint64_t count;
    bool catches_up; /* end when all changes that existed at the beginning were reported */
    uint64_t until;  /* for all stores: the number of the last of these */
} watching_options_t;

/* Begins to watch with the tool's account and name. On OUTCOME_OK *WATCHING is owned (watching_destroy), and
 * must not outlive CLI's connection. On failure the error was shown. */
KV_MUST_USE outcome_t watching_begin(cli_t *cli, const watching_options_t *options, watching_t **watching);

/* *WATCHING may be NULL, and is set to it. */
void watching_destroy(watching_t **watching);

/* Whether it watches the own store. Then it keeps the tool's session alive, and reports if that is lost. */
bool watching_is_own(const watching_t *watching);

/* Takes the events that have come, waiting at most TIMEOUT_MS, and makes lines for watching_show. Takes a
 * bounded number, so that it returns soon. Returns false if the watch has ended; then call watching_end. */
KV_MUST_USE bool watching_take(watching_t *watching, int timeout_ms);

/* Whether there are lines to show. */
bool watching_has_lines(const watching_t *watching);

/* Writes the lines so far to STREAM. */
void watching_show(watching_t *watching, FILE *stream);

/* Shows why a watch has ended, if that is an error. Returns its outcome. */
outcome_t watching_end(const watching_t *watching);

/* Shows that a watch, or a copy that uses one, has failed with STATUS and ERROR. The text explains that a
 * watch has its own session. Returns the outcome. */
outcome_t watching_fail(cli_t *cli, kvzmq_status_t status, const char *error);

/* When to call watching_take again, for a caller that also waits for something else: when the returned
 * descriptor (-1 = none now) is readable, and at the latest after *WAIT_MS (-1 = no limit). Call it before
 * each wait. */
int watching_wait(const watching_t *watching, int *wait_ms);

#endif
