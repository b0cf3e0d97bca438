/* SPDX-License-Identifier: MPL-2.0 */
/* A watch under way: lines about changes, as they come, of all stores (managers), or of one's own. It runs in
 * the foreground of a command, or behind a person who types. */
#ifndef KV_CLIENT_CLI_WATCHING_H
#define KV_CLIENT_CLI_WATCHING_H

#include "client/cli/cli.h"

typedef struct watching watching_t;

/* Texts are borrowed until watching_begin returns. */
typedef struct watching_options {
    bool own;             /* one's own store, over the tool's own connection; `client`, `initial` then not */
    const char *client;   /* whose store; NULL: all */
    kvzmq_slice_t prefix; /* keys that begin with it; size 0: all */
    bool initial;         /* the state first */
    bool resume;          /* go on after `since` */
    kvzmq_position_t since;
    bool earliest; /* begin with the oldest change that is kept, and say which */
    bool limited;  /* end after `count` changes */
    uint64_t count;
    bool catches_up; /* end when all is told that there was at the beginning: up to `until` */
    uint64_t until;  /* of all stores */
} watching_options_t;

/* Begins to watch with the tool's account and name. On OUTCOME_OK *WATCHING is owned (watching_destroy), and
 * must not outlive CLI's connection; else why was told on standard error. */
KV_MUST_USE outcome_t watching_begin(cli_t *cli, const watching_options_t *options, watching_t **watching);

/* *WATCHING may be NULL, and is set to it. */
void watching_destroy(watching_t **watching);

/* Whether it watches one's own store: then it keeps the tool's session alive, and says so if that is lost. */
bool watching_is_own(const watching_t *watching);

/* Takes what there is, waiting for it at most TIMEOUT_MS, as lines for watching_show: not more than a person
 * waits for. Returns false if the watch has ended; then watching_end tells. */
KV_MUST_USE bool watching_take(watching_t *watching, int timeout_ms);

/* Whether there are lines that were not shown. */
bool watching_has_lines(const watching_t *watching);

/* Writes the lines so far to STREAM. */
void watching_show(watching_t *watching, FILE *stream);

/* Tells on standard error why a watch has ended, where that is an error; returns what it is to the program.
 */
outcome_t watching_end(const watching_t *watching);

/* Tells on standard error that a watch, or a copy that lives by one, has ended with STATUS and ERROR: in
 * words of who typed, for whom it is a session beside their own. Returns what it is to the program. */
outcome_t watching_fail(cli_t *cli, kvzmq_status_t status, const char *error);

/* When to call watching_take again, for who waits for something else too: as soon as the descriptor can be
 * read (-1: there is none now), and at the latest after *WAIT_MS (-1: any time). Call it once before waiting.
 */
int watching_wait(const watching_t *watching, int *wait_ms);

#endif
