/* SPDX-License-Identifier: MPL-2.0 */
/* A watch: the queue of events between the watcher's thread and the application. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client/lib/sized.h"
#include "client/lib/system.h"
#include "client/watch/event.h"
#include "client/watch/watcher.h"
#include "common/clock.h"
#include "common/locks.h"

enum {
    ERROR_SIZE = 512,    /* bytes of an error text, with its terminating zero */
    ROOM_EVENTS_PART = 2 /* a full queue accepts events again when it is at most 1/2 full */
};

struct kvzmq_watch {
    watcher_t *watcher;                /* NULL if the options are not valid */
    event_copy_t *taken;               /* owned; handed out last, used only by the application's thread */
    kvzmq_interrupted_fn *interrupted; /* of the connection's options; NULL = none */
    void *context;                     /* for `interrupted` */
    int fd;                            /* eventfd: readable while kvzmq_watch_next does not have to wait */
    unsigned limit;                    /* most events in the queue */
    pthread_mutex_t lock;              /* protects all that follows */
    pthread_cond_t room;               /* signals room in the queue, or `closing` */
    event_copy_t *oldest;              /* the queue, owned */
    event_copy_t *newest;
    unsigned count;         /* events in it */
    size_t bytes;           /* of memory in it */
    bool full;              /* the last event found no room */
    bool closing;           /* the watch is being destroyed */
    kvzmq_status_t final;   /* why there will be no more events; KVZMQ_OK = there will */
    char error[ERROR_SIZE]; /* text about `final` */
};

/* ---- The watcher's thread ---------------------------------------------------------------------- */

static void signal_set(const kvzmq_watch_t *watch)
{
    uint64_t one = 1;
    (void)!write(watch->fd, &one, sizeof one);
}

static bool has_room(const kvzmq_watch_t *watch, unsigned part)
{
    return watch->count == 0 || (watch->count < watch->limit / part + 1 && watch->count < watch->limit &&
                                 watch->bytes < KVZMQ_WATCH_QUEUE_BYTES / part);
}

/* Waits until the queue has room for an event, at most until UNTIL_MS. After it was full, a large part must
 * be free first: otherwise the two threads would switch for each event. Called with the lock held. */
static bool wait_room(kvzmq_watch_t *watch, int64_t until_ms)
{
    watch->full = !has_room(watch, watch->full ? ROOM_EVENTS_PART : 1);
    while (watch->full && !watch->closing && clock_monotonic_ms() < until_ms) {
        locks_wait(&watch->lock, &watch->room, until_ms);
        watch->full = !has_room(watch, ROOM_EVENTS_PART);
    }
    return !watch->full;
}

static watcher_taking_t watch_tell(void *context, const kvzmq_event_t *event, int64_t until_ms)
{
    kvzmq_watch_t *watch = context;
    (void)pthread_mutex_lock(&watch->lock);
    bool room = wait_room(watch, until_ms); /* still true after the unlock: only this thread adds events */
    (void)pthread_mutex_unlock(&watch->lock);
    if (!room)
        return WATCHER_FULL;
    event_copy_t *copy = event_copy_new(event);
    if (copy == NULL)
        return WATCHER_REFUSED;
    (void)pthread_mutex_lock(&watch->lock);
    if (watch->oldest == NULL) {
        watch->oldest = copy;
        signal_set(watch);
    } else {
        watch->newest->next = copy;
    }
    watch->newest = copy;
    watch->count++;
    watch->bytes += copy->size;
    (void)pthread_mutex_unlock(&watch->lock);
    return WATCHER_TAKEN;
}

static void watch_ended(void *context, kvzmq_status_t status, const char *text)
{
    kvzmq_watch_t *watch = context;
    (void)pthread_mutex_lock(&watch->lock);
    (void)snprintf(watch->error, sizeof watch->error, "%s", text);
    watch->final = status;
    signal_set(watch);
    (void)pthread_mutex_unlock(&watch->lock);
}

/* ---- The application's thread ------------------------------------------------------------------ */

static follow_config_t config_of(const kvzmq_watch_options_t *options)
{
    return (follow_config_t){.client = options->client,
                             .prefix = options->prefix,
                             .initial = options->initial,
                             .resume = options->resume,
                             .earliest = options->earliest,
                             .since = options->since};
}

static const char *find_problem(const kvzmq_watch_options_t *options)
{
    if (options->resume && memchr(options->since.epoch, 0, sizeof options->since.epoch) == NULL)
        return "watch options: the epoch in since is not zero-terminated";
    if (options->receive_hwm < 0)
        return "watch options: receive_hwm is below 0";
    follow_config_t config = config_of(options);
    return follow_config_problem(&config);
}

static bool start(kvzmq_watch_t *watch, const kvzmq_options_t *connection,
                  const kvzmq_watch_options_t *options)
{
    kvzmq_options_t given = {0};
    watcher_config_t config = {.connection = connection,
                               .follow = config_of(options),
                               .large_values = options->large_values,
                               .receive_hwm = options->receive_hwm,
                               .tell = watch_tell,
                               .ended = watch_ended,
                               .context = watch};
    watch->limit = options->queue > 0 ? options->queue : KVZMQ_WATCH_QUEUE_DEFAULT;
    if (connection != NULL && sized_take(&given, sizeof given, connection) == NULL) {
        watch->interrupted = given.interrupted;
        watch->context = given.context;
    }
    return watcher_new(&config, &watch->watcher);
}

kvzmq_watch_t *kvzmq_watch_new(const kvzmq_options_t *connection, const kvzmq_watch_options_t *watch)
{
    kvzmq_watch_options_t options;
    kvzmq_watch_options_init(&options);
    const char *problem = watch != NULL ? sized_take(&options, sizeof options, watch) : NULL;
    if (problem == NULL)
        problem = find_problem(&options);
    kvzmq_watch_t *made = calloc(1, sizeof *made);
    if (made == NULL)
        return NULL;
    if (!locks_init(&made->lock, &made->room)) {
        free(made);
        return NULL;
    }
    made->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    bool whole = made->fd >= 0;
    if (whole && problem != NULL)
        watch_ended(made, KVZMQ_INVALID_ARGUMENT, problem);
    else if (whole)
        whole = start(made, connection, &options);
    if (!whole)
        kvzmq_watch_destroy(&made);
    return made;
}

/* Whether the watch belongs to a parent process. Its lock may then be held for ever, and its queue half
 * changed. */
static bool is_foreign(const kvzmq_watch_t *watch)
{
    return watch->watcher != NULL && watcher_foreign(watch->watcher);
}

/* In the child of a fork: closes the child's copies of descriptors, and touches nothing else. */
static void abandon(kvzmq_watch_t *watch)
{
    watcher_abandon(watch->watcher);
    (void)close(watch->fd);
    system_abandon(watch);
}

void kvzmq_watch_destroy(kvzmq_watch_t **watch)
{
    kvzmq_watch_t *gone = *watch;
    *watch = NULL;
    if (gone == NULL)
        return;
    if (is_foreign(gone)) {
        abandon(gone);
        return;
    }
    (void)pthread_mutex_lock(&gone->lock);
    gone->closing = true;
    (void)pthread_cond_broadcast(&gone->room);
    (void)pthread_mutex_unlock(&gone->lock);
    watcher_destroy(&gone->watcher);
    while (gone->oldest != NULL) {
        event_copy_t *next = gone->oldest->next;
        free(gone->oldest);
        gone->oldest = next;
    }
    free(gone->taken);
    if (gone->fd >= 0)
        (void)close(gone->fd);
    locks_destroy(&gone->lock, &gone->room);
    free(gone);
}

/* Takes the oldest event from the queue. KVZMQ_TIMEOUT: there is none now. Any other failure: the watch has
 * ended for this reason. */
static kvzmq_status_t pop(kvzmq_watch_t *watch)
{
    kvzmq_status_t status = KVZMQ_OK;
    uint64_t signalled;
    free(watch->taken);
    watch->taken = NULL;
    (void)pthread_mutex_lock(&watch->lock);
    if (watch->oldest != NULL) {
        watch->taken = watch->oldest;
        watch->oldest = watch->taken->next;
        watch->count--;
        watch->bytes -= watch->taken->size;
        if (watch->oldest == NULL && watch->final == KVZMQ_OK)
            (void)!read(watch->fd, &signalled, sizeof signalled);
        if (has_room(watch, ROOM_EVENTS_PART))
            (void)pthread_cond_signal(&watch->room);
    } else {
        status = watch->final != KVZMQ_OK ? watch->final : KVZMQ_TIMEOUT;
    }
    (void)pthread_mutex_unlock(&watch->lock);
    return status;
}

static bool is_interrupted(const kvzmq_watch_t *watch)
{
    return watch->interrupted != NULL && watch->interrupted(watch->context);
}

kvzmq_status_t kvzmq_watch_next_sized(kvzmq_watch_t *watch, int timeout_ms, kvzmq_event_t *event)
{
    if (watch == NULL)
        return KVZMQ_NO_MEMORY;
    if (!sized_is_set(event))
        return KVZMQ_INVALID_ARGUMENT;
    if (is_foreign(watch))
        return KVZMQ_FAILED_PRECONDITION;
    int64_t deadline = timeout_ms < 0 ? INT64_MAX : clock_monotonic_ms() + timeout_ms;
    for (;;) {
        kvzmq_status_t status = pop(watch);
        if (status == KVZMQ_OK)
            sized_give(event, &watch->taken->event, sizeof watch->taken->event);
        if (status != KVZMQ_TIMEOUT)
            return status;
        int64_t left_ms = timeout_ms < 0 ? -1 : deadline - clock_monotonic_ms();
        if (timeout_ms >= 0 && left_ms <= 0)
            return KVZMQ_TIMEOUT;
        struct pollfd ready = {.fd = watch->fd, .events = POLLIN};
        if (is_interrupted(watch)) /* a signal may have come between two calls */
            return KVZMQ_INTERRUPTED;
        if (poll(&ready, 1, (int)left_ms) < 0 && errno == EINTR && is_interrupted(watch))
            return KVZMQ_INTERRUPTED;
    }
}

const char *kvzmq_watch_error(const kvzmq_watch_t *watch)
{
    if (watch == NULL)
        return "memory, a thread or descriptors were refused for the watch";
    if (is_foreign(watch))
        return "the watch belongs to the process that made it: make a new one in the child of a fork";
    return watch->error;
}

int kvzmq_watch_fd(const kvzmq_watch_t *watch)
{
    return is_foreign(watch) ? -1 : watch->fd;
}

void kvzmq_watch_counts_sized(kvzmq_watch_t *watch, kvzmq_watch_counts_t *counts)
{
    kvzmq_watch_counts_t own = {0};
    if (watch->watcher != NULL && !is_foreign(watch))
        watcher_counts(watch->watcher, &own);
    sized_give(counts, &own, sizeof own);
}
