/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the sockets, the loop, its signals and the shutdown. */
#include "broker/net/broker.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#include "broker/config/config.h"
#include "broker/core/hub.h"
#include "broker/net/event_socket.h"
#include "broker/net/hosts.h"
#include "broker/net/poller.h"
#include "broker/net/request_socket.h"
#include "broker/net/trim.h"
#include "broker/net/verifier.h"
#include "broker/net/zap.h"
#include "common/clock.h"
#include "common/log.h"

enum {
    BURST_MS = 5,           /* a turn reads requests for at most this long, before its timed work */
    POLL_MAX_MS = 60000,    /* the longest sleep of the loop */
    REFUSED_LOG_MS = 10000, /* between two log lines about refused connections, or about floods */
    STOP_WORK_MS = 2000,    /* at shutdown: for requests under way (a password being verified) */
    STOP_LINGER_MS = 2000   /* at shutdown: for answers to leave; both together stay below 5 s */
};

/* What the poller waits for, in the order in which it is added. */
enum {
    NEWS_REQUESTS = 1 << 0,
    NEWS_REQUEST_MONITOR = 1 << 1,
    NEWS_ZAP = 1 << 2,
    NEWS_EVENTS = 1 << 3,
    NEWS_EVENT_MONITOR = 1 << 4,
    NEWS_VERIFIER = 1 << 5,
    NEWS_SIGNALS = 1 << 6,
    NEWS_CONNECTIONS = NEWS_REQUEST_MONITOR | NEWS_ZAP | NEWS_EVENTS | NEWS_EVENT_MONITOR
};

struct broker {
    reload_t reload; /* the settings */
    void *zmq_context;
    zap_t *zap;
    spares_t *spares;
    request_socket_t *requests;
    event_socket_t *events;
    verifier_t *verifier;
    hub_t *hub;
    int signals; /* signalfd(2) of SIGINT, SIGTERM and SIGHUP; -1 = none */
    poller_t poller;
    bool connections_read; /* the sockets of NEWS_CONNECTIONS were read in the last turn */
    trim_t trim;
    uint64_t held;  /* bytes of stores and of waiting payloads, at the end of the last turn */
    uint64_t freed; /* bytes of these that were freed since the start */
    bool zap_more;  /* work was left in the last turn */
    bool requests_more;
    bool hub_more;
    unsigned refused;         /* connections to the event socket that were refused and not logged yet */
    int64_t refused_until_ms; /* monotonic: they are not logged before */
    int64_t flooded_until_ms; /* the same for floods */
};

/* ---- What the hub needs ----------------------------------------------------------------------- */

static void event_endpoint(void *context, struct connection *connection, char *text, size_t text_size)
{
    char local[OUTLETS_ENDPOINT_SIZE];
    connection_local(connection, local, sizeof local);
    event_socket_endpoint(context, bytes_from_text(local), text, text_size);
}

static outlets_t outlets_of(const broker_t *broker)
{
    return (outlets_t){
        .transport = {.context = broker->requests,
                      .spares = broker->spares,
                      .send = request_socket_send,
                      .congested = request_socket_congested,
                      .release = request_socket_release},
        .publisher = {.context = broker->events,
                      .audience = event_socket_peers,
                      .publish = event_socket_publish,
                      .cut = event_socket_cut,
                      .sweep = event_socket_sweep,
                      .endpoint = event_endpoint},
        .verification = {.context = broker->verifier, .submit = verifier_submit, .cancel = verifier_cancel},
    };
}

static bool hub_open(broker_t *broker)
{
    outlets_t outlets = outlets_of(broker);
    broker->hub = hub_new(broker->reload.live, &outlets, clock_monotonic_ms(), clock_unix_ms());
    return broker->hub != NULL;
}

/* ---- Start ------------------------------------------------------------------------------------ */

static int signals_open(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* Binds the sockets to the addresses of the settings' endpoints. */
static bool sockets_open(broker_t *broker, char *problem, size_t problem_size)
{
    const settings_t *settings = broker->reload.live;
    void *context = broker->zmq_context;
    endpoint_list_t requests = {0};
    endpoint_list_t events = {0};
    if (hosts_of_requests(settings, &requests, problem, problem_size) &&
        hosts_of_events(settings, &events, problem, problem_size)) {
        broker->requests = request_socket_new(context, settings, &requests, broker->zap, broker->spares,
                                              problem, problem_size);
        if (broker->requests != NULL)
            broker->events = event_socket_new(context, settings, &events, problem, problem_size);
    }
    hosts_release(&requests);
    hosts_release(&events);
    return broker->events != NULL;
}

static bool poller_open(broker_t *broker)
{
    poller_t *poller = &broker->poller;
    bool open = poller_add(poller, request_socket_socket(broker->requests)) &&
                poller_add(poller, connections_socket(request_socket_connections(broker->requests))) &&
                poller_add(poller, zap_socket(broker->zap)) &&
                poller_add(poller, event_socket_socket(broker->events)) &&
                poller_add(poller, event_socket_monitor(broker->events)) &&
                poller_add(poller, verifier_socket(broker->verifier));
    poller_add_fd(poller, broker->signals);
    broker->connections_read = true; /* calls before the loop may have taken their news away */
    return open;
}

/* Call before the first socket is made. libzmq numbers peers without a socket identity, beginning with a
 * number from rand(3), which it never seeds. So the numbers would be the same in every process, and a peer
 * that claims the next one as its identity would end the broker. */
static void routing_ids_scatter(void)
{
    srand(randombytes_random());
}

broker_t *broker_new(settings_t *taken, const settings_source_t *source, char *problem, size_t problem_size)
{
    snprintf(problem, problem_size, "out of memory, threads or file descriptors");
    broker_t *broker = calloc(1, sizeof *broker);
    if (broker == NULL) {
        settings_release(taken);
        return NULL;
    }
    reload_init(&broker->reload, taken, source);
    broker->signals = signals_open();
    routing_ids_scatter();
    trim_init(&broker->trim);
    broker->zmq_context = zmq_ctx_new();
    if (broker->signals < 0 || broker->zmq_context == NULL ||
        (broker->zap = zap_new(broker->zmq_context)) == NULL || (broker->spares = spares_new()) == NULL ||
        !sockets_open(broker, problem, problem_size) || (broker->verifier = verifier_new()) == NULL ||
        !hub_open(broker) || !poller_open(broker))
        broker_destroy(&broker);
    else
        zap_use(broker->zap, hub_tickets(broker->hub));
    return broker;
}

void broker_destroy(broker_t **self)
{
    broker_t *broker = *self;
    if (broker == NULL)
        return;
    hub_destroy(&broker->hub); /* first: it uses all the others */
    verifier_destroy(&broker->verifier);
    event_socket_destroy(&broker->events, STOP_LINGER_MS);
    request_socket_destroy(&broker->requests, STOP_LINGER_MS);
    zap_destroy(&broker->zap);
    if (broker->zmq_context != NULL)
        zmq_ctx_term(broker->zmq_context);
    spares_destroy(&broker->spares);
    if (broker->signals >= 0)
        close(broker->signals);
    reload_release(&broker->reload);
    free(broker);
    *self = NULL;
}

/* ---- The loop --------------------------------------------------------------------------------- */

static void connection_lost(void *context, connection_t *connection)
{
    broker_t *broker = context;
    if (connection->session != NULL)
        hub_lost(broker->hub, connection->session, clock_monotonic_ms());
    connection->session = NULL;
}

/* Logs how many connections to the event socket were refused, at most one line in REFUSED_LOG_MS. */
static void refused_log(broker_t *broker)
{
    int64_t now_ms = clock_monotonic_ms();
    if (now_ms < broker->refused_until_ms)
        return;
    log_warning("%u connections to the event socket refused: no valid ticket; ask for one with `events`",
                broker->refused);
    broker->refused = 0;
    broker->refused_until_ms = now_ms + REFUSED_LOG_MS;
}

/* Logs at most one line in REFUSED_LOG_MS. */
static void subscribers_flooded(broker_t *broker)
{
    int64_t now_ms = clock_monotonic_ms();
    if (now_ms < broker->flooded_until_ms)
        return;
    log_warning("the event socket was flooded with subscriptions: all its connections were closed; "
                "they come back by themselves");
    broker->flooded_until_ms = now_ms + REFUSED_LOG_MS;
}

/* Handles new and lost connections. Connections can be told apart only if the calls are in this order: zap.h
 * says why. */
static void turn_connections(broker_t *broker)
{
    broker->zap_more = zap_take(broker->zap);
    request_socket_drain(broker->requests);
    bool subscribed = event_socket_drain(broker->events, hub_tickets(broker->hub));
    unsigned refused = zap_answer(broker->zap);
    hub_count_refused(broker->hub, refused);
    broker->refused += refused;
    if (event_socket_flooded(broker->events))
        subscribers_flooded(broker);
    if (subscribed)
        hub_sync(broker->hub, clock_monotonic_ms());
}

static void turn_requests(broker_t *broker)
{
    int64_t begin_ms = clock_monotonic_ms();
    int64_t now_ms = begin_ms;
    broker->requests_more = true;
    while (broker->requests_more && now_ms - begin_ms < BURST_MS) {
        broker->requests_more = request_socket_receive(broker->requests, broker->hub, now_ms);
        now_ms = clock_monotonic_ms();
    }
    if (!request_socket_ahead(broker->requests))
        connections_settle(request_socket_connections(broker->requests), !broker->requests_more,
                           connection_lost, broker);
}

static void turn_verified(broker_t *broker)
{
    uint64_t job;
    verdict_t verdict;
    while (verifier_collect(broker->verifier, &job, &verdict))
        hub_verified(broker->hub, job, verdict, clock_monotonic_ms());
}

/* Whether a connection is ending. The loop must not sleep then: whoever cuts a connection drains the monitor,
 * and may take the event of another one, so that none is left to wake the loop. */
static bool connections_end(const broker_t *broker)
{
    return connections_ending(request_socket_connections(broker->requests));
}

/* Whether the next turn already has work, so the loop must not sleep. */
static bool loop_busy(const broker_t *broker)
{
    return broker->zap_more || connections_end(broker) || broker->requests_more || broker->hub_more;
}

static void turn_memory(broker_t *broker)
{
    uint64_t held = hub_held(broker->hub);
    if (held < broker->held)
        broker->freed += broker->held - held;
    broker->held = held;
    uint64_t dropped = connections_dropped(request_socket_connections(broker->requests));
    trim_turn(&broker->trim, broker->freed + dropped, request_socket_moved(broker->requests),
              !loop_busy(broker));
}

/* Time until DUE_MS, ms: 0 if it is over, at most POLL_MAX_MS. */
static long time_until(int64_t due_ms)
{
    int64_t now_ms = clock_monotonic_ms();
    if (due_ms <= now_ms)
        return 0;
    return due_ms - now_ms < POLL_MAX_MS ? (long)(due_ms - now_ms) : POLL_MAX_MS;
}

/* How long the loop may sleep, ms. */
static long sleep_ms(const broker_t *broker)
{
    if (loop_busy(broker))
        return 0;
    int64_t due_ms = hub_next_due(broker->hub);
    return time_until(broker->trim.due_ms < due_ms ? broker->trim.due_ms : due_ms);
}

/* Sleeps until something happens, LIMIT_MS at most. Returns what: bits of NEWS_. */
static unsigned loop_wait(broker_t *broker, long limit_ms)
{
    /* First, because it may drain the monitor: if a connection is leaving then, the loop must not sleep. */
    request_socket_flush(broker->requests);
    long wait_ms = sleep_ms(broker);
    unsigned ask = broker->connections_read ? NEWS_CONNECTIONS : 0;
    if (event_socket_peers(broker->events) > 0) /* something may have been published */
        ask |= NEWS_EVENTS;
    if (verifier_busy(broker->verifier))
        ask |= NEWS_VERIFIER;
    if (wait_ms > 0) /* else it is read anyway */
        ask |= NEWS_REQUESTS;
    event_socket_enter(broker->events);
    unsigned news = poller_wait(&broker->poller, ask, wait_ms < limit_ms ? wait_ms : limit_ms);
    event_socket_leave(broker->events);
    return news;
}

/* ---- Signals ---------------------------------------------------------------------------------- */

/* Handles the signals that came. Returns the one that asks to stop, or 0. */
static int signals_take(broker_t *broker)
{
    struct signalfd_siginfo info;
    bool reload = false;
    int stop = 0;
    while (stop == 0 && read(broker->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP)
            reload = true;
        else
            stop = (int)info.ssi_signo;
    }
    if (reload && stop == 0)
        reload_run(&broker->reload, broker->hub, broker->requests);
    return stop;
}

/* Restores the default action of SIGINT and SIGTERM: the next one ends the process at once. */
static void signals_release(int stop)
{
    log_info("%s: stopping, waiting for clients; a second signal ends it at once",
             stop == SIGINT ? "SIGINT" : "SIGTERM");
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* ---- Shutdown --------------------------------------------------------------------------------- */

/* Answers the requests that were received, then sends `bye` to every session. */
static void loop_stop(broker_t *broker)
{
    int64_t until_ms = clock_monotonic_ms() + STOP_WORK_MS;
    do
        turn_requests(broker);
    while (broker->requests_more && clock_monotonic_ms() < until_ms);
    broker->requests_more = false;
    while (hub_waits(broker->hub) && clock_monotonic_ms() < until_ms) {
        zmq_pollitem_t item = {.socket = verifier_socket(broker->verifier), .events = ZMQ_POLLIN};
        long wait_ms = broker->hub_more ? 0 : time_until(hub_next_due(broker->hub));
        long left_ms = (long)(until_ms - clock_monotonic_ms());
        zmq_poll(&item, 1, wait_ms < left_ms ? wait_ms : left_ms > 0 ? left_ms : 0);
        turn_verified(broker);
        broker->hub_more = hub_tick(broker->hub, clock_monotonic_ms());
        request_socket_flush(broker->requests);
    }
    hub_stop(broker->hub, clock_monotonic_ms());
    while (hub_waits(broker->hub) && clock_monotonic_ms() < until_ms)
        hub_tick(broker->hub, clock_monotonic_ms());
}

void broker_run(broker_t *broker)
{
    log_info("ready");
    int stop = 0;
    for (;;) {
        unsigned news = loop_wait(broker, POLL_MAX_MS);
        hub_set_clock(broker->hub, clock_monotonic_ms(), clock_unix_ms());
        broker->connections_read =
            broker->zap_more || connections_end(broker) || (news & NEWS_CONNECTIONS) != 0;
        if (broker->connections_read)
            turn_connections(broker);
        if (broker->refused > 0)
            refused_log(broker);
        if ((news & NEWS_SIGNALS) != 0 && (stop = signals_take(broker)) != 0)
            break;
        turn_requests(broker);
        if (verifier_busy(broker->verifier))
            turn_verified(broker);
        broker->hub_more = hub_tick(broker->hub, clock_monotonic_ms());
        turn_memory(broker);
    }
    signals_release(stop);
    loop_stop(broker);
    log_info("Bye");
}
