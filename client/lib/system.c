/* SPDX-License-Identifier: MPL-2.0 */
/* Queries the system. Owns the count of forks, and the list of memory that belongs to parent processes. */
#include "client/lib/system.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

bool system_descriptors_free(unsigned count)
{
    int opened[SYSTEM_DESCRIPTORS_MAX];
    unsigned have = 0;
    assert(count <= SYSTEM_DESCRIPTORS_MAX);
    while (have < count && (opened[have] = eventfd(0, EFD_CLOEXEC)) >= 0)
        have++;
    for (unsigned i = 0; i < have; i++)
        (void)close(opened[i]);
    return have == count;
}

void system_signals_block(sigset_t *before)
{
    sigset_t all;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, before); /* cannot fail: the arguments are valid (POSIX) */
}

void system_signals_restore(const sigset_t *before)
{
    (void)pthread_sigmask(SIG_SETMASK, before, NULL);
}

bool system_thread_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
    sigset_t before;
    system_signals_block(&before);
    bool started = pthread_create(thread, NULL, run, argument) == 0;
    system_signals_restore(&before);
    return started;
}

int system_poll_ms(int64_t timeout_ms)
{
    if (timeout_ms <= 0)
        return 0;
    return timeout_ms > INT_MAX ? INT_MAX : (int)timeout_ms;
}

bool system_random(void *out, size_t size)
{
    char *at = out;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno != EINTR)
            return false;
        if (got > 0) {
            at += got;
            size -= (size_t)got;
        }
    }
    return true;
}

/* ---- Forks ------------------------------------------------------------------------------------ */

static unsigned forks; /* changed only in a new process, which has one thread */
static bool counts;    /* pthread_atfork works */

static void count_fork(void)
{
    forks++;
}

static void count_begin(void)
{
    counts = pthread_atfork(NULL, NULL, count_fork) == 0;
}

unsigned system_process(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, count_begin);
    return counts ? forks : (unsigned)getpid(); /* slower: a system call each time */
}

/* ---- Memory of parent processes --------------------------------------------------------------- */

typedef struct remains {
    struct remains *next;
    void *memory;
} remains_t;

/* Lock-free: if a thread of the parent held a lock at a fork, nobody would release it in the child. */
static _Atomic(remains_t *) remains;

void system_abandon(void *memory)
{
    remains_t *made = memory != NULL ? malloc(sizeof *made) : NULL;
    if (made == NULL)
        return;
    made->memory = memory;
    made->next = atomic_load(&remains);
    while (!atomic_compare_exchange_weak(&remains, &made->next, made)) {
    }
}
