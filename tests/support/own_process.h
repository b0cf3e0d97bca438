/* SPDX-License-Identifier: MPL-2.0 */
/* For tests that inspect or change their own process: threads, descriptors, an interval timer. */
#ifndef KV_TESTS_SUPPORT_OWN_PROCESS_H
#define KV_TESTS_SUPPORT_OWN_PROCESS_H

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/support/waiting.h"

/* Returns the number of entries in a folder of /proc/self. */
static inline unsigned own_entries(const char *path)
{
    unsigned count = 0;
    DIR *folder = opendir(path);
    if (folder == NULL)
        abort();
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        count += entry->d_name[0] != '.';
    (void)closedir(folder);
    return count;
}

static inline unsigned own_threads(void)
{
    return own_entries("/proc/self/task");
}

/* Waits until there are MOST threads or fewer, and returns how many. A thread that was joined is counted for
 * a moment longer: the kernel wakes who waits for it before it takes it off the list of threads (clone(2),
 * CLONE_CHILD_CLEARTID). */
static inline unsigned own_threads_at_most(unsigned most)
{
    int64_t until_ms = clock_monotonic_ms() + TIMEOUT_MS;
    unsigned count;
    while ((count = own_threads()) > most && clock_monotonic_ms() < until_ms)
        (void)sched_yield();
    return count;
}

/* Does not count the descriptor that reads the folder. */
static inline unsigned own_descriptors(void)
{
    return own_entries("/proc/self/fd") - 1;
}

static atomic_uint own_alarm_count; /* how often the handler ran */

static inline void own_on_alarm(int number)
{
    (void)number;
    atomic_fetch_add(&own_alarm_count, 1);
}

/* Sends SIGALRM every INTERVAL_US until own_alarms_end. The handler makes system calls return EINTR. Writes
 * the old action to BEFORE. */
static inline void own_alarms_begin(long interval_us, struct sigaction *before)
{
    struct sigaction action = {.sa_handler = own_on_alarm};
    struct itimerval each = {.it_value.tv_usec = interval_us, .it_interval.tv_usec = interval_us};
    atomic_store(&own_alarm_count, 0);
    if (sigaction(SIGALRM, &action, before) != 0 || setitimer(ITIMER_REAL, &each, NULL) != 0)
        abort();
}

/* An `interrupted` callback, whose context counts its calls: stops at the third. */
static inline bool own_stop_at_third(void *context)
{
    unsigned *asked = context;
    return ++*asked >= 3;
}

static inline void own_alarms_end(const struct sigaction *before)
{
    struct itimerval none = {0};
    if (setitimer(ITIMER_REAL, &none, NULL) != 0 || sigaction(SIGALRM, before, NULL) != 0)
        abort();
}

#endif
