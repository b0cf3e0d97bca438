/* SPDX-License-Identifier: MPL-2.0 */
/* Starts and ends broker processes for tests. Knows the broker's command line and its log, but not its
 * protocol. */
#include "tests/support/broker_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "tests/support/waiting.h"

enum { LOOK_EVERY_MS = 5 }; /* between two checks of a condition of another process */

/* The end of the line with which the broker says that it is ready. */
static const char READY[] = " ready\n";

static void path_of(const broker_process_t *broker, const char *name, char out[BROKER_PATH_SIZE])
{
    assert_true(snprintf(out, BROKER_PATH_SIZE, "%s/%s", broker->folder, name) < BROKER_PATH_SIZE);
}

/* Opens a file of the folder, or fails the test. */
static FILE *open_file(const broker_process_t *broker, const char *name, const char *mode)
{
    char path[BROKER_PATH_SIZE];
    path_of(broker, name, path);
    FILE *file = fopen(path, mode);
    if (file == NULL) {
        fail_msg("cannot open %s", path);
        abort(); /* not reached; compilers and analyzers do not know that fail_msg does not return */
    }
    return file;
}

/* Returns the log so far, zero-terminated. Free with free(3). */
static char *read_log(const broker_process_t *broker)
{
    struct stat status;
    FILE *file = open_file(broker, "log", "r");
    assert_int_equal(fstat(fileno(file), &status), 0);
    char *text = malloc((size_t)status.st_size + 1);
    assert_non_null(text);
    text[fread(text, 1, (size_t)status.st_size, file)] = '\0';
    (void)fclose(file);
    return text;
}

static unsigned occurrences(const char *text, const char *part)
{
    unsigned count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + strlen(part), part))
        count++;
    return count;
}

/* Whether the process still runs. WNOWAIT leaves its exit status for a later waitpid. */
static bool runs(const broker_process_t *broker)
{
    siginfo_t info = {0};
    return broker->pid != 0 && waitid(P_PID, (id_t)broker->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
}

void broker_process_wait_log(const broker_process_t *broker, const char *text, unsigned count)
{
    int64_t deadline = clock_monotonic_ms() + TIMEOUT_MS;
    for (;;) {
        bool running = runs(broker);
        char *log = read_log(broker);
        bool found = occurrences(log, text) >= count;
        bool given_up = !found && (!running || clock_monotonic_ms() > deadline);
        if (given_up)
            print_error("--- the broker's log ---\n%s", log);
        free(log);
        if (given_up)
            fail_msg("the broker did not log '%s' %u times", text, count);
        if (found || given_up)
            return;
        (void)poll(NULL, 0, LOOK_EVERY_MS);
    }
}

/* Writes the configuration: where to listen, and the account. */
static void write_config(const broker_process_t *broker)
{
    char hash[crypto_pwhash_STRBYTES];
    assert_true(sodium_init() >= 0);
    assert_int_equal(crypto_pwhash_str_alg(hash, BROKER_PASSWORD, strlen(BROKER_PASSWORD),
                                           crypto_pwhash_OPSLIMIT_MIN, crypto_pwhash_MEMLIMIT_MIN,
                                           crypto_pwhash_ALG_ARGON2ID13),
                     0);
    FILE *file = open_file(broker, "kvbroker.cfg", "w");
    (void)fprintf(file, "listen\n");
    if (broker->ipc)
        (void)fprintf(file, "    requests = \"ipc://%s/requests\"\n    events = \"ipc://%s/events\"\n",
                      broker->folder, broker->folder);
    else
        (void)fprintf(file, "    requests = \"tcp://127.0.0.1:*\"\n    events = \"tcp://127.0.0.1:*\"\n");
    (void)fprintf(file, "managers\n    %s = \"%s\"\n", BROKER_USER, hash);
    assert_int_equal(fclose(file), 0);
}

/* In the child: becomes the broker. Does not return. */
static void run_broker(const broker_process_t *broker, const char *program, pid_t parent)
{
    char log[BROKER_PATH_SIZE];
    char config[BROKER_PATH_SIZE];
    const char *arguments[3 + 2 * BROKER_OPTIONS_MAX + 1] = {program, "--config", config};
    size_t count = 3;
    path_of(broker, "log", log);
    path_of(broker, "kvbroker.cfg", config);
    for (size_t i = 0; broker->options[i] != NULL; i++) {
        arguments[count++] = "--set";
        arguments[count++] = broker->options[i];
    }
    /* The broker must not outlive its test, even if the test is killed. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    int file = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (file < 0 || dup2(file, STDERR_FILENO) < 0)
        _exit(1);
    (void)execv(program, (char *const *)(uintptr_t)arguments);
    _exit(127);
}

/* Returns how often the log says that a broker is ready. Makes an empty log if there is none. */
static unsigned times_ready(const broker_process_t *broker)
{
    (void)fclose(open_file(broker, "log", "a"));
    char *log = read_log(broker);
    unsigned count = occurrences(log, READY);
    free(log);
    return count;
}

/* Reads the endpoint from the newest line that has one. */
static void read_endpoint(broker_process_t *broker)
{
    static const char listening[] = "listening for requests on ";
    char *log = read_log(broker);
    const char *newest = "";
    for (const char *at = strstr(log, listening); at != NULL; at = strstr(at + 1, listening))
        newest = at + strlen(listening);
    (void)snprintf(broker->endpoint, sizeof broker->endpoint, "%.*s", (int)strcspn(newest, "\n"), newest);
    free(log);
    assert_true(broker->endpoint[0] != '\0');
}

/* Starts the process and waits until it is ready. */
static void spawn(broker_process_t *broker)
{
    const char *program = getenv("KVBROKER");
    if (program == NULL) {
        fail_msg("KVBROKER does not name the broker's program; ctest sets it");
        abort(); /* not reached, as above */
    }
    unsigned before = times_ready(broker);
    pid_t parent = getpid();
    broker->pid = fork();
    assert_true(broker->pid >= 0);
    if (broker->pid == 0)
        run_broker(broker, program, parent);
    broker_process_wait_log(broker, READY, before + 1);
    read_endpoint(broker);
}

void broker_process_start(broker_process_t *broker, bool ipc, const char *const *options)
{
    *broker = (broker_process_t){.ipc = ipc};
    for (size_t i = 0; options != NULL && options[i] != NULL; i++) {
        assert_true(i < BROKER_OPTIONS_MAX);
        broker->options[i] = options[i];
    }
    const char *parent = getenv("TMPDIR");
    (void)snprintf(broker->folder, sizeof broker->folder, "%s/kvbroker-XXXXXX",
                   parent != NULL ? parent : "/tmp");
    assert_non_null(mkdtemp(broker->folder));
    write_config(broker);
    spawn(broker);
}

void broker_process_restart(broker_process_t *broker)
{
    assert_int_equal(broker->pid, 0);
    spawn(broker);
}

void broker_process_signal(const broker_process_t *broker, int signal)
{
    assert_true(broker->pid > 0);
    assert_int_equal(kill(broker->pid, signal), 0);
}

void broker_process_kill(broker_process_t *broker)
{
    broker_process_signal(broker, SIGKILL);
    assert_int_equal(waitpid(broker->pid, NULL, 0), broker->pid);
    broker->pid = 0;
}

static void remove_folder(const broker_process_t *broker)
{
    static const char *const names[] = {"log", "kvbroker.cfg", "requests", "events"};
    char path[BROKER_PATH_SIZE];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        path_of(broker, names[i], path);
        (void)unlink(path);
    }
    (void)rmdir(broker->folder);
}

/* Waits for the process to end. Returns false if it does not end within TIMEOUT_MS. */
static bool wait_exit(broker_process_t *broker, int *status)
{
    int64_t deadline = clock_monotonic_ms() + TIMEOUT_MS;
    while (waitpid(broker->pid, status, WNOHANG) == 0) {
        if (clock_monotonic_ms() > deadline)
            return false;
        (void)poll(NULL, 0, LOOK_EVERY_MS);
    }
    broker->pid = 0;
    return true;
}

/* Ends it with SIGTERM; returns its exit status. */
static int terminate(broker_process_t *broker)
{
    int status = 0;
    broker_process_signal(broker, SIGTERM);
    if (!wait_exit(broker, &status)) {
        broker_process_kill(broker);
        fail_msg("the broker did not end within %d ms of SIGTERM", TIMEOUT_MS);
    }
    return status;
}

/* Whether the process ended with exit status 0 and without a sanitizer's report. If not, prints its log. */
static bool is_clean(const broker_process_t *broker, int status)
{
    char *log = read_log(broker);
    bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0 && strstr(log, "Sanitizer") == NULL &&
                 strstr(log, "runtime error:") == NULL;
    if (!clean)
        print_error("--- the broker's log ---\n%s", log);
    free(log);
    return clean;
}

void broker_process_end(broker_process_t *broker)
{
    int status = terminate(broker);
    assert_true(is_clean(broker, status));
}

void broker_process_stop(broker_process_t *broker)
{
    int status = broker->pid != 0 ? terminate(broker) : 0;
    bool clean = is_clean(broker, status);
    remove_folder(broker);
    assert_true(clean);
}
