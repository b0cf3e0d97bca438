/* SPDX-License-Identifier: MPL-2.0 */
/* The history of typed lines: in memory for the arrow keys, and in a file that only its owner can read,
 * $XDG_STATE_HOME/kvzmq/history (else ~/.local/state/kvzmq/history). Lines that may contain a secret are not
 * kept. */
#ifndef KV_CLIENT_CLI_LINE_HISTORY_H
#define KV_CLIENT_CLI_LINE_HISTORY_H

#include <histedit.h>

enum {
    LINE_HISTORY_LINES_MAX = 1000,       /* lines in memory, and in the file after cutting */
    LINE_HISTORY_FILE_MAX = 1024 * 1024, /* bytes of the file; a larger one is cut at the next start */
    LINE_HISTORY_LINE_MAX = 16 * 1024    /* bytes of a line; a longer one is not kept */
};

typedef struct line_history {
    History *lines; /* owned; NULL = no history */
    char *path;     /* owned; NULL = no file */
} line_history_t;

/* Loads the file PATH; NULL = the default file, "" = no file. The file must be the user's own regular file,
 * not a link, and be a history or empty. Any other file, and one that cannot be read or written, is left
 * alone. Lines are then kept only in memory; that is not an error. */
void line_history_init(line_history_t *typed, const char *path);

void line_history_release(line_history_t *typed);

/* Keeps LINE, and appends it to the file at once, so that several shells can share the file. Does not keep a
 * line that may contain a secret, is empty, begins with a space, or is longer than LINE_HISTORY_LINE_MAX. */
void line_history_add(line_history_t *typed, const char *line);

#endif
