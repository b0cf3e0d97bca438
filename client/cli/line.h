/* SPDX-License-Identifier: MPL-2.0 */
/* Splitting of a typed or piped line into words, with the quoting of redis-cli. Knows no commands. */
#ifndef KV_CLIENT_CLI_LINE_H
#define KV_CLIENT_CLI_LINE_H

#include "common/bytes.h"
#include "common/status.h"

enum {
    LINE_BYTES_MAX =
        8 * 1024 * 1024,    /* a line; a value of 1 MiB takes 4 MiB where each byte is written \xHH */
    LINE_WORDS_MAX = 64,    /* words in a line; no command takes as many */
    LINE_PROBLEM_SIZE = 256 /* bytes of a problem's text */
};

typedef enum line_status {
    LINE_OK,
    LINE_UNBALANCED, /* a quote is not closed, or something other than a space follows a closing one */
    LINE_ESCAPE,     /* a backslash that begins no escape */
    LINE_DIGITS,     /* \x without 2 hexadecimal digits, or \u without 4 */
    LINE_SURROGATE,  /* half of a pair of \u */
    LINE_TOO_LONG,   /* more than LINE_BYTES_MAX bytes or LINE_WORDS_MAX words */
    LINE_NO_MEMORY
} line_status_t;

/* A split line. Each word may hold any byte and is followed by a zero byte that is not part of it. */
typedef struct line {
    bytes_t words[LINE_WORDS_MAX]; /* borrowed from `storage` */
    size_t count;                  /* words */
    uint8_t *storage;              /* owned */
    size_t storage_size;           /* bytes in use in `storage` */
    size_t fault_at;               /* of a line that was refused for an escape: where that begins */
} line_t;

/* Splits TEXT at spaces (space, tab, carriage return, newline). In "..." the escapes of JSON and \a \' \xHH
 * are known, \uXXXX with surrogate pairs among them, and all others refused; in '...' only \' is one. An
 * unquoted quote inside a word begins a quoted part of it. On LINE_OK *LINE is to be released; else there is
 * nothing in it but `fault_at`. */
KV_MUST_USE line_status_t line_split(bytes_t text, line_t *line);

/* The bytes of the first of several lines in TEXT, with its newline: a newline within quotes ends none. */
size_t line_length(bytes_t text);

/* Frees the words, after wiping them: a line may have held a password. */
void line_release(line_t *line);

/* Writes what is wrong with LINE, which line_split answered with STATUS, for people; without its words, which
 * may be secret. Returns OUT. */
const char *line_problem(line_status_t status, const line_t *line, char out[LINE_PROBLEM_SIZE]);

#endif
