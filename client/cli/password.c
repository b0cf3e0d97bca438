/* SPDX-License-Identifier: MPL-2.0 */
/* Gets passwords. libbsd's readpassphrase handles the terminal and restores it after any signal. */
#include "client/cli/password.h"

#include <bsd/readpassphrase.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

static bool password_check(password_t *password, problem_t *problem)
{
    if (strlen(password->text) <= LIMIT_PASSWORD)
        return true;
    password_wipe(password);
    return problem_set(problem, "a password has at most %d bytes", LIMIT_PASSWORD);
}

password_answer_t password_ask(password_t *password, const char *prompt, problem_t *problem)
{
    if (readpassphrase(prompt, password->text, sizeof password->text, RPP_ECHO_OFF | RPP_REQUIRE_TTY) != NULL)
        return password_check(password, problem) ? PASSWORD_GIVEN : PASSWORD_REFUSED;
    if (errno == EINTR)
        return PASSWORD_INTERRUPTED;
    problem_set(problem, "no terminal to ask for the password; use --password-file FILE or KVZMQ_PASSWORD");
    return PASSWORD_REFUSED;
}

/* Reads a line into PASSWORD, at most as much as there is room for. */
static bool line_read(FILE *file, password_t *password, problem_t *problem)
{
    size_t size = 0;
    int byte = 0;
    while (size + 1 < sizeof password->text && (byte = getc(file)) != EOF && byte != '\n')
        password->text[size++] = (char)byte;
    password->text[size] = '\0';
    if (byte == EOF && ferror(file) != 0)
        return problem_set(problem, "%s", strerror(errno));
    if (size > 0 && password->text[size - 1] == '\r')
        password->text[--size] = '\0';
    if (strlen(password->text) != size)
        return problem_set(problem, "its first line has a zero byte");
    return size > 0 || problem_set(problem, "its first line is empty, and should be the password or secret");
}

bool password_read_file(password_t *password, const char *path, problem_t *problem)
{
    char quoted[PROBLEM_WORD_MAX];
    problem_t why = {""};
    utf8_quote(bytes_from_text(path), quoted, sizeof quoted);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return problem_set(problem, "cannot read %s: %s", quoted, strerror(errno));
    setvbuf(file, NULL, _IONBF, 0);
    bool read = line_read(file, password, &why);
    fclose(file);
    if (read)
        return password_check(password, problem);
    password_wipe(password);
    return problem_set(problem, "no password or secret in %s: %s", quoted, why.text);
}

bool password_take_variable(password_t *password, const char *name, problem_t *problem)
{
    char *value = getenv(name);
    snprintf(password->text, sizeof password->text, "%s", value == NULL ? "" : value);
    if (value != NULL)
        explicit_bzero(value, strlen(value)); /* the system shows the process's initial environment */
    unsetenv(name);
    return password_check(password, problem);
}

void password_wipe(password_t *password)
{
    explicit_bzero(password, sizeof *password);
}
