/* SPDX-License-Identifier: MPL-2.0 */
/* Copies and checks options. */
#include "client/lib/options.h"

#include <stdlib.h>

#include "client/lib/sized.h"
#include "client/lib/value.h"
#include "client/slice.h"
#include "common/limits.h"
#include "common/name.h"

/* Replaces a borrowed text by an owned copy. NULL stays NULL. */
static bool own_text(const char **text)
{
    if (*text != NULL)
        *text = value_copy_bytes(bytes_from_text(*text));
    return *text != NULL;
}

static const char *find_problem(const kvzmq_options_t *options)
{
    if (options->connect_ms < 0 || options->call_ms < 0)
        return "options: a time limit is below 0";
    if (options->batches > KVZMQ_BATCHES_MAX)
        return "options: batches is above KVZMQ_BATCHES_MAX (1024)";
    if (options->name != NULL && !name_valid(bytes_from_text(options->name)))
        return "options: a name is 1 to 200 printable ASCII characters without '/' and blanks, not digits "
               "alone";
    if (options->secret.size > 0 && options->secret.data == NULL)
        return "options: the secret has a size but no data";
    if (options->secret.size > 0 && options->name == NULL)
        return "options: a secret needs a name";
    if (options->secret.size > 0 &&
        (options->secret.size < LIMIT_SECRET_MIN || options->secret.size > LIMIT_SECRET_MAX))
        return "options: a secret is 16 to 256 bytes";
    if (options->user != NULL && options->password == NULL)
        return "options: a user needs a password";
    return NULL;
}

static void fill_defaults(kvzmq_options_t *options)
{
    if (options->endpoint == NULL)
        options->endpoint = KVZMQ_ENDPOINT_DEFAULT;
    if (options->connect_ms == 0)
        options->connect_ms = KVZMQ_CONNECT_MS_DEFAULT;
    if (options->call_ms == 0)
        options->call_ms = KVZMQ_CALL_MS_DEFAULT;
    if (options->batches == 0)
        options->batches = KVZMQ_BATCHES_DEFAULT;
}

bool options_init(options_t *options, const kvzmq_options_t *given)
{
    *options = (options_t){0};
    kvzmq_options_t *own = &options->given;
    if (given != NULL)
        options->problem = sized_take(own, sizeof *own, given);
    if (options->problem == NULL)
        options->problem = find_problem(own);
    if (options->problem != NULL)
        *own = (kvzmq_options_t){0}; /* none of them will be used */
    fill_defaults(own);

    kvzmq_options_t borrowed = *own;
    bool owned = own_text(&own->endpoint);
    owned = (own_text(&own->name) || borrowed.name == NULL) && owned;
    owned = (own_text(&own->user) || borrowed.user == NULL) && owned;
    owned = (own_text(&own->password) || borrowed.password == NULL) && owned;
    own->secret.data = value_copy_bytes(slice_bytes(borrowed.secret));
    owned = own->secret.data != NULL && owned;
    if (!owned)
        options_release(options);
    return owned;
}

static void free_wiped(const char **text, size_t size)
{
    char *owned = (char *)*text;
    *text = NULL;
    if (owned != NULL)
        explicit_bzero(owned, size);
    free(owned);
}

static size_t text_size(const char *text)
{
    return text == NULL ? 0 : strlen(text);
}

void options_forget_account(options_t *options)
{
    free_wiped(&options->given.user, text_size(options->given.user));
    free_wiped(&options->given.password, text_size(options->given.password));
}

void options_release(options_t *options)
{
    options_forget_account(options);
    free_wiped(&options->given.secret.data, options->given.secret.size);
    free_wiped(&options->given.name, text_size(options->given.name));
    free_wiped(&options->given.endpoint, text_size(options->given.endpoint));
    *options = (options_t){0};
}
