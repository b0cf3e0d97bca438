/* SPDX-License-Identifier: MPL-2.0 */
/* Where passwords and secrets come from: a terminal without echo, a file, the environment, standard input.
 * Never the program's arguments, which every user of the machine can read. */
#ifndef KV_CLIENT_CLI_PASSWORD_H
#define KV_CLIENT_CLI_PASSWORD_H

#include "client/cli/problem.h"
#include "common/limits.h"
#include "common/status.h"

/* A password or secret, zero-terminated. To be wiped where it is no longer needed. */
typedef struct password {
    char text[LIMIT_PASSWORD + 2]; /* room for one byte more than is allowed, so that too long is noticed */
} password_t;

typedef enum password_answer { PASSWORD_GIVEN, PASSWORD_INTERRUPTED, PASSWORD_REFUSED } password_answer_t;

/* Asks for it at the terminal (/dev/tty), without echo. PASSWORD_REFUSED: *PROBLEM says why. */
KV_MUST_USE password_answer_t password_ask(password_t *password, const char *prompt, problem_t *problem);

/* Reads the first line of the file PATH, without its newline. */
KV_MUST_USE bool password_read_file(password_t *password, const char *path, problem_t *problem);

/* Takes the environment variable NAME out of the environment; empty if it is not set. */
KV_MUST_USE bool password_take_variable(password_t *password, const char *name, problem_t *problem);

void password_wipe(password_t *password);

#endif
