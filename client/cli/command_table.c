/* SPDX-License-Identifier: MPL-2.0 */
/* The table of commands. */
#include "client/cli/command_table.h"

#include "client/cli/command_bench.h"
#include "client/cli/command_listing.h"
#include "client/cli/command_session.h"
#include "client/cli/command_store.h"
#include "client/cli/command_watch.h"

#define LISTING_OPTIONS (OPT_BIT(OPT_LIMIT) | OPT_BIT(OPT_AFTER))
#define PUT_OPTIONS                                                                                          \
    (OPT_BIT(OPT_TTL) | OPT_BIT(OPT_IF_REVISION) | OPT_BIT(OPT_IF_ABSENT) | OPT_BIT(OPT_CREATE) |            \
     OPT_BIT(OPT_CLAIM_SECRET_FILE))
#define WATCH_OPTIONS                                                                                        \
    (OPT_BIT(OPT_PREFIX) | OPT_BIT(OPT_SINCE) | OPT_BIT(OPT_INITIAL) | OPT_BIT(OPT_EVENTS) | OPT_BIT(OPT_OWN))
#define BENCH_OPTIONS                                                                                        \
    (OPT_BIT(OPT_BENCH_CLIENTS) | OPT_BIT(OPT_BENCH_THREADS) | OPT_BIT(OPT_BENCH_IN_FLIGHT) |                \
     OPT_BIT(OPT_BENCH_BATCH) | OPT_BIT(OPT_BENCH_KEYS) | OPT_BIT(OPT_BENCH_KEY_SIZE) |                      \
     OPT_BIT(OPT_BENCH_VALUE_SIZE) | OPT_BIT(OPT_BENCH_DISTRIBUTION) | OPT_BIT(OPT_BENCH_SHARED) |           \
     OPT_BIT(OPT_BENCH_DURATION) | OPT_BIT(OPT_BENCH_REQUESTS) | OPT_BIT(OPT_BENCH_RATE))

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
    {"verify", "[CLIENT]", "copy stores, and compare the copies with the broker (managers)", command_verify,
     0, 1, 0, 0},
    {"stats", "", "show the broker's counters (managers)", command_stats, 0, 0, 0, 0},
    {"bench", "WORKLOAD", "measure the broker; uses stores of its own, and deletes their keys", command_bench,
     1, 1, BENCH_OPTIONS, COMMAND_BENCH},
    {"hello", "", "show your client id, your role and the broker's limits", command_hello, 0, 0, 0, 0},
    {"ping", "", "check that the broker answers, and keep the session alive", command_ping, 0, 0, 0, 0},
    {"bye", "", "end the session, and leave", command_bye, 0, 0, 0, 0},
    {"help", "[COMMAND]", "show all commands, or how one is used", NULL, 0, 1, 0,
     COMMAND_LOCAL | COMMAND_HELP},
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

/* Looks at every word, ignoring case, so that after a typing error a password is not kept either. */
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
