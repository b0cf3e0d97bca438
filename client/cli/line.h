/* SPDX-License-Identifier: MPL-2.0 */
/* Splitting of a typed or piped line into words, with the quoting of redis-cli. Knows no commands. */
#ifndef KV_CLIENT_CLI_LINE_H
#define KV_CLIENT_CLI_LINE_H

#include "common/bytes.h"
#include "common/status.h"

enum {
    LINE_BYTES_MAX =
        8 * 1024 * 1024, /* a line; a value of 1 MiB takes 4 MiB where each byte is written \xHH */
    LINE_WORDS_MAX = 64  /* words in a line; no command takes as many */
};

typedef enum line_status {
    LINE_OK,
    LINE_UNBALANCED, /* a quote is not closed, or something other than a space follows a closing one */
    LINE_TOO_LONG,   /* more than LINE_BYTES_MAX bytes or LINE_WORDS_MAX words */
    LINE_NO_MEMORY
} line_status_t;

/* A split line. Each word may hold any byte and is followed by a zero byte that is not part of it. */
typedef struct line {
    bytes_t words[LINE_WORDS_MAX]; /* borrowed from `storage` */
    size_t count;                  /* words */
    uint8_t *storage;              /* owned */
    size_t storage_size;           /* bytes in use in `storage` */
} line_t;

/* Splits TEXT at spaces (space, tab, carriage return, newline). In "..." \n \r \t \b \a \\ \" and \xHH are
 * escapes; in '...' only \' is. An unquoted quote inside a word begins a quoted part of it. On LINE_OK *LINE
 * is to be released; otherwise it is untouched. */
KV_MUST_USE line_status_t line_split(bytes_t text, line_t *line);

/* The bytes of the first of several lines in TEXT, with its newline: a newline within quotes ends none. */
size_t line_length(bytes_t text);

/* Frees the words, after wiping them: a line may have held a password. */
void line_release(line_t *line);

/* What is wrong, for people. Static storage. */
const char *line_status_text(line_status_t status);

#endif
