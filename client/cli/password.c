/* SPDX-License-Identifier: MPL-2.0 */
/* Owns how a password is got. The terminal is left to libbsd's readpassphrase, which restores it whatever
 * signal comes. */
#include "client/cli/password.h"

#include <bsd/readpassphrase.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static outcome_t password_check(password_t *password)
{
    if (strlen(password->text) <= LIMIT_PASSWORD)
        return OUTCOME_OK;
    fprintf(stderr, "kvzmq-cli: a password has at most %d bytes\n", LIMIT_PASSWORD);
    password_wipe(password);
    return OUTCOME_USAGE;
}

outcome_t password_ask(password_t *password, const char *prompt)
{
    if (readpassphrase(prompt, password->text, sizeof password->text, RPP_ECHO_OFF | RPP_REQUIRE_TTY) != NULL)
        return password_check(password);
    if (errno == EINTR)
        return OUTCOME_INTERRUPTED;
    fputs("kvzmq-cli: no terminal to ask for the password; use --password-file FILE or KVZMQ_PASSWORD\n",
          stderr);
    return OUTCOME_USAGE;
}

outcome_t password_read_file(password_t *password, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        fprintf(stderr, "kvzmq-cli: cannot read %s: %s\n", path, strerror(errno));
        return OUTCOME_USAGE;
    }
    setvbuf(file, NULL, _IONBF, 0);
    bool read = fgets(password->text, sizeof password->text, file) != NULL;
    fclose(file);
    if (!read) {
        fprintf(stderr, "kvzmq-cli: %s is empty; its first line is to be the password or secret\n", path);
        return OUTCOME_USAGE;
    }
    password->text[strcspn(password->text, "\r\n")] = '\0';
    return password_check(password);
}

outcome_t password_take_variable(password_t *password, const char *name)
{
    char *value = getenv(name);
    snprintf(password->text, sizeof password->text, "%s", value == NULL ? "" : value);
    if (value != NULL)
        explicit_bzero(value, strlen(value)); /* the system goes on showing the process's first environment */
    unsetenv(name);
    return password_check(password);
}

void password_wipe(password_t *password)
{
    explicit_bzero(password, sizeof *password);
}
