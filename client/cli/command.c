/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the table of commands, and the help that is made from it. Does not know how a command is run.
 */
#include "client/cli/command.h"

#define LISTING_OPTIONS (OPT_BIT(OPT_LIMIT) | OPT_BIT(OPT_AFTER))
#define PUT_OPTIONS                                                                                          \
    (OPT_BIT(OPT_TTL) | OPT_BIT(OPT_IF_REVISION) | OPT_BIT(OPT_IF_ABSENT) | OPT_BIT(OPT_CREATE) |            \
     OPT_BIT(OPT_CLAIM_SECRET_FILE))
#define WATCH_OPTIONS                                                                                        \
    (OPT_BIT(OPT_PREFIX) | OPT_BIT(OPT_SINCE) | OPT_BIT(OPT_INITIAL) | OPT_BIT(OPT_EVENTS) | OPT_BIT(OPT_OWN))

const command_t commands[] = {
    {"get", "KEY", "show a value, or <blank> if there is none", command_get, 1, 1, 0, COMMAND_STORE},
    {"put", "KEY VALUE", "set a value", command_put, 2, 2, PUT_OPTIONS, COMMAND_STORE},
    {"del", "KEY", "delete an entry", command_del, 1, 1, OPT_BIT(OPT_IF_REVISION), COMMAND_STORE},
    {"entry", "KEY", "show a value, its revision and its time to live", command_entry, 1, 1, 0,
     COMMAND_STORE},
    {"list", "[PREFIX]", "show all entries, in order of their keys", command_list, 0, 1, LISTING_OPTIONS,
     COMMAND_STORE},
    {"digest", "", "show the digest of a store; equal stores have equal digests", command_digest, 0, 0, 0,
     COMMAND_STORE},
    {"auth", "USER [PASSWORD]", "become a manager; asks for the password if it is left out", command_auth, 1,
     2, 0, COMMAND_SECRET},
    {"manage", "CLIENT COMMAND ...", "get, put, del, entry, list or digest on a client's store", NULL, 2,
     SIZE_MAX, 0, COMMAND_PREFIX},
    {"clients", "[PREFIX]", "show the clients (managers)", command_clients, 0, 1, LISTING_OPTIONS, 0},
    {"role", "CLIENT ROLE", "make a client guest or manager (managers)", command_role, 2, 2, 0, 0},
    {"forget", "CLIENT", "drop a named client and its store (managers)", command_forget, 1, 1, 0, 0},
    {"watch", "[CLIENT | stop]", "show changes as they happen (managers; guests: --own)", command_watch, 0, 1,
     WATCH_OPTIONS, 0},
    {"verify", "[CLIENT]", "copy stores, and compare the copies (managers)", command_verify, 0, 1, 0, 0},
    {"stats", "", "show the broker's counters (managers)", command_stats, 0, 0, 0, 0},
    {"hello", "", "show your client id, your role and the broker's limits", command_hello, 0, 0, 0, 0},
    {"ping", "", "check that the broker answers, and keep the session alive", command_ping, 0, 0, 0, 0},
    {"bye", "", "end the session, and leave", command_bye, 0, 0, 0, 0},
    {"help", "[COMMAND]", "show all commands, or how one is used", command_show_help, 0, 1, 0, COMMAND_LOCAL},
    {"quit", "", "leave", command_quit, 0, 0, 0, COMMAND_LOCAL},
    {"exit", "", "leave", command_quit, 0, 0, 0, COMMAND_LOCAL},
    {.name = NULL},
};

const command_t *command_find(bytes_t name)
{
    for (const command_t *command = commands; command->name != NULL; command++) {
        if (bytes_equal(name, bytes_from_text(command->name)))
            return command;
    }
    return NULL;
}

bytes_t command_argument_name(const command_t *command, size_t index)
{
    const char *at = command->arguments;
    for (;; index--) {
        at += strspn(at, "[ ");
        size_t size = strcspn(at, "] ");
        if (index == 0 || size == 0)
            return bytes_of(at, size);
        at += size + strspn(at + size, "] ");
    }
}

outcome_t call_text(cli_t *cli, bytes_t word, const char *what, const char **text)
{
    if (memchr(word.data, 0, word.size) != NULL)
        return cli_refuse(cli, what, "there is a zero byte in it");
    *text = (const char *)word.data;
    return OUTCOME_OK;
}

/* A quote before the name does not hide it, nor does `manage CLIENT`, nor other case: a typing error is no
 * reason to keep a password. */
bool command_is_secret(const bytes_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (const command_t *command = commands; command->name != NULL; command++) {
            size_t size = strlen(command->name);
            bool named =
                words[i].size == size && strncasecmp((const char *)words[i].data, command->name, size) == 0;
            if (named && (command->flags & COMMAND_SECRET) != 0)
                return true;
        }
    }
    return false;
}

/* ---- Help ------------------------------------------------------------------------------------- */

void command_help_all(FILE *stream)
{
    fputs("Commands:\n", stream);
    for (const command_t *command = commands; command->name != NULL; command++) {
        char usage[32];
        snprintf(usage, sizeof usage, "%s %s", command->name, command->arguments);
        fprintf(stream, "  %-25s %s\n", usage, command->help);
    }
}

void command_usage(FILE *stream, const command_t *command)
{
    fprintf(stream, "%s%s%s", command->name, *command->arguments == '\0' ? "" : " ", command->arguments);
    for (int i = 0; i < OPT_COUNT; i++) {
        const option_row_t *row = &option_rows[i];
        if ((command->options & OPT_BIT(i)) != 0)
            fprintf(stream, " [%s%s%s]", row->name, row->argument == NULL ? "" : " ",
                    row->argument == NULL ? "" : row->argument);
    }
}

void command_help(FILE *stream, const command_t *command)
{
    fputs("Usage: ", stream);
    command_usage(stream, command);
    fprintf(stream, "\n%s\n", command->help);
    option_help_set(stream, command->options);
}
