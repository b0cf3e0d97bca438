/* SPDX-License-Identifier: MPL-2.0 */
/* Mirrors: a copy of stores that a watcher thread writes and any thread reads. Owns the lock: what it calls
 * knows no threads. */
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/lib/link.h"
#include "client/lib/page.h"
#include "client/lib/sized.h"
#include "client/lib/system.h"
#include "client/lib/value.h"
#include "client/slice.h"
#include "client/watch/mirror_page.h"
#include "client/watch/mirror_probe.h"
#include "client/watch/watcher.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/locks.h"

enum { ERROR_SIZE = 512 }; /* bytes of an error text, with its terminating zero */

struct kvzmq_mirror {
    watcher_t *watcher;        /* NULL if the arguments are not valid */
    char *client;              /* NULL = all */
    buffer_t prefix;           /* of the keys that are mirrored; empty = all */
    pthread_mutex_t lock;      /* protects all that follows */
    pthread_cond_t changed;    /* signals a new position or state */
    mirror_store_t *store;     /* the copy */
    bool ready;                /* the copy is complete */
    bool connected;            /* no LOST without AGAIN */
    kvzmq_position_t position; /* every change up to here is in the copy */
    uint64_t resets;           /* times that the copy was rebuilt */
    probe_t probe;             /* for kvzmq_mirror_verify */
    kvzmq_status_t failure;    /* why the mirror has ended; KVZMQ_OK = it has not */
    char error[ERROR_SIZE];    /* text about `failure` */
};

/* ---- The watcher's thread: all with the lock held ------------------------------------------------ */

static void set_position(kvzmq_mirror_t *mirror, const kvzmq_event_t *event)
{
    mirror->position.seq = event->seq;
    if (event->kind == KVZMQ_EVENT_READY)
        (void)snprintf(mirror->position.epoch, sizeof mirror->position.epoch, "%.*s", (int)event->epoch.size,
                       event->epoch.data);
}

static void reset(kvzmq_mirror_t *mirror)
{
    mirror_store_clear(mirror->store);
    mirror->ready = false;
    mirror->position = (kvzmq_position_t){0};
    mirror->resets++;
    probe_break(&mirror->probe);
}

static bool put(kvzmq_mirror_t *mirror, const kvzmq_event_t *event)
{
    mirror_entry_t entry = {.key = slice_bytes(event->key),
                            .value = slice_bytes(event->value),
                            .binary = event->value.binary,
                            .has_value = event->has_value,
                            .revision = event->revision,
                            .due_ms = INT64_MAX};
    int64_t now_ms = clock_monotonic_ms();
    if (event->ttl_ms >= 0 && event->ttl_ms < INT64_MAX - now_ms)
        entry.due_ms = now_ms + event->ttl_ms;
    return mirror_store_put(mirror->store, slice_bytes(event->client), &entry);
}

/* Applies EVENT to the copy. False if memory is refused. */
static bool apply(kvzmq_mirror_t *mirror, const kvzmq_event_t *event)
{
    switch (event->kind) {
    case KVZMQ_EVENT_ENTRY:
    case KVZMQ_EVENT_PUT:
        return put(mirror, event);
    case KVZMQ_EVENT_DEL:
    case KVZMQ_EVENT_EXPIRE:
        mirror_store_del(mirror->store, slice_bytes(event->client), slice_bytes(event->key));
        return true;
    case KVZMQ_EVENT_DROP:
        mirror_store_drop(mirror->store, slice_bytes(event->client));
        return true;
    case KVZMQ_EVENT_RESET:
        reset(mirror);
        return true;
    case KVZMQ_EVENT_READY:
        mirror->ready = true;
        mirror->connected = true;
        return true;
    case KVZMQ_EVENT_LOST:
    case KVZMQ_EVENT_AGAIN:
        mirror->connected = event->kind == KVZMQ_EVENT_AGAIN;
        return true;
    default:
        return true; /* not about entries */
    }
}

static watcher_taking_t mirror_tell(void *context, const kvzmq_event_t *event, int64_t until_ms)
{
    (void)until_ms; /* there is always room */
    kvzmq_mirror_t *mirror = context;
    (void)pthread_mutex_lock(&mirror->lock);
    bool taken = apply(mirror, event);
    if (taken && mirror->ready && event->seq > 0) {
        set_position(mirror, event);
        probe_change(&mirror->probe, mirror->store, slice_bytes(event->client), event->seq);
    }
    (void)pthread_cond_broadcast(&mirror->changed);
    (void)pthread_mutex_unlock(&mirror->lock);
    return taken ? WATCHER_TAKEN : WATCHER_REFUSED;
}

static void mirror_ended(void *context, kvzmq_status_t status, const char *text)
{
    kvzmq_mirror_t *mirror = context;
    (void)pthread_mutex_lock(&mirror->lock);
    (void)snprintf(mirror->error, sizeof mirror->error, "%s", text);
    mirror->failure = status;
    mirror->connected = false;
    (void)pthread_cond_broadcast(&mirror->changed);
    (void)pthread_mutex_unlock(&mirror->lock);
}

/* ---- Making and ending --------------------------------------------------------------------------- */

kvzmq_mirror_t *kvzmq_mirror_new(const kvzmq_options_t *connection, const char *client, kvzmq_slice_t prefix)
{
    kvzmq_mirror_t *made = calloc(1, sizeof *made);
    if (made == NULL)
        return NULL;
    watcher_config_t config = {.connection = connection,
                               .follow = {.client = client, .prefix = prefix, .initial = true},
                               .large_values = true,
                               .tell = mirror_tell,
                               .ended = mirror_ended,
                               .context = made};
    if (!locks_init(&made->lock, &made->changed)) {
        free(made);
        return NULL;
    }
    made->store = mirror_store_new();
    made->client = client != NULL ? strdup(client) : NULL;
    const char *problem = follow_config_problem(&config.follow);
    buffer_init(&made->prefix, LIMIT_KEY_MAX);
    if (problem == NULL)
        buffer_append(&made->prefix, prefix.data, prefix.size);
    bool whole = made->store != NULL && !made->prefix.failed && (client == NULL || made->client != NULL);
    if (whole && problem != NULL)
        mirror_ended(made, KVZMQ_INVALID_ARGUMENT, problem);
    else if (whole)
        whole = watcher_new(&config, &made->watcher);
    if (!whole)
        kvzmq_mirror_destroy(&made);
    return made;
}

/* Whether the mirror belongs to a parent process. Its lock may then be held for ever, and its copy half
 * changed. */
static bool is_foreign(const kvzmq_mirror_t *mirror)
{
    return mirror->watcher != NULL && watcher_foreign(mirror->watcher);
}

void kvzmq_mirror_destroy(kvzmq_mirror_t **mirror)
{
    kvzmq_mirror_t *gone = *mirror;
    *mirror = NULL;
    if (gone == NULL)
        return;
    if (is_foreign(gone)) {
        watcher_abandon(gone->watcher);
        system_abandon(gone);
        return;
    }
    watcher_destroy(&gone->watcher);
    mirror_store_destroy(&gone->store);
    locks_destroy(&gone->lock, &gone->changed);
    probe_release(&gone->probe);
    buffer_release(&gone->prefix);
    free(gone->client);
    free(gone);
}

/* ---- Reading ------------------------------------------------------------------------------------- */

void kvzmq_mirror_state_sized(kvzmq_mirror_t *mirror, kvzmq_mirror_state_t *state)
{
    if (is_foreign(mirror)) {
        kvzmq_mirror_state_t ended = {.failure = KVZMQ_FAILED_PRECONDITION};
        sized_give(state, &ended, sizeof ended);
        return;
    }
    (void)pthread_mutex_lock(&mirror->lock);
    kvzmq_mirror_state_t own = {.ready = mirror->ready,
                                .connected = mirror->connected,
                                .position = mirror->position,
                                .resets = mirror->resets,
                                .failure = mirror->failure};
    mirror_store_totals(mirror->store, &own.stores, &own.keys);
    (void)pthread_mutex_unlock(&mirror->lock);
    sized_give(state, &own, sizeof own);
}

const char *kvzmq_mirror_error(kvzmq_mirror_t *mirror)
{
    if (mirror == NULL)
        return "memory, a thread or descriptors were refused for the mirror";
    if (is_foreign(mirror))
        return "the mirror belongs to the process that made it: make a new one in the child of a fork";
    (void)pthread_mutex_lock(&mirror->lock); /* the text is written at most once */
    const char *error = mirror->error;
    (void)pthread_mutex_unlock(&mirror->lock);
    return error;
}

/* Waits until the copy is ready and has SEQ. Called with the lock held. DEADLINE: INT64_MAX = none. */
static kvzmq_status_t wait_seq(kvzmq_mirror_t *mirror, uint64_t seq, int64_t deadline)
{
    while (mirror->failure == KVZMQ_OK && (!mirror->ready || mirror->position.seq < seq)) {
        if (clock_monotonic_ms() >= deadline)
            return KVZMQ_TIMEOUT;
        locks_wait(&mirror->lock, &mirror->changed, deadline);
    }
    return mirror->failure;
}

static int64_t deadline_of(int timeout_ms)
{
    return timeout_ms < 0 ? INT64_MAX : clock_monotonic_ms() + timeout_ms;
}

kvzmq_status_t kvzmq_mirror_wait(kvzmq_mirror_t *mirror, uint64_t seq, int timeout_ms)
{
    if (mirror == NULL)
        return KVZMQ_NO_MEMORY;
    if (is_foreign(mirror))
        return KVZMQ_FAILED_PRECONDITION;
    (void)pthread_mutex_lock(&mirror->lock);
    kvzmq_status_t status = wait_seq(mirror, seq, deadline_of(timeout_ms));
    (void)pthread_mutex_unlock(&mirror->lock);
    return status;
}

/* Replaces a NULL *STORE by the mirrored one. False if *STORE is not mirrored. */
static bool store_choose(const kvzmq_mirror_t *mirror, const char **store)
{
    if (*store == NULL)
        *store = mirror->client;
    return *store != NULL && (mirror->client == NULL || strcmp(*store, mirror->client) == 0);
}

/* Begins a reading call. On KVZMQ_OK the lock is held. */
static kvzmq_status_t begin(kvzmq_mirror_t *mirror)
{
    if (is_foreign(mirror))
        return KVZMQ_FAILED_PRECONDITION;
    (void)pthread_mutex_lock(&mirror->lock);
    kvzmq_status_t status = mirror->failure;
    if (status == KVZMQ_OK && !mirror->ready)
        status = KVZMQ_UNAVAILABLE;
    if (status != KVZMQ_OK)
        (void)pthread_mutex_unlock(&mirror->lock);
    return status;
}

kvzmq_status_t kvzmq_mirror_get(kvzmq_mirror_t *mirror, const char *store, kvzmq_slice_t key,
                                kvzmq_value_t *value, uint64_t *revision)
{
    mirror_entry_t entry;
    if (!store_choose(mirror, &store) || !bytes_starts_with(slice_bytes(key), buffer_bytes(&mirror->prefix)))
        return KVZMQ_INVALID_ARGUMENT;
    kvzmq_status_t status = begin(mirror);
    if (status != KVZMQ_OK)
        return status;
    if (!mirror_store_get(mirror->store, bytes_from_text(store), slice_bytes(key), &entry))
        status = KVZMQ_ABSENT;
    else if (!entry.has_value)
        status = KVZMQ_UNAVAILABLE;
    else if (value != NULL && !value_copy(value, entry.value, entry.binary))
        status = KVZMQ_NO_MEMORY;
    else if (revision != NULL)
        *revision = entry.revision;
    (void)pthread_mutex_unlock(&mirror->lock);
    return status;
}

kvzmq_status_t kvzmq_mirror_next_store(kvzmq_mirror_t *mirror, const char *after, kvzmq_value_t *store)
{
    bytes_t client;
    kvzmq_status_t status = begin(mirror);
    if (status != KVZMQ_OK)
        return status;
    if (!mirror_store_next_client(mirror->store, bytes_from_text(after != NULL ? after : ""), &client))
        status = KVZMQ_ABSENT;
    else if (!value_copy(store, client, false))
        status = KVZMQ_NO_MEMORY;
    (void)pthread_mutex_unlock(&mirror->lock);
    return status;
}

kvzmq_status_t kvzmq_mirror_list(kvzmq_mirror_t *mirror, const char *store, const kvzmq_range_t *range,
                                 kvzmq_page_t **page)
{
    kvzmq_range_t own = {0};
    if (range != NULL && sized_take(&own, sizeof own, range) != NULL)
        return KVZMQ_INVALID_ARGUMENT;
    if (!store_choose(mirror, &store) || own.limit > LIMIT_PAGE_ENTRIES ||
        (own.prefix.size > 0 && own.prefix.data == NULL) || (own.after.size > 0 && own.after.data == NULL))
        return KVZMQ_INVALID_ARGUMENT;
    kvzmq_status_t status = begin(mirror);
    if (status != KVZMQ_OK)
        return status;
    buffer_t bytes;
    buffer_init(&bytes, SOCKET_MESSAGE_MAX + 2 * LIMIT_PAGE_BYTES);
    mirror_page_write(mirror->store, bytes_from_text(store), &own, mirror->position.seq, clock_monotonic_ms(),
                      &bytes);
    (void)pthread_mutex_unlock(&mirror->lock);
    status = bytes.failed ? KVZMQ_NO_MEMORY : page_new(PAGE_LIST, buffer_bytes(&bytes), page);
    buffer_release(&bytes);
    return status;
}

/* ---- Verifying ----------------------------------------------------------------------------------- */

/* Waits until the copy is ready and no other thread verifies. Called with the lock held. */
static kvzmq_status_t wait_idle(kvzmq_mirror_t *mirror, int64_t deadline)
{
    kvzmq_status_t status = wait_seq(mirror, 0, deadline);
    while (status == KVZMQ_OK && mirror->probe.active) {
        if (clock_monotonic_ms() >= deadline)
            return KVZMQ_TIMEOUT;
        locks_wait(&mirror->lock, &mirror->changed, deadline);
        status = wait_seq(mirror, 0, deadline);
    }
    return status;
}

kvzmq_status_t kvzmq_mirror_verify(kvzmq_mirror_t *mirror, kvzmq_t *conn, const char *store, int timeout_ms,
                                   bool *equal, uint64_t *seq)
{
    int64_t deadline = deadline_of(timeout_ms);
    probe_answer_t answer;
    bool same = false;
    if (mirror->prefix.size > 0 || is_foreign(mirror))
        return KVZMQ_FAILED_PRECONDITION;
    if (!store_choose(mirror, &store))
        return KVZMQ_INVALID_ARGUMENT;
    (void)pthread_mutex_lock(&mirror->lock);
    kvzmq_status_t status = wait_idle(mirror, deadline);
    if (status == KVZMQ_OK)
        probe_begin(&mirror->probe, mirror->store, bytes_from_text(store), mirror->position.seq);
    (void)pthread_mutex_unlock(&mirror->lock);
    if (status != KVZMQ_OK)
        return status;

    status = probe_ask(conn, store, &answer);

    (void)pthread_mutex_lock(&mirror->lock);
    if (status == KVZMQ_OK && strcmp(answer.epoch, mirror->position.epoch) != 0)
        status = KVZMQ_UNAVAILABLE;
    if (status == KVZMQ_OK)
        status = wait_seq(mirror, answer.digest.seq, deadline);
    if (status == KVZMQ_OK)
        status = probe_compare(&mirror->probe, &answer, &same);
    probe_end(&mirror->probe);
    (void)pthread_cond_broadcast(&mirror->changed);
    (void)pthread_mutex_unlock(&mirror->lock);
    if (status == KVZMQ_OK)
        *equal = same;
    if (status == KVZMQ_OK && seq != NULL)
        *seq = answer.digest.seq;
    return status;
}
