/* SPDX-License-Identifier: MPL-2.0 */
/* What is wrong with what a person gave, in one line for them. */
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

/* Says what is wrong, unless something was said before: the first thing is what to mend. Returns false, which
 * is what the caller then has to return. */
__attribute__((format(printf, 2, 3))) bool problem_set(problem_t *problem, const char *format, ...);

#endif
