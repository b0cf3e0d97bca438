/* SPDX-License-Identifier: MPL-2.0 */
/* The program `kvbroker`: reads arguments, makes settings of them and runs a broker. Does not know sockets or
 * the protocol. */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "broker/config/config.h"
#include "broker/config/hash_command.h"
#include "broker/net/broker.h"
#include "broker/net/hosts.h"
#include "common/log.h"
#include "common/standard_files.h"
#include "common/utf8.h"

enum {
    EXIT_USAGE = 2,  /* the command line or the configuration is wrong */
    FILES_LOW = 4096 /* with fewer descriptors, the log warns that few clients can connect */
};

/* The parsed arguments. Texts are borrowed from argv. */
typedef struct arguments {
    const char *config; /* --config; NULL = none */
    const char **sets;  /* --set, in order; owned */
    unsigned set_count;
    bool check;    /* --check-config */
    bool generate; /* --generate */
    bool help;     /* --help */
} arguments_t;

typedef struct option_row {
    const char *name;
    char letter;          /* 0 = none */
    const char *argument; /* its name in the help; NULL = the option takes none */
    const char *help;
    /* Exactly one of these is set. */
    void (*take)(arguments_t *arguments, const char *value); /* stores the option */
    int (*run)(const arguments_t *arguments); /* does all that the program does; returns the exit status */
} option_row_t;

typedef struct command_row {
    const char *name;
    const char *help;
    int (*run)(const arguments_t *arguments);
    bool generates;    /* takes --generate */
    const char *about; /* lines of its --help */
} command_row_t;

static void config_take(arguments_t *arguments, const char *value)
{
    arguments->config = value;
}

static void set_take(arguments_t *arguments, const char *value)
{
    arguments->sets[arguments->set_count++] = value;
}

static void check_take(arguments_t *arguments, const char *value)
{
    (void)value;
    arguments->check = true;
}

static void generate_take(arguments_t *arguments, const char *value)
{
    (void)value;
    arguments->generate = true;
}

static void help_take(arguments_t *arguments, const char *value)
{
    (void)value;
    arguments->help = true;
}

static int version_run(const arguments_t *arguments);
static int help_config_run(const arguments_t *arguments);

static int hash_password_command(const arguments_t *arguments)
{
    (void)arguments;
    return hash_password_run();
}

static int hash_secret_command(const arguments_t *arguments)
{
    return hash_secret_run(arguments->generate);
}

static const option_row_t options[] = {
    {"config", 'c', "FILE", "read the configuration from FILE; without it, defaults apply", config_take,
     NULL},
    {"set", 's', "KEY=VALUE", "set a configuration key, which wins over FILE; may be repeated", set_take,
     NULL},
    {"check-config", 0, NULL, "check the configuration as at a start, except for ports in use, then exit",
     check_take, NULL},
    {"help-config", 0, NULL, "print a configuration file with every key, its default and what it is for",
     NULL, help_config_run},
    {"generate", 0, NULL, "with hash-secret: make a random secret, print it and its hash", generate_take,
     NULL},
    {"help", 'h', NULL, "show this help; with a command, how to use it", help_take, NULL},
    {"version", 'V', NULL, "show the version", NULL, version_run},
};
enum {
    OPTION_COUNT = sizeof options / sizeof options[0],
    OPTION_CODE = 256 /* getopt's code of the first row; the codes of letters are below */
};

static const command_row_t commands[] = {
    {"hash-password", "read a password (typed twice, or piped in) and print its hash for managers/NAME",
     hash_password_command, false,
     "The configuration has only the hash (argon2id) of a password. So the password cannot be read from it, "
     "only\n"
     "changed:\n"
     "  1. kvbroker hash-password                      asks for the new password, prints its hash\n"
     "  2. in the configuration, section managers:     NAME = \"HASH\", in quotes, in place of the old one\n"
     "  3. kvbroker --config FILE --check-config       says whether the file is valid\n"
     "  4. kill -HUP PID                               the broker reads FILE again\n"
     "From then on the old password is refused, and sessions that logged in with it are guests. Add an "
     "account\n"
     "in the same way; to remove one, delete its line. Other sessions are not disturbed.\n"},
    {"hash-secret", "read the secret of a client's name and print its hash for names/NAME",
     hash_secret_command, true,
     "The configuration has only the hash (blake2b) of the secret. To claim a name, or to change its "
     "secret:\n"
     "  1. kvbroker hash-secret --generate             makes a secret, prints it and then its hash;\n"
     "                                                 without --generate it asks for a secret, 16 to 256 "
     "bytes\n"
     "  2. in the configuration, section names:        NAME = \"HASH\", in quotes\n"
     "  3. kvbroker --config FILE --check-config       says whether the file is valid\n"
     "  4. kill -HUP PID                               the broker reads FILE again\n"
     "The client gives the secret with kvzmq-cli --secret-file FILE, or in KVZMQ_SECRET.\n"},
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static int command_help(const command_row_t *command)
{
    printf("Usage: kvbroker %s%s\n%s.\n\n%s", command->name, command->generates ? " [--generate]" : "",
           command->help, command->about);
    return EXIT_SUCCESS;
}

static int help_run(void)
{
    puts("Usage: kvbroker [OPTION...]            serve until SIGINT or SIGTERM; SIGHUP: read FILE again\n"
         "       kvbroker COMMAND [OPTION...]\n"
         "\nOptions:");
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        char left[40];
        snprintf(left, sizeof left, "%c%c%s --%s%s%s", options[i].letter ? '-' : ' ',
                 options[i].letter ? options[i].letter : ' ', options[i].letter ? "," : " ", options[i].name,
                 options[i].argument != NULL ? " " : "",
                 options[i].argument != NULL ? options[i].argument : "");
        printf("  %-22s %s\n", left, options[i].help);
    }
    puts("\nCommands:");
    for (unsigned i = 0; i < COMMAND_COUNT; i++)
        printf("  %-22s %s\n", commands[i].name, commands[i].help);
    puts("\nExit status: 0 success; 1 could not start or run; 2 the command line or the configuration is "
         "wrong.");
    return EXIT_SUCCESS;
}

static int version_run(const arguments_t *arguments)
{
    (void)arguments;
    puts("kvbroker " KV_VERSION);
    return EXIT_SUCCESS;
}

static int help_config_run(const arguments_t *arguments)
{
    (void)arguments;
    config_help(stdout);
    return EXIT_SUCCESS;
}

static int usage_fault(const char *what, const char *which)
{
    char text[CONFIG_PROBLEM_SIZE];
    utf8_format(text, sizeof text, "kvbroker: %s %s; \"kvbroker --help\" shows the usage", what, which);
    fprintf(stderr, "%s\n", text);
    return EXIT_USAGE;
}

/* ---- Running ---------------------------------------------------------------------------------- */

/* Makes settings of the file, then applies --set. */
static bool settings_make(settings_t *settings, const arguments_t *arguments, char *problem,
                          size_t problem_size)
{
    if (arguments->config != NULL && !config_load(settings, arguments->config, problem, problem_size))
        return false;
    for (unsigned i = 0; i < arguments->set_count; i++)
        if (!config_set(settings, arguments->sets[i], problem, problem_size))
            return false;
    return config_check(settings, problem, problem_size);
}

/* Each client takes a descriptor, so raise the limit as far as the system allows. */
static void descriptors_raise(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    if (files.rlim_cur < files.rlim_max) {
        struct rlimit raised = {.rlim_cur = files.rlim_max, .rlim_max = files.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            files = raised;
    }
    if (files.rlim_cur < FILES_LOW)
        log_warning(
            "only %ju files may be open, each client needs one; raise the limit (ulimit -Hn, LimitNOFILE)",
            (uintmax_t)files.rlim_cur);
}

/* The settings_source_t of this program. Only a regular file is read again: reading a pipe would block the
 * loop, or give an empty file. */
static bool settings_read_again(void *context, settings_t *settings, char *problem, size_t problem_size)
{
    const arguments_t *arguments = context;
    struct stat status;
    if (stat(arguments->config, &status) == 0 && !S_ISREG(status.st_mode)) {
        utf8_format(problem, problem_size, "%s: is not a regular file; SIGHUP reads only a regular file",
                    arguments->config);
        return false;
    }
    return settings_make(settings, arguments, problem, problem_size);
}

/* Ignores or blocks signals that would end or stop the broker by default, and so lose all stores. */
static void signals_ignore(void)
{
    sigset_t hangup;
    signal(SIGPIPE, SIG_IGN); /* the reader of the log may go away */
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGTTOU, SIG_IGN); /* would stop a background broker that logs to a terminal with `stty tostop` */
    sigemptyset(&hangup);
    sigaddset(&hangup, SIGHUP);
    sigprocmask(SIG_BLOCK, &hangup, NULL); /* broker_run handles it: it asks for a reload */
}

static int serve(settings_t *settings, arguments_t *arguments)
{
    char problem[CONFIG_PROBLEM_SIZE];
    settings_source_t source = {.read = arguments->config == NULL ? NULL : settings_read_again,
                                .context = arguments};
    descriptors_raise();
    broker_t *broker = broker_new(settings, &source, problem, sizeof problem);
    if (broker == NULL) {
        log_error("%s", problem);
        return EXIT_FAILURE;
    }
    broker_run(broker);
    broker_destroy(&broker);
    return EXIT_SUCCESS;
}

static int broker_command(arguments_t *arguments)
{
    char problem[CONFIG_PROBLEM_SIZE];
    settings_t settings;
    if (!arguments->check)
        signals_ignore();
    if (!settings_init(&settings)) {
        fputs("kvbroker: out of memory; free some and start again\n", stderr);
        return EXIT_FAILURE;
    }
    int status = EXIT_SUCCESS;
    if (!settings_make(&settings, arguments, problem, sizeof problem) ||
        !hosts_check(&settings, problem, sizeof problem)) {
        fprintf(stderr, "%s\n", problem);
        status = EXIT_USAGE;
    } else if (arguments->check) {
        puts("The configuration is good.");
    } else {
        status = serve(&settings, arguments);
    }
    settings_release(&settings);
    return status;
}

/* ---- Arguments -------------------------------------------------------------------------------- */

/* The arguments of getopt_long, made from the table. The code of an option is OPTION_CODE plus its index. */
typedef struct getopt_table {
    struct option rows[OPTION_COUNT + 1];
    char letters[2 * OPTION_COUNT + 2];
} getopt_table_t;

static void getopt_table_make(getopt_table_t *table)
{
    *table = (getopt_table_t){0};
    char *letter = table->letters;
    *letter++ = ':'; /* makes getopt distinguish a missing argument from an unknown option */
    for (int i = 0; i < OPTION_COUNT; i++) {
        bool takes = options[i].argument != NULL;
        table->rows[i] =
            (struct option){options[i].name, takes ? required_argument : no_argument, NULL, OPTION_CODE + i};
        if (options[i].letter == 0)
            continue;
        *letter++ = options[i].letter;
        if (takes)
            *letter++ = ':';
    }
}

static const option_row_t *option_find(int code)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if (code == OPTION_CODE + i || code == options[i].letter)
            return &options[i];
    return NULL;
}

static int command_run(const command_row_t *command, const arguments_t *arguments)
{
    if (arguments->help)
        return command_help(command);
    if (arguments->config != NULL || arguments->set_count > 0 || arguments->check)
        return usage_fault("configuration options cannot be used with", command->name);
    if (arguments->generate && !command->generates)
        return usage_fault("--generate cannot be used with", command->name);
    return command->run(arguments);
}

/* Runs the command that follows the options, or a broker if there is none. */
static int operands_run(int argc, char **argv, arguments_t *arguments)
{
    if (optind == argc && arguments->help)
        return help_run();
    if (optind == argc)
        return arguments->generate ? usage_fault("--generate needs the command", "hash-secret")
                                   : broker_command(arguments);
    if (optind + 1 < argc)
        return usage_fault("too many arguments, beginning with", argv[optind + 1]);
    for (unsigned i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(argv[optind], commands[i].name) == 0)
            return command_run(&commands[i], arguments);
    return usage_fault("unknown command", argv[optind]);
}

static int unknown_option(char **argv)
{
    char letter[] = {'-', (char)optopt, '\0'};
    bool is_letter = optopt > 0 && optopt < OPTION_CODE;
    return usage_fault("unknown option", is_letter ? letter : argv[optind - 1]);
}

/* Reads the options and runs the command. Returns the exit status. */
static int arguments_run(int argc, char **argv, arguments_t *arguments)
{
    getopt_table_t table;
    getopt_table_make(&table);
    opterr = 0;
    for (;;) {
        int code = getopt_long(argc, argv, table.letters, table.rows, NULL);
        if (code == -1)
            return operands_run(argc, argv, arguments);
        if (code == ':')
            return usage_fault("a value is missing after", argv[optind - 1]);
        const option_row_t *option = code == '?' ? NULL : option_find(code);
        if (option == NULL)
            return unknown_option(argv);
        if (option->run != NULL)
            return option->run(arguments);
        option->take(arguments, optarg);
    }
}

int main(int argc, char **argv)
{
    if (!standard_files_hold())
        return EXIT_FAILURE;
    if (sodium_init() < 0) {
        fputs("kvbroker: the system gives no random numbers (libsodium)\n", stderr);
        return EXIT_FAILURE;
    }
    arguments_t arguments = {.sets = calloc((size_t)argc + 1, sizeof *arguments.sets)};
    if (arguments.sets == NULL) {
        fputs("kvbroker: out of memory; free some and start again\n", stderr);
        return EXIT_FAILURE;
    }
    int status = arguments_run(argc, argv, &arguments);
    free((void *)arguments.sets);
    return status;
}
