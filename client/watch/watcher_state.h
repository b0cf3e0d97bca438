/* SPDX-License-Identifier: MPL-2.0 */
/* A watcher, and what all its parts need: whether to end, how long to wait, and whether the session lives.
 * Private to watcher*.c. */
#ifndef KV_CLIENT_WATCH_WATCHER_STATE_H
#define KV_CLIENT_WATCH_WATCHER_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "client/watch/event_link.h"
#include "client/watch/follow.h"
#include "client/watch/watcher_config.h"

struct watcher {
    watcher_config_t config; /* pointers to the caller's memory are not used after watcher_new */
    pthread_t thread;
    unsigned process;            /* process of the thread: system_process */
    atomic_bool stop;            /* the thread is to end */
    int wake;                    /* eventfd, readable when `stop` is set */
    kvzmq_t *conn;               /* for requests */
    event_link_t *events;        /* NULL = none yet */
    follow_t *follow;            /* the state machine */
    kvzmq_page_t *page;          /* the last listed page; NULL = none */
    bool anonymous;              /* the options have no account */
    int64_t kept_ms;             /* when the broker last answered, monotonic */
    kvzmq_status_t refused;      /* why the value of the last event could not be read; KVZMQ_OK = it could */
    kvzmq_status_t final;        /* why the thread ends; KVZMQ_OK = it runs */
    pthread_mutex_t counts_lock; /* protects `counts` */
    kvzmq_watch_counts_t counts; /* after the last step */
};

/* Whether the thread is to end. */
bool watcher_stopping(watcher_t *watcher);
/* Waits TIMEOUT_MS, or until the thread is to end. */
void watcher_pause(const watcher_t *watcher, int64_t timeout_ms);
/* The interval between pings. */
int watcher_keep_ms(const watcher_t *watcher);
/* The broker has just answered. Returns whether its answer is still valid. */
bool watcher_answered(watcher_t *watcher);

#endif
