/* SPDX-License-Identifier: MPL-2.0 */
/* Splits a typed or piped line into words, with the quoting rules of redis-cli. */
#ifndef KV_CLIENT_CLI_LINE_H
#define KV_CLIENT_CLI_LINE_H

#include "common/bytes.h"
#include "common/status.h"

enum {
    LINE_BYTES_MAX =
        8 * 1024 * 1024, /* bytes of a line; a value of 1 MiB takes 4 MiB if each byte is written as \xHH */
    LINE_WORDS_MAX = 64, /* words in a line; more than any command takes */
    LINE_PROBLEM_SIZE = 256 /* bytes of a problem's text */
};

typedef enum line_status {
    LINE_OK,
    LINE_UNBALANCED, /* a quote is not closed, or something other than a space follows a closing one */
    LINE_ESCAPE,     /* an unknown escape */
    LINE_DIGITS,     /* \x without 2 hexadecimal digits, or \u without 4 */
    LINE_SURROGATE,  /* half of a surrogate pair */
    LINE_TOO_LONG,   /* more than LINE_BYTES_MAX bytes or LINE_WORDS_MAX words */
    LINE_NO_MEMORY
} line_status_t;

/* A split line. Each word may hold any byte and is followed by a zero byte that is not part of it. */
typedef struct line {
    bytes_t words[LINE_WORDS_MAX]; /* borrowed from `storage` */
    size_t count;                  /* words */
    uint8_t *storage;              /* owned */
    size_t storage_size;           /* bytes in use in `storage` */
    size_t fault_at;               /* offset of the escape for which the line was refused */
} line_t;

/* Splits TEXT at white space (space, tab, carriage return, newline). In "..." the escapes are those of JSON
 * (\uXXXX with surrogate pairs) and \a \' \xHH; others are refused. In '...' the only escape is \'. A quote
 * inside a word begins a quoted part of it. On LINE_OK call line_release; else *LINE has only `fault_at`. */
KV_MUST_USE line_status_t line_split(bytes_t text, line_t *line);

/* The length of the first line in TEXT, with its newline. A newline within quotes does not end a line. */
size_t line_length(bytes_t text);

/* Frees the words, after wiping them: a line may have held a password. */
void line_release(line_t *line);

/* Writes into OUT what is wrong with LINE, for people. STATUS is from line_split. Does not quote the line,
 * which may have a secret. Returns OUT. */
const char *line_problem(line_status_t status, const line_t *line, char out[LINE_PROBLEM_SIZE]);

#endif
