/* SPDX-License-Identifier: MPL-2.0 */
/* The lines typed before: in memory for the arrow keys, and in a file that only its owner can read,
 * $XDG_STATE_HOME/kvzmq/history (else ~/.local/state/kvzmq/history). Never one that may carry a secret. */
#ifndef KV_CLIENT_CLI_LINE_HISTORY_H
#define KV_CLIENT_CLI_LINE_HISTORY_H

#include <histedit.h>

enum {
    LINE_HISTORY_LINES_MAX = 1000,       /* lines kept in memory, and in a file that was cut */
    LINE_HISTORY_FILE_MAX = 1024 * 1024, /* bytes of the file above which it is cut at the next start */
    LINE_HISTORY_LINE_MAX = 16 * 1024    /* bytes of a line worth keeping */
};

typedef struct line_history {
    History *lines; /* owned; NULL: none are kept */
    char *path;     /* owned; NULL: no file is used */
} line_history_t;

/* Loads what the file PATH has; NULL: the file named above, "": none is read or written. The file must be a
 * regular file of the user's own, not a link, and be a history or empty. Any other file, and one that cannot
 * be read or written, is left alone; lines are then kept in memory only, and that is not an error. */
void line_history_init(line_history_t *typed, const char *path);

void line_history_release(line_history_t *typed);

/* Keeps LINE, and appends it to the file at once, so that several shells at a time lose nothing. A line that
 * may carry a secret, is empty, begins with a space, or is longer than LINE_HISTORY_LINE_MAX is not kept. */
void line_history_add(line_history_t *typed, const char *line);

#endif
