/* SPDX-License-Identifier: MPL-2.0 */
/* What is wrong with the user's input, in one line. */
#ifndef KV_CLIENT_CLI_PROBLEM_H
#define KV_CLIENT_CLI_PROBLEM_H

#include <stdbool.h>

enum {
    PROBLEM_TEXT_MAX = 512, /* bytes of the line */
    PROBLEM_WORD_MAX = 128  /* bytes of a typed word in it */
};

typedef struct problem {
    char text[PROBLEM_TEXT_MAX]; /* UTF-8; "": nothing is wrong */
} problem_t;

/* Sets the problem, unless there is one already: the user should correct the first. Returns false, so that
 * the caller can return it. */
__attribute__((format(printf, 2, 3))) bool problem_set(problem_t *problem, const char *format, ...);

#endif
