/* SPDX-License-Identifier: MPL-2.0 */
/* The list of phrases. Each is part of an error text of the broker or the library.
 * tests/interop/test_cli_wording.py checks each in the tool's output. */
#include "client/cli/wording.h"

#include <stdio.h>
#include <string.h>

typedef struct phrase {
    const char *theirs;
    const char *alone;
    const char *more; /* if further commands follow; NULL = the same */
} phrase_t;

static const phrase_t phrases[] = {
    {"give its secret in `hello` first", "give its secret with --secret-file FILE, or in KVZMQ_SECRET",
     "start kvzmq-cli with --secret-file FILE, or with its secret in KVZMQ_SECRET"},
    {"wrong secret for this name", "wrong secret for this name (--secret-file, KVZMQ_SECRET)", NULL},
    {"wrong user or password", "wrong user or password (-u, --password-file, KVZMQ_PASSWORD)", NULL},
    {"`auth` first", "log in with -u USER", "auth USER first"},
    {"or `auth` as a manager", "or log in as a manager with -u USER", "or auth USER, as a manager"},
    {"leave out `secret`", "leave out --secret-file", NULL},
    {"`secret` claims a name", "--secret-file claims a name", NULL},
    {"`clients` lists them", "clients lists them", NULL},
    {"options: a name is", "a name (-n) is", NULL},
    {"options: a secret is", "a secret (--secret-file, KVZMQ_SECRET) is", NULL},
    {"write tcp://HOST:PORT or ipc://PATH", "-s takes tcp://HOST:PORT, HOST:PORT or ipc://PATH", NULL},
};

const char *wording_of(const char *error, bool alone, char *out, size_t out_size)
{
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++) {
        const phrase_t *phrase = &phrases[i];
        const char *at = strstr(error, phrase->theirs);
        if (at == NULL)
            continue;
        const char *ours = alone || phrase->more == NULL ? phrase->alone : phrase->more;
        (void)snprintf(out, out_size, "%.*s%s%s", (int)(at - error), error, ours,
                       at + strlen(phrase->theirs));
        return out;
    }
    (void)snprintf(out, out_size, "%s", error);
    return out;
}
