/* SPDX-License-Identifier: MPL-2.0 */
/* Lines of the log. A pipe takes the place of standard error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "tests/support/volume.h"

enum {
    LINE_MAX_BYTES = 2000, /* log.h */
    THREADS = 4,
    LINES = 500, /* of each thread; all of them fit in the pipe */
    LINES_VALGRIND = 50,
    OUTPUT_SIZE = 1 << 20
};

typedef struct fixture {
    int reader; /* the end of the pipe that a test reads, without blocking */
    int before; /* the original standard error */
    char output[OUTPUT_SIZE];
} fixture_t;

/* Returns all that was logged and not read yet, zero-terminated. */
static const char *output_read(fixture_t *fixture)
{
    size_t size = 0;
    for (ssize_t got; (got = read(fixture->reader, fixture->output + size, OUTPUT_SIZE - 1 - size)) > 0;)
        size += (size_t)got;
    fixture->output[size] = '\0';
    return fixture->output;
}

static void matches(const char *text, const char *pattern)
{
    regex_t regex;
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    int found = regexec(&regex, text, 0, NULL, 0);
    regfree(&regex);
    if (found != 0)
        fail_msg("\"%s\" does not match %s", text, pattern);
}

#define TIME "^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\.[0-9]{3}Z "

static void line__each_level__has_time_level_and_text(void **state)
{
    log_info("%s connected", "lamp");
    matches(output_read(*state), TIME "info    lamp connected\n$");
    log_warning("few %d", 7);
    matches(output_read(*state), TIME "warning few 7\n$");
    log_error("gone");
    matches(output_read(*state), TIME "error   gone\n$");
}

static void line__what_would_break_or_steer_it__is_escaped(void **state)
{
    log_info("a\nb\r\n%s \"q\"", "\x1b[31m\xff");
    matches(output_read(*state), TIME "info    a\\\\nb\\\\r\\\\n\\\\x1b\\[31m\\\\xff \"q\"\n$");
}

static void line__empty__is_still_a_line(void **state)
{
    log_info("%s", "");
    matches(output_read(*state), TIME "info    \n$");
}

static void line__too_long__is_cut_to_its_bound(void **state)
{
    char text[2 * LINE_MAX_BYTES];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    log_info("%s", text);
    const char *line = output_read(*state);
    assert_int_equal(strlen(line), LINE_MAX_BYTES);
    assert_int_equal(line[LINE_MAX_BYTES - 1], '\n');
}

static void *lines_write(void *number)
{
    for (size_t i = volume(LINES, LINES_VALGRIND); i > 0; i--)
        log_info("thread %u", *(unsigned *)number);
    return NULL;
}

static void lines__of_several_threads__do_not_mix(void **state)
{
    fixture_t *fixture = *state;
    pthread_t threads[THREADS];
    unsigned numbers[THREADS];
    unsigned counts[THREADS] = {0};
    assert_true(fcntl(fixture->reader, F_SETPIPE_SZ, OUTPUT_SIZE) >= THREADS * LINES * 60);
    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, lines_write, &numbers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    unsigned lines = 0;
    char *rest = NULL;
    (void)output_read(fixture);
    for (char *line = strtok_r(fixture->output, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        matches(line, TIME "info    thread [0-3]$");
        counts[line[strlen(line) - 1] - '0']++;
        lines++;
    }
    assert_int_equal(lines, THREADS * volume(LINES, LINES_VALGRIND));
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(counts[i], volume(LINES, LINES_VALGRIND));
}

static void reader__stuck__does_not_stop_the_writer_and_learns_what_was_lost(void **state)
{
    fixture_t *fixture = *state;
    unsigned written = (unsigned)volume(100000, 5000); /* more than fits in the pipe */
    for (unsigned i = 0; i < written; i++)
        log_info("line");
    unsigned taken = 0;
    for (const char *at = output_read(fixture); (at = strchr(at, '\n')) != NULL; at++)
        taken++;
    assert_in_range(taken, 1, written - 1);
    log_info("again");
    char pattern[200];
    snprintf(pattern, sizeof pattern,
             TIME "warning %u lines of this log were dropped[^\n]*\n[^\n]* info    again\n$",
             written - taken);
    matches(output_read(fixture), pattern);
}

static void memory__refused_many_times__has_one_line(void **state)
{
    fixture_t *fixture = *state;
    for (int i = 0; i < 1000; i++)
        log_memory("a request is refused");
    matches(output_read(fixture), TIME "error   out of memory: a request is refused; [^\n]*\n$");
}

static int set_up(void **state)
{
    int ends[2];
    fixture_t *fixture = calloc(1, sizeof *fixture);
    *state = fixture;
    if (fixture == NULL || pipe(ends) != 0)
        return -1;
    fixture->reader = ends[0];
    fixture->before = dup(STDERR_FILENO);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *fixture = *state;
    dup2(fixture->before, STDERR_FILENO);
    close(fixture->before);
    close(fixture->reader);
    free(fixture);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(line__each_level__has_time_level_and_text),
        TEST(line__what_would_break_or_steer_it__is_escaped),
        TEST(line__empty__is_still_a_line),
        TEST(line__too_long__is_cut_to_its_bound),
        TEST(lines__of_several_threads__do_not_mix),
        TEST(memory__refused_many_times__has_one_line),
        TEST(reader__stuck__does_not_stop_the_writer_and_learns_what_was_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
