/* SPDX-License-Identifier: MPL-2.0 */
/* Waits for answers to all clients, and for the time of the next message. */
#include "client/cli/bench/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "client/cli/bench/libzmq.h"
#include "common/clock.h"

#define LOOK_NS INT64_C(100000000) /* longest time between looks at all clients, for their time limits */

bool worker_init(worker_t *worker, const bench_plan_t *plan, uint64_t index,
                 const kvzmq_options_t *connection)
{
    size_t count = (size_t)(plan->clients / plan->threads + (index < plan->clients % plan->threads));
    worker->clients = calloc(count, sizeof(bench_client_t *));
    worker->waits = calloc(count, sizeof *worker->waits);
    if (worker->clients == NULL || worker->waits == NULL)
        return false;
    kvzmq_options_t shared = *connection;
    worker->zmq_context = libzmq_context_new(count);
    shared.zmq_context = worker->zmq_context;
    for (; worker->count < count; worker->count++) {
        bench_client_t *client =
            bench_client_new(plan, worker->count * plan->threads + index, &worker->latencies, &shared);
        if (client == NULL)
            return false;
        worker->clients[worker->count] = client;
    }
    return true;
}

void worker_release(worker_t *worker)
{
    for (size_t i = 0; i < worker->count; i++)
        bench_client_destroy(&worker->clients[i]);
    libzmq_context_destroy(&worker->zmq_context);
    free(worker->clients);
    free(worker->waits);
}

typedef struct turn {
    bool more;           /* there is more to do at once */
    bool idle;           /* all is done */
    int64_t due_ns;      /* of the next message */
    uint64_t operations; /* done so far */
} turn_t;

/* Steps each client. */
static turn_t take_turn(worker_t *worker, int64_t now_ns)
{
    turn_t turn = {.idle = true, .due_ns = INT64_MAX};
    worker_phase_t *phase = worker->phase;
    bool stop = atomic_load_explicit(&phase->stop, memory_order_relaxed);
    for (size_t i = 0; i < worker->connected; i++) {
        bench_client_t *client = worker->clients[i];
        kvzmq_status_t status;
        const char *text;
        turn.more = bench_client_step(client, now_ns, stop) || turn.more;
        turn.idle = turn.idle && bench_client_is_idle(client);
        int64_t due_ns = bench_client_due(client);
        if (due_ns < turn.due_ns)
            turn.due_ns = due_ns;
        turn.operations += bench_client_tally(client)->operations;
        if (phase->phase != PHASE_CLEAN && bench_client_fault(client, &status, &text) != FAULT_NONE)
            atomic_store(&phase->stop, true);
    }
    return turn;
}

/* Waits for answers, WAIT_NS at most. */
static void wait_answers(worker_t *worker, int64_t wait_ns)
{
    for (size_t i = 0; i < worker->connected; i++)
        worker->waits[i] = (struct pollfd){.fd = bench_client_fd(worker->clients[i]), .events = POLLIN};
    struct timespec limit = {.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000};
    int ready = ppoll(worker->waits, worker->connected, &limit, NULL);
    bool all = ready < 1 && wait_ns == LOOK_NS;
    for (size_t i = 0; i < worker->connected; i++) {
        if (all || worker->waits[i].revents != 0)
            bench_client_look(worker->clients[i]);
    }
}

static void *run(void *argument)
{
    worker_t *worker = argument;
    worker_phase_t *phase = worker->phase;
    static const uint64_t one = 1;
    (void)prctl(PR_SET_TIMERSLACK, 1UL); /* else a message is sent up to 50 us late */
    for (;;) {
        int64_t now_ns = clock_monotonic_ns();
        turn_t turn = take_turn(worker, now_ns);
        atomic_store_explicit(&worker->operations, turn.operations, memory_order_relaxed);
        if (turn.idle)
            break;
        int64_t wait_ns = turn.due_ns - now_ns < LOOK_NS ? turn.due_ns - now_ns : LOOK_NS;
        wait_answers(worker, turn.more || wait_ns < 0 ? 0 : wait_ns);
    }
    if (write(phase->ended_fd, &one, sizeof one) != sizeof one)
        abort(); /* cannot happen with an eventfd */
    return NULL;
}

bool worker_start(worker_t *worker, worker_phase_t *phase)
{
    worker->phase = phase;
    for (size_t i = 0; i < worker->connected; i++) {
        if (!bench_client_begin(worker->clients[i], phase->phase, phase->start_ns))
            return false;
    }
    /* Only the main thread, which waits for the workers, receives signals. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&worker->thread, NULL, run, worker) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

void worker_join(worker_t *worker)
{
    (void)pthread_join(worker->thread, NULL);
}
