/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the thread of a watcher: starts it, runs its steps one after the other, ends it. Only `stop`, `wake`
 * and `counts` are shared with other threads. */
#include "client/watch/watcher.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client/lib/connection.h"
#include "client/lib/sized.h"
#include "client/lib/system.h"
#include "client/watch/watcher_steps.h"

static void *run(void *argument)
{
    watcher_t *watcher = argument;
    while (!watcher_stopping(watcher) && watcher->final == KVZMQ_OK) {
        watcher_step(watcher);
        (void)pthread_mutex_lock(&watcher->counts_lock);
        follow_counts(watcher->follow, &watcher->counts);
        (void)pthread_mutex_unlock(&watcher->counts_lock);
    }
    event_link_destroy(&watcher->events);
    kvzmq_page_destroy(&watcher->page);
    (void)kvzmq_bye(watcher->conn); /* so that managers see "bye", not "lost" */
    kvzmq_destroy(&watcher->conn);
    return NULL;
}

/* Makes the request connection. No call-backs: they belong to the application's threads. No repeated attempts
 * to connect: follow.h decides when to try again. */
static kvzmq_t *connection_new(const kvzmq_options_t *given, const char *problem)
{
    if (problem != NULL)
        return kvzmq_new(given); /* each call reports the problem */
    kvzmq_options_t options = *given;
    options.connect_once = true;
    options.keep_alive = false; /* the thread does it */
    options.notice = NULL;
    options.interrupted = NULL;
    return kvzmq_new(&options);
}

static void watcher_free(watcher_t *watcher)
{
    event_link_destroy(&watcher->events);
    kvzmq_destroy(&watcher->conn);
    follow_destroy(&watcher->follow);
    if (watcher->wake >= 0)
        (void)close(watcher->wake);
    (void)pthread_mutex_destroy(&watcher->counts_lock);
    free(watcher);
}

bool watcher_foreign(const watcher_t *watcher)
{
    return watcher->process != system_process();
}

void watcher_abandon(watcher_t *watcher)
{
    if (watcher->conn != NULL)
        connection_abandon(watcher->conn);
    (void)close(watcher->wake);
}

bool watcher_new(const watcher_config_t *config, watcher_t **watcher)
{
    watcher_t *made = calloc(1, sizeof *made);
    *watcher = made;
    if (made == NULL)
        return false;
    kvzmq_options_t given;
    kvzmq_options_init(&given);
    const char *problem =
        config->connection != NULL ? sized_take(&given, sizeof given, config->connection) : NULL;
    (void)pthread_mutex_init(&made->counts_lock, NULL);
    made->config = *config;
    made->process = system_process();
    made->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    made->anonymous = given.user == NULL;
    made->conn = connection_new(problem == NULL ? &given : config->connection, problem);
    made->follow = follow_new(&config->follow);
    bool whole = made->wake >= 0 && made->conn != NULL && made->follow != NULL;
    if (whole && system_thread_start(&made->thread, run, made))
        return true;
    watcher_free(made);
    *watcher = NULL;
    return false;
}

/* Asks the thread to end. */
static void stop(watcher_t *watcher)
{
    uint64_t one = 1;
    atomic_store(&watcher->stop, true);
    (void)!write(watcher->wake, &one, sizeof one);
}

void watcher_destroy(watcher_t **watcher)
{
    watcher_t *gone = *watcher;
    if (gone == NULL)
        return;
    stop(gone);
    (void)pthread_join(gone->thread, NULL);
    *watcher = NULL;
    watcher_free(gone);
}

void watcher_counts(watcher_t *watcher, kvzmq_watch_counts_t *counts)
{
    (void)pthread_mutex_lock(&watcher->counts_lock);
    *counts = watcher->counts;
    (void)pthread_mutex_unlock(&watcher->counts_lock);
}
