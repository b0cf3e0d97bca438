/* SPDX-License-Identifier: MPL-2.0 */
/* Reads a password or a secret, prints its hash, and wipes what it read. libbsd's readpassphrase handles the
 * terminal and restores it even after a signal. */
#include "broker/config/hash_command.h"

#include <assert.h>
#include <bsd/readpassphrase.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "broker/core/password_hash.h"
#include "broker/core/secret.h"
#include "common/limits.h"

enum {
    INPUT_MAX = LIMIT_PASSWORD, /* bytes of the longest password; a secret is shorter */
    GENERATED = 32              /* random bytes of a generated secret */
};
static_assert((int)LIMIT_SECRET_MAX <= (int)INPUT_MAX, "a secret must fit the input");

/* What a command hashes: how to ask for it, and its bounds. */
typedef struct subject {
    const char *name;
    const char *prompt;
    const char *again;
    size_t min; /* bytes */
    size_t max;
} subject_t;

static const subject_t password_subject = {"password", "Password: ", "Again: ", 1, LIMIT_PASSWORD};
static const subject_t secret_subject = {"secret", "Secret: ", "Again: ", LIMIT_SECRET_MIN, LIMIT_SECRET_MAX};

/* What was read. There is room for one byte more than is allowed (and a terminating zero), so that a text
 * that is too long is noticed. */
typedef struct input {
    char text[INPUT_MAX + 2];
    size_t size;
} input_t;

static bool input_fault(const subject_t *subject, const char *text)
{
    fprintf(stderr, "kvbroker: no %s read: %s\n", subject->name, text);
    return false;
}

/* Reads standard input up to a line break or its end. */
static bool line_read(const subject_t *subject, input_t *input)
{
    input->size = 0;
    while (input->size < sizeof input->text) {
        ssize_t got = read(STDIN_FILENO, input->text + input->size, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return input_fault(subject, strerror(errno));
        if (got == 0 || input->text[input->size] == '\n')
            break;
        input->size++;
    }
    if (input->size > 0 && input->text[input->size - 1] == '\r')
        input->size--;
    return true;
}

/* Asks twice at the terminal. */
static bool terminal_read(const subject_t *subject, input_t *input)
{
    bool same = false;
    input_t again;
    if (readpassphrase(subject->prompt, input->text, sizeof input->text, RPP_REQUIRE_TTY) == NULL ||
        readpassphrase(subject->again, again.text, sizeof again.text, RPP_REQUIRE_TTY) == NULL) {
        input_fault(subject, "cannot read from the terminal; give it on standard input");
        goto cleanup;
    }
    input->size = strlen(input->text);
    same = strcmp(input->text, again.text) == 0;
    if (!same)
        input_fault(subject, "the two differ; type the same twice");
cleanup:
    sodium_memzero(&again, sizeof again);
    return same;
}

static bool input_read(const subject_t *subject, input_t *input)
{
    if (!(isatty(STDIN_FILENO) ? terminal_read(subject, input) : line_read(subject, input)))
        return false;
    if (input->size >= subject->min && input->size <= subject->max)
        return true;
    fprintf(stderr, "kvbroker: a %s has %zu to %zu bytes; choose another\n", subject->name, subject->min,
            subject->max);
    return false;
}

/* Flushes the output. A command fails if its output cannot be written. */
static int output_end(void)
{
    if (fflush(stdout) == 0)
        return EXIT_SUCCESS;
    fprintf(stderr, "kvbroker: cannot write to standard output: %s\n", strerror(errno));
    return EXIT_FAILURE;
}

int hash_password_run(void)
{
    int status = EXIT_FAILURE;
    input_t input;
    char hash[PASSWORD_HASH_SIZE];
    if (!input_read(&password_subject, &input))
        goto cleanup;
    if (!password_hash(bytes_of(input.text, input.size), hash)) {
        fputs("kvbroker: out of memory (argon2id takes 64 MiB); free some and try again\n", stderr);
        goto cleanup;
    }
    puts(hash);
    status = output_end();
cleanup:
    sodium_memzero(&input, sizeof input);
    return status;
}

int hash_secret_run(bool generate)
{
    int status = EXIT_FAILURE;
    input_t input;
    char hash[SECRET_HASH_SIZE];
    if (generate) {
        uint8_t random[GENERATED];
        randombytes_buf(random, sizeof random);
        sodium_bin2base64(input.text, sizeof input.text, random, sizeof random,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        sodium_memzero(random, sizeof random);
        input.size = strlen(input.text);
        puts(input.text);
    } else if (!input_read(&secret_subject, &input)) {
        goto cleanup;
    }
    secret_hash(bytes_of(input.text, input.size), hash);
    puts(hash);
    status = output_end();
cleanup:
    sodium_memzero(&input, sizeof input);
    return status;
}
