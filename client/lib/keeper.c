/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the thread, the lock, and the descriptors of an application with an event loop. */
#include "client/lib/keeper.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client/lib/system.h"
#include "common/clock.h"
#include "common/locks.h"

struct keeper {
    keeper_fn *keep;
    void *context; /* given to it */
    pthread_t thread;
    pthread_mutex_t lock; /* protects all that follows, and what `keep` uses */
    pthread_cond_t wake;  /* signalled by `stop`; by a call, if the wait has no limit */
    bool stop;            /* the thread is to end */
    int64_t until_ms;     /* the thread waits until then; INT64_MAX = without limit */
    int epoll;            /* returned by keeper_fd; has `nudge` and `watched`; -1 = none */
    int nudge;            /* eventfd; -1 = none */
    bool nudged;          /* it is readable */
    int watched;          /* the link's descriptor that keeper_fd got last; -1 = none */
};

/* Waits until `until_ms`. Called with the lock held. */
static void wait_turn(keeper_t *keeper)
{
    int64_t until_ms = keeper->until_ms;
    if (until_ms == INT64_MAX || clock_monotonic_ms() < until_ms)
        locks_wait(&keeper->lock, &keeper->wake, until_ms);
}

static void *run(void *argument)
{
    keeper_t *keeper = argument;
    (void)pthread_mutex_lock(&keeper->lock);
    while (!keeper->stop) {
        keeper->until_ms = keeper->keep(keeper->context);
        wait_turn(keeper);
    }
    (void)pthread_mutex_unlock(&keeper->lock);
    return NULL;
}

bool keeper_new(keeper_fn *keep, void *context, keeper_t **keeper)
{
    keeper_t *made = calloc(1, sizeof *made);
    if (made == NULL)
        return false;
    made->keep = keep;
    made->context = context;
    made->epoll = -1;
    made->nudge = -1;
    made->watched = -1;
    if (!locks_init(&made->lock, &made->wake)) {
        free(made);
        return false;
    }
    (void)pthread_mutex_lock(&made->lock);
    if (!system_thread_start(&made->thread, run, made)) {
        (void)pthread_mutex_unlock(&made->lock);
        locks_destroy(&made->lock, &made->wake);
        free(made);
        return false;
    }
    *keeper = made;
    return true;
}

void keeper_destroy(keeper_t **keeper)
{
    keeper_t *gone = *keeper;
    *keeper = NULL;
    if (gone == NULL)
        return;
    (void)pthread_mutex_lock(&gone->lock);
    gone->stop = true;
    (void)pthread_cond_signal(&gone->wake);
    (void)pthread_mutex_unlock(&gone->lock);
    (void)pthread_join(gone->thread, NULL);
    if (gone->epoll >= 0)
        (void)close(gone->epoll);
    if (gone->nudge >= 0)
        (void)close(gone->nudge);
    locks_destroy(&gone->lock, &gone->wake);
    free(gone);
}

void keeper_lock(keeper_t *keeper)
{
    uint64_t nudges;
    (void)pthread_mutex_lock(&keeper->lock);
    if (!keeper->nudged)
        return;
    keeper->nudged = false;
    (void)!read(keeper->nudge, &nudges, sizeof nudges);
}

void keeper_unlock(keeper_t *keeper)
{
    if (keeper->until_ms == INT64_MAX)
        (void)pthread_cond_signal(&keeper->wake);
    (void)pthread_mutex_unlock(&keeper->lock);
}

/* Adds FD to `epoll`, if it is not there yet. False if the system refuses it. */
static bool epoll_add(keeper_t *keeper, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_ctl(keeper->epoll, EPOLL_CTL_ADD, fd, &event) == 0 || errno == EEXIST;
}

static bool epoll_make(keeper_t *keeper)
{
    if (keeper->epoll >= 0)
        return true;
    keeper->epoll = epoll_create1(EPOLL_CLOEXEC);
    keeper->nudge = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (keeper->epoll >= 0 && keeper->nudge >= 0 && epoll_add(keeper, keeper->nudge))
        return true;
    if (keeper->epoll >= 0)
        (void)close(keeper->epoll);
    if (keeper->nudge >= 0)
        (void)close(keeper->nudge);
    keeper->epoll = -1;
    keeper->nudge = -1;
    return false;
}

int keeper_fd(keeper_t *keeper, int fd)
{
    if (!epoll_make(keeper))
        return -1;
    if (keeper->watched >= 0 && keeper->watched != fd)
        (void)epoll_ctl(keeper->epoll, EPOLL_CTL_DEL, keeper->watched, NULL); /* it may be closed already */
    keeper->watched = fd;
    return epoll_add(keeper, fd) ? keeper->epoll : -1;
}

void keeper_nudge(keeper_t *keeper)
{
    uint64_t one = 1;
    if (keeper->epoll < 0 || keeper->nudged)
        return;
    keeper->nudged = true;
    (void)!write(keeper->nudge, &one, sizeof one);
}
