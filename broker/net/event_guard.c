/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the guarding thread. It shares the count of calls and the flag `fired` with the guarded thread. */
#include "broker/net/event_guard.h"

#include <assert.h>
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "broker/net/resident.h"
#include "common/clock.h"
#include "common/locks.h"
#include "common/number.h"

enum {
    CALL_MS =
        200, /* CPU time: a call that takes more is a flood; it takes less to remove a large subscriber */
    /* On a busy machine the thread may get little CPU time while libzmq's own thread reads the flood. So a
       call is a flood too if memory grows by CALL_BYTES during it and it takes CALL_BYTES_MS of CPU time. A
       call that only waits takes less; then something else used the memory (argon2id takes 64 MiB and more).
     */
    CALL_BYTES = 96 << 20,
    CALL_BYTES_MS = 20,
    LOOK_MS = 50, /* between two measurements of the guarded thread */
    IDLE_MS = 250 /* the same, while that thread is idle */
};

/* What is measured while a call runs. */
typedef struct measure {
    int64_t spent_ms; /* CPU time of the guarded thread */
    int64_t resident; /* bytes of memory of the process */
} measure_t;

struct event_guard {
    pthread_t thread;
    pthread_mutex_t lock;       /* for `stop` and `resting` */
    pthread_cond_t news;        /* one of them has changed */
    bool stop;                  /* asks the thread to end */
    bool resting;               /* there is nothing to guard; only the guarded thread changes it */
    clockid_t clock;            /* CPU time of the guarded thread */
    atomic_uint_fast64_t calls; /* calls entered plus calls left: odd = in a call */
    atomic_bool fired;          /* connections were closed */
    /* Both are opened at the start: later there may be no descriptor left. */
    int memory;                       /* from resident_open */
    DIR *descriptors;                 /* of the process; NULL = the system does not list them */
    char (*endpoints)[ENDPOINT_SIZE]; /* borrowed */
    unsigned count;                   /* of them */
};

static void connections_shut(const event_guard_t *guard)
{
    const struct dirent *entry;
    if (guard->descriptors != NULL)
        rewinddir(guard->descriptors);
    while (guard->descriptors != NULL && (entry = readdir(guard->descriptors)) != NULL) {
        uint64_t fd;
        if (number_parse(bytes_from_text(entry->d_name), &fd)) /* "." and ".." are none */
            listeners_shut(guard->endpoints, guard->count, (int)fd);
    }
}

/* CPU time that the guarded thread has used, ms; -1 if the system does not say. */
static int64_t spent_ms(const event_guard_t *guard)
{
    struct timespec spent;
    if (clock_gettime(guard->clock, &spent) != 0)
        return -1;
    return (int64_t)spent.tv_sec * 1000 + spent.tv_nsec / 1000000;
}

static measure_t measure(const event_guard_t *guard)
{
    return (measure_t){.spent_ms = spent_ms(guard), .resident = resident_bytes(guard->memory)};
}

/* Whether a call that still runs is a flood. BEGIN was measured when it was first seen. */
static bool is_flood(measure_t begin, measure_t now)
{
    int64_t spent = now.spent_ms - begin.spent_ms;
    int64_t grown = now.resident - begin.resident;
    return spent >= CALL_MS || (spent >= CALL_BYTES_MS && grown >= CALL_BYTES);
}

/* Waits PAUSE ms, and as long as there is nothing to guard. Returns false, at once, if the thread must end.
 */
static bool pause_ms(event_guard_t *guard, int64_t pause)
{
    pthread_mutex_lock(&guard->lock);
    while (guard->resting && !guard->stop)
        pthread_cond_wait(&guard->news, &guard->lock);
    if (!guard->stop)
        locks_wait(&guard->lock, &guard->news, clock_monotonic_ms() + pause);
    bool stop = guard->stop;
    pthread_mutex_unlock(&guard->lock);
    return !stop;
}

static void *run(void *argument)
{
    event_guard_t *guard = argument;
    uint64_t calls = 0;    /* at the last measurement */
    measure_t begin = {0}; /* at the first measurement that saw `calls` */
    measure_t last = {0};  /* the one before `now` */
    measure_t now = {0};
    while (pause_ms(guard, now.spent_ms == last.spent_ms ? IDLE_MS : LOOK_MS)) {
        uint64_t calls_now = atomic_load(&guard->calls);
        last = now;
        now = measure(guard);
        if (calls_now != calls || calls_now % 2 == 0) {
            calls = calls_now;
            begin = now;
        } else if (is_flood(begin, now)) {
            connections_shut(guard);
            atomic_store(&guard->fired, true);
            begin = now;
        }
    }
    return NULL;
}

static void descriptors_close(event_guard_t *guard)
{
    if (guard->descriptors != NULL)
        closedir(guard->descriptors);
    if (guard->memory >= 0)
        (void)close(guard->memory);
}

event_guard_t *event_guard_new(char (*endpoints)[ENDPOINT_SIZE], unsigned count)
{
    event_guard_t *guard = calloc(1, sizeof *guard);
    if (guard == NULL)
        return NULL;
    guard->endpoints = endpoints;
    guard->count = count;
    guard->resting = true;
    guard->memory = resident_open();
    guard->descriptors =
        opendir("/proc/self/fd"); /* trying all numbers up to the limit would take too long */
    bool locked = locks_init(&guard->lock, &guard->news);
    if (locked && pthread_getcpuclockid(pthread_self(), &guard->clock) == 0 &&
        pthread_create(&guard->thread, NULL, run, guard) == 0)
        return guard;
    if (locked)
        locks_destroy(&guard->lock, &guard->news);
    descriptors_close(guard);
    free(guard);
    return NULL;
}

void event_guard_destroy(event_guard_t **self)
{
    event_guard_t *guard = *self;
    if (guard == NULL)
        return;
    pthread_mutex_lock(&guard->lock);
    guard->stop = true;
    pthread_cond_signal(&guard->news);
    pthread_mutex_unlock(&guard->lock);
    pthread_join(guard->thread, NULL);
    locks_destroy(&guard->lock, &guard->news);
    descriptors_close(guard);
    free(guard);
    *self = NULL;
}

void event_guard_rest(event_guard_t *guard, bool rest)
{
    if (guard->resting == rest)
        return;
    pthread_mutex_lock(&guard->lock);
    guard->resting = rest;
    pthread_cond_signal(&guard->news);
    pthread_mutex_unlock(&guard->lock);
}

static void calls_count(event_guard_t *guard, bool begun)
{
    uint64_t calls = atomic_load_explicit(&guard->calls, memory_order_relaxed);
    assert((calls % 2 == 0) == begun);
    atomic_store_explicit(&guard->calls, calls + 1, memory_order_relaxed);
}

void event_guard_enter(event_guard_t *guard)
{
    calls_count(guard, true);
}

void event_guard_leave(event_guard_t *guard)
{
    calls_count(guard, false);
}

bool event_guard_fired(event_guard_t *guard)
{
    return atomic_load_explicit(&guard->fired, memory_order_relaxed) && atomic_exchange(&guard->fired, false);
}
