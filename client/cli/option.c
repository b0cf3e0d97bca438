/* SPDX-License-Identifier: MPL-2.0 */
/* The table of options, and the parser that finds options among words. */
#include "client/cli/option.h"

#include <assert.h>
#include <kvzmq.h>
#include <string.h>

#include "common/duration.h"
#include "common/edit_distance.h"
#include "common/number.h"
#include "common/utf8.h"

enum {
    EDITS_MAX = 2 /* most edits between a typed name and the name that is suggested */
};

#define RUN     OPTION_OF_RUN, false
#define LINE    OPTION_OF_LINE, false
#define COMMAND OPTION_OF_COMMAND, false
#define MANAGED OPTION_OF_COMMAND, true

const option_row_t option_rows[OPT_COUNT] = {
    [OPT_SERVER] = {"--server", "ENDPOINT",
                    "the broker (default KVZMQ_SERVER, else " KVZMQ_ENDPOINT_DEFAULT "); HOST:PORT is tcp",
                    OPTION_WORD, RUN, 's'},
    [OPT_NAME] = {"--name", "NAME", "connect as client NAME, whose store is kept; else by number",
                  OPTION_WORD, RUN, 'n'},
    [OPT_SECRET_FILE] = {"--secret-file", "FILE",
                         "the name's secret, on the first line (default KVZMQ_SECRET)", OPTION_WORD, RUN, 0},
    [OPT_USER] = {"--user", "USER", "log in as a manager; takes KVZMQ_PASSWORD, or asks", OPTION_WORD, RUN,
                  'u'},
    [OPT_PASSWORD_FILE] = {"--password-file", "FILE", "the password, on the first line", OPTION_WORD, RUN, 0},
    [OPT_OUTPUT] = {"--output", "FORMAT", "text, json or raw, see below", OPTION_WORD, LINE, 'o'},
    [OPT_INPUT] = {NULL, NULL, "read the command's last argument from standard input, byte for byte",
                   OPTION_FLAG, RUN, 'x'},
    [OPT_BIN] = {"--bin", NULL, "put values as bytes, even if they are text", OPTION_FLAG, LINE, 0},
    [OPT_TIMEOUT] = {"--timeout", "TIME", "time limit for an answer: 2.5, 500ms, 1m (default 5)", OPTION_TIME,
                     RUN, 't'},
    [OPT_NO_HISTORY] = {"--no-history", NULL, "keep no history (KVZMQ_HISTORY names its file; empty: none)",
                        OPTION_FLAG, RUN, 0},
    [OPT_HELP] = {"--help", NULL, "show this help, or the help of a command", OPTION_FLAG, LINE, 'h'},
    [OPT_VERSION] = {"--version", NULL, "show the version", OPTION_FLAG, RUN, 'V'},
    [OPT_TTL] = {"--ttl", "TIME",
                 "the entry expires after this time: 90, 2.5 (seconds), 500ms, 10m, 1h30m, 7d", OPTION_TIME,
                 COMMAND, 0},
    [OPT_IF_REVISION] = {"--if-revision", "N", "only if the entry has this revision; 0: only if it is absent",
                         OPTION_NUMBER, COMMAND, 0},
    [OPT_IF_ABSENT] = {"--if-absent", NULL, "only if there is no entry", OPTION_FLAG, COMMAND, 0},
    [OPT_CREATE] = {"--create", NULL, "after manage: make the store of a name that does not exist yet",
                    OPTION_FLAG, MANAGED, 0},
    [OPT_CLAIM_SECRET_FILE] = {"--secret-file", "FILE",
                               "with --create: the secret that claims the name, on the first line",
                               OPTION_WORD, MANAGED, 0},
    [OPT_LIMIT] = {"--limit", "N", "show at most N", OPTION_NUMBER, COMMAND, 0},
    [OPT_AFTER] = {"--after", "TEXT", "only what sorts after TEXT, in byte order", OPTION_TEXT, COMMAND, 0},
    [OPT_PREFIX] = {"--prefix", "TEXT", "only keys that begin with TEXT", OPTION_TEXT, COMMAND, 0},
    [OPT_SINCE] = {"--since", "SEQ[@EPOCH]",
                   "begin after this change (second column of a line); 0: at the oldest kept", OPTION_TEXT,
                   COMMAND, 0},
    [OPT_INITIAL] = {"--initial", NULL, "show all entries first, so that every old value is known",
                     OPTION_FLAG, COMMAND, 0},
    [OPT_EVENTS] = {"--count", "N", "end after N changes; 0: after all that exist now", OPTION_NUMBER,
                    COMMAND, 0},
    [OPT_OWN] = {"--own", NULL, "show what others change in your own store; for guests too", OPTION_FLAG,
                 COMMAND, 0},
    [OPT_BENCH_CLIENTS] = {"--clients", "N", "sessions; each needs 5 descriptors (default 10)", OPTION_NUMBER,
                           COMMAND, 0},
    [OPT_BENCH_THREADS] = {"--threads", "N", "threads that run the sessions (default half of the processors)",
                           OPTION_NUMBER, COMMAND, 0},
    [OPT_BENCH_IN_FLIGHT] = {"--in-flight", "N", "messages in flight for each client (default 1)",
                             OPTION_NUMBER, COMMAND, 0},
    [OPT_BENCH_BATCH] = {"--batch", "N", "requests in a message (default 1)", OPTION_NUMBER, COMMAND, 0},
    [OPT_BENCH_KEYS] = {"--keys", "N", "keys, in all stores together (default 100000)", OPTION_NUMBER,
                        COMMAND, 0},
    [OPT_BENCH_KEY_SIZE] = {"--key-size", "N", "bytes of a key (default 16)", OPTION_NUMBER, COMMAND, 0},
    [OPT_BENCH_VALUE_SIZE] = {"--value-size", "N", "bytes of a value, from 16 (default 32)", OPTION_NUMBER,
                              COMMAND, 0},
    [OPT_BENCH_DISTRIBUTION] = {"--distribution", "NAME",
                                "which keys: uniform, zipfian or latest (default: the workload's)",
                                OPTION_WORD, COMMAND, 0},
    [OPT_BENCH_SHARED] = {"--shared", NULL, "all clients use one store; else each has its own", OPTION_FLAG,
                          COMMAND, 0},
    [OPT_BENCH_DURATION] = {"--duration", "TIME", "end after this time (default 10)", OPTION_TIME, COMMAND,
                            0},
    [OPT_BENCH_REQUESTS] = {"--requests", "N", "end after N requests, of all clients", OPTION_NUMBER, COMMAND,
                            0},
    [OPT_BENCH_RATE] = {"--rate", "N",
                        "send N requests a second in total; latency counts from when each was due",
                        OPTION_NUMBER, COMMAND, 0},
};

static_assert(OPT_COUNT <= 64, "a set of options is 64 bits");

/* What a value of each kind must be; NULL = anything. */
static const char *const kind_expects[] = {
    [OPTION_FLAG] = NULL,
    [OPTION_NUMBER] = "a whole number",
    [OPTION_TIME] = DURATION_EXPECTED,
    [OPTION_TEXT] = "text (UTF-8)",
    [OPTION_WORD] = NULL,
};

const char *option_name(option_id_t option)
{
    const option_row_t *row = &option_rows[option];
    return row->name != NULL ? row->name : "-x"; /* the only option without a name */
}

bool option_same(option_id_t a, option_id_t b)
{
    return strcmp(option_name(a), option_name(b)) == 0;
}

/* ---- Words ------------------------------------------------------------------------------------ */

static size_t digits_behind(bytes_t word, size_t at)
{
    while (at < word.size && digit_is(word.data[at]))
        at++;
    return at;
}

/* Whether WORD is a number below 0: -5, -0.25, -.5, -1e-9. */
static bool is_negative(bytes_t word)
{
    size_t whole = digits_behind(word, 1);
    size_t at = whole;
    bool digits = whole > 1;
    if (at < word.size && word.data[at] == '.') {
        at = digits_behind(word, whole + 1);
        digits = digits || at > whole + 1;
    }
    if (!digits)
        return false;
    if (at < word.size && (word.data[at] == 'e' || word.data[at] == 'E')) {
        size_t sign = at + 1;
        if (sign < word.size && (word.data[sign] == '-' || word.data[sign] == '+'))
            sign++;
        at = digits_behind(word, sign);
        if (at == sign)
            return false;
    }
    return at == word.size;
}

static bool is_option(bytes_t word)
{
    return word.size > 1 && word.data[0] == '-' && !is_negative(word);
}

static bytes_t bytes_behind(bytes_t bytes, size_t at)
{
    return bytes_of(bytes.data + at, bytes.size - at);
}

static option_id_t find_name(bytes_t name)
{
    for (int i = 0; i < OPT_COUNT; i++) {
        if (option_rows[i].name != NULL && bytes_equal(name, bytes_from_text(option_rows[i].name)))
            return (option_id_t)i;
    }
    return OPT_COUNT;
}

static option_id_t find_letter(uint8_t letter)
{
    for (int i = 0; letter != 0 && i < OPT_COUNT; i++) {
        if (option_rows[i].letter == (char)letter)
            return (option_id_t)i;
    }
    return OPT_COUNT;
}

/* The state of option_split. */
typedef struct sorter {
    const bytes_t *words;
    size_t count;
    size_t at; /* the next word */
    bool secret;
    split_t *split;
} sorter_t;

static void refuse_unknown(sorter_t *sorter, bytes_t typed)
{
    char quoted[PROBLEM_WORD_MAX];
    problem_t *problem = &sorter->split->problem;
    if (sorter->secret) {
        problem_set(problem, "a word that begins with - is an option, and there is no such option; write -- "
                             "before such a password");
        return;
    }
    const char *closest = NULL;
    unsigned distance = EDITS_MAX + 1;
    for (int i = 0; i < OPT_COUNT; i++) {
        const char *name = option_rows[i].name;
        unsigned edits = name == NULL ? distance : edit_distance(typed, bytes_from_text(name));
        if (edits < distance) {
            distance = edits;
            closest = name;
        }
    }
    utf8_quote(typed, quoted, sizeof quoted);
    if (closest != NULL)
        problem_set(problem, "there is no option %s; did you mean %s?", quoted, closest);
    else
        problem_set(problem, "there is no option %s; write -- before arguments that begin with -", quoted);
}

static void take(sorter_t *sorter, option_id_t option, bytes_t value)
{
    split_t *split = sorter->split;
    if (split->given_count == SPLIT_MAX)
        problem_set(&split->problem, "more than %d options", SPLIT_MAX);
    else
        split->given[split->given_count++] =
            (option_given_t){.option = option, .value = value, .words_before = split->word_count};
}

/* Takes the next word as the value of OPTION. */
static void take_next(sorter_t *sorter, option_id_t option)
{
    if (sorter->at == sorter->count || is_option(sorter->words[sorter->at])) {
        problem_set(&sorter->split->problem, "%s needs its argument, %s", option_name(option),
                    option_rows[option].argument);
        return;
    }
    take(sorter, option, sorter->words[sorter->at++]);
}

/* Takes WORD, `--name` or `--name=value`. */
static void take_long(sorter_t *sorter, bytes_t word)
{
    const uint8_t *equals = memchr(word.data, '=', word.size);
    size_t size = equals == NULL ? word.size : (size_t)(equals - word.data);
    option_id_t option = find_name(bytes_of(word.data, size));
    if (option == OPT_COUNT)
        refuse_unknown(sorter, bytes_of(word.data, size));
    else if (option_rows[option].argument == NULL && equals != NULL)
        problem_set(&sorter->split->problem, "%s takes no argument", option_name(option));
    else if (option_rows[option].argument == NULL)
        take(sorter, option, bytes_of(NULL, 0));
    else if (equals != NULL)
        take(sorter, option, bytes_behind(word, size + 1));
    else
        take_next(sorter, option);
}

/* Takes WORD, a dash and letters. The first letter that takes a value gets the rest of WORD, or the next
 * word. Refuses a long name with a single dash: -name would mean client "ame". */
static void take_letters(sorter_t *sorter, bytes_t word)
{
    for (int i = 0; i < OPT_COUNT; i++) {
        const char *name = option_rows[i].name;
        if (name != NULL && bytes_equal(word, bytes_from_text(name + 1))) {
            problem_set(&sorter->split->problem, "there is no option %s; did you mean %s?", name + 1, name);
            return;
        }
    }
    for (size_t at = 1; at < word.size; at++) {
        option_id_t option = find_letter(word.data[at]);
        if (option == OPT_COUNT) {
            refuse_unknown(sorter, at == 1 ? word : bytes_of((const char[]){'-', (char)word.data[at]}, 2));
            return;
        }
        if (option_rows[option].argument == NULL) {
            take(sorter, option, bytes_of(NULL, 0));
            continue;
        }
        bytes_t rest = bytes_behind(word, at + 1);
        if (rest.size == 0)
            take_next(sorter, option);
        else
            take(sorter, option, rest.data[0] == '=' ? bytes_behind(rest, 1) : rest);
        return;
    }
}

static void take_word(split_t *split, bytes_t word)
{
    if (split->word_count == SPLIT_MAX)
        problem_set(&split->problem, "more than %d arguments; no command takes so many", SPLIT_MAX);
    else
        split->words[split->word_count++] = word;
}

void option_split(const bytes_t *words, size_t count, bool secret, split_t *split)
{
    *split = (split_t){.word_count = 0};
    sorter_t sorter = {.words = words, .count = count, .secret = secret, .split = split};
    bool ended = false;
    while (sorter.at < count) {
        bytes_t word = words[sorter.at++];
        if (ended || !is_option(word))
            take_word(split, word);
        else if (word.data[1] != '-')
            take_letters(&sorter, word);
        else if (word.size == 2)
            ended = true;
        else
            take_long(&sorter, word);
    }
}

/* ---- Values ----------------------------------------------------------------------------------- */

bool option_read(option_id_t option, bytes_t value, uint64_t *number, problem_t *problem)
{
    const option_row_t *row = &option_rows[option];
    bool valid = true;
    switch (row->kind) {
    case OPTION_FLAG:
        break;
    case OPTION_NUMBER:
        valid = number_parse(value, number);
        break;
    case OPTION_TIME:
        valid = duration_parse(value, number);
        break;
    case OPTION_TEXT:
        valid = utf8_valid(value);
        break;
    case OPTION_WORD:
        if (value.size == 0)
            return problem_set(problem, "%s has an empty %s; is a variable not set?", option_name(option),
                               row->argument);
        break;
    }
    char quoted[PROBLEM_WORD_MAX];
    return valid || problem_set(problem, "%s takes %s, not \"%s\"", option_name(option),
                                kind_expects[row->kind], utf8_quote(value, quoted, sizeof quoted));
}

/* ---- Help ------------------------------------------------------------------------------------- */

static void row_help(FILE *stream, const option_row_t *row, bool letters)
{
    char letter[4] = "";
    if (row->letter != 0)
        snprintf(letter, sizeof letter, "-%c", row->letter);
    char name[64] = "";
    if (row->name != NULL)
        snprintf(name, sizeof name, "%s %s", row->name, row->argument == NULL ? "" : row->argument);
    if (letters)
        fprintf(stream, "  %2s%c", letter, *letter != '\0' && *name != '\0' ? ',' : ' ');
    fprintf(stream, "%s%-20s %s\n", letters ? " " : "  ", name, row->help);
}

void option_help_run(FILE *stream)
{
    for (int i = 0; i < OPT_COUNT; i++) {
        if (option_rows[i].scope != OPTION_OF_COMMAND)
            row_help(stream, &option_rows[i], true);
    }
}

void option_help_set(FILE *stream, uint64_t set)
{
    for (int i = 0; i < OPT_COUNT; i++) {
        if ((set & OPT_BIT(i)) != 0)
            row_help(stream, &option_rows[i], false);
    }
}
