/* SPDX-License-Identifier: MPL-2.0 */
/* Finds the command that a user probably means: by the names of other tools, and by typing errors. */
#include "client/cli/suggest.h"

#include <ctype.h>

#include "client/cli/command_table.h"
#include "common/edit_distance.h"
#include "common/utf8.h"

enum {
    SHORT_WORD = 4,  /* letters: two edits could turn such a short word into any other */
    SHORT_EDITS = 1, /* edits allowed in a short word; below: in a longer one */
    LONG_EDITS = 2
};

static const struct {
    const char *word;
    const char *command;
} synonyms[] = {
    {"set", "put"},         {"write", "put"},       {"delete", "del"},  {"rm", "del"},
    {"remove", "del"},      {"unset", "del"},       {"read", "get"},    {"ls", "list"},
    {"keys", "list"},       {"scan", "list"},       {"login", "auth"},  {"users", "clients"},
    {"info", "stats"},      {"whoami", "hello"},    {"sub", "watch"},   {"monitor", "watch"},
    {"ttl", "entry"},       {"subscribe", "watch"}, {"kick", "forget"}, {"?", "help"},
    {"benchmark", "bench"},
};

/* The command that WORD probably means: one that other tools call WORD, or one with nearly the same letters.
 * NULL if none is close. */
static const command_t *find_meant(bytes_t word)
{
    char letters[EDIT_TEXT_MAX];
    if (word.size > sizeof letters)
        return NULL;
    for (size_t i = 0; i < word.size; i++)
        letters[i] = (char)tolower(word.data[i]);
    bytes_t lower = bytes_of(letters, word.size);
    for (size_t i = 0; i < sizeof synonyms / sizeof *synonyms; i++) {
        if (bytes_equal(lower, bytes_from_text(synonyms[i].word)))
            return command_find(bytes_from_text(synonyms[i].command));
    }
    const command_t *closest = NULL;
    unsigned least = (word.size <= SHORT_WORD ? SHORT_EDITS : LONG_EDITS) + 1;
    for (const command_t *command = commands; command->name != NULL; command++) {
        unsigned edits = edit_distance(lower, bytes_from_text(command->name));
        if (edits < least) {
            least = edits;
            closest = command;
        }
    }
    return closest;
}

outcome_t suggest_unknown(cli_t *cli, bytes_t word)
{
    char quoted[PROBLEM_WORD_MAX];
    char text[PROBLEM_TEXT_MAX];
    utf8_quote(word, quoted, sizeof quoted);
    const command_t *meant = find_meant(word);
    if (meant != NULL)
        snprintf(text, sizeof text, "%s: did you mean %s?", quoted, meant->name);
    else
        snprintf(text, sizeof text, "%s: there is no such command; help shows all", quoted);
    return cli_illegal(cli, text, meant != NULL);
}
