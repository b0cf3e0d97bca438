/* SPDX-License-Identifier: MPL-2.0 */
/* The lines typed before: in memory for the arrow keys, and in a file that only its owner can read,
 * $XDG_STATE_HOME/kvzmq/history (else ~/.local/state/kvzmq/history). Never one that may carry a secret. */
#ifndef KV_CLIENT_CLI_RECALL_H
#define KV_CLIENT_CLI_RECALL_H

#include <histedit.h>

enum {
    RECALL_LINES_MAX = 1000,       /* lines kept in memory, and in a file that was cut */
    RECALL_FILE_MAX = 1024 * 1024, /* bytes of the file above which it is cut at the next start */
    RECALL_LINE_MAX = 16 * 1024    /* bytes of a line worth keeping */
};

typedef struct recall {
    History *lines; /* owned; NULL: none are kept */
    char *path;     /* owned; NULL: no file is used */
} recall_t;

/* Loads what the file PATH has; NULL: the file named above, "": none is read or written. The file must be a
 * regular file of the user's own, not a link, and be a history or empty. Any other file, and one that cannot
 * be read or written, is left alone; lines are then kept in memory only, and that is not an error. */
void recall_init(recall_t *recall, const char *path);

void recall_release(recall_t *recall);

/* Keeps LINE, and appends it to the file at once, so that several shells at a time lose nothing. A line that
 * may carry a secret, is empty, begins with a space, or is longer than RECALL_LINE_MAX is not kept. */
void recall_add(recall_t *recall, const char *line);

#endif
