/* SPDX-License-Identifier: MPL-2.0 */
/* Passwords and secrets from a terminal without echo, a file or the environment. Not from the program's
 * arguments, which every user of the machine can read. */
#ifndef KV_CLIENT_CLI_PASSWORD_H
#define KV_CLIENT_CLI_PASSWORD_H

#include "client/cli/problem.h"
#include "common/limits.h"
#include "common/status.h"

/* A password or secret, zero-terminated. Wipe it after use. */
typedef struct password {
    char text[LIMIT_PASSWORD + 2]; /* one byte too many fits, so that a text that is too long is noticed */
} password_t;

typedef enum password_answer { PASSWORD_GIVEN, PASSWORD_INTERRUPTED, PASSWORD_REFUSED } password_answer_t;

/* Asks for a password at the terminal (/dev/tty), without echo. PASSWORD_REFUSED: *PROBLEM says why. */
KV_MUST_USE password_answer_t password_ask(password_t *password, const char *prompt, problem_t *problem);

/* Reads the first line of the file PATH, without its newline. */
KV_MUST_USE bool password_read_file(password_t *password, const char *path, problem_t *problem);

/* Takes the password from the environment variable NAME and removes the variable; empty if it is not set. */
KV_MUST_USE bool password_take_variable(password_t *password, const char *name, problem_t *problem);

void password_wipe(password_t *password);

#endif
